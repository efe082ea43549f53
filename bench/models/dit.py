"""One transformer forward: this program next to diffusers, taking turns in one run.

    .venv/bin/python bench/models/dit.py build/bench/bin/bench_dit [--rounds 7] [--only demo] [--threads 1 2]
    python3 bench/models/dit.py bench_dit --only 13b-81 --dtype bf16 --dtype fp8 --threads 8 --rounds 5      # on a GPU of 80 GB

Prints a table: median (and best) seconds of a forward, GFLOP/s next to those of a large matrix product in the same
type on as many threads, and the seconds that are spent once per prompt (text refiner and modulation, 4 steps). The last
column but two is what the attention of all blocks takes here, one after another, of a forward; then the most GiB of
tensors on the GPU, and how far our velocity is from diffusers' (which computes in bf16 next to fp8). The 13b shapes are HunyuanVideo's
at 960x544, 81 and 121 frames, with random weights; diffusers' blocks are compiled there, as its users would.
"""

import functools
import pathlib
import statistics
import tempfile
import time

import torch
from safetensors.torch import save_file
from side_by_side import DTYPES, EIGHT_BIT, Program, distance, run

SHAPES = {
    # name: heads, head_dim, rope, double, single, latents (L, h, w), text tokens, text width, pooled width
    "demo": (6, 32, (8, 12, 12), 2, 4, (31, 12, 20), 40, 256, 128),
    "wide": (8, 64, (16, 24, 24), 2, 4, (31, 12, 20), 40, 256, 128),
    "13b-81": (24, 128, (16, 56, 56), 20, 40, (21, 68, 120), 256, 4096, 768),
    "13b-121": (24, 128, (16, 56, 56), 20, 40, (31, 68, 120), 256, 4096, 768),
}


def on_gpu(shape):
    return shape.startswith("13b")


def flops(shape):
    heads, head_dim, _, double, single, (frames, height, width), text, _, _ = SHAPES[shape]
    dim = heads * head_dim
    image = frames * height * width // 4
    tokens = image + text
    linear = 2 * 12 * dim * dim * tokens * (double + single)
    ends = 2 * image * dim * 4 * (33 + 16)
    return linear + ends + 4 * tokens * tokens * dim * (double + single)


@functools.cache
def write_model(shape, dtype):
    """The other side's model and inputs, and the folder in which this program finds them."""
    from diffusers import HunyuanVideoTransformer3DModel

    # 26 GB of weights: memory, because a GPU machine's disk may be too small or slow for them.
    keeper = tempfile.TemporaryDirectory(dir="/dev/shm" if on_gpu(shape) else None)
    folder = pathlib.Path(keeper.name)
    heads, head_dim, rope, double, single, (frames, height, width), text, text_width, pooled = SHAPES[shape]
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)  # 13 B parameters in fp32 would not fit beside their copies
    with torch.device("cuda" if on_gpu(shape) else "cpu"):
        model = HunyuanVideoTransformer3DModel(
            in_channels=33, out_channels=16, num_attention_heads=heads, attention_head_dim=head_dim, rope_axes_dim=rope,
            num_layers=double, num_single_layers=single, num_refiner_layers=2 if on_gpu(shape) else 1, guidance_embeds=False,
            text_embed_dim=text_width, pooled_projection_dim=pooled, image_condition_type="latent_concat").eval()
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder / "transformer")
    data = {"latents": torch.randn(1, 33, frames, height, width), "states": torch.randn(text, text_width),
            "pooled": torch.randn(pooled)}
    save_file(data, folder / "data.safetensors")
    if on_gpu(shape):
        data = {name: tensor.cuda() for name, tensor in data.items()}
        model.compile_repeated_blocks(fullgraph=True)
    return model, data, folder, keeper


@torch.inference_mode()
def diffusers_forward(model, data):
    dtype, states = model.dtype, data["states"]
    begin = time.perf_counter()
    velocity = model(hidden_states=data["latents"].to(dtype), timestep=torch.tensor([937.5], device=states.device),
                     encoder_hidden_states=states[None].to(dtype),
                     encoder_attention_mask=torch.ones(1, len(states), device=states.device),
                     pooled_projections=data["pooled"][None].to(dtype)).sample
    velocity.flatten()[0].item()  # waits for the device
    return time.perf_counter() - begin, velocity


def measure(binary, shape, dtype, threads, rounds):
    model, data, folder, _ = write_model(shape, (DTYPES | EIGHT_BIT)[dtype])
    torch.set_num_threads(threads)
    program = Program(binary, folder, dtype, threads, "cuda" if on_gpu(shape) else "cpu")
    ours, theirs = [], []
    program.ask("forward")
    program.ask("memory")
    error = distance(program, diffusers_forward(model, data)[1], folder)
    for _ in range(rounds):
        theirs.append(diffusers_forward(model, data)[0])
        ours.append(program.ask("forward"))
    memory = program.ask("memory")
    ceiling = max(program.ask("matmul") for _ in range(3))
    prepare = statistics.median(program.ask("prepare") for _ in range(3))
    program.ask("attention")
    attention = statistics.median(program.ask("attention") for _ in range(5))
    program.close()
    work = flops(shape) * 1e-9
    frames, height, width = SHAPES[shape][5]
    middle = statistics.median(ours)
    share = attention * (SHAPES[shape][3] + SHAPES[shape][4]) / middle
    print(f"{shape:7} {frames}x{height}x{width:<3} {dtype:11} {threads:7} "
          f"{statistics.median(theirs):9.3f} ({min(theirs):.3f}) {middle:9.3f} ({min(ours):.3f}) "
          f"{statistics.median(theirs) / middle:7.2f} {work / middle:9.0f} "
          f"{ceiling:9.0f} {prepare:9.4f} {share:6.0%} {memory:9.1f}  {error:.1e}", flush=True)


if __name__ == "__main__":
    run(__doc__, SHAPES, 7, "model   latents   dtype       threads   diffusers (best), s      ours (best), s   ratio   GFLOP/s    matmul  prepare, s  attention  GiB  error", measure,
        [shape for shape in SHAPES if not on_gpu(shape)], DTYPES | EIGHT_BIT)
