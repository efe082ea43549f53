"""What 8 bits do to one forward of the 13 B transformer: seconds, memory, and the norm ratio to the same forward in bf16.

    python3 bench/models/dit_types.py bench_dit --bundle FOLDER [--frames 81] [--dtype bf16 int8 w8a8 fp8-linears fp8] [--rounds 5] [--graph]

FOLDER is what random_bundle.py writes; latents and text are random, the same for all types. Needs a GPU of 80 GB, and no
other implementation. The first type is what the others are compared with. Gates: int8 and w8a8 3e-2, fp8 8e-2. --graph
also tells the host's seconds until the GPU has been given all of a forward, and a forward replayed as one CUDA graph.
"""

import argparse
import pathlib
import statistics
import tempfile

import torch
from dit import SHAPES, flops
from safetensors.torch import save_file
from side_by_side import EIGHT_BIT, Program


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--bundle", type=pathlib.Path, required=True)
    parser.add_argument("--frames", type=int, choices=(81, 121), default=81)
    parser.add_argument("--dtype", nargs="+", default=["bf16", *EIGHT_BIT])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--graph", action="store_true")
    return parser.parse_args()


def write_inputs(folder, shape):
    _, _, _, _, _, (frames, height, width), text, text_width, pooled = SHAPES[shape]
    torch.manual_seed(0)
    save_file({"latents": torch.randn(1, 33, frames, height, width), "states": torch.randn(text, text_width),
               "pooled": torch.randn(pooled)}, folder / "data.safetensors")


def velocity(program, folder):
    program.ask(f"save {folder / 'result.raw'}")
    return torch.frombuffer(bytearray((folder / "result.raw").read_bytes()), dtype=torch.float32).double()


def main():
    options = read_options()
    shape = f"13b-{options.frames}"
    expected = None
    print(f"{shape}, latents {'x'.join(map(str, SHAPES[shape][5]))}, medians of {options.rounds}")
    print("type          forward (best), s   TFLOP/s    matmul  attention   GiB   norm ratio      cosine")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as keeper:
        folder = pathlib.Path(keeper)
        (folder / "transformer").symlink_to(options.bundle.resolve() / "transformer")
        write_inputs(folder, shape)
        for dtype in options.dtype:
            program = Program(options.binary.resolve(), folder, dtype, options.threads, "cuda")
            program.ask("forward")
            program.ask("memory")
            seconds = [program.ask("forward") for _ in range(options.rounds)]
            memory = program.ask("memory")
            replayed = ""
            if options.graph:
                launch = statistics.median(program.ask("launch") for _ in range(options.rounds))
                replayed = f"   launch {launch:.3f} s, graph {program.ask('graph'):.3f} s"
            matmul = max(program.ask("matmul") for _ in range(3))
            program.ask("attention")
            attention = statistics.median(program.ask("attention") for _ in range(5))
            found = velocity(program, folder)
            program.close()
            expected = found if expected is None else expected
            middle = statistics.median(seconds)
            print(f"{dtype:12} {middle:9.3f} ({min(seconds):.3f}) {flops(shape) * 1e-12 / middle:9.0f} {matmul * 1e-3:9.0f} "
                  f"{1e3 * attention:7.1f} ms {memory:6.1f} {((found - expected).norm() / expected.norm()).item():11.2e} "
                  f"{torch.nn.functional.cosine_similarity(found, expected, 0).item():12.6f}{replayed}", flush=True)


if __name__ == "__main__":
    main()
