"""Writes small whole bundles, and what diffusers' pipelines render from them: final latents and decoded frames.

One folder per family (t2v, latent_concat, token_replace) as diffusers saves it, with reelfarm.json, and beside each
NAME.safetensors with the noise, the final latents and the frames. The weights are random, at a scale at which every term
matters, so that agreement means that every stage agrees.
"""

import argparse
import json
import pathlib
import shutil

import hunyuan_names
import torch
from diffusers import (
    AutoencoderKLHunyuanVideo,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoImageToVideoPipeline,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
)
from PIL import Image
from safetensors.torch import save_file
from text_encoders import horizontal_pass_first, llama_config, photograph, randomise
from text_prompts import (
    IMAGE,
    IMAGE_TO_VIDEO,
    VIDEO,
    clip_text_model,
    clip_tokenizer,
    image_prompt,
    language_fields,
    llama_tokenizer,
    llava_model,
    tokens_before,
    tower_processor,
)
from transformers import LlamaModel

WIDTH, HEIGHT, FRAMES, STEPS, SHIFT, GUIDANCE = 96, 64, 17, 4, 5.0, 6.0
PROMPT = "A cat walks on the grass, realistic style."
CHANNELS = 16
# Of the transformers below, for their published names.
SIZE = hunyuan_names.Size(hidden=48, head=16, mlp=192, refiner_mlp=192, double=2, single=2, refiner=1, text=48, pooled=24)


def transformer(condition, seed):
    model = HunyuanVideoTransformer3DModel(
        in_channels=2 * CHANNELS + 1 if condition == "latent_concat" else CHANNELS, out_channels=CHANNELS,
        num_attention_heads=3, attention_head_dim=16, num_layers=2, num_single_layers=2, num_refiner_layers=1,
        text_embed_dim=48, pooled_projection_dim=24, rope_axes_dim=(4, 6, 6), image_condition_type=condition,
        guidance_embeds=condition != "latent_concat",
    )  # fmt: skip
    randomise(model, seed)
    # Velocities of about unit size: latents then stay where a VAE expects them.
    model.proj_out.weight.data /= 1000
    model.proj_out.bias.data /= 1000
    return model


def vae(seed):
    model = AutoencoderKLHunyuanVideo(
        latent_channels=CHANNELS, block_out_channels=(8, 8, 16, 16), layers_per_block=1, norm_num_groups=4
    )
    return randomise(model, seed)


def other_parts(condition, seed):
    return dict(
        transformer=transformer(condition, seed), vae=vae(seed + 1), scheduler=FlowMatchEulerDiscreteScheduler(shift=SHIFT)
    )


def settings(**changes):
    defaults = dict(steps=STEPS, shift=SHIFT, guidance=GUIDANCE, width=WIDTH, height=HEIGHT, window_frames=FRAMES)
    return dict(schema=1, distilled=True, defaults=defaults) | changes


def render(pipeline, seed, **arguments):
    """Final latents by the pipeline itself, and the frames of all of them: the pipeline would drop the first four."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, CHANNELS, (FRAMES - 1) // 4 + 1, HEIGHT // 8, WIDTH // 8, generator=generator)
    final = {}

    def keep(_, step, __, tensors):
        final["latents"] = tensors["latents"]
        return tensors

    with torch.no_grad(), horizontal_pass_first():
        pipeline(
            prompt=PROMPT, width=WIDTH, height=HEIGHT, num_frames=FRAMES, num_inference_steps=STEPS, guidance_scale=GUIDANCE,
            latents=noise.clone(), output_type="latent", callback_on_step_end=keep, **arguments,
        )  # fmt: skip
        video = pipeline.vae.decode(final["latents"] / pipeline.vae.config.scaling_factor).sample
    frames = (video / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 3, 0)
    assert torch.isfinite(final["latents"]).all()
    print(f"latents std {final['latents'].std():.3f}, frames mean {frames.mean():.3f} std {frames.std():.3f}")
    return {"initial_latents": noise, "latents": final["latents"].contiguous(), "video": frames.contiguous()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    photo = Image.fromarray(photograph())
    photo.save(output / "photo.png")
    # Already of the video's size: how an image is fitted is not diffusers' business.
    fitted = photo.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    fitted.save(output / "fitted.png")
    tokenizer, tokenizer_2 = llama_tokenizer(), clip_tokenizer()

    pipeline = HunyuanVideoPipeline(
        text_encoder=randomise(LlamaModel(llama_config(**language_fields(tokenizer))), 40), tokenizer=tokenizer,
        text_encoder_2=clip_text_model(tokenizer_2), tokenizer_2=tokenizer_2, **other_parts(None, 41),
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(output / "t2v")
    (output / "t2v" / "reelfarm.json").write_text(json.dumps(settings()))
    template = {"template": VIDEO, "crop_start": tokens_before(tokenizer, VIDEO)}
    save_file(render(pipeline, 42, prompt_template=template), output / "t2v.safetensors")

    published = hunyuan_names.published(pipeline.transformer.state_dict(), SIZE)
    torch.save({"module": published}, output / "t2v.pt")
    hunyuan_names.write_gguf(output / "t2v.gguf", published)

    for number, (condition, interleave) in enumerate([("latent_concat", 2), ("token_replace", 4)]):
        pipeline = HunyuanVideoImageToVideoPipeline(
            text_encoder=llava_model(tokenizer, 50 + number), tokenizer=tokenizer,
            text_encoder_2=clip_text_model(tokenizer_2), tokenizer_2=tokenizer_2, image_processor=tower_processor(),
            **other_parts(condition, 60 + 10 * number),
        )  # fmt: skip
        pipeline.set_progress_bar_config(disable=True)
        folder = output / condition
        pipeline.save_pretrained(folder)
        prompt = image_prompt(tokenizer)
        changes = dict(
            image_prompt=dict(
                template=prompt["template"], crop_start=prompt["crop_start"], image_interleave=interleave,
                image_embed_start=prompt["image_emb_start"], image_embed_end=prompt["image_emb_end"],
                image_embed_length=prompt["image_emb_len"],
            )
        )  # fmt: skip
        if condition == "latent_concat":
            # The farm's tests make their first frames themselves with this one, and chain windows on several frames.
            transformer(None, 90).save_pretrained(folder / "transformer_t2i")
            changes["conditions"] = ["first", "prefix"]
            changes["overlap_frames"] = [1, 5]
            changes["t2i"] = {"steps": STEPS, "shift": SHIFT, "distilled": True,
                              "prompt": {"template": IMAGE, "crop_start": tokens_before(tokenizer, IMAGE)}}  # fmt: skip
        (folder / "reelfarm.json").write_text(json.dumps(settings(**changes)))
        reference = render(
            pipeline, 43 + number, image=fitted, prompt_template=prompt, image_embed_interleave=interleave
        )
        save_file(reference, output / f"{condition}.safetensors")


if __name__ == "__main__":
    main()
