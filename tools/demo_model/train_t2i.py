"""Stage 3: the T2I transformer, on first frames only. What the caption leaves open (place, size, texture) makes it a true
sampler: it is trained at every noise level and takes more steps than the video does.

One caption in `--empty` is the empty one, so that a second run with `--guidance W` can teach the model what guidance makes
of it: its own velocity, W times as far from that of the empty caption. At run time there is no guidance to pay for.

Needs the VAE and the text encoders (stages 1 and 2). Resumable; writes the same checkpoint as the video stage.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import pathlib
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.attention import sdpa_kernel

import captions
import networks
import text
import training
import world
from train_i2v import build, fastest_attention, load_vae, noisy, sigmas
from train_vae import fast_padding


class Images:
    """Static buffers of encoded first frames and captions, refreshed while training runs.

    Captions are made and encoded once (words cost more than pictures); every refresh draws new places, sizes and textures for
    some of them. An image that is seen often is learnt by heart. Behind the captions of `specs` stands the empty one.
    """

    def __init__(self, vae, models: dict, prompts: text.Prompts, size: int, device: str, seed: int, dtype, batch: int = 512, corpus: int = 32768):
        self.vae, self.size, self.device, self.dtype, self.batch, self.at = vae, size, device, dtype, batch, 0
        self.rng, words = np.random.default_rng(seed), random.Random(seed)
        specs = world.sample(self.rng, corpus)
        rows, kept = prompts.rows([captions.captions_of(specs, i, words, 1)[0] for i in range(corpus)] + [""])
        self.specs = specs[kept[:-1]]
        parts = []
        with torch.no_grad():
            for t2i, clip, length in zip(*(getattr(rows, name).to(device).split(512) for name in ("t2i", "clip", "length"))):
                parts.append((*networks.t2i_text(models["llava"], prompts, t2i, length), networks.pooled(models["clip"], clip)))
        hidden, self.mask, vector = (torch.cat(part) for part in zip(*parts))
        self.hidden, self.vector = hidden.to(dtype), vector.to(dtype)

        def empty(*shape, dtype=dtype):
            return torch.zeros(size, *shape, dtype=dtype, device=device)

        self.latents, self.object = empty(16, networks.LATENT_HEIGHT, networks.LATENT_WIDTH), empty(networks.LATENT_HEIGHT, networks.LATENT_WIDTH)
        self.caption = empty(dtype=torch.int64)

    def texts(self, caption: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.hidden[caption], self.mask[caption], self.vector[caption]

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
        here = world.upright(world.sample(self.rng, n, inside=0.8, like=self.specs[caption])).to(self.device)
        frame = world.render(here, world.times(1).to(self.device))
        near = ((frame - world.backdrop(here)[:, :, None]).abs().amax(1) > 0.02).to(self.dtype)
        to = slice(self.at, self.at + n)
        self.object[to] = F.max_pool2d(near, 8)[:, 0]
        self.latents[to] = networks.encode(self.vae, ((frame * 255).round() / 255).to(self.dtype))[:, :, 0]
        self.caption[to] = caption.to(self.device, non_blocking=True)
        self.at = (self.at + n) % self.size


def loss(model, images: Images, batch: int, exact: float, empty: float, teacher=None, guidance: float = 1.0) -> torch.Tensor:
    """Flow matching, or with `teacher` the difference from its guided velocity.

    Latents that see an object weigh up to five times as much, the more the less noise there is: where it is unknown yet where
    the object will be, a weight on its place would draw the sampler towards having objects everywhere.
    """
    at = torch.randint(images.size, (batch,), device=images.device)
    s = sigmas(batch, images.device, exact)
    x, v = noisy(images.latents[at].float()[:, :, None], s)
    caption, nothing = images.caption[at], len(images.specs)
    if teacher is None:
        caption = torch.where(torch.rand(batch, device=images.device) < empty, nothing, caption)
    else:
        with torch.no_grad():
            both = torch.cat([caption, torch.full_like(caption, nothing)])
            told, untold = teacher(torch.cat([x, x]), torch.cat([s, s]) * 1000, *images.texts(both), return_dict=False)[0].float().chunk(2)
            v = untold + guidance * (told - untold)
    out = model(x, s * 1000, *images.texts(caption), return_dict=False)[0].float()
    return ((out - v) ** 2 * (1 + 4 * (1 - s.view(-1, 1, 1, 1, 1)) * images.object[at][:, None, None])).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--pool", type=int, default=32768)
    parser.add_argument("--corpus", type=int, default=32768, help="captions made once for the whole run")
    parser.add_argument("--refresh-every", type=int, default=12)
    parser.add_argument("--empty", type=float, default=0.1, help="share of empty captions")
    parser.add_argument("--guidance", type=float, help="teach the checkpoint's model what guidance of this strength makes of it")
    parser.add_argument("--attention", default="masked,cudnn,packed", help="kernels to choose from")
    parser.add_argument("--exact", type=float, default=0.0, help="share of training at the noise levels of a four-step sampler")
    parser.add_argument("--flat", type=float, default=0.3, help="share of the time at the full rate; 1 when another run follows")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--fresh", action="store_true", help="take the text encoders of an earlier checkpoint, but not its T2I transformer")
    parser.add_argument("--steps", type=int, default=10**9)
    args = parser.parse_args()
    out, cuda = args.out or args.work, args.device.startswith("cuda")
    dtype = torch.bfloat16 if cuda else torch.float32
    schedule = training.Schedule(args.minutes, args.rate, warmup=300, flat=args.flat)
    torch.manual_seed(int(time.time()) % 100000)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

    prompts = text.Prompts(args.work)
    fast_padding()
    models = build(prompts)
    for name, state in training.load(args.work / "video").items():
        if not (args.fresh and name == "t2i"):
            training.restore(models[name], state)
    print("resumed", args.work / "video", "but T2I" if args.fresh else "")
    for model in models.values():
        model.to(args.device)
    precision = torch.autocast("cuda", torch.bfloat16, cache_enabled=False) if cuda else contextlib.nullcontext()
    with precision:
        images = Images(load_vae(args.work, args.device, dtype), models, prompts, args.pool, args.device, int(time.time()), dtype, corpus=args.corpus)
    images.fill()
    print(f"pool of {args.pool} images after {time.monotonic() - schedule.begin:.0f} s", flush=True)
    model, teacher = models["t2i"], None
    if args.guidance:
        teacher = copy.deepcopy(model).requires_grad_(False)
    parameters = list(model.parameters())
    average = training.Average({"t2i": model}, decay=0.9985)
    optimizers = training.optimizers(model, args.device)
    for p in parameters:
        p.grad = torch.zeros_like(p)
    kernels = fastest_attention(args.device, args.batch, args.attention.split(","), images.latents[0, 0].numel() + images.mask.shape[1], model.config.attention_head_dim)
    if cuda:
        torch._dynamo.config.recompile_limit = 64
        for one in filter(None, (model, teacher)):
            for block in [*one.transformer_blocks, *one.single_transformer_blocks]:
                block.compile(fullgraph=True, dynamic=False)
    history = torch.zeros(1, device=args.device)
    sigmas(1, args.device, args.exact)

    def step():
        with precision:
            value = loss(model, images, args.batch, args.exact, args.empty, teacher, args.guidance)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        for opt in optimizers:
            opt.step()
            opt.zero_grad(set_to_none=False)
        history.lerp_(value.detach()[None], 0.02)

    for opt in optimizers:
        training.set_rate(opt, 1e-6)
    with sdpa_kernel(kernels):
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
