"""Writes reference data for the text encoders: small models of transformers with random weights, and their outputs.

One folder per case: config.json and model.safetensors as a bundle stores them, reference.safetensors with inputs and
outputs. Weights are scaled so that every term of a layer moves the result.
"""

import argparse
import contextlib
import json
import shutil
import unittest.mock
from pathlib import Path

import sklearn.datasets
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    LlavaConfig,
    LlavaForConditionalGeneration,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil


def randomise(model, seed):
    """Random weights under which no layer, bias or norm is negligible."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name or "layrnorm" in name:
            parameter.data = noise * 0.3 + (1.0 if name.endswith("weight") else 0.0)
        elif "embed" in name:
            parameter.data = noise * 0.7
        elif parameter.dim() == 1:
            parameter.data = noise * 0.3
        else:
            parameter.data = noise * 1.3 / parameter[0].numel() ** 0.5
    return model.eval()


def save(model, folder, **tensors):
    model.save_pretrained(folder)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "reference.safetensors")


def rename_keys(folder, rename):
    """Stores the same weights under the names that another version of transformers gives them."""
    tensors = load_file(folder / "model.safetensors")
    save_file({rename(name): tensor for name, tensor in tensors.items()}, folder / "model.safetensors")


def llama_config(**changes):
    fields = dict(
        vocab_size=97, hidden_size=48, intermediate_size=56, num_hidden_layers=4, num_attention_heads=6, num_key_value_heads=2,
        head_dim=10, rms_norm_eps=1e-5, max_position_embeddings=512, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
    )  # fmt: skip
    return LlamaConfig(**(fields | changes))


def llama_outputs(model, ids, padded_length):
    """Hidden states of the valid rows of a prompt that is padded on the right."""
    padded = torch.zeros(1, padded_length, dtype=torch.long)
    padded[0, : len(ids)] = ids
    mask = torch.zeros_like(padded)
    mask[0, : len(ids)] = 1
    with torch.no_grad():
        states = model(input_ids=padded, attention_mask=mask, output_hidden_states=True, use_cache=False).hidden_states
    return [state[:, : len(ids)] for state in states]


def write_llama(output):
    cases = {
        "gqa": llama_config(),
        "biased": llama_config(attention_bias=True, mlp_bias=True, num_key_value_heads=6, head_dim=8, hidden_act="gelu"),
        "linear": llama_config(rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}),
        "dynamic": llama_config(
            rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}, max_position_embeddings=16
        ),
        "llama3": llama_config(
            head_dim=16, num_key_value_heads=3,
            rope_parameters={
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64, "rope_theta": 10000.0,
            },
        ),
    }  # fmt: skip
    for seed, (name, config) in enumerate(cases.items()):
        folder = output / f"llama_{name}"
        model = randomise(LlamaModel(config), seed)
        ids = torch.randint(3, 97, (29,), generator=torch.Generator().manual_seed(seed))
        states = llama_outputs(model, ids, padded_length=40)
        half = llama_outputs(randomise(LlamaModel(config), seed).to(torch.bfloat16), ids, padded_length=40)
        # Of the rope tables the tests also see the angles alone.
        cos, sin = LlamaModel(config).rotary_emb(torch.zeros(1), torch.arange(40)[None])
        save(
            model, folder, ids=ids, cos=cos[0], sin=sin[0], bf16_skip2=half[-3], bf16_skip0=half[-1],
            **{f"skip{skip}": states[-1 - skip] for skip in range(5)},
        )  # fmt: skip

    # The same model as a causal language model, with a config as transformers 4 wrote it.
    folder = output / "llama_version4"
    shutil.copytree(output / "llama_llama3", folder)
    LlamaForCausalLM(cases["llama3"]).save_pretrained(folder)
    tensors = load_file(output / "llama_llama3/model.safetensors")
    save_file(
        {f"model.{name}": tensor for name, tensor in tensors.items()} | {"lm_head.weight": torch.zeros(97, 48)},
        folder / "model.safetensors",
    )
    config = json.loads((folder / "config.json").read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope
    (folder / "config.json").write_text(json.dumps(config))


def write_clip_text(output):
    fields = dict(
        vocab_size=120, hidden_size=30, intermediate_size=44, num_hidden_layers=3, num_attention_heads=5,
        max_position_embeddings=77, bos_token_id=118, pad_token_id=1,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    for name, kind, eos, activation, pad, end in [
        ("quick_gelu_legacy_eos", CLIPTextModel, 2, "quick_gelu", 119, 119),
        ("gelu", CLIPTextModelWithProjection, 119, "gelu", 119, 119),
        # An added token above the end-of-text token: the legacy rule and the present one differ.
        ("added_token", CLIPTextModel, 117, "quick_gelu", 0, 117),
    ]:
        model = randomise(kind(CLIPTextConfig(eos_token_id=eos, hidden_act=activation, **fields)), 11)
        ids = torch.full((1, 77), pad)
        ids[0, 0] = 118
        ids[0, 1:20] = torch.randint(3, 117, (19,), generator=generator)
        ids[0, 20] = end
        text_model = model.text_model if hasattr(model, "text_model") else model
        half = randomise(kind(CLIPTextConfig(eos_token_id=eos, hidden_act=activation, **fields)), 11).to(torch.bfloat16)
        half = half.text_model if hasattr(half, "text_model") else half
        with torch.no_grad():
            save(
                model, output / f"clip_text_{name}", ids=ids[0], pooled=text_model(ids).pooler_output,
                bf16_pooled=half(ids).pooler_output,
            )  # fmt: skip


def llava_config(**changes):
    fields = dict(
        vision_config=CLIPVisionConfig(
            hidden_size=36, intermediate_size=50, num_hidden_layers=4, num_attention_heads=3, image_size=20, patch_size=4
        ),
        text_config=llama_config(num_hidden_layers=3), image_token_index=95, pad_token_id=0,
    )  # fmt: skip
    return LlavaConfig(**(fields | changes))


def version5_name(name):
    """The names that modules have inside transformers 5 (a state_dict() saved as it is)."""
    for old, new in [
        ("language_model.model.", "model.language_model."),
        ("language_model.lm_head.", "lm_head."),
        ("vision_tower.", "model.vision_tower."),
        ("multi_modal_projector.", "model.multi_modal_projector."),
    ]:
        if name.startswith(old):
            return new + name[len(old) :]
    return name


def version4_name(name):
    """transformers 4.x had one more level inside the vision tower."""
    return name.replace("vision_tower.", "vision_tower.vision_model.") if name.startswith("vision_tower.") else name


def write_llava(output):
    cases = {
        "default": (llava_config(), None),
        "full": (llava_config(vision_feature_select_strategy="full", vision_feature_layer=-1), version4_name),
        "layers": (llava_config(vision_feature_layer=[-2, 1], multimodal_projector_bias=False), version5_name),
    }
    for seed, (name, (config, rename)) in enumerate(cases.items()):
        model = randomise(LlavaForConditionalGeneration(config), 20 + seed)
        generator = torch.Generator().manual_seed(seed)
        pixels = torch.randn(1, 3, 20, 20, generator=generator)
        rows = 26 if name == "full" else 25
        text = torch.randint(3, 94, (17,), generator=generator)
        ids = torch.cat([text[:5], torch.full((rows,), 95), text[5:]])
        padded = torch.cat([ids, torch.zeros(9, dtype=torch.long)])[None]
        inputs = dict(input_ids=padded, attention_mask=(padded != 0).long(), output_hidden_states=True)
        half = randomise(LlavaForConditionalGeneration(config), 20 + seed).to(torch.bfloat16)
        with torch.no_grad():
            states = model(pixel_values=pixels, **inputs).hidden_states
            features = model.get_image_features(pixels).pooler_output[0]
            half_states = half(pixel_values=pixels.to(torch.bfloat16), **inputs).hidden_states
        valid = len(ids)
        folder = output / f"llava_{name}"
        save(
            model, folder, pixels=pixels, ids=ids, features=features[None], skip2=states[-3][:, :valid],
            skip0=states[-1][:, :valid], bf16_skip2=half_states[-3][:, :valid],
        )  # fmt: skip
        if rename:
            rename_keys(folder, rename)


def photograph():
    images = sklearn.datasets.load_sample_images()
    return images.images[[Path(name).name for name in images.filenames].index("china.jpg")]


@contextlib.contextmanager
def horizontal_pass_first():
    """Lets Pillow resize along x and then along y, as it did up to version 12 for every size; 13 swaps some."""
    resize = Image.Image.resize

    def in_two_calls(image, size, *args, **kwargs):
        return resize(resize(image, (size[0], image.height), *args, **kwargs), size, *args, **kwargs)

    with unittest.mock.patch.object(Image.Image, "resize", in_two_calls):
        yield


def write_images(output):
    photo = photograph()
    tensors = {}
    processors = {
        "clip336": dict(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}),
        "tiny": dict(size={"shortest_edge": 20}, crop_size={"height": 20, "width": 20}),
        "padded": dict(size={"shortest_edge": 20}, crop_size={"height": 27, "width": 24}),
        "square": dict(size={"height": 31, "width": 45}, do_center_crop=False, do_normalize=False),
        "old": dict(size=24, crop_size=24),
    }
    crops = {
        "photo": photo,
        "tall": photo[20:420, 300:411],
        "small": photo[100:117, 200:223],
        "same": photo[:20, :20],
    }
    folder = output / "images"
    folder.mkdir(parents=True)
    for crop_name, pixels in crops.items():
        tensors[crop_name] = torch.from_numpy(pixels.copy())
        for name, fields in processors.items():
            image = Image.fromarray(pixels)
            tensors[f"{crop_name}.{name}"] = CLIPImageProcessor(**fields)(image, return_tensors="pt").pixel_values
            with horizontal_pass_first():
                pillow = CLIPImageProcessorPil(**fields)(image, return_tensors="pt").pixel_values
            tensors[f"{crop_name}.{name}.pillow"] = pillow.float()
    for name, fields in processors.items():
        CLIPImageProcessor(**fields).save_pretrained(folder / name)
    # Configs from before 4.20 give sizes as numbers.
    path = folder / "old/preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"size": 24, "crop_size": 24}))
    save_file(tensors, folder / "reference.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    output = parser.parse_args().output
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    write_llama(output)
    write_clip_text(output)
    write_llava(output)
    write_images(output)


if __name__ == "__main__":
    main()
