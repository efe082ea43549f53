"""Reference data for the causal 3D VAE: diffusers' AutoencoderKLHunyuanVideo on random weights.

Each case is a folder with vae/ (config.json and weights, as diffusers saves them) and data.safetensors: inputs
`latents/LxHxW` and `video/FxHxW`, results `decode/PLAN/LxHxW` (the sample before clamping) and `encode/PLAN/FxHxW` (mode
times scaling factor) in fp32, and the relative error of diffusers' own bf16 run under `bf16_error/...`. Weights are
scaled so that every term matters: the script fails when zeroing a parameter changes the output by less than a
thousandth.
"""

import argparse
import pathlib
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKLHunyuanVideo
from safetensors.torch import save_file

TERM_FLOOR = 1e-3


@dataclass
class Case:
    name: str
    channels: tuple
    groups: int
    decode: dict  # plan -> sizes (L, h, w) of latents
    encode: dict  # plan -> sizes (F, H, W) of pixels
    layers: int = 1
    attention: bool = False
    latent_channels: int = 16
    spatial: int = 8
    scaling_factor: float = 0.476986


CASES = [
    Case(
        "odd_multiples",
        channels=(12, 20, 20, 28),
        groups=4,
        decode={
            "whole": [(1, 5, 7), (2, 5, 7), (9, 3, 4), (31, 2, 3)],
            "diffusers": [(1, 5, 7), (4, 5, 7), (5, 5, 7), (9, 3, 4), (31, 2, 3)],
            "diffusers-spatial": [(1, 5, 7), (1, 26, 33), (1, 7, 35), (5, 25, 33)],
            "medium": [(5, 5, 7), (6, 3, 4), (9, 3, 4), (31, 2, 3)],
            "long": [(31, 2, 3)],
            "tencent": [(16, 3, 4), (18, 3, 4), (31, 2, 3), (17, 2, 33)],
        },
        encode={
            "whole": [(1, 40, 56), (5, 40, 56), (33, 24, 32)],
            "diffusers": [(1, 40, 56), (13, 24, 32), (17, 24, 32), (41, 24, 32)],
            "diffusers-spatial": [(1, 208, 264), (5, 56, 280), (21, 40, 264)],
            "medium": [(17, 24, 32), (21, 24, 32), (41, 24, 32)],
            "long": [(41, 16, 24)],
            "tencent": [(65, 16, 24), (69, 16, 24), (121, 16, 24)],
        },
    ),
    Case(
        "attention_two_layers",
        channels=(10, 30, 20, 30),
        groups=5,
        layers=2,
        attention=True,
        latent_channels=5,
        scaling_factor=1.7,
        decode={
            "whole": [(1, 5, 7), (2, 5, 7), (5, 5, 7), (31, 2, 3)],
            "diffusers": [(5, 5, 7), (9, 3, 4)],
            "diffusers-spatial": [(5, 3, 33)],
        },
        encode={"whole": [(1, 40, 56), (9, 40, 56)], "diffusers": [(29, 16, 24)]},
    ),
    Case(
        "three_blocks",
        channels=(6, 10, 14),
        groups=2,
        layers=2,
        attention=True,
        latent_channels=4,
        decode={"whole": [(3, 5, 7)], "diffusers": [(7, 3, 5)]},
        encode={"whole": [(9, 24, 40)]},
    ),
    Case(
        "time_only_step",
        channels=(8, 16, 16, 24),
        groups=4,
        spatial=4,
        decode={"whole": [(3, 5, 7)], "diffusers": [(8, 5, 7)], "diffusers-spatial": [(2, 5, 67)]},
        encode={"whole": [(9, 20, 28)]},
    ),
]


def build(case):
    return AutoencoderKLHunyuanVideo(
        latent_channels=case.latent_channels,
        down_block_types=("HunyuanVideoDownBlock3D",) * len(case.channels),
        up_block_types=("HunyuanVideoUpBlock3D",) * len(case.channels),
        block_out_channels=case.channels,
        layers_per_block=case.layers,
        norm_num_groups=case.groups,
        scaling_factor=case.scaling_factor,
        spatial_compression_ratio=case.spatial,
        mid_block_add_attention=case.attention,
    ).eval()


def randomise(vae, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(vae.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            parameter.data = noise * 0.3 + (1.0 if name.endswith("weight") else 0.0)
        elif parameter.dim() == 1:
            parameter.data = noise * 0.3
        else:
            parameter.data = noise * 1.4 / parameter[0].numel() ** 0.5
        # Weights are published in 16 bits: a bf16 run then starts from the same ones as an fp32 run.
        parameter.data = parameter.data.to(torch.bfloat16).float()


def check_terms(case, vae):
    """Fails when a parameter does not move the output of the direction that it belongs to."""
    generator = torch.Generator().manual_seed(1)
    z = torch.randn((1, case.latent_channels, 2, 2, 3), generator=generator)
    x = torch.rand((1, 3, 5, 2 * case.spatial, 3 * case.spatial), generator=generator) * 2 - 1
    runs = {"decode": lambda: vae.decode(z).sample, "encode": lambda: vae.encode(x).latent_dist.mode()}
    base = {name: run() for name, run in runs.items()}
    for name, parameter in vae.named_parameters():
        if name.endswith("to_k.bias"):
            continue  # adds the same to all scores of a query: softmax does not see it
        direction = "encode" if name.startswith(("encoder.", "quant_conv.")) else "decode"
        kept = parameter.data
        parameter.data = torch.zeros_like(kept)
        change = ((runs[direction]() - base[direction]).norm() / base[direction].norm()).item()
        parameter.data = kept
        if change < TERM_FLOOR:
            raise SystemExit(f"{case.name}: zeroing {name} changes the output by {change:.1e} only")


FRAMES = {"medium": (20, 16), "long": (32, 28)}  # of a tile, and from one to the next


def set_plan(vae, plan):
    vae.use_tiling = False
    vae.use_framewise_encoding = vae.use_framewise_decoding = plan != "whole"
    vae.tile_sample_min_num_frames, vae.tile_sample_stride_num_frames = FRAMES.get(plan, (16, 12))
    if plan == "diffusers-spatial":
        vae.enable_tiling()
    elif plan == "tencent":
        vae.enable_tiling(tile_sample_min_num_frames=64, tile_sample_stride_num_frames=48)


def size_name(size):
    return "x".join(str(n) for n in size)


def decode(vae, latents):
    return vae.decode(latents / vae.config.scaling_factor).sample


def encode(vae, video):
    return vae.encode(video).latent_dist.mode() * vae.config.scaling_factor


def write(case, output):
    folder = output / case.name
    vae = build(case)
    randomise(vae, seed=7)
    check_terms(case, vae)
    vae.save_pretrained(folder / "vae")
    half = build(case)
    half.load_state_dict(vae.state_dict())
    half.to(torch.bfloat16)
    generator = torch.Generator().manual_seed(3)
    data = {}

    def run(kind, function, plan, name, x):
        for model in (vae, half):
            set_plan(model, plan)
        result = function(vae, x)
        rough = function(half, x.to(torch.bfloat16)).float()
        data[f"{kind}/{plan}/{name}"] = result.contiguous()
        data[f"bf16_error/{kind}/{plan}/{name}"] = ((rough - result).norm() / result.norm()).reshape(1)

    for plan, sizes in case.decode.items():
        for size in sizes:
            name = size_name(size)
            shape = (1, case.latent_channels, *size)
            latents = data.setdefault(f"latents/{name}", torch.randn(shape, generator=generator))
            run("decode", decode, plan, name, latents)
    for plan, sizes in case.encode.items():
        for size in sizes:
            name = size_name(size)
            video = data.setdefault(f"video/{name}", torch.rand((1, 3, *size), generator=generator) * 2 - 1)
            run("encode", encode, plan, name, video)
    save_file(data, folder / "data.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # two threads that share one busy core wait for each other at every step
    with torch.no_grad():
        for case in CASES:
            write(case, arguments.output)


if __name__ == "__main__":
    main()
