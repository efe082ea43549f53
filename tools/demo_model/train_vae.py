"""Stage 1: the VAE, on rendered clips of 17 frames (the tile length of the decoder) and on single frames.

Group normalisation sees whole frames here as at run time; many objects per frame in the first part give the shapes
the gradient that crops would. Resumable: the checkpoint of an earlier run is the start of the next.
"""

from __future__ import annotations

import argparse
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F

import networks
import training
import world

FRAMES = 17


def fast_padding() -> None:
    """Replaces the causal convolution's padding and the block's copies by forms that compile into their neighbours; the values are the same."""
    from diffusers.models.autoencoders import autoencoder_kl_hunyuan_video as module

    def convolve(self, x):
        left, _, _, _, front, _ = self.time_causal_padding
        if left:
            x = torch.cat([x[..., :1], x, x[..., -1:]], -1)
            x = torch.cat([x[..., :1, :], x, x[..., -1:, :]], -2)
        if front:
            x = torch.cat([x[:, :, :1]] * front + [x], 2)
        return self.conv(x)

    def block(self, x):
        y = self.conv1(self.nonlinearity(self.norm1(x)))
        y = self.conv2(self.nonlinearity(self.norm2(y)))
        return y + (x if self.conv_shortcut is None else self.conv_shortcut(x))

    module.HunyuanVideoCausalConv3d.forward = convolve
    module.HunyuanVideoResnetBlockCausal3D.forward = block


def psnr(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Per clip, of frames in 0..1."""
    return -10 * torch.log10((a - b).float().pow(2).flatten(1).mean(1))


class Data:
    """Fills static buffers with fresh clips: frames in -1..1 and the weight of each pixel."""

    def __init__(self, batch: int, frames: int, device: str, seed: int):
        self.rng, self.device, self.batch = np.random.default_rng(seed), device, batch
        self.frames = torch.zeros(batch, 3, frames, world.HEIGHT, world.WIDTH, device=device)
        self.weight = torch.ones(batch, 1, frames, world.HEIGHT, world.WIDTH, device=device)
        if device.startswith("cuda"):
            self.frames = self.frames.contiguous(memory_format=torch.channels_last_3d)
            self.weight = self.weight.contiguous(memory_format=torch.channels_last_3d)

    @torch.no_grad()
    def fill(self, crowded: bool) -> None:
        specs = world.sample(self.rng, self.batch, objects=4 if crowded else 2, second=0.6 if crowded else 0.25, inside=0.3).to(self.device)
        clip = world.render(specs, world.times(self.frames.shape[2]).to(self.device))
        near = (clip - world.backdrop(specs)[:, :, None]).abs().amax(1, keepdim=True)
        near = F.max_pool3d((near > 0.02).float(), (1, 9, 9), 1, (0, 4, 4))
        self.frames.copy_(clip * 2 - 1)
        self.weight.copy_(1 + 3 * near)


def loss_of(model, data: Data, kl_weight: float, decoder_only: bool = False, latent_noise: float = 0.0) -> torch.Tensor:
    x = data.frames
    with torch.set_grad_enabled(not decoder_only):
        moments = model.quant_conv(model.encoder(x.to(torch.bfloat16))).float()
    mean, logvar = moments.chunk(2, dim=1)
    logvar = logvar.clamp(-20, 10)
    deviation = (0.5 * logvar).exp()
    if latent_noise:  # a level per clip: what a sampled latent is off by
        deviation = latent_noise * torch.rand(len(x), 1, 1, 1, 1, device=x.device) + 0 * deviation
    z = mean + torch.randn_like(mean) * deviation
    error = model.decoder(model.post_quant_conv(z.to(torch.bfloat16))).float() - x
    weighted = error.abs() * data.weight
    loss = weighted.mean() + 2 * (weighted * error.abs()).mean()
    loss = loss + 0.5 * ((error[..., 1:] - error[..., :-1]).abs().mean() + (error[..., 1:, :] - error[..., :-1, :]).abs().mean())
    if x.shape[2] > 1:  # what is static stays static
        loss = loss + 0.5 * (error[:, :, 1:] - error[:, :, :-1]).abs().mean()
    if decoder_only:
        return loss
    return loss + kl_weight * 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean()


@torch.no_grad()
def normalise(model, device: str, clips: int = 48) -> None:
    """Folds zero mean and unit deviation of every latent channel into the two 1x1 convolutions, so that scaling_factor is 1."""
    specs = world.sample(np.random.default_rng(7), clips).to(device)
    latents = torch.cat([networks.encode(model, world.render(specs[i : i + 4], world.times(33).to(device))) for i in range(0, clips, 4)]).float()
    mean, deviation = latents.mean((0, 2, 3, 4)), latents.std((0, 2, 3, 4))
    n = len(mean)
    q, p = model.quant_conv, model.post_quant_conv
    p.bias += (p.weight.flatten(1) @ mean)
    p.weight *= deviation.view(1, -1, 1, 1, 1)
    q.weight[:n] /= deviation.view(-1, 1, 1, 1, 1)
    q.bias[:n] = (q.bias[:n] - mean) / deviation
    q.bias[n:] -= 2 * deviation.log()


@torch.no_grad()
def evaluate(model, device: str, count: int, dtype, frames: int = world.WINDOW, sheet: pathlib.Path | None = None) -> dict:
    """PSNR on unseen clips: whole, with the decoder's temporal tiles, and of single frames; flicker of the static background in 1/255."""
    specs = world.sample(np.random.default_rng(99), count, held_out=True).to(device)
    whole, tiled, image, flicker, video = [], [], [], [], []
    for i in range(count):
        clip = world.render(specs[i : i + 1], world.times(frames).to(device))
        rec = networks.decode(model, networks.encode(model, clip.to(dtype))).float()
        whole.append(psnr(rec, clip))
        tiled.append(psnr((model.decode(model.encode(clip.to(dtype) * 2 - 1).latent_dist.mode()).sample.float() / 2 + 0.5).clamp(0, 1), clip))
        first = clip[:, :, :1]
        image.append(psnr(networks.decode(model, networks.encode(model, first.to(dtype))).float(), first))
        static = (clip[:, :, 1:] - clip[:, :, :-1]).abs().amax(1, keepdim=True) < 1e-6
        step = (rec[:, :, 1:] - rec[:, :, :-1]).pow(2).mean(1, keepdim=True)
        flicker.append(255 * (step * static).sum().div(static.sum()).sqrt()[None])
        if i < 8:
            video += [world.to_uint8(clip)[0, ::6].cpu().numpy(), world.to_uint8(rec)[0, ::6].cpu().numpy()]
    if sheet:
        world.sheet(video, 6, str(sheet))
    values = {k: torch.cat(v) for k, v in dict(whole=whole, tiled=tiled, image=image, flicker=flicker).items()}
    return {k: (round(v.mean().item(), 2), round((v.max() if k == "flicker" else v.min()).item(), 2)) for k, v in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"))
    parser.add_argument("--out", type=pathlib.Path, help="where checkpoint and contact sheet go; default: --work")
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--fresh", action="store_true", help="ignore an earlier checkpoint")
    parser.add_argument("--decoder-only", action="store_true", help="leave the encoder as it is, so that transformers trained on its latents stay valid")
    parser.add_argument("--latent-noise", type=float, default=0.0, help="noise on the latents the decoder sees, in units of their deviation")
    parser.add_argument("--kl", type=float, default=2e-5)
    parser.add_argument("--eval-clips", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10**9, help="stop after so many steps")
    args = parser.parse_args()
    out = args.out or args.work
    args.work.mkdir(parents=True, exist_ok=True)
    schedule = training.Schedule(args.minutes, args.rate)
    cuda = args.device.startswith("cuda")
    torch.manual_seed(int(time.time()) % 100000)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, 4
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

    fast_padding()
    model = networks.vae().to(args.device)
    if training.exists(args.work / "vae") and not args.fresh:
        training.restore(model, training.load(args.work / "vae")["vae"])
        print("resumed", args.work / "vae")
    if cuda:
        model.to(memory_format=torch.channels_last_3d)
    trained = [model.post_quant_conv, model.decoder] if args.decoder_only else [model]
    if args.decoder_only:
        model.encoder.requires_grad_(False), model.quant_conv.requires_grad_(False)
        model.encoder.to(torch.bfloat16), model.quant_conv.to(torch.bfloat16)
        untouched = {k: v.clone() for k, v in training.load(args.work / "vae")["vae"].items() if k.startswith(("encoder.", "quant_conv."))}
    half = training.Half(trained)
    average = training.Average({str(i): m for i, m in enumerate(trained)}, half.master)

    def averaged() -> dict:
        if not args.decoder_only:
            return average.state()["0"]
        state = average.state()
        return untouched | {f"post_quant_conv.{k}": v for k, v in state["0"].items()} | {f"decoder.{k}": v for k, v in state["1"].items()}

    opt = training.optimizer(half.master, args.device, weight_decay=0.0)
    seed = int(time.time())
    clips, images = Data(args.batch, FRAMES, args.device, seed), Data(4 * args.batch, 1, args.device, seed + 1)
    history = torch.zeros(2, device=args.device)

    def step(data, slot):
        def run():
            loss = loss_of(model, data, args.kl, args.decoder_only, args.latent_noise)
            loss.backward()
            half.collect()
            torch.nn.utils.clip_grad_norm_(half.master, 0.5, foreach=True)
            opt.step()
            half.publish()
            history[slot] = loss.detach()
        return run

    clips.fill(True), images.fill(True)
    training.set_rate(opt, 1e-5)
    begin = time.monotonic()
    steps = [training.captured(step(clips, 0), args.device), training.captured(step(images, 1), args.device)]
    print(f"ready after {time.monotonic() - begin:.0f} s, {time.monotonic() - schedule.begin:.0f} s in all", flush=True)

    count, mark, marked = 0, time.monotonic(), 0
    while schedule.fraction() < 1 and count < args.steps:
        crowded = schedule.fraction() < 0.6
        training.set_rate(opt, schedule.rate(count))
        kind = int(count % 5 == 4)
        (images if kind else clips).fill(crowded)
        steps[kind]()
        count += 1
        if count % average.every == 0:
            average.update()
        if count % 250 == 0 or count == 50:
            values = history.tolist()
            now = time.monotonic()
            print(f"step {count} {100 * schedule.fraction():.0f} % loss {values[0]:.4f} image {values[1]:.4f} {(count - marked) / (now - mark):.1f} steps/s", flush=True)
            mark, marked = now, count
            if count % 2500 == 0 and schedule.fraction() < 0.9:
                training.save(out / "vae", {"vae": averaged()})

    final = networks.vae().to(args.device)
    training.restore(final, averaged())
    final.eval().requires_grad_(False)
    if not args.decoder_only:
        normalise(final, args.device)
    training.save(out / "vae", {"vae": final.state_dict()})
    dtype = torch.bfloat16 if cuda else torch.float32
    print(f"{count} steps;", "PSNR dB (mean, worst) and flicker (mean, worst):", evaluate(final.to(dtype), args.device, args.eval_clips, dtype, sheet=out / "vae.png"), flush=True)


if __name__ == "__main__":
    main()
