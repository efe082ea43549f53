"""How busy the GPUs are, by NVIDIA's own tool: the share of time in which a kernel runs on a GPU (NVML's utilization.gpu).

A kernel that waits for another GPU counts as one that runs.
"""

import subprocess
import tempfile

QUERY = ["nvidia-smi", "--format=csv,noheader,nounits"]


def gpu_names():
    """Empty where there is no driver."""
    try:
        done = subprocess.run([*QUERY, "--query-gpu=name"], capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []


class GpuLoad:
    """Samples twice a second while it is open; then `idle` has the share of time without a kernel, of each of the first
    `gpus`, or is None where the tool does not say."""

    def __init__(self, gpus):
        self.gpus = gpus
        self.idle = None

    def __enter__(self):
        self.samples = tempfile.TemporaryFile("w+")
        self.process = None
        if self.gpus:
            self.process = subprocess.Popen([*QUERY, "--query-gpu=index,utilization.gpu", "--loop-ms=500"],
                                            stdout=self.samples, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        if self.process is None:
            return
        self.process.terminate()
        self.process.wait()
        self.samples.seek(0)
        busy = {}
        for line in self.samples:
            index, _, percent = line.strip().partition(", ")
            if index.isdigit() and percent.isdigit():
                busy.setdefault(int(index), []).append(int(percent))
        if busy:
            self.idle = [round(1 - sum(of) / len(of) / 100, 3) for index, of in sorted(busy.items()) if index < self.gpus]
