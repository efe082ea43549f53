"""LoRAs of every naming for a small transformer, and the transformer with each of them merged in."""

import argparse
import collections
import inspect
import json
import pathlib
import textwrap

import hunyuan_names
import torch
from diffusers.loaders import lora_conversion_utils
from published import SMALL
from hunyuan_names import Size
from safetensors.torch import save_file

RANK = 3
SIZE = Size(**SMALL)
# Every kind of cut: rows of query, key and value, those of the MLP beside them, scale and shift in the other order.
LAYERS = [
    "double_blocks.0.img_attn_qkv", "double_blocks.1.txt_attn_qkv", "double_blocks.0.img_attn_proj",
    "double_blocks.0.img_mlp.fc1", "double_blocks.1.txt_mlp.fc2", "double_blocks.1.img_mod.linear",
    "single_blocks.0.linear1", "single_blocks.0.linear2", "single_blocks.0.modulation.linear",
    "txt_in.individual_token_refiner.blocks.0.self_attn_qkv", "txt_in.individual_token_refiner.blocks.0.mlp.fc1",
    "final_layer.adaLN_modulation.1", "time_in.mlp.0", "vector_in.in_layer",
]


def factors(state, layers):
    """layer -> (down, up), by the names that `state` has."""
    made = {}
    for layer in layers:
        out, into = state[f"{layer}.weight"].shape
        made[layer] = (torch.randn(RANK, into), torch.randn(out, RANK))
    return made


def diffusers_own(lora):
    """diffusers' converter of Tencent's names, with this width in the place of the one it is written for."""
    source = textwrap.dedent(inspect.getsource(lora_conversion_utils._convert_hunyuan_video_lora_to_diffusers))
    assert "hidden_size = 3072" in source
    scope = {"torch": torch}
    exec(source.replace("hidden_size = 3072", f"hidden_size = {SIZE.hidden}"), scope)
    return scope["_convert_hunyuan_video_lora_to_diffusers"](dict(lora))


def merged(state, parts, scale):
    """In double precision: to be compared with, rounded once, by the reader."""
    state = {name: value.double() for name, value in state.items()}
    for layer, (down, up) in parts.items():
        state[f"{layer}.weight"] += scale * up.double() @ down.double()
    return state


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    published = {name: torch.randn(shape) for name, shape in hunyuan_names.tencent_shapes(SIZE).items()}

    def ours(state):
        return {name: value.contiguous() for name, value in hunyuan_names.convert(state, SIZE).items()}

    def expect(name, state):
        save_file(state, output / f"{name}.expected.safetensors")

    base = ours(published)
    save_file(base, output / "base.safetensors")
    save_file({name: value.bfloat16() for name, value in base.items()}, output / "base_bf16.safetensors")

    # kohya's scripts (musubi-tuner): alpha / rank is part of the file.
    parts = factors(published, LAYERS)
    kohya = {}
    for layer, (down, up) in parts.items():
        flat = "lora_unet_" + layer.replace(".", "_")
        kohya |= {f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": up, f"{flat}.alpha": torch.tensor(2.0)}
    save_file(kohya, output / "kohya.safetensors")
    expect("kohya", ours(merged(published, parts, 0.7 * 2.0 / RANK)))

    # The same file under ComfyUI's names, in bf16, without alpha, and as torch.save writes it.
    comfy = {}
    for layer, (down, up) in parts.items():
        name = "diffusion_model." + hunyuan_names.comfy_name(f"{layer}.weight").removesuffix(".weight")
        comfy |= {f"{name}.lora_A.weight": down.bfloat16(), f"{name}.lora_B.weight": up.bfloat16()}
    save_file(comfy, output / "comfy.safetensors")
    torch.save(collections.OrderedDict(comfy), output / "comfy.pt")
    rounded = {layer: (down.bfloat16(), up.bfloat16()) for layer, (down, up) in parts.items()}
    expect("comfy", ours(merged(published, rounded, 1.0)))
    base_bf16 = ours({name: value.bfloat16() for name, value in published.items()})
    expect("bf16_alone", merged(base_bf16, {}, 0))
    expect("comfy_bf16", merged_by_diffusers(base_bf16, rounded, 1.0))

    # Tencent's names with PEFT's endings: what diffusers makes of them is what is added.
    tencent = {}
    for layer, (down, up) in parts.items():
        tencent |= {f"transformer.{layer}.lora_A.weight": down, f"transformer.{layer}.lora_B.weight": up}
    save_file(tencent, output / "tencent.safetensors")
    expect("tencent", merged_by_diffusers(base, parts, -1.5))

    # diffusers' own, whose alpha is in the metadata, and PEFT's.
    layers = [name.removesuffix(".weight") for name, value in base.items() if name.endswith(".weight") and value.dim() == 2]
    parts = factors(base, layers)
    diffusers = {}
    for layer, (down, up) in parts.items():
        diffusers |= {f"transformer.{layer}.lora_A.weight": down, f"transformer.{layer}.lora_B.weight": up}
    settings = {"transformer.r": RANK, "transformer.lora_alpha": 6, "transformer.use_rslora": False}
    save_file(diffusers, output / "diffusers.safetensors", {"lora_adapter_metadata": json.dumps(settings)})
    expect("diffusers", merged(base, parts, 0.25 * 6 / RANK))
    save_file(
        {f"base_model.model.{name[12:]}".replace(".weight", ".default.weight"): value for name, value in diffusers.items()},
        output / "peft.safetensors",
    )
    expect("peft", merged(base, parts, 0.25))

    # Two at once, the first at its own strength.
    both = merged(published, factors_of(kohya), 2.0 / RANK)
    expect("two", merged(ours(both), parts, 0.5))


def factors_of(kohya):
    return {
        layer: (kohya[f"lora_unet_{layer.replace('.', '_')}.lora_down.weight"], kohya[f"lora_unet_{layer.replace('.', '_')}.lora_up.weight"])
        for layer in LAYERS
    }


def merged_by_diffusers(base, parts, scale):
    lora = {}
    for layer, (down, up) in parts.items():
        lora |= {f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up}
    converted = diffusers_own(lora)
    layers = {name.removeprefix("transformer.").removesuffix(".lora_A.weight") for name in converted if ".lora_A." in name}
    ours = {
        layer: (converted[f"transformer.{layer}.lora_A.weight"], converted[f"transformer.{layer}.lora_B.weight"])
        for layer in layers
    }
    # Its converter cuts and turns the rows of both factors of these; only those of `up` are the model's.
    whole = {"norm_out.linear": "final_layer.adaLN_modulation.1"}
    refiner = "token_refiner.refiner_blocks.0.attn.to_"
    whole |= {f"context_embedder.{refiner}{part}": "txt_in.individual_token_refiner.blocks.0.self_attn_qkv" for part in "qkv"}
    for layer, theirs in whole.items():
        ours[layer] = (lora[f"{theirs}.lora_A.weight"], ours[layer][1])
    return merged(base, ours, scale)


if __name__ == "__main__":
    main()
