"""Makes tests/weights/data/blocks.gguf and blocks.safetensors, which are committed: a file of every type that is read, as the
gguf package writes it, and what the same package unpacks it to, as bf16. Run by hand, with gguf 0.19.0 beside torch:

    python tests/reference/gguf_files.py --output tests/weights/data
"""

import argparse
import pathlib

import gguf
import numpy
import torch
from gguf import GGMLQuantizationType as Type
from safetensors.torch import save_file

ROWS, COLUMNS = 3, 512


def k_blocks(random, quantised):
    """Random blocks of a K type, whose scales are halves of sensible size."""
    _, size = gguf.GGML_QUANT_SIZES[quantised]
    blocks = random.integers(0, 256, (ROWS, COLUMNS // 256, size), dtype=numpy.uint8)
    # Q6_K ends with its scale, the others begin with scale and minimum.
    places = [size - 2] if quantised == Type.Q6_K else [0, 2]
    for place in places:
        halves = random.uniform(0.001, 0.02, blocks.shape[:2]).astype(numpy.float16)
        blocks[:, :, place : place + 2] = halves[:, :, None].view(numpy.uint8)
    return blocks.reshape(ROWS, -1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    random = numpy.random.default_rng(0)
    writer = gguf.GGUFWriter(output / "blocks.gguf", "hyvid")
    writer.add_string("general.name", "blocks")
    writer.add_array("general.tags", ["a", "b"])
    writer.add_array("some.floats", [0.5, 1.5])
    meant = {}

    def add(name, data, kind, values):
        writer.add_tensor(name, data, raw_dtype=kind)
        meant[name] = values

    plain = random.standard_normal((ROWS, 8)).astype(numpy.float32)
    add("F32", plain, Type.F32, torch.from_numpy(plain))
    add("F16", plain.astype(numpy.float16), Type.F16, torch.from_numpy(plain).half())
    add("BF16", gguf.quantize(plain, Type.BF16), Type.BF16, torch.from_numpy(plain).bfloat16())
    wide = random.standard_normal((ROWS, COLUMNS)).astype(numpy.float32)
    packed = gguf.quantize(wide, Type.Q8_0)
    add("Q8_0", packed, Type.Q8_0, torch.from_numpy(gguf.dequantize(packed, Type.Q8_0)).bfloat16())
    for kind in (Type.Q4_K, Type.Q5_K, Type.Q6_K):
        packed = k_blocks(random, kind)
        add(kind.name, packed, kind, torch.from_numpy(gguf.dequantize(packed, kind)).bfloat16())
    # Flattened, as ComfyUI's converter does with rows that are no blocks.
    flat = random.standard_normal((4, 64)).astype(numpy.float32)
    writer.add_array("comfy.gguf.orig_shape.flat", [16, 4, 1, 2, 2])
    add("flat", flat, Type.F32, torch.from_numpy(flat).reshape(16, 4, 1, 2, 2))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file({name: value.contiguous() for name, value in meant.items()}, output / "blocks.safetensors")


if __name__ == "__main__":
    main()
