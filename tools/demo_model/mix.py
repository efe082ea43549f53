"""Averages the I2V transformer and the vision tower of two rounds: better than either where they make different mistakes.

The later round must have started from the earlier one. Everything else is taken from the later one.
"""

from __future__ import annotations

import argparse
import pathlib

import torch

import training


def mixed(earlier: dict[str, torch.Tensor], later: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """`share` of the later weights, the rest of the earlier ones."""
    return {k: torch.lerp(earlier[k].float(), v.float(), share) if v.is_floating_point() else v for k, v in later.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--earlier", type=pathlib.Path, required=True, help="folder with the checkpoint of the earlier round")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/demo_model"), help="folder with that of the later one, which is replaced")
    parser.add_argument("--share", type=float, default=0.6, help="of the later round")
    args = parser.parse_args()
    earlier, later = training.load(args.earlier / "video"), training.load(args.work / "video")
    training.save(args.work / "video", later | {name: mixed(earlier[name], later[name], args.share) for name in ("i2v", "llava")})
    print(f"wrote {args.work / 'video'}: {args.share:g} of itself, {1 - args.share:g} of {args.earlier / 'video'}")


if __name__ == "__main__":
    main()
