"""Renders held-out captions with the trained models in four steps and judges them; writes contact sheets.

`i2v` starts from an ideal first frame, `t2v` from one that the T2I model made; `--chain N` renders chains of N windows,
each conditioned on the last frames of the one before.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import multiprocessing
import pathlib
import random

import numpy as np
import torch

import captions
import judge
import networks
import text
import training
import world
from train_i2v import build, load_vae


class Renderer:
    def __init__(self, work: pathlib.Path, device: str, dtype, steps: int = 4, t2i_steps: int = 16):
        self.device, self.dtype, self.prompts = device, dtype, text.Prompts(work)
        self.models = build(self.prompts)
        for name, state in training.load(work / "video").items():
            training.restore(self.models[name], state)
        for model in self.models.values():
            model.to(device, dtype).eval().requires_grad_(False)
        self.vae = load_vae(work, device, dtype)
        self.sigmas, self.t2i_sigmas = networks.shifted(steps), networks.shifted(t2i_steps)

    def _rows(self, texts: list[str]):
        rows, kept = self.prompts.rows(texts, limit=text.TEXT_TOKENS - 5, clip_tokens=text.CLIP_TOKENS)
        if len(kept) != len(texts):
            raise ValueError("a caption is too long")
        return rows

    @torch.no_grad()
    def image(self, texts: list[str], generator: torch.Generator) -> torch.Tensor:
        """First frames (n, 3, 1, H, W), rounded to 8 bits."""
        rows = self._rows(texts)
        to = lambda r: r.to(self.device)  # noqa: E731
        hidden, mask = networks.t2i_text(self.models["llava"], self.prompts, to(rows.t2i), to(rows.length))
        noise = torch.randn(len(texts), 16, 1, networks.LATENT_HEIGHT, networks.LATENT_WIDTH, generator=generator).to(self.device)
        latents = networks.sample(self.models["t2i"], noise, hidden, mask, networks.pooled(self.models["clip"], to(rows.clip)), sigmas=self.t2i_sigmas)
        return (networks.decode(self.vae, latents.to(self.dtype)).float() * 255).round() / 255

    @torch.no_grad()
    def window(self, texts: list[str], known: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Frames (n, 3, 121, H, W), rounded, that continue `known` (n, 3, 4(c-1)+1, H, W)."""
        rows = self._rows(texts)
        to = lambda r: r.to(self.device)  # noqa: E731
        pixels = networks.vision_pixels(known[:, :, 0].to(self.device)).to(self.dtype)
        hidden, mask = networks.i2v_text(self.models["llava"], self.prompts, to(rows.i2v), to(rows.length), pixels)
        extra = networks.condition(networks.encode(self.vae, known.to(self.device, self.dtype)))
        noise = torch.randn(len(texts), 16, networks.LATENT_FRAMES, networks.LATENT_HEIGHT, networks.LATENT_WIDTH, generator=generator).to(self.device)
        latents = networks.sample(self.models["i2v"], noise, hidden, mask, networks.pooled(self.models["clip"], to(rows.clip)), extra, self.sigmas)
        frames = torch.cat([networks.decode(self.vae, latents[i : i + 4].to(self.dtype)) for i in range(0, len(texts), 4)])
        return (frames.float() * 255).round() / 255


def _judge(job):
    torch.set_num_threads(1)
    frames, truth = job
    return judge.judge(frames, **truth)


def truth_of(specs: world.Specs, i: int) -> dict:
    other = int(specs.colour[i, 1]) if bool(specs.present[i, 1]) else None
    return dict(shape=int(specs.shape[i, 0]), colour=int(specs.colour[i, 0]), motion=int(specs.motion[i, 0]), background=int(specs.background[i]), other=other)


def judge_all(videos: list[np.ndarray], truths: list[dict], workers: int) -> list[judge.Verdict]:
    jobs = list(zip(videos, truths))
    if workers <= 1:
        return [_judge(j) for j in jobs]
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(_judge, jobs, chunksize=4))


def summary(verdicts: list[judge.Verdict], truths: list[dict]) -> dict:
    out = {k: round(100 * float(np.mean([getattr(v, k) for v in verdicts])), 1) for k in ("colour", "shape", "motion", "background")}
    out["flicker"] = round(float(np.nanmean([v.flicker for v in verdicts])), 2)
    for key, names in (("motion", world.MOTIONS), ("shape", world.SHAPES)):
        out[f"{key} by kind"] = {n: f"{sum(getattr(v, key) for v, t in zip(verdicts, truths) if t[key] == i)}/{sum(t[key] == i for t in truths)}" for i, n in enumerate(names)}
    return out


def clips(renderer: Renderer, mode: str, count: int, seed: int, workers: int, sheet: pathlib.Path | None, batch: int) -> dict:
    specs, words = world.sample(np.random.default_rng(seed), count, held_out=True, inside=1.0), random.Random(seed)
    texts = [captions.captions_of(specs, i, words, 1)[0] for i in range(count)]
    generator, videos, kept = torch.Generator().manual_seed(seed), [], []
    for at in range(0, count, batch):
        part = slice(at, min(at + batch, count))
        first = (world.render(specs[part], world.times(1)) * 255).round() / 255 if mode == "i2v" else renderer.image(texts[part], generator)
        frames = renderer.window(texts[part], first, generator)
        kept += (-10 * torch.log10((frames[:, :, :1].cpu() - first.cpu()).pow(2).flatten(1).mean(1))).tolist()
        videos += list(world.to_uint8(frames).cpu().numpy())
    truths = [truth_of(specs, i) for i in range(count)]
    verdicts = judge_all(videos, truths, workers)
    out = summary(verdicts, truths) | {"first frame dB (mean, worst)": (round(float(np.mean(kept)), 1), round(min(kept), 1))}
    if mode == "i2v":
        errors = []
        for i, v in enumerate(verdicts):
            x, y, _ = world.path(specs[i : i + 1], world.times())
            errors.append(float(np.nanmean(judge.torus_distance(v.track, np.stack([x[0, 0], y[0, 0]], -1)))))
        out["path error px (median)"] = round(float(np.nanmedian(errors)), 1)
    if sheet:
        world.sheet(videos[:14], 6, str(sheet))
        sheet.with_suffix(".txt").write_text("\n".join(f"{t}   {dict((k, getattr(v, k)) for k in ('colour', 'shape', 'motion', 'background'))}" for t, v in zip(texts, verdicts)))
    return out


def chain_scores(video: np.ndarray, specs: world.Specs, overlap: int) -> dict:
    """One chain (T, H, W, 3) uint8 of windows that share `overlap` frames: share of frames within 12 px of the ideal path, largest
    step between two frames at a seam (mean over pixels, of 255) and its ratio to the median step, change of luma per second (1 is
    white), colour in the last second.

    A seam is every step from the frame before the first shared one to the frame behind the last. Frames must not have gone
    through a lossy codec: at its key frames everything changes a little, which is most of a step where little moves."""
    t = truth_of(specs, 0)
    _, track, area = judge.find(video[::4], t["background"], t["colour"])
    x, y, _ = world.path(specs, torch.arange(0, video.shape[0], 4) / world.FPS)
    distance = judge.torus_distance(track, np.stack([x[0, 0], y[0, 0]], -1))
    step = np.abs(np.diff(video.astype(np.float32), axis=0)).mean((1, 2, 3))
    seams = np.arange(world.WINDOW, video.shape[0], world.WINDOW - overlap)
    at_seams = np.stack([step[s - overlap - 1 : s] for s in seams])
    luma = video.mean((1, 2, 3)) / 255
    return {
        "inside": float(np.mean((distance < 12) & (area > 100))),
        "seam": float(at_seams.max() / max(float(np.median(step)), 1e-3)),
        "seam step": float(at_seams.max()),
        "drift": abs(float(np.polyfit(np.arange(len(luma)) / world.FPS, luma, 1)[0])),
        "colour": bool(judge.find(video[-24::4], judge.background_of(video[-24:]))[0] == t["colour"]),
        "moves": world.MOTIONS[t["motion"]],
    }


def chain_summary(scores: list[dict]) -> dict:
    inside, seams, drift = (np.array([s[k] for s in scores]) for k in ("inside", "seam", "drift"))
    # Where nothing travels there is no motion to compare with: the step itself counts.
    travels = np.array([s["moves"] not in ("still", "spinning") for s in scores])
    steps = np.array([s["seam step"] for s in scores])[~travels]
    return {
        "frames within 12 px": round(float(inside.mean()), 3),
        "clips with 80 % of frames": round(float((inside >= 0.8).mean()), 3),
        "median seam jump": round(float(np.median(seams[travels])), 2) if travels.any() else 0.0,
        "worst seam jump": round(float(seams[travels].max()), 2) if travels.any() else 0.0,
        "worst step at a seam of what stays in place": round(float(steps.max()), 2) if len(steps) else 0.0,
        "worst luma drift /s": round(float(drift.max()), 4),
        "colour at the end": round(float(np.mean([s["colour"] for s in scores])), 3),
    }


def bayer(side: int = 8) -> np.ndarray:
    """(side, side) numbers in (0, 1): the thresholds of pipeline/stitcher/dither.hpp."""
    ranks = np.zeros((1, 1), int)
    while len(ranks) < side:
        ranks = np.block([[4 * ranks, 4 * ranks + 2], [4 * ranks + 3, 4 * ranks + 1]])
    return (ranks + 0.5) / ranks.size


def joined(earlier: np.ndarray, later: np.ndarray) -> np.ndarray:
    """The frames that two windows share, (..., n, H, W, 3) uint8, faded over as the stitcher does where both agree."""
    n, h, w = earlier.shape[-4:-1]
    share = ((np.arange(n) + 1) / (n + 1)).reshape(n, 1, 1, 1)
    return np.floor(earlier + share * (later.astype(np.float64) - earlier) + np.tile(bayer(), (h // 8, w // 8))[..., None]).astype(np.uint8)


def chains(renderer: Renderer, windows: int, count: int, overlap: int, seed: int, sheet: pathlib.Path | None) -> dict:
    """Chains from an ideal first frame. Path within 12 px, seam jump over the median motion, luma drift, colour in the last second."""
    specs, words = world.sample(np.random.default_rng(seed), count, held_out=True, second=0.0, inside=1.0), random.Random(seed)
    texts = [captions.captions_of(specs, i, words, 1)[0] for i in range(count)]
    generator = torch.Generator().manual_seed(seed)
    known, parts = (world.render(specs, world.times(1)) * 255).round() / 255, []
    for _ in range(windows):
        frames = renderer.window(texts, known, generator)
        shown = world.to_uint8(frames).cpu().numpy()
        if parts:
            shared = joined(parts[-1][:, -overlap:], shown[:, :overlap]) if overlap > 1 else parts[-1][:, -1:]
            parts[-1], shown = parts[-1][:, :-overlap], np.concatenate([shared, shown[:, overlap:]], axis=1)
        parts.append(shown)
        known = frames[:, :, -overlap:]
    video = np.concatenate(parts, axis=1)
    if sheet:
        world.sheet(list(video[:10]), min(2 * windows + 1, 12), str(sheet))
    return {"windows": windows, "overlap": overlap} | chain_summary([chain_scores(video[i], specs[i : i + 1], overlap) for i in range(count)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--modes", default="i2v,t2v")
    parser.add_argument("--chain", type=int, default=0)
    parser.add_argument("--overlap", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--t2i-steps", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cuda = args.device.startswith("cuda")
    renderer = Renderer(args.work, args.device, torch.bfloat16 if cuda else torch.float32, args.steps, args.t2i_steps)
    out = args.out or args.work
    out.mkdir(parents=True, exist_ok=True)
    for mode in filter(None, args.modes.split(",")):
        print(mode, json.dumps(clips(renderer, mode, args.count, 11, args.workers, out / f"{mode}.png", 16 if cuda else 2), default=float), flush=True)
    if args.chain:
        print("chain", json.dumps(chains(renderer, args.chain, min(args.count, 20), args.overlap, 12, out / "chain.png"), default=float), flush=True)


if __name__ == "__main__":
    main()
