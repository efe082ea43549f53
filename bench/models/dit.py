"""One transformer forward on the CPU: this program next to diffusers, taking turns in one run.

    .venv/bin/python bench/models/dit.py build/bench/bin/bench_dit [--rounds 7] [--only demo] [--threads 1 2]

Prints a table: median (and best) seconds of a forward, GFLOP/s next to those of a large matrix product in the same
type on as many threads, and the seconds that are spent once per prompt (text refiner and modulation, 4 steps).
"""

import pathlib
import statistics
import tempfile
import time

import torch
from diffusers import HunyuanVideoTransformer3DModel
from safetensors.torch import save_file
from side_by_side import DTYPES, Program, run

TEXT_TOKENS = 40
SHAPES = {
    # name: heads, head_dim, rope, double, single, latents (L, h, w)
    "demo": (6, 32, (8, 12, 12), 2, 4, (31, 12, 20)),
    "wide": (8, 64, (16, 24, 24), 2, 4, (31, 12, 20)),
}


def flops(shape):
    heads, head_dim, _, double, single, (frames, height, width) = SHAPES[shape]
    dim = heads * head_dim
    image = frames * height * width // 4
    tokens = image + TEXT_TOKENS
    linear = 2 * 12 * dim * dim * tokens * (double + single)
    ends = 2 * image * dim * 4 * (33 + 16)
    return linear + ends + 4 * tokens * tokens * dim * (double + single)


def write_model(shape, dtype, folder):
    heads, head_dim, rope, double, single, (frames, height, width) = SHAPES[shape]
    torch.manual_seed(0)
    model = HunyuanVideoTransformer3DModel(
        in_channels=33, out_channels=16, num_attention_heads=heads, attention_head_dim=head_dim, rope_axes_dim=rope,
        num_layers=double, num_single_layers=single, num_refiner_layers=1, guidance_embeds=False, text_embed_dim=256,
        pooled_projection_dim=128, image_condition_type="latent_concat").to(DTYPES[dtype]).eval()
    model.save_pretrained(folder / "transformer")
    data = {"latents": torch.randn(1, 33, frames, height, width), "states": torch.randn(TEXT_TOKENS, 256),
            "pooled": torch.randn(128)}
    save_file(data, folder / "data.safetensors")
    return model, data


@torch.inference_mode()
def diffusers_forward(model, data):
    dtype = model.dtype
    begin = time.perf_counter()
    model(hidden_states=data["latents"].to(dtype), timestep=torch.tensor([937.5]),
          encoder_hidden_states=data["states"][None].to(dtype), encoder_attention_mask=torch.ones(1, TEXT_TOKENS),
          pooled_projections=data["pooled"][None].to(dtype))
    return time.perf_counter() - begin


def measure(binary, shape, dtype, threads, rounds):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model, data = write_model(shape, dtype, folder)
        torch.set_num_threads(threads)
        program = Program(binary, folder, dtype, threads)
        ours, theirs, ceiling = [], [], []
        program.ask("forward")
        diffusers_forward(model, data)
        for _ in range(rounds):
            theirs.append(diffusers_forward(model, data))
            ours.append(program.ask("forward"))
        for _ in range(3):
            ceiling.append(program.ask("matmul"))
        prepare = statistics.median(program.ask("prepare") for _ in range(3))
        program.close()
    work = flops(shape) * 1e-9
    frames, height, width = SHAPES[shape][5]
    print(f"{shape:5} {frames}x{height}x{width:<3} {dtype:5} {threads:7} "
          f"{statistics.median(theirs):9.3f} ({min(theirs):.3f}) {statistics.median(ours):9.3f} ({min(ours):.3f}) "
          f"{statistics.median(theirs) / statistics.median(ours):7.2f} {work / statistics.median(ours):9.0f} "
          f"{max(ceiling):9.0f} {prepare:9.4f}", flush=True)


if __name__ == "__main__":
    run(__doc__, SHAPES, 7, "model latents   dtype threads   diffusers (best), s      ours (best), s   ratio   GFLOP/s    matmul  prepare, s", measure)
