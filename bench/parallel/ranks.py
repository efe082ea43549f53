"""A program of several ranks that answers a line with a line, as bench_parallel and bench_clip do."""

import os
import signal
import subprocess
import tempfile
import threading


class ProgramError(Exception):
    """It ended, or took too long; with the end of what it said on stderr."""


class Program:
    """`words`: the program and its arguments. An answer that takes longer than `patience` seconds ends it."""

    def __init__(self, words, ranks, on_gpus, patience):
        launcher = ["mpirun", "--bind-to", "none", *([] if on_gpus else ["--oversubscribe"]), "-n", str(ranks)]
        environment = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_WAIT_POLICY": "PASSIVE",
                       **os.environ}
        self.name = os.path.basename(words[0])
        self.patience = patience
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*launcher, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=environment, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.process.stdin.close()
            self.process.wait(timeout=60)
        except (subprocess.TimeoutExpired, OSError):
            self.kill()
        self.errors.close()

    def kill(self):
        """mpirun's ranks are in its process group or end with it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def ask(self, line=None):
        """The answer to a line, or without one the next that the program says by itself."""
        late = threading.Timer(self.patience, self.kill)
        late.start()
        try:
            if line is not None:
                self.process.stdin.write(line + "\n")
                self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError:
            answer = ""
        finally:
            late.cancel()
        if answer:
            return answer
        self.kill()
        self.errors.seek(0)
        said = self.errors.read().strip()[-800:]
        raise ProgramError(f"{self.name}, asked '{line or 'nothing'}', ended with {self.process.returncode} within "
                           f"{self.patience} s: {said or 'it said nothing'}")
