"""VAE decode and encode: this program next to diffusers, taking turns in one run.

    .venv/bin/python bench/models/vae.py build/bench/bin/bench_vae [--rounds 5] [--only 16-32-64-64] [--threads 1 2]
    python3 bench/models/vae.py bench_vae --only hunyuan-81 --dtype bf16 --threads 8 --rounds 3      # on a GPU of 80 GB

Prints a table: median (and best) seconds, and GFLOP/s of the convolutions as diffusers computes them next to those of a
large matrix product in the same type on as many threads. decode: 31 latents of 20x12 to 121 frames of 160x96, to
finished 8-bit frames here and to the float sample there. encode: the 9 frames that condition a next window (c = 3).
`error` is the relative distance of the two decoded samples. The hunyuan shapes are HunyuanVideo's VAE at 960x544, 81 and
121 frames, with random weights; there diffusers decodes with the plan `diffusers` only, next to all of ours, `GiB` is the
most memory of our tensors, and `error` the distance to diffusers' sample of that plan, another plan's included.
"""

import os
import pathlib
import statistics
import tempfile
import time

# For both sides, and before torch: threads that spin while they wait make two threads ten times slower than one as soon
# as something else wants a core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from diffusers import AutoencoderKLHunyuanVideo
from safetensors.torch import save_file
from side_by_side import DTYPES, Program, distance, run

SMALL = dict(layers_per_block=1, mid_block_add_attention=False, norm_num_groups=8)
SHAPES = {
    # name: latents (L, h, w), config
    "16-32-64-64": ((31, 12, 20), dict(block_out_channels=(16, 32, 64, 64), **SMALL)),
    "24-48-96-96": ((31, 12, 20), dict(block_out_channels=(24, 48, 96, 96), **SMALL)),
    "hunyuan-81": ((21, 68, 120), {}),
    "hunyuan-121": ((31, 68, 120), {}),
}


def on_gpu(shape):
    return shape.startswith("hunyuan")


def work_of(shape):
    if on_gpu(shape):
        return (("decode", "diffusers"), ("decode", "long"), ("decode", "whole"))
    return (("decode", "diffusers"), ("decode", "whole"), ("encode", "diffusers"))


def write_model(shape, dtype, folder):
    torch.manual_seed(0)
    latents, config = SHAPES[shape]
    with torch.device("cuda" if on_gpu(shape) else "cpu"):
        model = AutoencoderKLHunyuanVideo(**config).to(DTYPES[dtype]).eval()
    model.save_pretrained(folder / "vae")
    data = {"latents": torch.randn(1, 16, *latents), "video": torch.rand(1, 3, 9, 96, 160) * 2 - 1}
    save_file(data, folder / "data.safetensors")
    return model, {name: tensor.to(model.device) for name, tensor in data.items()}


@torch.inference_mode()
def run_diffusers(model, data, kind, plan):
    model.use_framewise_decoding = model.use_framewise_encoding = plan != "whole"
    begin = time.perf_counter()
    if kind == "decode":
        result = model.decode(data["latents"].to(model.dtype) / model.config.scaling_factor).sample
    else:
        result = model.encode(data["video"].to(model.dtype)).latent_dist.mode() * model.config.scaling_factor
    result.flatten()[0].item()  # waits for the device
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


def measure(binary, shape, dtype, threads, rounds):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model, data = write_model(shape, dtype, folder)
        torch.set_num_threads(threads)
        program = Program(binary, folder, dtype, threads, "cuda" if on_gpu(shape) else "cpu")
        ceiling = max(program.ask("matmul") for _ in range(3))
        reference = None
        for kind, plan in work_of(shape):
            both = not on_gpu(shape) or plan == "diffusers"
            error = float("nan")
            if both:
                work = conv_gflop(model, data, kind, plan)  # also the first, slower run
            if on_gpu(shape):
                reference = reference if reference is not None else run_diffusers(model, data, kind, plan)[1].float().cpu()
                torch.cuda.empty_cache()
            program.ask("memory")
            if kind == "decode":
                error = distance(program, reference if on_gpu(shape) else run_diffusers(model, data, kind, plan)[1], folder,
                                 f"save {plan}")
            else:
                program.ask(f"{kind} {plan}")
            ours, theirs = [], []
            for _ in range(rounds):
                if both:
                    theirs.append(run_diffusers(model, data, kind, plan)[0])
                    torch.cuda.empty_cache()
                ours.append(program.ask(f"{kind} {plan}"))
            memory = program.ask("memory")
            middle = statistics.median(ours)
            if both:
                peer = statistics.median(theirs)
                other = f"{peer:9.3f} ({min(theirs):.3f})"
            print(f"{shape:11} {kind} {plan:9} {dtype:5} {threads:7} {other if both else '':17} {middle:9.3f} ({min(ours):.3f}) "
                  f"{peer / middle:6.2f} {work / middle:8.0f} {ceiling:7.0f} {memory:6.1f}  {error:.1e}", flush=True)
            if on_gpu(shape):
                program.ask(f"profile {plan}")
        program.close()


if __name__ == "__main__":
    run(__doc__, SHAPES, 5, "channels    work   plan      dtype threads  diffusers (best), s     ours (best), s  ratio  GFLOP/s  matmul    GiB  error", measure,
        [shape for shape in SHAPES if not on_gpu(shape)])
