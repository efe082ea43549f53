"""What the benchmarks of a model next to diffusers share: the program on the other end of a pipe, and the command line."""

import argparse
import pathlib
import subprocess

import numpy
import torch

# This program's types, and what the other side computes in next to them.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
EIGHT_BIT = {"fp8-linears": torch.bfloat16, "fp8": torch.bfloat16, "int8": torch.bfloat16, "w8a8": torch.bfloat16}


def distance(program, theirs, folder, command="save"):
    """How far from the other side's tensor this program's is, relative to its norm."""
    program.ask(f"{command} {folder / 'result.raw'}")
    ours = torch.from_numpy(numpy.fromfile(folder / "result.raw", dtype=numpy.float32)).view(theirs.shape)
    theirs = theirs.float().cpu()
    return ((ours - theirs).norm() / theirs.norm()).item()


class Program:
    """A bench program, answering one line per command."""

    def __init__(self, binary, folder, dtype, threads, device="cpu"):
        self.name = binary.name
        self.process = subprocess.Popen([binary, folder, dtype, str(threads), device], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended with {self.process.wait()}")
        return float(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


def run(description, shapes, rounds, header, measure, usual=None, dtypes=DTYPES):
    """Calls measure(binary, shape, dtype, threads, rounds) for everything the command line names; `usual` (all) if it names no shape."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--only", choices=shapes, action="append")
    parser.add_argument("--dtype", choices=dtypes, action="append")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    print(header)
    for shape in arguments.only or usual or shapes:
        for dtype in arguments.dtype or DTYPES:
            for threads in arguments.threads:
                measure(arguments.binary.resolve(), shape, dtype, threads, arguments.rounds)
