"""Stage 3: the T2I transformer, on first frames only. What the caption leaves open (place, size, texture) makes it a true
sampler: it is trained at every noise level and takes more steps than the video does.

Needs the VAE and the text encoders (stages 1 and 2). Resumable; writes the same checkpoint as the video stage.
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
    """Static buffers of encoded first frames with token rows, refreshed while training runs.

    Captions are made once (words cost more than pictures); every refresh draws new places, sizes and textures for some of
    them. An image that is seen often is learnt by heart.
    """

    def __init__(self, vae, prompts: text.Prompts, size: int, device: str, seed: int, dtype, batch: int = 128, corpus: int = 32768):
        self.vae, self.size, self.device, self.dtype, self.batch, self.at = vae, size, device, dtype, batch, 0
        self.rng, words = np.random.default_rng(seed), random.Random(seed)
        specs = world.sample(self.rng, corpus)
        rows, kept = prompts.rows([captions.captions_of(specs, i, words, 1)[0] for i in range(corpus)])
        self.specs, self.rows = specs[kept], {name: getattr(rows, name).to(device) for name in ("t2i", "clip", "length")}

        def empty(*shape, dtype=dtype):
            return torch.zeros(size, *shape, dtype=dtype, device=device)

        self.latents, self.object = empty(16, networks.LATENT_HEIGHT, networks.LATENT_WIDTH), empty(networks.LATENT_HEIGHT, networks.LATENT_WIDTH)
        self.caption = empty(dtype=torch.int64)

    def fill(self) -> None:
        while True:
            self.refresh()
            if self.at == 0:
                return

    @torch.no_grad()
    def refresh(self) -> None:
        n = min(self.batch, self.size - self.at)
        caption = torch.from_numpy(self.rng.integers(0, len(self.specs), n))
        # A first frame seldom cuts its object at an edge.
        here = world.sample(self.rng, n, inside=0.8, like=self.specs[caption]).to(self.device)
        frame = world.render(here, world.times(1).to(self.device))
        near = ((frame - world.backdrop(here)[:, :, None]).abs().amax(1) > 0.02).to(self.dtype)
        to = slice(self.at, self.at + n)
        self.object[to] = F.max_pool2d(near, 8)[:, 0]
        self.latents[to] = networks.encode(self.vae, ((frame * 255).round() / 255).to(self.dtype))[:, :, 0]
        self.caption[to] = caption.to(self.device, non_blocking=True)
        self.at = (self.at + n) % self.size


def loss(models: dict, prompts: text.Prompts, images: Images, batch: int, exact: float) -> torch.Tensor:
    at = torch.randint(images.size, (batch,), device=images.device)
    s = sigmas(batch, images.device, exact)
    x, v = noisy(images.latents[at].float()[:, :, None], s)
    caption = images.caption[at]
    hidden, mask = networks.t2i_text(models["llava"], prompts, images.rows["t2i"][caption], images.rows["length"][caption])
    out = models["t2i"](x, s * 1000, hidden, mask, networks.pooled(models["clip"], images.rows["clip"][caption]), return_dict=False)[0]
    return ((out.float() - v) ** 2 * (1 + 2 * images.object[at][:, None, None])).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--pool", type=int, default=12288)
    parser.add_argument("--refresh-every", type=int, default=4)
    parser.add_argument("--exact", type=float, default=0.0, help="share of training at the noise levels of a four-step sampler")
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
    for name in set(models) - {"t2i"}:
        models[name].requires_grad_(False)
    parameters = list(models["t2i"].parameters())
    average = training.Average({"t2i": models["t2i"]}, decay=0.9985)
    optimizers = training.optimizers(models["t2i"], args.device)
    for p in parameters:
        p.grad = torch.zeros_like(p)
    if cuda:
        for block in [*models["t2i"].transformer_blocks, *models["t2i"].single_transformer_blocks]:
            block.compile(fullgraph=True, dynamic=False)
    history = torch.zeros(1, device=args.device)
    sigmas(1, args.device, args.exact)

    def step():
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=False) if cuda else contextlib.nullcontext():
            value = loss(models, prompts, images, args.batch, args.exact)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        for opt in optimizers:
            opt.step()
            opt.zero_grad(set_to_none=False)
        history.lerp_(value.detach()[None], 0.02)

    for opt in optimizers:
        training.set_rate(opt, 1e-6)
    run = training.captured(step, args.device)
    print(f"ready after {time.monotonic() - schedule.begin:.0f} s", flush=True)
    count, mark, marked = 0, time.monotonic(), 0
    while schedule.fraction() < 1 and count < args.steps:
        for opt in optimizers:
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
    states = {name: model.state_dict() for name, model in models.items()} | average.state()
    training.save(out / "video", {name: {k.replace("_orig_mod.", ""): v for k, v in state.items()} for name, state in states.items()})
    print(f"{count} steps, loss {history.item()}", flush=True)


if __name__ == "__main__":
    main()
