"""How busy the GPUs are, by NVIDIA's own tool: the share of time in which a kernel runs on a GPU (NVML's utilization.gpu).

A kernel that waits for another GPU counts as one that runs.
"""

import subprocess
import tempfile

SAMPLE_MS = 100
FULL = 90  # percent
QUERY = ["nvidia-smi", "--format=csv,noheader,nounits"]


def gpu_names():
    """Empty where there is no driver."""
    try:
        done = subprocess.run([*QUERY, "--query-gpu=name"], capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []


class GpuLoad:
    """Samples ten times a second while it is open. Then, for each of the first `gpus`, or None where the tool does not say:
    `idle`, the share of time without a kernel; `waits`, the same from when it is first busy until it is so last, which
    leaves the queue's beginning and end out; `percents` and `mib`, the samples of load and memory."""

    def __init__(self, gpus):
        self.gpus = gpus
        self.idle = self.waits = self.percents = self.mib = None

    def __enter__(self):
        self.samples = tempfile.TemporaryFile("w+")
        self.process = None
        if self.gpus:
            self.process = subprocess.Popen([*QUERY, "--query-gpu=index,utilization.gpu,memory.used", f"--loop-ms={SAMPLE_MS}"],
                                            stdout=self.samples, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        if self.process is None:
            return
        self.process.terminate()
        self.process.wait()
        self.samples.seek(0)
        busy, memory = {}, {}
        for line in self.samples:
            index, *numbers = line.strip().split(", ")
            if index.isdigit() and len(numbers) == 2 and all(number.isdigit() for number in numbers):
                busy.setdefault(int(index), []).append(int(numbers[0]))
                memory.setdefault(int(index), []).append(int(numbers[1]))
        own = [of for index, of in sorted(busy.items()) if index < self.gpus]
        if own:
            self.percents = own
            self.mib = [of for index, of in sorted(memory.items()) if index < self.gpus]
            self.idle = [idle_share(of) for of in own]
            self.waits = [idle_share(while_busy(of)) for of in own]


def idle_share(percents):
    return round(1 - sum(percents) / len(percents) / 100, 4)


def while_busy(percents):
    full = [at for at, percent in enumerate(percents) if percent >= FULL]
    return percents[full[0] : full[-1] + 1] if full else percents
