"""The bundle's networks: diffusers' and transformers' own classes in a small configuration, and how they are called.

The text functions repeat what HunyuanVideoImageToVideoPipeline and HunyuanVideoPipeline do with the encoders, for whole
batches of token rows; test_demo_model.py compares them with those pipelines.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoTransformer3DModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

import text
import world

LATENT_FRAMES = (world.WINDOW - 1) // 4 + 1
LATENT_HEIGHT, LATENT_WIDTH = world.HEIGHT // 8, world.WIDTH // 8
SIGMAS = (1.0, 0.9375, 5 / 6, 0.625)  # FlowMatchEuler, shift 5, four steps; the last step ends at 0
SKIP = 2  # hidden_states[-(SKIP + 1)], as HunyuanVideo reads its Llama
TEXT_WIDTH, POOLED_WIDTH = 128, 128


def vae(channels=(16, 32, 64, 64)) -> AutoencoderKLHunyuanVideo:
    return AutoencoderKLHunyuanVideo(block_out_channels=tuple(channels), layers_per_block=1, norm_num_groups=8, mid_block_add_attention=False, scaling_factor=1.0)


def i2v(heads=4, head_dim=64, double=1, single=5) -> HunyuanVideoTransformer3DModel:
    axes = {64: (16, 24, 24), 48: (16, 16, 16), 32: (8, 12, 12)}[head_dim]
    return HunyuanVideoTransformer3DModel(
        in_channels=33, out_channels=16, num_attention_heads=heads, attention_head_dim=head_dim, num_layers=double, num_single_layers=single, num_refiner_layers=1,
        guidance_embeds=False, text_embed_dim=TEXT_WIDTH, pooled_projection_dim=POOLED_WIDTH, rope_axes_dim=axes, image_condition_type="latent_concat")


def t2i(heads=4, head_dim=32, double=1, single=5) -> HunyuanVideoTransformer3DModel:
    # One token a latent: four times the arithmetic of 2 x 2 patches from the same parameters, and a single frame is cheap.
    return HunyuanVideoTransformer3DModel(
        patch_size=1, in_channels=16, out_channels=16, num_attention_heads=heads, attention_head_dim=head_dim, num_layers=double, num_single_layers=single, num_refiner_layers=1,
        guidance_embeds=False, text_embed_dim=TEXT_WIDTH, pooled_projection_dim=POOLED_WIDTH, rope_axes_dim=(8, 12, 12))


def llava(prompts: text.Prompts) -> LlavaForConditionalGeneration:
    language = LlamaConfig(
        vocab_size=len(prompts.llama), hidden_size=TEXT_WIDTH, intermediate_size=256, num_hidden_layers=5, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5,
        max_position_embeddings=256, bos_token_id=prompts.llama.bos_token_id, eos_token_id=prompts.llama.eos_token_id, pad_token_id=prompts.pad, tie_word_embeddings=False)
    vision = CLIPVisionConfig(hidden_size=64, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4, image_size=text.IMAGE_SIZE, patch_size=text.PATCH, projection_dim=64)
    config = LlavaConfig(vision_config=vision, text_config=language, image_token_index=prompts.image_token, image_seq_length=text.IMAGE_TOKENS, vision_feature_layer=-2,
                         vision_feature_select_strategy="default", pad_token_id=prompts.pad)
    return LlavaForConditionalGeneration(config)


def clip(prompts: text.Prompts) -> CLIPTextModel:
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=len(prompts.clip), hidden_size=POOLED_WIDTH, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=text.CLIP_TOKENS,
        hidden_act="quick_gelu", bos_token_id=prompts.clip.bos_token_id, eos_token_id=prompts.clip_eos, pad_token_id=prompts.clip_eos, projection_dim=POOLED_WIDTH))


def _llama(model: LlavaForConditionalGeneration, embeds: torch.Tensor) -> torch.Tensor:
    language = model.model.language_model
    position = torch.arange(embeds.shape[1], device=embeds.device)[None]
    rotary = language.rotary_emb(embeds, position_ids=position)
    # Rows are padded on the right and attention is causal, so padding needs no mask; the last SKIP layers are never read.
    for layer in language.layers[: len(language.layers) - SKIP]:
        embeds = layer(embeds, attention_mask=None, position_ids=position, position_embeddings=rotary)
    return embeds


def _vision(model: LlavaForConditionalGeneration, pixels: torch.Tensor) -> torch.Tensor:
    tower = model.model.vision_tower
    tower = getattr(tower, "vision_model", tower)
    hidden = tower.pre_layrnorm(tower.embeddings(pixels))
    for layer in tower.encoder.layers[: len(tower.encoder.layers) - 1]:  # vision_feature_layer = -2
        hidden = layer(hidden, attention_mask=None)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
    return model.model.multi_modal_projector(hidden[:, 1:])


def i2v_text(model: LlavaForConditionalGeneration, prompts: text.Prompts, rows: torch.Tensor, length: torch.Tensor, pixels: torch.Tensor | None = None,
             image: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Image tokens (every INTERLEAVE-th), then the caption and the final newlines: (B, 8 + limit + 1, TEXT_WIDTH), mask (B, same).

    `image` (B, IMAGE_TOKENS, TEXT_WIDTH) stands in for what the vision tower makes of `pixels`.
    """
    rows, length = rows.long(), length.long()
    embeds = model.model.language_model.embed_tokens(rows)
    start, end = text.IMAGE_START, text.IMAGE_START + text.IMAGE_TOKENS
    image = (_vision(model, pixels) if image is None else image).to(embeds.dtype)
    hidden = _llama(model, torch.cat([embeds[:, :start], image, embeds[:, end:]], dim=1))
    limit = rows.shape[1] - prompts.i2v_start - len(prompts.i2v_suffix)
    j = torch.arange(limit + 1, device=rows.device)[None]
    # Cut <|eot_id|> and the assistant header (4 tokens) out, keep the newlines behind it.
    at = (prompts.i2v_start + j + 4 * (j >= length[:, None])).clamp(max=rows.shape[1] - 1)
    caption = hidden.gather(1, at[..., None].expand(-1, -1, hidden.shape[-1]))
    picture = hidden[:, start : end : text.INTERLEAVE]
    mask = torch.cat([torch.ones(rows.shape[0], picture.shape[1], dtype=torch.bool, device=rows.device), j <= length[:, None]], dim=1)
    return torch.cat([picture, caption], dim=1), mask


def t2i_text(model: LlavaForConditionalGeneration, prompts: text.Prompts, rows: torch.Tensor, length: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The caption and <|eot_id|>: (B, limit + 1, TEXT_WIDTH), mask (B, same)."""
    hidden = _llama(model, model.model.language_model.embed_tokens(rows.long()))[:, prompts.t2i_crop :]
    j = torch.arange(hidden.shape[1], device=rows.device)[None]
    return hidden, j < length.long()[:, None] + len(prompts.t2i_suffix)


def pooled(model: CLIPTextModel, rows: torch.Tensor) -> torch.Tensor:
    """CLIP's state at the first end token, (B, POOLED_WIDTH)."""
    return model(rows.long()).pooler_output


def vision_pixels(first: torch.Tensor) -> torch.Tensor:
    """First frames (B, 3, H, W) in 0..1 as CLIPImageProcessor prepares them: shortest edge to IMAGE_SIZE, centre crop, normalised."""
    h, w = first.shape[-2:]
    size = (text.IMAGE_SIZE, int(text.IMAGE_SIZE * w / h)) if h <= w else (int(text.IMAGE_SIZE * h / w), text.IMAGE_SIZE)
    small = torch.nn.functional.interpolate(first, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    top, left = (size[0] - text.IMAGE_SIZE) // 2, (size[1] - text.IMAGE_SIZE) // 2
    small = small[..., top : top + text.IMAGE_SIZE, left : left + text.IMAGE_SIZE]
    mean = torch.tensor((0.48145466, 0.4578275, 0.40821073), device=first.device).view(3, 1, 1)
    std = torch.tensor((0.26862954, 0.26130258, 0.27577711), device=first.device).view(3, 1, 1)
    return (small - mean) / std


def encode(model: AutoencoderKLHunyuanVideo, frames: torch.Tensor) -> torch.Tensor:
    """Latents (mode, scaled) of frames (B, 3, T, H, W) in 0..1, whole, without tiles."""
    moments = model.quant_conv(model.encoder(frames * 2 - 1))
    return moments[:, : moments.shape[1] // 2] * model.config.scaling_factor


def decode(model: AutoencoderKLHunyuanVideo, latents: torch.Tensor) -> torch.Tensor:
    """Frames (B, 3, T, H, W) in 0..1 of scaled latents, whole, without tiles."""
    return (model.decoder(model.post_quant_conv(latents / model.config.scaling_factor)) / 2 + 0.5).clamp(0, 1)


def condition(first: torch.Tensor, frames: int = LATENT_FRAMES, last: torch.Tensor | None = None) -> torch.Tensor:
    """The 17 condition channels: prefix latents (B, 16, c, h, w), zeros behind, optionally the last frame's latent; and the mask."""
    b, ch, c, h, w = first.shape
    out = first.new_zeros(b, ch + 1, frames, h, w)
    out[:, :ch, :c], out[:, ch, :c] = first, 1
    if last is not None:
        out[:, :ch, -1], out[:, ch, -1] = last, 1
    return out


@torch.no_grad()
def sample(model, noise: torch.Tensor, hidden, mask, vector, extra: torch.Tensor | None = None, sigmas=SIGMAS) -> torch.Tensor:
    """Euler steps from noise (B, 16, L, h, w) to latents."""
    latents, levels = noise.float(), list(sigmas) + [0.0]
    for now, then in zip(levels[:-1], levels[1:]):
        x = latents if extra is None else torch.cat([latents, extra.float()], dim=1)
        t = torch.full((noise.shape[0],), now * 1000, device=noise.device)
        v = model(x.to(hidden.dtype), t, hidden, mask, vector, return_dict=False)[0]
        latents = latents + v.float() * (then - now)
    return latents


def shifted(n: int, shift: float = 5.0) -> list[float]:
    """Sigmas of n steps, without the final 0."""
    return [shift * x / (1 + (shift - 1) * x) for x in (1 - i / n for i in range(n))]
