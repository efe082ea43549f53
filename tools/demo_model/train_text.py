"""Stage 2: the text encoders, on captions alone: what a caption says must be readable from the vector and the tokens that
the transformers get. Linear heads, thrown away afterwards, name shape, colour, motion and background of the first object,
and whether there is a second one and what it is like. The later stages leave both encoders as they are.

Needs the tokenizers (text.py). Resumable; writes the same checkpoint as the later stages.
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

CLASSES = (len(world.SHAPES), len(world.COLOURS), len(world.MOTIONS), len(world.BACKGROUNDS), 2, len(world.SHAPES), len(world.COLOURS), len(world.MOTIONS))
ABSENT = -100  # label of the second object's parts where there is none; cross_entropy leaves it out


class Captions:
    """Token rows of `count` captions and what they say, (n, 8)."""

    def __init__(self, prompts: text.Prompts, count: int, seed: int, held_out: bool = False):
        specs, words = world.sample(np.random.default_rng(seed), count, held_out=held_out, second=0.35), random.Random(seed)
        self.rows, kept = prompts.rows([captions.captions_of(specs, i, words, 1)[0] for i in range(count)])
        second = [torch.where(specs.present[:, 1], v[:, 1], ABSENT) for v in (specs.shape, specs.colour, specs.motion)]
        first = [specs.shape[:, 0], specs.colour[:, 0], specs.motion[:, 0], specs.background, specs.present[:, 1].long()]
        self.labels = torch.stack(first + second, 1)[kept]

    def to(self, device: str) -> "Captions":
        for name in ("i2v", "t2i", "clip", "length"):
            setattr(self.rows, name, getattr(self.rows, name).to(device))
        self.labels = self.labels.to(device)
        return self


class Heads(torch.nn.Module):
    """One linear reader of every place that carries the caption: CLIP's vector, the Llama's last token and its mean, for both templates."""

    PLACES = ("clip", "t2i last", "t2i mean", "i2v last", "i2v mean")

    def __init__(self):
        super().__init__()
        self.readers = torch.nn.ModuleList(torch.nn.Linear(networks.TEXT_WIDTH, sum(CLASSES)) for _ in self.PLACES)

    def forward(self, models: dict, prompts: text.Prompts, rows: text.Rows, at: torch.Tensor) -> list[torch.Tensor]:
        places = [networks.pooled(models["clip"], rows.clip[at])]
        length = rows.length[at]
        # Pictures say nothing here; the encoder learns to read captions whatever they are.
        noise = torch.randn(len(at), text.IMAGE_TOKENS, networks.TEXT_WIDTH, device=at.device) * torch.rand(len(at), 1, 1, device=at.device)
        pictures = text.IMAGE_TOKENS // text.INTERLEAVE
        for hidden, mask in (networks.t2i_text(models["llava"], prompts, rows.t2i[at], length),
                             tuple(v[:, pictures:] for v in networks.i2v_text(models["llava"], prompts, rows.i2v[at], length, image=noise))):
            count = mask.sum(1)
            last = hidden.gather(1, (count - 1)[:, None, None].expand(-1, 1, hidden.shape[-1]))[:, 0]
            places += [last, (hidden * mask[..., None]).sum(1) / count[:, None]]
        return [reader(F.layer_norm(place.float(), place.shape[-1:])) for reader, place in zip(self.readers, places)]


def loss(scores: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    total = 0
    for score in scores:
        for part, label in zip(score.split(CLASSES, 1), labels.T):
            # A sum over what is there: the mean would divide by zero in a batch without second objects.
            total = total + F.cross_entropy(part.float(), label, ignore_index=ABSENT, reduction="sum") / len(labels)
    return total / len(scores)


@torch.no_grad()
def accuracy(models: dict, heads: Heads, prompts: text.Prompts, data: Captions) -> dict[str, list[float]]:
    """Per place: share of right shapes, colours, motions, backgrounds; and the four of the second object."""
    scores = heads(models, prompts, data.rows, torch.arange(len(data.labels), device=data.labels.device))
    out = {}
    for place, score in zip(Heads.PLACES, scores):
        right = [(part.argmax(1) == label)[label != ABSENT].float().mean().item() for part, label in zip(score.split(CLASSES, 1), data.labels.T)]
        out[place] = [round(r, 3) for r in right]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=0.7)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--captions", type=int, default=40000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--steps", type=int, default=10**9)
    args = parser.parse_args()
    out, cuda = args.out or args.work, args.device.startswith("cuda")
    torch.manual_seed(int(time.time()) % 100000)
    prompts = text.Prompts(args.work)
    models, others = {"llava": networks.llava(prompts), "clip": networks.clip(prompts)}, {}
    if training.exists(args.work / "video") and not args.fresh:
        others = training.load(args.work / "video")
        for name, model in models.items():
            training.restore(model, others[name])
        print("resumed", args.work / "video")
    for model in models.values():
        model.float().to(args.device)
    heads = Heads().to(args.device)
    data = Captions(prompts, args.captions, int(time.time())).to(args.device)
    check = Captions(prompts, 1000, 5, held_out=True).to(args.device)
    schedule = training.Schedule(args.minutes, args.rate, warmup=50)
    models["llava"].requires_grad_(False)
    models["llava"].model.language_model.requires_grad_(True)
    parameters = [p for m in (*models.values(), heads) for p in m.parameters() if p.requires_grad]
    opt = training.optimizer(parameters, args.device)
    for p in parameters:
        p.grad = torch.zeros_like(p)
    history = torch.zeros(1, device=args.device)

    def step():
        at = torch.randint(len(data.labels), (args.batch,), device=args.device)
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=False) if cuda else contextlib.nullcontext():
            value = loss(heads(models, prompts, data.rows, at), data.labels[at])
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        opt.step()
        opt.zero_grad(set_to_none=False)
        history.lerp_(value.detach()[None], 0.05)

    training.set_rate(opt, 1e-6)
    run = training.captured(step, args.device)
    count = 0
    while schedule.fraction() < 1 and count < args.steps:
        training.set_rate(opt, schedule.rate(count))
        run()
        count += 1
        if count % 100 == 0:
            print(f"step {count} {100 * schedule.fraction():.0f} % loss {history.item():.3f}", flush=True)
    for place, right in accuracy(models, heads, prompts, check).items():
        print(f"{place}: {right}", flush=True)
    training.save(out / "video", others | {name: m.state_dict() for name, m in models.items()})


if __name__ == "__main__":
    main()
