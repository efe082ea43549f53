"""What the training stages share: a schedule over wall-clock time, captured steps, moving averages, checkpoints in parts."""

from __future__ import annotations

import io
import math
import pathlib
import re
import time

import torch

PART_BYTES = 15 << 20  # checkpoints travel as files of at most this size


class Schedule:
    """Learning rate over the stage's wall-clock budget: warm-up by steps, flat for the share `flat`, then a cosine to `floor`."""

    def __init__(self, minutes: float, peak: float, warmup: int = 200, flat: float = 0.3, floor: float = 0.02):
        self.seconds, self.peak, self.warmup, self.flat, self.floor = minutes * 60, peak, warmup, flat, floor
        self.begin = time.monotonic()

    def fraction(self) -> float:
        return (time.monotonic() - self.begin) / self.seconds

    def rate(self, step: int) -> float:
        f = (min(self.fraction(), 1.0) - self.flat) / max(1 - self.flat, 1e-9)
        decay = 1.0 if f <= 0 else self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * f))
        return self.peak * min(1.0, (step + 1) / self.warmup) * decay


def optimizer(parameters, device: str, weight_decay: float = 0.01, betas=(0.9, 0.99)) -> torch.optim.AdamW:
    """AdamW whose rate is a tensor, so that a captured step can follow a schedule."""
    cuda = device.startswith("cuda")
    return torch.optim.AdamW(parameters, lr=torch.tensor(1e-4, device=device) if cuda else 1e-4, betas=betas, weight_decay=weight_decay, fused=cuda, capturable=cuda)


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal (Newton-Schulz), for the matrices inside the blocks; all matrices of one shape in one product.

    The update has the root mean square of AdamW's, so that both can follow one rate.
    """

    def __init__(self, parameters, device: str, momentum: float = 0.95, weight_decay: float = 0.01):
        parameters = list(parameters)
        super().__init__(parameters, dict(lr=torch.tensor(1e-4, device=device)))
        self.momentum, self.weight_decay = momentum, weight_decay
        shapes: dict[tuple, list] = {}
        for p in parameters:
            shapes.setdefault(tuple(p.shape), []).append(p)
        self.stacks = [(ps, torch.zeros(len(ps), *shape, device=device)) for shape, ps in shapes.items()]

    @torch.no_grad()
    def step(self) -> None:
        rate = self.param_groups[0]["lr"]
        for ps, mean in self.stacks:
            gradient = torch.stack([p.grad for p in ps])
            mean.lerp_(gradient, 1 - self.momentum)
            x = gradient.lerp(mean, self.momentum).bfloat16()
            tall = x.shape[1] > x.shape[2]
            x = x.mT if tall else x
            x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
            for _ in range(5):
                a = x @ x.mT
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
            update = (x.mT if tall else x).float() * (0.2 * max(x.shape[1:]) ** 0.5 * rate)
            torch._foreach_mul_(ps, 1 - self.weight_decay * rate)
            torch._foreach_sub_(ps, list(update.unbind(0)))


MATRICES = re.compile(r"(transformer_blocks|single_transformer_blocks|refiner_blocks)\.\d+\.(attn\..*|ff.*|proj_mlp|proj_out)\.weight")


def optimizers(model: torch.nn.Module, device: str) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside a transformer's blocks, AdamW for everything else that is trained."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    inside = [p for n, p in named if p.dim() == 2 and MATRICES.fullmatch(n)]
    rest = [p for n, p in named if not any(p is q for q in inside)]
    return [optimizer(rest, device)] + ([Muon(inside, device)] if inside else [])


def set_rate(opt: torch.optim.Optimizer, rate: float) -> None:
    for group in opt.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def captured(step, device: str, warmup: int = 4):
    """The step as a CUDA graph: small models are bound by launches, not by arithmetic. On the CPU the step itself."""
    if not device.startswith("cuda"):
        return step
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(warmup):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


class Half:
    """Runs modules in bfloat16 and keeps float32 master weights, which the optimizer and the average see."""

    def __init__(self, modules: list[torch.nn.Module]):
        self.live = [p for m in modules for p in m.parameters()]
        self.master = [torch.nn.Parameter(p.detach().float().clone()) for p in self.live]
        for module in modules:
            module.to(torch.bfloat16)
        for p in self.live:
            p.grad = torch.zeros_like(p)
        for p in self.master:
            p.grad = torch.zeros_like(p)

    @torch.no_grad()
    def collect(self) -> None:
        """Moves the gradients to the master weights."""
        torch._foreach_copy_([p.grad for p in self.master], [p.grad for p in self.live])
        torch._foreach_zero_([p.grad for p in self.live])

    @torch.no_grad()
    def publish(self) -> None:
        """Rounds the master weights into the modules."""
        torch._foreach_copy_([p.detach() for p in self.live], [p.detach() for p in self.master])


class Average:
    """Exponential moving average of the modules' parameters (or of `live`, their master weights), updated every `every` steps."""

    def __init__(self, modules: dict[str, torch.nn.Module], live: list[torch.Tensor] | None = None, decay: float = 0.999, every: int = 10):
        self.modules, self.decay, self.every = modules, decay**every, every
        self.live = live or [p for m in modules.values() for p in m.parameters()]
        self.mean = [p.detach().clone() for p in self.live]
        self.updates = 0

    @torch.no_grad()
    def update(self) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.mean, [p.detach() for p in self.live], 1 - decay)

    def state(self) -> dict[str, dict[str, torch.Tensor]]:
        """State dictionaries with the averages in place of the parameters."""
        out, at = {}, iter(self.mean)
        for name, module in self.modules.items():
            state = {k: v.detach().clone() for k, v in module.state_dict().items()}
            for key, _ in module.named_parameters():
                state[key] = next(at).clone()
            out[name] = state
        return out


def save(path: pathlib.Path, states: dict, dtype=torch.float16) -> list[pathlib.Path]:
    """Writes `path`.0, `path`.1, ... of at most PART_BYTES."""
    buffer = io.BytesIO()
    torch.save({k: {n: t.to(dtype).cpu() if t.is_floating_point() else t.cpu() for n, t in s.items()} if isinstance(s, dict) else s for k, s in states.items()}, buffer)
    data, parts = buffer.getbuffer(), []
    for old in path.parent.glob(path.name + ".[0-9]"):
        old.unlink()
    for i, at in enumerate(range(0, len(data), PART_BYTES)):
        part = path.with_name(f"{path.name}.{i}")
        part.write_bytes(data[at : at + PART_BYTES])
        parts.append(part)
    return parts


def load(path: pathlib.Path) -> dict:
    parts = sorted(path.parent.glob(path.name + ".[0-9]"))
    if not parts:
        raise FileNotFoundError(f"no checkpoint {path}.0: run the stage that writes it first, or name its folder with --work")
    return torch.load(io.BytesIO(b"".join(p.read_bytes() for p in parts)), map_location="cpu", weights_only=True)


def exists(path: pathlib.Path) -> bool:
    return path.with_name(path.name + ".0").exists()


def restore(module: torch.nn.Module, state: dict) -> None:
    module.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
