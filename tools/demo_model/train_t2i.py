"""Stages 0 and 3: the T2I transformer alone, on first frames only, at every noise level.

`--with-text` trains the text encoders too (before the video stage, which keeps them); without it they are frozen (after
the video stage, which has moved them). Resumable; writes the same checkpoint as the video stage.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import random
import time

import numpy as np
import torch
import torch.nn.functional as F

import captions
import networks
import text
import training
import world
from train_i2v import build, load_vae, noisy, sigmas
from train_vae import fast_padding


class Images:
    """Static buffers of encoded first frames with token rows, refreshed while training runs."""

    def __init__(self, vae, prompts: text.Prompts, size: int, device: str, seed: int, dtype, batch: int = 128):
        self.vae, self.prompts, self.size, self.device, self.dtype, self.batch, self.at = vae, prompts, size, device, dtype, batch, 0
        self.rng, self.words = np.random.default_rng(seed), random.Random(seed)
        rows, _ = prompts.rows(["a"])

        def empty(*shape, dtype=dtype):
            return torch.zeros(size, *shape, dtype=dtype, device=device)

        self.latents, self.object = empty(16, networks.LATENT_HEIGHT, networks.LATENT_WIDTH), empty(networks.LATENT_HEIGHT, networks.LATENT_WIDTH)
        self.t2i, self.clip, self.length = empty(rows.t2i.shape[1], dtype=torch.int16), empty(rows.clip.shape[1], dtype=torch.int16), empty(dtype=torch.int16)

    def fill(self) -> None:
        while True:
            self.refresh()
            if self.at == 0:
                return

    @torch.no_grad()
    def refresh(self) -> None:
        n = min(self.batch, self.size - self.at)
        specs = world.sample(self.rng, n, inside=0.8)  # a first frame seldom cuts its object at an edge
        texts = []
        for i in range(n):
            while True:
                caption = captions.captions_of(specs, i, self.words, 1)[0]
                if self.prompts.rows([caption])[1]:
                    break
            texts.append(caption)
        rows, _ = self.prompts.rows(texts)
        here = specs.to(self.device)
        frame = world.render(here, world.times(1).to(self.device))
        near = ((frame - world.backdrop(here)[:, :, None]).abs().amax(1) > 0.02).to(self.dtype)
        to = slice(self.at, self.at + n)
        self.object[to] = F.max_pool2d(near, 8)[:, 0]
        self.latents[to] = networks.encode(self.vae, ((frame * 255).round() / 255).to(self.dtype))[:, :, 0]
        for name in ("t2i", "clip", "length"):
            getattr(self, name)[to] = getattr(rows, name).to(self.device, non_blocking=True)
        self.at = (self.at + n) % self.size


def loss(models: dict, images: Images, batch: int, exact: float) -> torch.Tensor:
    at = torch.randint(images.size, (batch,), device=images.device)
    s = sigmas(batch, images.device, exact)
    x, v = noisy(images.latents[at].float()[:, :, None], s)
    hidden, mask = networks.t2i_text(models["llava"], images.prompts, images.t2i[at], images.length[at])
    out = models["t2i"](x, s * 1000, hidden, mask, networks.pooled(models["clip"], images.clip[at]), return_dict=False)[0]
    return ((out.float() - v) ** 2 * (1 + images.object[at][:, None, None])).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--pool", type=int, default=16384)
    parser.add_argument("--refresh-every", type=int, default=16)
    parser.add_argument("--exact", type=float, default=0.3)
    parser.add_argument("--with-text", action="store_true")
    parser.add_argument("--flat", type=float, default=0.3, help="share of the time at the full rate; 1 when another run follows")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--steps", type=int, default=10**9)
    args = parser.parse_args()
    out, cuda = args.out or args.work, args.device.startswith("cuda")
    dtype = torch.bfloat16 if cuda else torch.float32
    schedule = training.Schedule(args.minutes, args.rate, warmup=300, flat=args.flat)
    torch.manual_seed(int(time.time()) % 100000)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

    prompts = text.Prompts(args.work)
    fast_padding()
    images = Images(load_vae(args.work, args.device, dtype), prompts, args.pool, args.device, int(time.time()), dtype)
    images.fill()
    print(f"pool of {args.pool} images after {time.monotonic() - schedule.begin:.0f} s", flush=True)
    models = build(prompts)
    if training.exists(args.work / "video") and not args.fresh:
        for name, state in training.load(args.work / "video").items():
            training.restore(models[name], state)
        print("resumed", args.work / "video")
    for model in models.values():
        model.to(args.device)
    names = ["t2i", "llava", "clip"] if args.with_text else ["t2i"]
    for name in set(models) - set(names):
        models[name].requires_grad_(False)
    parameters = [p for name in names for p in models[name].parameters()]
    average = training.Average({name: models[name] for name in names}, decay=0.9985)
    opt = training.optimizer(parameters, args.device)
    for p in parameters:
        p.grad = torch.zeros_like(p)
    history = torch.zeros(1, device=args.device)
    sigmas(1, args.device, args.exact)

    def step():
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=False) if cuda else contextlib.nullcontext():
            value = loss(models, images, args.batch, args.exact)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        opt.step()
        opt.zero_grad(set_to_none=False)
        history.lerp_(value.detach()[None], 0.02)

    training.set_rate(opt, 1e-6)
    run = training.captured(step, args.device)
    print(f"ready after {time.monotonic() - schedule.begin:.0f} s", flush=True)
    count, mark, marked = 0, time.monotonic(), 0
    while schedule.fraction() < 1 and count < args.steps:
        training.set_rate(opt, schedule.rate(count))
        run()
        count += 1
        if count % average.every == 0:
            average.update()
        if count % args.refresh_every == 0:
            images.refresh()
        if count % 1000 == 0 or count == 100:
            value, now = history.item(), time.monotonic()
            print(f"step {count} {100 * schedule.fraction():.0f} % image {value:.4f} {(count - marked) / (now - mark):.1f} steps/s", flush=True)
            mark, marked = now, count
    training.save(out / "video", {name: m.state_dict() for name, m in models.items()} | average.state())
    print(f"{count} steps, loss {history.item()}", flush=True)


if __name__ == "__main__":
    main()
