"""Random little bundles as diffusers saves them: text-to-video, and image-to-video by latent concat and by token replace."""

import argparse
import json
import pathlib

import torch
from diffusers import (
    AutoencoderKLHunyuanVideo,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoImageToVideoPipeline,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
)
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaModel,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

LATENTS = 4


def transformer(condition, guidance):
    return HunyuanVideoTransformer3DModel(
        in_channels=2 * LATENTS + 1 if condition == "latent_concat" else LATENTS,
        out_channels=LATENTS,
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=2,
        num_single_layers=1,
        num_refiner_layers=1,
        guidance_embeds=guidance,
        text_embed_dim=16,
        pooled_projection_dim=8,
        rope_axes_dim=(4, 6, 6),
        mlp_ratio=3.0,
        image_condition_type=condition,
    )


def llama_config():
    return LlamaConfig(
        hidden_size=16, intermediate_size=37, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=100,
    )


def llava():
    vision = CLIPVisionConfig(
        hidden_size=8, intermediate_size=37, projection_dim=32, num_attention_heads=4, num_hidden_layers=2,
        image_size=28, patch_size=14,
    )
    return LlavaForConditionalGeneration(
        LlavaConfig(text_config=llama_config(), vision_config=vision, image_token_index=33, pad_token_id=98)
    )


def components(condition, guidance, shift):
    clip = CLIPTextConfig(
        hidden_size=8, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4, vocab_size=1000,
        projection_dim=32,
    )
    vae = AutoencoderKLHunyuanVideo(
        in_channels=3, out_channels=3, latent_channels=LATENTS, block_out_channels=(8, 8, 16, 16), layers_per_block=2,
        norm_num_groups=4,
    )
    return {
        "transformer": transformer(condition, guidance),
        "vae": vae,
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=shift),
        "text_encoder_2": CLIPTextModel(clip),
        "tokenizer": None,
        "tokenizer_2": None,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    torch.manual_seed(0)
    pipelines = {
        "t2v": HunyuanVideoPipeline(text_encoder=LlamaModel(llama_config()), **components(None, True, 7.0)),
        "latent_concat": HunyuanVideoImageToVideoPipeline(
            text_encoder=llava(), image_processor=CLIPImageProcessor(), **components("latent_concat", False, 5.0)
        ),
        "token_replace": HunyuanVideoImageToVideoPipeline(
            text_encoder=llava(), image_processor=CLIPImageProcessor(), **components("token_replace", True, 17.0)
        ),
    }
    for name, pipeline in pipelines.items():
        # Small shards: every component but the smallest is then split with an index.
        pipeline.save_pretrained(output / name, max_shard_size="40KB")
        parameters = {
            part: sum(tensor.numel() for tensor in module.state_dict().values())
            for part, module in pipeline.components.items()
            if isinstance(module, torch.nn.Module)
        }
        (output / name / "expected.json").write_text(json.dumps({"parameters": parameters}))


if __name__ == "__main__":
    main()
