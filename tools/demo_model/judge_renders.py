"""Renders held-out captions with `reelfarm render`, as a user would, and judges what comes out.

    python tools/demo_model/judge_renders.py --reelfarm build/release/bin/reelfarm [--bundle bundles/demo]
           [--clips 200] [--chains 20] [--windows 12] [--seed 21] [--jobs 2] [--dtype auto] [--sheets FOLDER] [--gate]

Three parts: `i2v` clips of one window from an ideal first frame, `t2v` clips from the caption alone, and `chain`s of
windows from an ideal first frame. Clips are judged by the frames that `--save-frames` writes, chains by lossless video. With
--gate the exit code is 1 where a figure misses its gate; each miss is one line.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file

import captions
import evaluate
import judge
import world

# Figure -> (lowest or highest value, "min" or "max").
CLIP_GATES = {"colour": (95, "min"), "shape": (85, "min"), "motion": (90, "min"), "background": (95, "min"), "flicker": (2, "max")}
CHAIN_GATES = {"frames within 12 px": (0.8, "min"), "worst seam jump": (1.6, "max"), "worst step at a seam of what stays in place": (2, "max"), "worst luma drift /s": (0.005, "max"), "colour at the end": (0.9, "min")}


@dataclasses.dataclass
class Job:
    """One call of the program."""

    index: int
    caption: str
    specs: world.Specs  # of this clip alone
    frames: int
    seed: int
    image: bool
    overlap: int


class Program:
    def __init__(self, reelfarm: pathlib.Path, bundle: pathlib.Path, dtype: str, threads: int):
        self.words = [str(reelfarm), "render", "--bundle", str(bundle), "--size", f"{world.WIDTH}x{world.HEIGHT}", "--device", "cpu", "--dtype", dtype, "--threads", str(threads)]

    def run(self, job: Job, exact: bool) -> tuple[np.ndarray, np.ndarray | None, float]:
        """Frames (T, H, W, 3) uint8, the given first frame or None, seconds with start and loading."""
        with tempfile.TemporaryDirectory() as folder:
            at = pathlib.Path(folder)
            words = [*self.words, "--prompt", job.caption, "--frames", str(job.frames), "--seed", str(job.seed), "--overlap", str(job.overlap), "--output", str(at / "clip.mkv"), "--codec", "ffv1"]
            first = None
            if job.image:
                first = world.to_uint8(world.render(job.specs, world.times(1)))[0, 0].numpy()
                Image.fromarray(first).save(at / "first.png")
                words += ["--image", str(at / "first.png")]
            if exact:
                words += ["--save-frames", str(at / "frames.safetensors")]
            begin = time.monotonic()
            done = subprocess.run(words, capture_output=True, text=True)
            seconds = time.monotonic() - begin
            if done.returncode != 0:
                raise SystemExit(f"{' '.join(words)}\nended with {done.returncode}: {done.stderr[-2000:]}")
            if exact:
                return (load_file(at / "frames.safetensors")["video"] * 255).round().astype(np.uint8), first, seconds
            raw = subprocess.run(["ffmpeg", "-v", "error", "-i", str(at / "clip.mkv"), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
            return np.frombuffer(raw, np.uint8).reshape(-1, world.HEIGHT, world.WIDTH, 3), first, seconds


def jobs_of(count: int, seed: int, frames: int, image: bool, second: float, overlap: int = 1) -> list[Job]:
    specs, words = world.sample(np.random.default_rng(seed), count, held_out=True, second=second, inside=1.0), random.Random(seed)
    return [Job(i, captions.captions_of(specs, i, words, 1)[0], specs[i : i + 1], frames, 1000 + i, image, overlap) for i in range(count)]


def _clip(program: Program, job: Job):
    frames, first, seconds = program.run(job, exact=True)
    torch.set_num_threads(1)
    verdict = judge.judge(frames, **evaluate.truth_of(job.specs, 0))
    kept = None if first is None else float(10 * np.log10(255**2 / max(np.mean((frames[0].astype(np.float64) - first) ** 2), 1e-9)))
    return frames, verdict, kept, seconds


def _chain(program: Program, job: Job):
    frames, _, seconds = program.run(job, exact=False)
    return frames, seconds


def over(pool, function, program: Program, jobs: list[Job], what: str) -> list:
    results, begin = [], time.monotonic()
    for n, result in enumerate(pool.map(function, [program] * len(jobs), jobs), 1):
        results.append(result)
        if sys.stderr.isatty() or n == len(jobs) or n % 20 == 0:
            print(f"\r{what} {n}/{len(jobs)}, {time.monotonic() - begin:.0f} s", end="\n" if n == len(jobs) or not sys.stderr.isatty() else "", file=sys.stderr, flush=True)
    return results


def judge_clips(pool, program: Program, count: int, seed: int, image: bool, second: float, sheets: pathlib.Path | None) -> dict:
    name = "i2v" if image else "t2v"
    jobs = jobs_of(count, seed, world.WINDOW, image, second)
    results = over(pool, _clip, program, jobs, name)
    verdicts = [r[1] for r in results]
    out = evaluate.summary(verdicts, [evaluate.truth_of(j.specs, 0) for j in jobs])
    out["seconds (median)"] = round(float(np.median([r[3] for r in results])), 2)
    if image:
        out["first frame dB (mean, worst)"] = [round(float(np.mean([r[2] for r in results])), 1), round(min(r[2] for r in results), 1)]
    if sheets:
        world.sheet([r[0] for r in results[:14]], 6, str(sheets / f"{name}.png"))
        lines = [f"{j.caption}   {[k for k in ('colour', 'shape', 'motion', 'background') if not getattr(v, k)] or 'right'} {v.found}" for j, v in zip(jobs, verdicts)]
        (sheets / f"{name}.txt").write_text("\n".join(lines))
    return out


def judge_chains(pool, program: Program, count: int, seed: int, windows: int, overlap: int, sheets: pathlib.Path | None) -> dict:
    frames = windows * (world.WINDOW - overlap) + overlap
    jobs = jobs_of(count, seed, frames, True, 0.0, overlap)
    results = over(pool, _chain, program, jobs, f"chains of {windows}")
    scores = [evaluate.chain_scores(r[0], j.specs, overlap) for r, j in zip(results, jobs)]
    if sheets:
        world.sheet([r[0] for r in results[:10]], min(2 * windows + 1, 12), str(sheets / "chain.png"))
        (sheets / "chain.txt").write_text("\n".join(f"{j.caption}   {s}" for j, s in zip(jobs, scores)))
    return {"windows": windows, "seconds (median)": round(float(np.median([r[1] for r in results])), 1)} | evaluate.chain_summary(scores)


def misses(name: str, figures: dict, gates: dict) -> list[str]:
    wrong = []
    for key, (bound, kind) in gates.items():
        value = figures[key]
        if not (value >= bound if kind == "min" else value <= bound):
            wrong.append(f"{name}: {key} is {value}, wanted {'at least' if kind == 'min' else 'at most'} {bound}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reelfarm", type=pathlib.Path, required=True)
    parser.add_argument("--bundle", type=pathlib.Path, default=pathlib.Path("bundles/demo"))
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--chains", type=int, default=20)
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--seed", type=int, default=21, help="draws the captions: of i2v, + 1 of t2v, + 2 of the chains")
    parser.add_argument("--overlap", type=int, default=9, help="frames that two windows share")
    parser.add_argument("--second", type=float, default=0.25, help="share of clips with a second object")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--modes", default="i2v,t2v")
    parser.add_argument("--sheets", type=pathlib.Path)
    parser.add_argument("--gate", action="store_true")
    args = parser.parse_args()
    if args.sheets:
        args.sheets.mkdir(parents=True, exist_ok=True)
    program = Program(args.reelfarm.resolve(), args.bundle.resolve(), args.dtype, args.threads)
    wrong: list[str] = []
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        for mode in filter(None, args.modes.split(",") if args.clips else []):
            figures = judge_clips(pool, program, args.clips, args.seed + (mode != "i2v"), mode == "i2v", args.second, args.sheets)
            print(mode, json.dumps(figures), flush=True)
            wrong += misses(mode, figures, CLIP_GATES)
            if mode == "i2v" and figures["first frame dB (mean, worst)"][1] < 30:
                wrong.append(f"i2v: the first frame is kept at {figures['first frame dB (mean, worst)'][1]} dB in the worst clip, wanted at least 30")
        if args.chains:
            figures = judge_chains(pool, program, args.chains, args.seed + 2, args.windows, args.overlap, args.sheets)
            print("chain", json.dumps(figures), flush=True)
            wrong += misses("chain", figures, CHAIN_GATES)
    for line in wrong:
        print(line)
    return 1 if args.gate and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
