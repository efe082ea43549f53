"""What 8 bits do to a bundle's pictures: norm ratio of one forward, cosine of the final latents, PSNR of the frames.

    .venv/bin/python bench/models/quantised.py --bin build/release/bin --bundle bundles/demo

Makes the quantised bundles with reelfarm-bundle, renders a few captions with each through reelfarm-render (CPU, the same noise
and first frame), and compares with the bundle itself. A forward's velocity is noise minus what one step makes of it.
"""

import argparse
import json
import math
import pathlib
import subprocess
import tempfile

import numpy
from PIL import Image
from safetensors.numpy import load_file, save_file

CAPTIONS = [
    "among the clouds a dark black square tile circling in a counterclockwise direction.",
    "a blue star moving right across the picture above a grassy field.",
    "A snowy valentine at night, sliding to the left side.",
]
FORMS = {"int8": ["int8"], "int8, modulation": ["int8", "--modulation"], "fp8": ["fp8"], "fp8, modulation": ["fp8", "--modulation"]}
DTYPES = ["int8", "w8a8"]  # rendered from the bundle as it is, by --dtype


def run(*words):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Renders:
    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        size = (arguments.frames - 1) // 4 + 1, arguments.height // 8, arguments.width // 8
        noise = numpy.random.default_rng(0).standard_normal((1, 16, *size)).astype(numpy.float32)
        save_file({"initial_latents": noise}, folder / "noise.safetensors")
        self.noise = noise

    def render(self, bundle, caption, image, *more, dtype=None):
        out = self.folder
        words = [self.arguments.bin / "reelfarm-render", "--bundle", bundle, "--prompt", caption, "--device", "cpu",
                 "--size", f"{self.arguments.width}x{self.arguments.height}", "--frames", self.arguments.frames,
                 "--dtype", dtype or self.arguments.dtype, "--overwrite", "--output", out / "clip.mp4",
                 "--initial-latents", out / "noise.safetensors", "--save-latents", out / "latents.safetensors",
                 "--save-frames", out / "frames.safetensors", *more]  # fmt: skip
        run(*words, *(["--image", image] if image else []))
        return load_file(out / "latents.safetensors")["latents"], load_file(out / "frames.safetensors")["video"]

    def of(self, bundle, image_of, dtype=None):
        """Per caption: velocity of one forward, final latents, frames."""
        results = []
        for caption in self.arguments.captions:
            once, _ = self.render(bundle, caption, image_of(caption), "--steps", 1, dtype=dtype)
            results.append((self.noise - once, *self.render(bundle, caption, image_of(caption), dtype=dtype)))
        return results


def ratio(found, expected):
    return numpy.linalg.norm(found - expected) / numpy.linalg.norm(expected)


def cosine(a, b):
    return float((a * b).sum() / (numpy.linalg.norm(a) * numpy.linalg.norm(b)))


def psnr(a, b):
    error = float(((a - b) ** 2).mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def first_frames(renders, bundle, captions, folder):
    """An image a caption, made by the bundle itself: the same for all, so that only clips are compared."""
    images = {}
    for number, caption in enumerate(captions):
        _, frames = renders.render(bundle, caption, None)
        images[caption] = folder / f"first{number}.png"
        Image.fromarray((frames[0] * 255).round().astype(numpy.uint8)).save(images[caption])
    return images.get


def compare(name, layers, found, plain):
    pairs = list(zip(found, plain))
    forward = max(ratio(a[0], b[0]) for a, b in pairs)
    near = min(cosine(a[1], b[1]) for a, b in pairs)
    pictures = [psnr(a[2], b[2]) for a, b in pairs]
    print(f"{name:18} {layers:>10} {forward:9.2e} {near:8.5f} {sum(pictures) / len(pictures):7.1f} dB {min(pictures):4.1f} dB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--bundle", type=pathlib.Path, default=pathlib.Path("bundles/demo"))
    parser.add_argument("--captions", nargs="+", default=CAPTIONS)
    parser.add_argument("--forms", nargs="*", default=list(FORMS), choices=list(FORMS))
    parser.add_argument("--dtypes", nargs="*", default=DTYPES, choices=DTYPES)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--height", type=int, default=96)
    parser.add_argument("--dtype", default="fp32")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        renders = Renders(arguments, folder)
        image_of = first_frames(renders, arguments.bundle, arguments.captions, folder)
        plain = renders.of(arguments.bundle, image_of)
        print(f"{arguments.bundle}, {arguments.width}x{arguments.height}, {arguments.frames} frames, {arguments.dtype} on the CPU, "
              f"{len(arguments.captions)} captions", flush=True)  # fmt: skip
        print(f"{'':18} {'layer, rms':>10} {'forward':>9} {'cosine':>8} {'PSNR mean':>10} {'worst':>7}")
        for form in arguments.forms:
            target = folder / form.replace(", ", "-")
            run(arguments.bin / "reelfarm-bundle", "quantize", arguments.bundle, "--to", target, "--format", *FORMS[form])
            errors = [layer["error"] for layer in json.loads((target / "quantization.json").read_text())["layers"]]
            layers = f"{math.sqrt(sum(e * e for e in errors) / len(errors)):.2e}"
            compare(form, layers, renders.of(target, image_of), plain)
        for dtype in arguments.dtypes:
            compare(f"--dtype {dtype}", "", renders.of(arguments.bundle, image_of, dtype), plain)


if __name__ == "__main__":
    main()
