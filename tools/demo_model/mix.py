"""Mixes the I2V transformer and the vision tower of two checkpoints, tensor by tensor: a run with another mixture of clips
gains in what it stresses and loses a little elsewhere, and the mean of both has most of either.

    python tools/demo_model/mix.py --old build/demo_model/before/video --new build/demo_model/video --share 0.6 --out build/demo_model
"""

from __future__ import annotations

import argparse
import pathlib

import torch

import training

MIXED = ("i2v", "llava")


def mix(old: dict, new: dict, share: float) -> dict:
    """`share` of the new state dictionary and the rest of the old one, where both are floating point."""
    if old.keys() != new.keys():
        raise ValueError(f"tensors of one checkpoint only: {sorted(old.keys() ^ new.keys())[:5]}")
    return {k: torch.lerp(old[k].float(), v.float(), share).to(v.dtype) if v.is_floating_point() else v for k, v in new.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", type=pathlib.Path, required=True)
    parser.add_argument("--new", type=pathlib.Path, required=True)
    parser.add_argument("--share", type=float, default=0.5, help="of the new checkpoint")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    if not 0 <= args.share <= 1:
        parser.error(f"--share is {args.share}: a number from 0 to 1")
    old, new = training.load(args.old), training.load(args.new)
    mixed = {part: mix(old[part], new[part], args.share) for part in MIXED}
    training.save(args.out / "video", new | mixed)


if __name__ == "__main__":
    main()
