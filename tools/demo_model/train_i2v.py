"""Stage 4: the I2V transformer and the vision tower. Flow matching; no distillation: what follows the caption and the
first frame is nearly determined, so the sampler's four steps are trained directly.

Needs the VAE and the text encoders (stages 1 and 2). Resumable: an earlier checkpoint is the start of the next run.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import time

import torch
from diffusers.models.transformers import transformer_hunyuan_video
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.varlen import varlen_attn

import networks
import text
import training
from pool import PREFIX, Pool
from train_vae import fast_padding

DISPATCH = transformer_hunyuan_video.dispatch_attention_fn


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


LEVELS = (0.4, 0.2, 0.2, 0.2)  # share of the sampler's four levels; at the first one nothing but the condition says what moves where
_EXACT: dict = {}  # the sampler's levels and their shares on each device; made before a step is captured


def exact_levels(n: int, device: str, first: int = 0) -> torch.Tensor:
    """Noise levels of the sampler, without the `first` ones."""
    if device not in _EXACT:
        _EXACT[device] = torch.tensor(networks.SIGMAS, device=device), torch.tensor(LEVELS, device=device)
    table, share = (t[first:] for t in _EXACT[device])
    upto = share.cumsum(0)
    return table[(torch.rand(n, 1, device=device) * upto[-1] > upto[:-1]).sum(1)]


def sigmas(n: int, device: str, exact: float) -> torch.Tensor:
    """Noise levels: with probability `exact` one of the sampler's four, else shift 5 of a uniform number."""
    u = torch.rand(n, device=device)
    return torch.where(torch.rand(n, device=device) < exact, exact_levels(n, device), 5 * u / (1 + 4 * u))


def conditions(pool: Pool, at: torch.Tensor) -> torch.Tensor:
    """The 17 condition channels of a batch: 50 % first frame, 38 % a prefix of 2 to 6 latents, 12 % first and last frame; with noise in most."""
    b, device = len(at), pool.device
    u = torch.rand(b, 1, 1, 1, 1, device=device)
    single, both = u < 0.5, u > 0.88
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


class Places(torch.nn.Module):
    """Reads from the picture's tokens where objects are, in cells of 16 pixels; thrown away after training.

    The transformer knows distances only (rotary positions), so what circles around the frame's centre needs the vision tower
    to say where it is; the video loss alone teaches that slowly.
    """

    COLUMNS = slice(2, 8)  # what the tower's square crop shows of the 10 columns

    def __init__(self):
        super().__init__()
        self.reader = torch.nn.Linear(text.IMAGE_TOKENS // text.INTERLEAVE * networks.TEXT_WIDTH, 6 * 6)

    def forward(self, hidden: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        cells = torch.nn.functional.avg_pool2d(seen.float(), 2)[:, :, self.COLUMNS].flatten(1)
        tokens = hidden[:, : text.IMAGE_TOKENS // text.INTERLEAVE].flatten(1)
        return torch.nn.functional.mse_loss(self.reader(tokens).float(), cells)


def seams(known: torch.Tensor) -> torch.Tensor:
    """1 where a latent frame is given or stands next to a given one, (B, 1, 31, 1, 1), from the condition channels."""
    return torch.nn.functional.max_pool3d(known[:, 16:, :, :1, :1], (3, 1, 1), stride=1, padding=(1, 0, 0))


def loss_video(models: dict, pool: Pool, batch: int, exact: float, own: bool, seam: float) -> torch.Tensor:
    """Flow matching of whole windows; latents that see an object weigh five times as much, those of a seam `seam` times.

    With `own` the noisy latents are the sampler's: mixed from what the model itself makes of pure noise, and the target leads
    from there to the clip, so that a later step mends what an earlier one got wrong.
    """
    at, k = draw(pool, batch)
    x0 = pool.latents[at].float()
    hidden, mask = networks.i2v_text(models["llava"], pool.prompts, pool.i2v[at, k], pool.length[at, k], pool.pixels[at].float())
    vector, known = networks.pooled(models["clip"], pool.clip[at, k]), conditions(pool, at)

    def velocity(x, s):
        return models["i2v"](torch.cat([x, known], 1), s * 1000, hidden, mask, vector, return_dict=False)[0].float()

    if own:
        noise, s = torch.randn_like(x0), exact_levels(batch, pool.device, first=1)
        made = noise - velocity(noise, torch.ones_like(s)).detach()
        level = s.view(-1, 1, 1, 1, 1)
        x = (1 - level) * made + level * noise
        v = (x - x0) / level
    else:
        s = sigmas(batch, pool.device, exact)
        x, v = noisy(x0, s)
    weight = (1 + 4 * pool.object[at].float()[:, None]) * (1 + (seam - 1) * seams(known))
    return ((velocity(x, s) - v) ** 2 * weight).mean() + 0.2 * models["places"](hidden, pool.object[at, 0])


class Roller:
    """The averaged model as it will be used: windows of four steps, each from the last frames of the one before."""

    def __init__(self, prompts: text.Prompts, vae, device: str, dtype):
        self.models = {k: m.to(device, dtype).eval().requires_grad_(False) for k, m in build(prompts).items() if k != "t2i"}
        self.prompts, self.vae, self.device, self.dtype = prompts, vae, device, dtype

    def load(self, average: training.Average) -> None:
        for name, state in average.state().items():
            if name in self.models:
                self.models[name].load_state_dict({k.replace("_orig_mod.", ""): v.to(self.dtype) if v.is_floating_point() else v for k, v in state.items()})

    @torch.no_grad()
    def __call__(self, rows: text.Rows, per_clip: int, known: torch.Tensor, windows: int, count: int) -> torch.Tensor:
        """The last frames, `count` latents long, of `windows` windows from the first frames `known`."""
        i2v, length, clip = (getattr(rows, k)[::per_clip].to(self.device) for k in ("i2v", "length", "clip"))
        vector = networks.pooled(self.models["clip"], clip)
        for _ in range(windows):
            hidden, mask = networks.i2v_text(self.models["llava"], self.prompts, i2v, length, networks.vision_pixels(known[:, :, 0]).to(self.dtype))
            noise = torch.randn(len(known), 16, networks.LATENT_FRAMES, networks.LATENT_HEIGHT, networks.LATENT_WIDTH, device=self.device)
            extra = networks.condition(networks.encode(self.vae, known.to(self.dtype)))
            latents = networks.sample(self.models["i2v"], noise, hidden, mask, vector, extra)
            frames = networks.decode(self.vae, latents[:, :, -(count + 3) :].to(self.dtype))[:, :, -(4 * (count - 1) + 1) :]
            known = (frames.float() * 255).round() / 255
        return known


def packed_attention(query, key, value, attn_mask=None, **_):
    """Attention without a mask: every row of the batch becomes two sequences, what counts and the padding behind it."""
    b, s = query.shape[:2]
    start = torch.arange(b, device=query.device, dtype=torch.int32) * s
    used = attn_mask.view(b, s).sum(1, dtype=torch.int32)
    edges = torch.cat([torch.stack([start, start + used], 1).flatten(), torch.full((1,), b * s, device=query.device, dtype=torch.int32)])
    flat = [t.to(value.dtype).flatten(0, 1) for t in (query, key, value)]
    return varlen_attn(*flat, edges, edges, s, s).unflatten(0, (b, s))


def fastest_attention(device: str, batch: int, names: list[str], tokens: int = 1920, size: int = 64) -> list[SDPBackend]:
    """Times the kernels at a transformer's shape (heads of `size`), forward and backward, and puts the quickest one to use."""
    if not device.startswith("cuda"):
        return [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]
    q, k, v = (torch.randn(batch, tokens, 4, size, device=device, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    used = tokens - 20
    mask = (torch.arange(tokens, device=device) < used).expand(batch, 1, 1, tokens)

    def masked():
        return torch.nn.functional.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask)

    def packed():
        return packed_attention(q, k, v, mask)

    best, order = float("inf"), [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    for name, kind, attention in (("masked", SDPBackend.EFFICIENT_ATTENTION, masked), ("cudnn", SDPBackend.CUDNN_ATTENTION, masked), ("packed", SDPBackend.EFFICIENT_ATTENTION, packed)):
        if name not in names:
            continue
        try:
            with sdpa_kernel([kind]):
                if name == "packed" and (packed() - masked().transpose(1, 2))[:, :used].abs().max() > 0.02:
                    raise RuntimeError("differs from masked attention")
                for i in range(6):
                    if i == 2:
                        torch.cuda.synchronize()
                        begin = time.monotonic()
                    attention().sum().backward()
                torch.cuda.synchronize()
        except RuntimeError as error:
            print(name, str(error).splitlines()[0])
            continue
        took = (time.monotonic() - begin) / 4
        print(f"attention, {name}: {1000 * took:.2f} ms", flush=True)
        if took < best:
            best, order = took, list(dict.fromkeys([kind, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]))
            transformer_hunyuan_video.dispatch_attention_fn = packed_attention if name == "packed" else DISPATCH
    return order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"))
    parser.add_argument("--out", type=pathlib.Path, help="where the checkpoint goes; default: --work")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--pool", type=int, default=4096)
    parser.add_argument("--pool-start", type=int, default=768, help="clips encoded before training starts; the rest follow while it runs")
    parser.add_argument("--keep-pool", type=pathlib.Path, help="a file that hands the encoded clips from one run to the next")
    parser.add_argument("--own-every", type=int, default=3, help="every so many steps the noisy latents are the model's own")
    parser.add_argument("--roll", action="store_true", help="take worn first frames from windows that the model itself renders (later rounds)")
    parser.add_argument("--refresh-every", type=int, default=40)
    parser.add_argument("--seam", type=float, default=1.0, help="weight of the frames that are given and of their neighbours: what two windows must agree on")
    parser.add_argument("--exact", type=float, default=0.75, help="share of training at the sampler's four noise levels")
    parser.add_argument("--flat", type=float, default=0.3, help="share of the time at the full rate; 1 when another run follows")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--attention", default="masked,cudnn,packed", help="kernels to choose from")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--steps", type=int, default=10**9)
    args = parser.parse_args()
    out, cuda = args.out or args.work, args.device.startswith("cuda")
    schedule = training.Schedule(args.minutes, args.rate, warmup=150, flat=args.flat)
    torch.manual_seed(int(time.time()) % 100000)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, 4

    prompts = text.Prompts(args.work)
    fast_padding()
    vae = load_vae(args.work, args.device, torch.bfloat16 if cuda else torch.float32)
    pool = Pool(vae, prompts, args.pool, args.device, int(time.time()), dtype=torch.bfloat16 if cuda else torch.float32)
    if args.keep_pool and args.keep_pool.exists():
        pool.load(args.keep_pool)
    else:
        pool.fill(args.pool_start)
    if cuda:
        torch.cuda.synchronize()
    print(f"pool of {args.pool} clips after {time.monotonic() - schedule.begin:.0f} s", flush=True)

    models, kept = build(prompts), {}
    if training.exists(args.work / "video") and not args.fresh:
        kept = training.load(args.work / "video")
        for name, state in kept.items():
            training.restore(models[name], state)
        print("resumed", args.work / "video")
    kept["t2i"] = models.pop("t2i").state_dict()
    for name in ("clip", "llava"):  # as stage 2 left them, the vision tower apart
        models[name].requires_grad_(False)
    models["llava"].model.vision_tower.requires_grad_(True), models["llava"].model.multi_modal_projector.requires_grad_(True)
    average = training.Average({name: model.to(args.device) for name, model in models.items()}, decay=0.9985)
    models["places"] = Places().to(args.device)
    parameters = [p for model in models.values() for p in model.parameters() if p.requires_grad]
    optimizers = [opt for model in models.values() if any(p.requires_grad for p in model.parameters()) for opt in training.optimizers(model, args.device)]
    for p in parameters:
        p.grad = torch.zeros_like(p)
    kernels = fastest_attention(args.device, args.batch, args.attention.split(","))
    if cuda and not args.no_compile:
        torch._dynamo.config.recompile_limit = 64
        for block in [*models["i2v"].transformer_blocks, *models["i2v"].single_transformer_blocks]:
            block.compile(fullgraph=True, dynamic=False)
    history = torch.zeros(2, device=args.device)
    sigmas(1, args.device, args.exact)

    def step(slot):
        def run():
            with torch.autocast("cuda", torch.bfloat16, cache_enabled=False) if cuda else contextlib.nullcontext():
                value = loss_video(models, pool, args.batch, args.exact, own=slot == 1, seam=args.seam)
            value.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
            for opt in optimizers:
                opt.step()
                opt.zero_grad(set_to_none=False)
            history[slot].lerp_(value.detach(), 0.02)
        return run

    def set_rates(rate: float) -> None:
        for opt in optimizers:
            training.set_rate(opt, rate)

    roller = Roller(prompts, vae, args.device, torch.bfloat16 if cuda else torch.float32) if args.roll else None
    set_rates(1e-6)
    with sdpa_kernel(kernels):
        steps = [training.captured(step(slot), args.device) for slot in (0, 1)]
        print(f"ready after {time.monotonic() - schedule.begin:.0f} s", flush=True)
        count, mark, marked = 0, time.monotonic(), 0
        while schedule.fraction() < 1 and count < args.steps:
            set_rates(schedule.rate(count))
            steps[count % args.own_every == args.own_every - 1]()
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
                print(f"step {count} {100 * schedule.fraction():.0f} % loss {values[0]:.4f} own {values[1]:.4f} rolled {pool.rolled.item():.2f} {(count - marked) / (now - mark):.1f} steps/s", flush=True)
                mark, marked = now, count
    state = {name: {k.replace("_orig_mod.", ""): v for k, v in s.items()} for name, s in average.state().items()}
    training.save(out / "video", kept | state)
    if args.keep_pool:
        pool.save(args.keep_pool)
    print(f"{count} steps, losses {history.tolist()}", flush=True)


if __name__ == "__main__":
    main()
