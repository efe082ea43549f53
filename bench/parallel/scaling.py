"""One forward and one decode of the 13 B shape on 1 and on N GPUs of this machine, by bench_parallel under mpirun.

    .venv/bin/python bench/parallel/scaling.py build/bench/bin/bench_parallel [--ranks 2 4 8] [--frames 81 121]

Random weights in HunyuanVideo's shapes at 960x544 (33 channels, 256 text tokens), bf16, written once to memory (27 GB)
and removed at the end, or with --weights to a folder that is kept and used again. Without --ranks: 2, 4, 8 as far as there are GPUs. For each rank count the table of bench_parallel:
one rank alone, all ranks alone at once, each mesh with what its exchanges cost next to bare ones, and the decode.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import torch

HEIGHT, WIDTH, TEXT = 68, 120, 256  # of the latents; tokens


def write_weights(folder):
    """In a process of its own, so that nothing of it stays on the GPU."""
    from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoTransformer3DModel

    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        transformer = HunyuanVideoTransformer3DModel(
            in_channels=33, out_channels=16, num_attention_heads=24, attention_head_dim=128, rope_axes_dim=(16, 56, 56),
            num_layers=20, num_single_layers=40, num_refiner_layers=2, guidance_embeds=False, text_embed_dim=4096,
            pooled_projection_dim=768, image_condition_type="latent_concat")
        vae = AutoencoderKLHunyuanVideo()
    transformer.save_pretrained(folder / "transformer")
    vae.save_pretrained(folder / "vae")  # last: its config says that all is there


def run(binary, folder, ranks, frames):
    command = ["mpirun", "--bind-to", "none", "-n", str(ranks), binary, folder, "cuda", str((frames - 1) // 4 + 1),
               str(HEIGHT), str(WIDTH), str(TEXT)]
    environment = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", **os.environ}
    print(f"==== {ranks} GPUs, 960x544, {frames} frames", flush=True)
    subprocess.run(list(map(str, command)), check=True, env=environment)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--ranks", type=int, nargs="+")
    parser.add_argument("--frames", type=int, nargs="+", default=[81, 121])
    parser.add_argument("--weights", type=pathlib.Path)
    parser.add_argument("--write-only", action="store_true", help="write --weights, measure nothing")
    options = parser.parse_args()
    if options.write_only:
        return write_weights(options.weights)
    gpus = torch.cuda.device_count()
    counts = options.ranks or [count for count in (2, 4, 8) if count <= gpus]
    if not counts or max(counts) > gpus:
        sys.exit(f"scaling.py: {gpus} GPU(s) here, for --ranks {options.ranks or 'at least 2'}")
    print(f"{gpus} x {torch.cuda.get_device_name(0)}, torch {torch.__version__}, NCCL {'.'.join(map(str, torch.cuda.nccl.version()))}")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as passing:
        folder = options.weights or pathlib.Path(passing)
        if not (folder / "vae" / "config.json").exists():
            subprocess.run([sys.executable, __file__, options.binary, "--weights", folder, "--write-only"], check=True)
        for frames in options.frames:
            for ranks in counts:
                run(options.binary, folder, ranks, frames)


if __name__ == "__main__":
    main()
