"""A pool of encoded clips on the training device, refreshed while training runs, so that few clips are seen often."""

from __future__ import annotations

import dataclasses
import pathlib
import random

import numpy as np
import torch
import torch.nn.functional as F

import captions
import networks
import text
import world

PREFIX = 6  # most latent frames of a condition
COUNTS = (4, 4, 1, 1, 1)  # share of prefixes of 2, 3, ... latents; windows of a chain share two or three
ROLLED = 0.7  # share of refreshed clips that go on from frames of the model's own, once it rolls
ROLL_ERROR = 10 ** (-2.5)  # mean square: 25 dB
MOTIONS = (1, 1, 1, 1, 1.8, 1.8, 2.6, 0.6)  # circling and spinning are the hardest to learn
SECOND = 0.4  # share of clips with a second object
PARTS = ("latents", "object", "first", "last", "prefix", "count", "pixels", "i2v", "t2i", "clip", "length")


class Pool:
    """Static buffers of `size` clips: latents, condition latents, pictures for the vision tower, captions as token rows.

    latents (N, 16, 31, 12, 20); first (N, 2, 16, 12, 20): the first frame encoded alone, and after one to three rounds of
    decoding, rounding and encoding; prefix (N, 16, 6, 12, 20): the first `count` latents encoded alone, zeros behind;
    last (N, 16, 12, 20): the last frame encoded alone; object (N, 31, 12, 20): where a latent sees an object.
    """

    def __init__(self, vae, prompts: text.Prompts, size: int, device: str, seed: int, captions_per_clip: int = 6, dtype=torch.bfloat16, batch: int = 16):
        self.vae, self.prompts, self.size, self.device, self.batch, self.per_clip, self.dtype = vae, prompts, size, device, batch, captions_per_clip, dtype
        self.rng, self.words, self.at = np.random.default_rng(seed), random.Random(seed), 0
        self.roll = None  # how the model itself continues clips (train_i2v.Roller)
        h, w, frames = networks.LATENT_HEIGHT, networks.LATENT_WIDTH, networks.LATENT_FRAMES
        rows, _ = prompts.rows(["a"])

        def empty(*shape, dtype=dtype):
            return torch.zeros(size, *shape, dtype=dtype, device=device)

        self.latents, self.object = empty(16, frames, h, w), empty(frames, h, w)
        self.first, self.last = empty(2, 16, h, w), empty(16, h, w)
        self.prefix, self.count = empty(16, PREFIX, h, w), empty(dtype=torch.int64)
        self.pixels = empty(3, text.IMAGE_SIZE, text.IMAGE_SIZE)
        self.i2v, self.t2i, self.clip = (empty(captions_per_clip, r.shape[1], dtype=torch.int16) for r in (rows.i2v, rows.t2i, rows.clip))
        self.length = empty(captions_per_clip, dtype=torch.int16)
        self.rolled = torch.zeros((), device=device)  # share of rolled frames that were close enough, running

    def fill(self, fresh: int) -> None:
        """Encodes `fresh` clips and repeats them over the pool; training replaces them one refresh after the other."""
        fresh = min(fresh, self.size)
        while self.at < fresh:
            self.refresh()
            if self.at == 0:
                return
        for tensor in (getattr(self, name) for name in PARTS):
            for at in range(self.at, self.size, self.at):
                n = min(self.at, self.size - at)
                tensor[at : at + n] = tensor[:n]

    def save(self, path: pathlib.Path) -> None:
        torch.save({name: getattr(self, name).cpu() for name in PARTS} | {"at": self.at}, path)

    def load(self, path: pathlib.Path) -> None:
        """Takes over the clips of an earlier run with the same size."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        for name in PARTS:
            getattr(self, name).copy_(state[name])
        self.at = state["at"]

    @torch.no_grad()
    def refresh(self) -> None:
        """Replaces the oldest `batch` clips."""
        n = min(self.batch, self.size - self.at)
        specs = world.sample(self.rng, n, second=SECOND, inside=0.5, motions=MOTIONS)
        texts = [c for i in range(n) for c in self._captions(specs, i)]
        rows, kept = self.prompts.rows(texts)
        assert len(kept) == len(texts)
        here = specs.to(self.device)
        count = self.words.choices(range(2, PREFIX + 1), COUNTS)[0]
        shown = 4 * (count - 1) + 1
        rolled = self.roll is not None and self.words.random() < ROLLED
        if rolled:
            here, ended, close = self._rolled(here, rows, count)
        clip = world.render(here, world.times().to(self.device))
        near = (clip - world.backdrop(here)[:, :, None]).abs().amax(1, keepdim=True)
        near = (near > 0.02).to(self.dtype)
        near = torch.cat([near[:, :, :1]] * 3 + [near], dim=2)  # the first latent stands for one frame, the others for four
        to = slice(self.at, self.at + n)
        self.object[to] = F.max_pool3d(near, (4, 8, 8))[:, 0]
        clip = (clip * 255).round() / 255
        self.pixels[to] = networks.vision_pixels(clip[:, :, 0]).to(self.dtype)
        half = clip.to(self.dtype)
        for i in range(0, n, 4):
            self.latents[self.at + i : self.at + min(i + 4, n)] = networks.encode(self.vae, half[i : i + 4])
        first = networks.encode(self.vae, half[:, :, :1])
        worn = first
        for _ in range(self.words.randint(1, 3)):
            worn = networks.encode(self.vae, (networks.decode(self.vae, worn).float() * 255).round().div(255).to(self.dtype))
        known = half[:, :, :shown]
        if rolled:
            known = torch.where(close, ended, known)
            worn = torch.where(close, networks.encode(self.vae, ended[:, :, :1]), worn)
        self.first[to] = torch.stack([first[:, :, 0], worn[:, :, 0]], 1)
        self.last[to] = networks.encode(self.vae, half[:, :, -1:])[:, :, 0]
        self.prefix[to] = 0
        self.prefix[to, :, :count] = networks.encode(self.vae, known)
        self.count[to] = count
        for name in ("i2v", "t2i", "clip", "length"):
            values = getattr(rows, name)
            getattr(self, name)[to] = values.view(n, self.per_clip, *values.shape[1:]).to(self.device, non_blocking=True)
        self.at = (self.at + n) % self.size

    def _rolled(self, specs: world.Specs, rows: text.Rows, count: int) -> tuple[world.Specs, torch.Tensor, torch.Tensor]:
        """The clip's first `count` latents' frames as the model renders them in the windows before, and what continues them.

        The model's objects are a little off their path: the clip goes on from where they are. Where the model went astray (the
        third result, (n, 1, 1, 1, 1), is false) the specification stays as it was.
        """
        shown, windows = 4 * (count - 1) + 1, self.words.choice((1, 1, 2, 3))
        start = torch.tensor([-windows * (world.WINDOW - shown) / world.FPS], device=self.device)
        ended = self.roll(rows, self.per_clip, (world.render(specs, start) * 255).round() / 255, windows, count)
        ends, seconds = ended[:, :, [0, -1]], torch.tensor([0, (shown - 1) / world.FPS], device=self.device)
        moved = world.fitted(specs, ends, seconds)
        close = (world.render(moved, seconds) - ends).pow(2).flatten(1).mean(1, keepdim=True) < ROLL_ERROR
        self.rolled = 0.9 * self.rolled + 0.1 * close.float().mean()
        specs = dataclasses.replace(specs, **{name: torch.where(close, getattr(moved, name), getattr(specs, name)) for name in ("x", "y", "angle")})
        return specs, ended.to(self.dtype), close.view(-1, 1, 1, 1, 1)

    def _captions(self, specs, i: int) -> list[str]:
        out: list[str] = []
        while len(out) < self.per_clip:
            new = captions.captions_of(specs, i, self.words, self.per_clip)
            _, kept = self.prompts.rows(new)
            out += [new[k] for k in kept]
        return out[: self.per_clip]
