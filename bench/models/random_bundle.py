"""A bundle of random bf16 weights in HunyuanVideo's sizes (13 B transformer, 8 B LLaVA, CLIP-L, the VAE), with the
tokenizers of bundles/demo; or, small, in the sizes of the demo bundle itself.

    python3 bench/models/random_bundle.py FOLDER [--small] [--device cuda]

Needs torch, numpy and Pillow, neither diffusers nor transformers. 42 GB. Besides the bundle FOLDER gets a first frame,
image.png and the same as images/0.raw. A whole bundle that is there already stays; reelfarm.json, written last, says that
it is whole.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import shutil
import sys
import threading
import time

import numpy
import torch
from PIL import Image

from shapes import PARTS

DEMO = pathlib.Path(__file__).resolve().parent.parent.parent / "bundles/demo"
PIECE = 32 << 20  # elements that one thread makes and writes at a time
WRITERS = 16
SIZES = {True: (160, 96), False: (960, 544)}


def configs(small):
    """Of each part, the demo bundle's, in its own or in the published sizes."""
    found = {part: json.loads((DEMO / part / "config.json").read_text()) for part in PARTS}
    for config in found.values():
        if "dtype" in config:
            config["dtype"] = "bfloat16"
    if small:
        return found
    llava = found["text_encoder"]
    llava["text_config"] |= dict(hidden_size=4096, intermediate_size=14336, num_attention_heads=32, num_key_value_heads=8,
                                 head_dim=128, num_hidden_layers=32, vocab_size=128320, max_position_embeddings=8192)
    llava["vision_config"] |= dict(hidden_size=1024, intermediate_size=4096, num_attention_heads=16, num_hidden_layers=24,
                                   image_size=336, projection_dim=768)
    llava["image_seq_length"] = 576
    found["text_encoder_2"] |= dict(hidden_size=768, intermediate_size=3072, num_attention_heads=12, num_hidden_layers=12,
                                    projection_dim=768)
    found["transformer"] |= dict(num_attention_heads=24, attention_head_dim=128, rope_axes_dim=[16, 56, 56], num_layers=20,
                                 num_single_layers=40, num_refiner_layers=2, text_embed_dim=4096, pooled_projection_dim=768)
    found["vae"] |= dict(block_out_channels=[128, 256, 512, 512], layers_per_block=2, mid_block_add_attention=True,
                         norm_num_groups=32, scaling_factor=0.476986)
    return found


def spread(name, shape):
    """Standard deviation about as torch's own layers begin: products keep the size of what they are given; norms are 1."""
    if len(shape) > 1:
        return 1 / math.sqrt(3 * math.prod(shape[1:]))
    return 0 if name.endswith(".weight") else 0.02


class Writer:
    """Writes random tensors into safetensors files, many threads at once."""

    def __init__(self, device):
        self.device = torch.device(device)
        self.own = threading.local()
        self.threads = concurrent.futures.ThreadPoolExecutor(WRITERS)
        self.pieces = []
        self.files = []

    def add(self, file, tensors):
        """Begins a file of [(name, shape)] bf16 tensors."""
        header, offset = {"__metadata__": {"format": "pt"}}, 0
        places = []
        for name, shape in tensors:
            count = math.prod(shape)
            header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + 2 * count]}
            places.append((name, shape, offset))
            offset += 2 * count
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        self.files.append(descriptor)
        os.truncate(descriptor, 8 + len(text) + offset)
        os.pwrite(descriptor, len(text).to_bytes(8, "little") + text, 0)
        for name, shape, offset in places:
            count = math.prod(shape)
            for begin in range(0, count, PIECE):
                place = 8 + len(text) + offset + 2 * begin
                self.pieces.append(self.threads.submit(self.write, descriptor, place, min(PIECE, count - begin),
                                                       spread(name, shape)))

    def write(self, descriptor, place, count, deviation):
        on_gpu = self.device.type == "cuda"
        if not hasattr(self.own, "buffer"):
            self.own.buffer = torch.empty(PIECE, dtype=torch.bfloat16, pin_memory=on_gpu)
            self.own.stream = torch.cuda.Stream() if on_gpu else None
        buffer = self.own.buffer[:count]
        with torch.cuda.stream(self.own.stream):
            if deviation:
                generator = torch.Generator(self.device).manual_seed(place)
                values = torch.empty(count, dtype=torch.bfloat16, device=self.device).normal_(0, deviation, generator=generator)
                buffer.copy_(values, non_blocking=on_gpu)
            else:
                buffer.fill_(1)
            if on_gpu:
                self.own.stream.synchronize()
        data = memoryview(buffer.view(torch.uint8).numpy())
        while data:
            written = os.pwrite(descriptor, data, place)
            data, place = data[written:], place + written

    def finish(self):
        for piece in self.pieces:
            piece.result()
        for descriptor in self.files:
            os.close(descriptor)


def is_whole(folder):
    return (folder / "reelfarm.json").exists()


def write_settings(folder, small, llava):
    side, tokens = llava["vision_config"]["image_size"], llava["image_seq_length"]
    processor = json.loads((DEMO / "image_processor/preprocessor_config.json").read_text())
    processor |= dict(crop_size=dict(height=side, width=side), size=dict(shortest_edge=side))
    (folder / "image_processor/preprocessor_config.json").write_text(json.dumps(processor))
    settings = json.loads((DEMO / "reelfarm.json").read_text())
    settings["name"] = "random-small" if small else "random-13b"
    settings["defaults"] |= dict(zip(("width", "height"), SIZES[small]))
    settings["image_prompt"] |= dict(image_embed_end=5 + tokens, image_embed_length=tokens)
    for key in ("t2i", "bounds"):
        settings.pop(key)
    (folder / "reelfarm.json").write_text(json.dumps(settings))


def write(folder, small, device):
    """Unless a whole one is there. SystemExit when that one has other sizes."""
    wanted = configs(small)
    if is_whole(folder):
        if json.loads((folder / "transformer/config.json").read_text()) != wanted["transformer"]:
            sys.exit(f"{folder} is a bundle of other sizes: name another folder, or remove it")
        return
    shutil.copytree(DEMO, folder, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("*.safetensors", "transformer_t2i", "reelfarm.json"))
    writer = Writer(device)
    for part, (tensors, file) in PARTS.items():
        (folder / part / "config.json").write_text(json.dumps(wanted[part]))
        writer.add(folder / part / file, list(tensors(wanted[part])))
    width, height = SIZES[small]
    image = numpy.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=numpy.uint8)
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images/0.raw").write_bytes(image.tobytes())
    Image.fromarray(image).save(folder / "image.png")
    writer.finish()
    write_settings(folder, small, wanted["text_encoder"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    begin = time.perf_counter()
    write(options.folder, options.small, options.device)
    print(f"{options.folder}: written in {time.perf_counter() - begin:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
