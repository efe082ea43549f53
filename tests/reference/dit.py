"""Reference data for the diffusion transformer: diffusers' HunyuanVideoTransformer3DModel on random weights.

Each case is a folder with transformer/ (config.json and weights, as diffusers saves them) and data.safetensors (inputs,
one forward in fp32 and bf16, the latents after each of four sampler steps). Weights are scaled so that every term
matters: the script itself fails when zeroing any parameter would change the output by less than five times the tolerance
of the comparison.
"""

import argparse
import pathlib
from dataclasses import dataclass, field

import numpy
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, HunyuanVideoTransformer3DModel
from safetensors.torch import save_file

STEPS = 4
SHIFT = 5.0
FORWARD_STEP = 2  # the step whose single forward is compared
TOLERANCE = 1e-4  # of the fp32 comparison, relative


@dataclass
class Case:
    name: str
    heads: int
    head_dim: int
    rope: tuple
    latents: tuple  # L, h, w
    text: int
    padding: int = 5  # masked text tokens behind the valid ones
    channels: int = 16
    condition: str | None = None
    condition_frames: int = 1
    guidance: float | None = None
    blocks: tuple = (2, 2, 2)  # double, single, refiner
    mlp_ratio: float = 4.0
    every_term: bool = False
    extra: dict = field(default_factory=dict)

    def config(self):
        concat = self.condition == "latent_concat"
        return dict(
            in_channels=2 * self.channels + 1 if concat else self.channels,
            out_channels=self.channels,
            num_attention_heads=self.heads,
            attention_head_dim=self.head_dim,
            num_layers=self.blocks[0],
            num_single_layers=self.blocks[1],
            num_refiner_layers=self.blocks[2],
            mlp_ratio=self.mlp_ratio,
            guidance_embeds=self.guidance is not None,
            text_embed_dim=44,
            pooled_projection_dim=20,
            rope_axes_dim=self.rope,
            image_condition_type=self.condition,
            **self.extra,
        )


CASES = [
    Case("t2v", 3, 16, (4, 6, 6), (3, 4, 6), 13, guidance=8.0, every_term=True),
    Case("t2v_wide", 5, 24, (4, 12, 8), (5, 4, 14), 40, guidance=6.0, mlp_ratio=2.5, blocks=(1, 3, 1)),
    Case("t2i", 4, 32, (8, 12, 12), (1, 10, 6), 7, channels=4, padding=0, extra=dict(rope_theta=10000.0)),
    Case("concat", 3, 32, (8, 12, 12), (4, 4, 6), 13, condition="latent_concat", every_term=True),
    Case("concat_prefix", 5, 16, (2, 10, 4), (7, 6, 6), 40, condition="latent_concat", condition_frames=3, padding=9),
    Case("concat_one_word", 2, 24, (8, 8, 8), (2, 2, 2), 1, condition="latent_concat", blocks=(3, 0, 2)),
    Case("replace", 3, 16, (4, 6, 6), (3, 4, 6), 13, condition="token_replace", guidance=8.0, every_term=True),
    Case("replace_wide", 5, 24, (4, 8, 12), (5, 10, 4), 40, condition="token_replace", guidance=8.0, blocks=(1, 2, 1)),
    Case("replace_no_guidance", 3, 32, (8, 12, 12), (2, 6, 4), 7, condition="token_replace", blocks=(0, 2, 1)),
    # Heads that many ranks divide, tokens that few do.
    Case("t2v_split", 12, 16, (4, 6, 6), (5, 6, 10), 7, guidance=8.0, blocks=(1, 2, 1)),
    Case("concat_split", 12, 16, (4, 6, 6), (5, 6, 10), 7, condition="latent_concat", blocks=(1, 2, 1)),
    Case("concat_four_split", 12, 16, (4, 6, 6), (7, 6, 6), 5, condition="latent_concat", condition_frames=4, blocks=(1, 2, 1)),
    Case("replace_split", 12, 16, (4, 6, 6), (5, 6, 10), 7, condition="token_replace", guidance=8.0, blocks=(1, 2, 1)),
]


def random_weights(model, generator):
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() >= 2:
            value = noise / parameter[0].numel() ** 0.5
            if "norm" in name:  # modulation: shifts, scales and gates of order one
                value *= 2
        elif name.endswith("weight"):
            value = 1 + 0.3 * noise
        else:
            value = 0.3 * noise
        parameter.data.copy_(value)


class Run:
    """Inputs of a case and the calls that diffusers' pipelines would make with them."""

    def __init__(self, case, generator):
        def randn(*shape):
            return torch.randn(shape, generator=generator)

        frames, height, width = case.latents
        self.case = case
        self.noise = randn(1, case.channels, frames, height, width)
        self.condition = randn(1, case.channels, case.condition_frames, height, width)
        self.states = randn(1, case.text + case.padding, 44)
        self.states[:, case.text :] *= 30  # padding must not leak, however large
        self.mask = torch.ones(1, case.text + case.padding)
        self.mask[:, case.text :] = 0
        self.pooled = randn(1, 20)

    def model_input(self, latents):
        condition = torch.zeros_like(latents)
        condition[:, :, : self.case.condition_frames] = self.condition
        mask = torch.zeros_like(latents[:, :1])
        mask[:, :, : self.case.condition_frames] = 1
        if self.case.condition == "latent_concat":
            return torch.cat([latents, condition, mask], dim=1)
        if self.case.condition == "token_replace":
            return torch.cat([self.condition, latents[:, :, 1:]], dim=2)
        return latents

    def velocity(self, model, latents, timestep):
        dtype = model.dtype
        guidance = None
        if self.case.guidance is not None:
            # In bf16 this makes 6016 of a scale of 6, another point of the sinusoid; 8000 is exact in both types.
            guidance = torch.tensor([self.case.guidance], dtype=dtype) * 1000.0
        return model(
            hidden_states=self.model_input(latents).to(dtype),
            timestep=timestep.expand(1).to(torch.float32),
            encoder_hidden_states=self.states.to(dtype),
            encoder_attention_mask=self.mask.to(dtype),
            pooled_projections=self.pooled.to(dtype),
            guidance=guidance,
            return_dict=False,
        )[0]

    def scheduler(self):
        scheduler = FlowMatchEulerDiscreteScheduler(shift=SHIFT)
        scheduler.set_timesteps(sigmas=numpy.linspace(1.0, 0.0, STEPS + 1)[:-1])
        return scheduler

    def denoise(self, model):
        scheduler = self.scheduler()
        latents = self.noise
        history = []
        for timestep in scheduler.timesteps:
            velocity = self.velocity(model, latents, timestep)
            if self.case.condition == "token_replace":
                moving = scheduler.step(velocity[:, :, 1:], timestep, latents[:, :, 1:], return_dict=False)[0]
                latents = torch.cat([self.condition, moving], dim=2)
            else:
                latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
            history.append(latents)
        return history


def relative_error(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


def expect_every_term_matters(model, forward):
    whole = forward()
    for name, parameter in model.named_parameters():
        # A bias on unnormed keys moves all logits of a query alike: softmax does not see it.
        if name.startswith("context_embedder") and name.endswith("to_k.bias"):
            continue
        kept = parameter.data.clone()
        parameter.data.fill_(1 if parameter.dim() == 1 and name.endswith("weight") else 0)
        change = relative_error(forward(), whole)
        parameter.data.copy_(kept)
        if change < 5 * TOLERANCE:
            raise SystemExit(f"dit reference: without {name} the output changes by {change:.1e} only")


@torch.no_grad()
def write_case(case, folder, seed):
    generator = torch.Generator().manual_seed(seed)
    model = HunyuanVideoTransformer3DModel(**case.config()).eval()
    random_weights(model, generator)
    model.save_pretrained(folder / "transformer")
    run = Run(case, generator)
    timestep = run.scheduler().timesteps[FORWARD_STEP]
    forward = lambda: run.velocity(model, run.noise, timestep)  # noqa: E731
    if case.every_term:
        expect_every_term_matters(model, forward)
    data = {
        "noise": run.noise,
        "condition": run.condition,
        "states": run.states[0, : case.text].clone(),
        "pooled": run.pooled[0].clone(),
        "guidance": torch.tensor([case.guidance or 0.0]),
        "model_input": run.model_input(run.noise),
        "velocity_fp32": forward(),
    }
    for step, latents in enumerate(run.denoise(model)):
        data[f"latents_{step}"] = latents
    model.to(torch.bfloat16)
    data["velocity_bf16"] = forward().float()
    print(f"{case.name}: diffusers bf16 against its fp32: "
          f"{relative_error(data['velocity_bf16'], data['velocity_fp32']):.2e}")
    save_file({name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in data.items()}, folder / "data.safetensors")


def write_schedules(path):
    data = {}
    for steps in (1, 2, 3, 4, 6, 7, 50):
        for shift in (1.0, 3.0, 5.0, 7.0, 17.0):
            scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
            scheduler.set_timesteps(sigmas=numpy.linspace(1.0, 0.0, steps + 1)[:-1])
            data[f"sigmas.{steps}.{shift:g}"] = scheduler.sigmas
            data[f"timesteps.{steps}.{shift:g}"] = scheduler.timesteps
    save_file({name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in data.items()}, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    write_schedules(output / "schedules.safetensors")
    for seed, case in enumerate(CASES):
        (output / case.name).mkdir(exist_ok=True)
        write_case(case, output / case.name, seed)


if __name__ == "__main__":
    main()
