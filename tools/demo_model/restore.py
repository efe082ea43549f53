"""Makes the checkpoints of a bundle again (`export.py` backwards), so that training can go on from a shipped bundle."""

from __future__ import annotations

import argparse
import pathlib
import shutil

from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoTransformer3DModel
from transformers import CLIPTextModel, LlavaForConditionalGeneration

import training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=pathlib.Path, default=pathlib.Path("bundles/demo"))
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"))
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer", "tokenizer_2"):
        shutil.copytree(args.bundle / name, args.work / name, dirs_exist_ok=True)
    training.save(args.work / "vae", {"vae": AutoencoderKLHunyuanVideo.from_pretrained(args.bundle / "vae").state_dict()})
    parts = {"i2v": (HunyuanVideoTransformer3DModel, "transformer"), "t2i": (HunyuanVideoTransformer3DModel, "transformer_t2i"),
             "llava": (LlavaForConditionalGeneration, "text_encoder"), "clip": (CLIPTextModel, "text_encoder_2")}
    training.save(args.work / "video", {name: kind.from_pretrained(args.bundle / folder).state_dict() for name, (kind, folder) in parts.items()})
    print(f"wrote {args.work} from {args.bundle}")


if __name__ == "__main__":
    main()
