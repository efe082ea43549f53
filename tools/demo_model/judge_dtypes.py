"""What a type costs: the judge's scores of the same held-out clips in each, and PSNR to the first of them.

    python tools/demo_model/judge_dtypes.py bench_clip [--dtype bf16 fp8 int8 w8a8] [--clips 200] [--device cuda]

Clips of one window from an ideal first frame, rendered by bench_clip with one loading of the weights per type.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import torch

import evaluate
import judge
import judge_renders
import world

GATE_DB = 30  # of fp8 to bf16


def verdict(frames: np.ndarray, job: judge_renders.Job):
    torch.set_num_threads(1)
    return judge.judge(frames, **evaluate.truth_of(job.specs, 0))


def render(args, dtype: str, jobs: list[judge_renders.Job], images: pathlib.Path, out: pathlib.Path) -> list[np.ndarray]:
    words = [args.bench_clip, args.bundle, dtype, str(args.threads), args.device, str(world.WIDTH), str(world.HEIGHT), "diffusers", images, out]
    lines = "".join(f"{job.frames} {job.seed} {job.caption}\n" for job in jobs)
    subprocess.run([str(word) for word in words], input=lines, text=True, check=True, stdout=subprocess.DEVNULL)
    shape = (-1, world.HEIGHT, world.WIDTH, 3)
    return [np.fromfile(out / f"{job.seed}_{job.frames}.raw", np.uint8).reshape(shape) for job in jobs]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(np.float64) - b) ** 2), 1e-9)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench_clip", type=pathlib.Path)
    parser.add_argument("--bundle", type=pathlib.Path, default=pathlib.Path("bundles/demo"))
    parser.add_argument("--dtype", nargs="+", default=["bf16", "fp8", "int8", "w8a8"])
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    jobs = judge_renders.jobs_of(args.clips, args.seed, world.WINDOW, True, 0.25)
    truths = [evaluate.truth_of(job.specs, 0) for job in jobs]
    reference: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ProcessPoolExecutor() as pool:
        images = pathlib.Path(folder) / "images"
        images.mkdir()
        for job in jobs:
            world.to_uint8(world.render(job.specs, world.times(1)))[0, 0].numpy().tofile(images / f"{job.seed}.raw")
        for dtype in args.dtype:
            out = pathlib.Path(folder) / dtype
            out.mkdir()
            clips = render(args, dtype, jobs, images, out)
            figures = evaluate.summary(list(pool.map(verdict, clips, jobs, chunksize=4)), truths)
            reference = reference or clips
            distances = [psnr(clip, of) for clip, of in zip(clips, reference)]
            below = sum(distance < GATE_DB for distance in distances)
            print(dtype, json.dumps(figures), f"PSNR to {args.dtype[0]}: mean {np.mean(distances):.1f}, worst {min(distances):.1f} dB, "
                  f"{below} of {len(jobs)} clips below {GATE_DB}", flush=True)


if __name__ == "__main__":
    main()
