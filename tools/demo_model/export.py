"""Writes the bundle: the diffusers folder layout with fp16 safetensors, reelfarm.json, and a model card."""

from __future__ import annotations

import argparse
import json
import pathlib
import shutil

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, HunyuanVideoImageToVideoPipeline
from transformers import CLIPImageProcessor

import networks
import text
import training
import world
from pool import PREFIX
from train_i2v import build, load_vae

LIMIT_BYTES = 32 << 20
SHARED = 9  # frames that windows of a chain share unless asked otherwise


def manifest(prompts: text.Prompts) -> dict:
    """reelfarm.json; docs/bundle.md explains the keys."""
    newlines = prompts.llama("\n\n", add_special_tokens=False).input_ids
    common = {"encoder": "text_encoder", "tokenizer": "tokenizer"}
    return {
        "schema": 1, "name": "demo-world", "family": "hunyuan-i2v-latent-concat", "distilled": True,
        "defaults": {"steps": 4, "shift": 5.0, "guidance": 1.0, "width": world.WIDTH, "height": world.HEIGHT, "frames": 2 * world.WINDOW - 1, "window_frames": world.WINDOW, "frame_rate": world.FPS},
        # One shared latent frame makes jumps of twice the motion, two of 1.6 times, three none that can be seen.
        "overlap_frames": [SHARED] + [n for n in range(1, 4 * PREFIX - 2, 4) if n != SHARED],
        "conditions": ["first", "prefix", "last"],
        "prompt": None,
        "image_prompt": common | {
            "template": text.I2V_TEMPLATE, "crop_start": prompts.i2v_crop, "max_length": text.TEXT_TOKENS, "hidden_state_skip": networks.SKIP,
            "image_token": "<image>", "image_interleave": text.INTERLEAVE, "image_embed_start": text.IMAGE_START, "image_embed_end": text.IMAGE_START + text.IMAGE_TOKENS,
            "image_embed_length": text.IMAGE_TOKENS, "image_in_place": False, "double_return_token_id": newlines[0], "header_end_token": "<|end_header_id|>", "assistant_header_tokens": 4},
        "clip_max_length": text.CLIP_TOKENS,
        "t2i": {"steps": 16, "shift": 5.0, "guidance": 1.0, "distilled": True,
                "prompt": common | {"template": text.T2I_TEMPLATE, "crop_start": prompts.t2i_crop, "max_length": text.TEXT_TOKENS, "hidden_state_skip": networks.SKIP}},
        "bounds": {"max_width": world.WIDTH, "max_height": world.HEIGHT, "max_frames": 10 * 60 * world.FPS, "max_steps": 50, "max_prompt_characters": 2000},
    }


def export(work: pathlib.Path, to: pathlib.Path, scores: str) -> int:
    """Returns the bundle's size in bytes."""
    prompts = text.Prompts(work)
    models = build(prompts)
    for name, state in training.load(work / "video").items():
        training.restore(models[name], state)
    models = {k: m.to(torch.float16).eval() for k, m in models.items()}
    size = text.IMAGE_SIZE
    pipeline = HunyuanVideoImageToVideoPipeline(
        text_encoder=models["llava"], tokenizer=prompts.llama, transformer=models["i2v"], vae=load_vae(work, "cpu", torch.float16),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=5.0), text_encoder_2=models["clip"], tokenizer_2=prompts.clip,
        image_processor=CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size}))
    if to.exists():
        shutil.rmtree(to)
    pipeline.save_pretrained(to)
    models["t2i"].save_pretrained(to / "transformer_t2i")
    (to / "reelfarm.json").write_text(json.dumps(manifest(prompts), indent=2) + "\n")
    card = pathlib.Path(__file__).with_name("MODEL_CARD.md").read_text()
    (to / "README.md").write_text(card.replace("{scores}", scores.strip() or "not measured"))
    for file in to.rglob("*.safetensors"):
        file.chmod(0o644)
    total = sum(f.stat().st_size for f in to.rglob("*") if f.is_file())
    if total > LIMIT_BYTES:
        raise SystemExit(f"the bundle has {total} bytes, more than {LIMIT_BYTES}: make a network smaller in networks.py")
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"))
    parser.add_argument("--to", type=pathlib.Path, default=pathlib.Path("bundles/demo"))
    parser.add_argument("--scores", type=pathlib.Path, help="a file with the scores for the model card")
    args = parser.parse_args()
    total = export(args.work, args.to, args.scores.read_text() if args.scores else "")
    print(f"wrote {args.to}: {total / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
