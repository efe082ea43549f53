"""VAE decode and encode on the CPU: this program next to diffusers, taking turns in one run.

    .venv/bin/python bench/models/vae.py build/bench/bin/bench_vae [--rounds 5] [--only 16-32-64-64] [--threads 1 2]

Prints a table: median (and best) seconds, and GFLOP/s of the convolutions as diffusers computes them next to those of a
large matrix product in the same type on as many threads. decode: 31 latents of 20x12 to 121 frames of 160x96, to
finished 8-bit frames here and to the float sample there. encode: the 9 frames that condition a next window (c = 3).
`error` is the relative distance of the two decoded samples.
"""

import os
import pathlib
import statistics
import tempfile
import time

# For both sides, and before torch: threads that spin while they wait make two threads ten times slower than one as soon
# as something else wants a core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy
import torch
from diffusers import AutoencoderKLHunyuanVideo
from safetensors.torch import save_file
from side_by_side import DTYPES, Program, run

LATENTS = (31, 12, 20)
SHAPES = {
    "16-32-64-64": dict(block_out_channels=(16, 32, 64, 64), norm_num_groups=8),
    "24-48-96-96": dict(block_out_channels=(24, 48, 96, 96), norm_num_groups=8),
}
WORK = (("decode", "diffusers"), ("decode", "whole"), ("encode", "diffusers"))


def write_model(shape, dtype, folder):
    torch.manual_seed(0)
    model = AutoencoderKLHunyuanVideo(layers_per_block=1, mid_block_add_attention=False, **SHAPES[shape])
    model = model.to(DTYPES[dtype]).eval()
    model.save_pretrained(folder / "vae")
    data = {"latents": torch.randn(1, 16, *LATENTS), "video": torch.rand(1, 3, 9, 96, 160) * 2 - 1}
    save_file(data, folder / "data.safetensors")
    return model, data


@torch.inference_mode()
def run_diffusers(model, data, kind, plan):
    model.use_framewise_decoding = model.use_framewise_encoding = plan != "whole"
    begin = time.perf_counter()
    if kind == "decode":
        result = model.decode(data["latents"].to(model.dtype) / model.config.scaling_factor).sample
    else:
        result = model.encode(data["video"].to(model.dtype)).latent_dist.mode() * model.config.scaling_factor
    return time.perf_counter() - begin, result


def conv_gflop(model, data, kind, plan):
    """Multiply-adds of all convolutions in one diffusers run, counted by hooks."""
    total = 0

    def count(layer, _, output):
        nonlocal total
        total += 2 * output.numel() * layer.weight[0].numel()

    hooks = [layer.register_forward_hook(count) for layer in model.modules() if isinstance(layer, torch.nn.Conv3d)]
    run_diffusers(model, data, kind, plan)
    for hook in hooks:
        hook.remove()
    return total * 1e-9


def distance(program, model, data, folder):
    program.ask(f"save whole {folder / 'sample.raw'}")
    theirs = run_diffusers(model, data, "decode", "whole")[1].float()
    ours = torch.from_numpy(numpy.fromfile(folder / "sample.raw", dtype=numpy.float32)).view(theirs.shape)
    return ((ours - theirs).norm() / theirs.norm()).item()


def measure(binary, shape, dtype, threads, rounds):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model, data = write_model(shape, dtype, folder)
        torch.set_num_threads(threads)
        program = Program(binary, folder, dtype, threads)
        error = distance(program, model, data, folder)
        ceiling = max(program.ask("matmul") for _ in range(3))
        for kind, plan in WORK:
            work = conv_gflop(model, data, kind, plan)  # also the first, slower run
            program.ask(f"{kind} {plan}")
            ours, theirs = [], []
            for _ in range(rounds):
                theirs.append(run_diffusers(model, data, kind, plan)[0])
                ours.append(program.ask(f"{kind} {plan}"))
            middle = statistics.median(ours)
            print(f"{shape} {kind} {plan:9} {dtype:5} {threads:7} "
                  f"{statistics.median(theirs):9.3f} ({min(theirs):.3f}) {middle:9.3f} ({min(ours):.3f}) "
                  f"{statistics.median(theirs) / middle:6.2f} {work / middle:8.0f} {ceiling:7.0f}  {error:.1e}", flush=True)
        program.close()


if __name__ == "__main__":
    run(__doc__, SHAPES, 5, "channels    work   plan      dtype threads  diffusers (best), s     ours (best), s  ratio  GFLOP/s  matmul  error", measure)
