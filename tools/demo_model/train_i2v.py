"""Stage 2: the I2V transformer, with the text encoders, and the T2I transformer beside it so that the encoders keep what
only a first frame needs (colour, shape, place). Flow matching; no distillation: what follows the caption and the first
frame is nearly determined, so the sampler's four steps are trained directly.

Needs the VAE (stage 1) and the tokenizers (text.py). Resumable: an earlier checkpoint is the start of the next run.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import networks
import text
import training
from pool import PREFIX, Pool
from train_vae import fast_padding


def load_vae(work: pathlib.Path, device: str, dtype):
    vae = networks.vae()
    training.restore(vae, training.load(work / "vae")["vae"])
    vae.eval().requires_grad_(False)
    return vae.to(device=device, dtype=dtype, memory_format=torch.channels_last_3d)


def build(prompts: text.Prompts) -> dict[str, torch.nn.Module]:
    models = {"i2v": networks.i2v(), "t2i": networks.t2i(), "llava": networks.llava(prompts), "clip": networks.clip(prompts)}
    for model in (models["i2v"], models["t2i"]):  # blocks start as the identity
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and (name.endswith(("norm1.linear", "norm1_context.linear", "norm.linear")) or name in ("norm_out.linear", "proj_out")):
                torch.nn.init.zeros_(module.weight), torch.nn.init.zeros_(module.bias)
    for model in models.values():
        model.float().train()
    return models


_EXACT: dict = {}  # the sampler's levels on each device; made before a step is captured


def sigmas(n: int, device: str, exact: float) -> torch.Tensor:
    """Noise levels: with probability `exact` one of the sampler's four, else shift 5 of a uniform number."""
    u = torch.rand(n, device=device)
    free = 5 * u / (1 + 4 * u)
    table = _EXACT.setdefault(device, None)
    if table is None:
        table = _EXACT[device] = torch.tensor(networks.SIGMAS, device=device)
    return torch.where(torch.rand(n, device=device) < exact, table[torch.randint(4, (n,), device=device)], free)


def conditions(pool: Pool, at: torch.Tensor) -> torch.Tensor:
    """The 17 condition channels of a batch: 65 % first frame, 22 % a prefix of 2 to 6 latents, 13 % first and last frame; with noise in most."""
    b, device = len(at), pool.device
    u = torch.rand(b, 1, 1, 1, 1, device=device)
    single, both = u < 0.65, u > 0.87
    worn = (torch.rand(b, device=device) < 0.4).long()
    first = pool.first[at, worn].float()[:, :, None]
    prefix = torch.where(single | both, torch.cat([first, torch.zeros_like(first).expand(-1, -1, PREFIX - 1, -1, -1)], 2), pool.prefix[at].float())
    count = torch.where((single | both).view(b), 1, pool.count[at])
    known = (torch.arange(PREFIX, device=device)[None] < count[:, None]).float().view(b, 1, PREFIX, 1, 1)
    level = torch.rand_like(u) * 0.15 * (torch.rand_like(u) < 0.7)
    prefix = (prefix + level * torch.randn_like(prefix)) * known
    last = pool.last[at].float()[:, :, None]
    last = (last + level * torch.randn_like(last)) * both
    h, w = networks.LATENT_HEIGHT, networks.LATENT_WIDTH
    gap = prefix.new_zeros(b, 16, networks.LATENT_FRAMES - PREFIX - 1, h, w)
    latents = torch.cat([prefix, gap, last], 2)
    mask = torch.cat([known.expand(-1, -1, -1, h, w), gap[:, :1], both.float().expand(-1, -1, 1, h, w)], 2)
    return torch.cat([latents, mask], 1)


def noisy(x0: torch.Tensor, s: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    noise, s = torch.randn_like(x0), s.view(-1, 1, 1, 1, 1)
    return (1 - s) * x0 + s * noise, noise - x0


def draw(pool: Pool, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(pool.size, (batch,), device=pool.device), torch.randint(pool.per_clip, (batch,), device=pool.device)


def loss_video(models: dict, pool: Pool, batch: int, exact: float) -> torch.Tensor:
    """Flow matching of whole windows; latents that see an object weigh three times as much."""
    at, k = draw(pool, batch)
    s = sigmas(batch, pool.device, exact)
    x, v = noisy(pool.latents[at].float(), s)
    hidden, mask = networks.i2v_text(models["llava"], pool.prompts, pool.i2v[at, k], pool.length[at, k], pool.pixels[at].float())
    vector = networks.pooled(models["clip"], pool.clip[at, k])
    out = models["i2v"](torch.cat([x, conditions(pool, at)], 1), s * 1000, hidden, mask, vector, return_dict=False)[0]
    return ((out.float() - v) ** 2 * (1 + 2 * pool.object[at].float()[:, None])).mean()


def loss_image(models: dict, pool: Pool, batch: int) -> torch.Tensor:
    """Flow matching of first frames."""
    at, k = draw(pool, batch)
    s = sigmas(batch, pool.device, 0.3)
    x, v = noisy(pool.first[at, 0].float()[:, :, None], s)
    hidden, mask = networks.t2i_text(models["llava"], pool.prompts, pool.t2i[at, k], pool.length[at, k])
    out = models["t2i"](x, s * 1000, hidden, mask, networks.pooled(models["clip"], pool.clip[at, k]), return_dict=False)[0]
    return ((out.float() - v) ** 2 * (1 + pool.object[at, :1].float()[:, None])).mean()


class Roller:
    """The averaged model as it will be used: four steps from a first frame, and the window's last frame."""

    def __init__(self, prompts: text.Prompts, vae, device: str, dtype):
        self.models = {k: m.to(device, dtype).eval().requires_grad_(False) for k, m in build(prompts).items() if k != "t2i"}
        self.prompts, self.vae, self.device, self.dtype = prompts, vae, device, dtype

    def load(self, average: training.Average) -> None:
        for name, state in average.state().items():
            if name in self.models:
                self.models[name].load_state_dict({k.replace("_orig_mod.", ""): v.to(self.dtype) if v.is_floating_point() else v for k, v in state.items()})

    @torch.no_grad()
    def __call__(self, rows: text.Rows, per_clip: int, first: torch.Tensor) -> torch.Tensor:
        i2v, length, clip = (getattr(rows, k)[::per_clip].to(self.device) for k in ("i2v", "length", "clip"))
        hidden, mask = networks.i2v_text(self.models["llava"], self.prompts, i2v, length, networks.vision_pixels(first[:, :, 0]).to(self.dtype))
        noise = torch.randn(len(first), 16, networks.LATENT_FRAMES, networks.LATENT_HEIGHT, networks.LATENT_WIDTH, device=self.device)
        extra = networks.condition(networks.encode(self.vae, first.to(self.dtype)))
        latents = networks.sample(self.models["i2v"], noise, hidden, mask, networks.pooled(self.models["clip"], clip), extra)
        last = networks.decode(self.vae, latents[:, :, -5:].to(self.dtype))[:, :, -1:]
        return (last.float() * 255).round() / 255


def fastest_attention(device: str, batch: int):
    """The attention kernel that is quickest with a text mask at the I2V shape, forward and backward."""
    if not device.startswith("cuda"):
        return [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]
    q, k, v = (torch.randn(batch, 4, 1920, 64, device=device, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    mask = torch.ones(batch, 1, 1, 1920, dtype=torch.bool, device=device)
    best, order = float("inf"), [SDPBackend.EFFICIENT_ATTENTION]
    for kind in (SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION):
        try:
            with sdpa_kernel([kind]):
                for i in range(6):
                    if i == 2:
                        torch.cuda.synchronize()
                        begin = time.monotonic()
                    torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask).sum().backward()
                torch.cuda.synchronize()
            took = (time.monotonic() - begin) / 4
            print(f"{kind.name}: {1000 * took:.2f} ms", flush=True)
            if took < best:
                best, order = took, [kind, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
        except RuntimeError as error:
            print(kind.name, str(error).splitlines()[0])
    return order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"))
    parser.add_argument("--out", type=pathlib.Path, help="where the checkpoint goes; default: --work")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--pool", type=int, default=2048)
    parser.add_argument("--pool-start", type=int, default=768, help="clips encoded before training starts; the rest follow while it runs")
    parser.add_argument("--image-every", type=int, default=4, help="a step of the T2I loss every so many steps")
    parser.add_argument("--roll", action="store_true", help="take worn first frames from windows that the model itself renders (later rounds)")
    parser.add_argument("--refresh-every", type=int, default=40)
    parser.add_argument("--exact", type=float, default=0.75, help="share of training at the sampler's four noise levels")
    parser.add_argument("--flat", type=float, default=0.3, help="share of the time at the full rate; 1 when another run follows")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--steps", type=int, default=10**9)
    args = parser.parse_args()
    out, cuda = args.out or args.work, args.device.startswith("cuda")
    schedule = training.Schedule(args.minutes, args.rate, warmup=300, flat=args.flat)
    torch.manual_seed(int(time.time()) % 100000)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

    prompts = text.Prompts(args.work)
    fast_padding()
    vae = load_vae(args.work, args.device, torch.bfloat16 if cuda else torch.float32)
    pool = Pool(vae, prompts, args.pool, args.device, int(time.time()), dtype=torch.bfloat16 if cuda else torch.float32)
    pool.fill(args.pool_start)
    if cuda:
        torch.cuda.synchronize()
    print(f"pool of {args.pool} clips after {time.monotonic() - schedule.begin:.0f} s", flush=True)

    models = build(prompts)
    if training.exists(args.work / "video") and not args.fresh:
        for name, state in training.load(args.work / "video").items():
            training.restore(models[name], state)
        print("resumed", args.work / "video")
    for model in models.values():
        model.to(args.device)
    average = training.Average(models, decay=0.9985)
    # One optimizer each: a step of one loss must not push the other's weights with stale momentum.
    optimizers = {name: training.optimizer(model.parameters(), args.device) for name, model in models.items()}
    for p in average.live:
        p.grad = torch.zeros_like(p)
    kernels = fastest_attention(args.device, args.batch)
    if cuda and not args.no_compile:
        torch._dynamo.config.recompile_limit = 64
        for block in [*models["i2v"].transformer_blocks, *models["i2v"].single_transformer_blocks]:
            block.compile(fullgraph=True, dynamic=False)
    history = torch.zeros(2, device=args.device)
    sigmas(1, args.device, args.exact)

    def step(loss, slot, names):
        parameters = [p for name in names for p in models[name].parameters()]

        def run():
            with torch.autocast("cuda", torch.bfloat16, cache_enabled=False) if cuda else contextlib.nullcontext():
                value = loss()
            value.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
            for name in names:
                optimizers[name].step()
                optimizers[name].zero_grad(set_to_none=False)
            history[slot].lerp_(value.detach(), 0.02)
        return run

    def set_rates(rate: float) -> None:
        for opt in optimizers.values():
            training.set_rate(opt, rate)

    roller = Roller(prompts, vae, args.device, torch.bfloat16 if cuda else torch.float32) if args.roll else None
    set_rates(1e-6)
    with sdpa_kernel(kernels):
        video = training.captured(step(lambda: loss_video(models, pool, args.batch, args.exact), 0, ("i2v", "llava", "clip")), args.device)
        image = training.captured(step(lambda: loss_image(models, pool, 4 * args.batch), 1, ("t2i", "llava", "clip")), args.device)
        print(f"ready after {time.monotonic() - schedule.begin:.0f} s", flush=True)
        count, mark, marked = 0, time.monotonic(), 0
        while schedule.fraction() < 1 and count < args.steps:
            set_rates(schedule.rate(count))
            (image if count % args.image_every == args.image_every - 1 else video)()
            count += 1
            if count % average.every == 0:
                average.update()
            if roller and count % 1000 == 1:
                roller.load(average)
                pool.roll = roller
            if count % args.refresh_every == 0:
                pool.refresh()
            if count % 500 == 0 or count == 100:
                values, now = history.tolist(), time.monotonic()
                print(f"step {count} {100 * schedule.fraction():.0f} % video {values[0]:.4f} image {values[1]:.4f} rolled {pool.rolled.item():.2f} {(count - marked) / (now - mark):.1f} steps/s", flush=True)
                mark, marked = now, count
    state = {name: {k.replace("_orig_mod.", ""): v for k, v in s.items()} for name, s in average.state().items()}
    training.save(out / "video", state)
    print(f"{count} steps, losses {history.tolist()}", flush=True)


if __name__ == "__main__":
    main()
