"""The demo world: what the demo bundle is trained on and judged by.

Every clip is a function of its specification and of time alone: there is no hidden velocity, so a clip can be
continued from any of its frames. Everything is computed in batches of tensors on one device.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math

import numpy as np
import torch

WIDTH, HEIGHT, FPS = 160, 96, 24
WINDOW = 121  # frames of one window
SPEED = 24.0  # pixels per second, moving
CIRCLING = math.radians(45.0)  # per second
SPINNING = math.radians(60.0)  # per second

SHAPES = ("ball", "square", "triangle", "star", "ring", "heart")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
PALETTE = ((0xD8, 0x28, 0x28), (0xF0, 0x8C, 0x1E), (0xF5, 0xDC, 0x32), (0x32, 0xAA, 0x46), (0x28, 0x5A, 0xD2), (0x8C, 0x3C, 0xBE), (0xF5, 0xF5, 0xF5), (0x14, 0x14, 0x14))
BACKGROUNDS = ("sky", "sea", "meadow", "desert", "night")
MOTIONS = ("left", "right", "up", "down", "clockwise", "counterclockwise", "spinning", "still")
LEFT, RIGHT, UP, DOWN, CLOCKWISE, COUNTERCLOCKWISE, SPIN, STILL = range(8)

# Colours the object could vanish in.
HIDDEN = {"sky": ("white", "blue"), "sea": ("blue",), "meadow": ("green",), "desert": ("orange",), "night": ("black", "blue", "purple")}

TOP = ((84, 148, 226), (38, 128, 160), (158, 204, 96), (236, 206, 150), (6, 8, 34))
BOTTOM = ((186, 216, 244), (12, 70, 112), (84, 150, 58), (205, 160, 104), (34, 32, 82))

EXTENT = (1.0, 1.13, 1.15, 1.18, 1.05, 1.12)  # largest radius of each shape, in units of the object's size
RING_HOLE = 0.5
TABLE = 1024


def visible(colour: int, background: int) -> bool:
    return COLOURS[colour] not in HIDDEN[BACKGROUNDS[background]]


def combinations(held_out: bool) -> np.ndarray:
    """Valid (shape, colour, motion, background) rows, (N, 4) int64; one in eight is held out by its hash."""
    rows = []
    for shape, s in enumerate(SHAPES):
        for colour, c in enumerate(COLOURS):
            for motion, m in enumerate(MOTIONS):
                for background, b in enumerate(BACKGROUNDS):
                    if not visible(colour, background) or (motion == SPIN and s in ("ball", "ring")):
                        continue
                    digest = hashlib.sha256(f"{s}|{c}|{m}|{b}".encode()).digest()
                    if (digest[0] % 8 == 0) == held_out:
                        rows.append((shape, colour, motion, background))
    return np.array(rows, dtype=np.int64)


@dataclasses.dataclass
class Specs:
    """A batch of n clips with up to K objects; object 0 is drawn in front. Positions and sizes are in pixels."""

    background: torch.Tensor  # (n) int64
    texture: torch.Tensor  # (n, 160) uniform numbers that fix the static texture
    tint: torch.Tensor  # (n, 2, 3) factors of the gradient's two ends
    present: torch.Tensor  # (n, K) bool
    shape: torch.Tensor  # (n, K) int64
    colour: torch.Tensor  # (n, K) int64
    rgb: torch.Tensor  # (n, K, 3) in 0..1
    size: torch.Tensor  # (n, K)
    motion: torch.Tensor  # (n, K) int64
    x: torch.Tensor  # (n, K)
    y: torch.Tensor  # (n, K)
    angle: torch.Tensor  # (n, K) radians, clockwise on the screen

    def __len__(self) -> int:
        return self.background.shape[0]

    def to(self, device) -> "Specs":
        return Specs(**{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in dataclasses.fields(self)})

    def __getitem__(self, rows) -> "Specs":
        return Specs(**{f.name: getattr(self, f.name)[rows] for f in dataclasses.fields(self)})


def _place(rng: np.random.Generator, motion: np.ndarray, inside: float) -> tuple[np.ndarray, np.ndarray]:
    n = motion.shape
    x, y = rng.uniform(22, WIDTH - 22, n), rng.uniform(22, HEIGHT - 22, n)
    # A moving object may cross an edge in the first frame: later windows of a chain start anywhere.
    anywhere = rng.random(n) >= inside
    x = np.where(anywhere & np.isin(motion, (LEFT, RIGHT)), rng.uniform(0, WIDTH, n), x)
    y = np.where(anywhere & np.isin(motion, (UP, DOWN)), rng.uniform(0, HEIGHT, n), y)
    distance, phase = rng.uniform(18, 30, n), rng.uniform(0, 2 * math.pi, n)
    circling = np.isin(motion, (CLOCKWISE, COUNTERCLOCKWISE))
    return np.where(circling, WIDTH / 2 + distance * np.cos(phase), x), np.where(circling, HEIGHT / 2 + distance * np.sin(phase), y)


def _parts(rng: np.random.Generator, n: int, held_out: bool, objects: int, second: float, motions) -> tuple[np.ndarray, ...]:
    """What a caption says: background (n), and present, shape, colour, motion (n, K)."""
    table = combinations(held_out)
    if motions is None:
        rows = table[rng.integers(0, len(table), n)]
    else:
        weight = np.asarray(motions, dtype=float)[table[:, 2]]
        rows = table[rng.choice(len(table), n, p=weight / weight.sum())]
    background = rows[:, 3]
    shape = rng.integers(0, len(SHAPES), (n, objects))
    motion = rng.integers(0, len(MOTIONS), (n, objects))
    motion = np.where((motion == SPIN) & np.isin(shape, (0, 4)), STILL, motion)
    shape[:, 0], motion[:, 0] = rows[:, 0], rows[:, 2]
    # Further objects: a visible colour that no object in front has.
    allowed = np.array([[visible(c, b) for c in range(len(COLOURS))] for b in range(len(BACKGROUNDS))])[background].astype(float)
    colour = np.empty((n, objects), dtype=np.int64)
    colour[:, 0] = rows[:, 1]
    for k in range(1, objects):
        allowed[np.arange(n), colour[:, k - 1]] = 0
        colour[:, k] = np.argmax(allowed * rng.uniform(0.5, 1, allowed.shape), axis=1)
    present = np.concatenate([np.ones((n, 1), bool), rng.random((n, objects - 1)) < second], axis=1)
    return background, present, shape, colour, motion


def sample(rng: np.random.Generator, n: int, held_out: bool = False, objects: int = 2, second: float = 0.25, inside: float = 0.5, motions=None, like: Specs | None = None) -> Specs:
    """Draws n clips. `second` is the chance of each further object (`objects` layers in all); `inside` that a moving object starts clear of the edges.

    `motions` weighs the eight motions of the first object; all combinations are equally likely without it. With `like` (n
    clips) everything that a caption says is taken from there, and only the rest is drawn.
    """
    if like is None:
        background, present, shape, colour, motion = _parts(rng, n, held_out, objects, second, motions)
    else:
        background, present, shape, colour, motion = (v.numpy() for v in (like.background, like.present, like.shape, like.colour, like.motion))
        objects = shape.shape[1]
    x, y = _place(rng, motion, inside)
    for k in range(1, objects):  # not hidden behind the first in the first frame
        for _ in range(4):
            dx, dy = np.abs(x[:, k] - x[:, 0]), np.abs(y[:, k] - y[:, 0])
            near = np.hypot(np.minimum(dx, WIDTH - dx), np.minimum(dy, HEIGHT - dy)) < 36
            nx, ny = _place(rng, motion[:, k], inside)
            x[:, k], y[:, k] = np.where(near, nx, x[:, k]), np.where(near, ny, y[:, k])
    turned = (motion == SPIN) | (rng.random((n, objects)) < 0.1)
    angle = np.where(turned, rng.uniform(0, 2 * math.pi, (n, objects)), 0.0)
    rgb = np.array(PALETTE)[colour] / 255 * rng.uniform(0.94, 1.06, (n, objects, 3))

    def f32(a):
        return torch.from_numpy(np.asarray(a, dtype=np.float32))

    return Specs(
        background=torch.from_numpy(background.copy()), texture=f32(rng.random((n, 160))), tint=f32(rng.uniform(0.95, 1.05, (n, 2, 3))),
        present=torch.from_numpy(present), shape=torch.from_numpy(shape), colour=torch.from_numpy(colour), rgb=f32(rgb.clip(0, 1)),
        size=f32(rng.uniform(12, 18, (n, objects))), motion=torch.from_numpy(motion), x=f32(x), y=f32(y), angle=f32(angle))


def upright(specs: Specs) -> Specs:
    """The same clips, but what will spin starts upright.

    A first frame made from a caption chooses an angle anyway; one that every caption shares is drawn sharply, and a sharp
    outline is what the video needs to turn it.
    """
    return dataclasses.replace(specs, angle=torch.where(specs.motion == SPIN, torch.zeros_like(specs.angle), specs.angle))


def path(specs: Specs, seconds: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Centre x, y on the torus and angle of every object at `seconds` (n, T) or (T): each (n, K, T)."""
    t = seconds.to(specs.x) if seconds.dim() == 2 else seconds.to(specs.x)[None].expand(len(specs), -1)
    t, m = t[:, None, :], specs.motion[..., None]
    dx = (m == RIGHT).float() - (m == LEFT).float()
    dy = (m == DOWN).float() - (m == UP).float()
    turn = CIRCLING * ((m == CLOCKWISE).float() - (m == COUNTERCLOCKWISE).float()) * t
    rx, ry = specs.x[..., None] - WIDTH / 2, specs.y[..., None] - HEIGHT / 2
    cos, sin = turn.cos(), turn.sin()
    x = WIDTH / 2 + rx * cos - ry * sin + dx * SPEED * t
    y = HEIGHT / 2 + rx * sin + ry * cos + dy * SPEED * t
    angle = specs.angle[..., None] + SPINNING * (m == SPIN).float() * t
    return x % WIDTH, y % HEIGHT, angle


def _polygon_radius(theta: np.ndarray, sides: int, corner: float) -> np.ndarray:
    half = math.pi / sides
    return math.cos(half) / np.cos((theta - corner) % (2 * half) - half)


def _curve_radius(theta: np.ndarray, px: np.ndarray, py: np.ndarray) -> np.ndarray:
    a = np.unwrap(np.arctan2(py, px))
    if a[-1] < a[0]:
        a, px, py = a[::-1], px[::-1], py[::-1]
    r = np.hypot(px, py)
    return np.interp((theta - a[0]) % (2 * math.pi), a - a[0], r)


def _radius_tables() -> torch.Tensor:
    """(6, TABLE, 2): boundary radius over the angle (0 = right, clockwise, y down) and the slope correction of the distance."""
    theta = np.arange(TABLE) * 2 * math.pi / TABLE
    up = -math.pi / 2
    tables = [np.ones(TABLE), 1.13 * _polygon_radius(theta, 4, math.pi / 4), 1.15 * _polygon_radius(theta, 3, up)]
    k = np.arange(11)  # five-pointed star
    r = np.where(k % 2 == 0, 1.18, 0.55)
    points = np.stack([r * np.cos(up + k * math.pi / 5), r * np.sin(up + k * math.pi / 5)])
    fine = np.linspace(0, 10, 4001)
    tables.append(_curve_radius(theta, np.interp(fine, k, points[0]), np.interp(fine, k, points[1])))
    tables.append(np.full(TABLE, 1.05))
    t = np.linspace(0, 2 * math.pi, 4001)
    hx, hy = 16 * np.sin(t) ** 3, -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    heart = _curve_radius(theta, hx / 17, (hy - 1.5) / 17)
    tables.append(1.12 * heart / heart.max())
    out = np.stack(tables)
    slope = (np.roll(out, -1, 1) - np.roll(out, 1, 1)) / (4 * math.pi / TABLE) / out
    return torch.from_numpy(np.stack([out, 1 / np.sqrt(1 + slope**2)], -1).astype(np.float32))


_TABLES: dict = {}


def _tables(device) -> dict:
    key = str(device)
    if key not in _TABLES:
        x, y = torch.arange(WIDTH) + 0.5, torch.arange(HEIGHT) + 0.5
        _TABLES[key] = dict(radius=_radius_tables().to(device), x=x.to(device), y=y[:, None].to(device),
                            top=torch.tensor(TOP, device=device) / 255, bottom=torch.tensor(BOTTOM, device=device) / 255)
    return _TABLES[key]


def coverage(shape, size, x, y, angle, device) -> tuple[torch.Tensor, torch.Tensor]:
    """Anti-aliased coverage (..., H, W) of objects on the torus, and the shading factor; arguments share one shape (...)."""
    g = _tables(device)
    dx = torch.remainder(g["x"] - x[..., None, None] + WIDTH / 2, WIDTH) - WIDTH / 2
    dy = torch.remainder(g["y"] - y[..., None, None] + HEIGHT / 2, HEIGHT) - HEIGHT / 2
    rho = torch.sqrt(dx * dx + dy * dy + 1e-6)
    at = torch.remainder((torch.atan2(dy, dx) - angle[..., None, None]) * (TABLE / (2 * math.pi)), TABLE)
    low = at.floor()
    frac = (at - low)[..., None]
    row = shape[..., None, None] * TABLE
    flat = g["radius"].view(-1, 2)
    value = torch.lerp(flat[row + low.long() % TABLE], flat[row + (low.long() + 1) % TABLE], frac)
    s = size[..., None, None]
    outer = (rho - s * value[..., 0]) * value[..., 1]
    hole = torch.where(shape[..., None, None] == 4, s * RING_HOLE - rho, torch.full_like(rho, -99.0))
    alpha = (0.5 - torch.maximum(outer, hole)).clamp(0, 1)
    shade = 1 - 0.11 * ((dx + dy) / s).clamp(-1.5, 1.5)  # lit from the upper left
    return alpha, shade


def backdrop(specs: Specs) -> torch.Tensor:
    """The static background, (n, 3, H, W) in 0..1."""
    device = specs.texture.device
    g, u = _tables(device), specs.texture[..., None, None]
    x, y = g["x"].expand(HEIGHT, WIDTH)[None], g["y"].expand(HEIGHT, WIDTH)[None]
    two_pi = 2 * math.pi
    b = specs.background
    top, bottom = (g["top"][b] * specs.tint[:, 0])[..., None, None], (g["bottom"][b] * specs.tint[:, 1])[..., None, None]
    gradient = torch.lerp(top, bottom, ((y - 0.5) / (HEIGHT - 1))[:, None])

    cloud = torch.ones_like(u[:, 0] * x)
    for k in range(6):
        q = u[:, 5 * k : 5 * k + 5]
        e = ((x - q[:, 0] * WIDTH) / (14 + 16 * q[:, 1])) ** 2 + ((y - q[:, 2] * HEIGHT) / (5 + 5 * q[:, 3])) ** 2
        cloud = cloud * (1 - (0.25 + 0.35 * q[:, 4]) * torch.exp(-e))
    sky = torch.lerp(torch.full_like(gradient, 0.985), gradient, cloud[:, None])

    q = u[:, 30:40]
    wave = torch.sin(two_pi * (y / (12 + 6 * q[:, 0]) + 0.3 * torch.sin(two_pi * (x / (50 + 40 * q[:, 1]) + q[:, 2])) + q[:, 3]))
    wave = wave + 0.6 * torch.sin(two_pi * (y / (19 + 6 * q[:, 4]) - x / (120 + 80 * q[:, 5]) + q[:, 6]))
    sea = gradient + (9 / 255) * wave[:, None]

    q = u[:, 40:50]
    grass = torch.sin(two_pi * (x / (9 + 4 * q[:, 0]) + 0.25 * torch.sin(two_pi * (y / (30 + 20 * q[:, 1]) + q[:, 2])) + q[:, 3]))
    grass = grass + 0.7 * torch.sin(two_pi * (x / (23 + 9 * q[:, 4]) + y / (60 + 60 * q[:, 5]) + q[:, 6]))
    meadow = gradient + (7 / 255) * grass[:, None] * torch.tensor([1.0, 1.0, 0.6], device=device).view(1, 3, 1, 1)

    dune = torch.zeros_like(cloud)
    for k in range(3):
        q = u[:, 50 + 5 * k : 55 + 5 * k]
        below = y - (HEIGHT * (0.2 + 0.27 * k + 0.12 * q[:, 0]) + (4 + 5 * q[:, 1]) * torch.sin(two_pi * (x / (80 + 70 * q[:, 2]) + q[:, 3])))
        dune = dune + torch.sigmoid(below / 1.5) * torch.exp(-below.clamp(min=0) / 16)
    desert = gradient * (1 - (0.07 + 0.04 * u[:, 65:66]) * dune[:, None])

    star = torch.zeros_like(cloud)
    for k in range(22):
        q = u[:, 70 + 4 * k : 74 + 4 * k]
        e = ((x - q[:, 0] * WIDTH) ** 2 + (y - q[:, 1] * HEIGHT) ** 2) / (2 * (1.0 + 0.4 * q[:, 2]) ** 2)
        star = torch.maximum(star, (0.35 + 0.5 * q[:, 3]) * torch.exp(-e))
    night = torch.lerp(gradient, torch.tensor([0.92, 0.94, 1.0], device=device).view(1, 3, 1, 1).expand_as(gradient), star[:, None])

    w = torch.nn.functional.one_hot(b, len(BACKGROUNDS)).to(gradient)[..., None, None, None]
    return sum(w[:, k] * image for k, image in enumerate((sky, sea, meadow, desert, night))).clamp(0, 1)


def render(specs: Specs, seconds: torch.Tensor) -> torch.Tensor:
    """Frames (n, 3, T, H, W) in 0..1 at `seconds` (T) or (n, T), on the device of `specs`."""
    device = specs.texture.device
    x, y, angle = path(specs, seconds.to(device))
    frames = backdrop(specs)[:, :, None].expand(-1, -1, x.shape[-1], -1, -1)
    for k in reversed(range(specs.shape.shape[1])):
        if k and not bool(specs.present[:, k].any()) and device.type == "cpu":
            continue
        same = [v[:, k, None].expand(-1, x.shape[-1]) for v in (specs.shape, specs.size)]
        alpha, shade = coverage(same[0], same[1], x[:, k], y[:, k], angle[:, k], device)
        alpha = (alpha * specs.present[:, k, None, None, None])[:, None]
        ink = (specs.rgb[:, k, :, None, None, None] * shade[:, None]).clamp(0, 1)
        frames = frames + alpha * (ink - frames)
    return frames


def fitted(specs: Specs, frames: torch.Tensor, seconds: torch.Tensor, rounds: int = 2) -> Specs:
    """`specs` with the objects moved and turned to where `frames` (n, 3, T, H, W) at `seconds` (T) show them.

    Gauss-Newton on the difference of blurred pictures, for displacements of a few pixels.
    """

    def blurred(values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool3d(values, (1, 6, 6), (1, 2, 2)).flatten(1)

    wanted, probes = blurred(frames), [(name, k, size) for name, size in (("x", 1.0), ("y", 1.0), ("angle", 0.1)) for k in range(specs.shape.shape[1])]
    for _ in range(rounds):
        here, slopes = blurred(render(specs, seconds)), []
        for name, k, size in probes:
            moved = getattr(specs, name).clone()
            moved[:, k] += size
            slopes.append(blurred(render(dataclasses.replace(specs, **{name: moved}), seconds)) - here)
        slope = torch.stack(slopes, 1)
        damping = 0.01 * torch.eye(len(probes), device=slope.device)
        change = torch.linalg.solve(slope @ slope.mT + damping, slope @ (wanted - here)[..., None])[..., 0].clamp(-3, 3)
        values = {name: getattr(specs, name).clone() for name in ("x", "y", "angle")}
        for i, (name, k, size) in enumerate(probes):
            values[name][:, k] += size * change[:, i]
        specs = dataclasses.replace(specs, **values)
    return specs


def times(frames: int = WINDOW, start: float = 0.0) -> torch.Tensor:
    return start + torch.arange(frames) / FPS


def to_uint8(frames: torch.Tensor) -> torch.Tensor:
    """(n, 3, T, H, W) in 0..1 to (n, T, H, W, 3) uint8, rounded as the renderer rounds its frames."""
    return (frames.permute(0, 2, 3, 4, 1) * 255).round().clamp(0, 255).to(torch.uint8)


def sheet(videos, columns: int = 6, path: str | None = None):
    """A contact sheet: one row per clip of (T, H, W, 3) uint8, `columns` frames evenly spaced. Returns a PIL image."""
    from PIL import Image

    rows = []
    for video in videos:
        video = np.asarray(video)
        rows.append(np.concatenate([video[int(round(i))] for i in np.linspace(0, len(video) - 1, columns)], axis=1))
    image = Image.fromarray(np.concatenate(rows, axis=0))
    if path:
        image.save(path)
    return image
