"""Weights in the forms in which they are published: all names and shapes of the 13 B models, and small files of each form
with what diffusers' own converters make of them."""

import argparse
import collections
import json
import pathlib

import hunyuan_names
import torch
from diffusers import FluxTransformer2DModel, LTXVideoTransformer3DModel, WanTransformer3DModel
from hunyuan_names import Size
from safetensors.torch import save_file

# As the little bundles of bundles.py.
SMALL = dict(hidden=32, head=16, mlp=96, refiner_mlp=128, double=2, single=1, refiner=1, channels=4, out=4, text=16, pooled=8)
FP8 = torch.float8_e4m3fn


def write_shapes(folder):
    sizes = {
        "t2v": Size(),
        "latent_concat": Size(channels=33, guidance=False, condition="latent_concat"),
        "token_replace": Size(condition="token_replace"),
    }
    models = {}
    for name, size in sizes.items():
        published, ours = hunyuan_names.check(size)
        comfy = {hunyuan_names.comfy_name(key): shape for key, shape in published.items()}
        models[name] = {"tencent": published, "comfy": comfy, "ours": ours, "parameters": sum_of(ours)}
    with torch.device("meta"):
        published, ours = hunyuan_names.check_vae()
    models["vae"] = {"ldm": hunyuan_names.shapes_of(published), "ours": hunyuan_names.shapes_of(ours)}
    others = {
        "Wan": WanTransformer3DModel(num_layers=1, num_attention_heads=2, attention_head_dim=8, ffn_dim=8),
        "LTX-Video": LTXVideoTransformer3DModel(num_layers=1, num_attention_heads=2, attention_head_dim=8),
        "FLUX": FluxTransformer2DModel(num_layers=1, num_single_layers=1, num_attention_heads=2, attention_head_dim=8),
    }
    models["others"] = {name: list(model.state_dict()) for name, model in others.items()}
    (folder / "shapes.json").write_text(json.dumps(models))


def sum_of(shapes):
    return sum(torch.Size(shape).numel() for shape in shapes.values())


def random_state(size, dtype):
    return {name: torch.randn(shape).to(dtype) for name, shape in hunyuan_names.tencent_shapes(size).items()}


def quantised(state):
    """The products of the blocks in fp8, their scales, and what they stand for."""
    fp8, scales, meant = {}, {}, {}
    for name, value in state.items():
        if "_blocks." in name and name.endswith(".weight") and value.dim() == 2:
            scale = value.float().abs().max() / 448
            fp8[name] = (value.float() / scale).to(FP8)
            scales[name.removesuffix(".weight")] = scale
            meant[name] = (fp8[name].float() * scale).bfloat16()
        else:
            fp8[name] = meant[name] = value
    return fp8, scales, meant


def write_transformers(folder):
    size = Size(**SMALL)
    state = random_state(size, torch.bfloat16)

    def expect(name, meant):
        converted = hunyuan_names.convert(meant, size)
        save_file({key: value.contiguous() for key, value in converted.items()}, folder / f"{name}.expected.safetensors")

    def comfy(tensors, prefix):
        return {prefix + hunyuan_names.comfy_name(name): value for name, value in tensors.items()}

    expect("bf16", state)
    torch.save({"module": collections.OrderedDict(state)}, folder / "tencent.pt")
    save_file(state, folder / "kijai.safetensors")
    save_file(comfy(state, "model.diffusion_model."), folder / "comfy.safetensors")

    fp8, scales, meant = quantised(state)
    expect("scaled", meant)
    torch.save({"module": collections.OrderedDict(fp8)}, folder / "tencent_fp8.pt")
    torch.save({name: scale.reshape(1) for name, scale in scales.items()}, folder / "tencent_fp8_map.pt")
    torch.save({"module": collections.OrderedDict(fp8)}, folder / "no_map.pt")
    with_scales = comfy(fp8, "model.diffusion_model.")
    for name, scale in scales.items():
        layer = "model.diffusion_model." + hunyuan_names.comfy_name(name + ".weight").removesuffix(".weight")
        with_scales[f"{layer}.scale_weight"] = scale.clone()
        with_scales[f"{layer}.scale_input"] = torch.tensor(1.0)
    with_scales["model.diffusion_model.scaled_fp8"] = torch.zeros(2).to(FP8)
    save_file(with_scales, folder / "comfy_scaled.safetensors")

    unscaled = {name: value.to(FP8) if value.dim() == 2 and "_blocks." in name else value for name, value in state.items()}
    expect("unscaled", unscaled)
    save_file(unscaled, folder / "kijai_fp8.safetensors")

    # Magic 1-For-1: some layers of another transformer, and a VAE's that its loader sets aside.
    other = random_state(size, torch.bfloat16)
    some = {name: value for name, value in other.items() if name.startswith(("double_blocks.1.", "final_layer."))}
    expect("overlay", some)
    torch.save({"state_dict": {"model." + name: value for name, value in some.items()}}, folder / "overlay.pth")
    prefix = "hydit_unimodel.guidance_model.feedforward_model."
    trainer = {prefix + name: value for name, value in some.items()}
    trainer["vae.encoder.conv_in.conv.weight"] = torch.zeros(1)
    torch.save({"state_dict": trainer, "global_step": 7}, folder / "overlay_trainer.pth")


def write_vaes(folder):
    published, state = hunyuan_names.check_vae(
        latent_channels=4, block_out_channels=(8, 8, 16, 16), layers_per_block=2, norm_num_groups=4
    )
    save_file(state, folder / "vae.expected.safetensors")
    save_file({name: value.contiguous() for name, value in published.items()}, folder / "vae_ldm.safetensors")
    torch.save({"state_dict": {"vae." + name: value for name, value in state.items()}}, folder / "vae_tencent.pt")
    torch.save(dict(state), folder / "vae_bare.pt")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    write_shapes(output)
    write_transformers(output)
    write_vaes(output)


if __name__ == "__main__":
    main()
