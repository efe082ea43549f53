"""Judges a clip of the demo world from its frames alone: colour, shape, motion, background, path, flicker.

The judge sees frames and the caption's meaning, never the renderer's state. `python judge.py --validate 500` proves it on
ideal clips.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from scipy import ndimage

import world

ANGLES = 72  # of the shape templates
TEMPLATE = 48  # pixels


@dataclasses.dataclass
class Verdict:
    colour: bool
    shape: bool
    motion: bool
    background: bool
    flicker: float  # RMS frame-to-frame change of static pixels, 1/255
    found: dict  # what was seen, for reports
    track: np.ndarray  # (T, 2) x, y of the object on the torus, NaN where it was not found


def _hsv(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    high, low = rgb.max(-1), rgb.min(-1)
    span = high - low
    r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    safe = np.where(span > 1e-6, span, 1)
    hue = np.where(high == r, ((g - b) / safe) % 6, np.where(high == g, (b - r) / safe + 2, (r - g) / safe + 4)) * 60
    return hue, np.where(high > 1e-6, span / np.maximum(high, 1e-6), 0), high


def colour_masks(frames: np.ndarray) -> np.ndarray:
    """(C, ..., H, W) bool: pixels that could be ink of each colour, by hue, saturation and value. frames uint8 (..., H, W, 3)."""
    hue, s, v = _hsv(frames.astype(np.float32) / 255)

    def between(low, high):
        return (hue >= low) & (hue < high) if low < high else (hue >= low) | (hue < high)

    return np.stack([
        between(342, 14) & (s > 0.6) & (v > 0.4),
        between(17, 42) & (s > 0.62) & (v > 0.6),
        between(44, 64) & (s > 0.58) & (v > 0.7),
        between(112, 158) & (s > 0.45) & (v > 0.3),
        between(209, 236) & (s > 0.62) & (v > 0.5),
        between(258, 300) & (s > 0.45) & (v > 0.38),
        (s < 0.14) & (v > 0.78),
        (v < 0.16) & (s < 0.75),
    ])


def _prototypes() -> tuple[np.ndarray, np.ndarray]:
    """Mean colour of rows, as features of the five backgrounds, from the renderer's gradients."""
    top, bottom = np.array(world.TOP, float), np.array(world.BOTTOM, float)
    t = np.linspace(0, 1, 8)[None, :, None]
    return (top[:, None] * (1 - t) + bottom[:, None] * t).reshape(5, -1), t


def background_of(frames: np.ndarray) -> int:
    """Index of the background: nearest gradient to the row-wise median colour over space and time."""
    rows = np.median(frames[:: max(1, len(frames) // 8)].astype(np.float32), axis=(0, 2))  # (H, 3)
    feature = rows.reshape(8, -1, 3).mean(1).reshape(-1)
    return int(np.argmin(((_prototypes()[0] - feature) ** 2).sum(1)))


_TEMPLATES: np.ndarray | None = None


def templates() -> np.ndarray:
    """(6, ANGLES, TEMPLATE, TEMPLATE) coverage of every shape at equal area and centred on its centroid."""
    global _TEMPLATES
    if _TEMPLATES is None:
        angles = torch.arange(ANGLES) * (2 * math.pi / ANGLES)
        out = []
        for shape in range(6):
            n = torch.full((ANGLES,), shape)
            centre = torch.full((ANGLES,), 0.0)
            mask, _ = world.coverage(n, torch.full((ANGLES,), 18.0), centre + world.WIDTH / 2, centre + world.HEIGHT / 2, angles, "cpu")
            out.append(np.stack([_normalised(m > 0.5) for m in mask.numpy()]))
        _TEMPLATES = np.stack(out)
    return _TEMPLATES


def _normalised(mask: np.ndarray) -> np.ndarray:
    """A mask resampled so that its filled area is that of a disc of radius TEMPLATE / 4, centred on the centroid of the filled shape."""
    filled = ndimage.binary_fill_holes(mask)
    y, x = np.nonzero(filled)
    scale = math.sqrt(max(len(x), 1) / math.pi) / (TEMPLATE / 4)
    grid = (np.arange(TEMPLATE) - (TEMPLATE - 1) / 2) * scale
    at = np.stack(np.meshgrid(y.mean() + grid, x.mean() + grid, indexing="ij"))
    return ndimage.map_coordinates(mask.astype(np.float32), at, order=1)


def _match(mask: np.ndarray) -> np.ndarray:
    """Soft IoU of a mask with every template: (6, ANGLES)."""
    m, t = _normalised(mask), templates()
    return np.minimum(t, m).sum((-1, -2)) / np.maximum(np.maximum(t, m).sum((-1, -2)), 1e-6)


def _centred(mask: np.ndarray, x: float, y: float) -> np.ndarray:
    """The mask rolled on the torus so that (x, y) is in the middle; only the component there and its neighbours are kept."""
    rolled = np.roll(mask, (int(round(world.HEIGHT / 2 - y)), int(round(world.WIDTH / 2 - x))), (0, 1))
    labels, n = ndimage.label(rolled)
    if n > 1:
        sizes = ndimage.sum_labels(rolled, labels, np.arange(1, n + 1))
        keep = np.nonzero(sizes >= 0.25 * sizes.max())[0] + 1
        centres = np.array(ndimage.center_of_mass(rolled, labels, keep)).reshape(-1, 2)
        near = np.hypot(centres[:, 0] - world.HEIGHT / 2, centres[:, 1] - world.WIDTH / 2) < 26
        rolled = np.isin(labels, keep[near]) if near.any() else rolled
    return rolled


def _circular(mask: np.ndarray) -> tuple[float, float, int]:
    """Centroid on the torus of the largest component (joined over the edges), and its area."""
    labels, n = ndimage.label(mask)
    if n == 0:
        return math.nan, math.nan, 0
    parent = list(range(n + 1))

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    for a, b in ((labels[0], labels[-1]), (labels[:, 0], labels[:, -1])):
        for i, j in set(zip(a.tolist(), b.tolist())):
            if i and j:
                parent[root(i)] = root(j)
    roots = np.array([root(i) for i in range(n + 1)])
    joined = roots[labels]
    sizes = np.bincount(joined.ravel(), minlength=n + 1)
    sizes[0] = 0
    y, x = np.nonzero(joined == sizes.argmax())
    out = []
    for v, period in ((x, world.WIDTH), (y, world.HEIGHT)):
        a = (v + 0.5) * 2 * math.pi / period
        out.append((math.atan2(np.sin(a).mean(), np.cos(a).mean()) % (2 * math.pi)) * period / (2 * math.pi))
    return out[0], out[1], int(sizes.max())


def _clean(mask: np.ndarray) -> np.ndarray:
    return ndimage.binary_opening(mask, np.ones((2, 2)))


def find(frames: np.ndarray, background: int, colour: int | None = None) -> tuple[int, np.ndarray, np.ndarray]:
    """The object's colour (the largest ink in the frames, or `colour`), its track (T, 2) and area (T)."""
    allowed = [c for c in range(8) if world.visible(c, background)] if colour is None else [colour]
    if colour is None:
        some = frames[:: max(1, len(frames) // 6)]
        masks = colour_masks(some)
        area = [np.median([_circular(_clean(m))[2] for m in masks[c]]) for c in allowed]
        colour = allowed[int(np.argmax(area))]
    masks = colour_masks(frames)[colour]
    rows = [_circular(_clean(m)) for m in masks]
    return colour, np.array([r[:2] for r in rows]), np.array([r[2] for r in rows])


def _unwrap(track: np.ndarray) -> np.ndarray:
    out = track.copy()
    for k, period in enumerate((world.WIDTH, world.HEIGHT)):
        good = ~np.isnan(out[:, k])
        out[good, k] = np.unwrap(out[good, k], period=period)
    return out


def _slope(t: np.ndarray, v: np.ndarray) -> tuple[float, float]:
    """Robust slope per second and RMS residual."""
    good = ~np.isnan(v)
    if good.sum() < 5:
        return math.nan, math.inf
    fit = np.polyfit(t[good], v[good], 1)
    return float(fit[0]), float(np.sqrt(np.mean((np.polyval(fit, t[good]) - v[good]) ** 2)))


SYMMETRY = (0, 4, 3, 5, 0, 1)  # of each shape's outline


def motion_of(frames: np.ndarray, colour: int, track: np.ndarray, shape: int) -> int:
    """Index of the motion that the track and the outline's angle show, or -1."""
    t = np.arange(len(track)) / world.FPS
    if np.isnan(track[:, 0]).mean() > 0.2:
        return -1
    free = _unwrap(track)
    vx, rx = _slope(t, free[:, 0])
    vy, ry = _slope(t, free[:, 1])
    # Circling: constant distance from the frame's centre, constant rate of the angle.
    dx, dy = track[:, 0] - world.WIDTH / 2, track[:, 1] - world.HEIGHT / 2
    angle = np.arctan2(dy, dx)
    good = ~np.isnan(angle)
    angle[good] = np.unwrap(angle[good])
    rate, spread = _slope(t, angle)
    distance = np.hypot(dx, dy)
    if 12 < np.nanmedian(distance) < 38 and np.nanstd(distance) < 5 and abs(abs(rate) - world.CIRCLING) < 0.3 * world.CIRCLING and spread < 0.2:
        return world.CLOCKWISE if rate > 0 else world.COUNTERCLOCKWISE
    moving = 0.3 * world.SPEED
    if abs(abs(vx) - world.SPEED) < moving and abs(vy) < 4 and rx < 4 and ry < 4:
        return world.RIGHT if vx > 0 else world.LEFT
    if abs(abs(vy) - world.SPEED) < moving and abs(vx) < 4 and rx < 4 and ry < 4:
        return world.DOWN if vy > 0 else world.UP
    if abs(vx) < 2.5 and abs(vy) < 2.5 and rx < 3 and ry < 3:
        order = SYMMETRY[shape]
        if order == 0:
            return world.STILL
        masks = colour_masks(frames[::4])[colour]
        turns = []
        for mask, (x, y) in zip(masks, track[::4]):
            turns.append(math.nan if np.isnan(x) else _match(_centred(_clean(mask), x, y))[shape].argmax() * 2 * math.pi / ANGLES)
        turns = np.array(turns)
        good = ~np.isnan(turns)
        turns[good] = np.unwrap(turns[good] * order) / order
        rate, _ = _slope(t[::4], turns)
        if abs(rate - world.SPINNING) < 0.3 * world.SPINNING:
            return world.SPIN
        return world.STILL if abs(rate) < math.radians(8) else -1
    return -1


def shape_of(frames: np.ndarray, colour: int, track: np.ndarray, count: int = 9) -> int:
    score = np.zeros(6)
    for i in np.linspace(0, len(frames) - 1, count).astype(int):
        if np.isnan(track[i, 0]):
            continue
        mask = _centred(colour_masks(frames[i])[colour], *track[i])
        if mask.sum() > 40:
            score += _match(mask).max(1)
    return int(score.argmax()) if score.max() > 0 else -1


def flicker_of(frames: np.ndarray, track: np.ndarray) -> float:
    """RMS change between neighbouring frames of pixels far from anything that moves, in 1/255."""
    f = frames.astype(np.float32)
    step = np.diff(f, axis=0)
    # What moves, from a smoothed difference over four frames, grown by a margin.
    far = np.abs(f[4:] - f[:-4]).max(-1) if len(f) > 8 else np.zeros(f[:1].shape[:-1])
    moving = ndimage.binary_dilation((ndimage.uniform_filter(far, (1, 3, 3)) > 10).any(0), iterations=5)
    static = ~moving
    return float(np.sqrt((step**2)[:, static].mean())) if static.mean() > 0.05 else math.nan


def judge(frames: np.ndarray, shape: int, colour: int, motion: int, background: int, other: int | None = None) -> Verdict:
    """frames (T, H, W, 3) uint8 and the caption's meaning; `other` is the colour of a second object, which is not mistaken for the first."""
    seen_background = background_of(frames)
    seen, _, _ = find(frames, seen_background)
    if other is not None and seen == other:  # both objects are there: the first must be found at full size
        _, _, area = find(frames, seen_background, colour)
        seen = colour if np.median(area) > 150 else seen
    _, track, area = find(frames, seen_background, seen)
    track[area < 60] = math.nan
    seen_shape = shape_of(frames, seen, track)
    seen_motion = motion_of(frames, seen, track, seen_shape) if seen_shape >= 0 else -1
    found = dict(shape=seen_shape, colour=seen, motion=seen_motion, background=seen_background)
    return Verdict(seen == colour, seen_shape == shape, seen_motion == motion, seen_background == background, flicker_of(frames, track), found, track)


def torus_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    d = np.abs(a - b)
    return np.hypot(np.minimum(d[..., 0], world.WIDTH - d[..., 0]), np.minimum(d[..., 1], world.HEIGHT - d[..., 1]))


def validate(count: int, seed: int = 5) -> None:
    specs = world.sample(np.random.default_rng(seed), count)
    right, worst, distances = {k: 0 for k in ("colour", "shape", "motion", "background")}, 0.0, []
    for i in range(count):
        one = specs[i : i + 1]
        frames = world.to_uint8(world.render(one, world.times()))[0].numpy()
        other = int(one.colour[0, 1]) if bool(one.present[0, 1]) else None
        truth = dict(shape=int(one.shape[0, 0]), colour=int(one.colour[0, 0]), motion=int(one.motion[0, 0]), background=int(one.background[0]))
        v = judge(frames, **truth, other=other)
        x, y, _ = world.path(one, world.times())
        distances.append(np.nanmean(torus_distance(v.track, np.stack([x[0, 0], y[0, 0]], -1))))
        for k in right:
            right[k] += getattr(v, k)
            if not getattr(v, k):
                print(f"clip {i}: {k} seen {v.found[k]}, truth {truth[k]}; {truth}, second {other}", flush=True)
        worst = max(worst, v.flicker if not math.isnan(v.flicker) else 0)
    print({k: f"{100 * n / count:.1f} %" for k, n in right.items()}, f"track error {np.nanmean(distances):.2f} px, most {np.nanmax(distances):.2f}; static flicker at most {worst:.2f}/255")


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--validate", type=int, default=500)
    torch.set_num_threads(1)
    validate(parser.parse_args().validate)
