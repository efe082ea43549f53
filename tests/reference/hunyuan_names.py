"""Names and shapes of HunyuanVideo's transformer and VAE as they are published, and diffusers' own ways back.

Written from the modules of Tencent/HunyuanVideo and from ComfyUI's renaming; `check` puts every set through diffusers'
converter and compares the result with the model that diffusers builds, so that a name that is wrong here is found.
"""

import dataclasses
import inspect
import struct
import textwrap

import torch
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoTransformer3DModel
from diffusers.loaders import single_file_utils


@dataclasses.dataclass
class Size:
    hidden: int = 3072
    head: int = 128
    mlp: int = 12288
    refiner_mlp: int = 12288
    double: int = 20
    single: int = 40
    refiner: int = 2
    channels: int = 16
    out: int = 16
    text: int = 4096
    pooled: int = 768
    guidance: bool = True
    condition: str | None = None


def tencent_shapes(size):
    shapes = {}

    def layer(name, out, into):
        shapes[f"{name}.weight"] = (out, into)
        shapes[f"{name}.bias"] = (out,)

    hidden = size.hidden
    shapes["img_in.proj.weight"] = (hidden, size.channels, 1, 2, 2)
    shapes["img_in.proj.bias"] = (hidden,)
    embedders = ["time_in", "guidance_in"] if size.guidance else ["time_in"]
    for name in embedders:
        layer(f"{name}.mlp.0", hidden, 256)
        layer(f"{name}.mlp.2", hidden, hidden)
    layer("vector_in.in_layer", hidden, size.pooled)
    layer("vector_in.out_layer", hidden, hidden)
    layer("txt_in.input_embedder", hidden, size.text)
    layer("txt_in.t_embedder.mlp.0", hidden, 256)
    layer("txt_in.t_embedder.mlp.2", hidden, hidden)
    layer("txt_in.c_embedder.linear_1", hidden, size.text)
    layer("txt_in.c_embedder.linear_2", hidden, hidden)
    for i in range(size.refiner):
        block = f"txt_in.individual_token_refiner.blocks.{i}"
        for norm in ("norm1", "norm2"):
            shapes[f"{block}.{norm}.weight"] = shapes[f"{block}.{norm}.bias"] = (hidden,)
        layer(f"{block}.self_attn_qkv", 3 * hidden, hidden)
        layer(f"{block}.self_attn_proj", hidden, hidden)
        layer(f"{block}.mlp.fc1", size.refiner_mlp, hidden)
        layer(f"{block}.mlp.fc2", hidden, size.refiner_mlp)
        layer(f"{block}.adaLN_modulation.1", 2 * hidden, hidden)
    for i in range(size.double):
        for side in ("img", "txt"):
            block = f"double_blocks.{i}.{side}"
            layer(f"{block}_mod.linear", 6 * hidden, hidden)
            layer(f"{block}_attn_qkv", 3 * hidden, hidden)
            shapes[f"{block}_attn_q_norm.weight"] = shapes[f"{block}_attn_k_norm.weight"] = (size.head,)
            layer(f"{block}_attn_proj", hidden, hidden)
            layer(f"{block}_mlp.fc1", size.mlp, hidden)
            layer(f"{block}_mlp.fc2", hidden, size.mlp)
    for i in range(size.single):
        block = f"single_blocks.{i}"
        layer(f"{block}.linear1", 3 * hidden + size.mlp, hidden)
        layer(f"{block}.linear2", hidden, hidden + size.mlp)
        shapes[f"{block}.q_norm.weight"] = shapes[f"{block}.k_norm.weight"] = (size.head,)
        layer(f"{block}.modulation.linear", 3 * hidden, hidden)
    layer("final_layer.linear", 4 * size.out, hidden)
    layer("final_layer.adaLN_modulation.1", 2 * hidden, hidden)
    return shapes


# ComfyUI's own renaming of Tencent's names, in its order (comfy/supported_models.py).
COMFY = [
    ("txt_in.t_embedder.mlp.0.", "txt_in.t_embedder.in_layer."),
    ("txt_in.t_embedder.mlp.2.", "txt_in.t_embedder.out_layer."),
    ("txt_in.c_embedder.linear_1.", "txt_in.c_embedder.in_layer."),
    ("txt_in.c_embedder.linear_2.", "txt_in.c_embedder.out_layer."),
    ("_mod.linear.", "_mod.lin."),
    ("_attn_qkv.", "_attn.qkv."),
    ("mlp.fc1.", "mlp.0."),
    ("mlp.fc2.", "mlp.2."),
    ("_attn_q_norm.weight", "_attn.norm.query_norm.scale"),
    ("_attn_k_norm.weight", "_attn.norm.key_norm.scale"),
    (".q_norm.weight", ".norm.query_norm.scale"),
    (".k_norm.weight", ".norm.key_norm.scale"),
    ("_attn_proj.", "_attn.proj."),
    (".modulation.linear.", ".modulation.lin."),
    ("_in.mlp.2.", "_in.out_layer."),
    ("_in.mlp.0.", "_in.in_layer."),
]


def comfy_name(name):
    for old, new in COMFY:
        name = name.replace(old, new)
    return name


def transformer(size):
    third = size.head // 4 // 2 * 2
    return HunyuanVideoTransformer3DModel(
        in_channels=size.channels, out_channels=size.out, num_attention_heads=size.hidden // size.head,
        attention_head_dim=size.head, num_layers=size.double, num_single_layers=size.single,
        num_refiner_layers=size.refiner, mlp_ratio=size.mlp / size.hidden, guidance_embeds=size.guidance,
        text_embed_dim=size.text, pooled_projection_dim=size.pooled, image_condition_type=size.condition,
        rope_axes_dim=(size.head - 2 * 3 * third // 2, 3 * third // 2, 3 * third // 2),
    )


def convert(state, size):
    """diffusers' converter, with this width in the place of the one it is written for."""
    source = textwrap.dedent(inspect.getsource(single_file_utils.convert_hunyuan_video_transformer_to_diffusers))
    assert "hidden_size = 3072" in source
    scope = {"torch": torch}
    exec(source.replace("hidden_size = 3072", f"hidden_size = {size.hidden}"), scope)
    return scope["convert_hunyuan_video_transformer_to_diffusers"](dict(state))


def published(state, size):
    """Tencent's state that diffusers converts to this one, found by converting the places of its numbers."""
    places, count = {}, 0
    for name, shape in tencent_shapes(size).items():
        numbers = torch.Size(shape).numel()
        places[name] = torch.arange(count, count + numbers, dtype=torch.float64).reshape(shape)
        count += numbers
    flat = torch.full((count,), float("nan"))
    for name, where in convert(places, size).items():
        flat[where.long().flatten()] = state[name].flatten()
    assert not flat.isnan().any()
    return {name: flat[place.long()] for name, place in places.items()}


def write_gguf(path, state):
    """fp32 tensors as GGUF, version 3. One of five dimensions is flattened to two, as ComfyUI's converter does."""
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    header = b"GGUF" + struct.pack("<IQQ", 3, len(state), 1) + text("general.architecture") + struct.pack("<I", 8) + text("hyvid")
    data = b""
    for name, value in state.items():
        value = value.flatten(1) if value.dim() > 4 else value
        header += text(name) + struct.pack("<I", value.dim())
        header += struct.pack(f"<{value.dim()}Q", *reversed(value.shape)) + struct.pack("<IQ", 0, len(data))
        data += value.contiguous().numpy().tobytes()
        data += bytes(-len(data) % 32)
    path.write_bytes(header + bytes(-len(header) % 32) + data)


def shapes_of(state):
    return {name: tuple(value.shape) for name, value in state.items()}


def check(size):
    """(published, diffusers): names -> shapes, found to belong together by diffusers."""
    published = tencent_shapes(size)
    with torch.device("meta"):
        converted = convert({name: torch.empty(shape) for name, shape in published.items()}, size)
        expected = shapes_of(transformer(size).state_dict())
    assert shapes_of(converted) == expected
    return published, expected


def ldm_vae_name(name, levels):
    """A name of diffusers as latent diffusion's (and ComfyUI's) VAE has it."""
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    for i in range(levels):
        name = name.replace(f"down_blocks.{i}.resnets.", f"down.{i}.block.")
        name = name.replace(f"down_blocks.{i}.downsamplers.0.conv.", f"down.{i}.downsample.conv.")
        name = name.replace(f"up_blocks.{i}.resnets.", f"up.{levels - 1 - i}.block.")
        name = name.replace(f"up_blocks.{i}.upsamplers.0.conv.", f"up.{levels - 1 - i}.upsample.conv.")
    for i in range(2):
        name = name.replace(f"mid_block.resnets.{i}.", f"mid.block_{i + 1}.")
    name = name.replace("mid_block.attentions.0.group_norm.", "mid.attn_1.norm.")
    for ours, theirs in (("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
        name = name.replace(f"mid_block.attentions.0.{ours}.", f"mid.attn_1.{theirs}.")
    return name


def ldm_vae(state, levels):
    published = {}
    for name, value in state.items():
        attention = "attentions.0.to_" in name and name.endswith(".weight")
        published[ldm_vae_name(name, levels)] = value[:, :, None, None] if attention else value
    return published


# Causal convolutions are a module with a convolution in it; diffusers' converter knows these without.
CAUSAL = ("conv_in", "conv_out", "downsample.conv", "upsample.conv", "downsamplers.0.conv", "upsamplers.0.conv")


def without_causal(name):
    for module in CAUSAL:
        name = name.replace(f".{module}.conv.", f".{module}.")
    return name


def check_vae(**config):
    """The VAE's state under both sets of names, found to belong together by diffusers."""
    vae = AutoencoderKLHunyuanVideo(**config)
    state = {name: value.detach() for name, value in vae.state_dict().items()}
    levels = len(vae.config.block_out_channels)
    published = ldm_vae(state, levels)
    back = single_file_utils.convert_ldm_vae_checkpoint(
        {without_causal(name): value for name, value in published.items()}, {"down_block_types": [None] * levels, "up_block_types": [None] * levels}
    )
    assert shapes_of(back) == shapes_of({without_causal(name): value for name, value in state.items()})
    assert all(torch.equal(back[without_causal(name)], value) for name, value in state.items() if not value.is_meta)
    return published, state
