"""Writes pictures in every form the image reader takes, and beside each what Pillow makes of it as NAME.ppm."""

import argparse
import pathlib
import struct
import zlib

import numpy
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image


def expected(image):
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png16(path, samples, color_type):
    """samples: [h, w, channels] uint16. Pillow cannot write 16-bit colour."""
    height, width = samples.shape[:2]
    rows = samples.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(raw)) + png_chunk(b"IEND", b""))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)

    photo = Image.fromarray(load_sample_image("china.jpg"))
    photo.save(output / "photo.png")
    photo.save(output / "photo.ppm")
    small = photo.crop((200, 60, 331, 151))  # 131 x 91: no side is a round number
    random = numpy.random.default_rng(5)
    alpha = Image.fromarray(random.integers(0, 256, (91, 131), dtype=numpy.uint8))
    rgba = small.copy()
    rgba.putalpha(alpha)
    grey_alpha = small.convert("L")
    grey_alpha.putalpha(alpha)

    def save(name, image, **options):
        path = output / name
        image.save(path, **options)
        expected(Image.open(path)).save(output / (name + ".ppm"))

    save("rgb.png", small)
    save("rgba.png", rgba)
    save("grey.png", small.convert("L"))
    save("grey_alpha.png", grey_alpha)
    save("palette.png", small.quantize(64))
    save("palette_transparent.png", small.quantize(16), transparency=bytes(range(0, 256, 16)))
    save("one_bit.png", small.convert("1"))
    save("two_bit_palette.png", small.quantize(4), bits=2)
    save("lossless.webp", small, lossless=True)
    save("lossless_alpha.webp", rgba, lossless=True, exact=True)
    save("lossy.webp", small, quality=90)
    save("full_chroma.jpg", small, quality=95, subsampling=0)
    save("half_chroma.jpg", small, quality=95, subsampling=1)
    save("quarter_chroma.jpg", small, quality=95, subsampling=2)
    save("progressive.jpg", small, quality=95, subsampling=0, progressive=True)
    save("grey.jpg", small.convert("L"), quality=95)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        exif[0x010E] = "a description that stands before the tag that counts"
        save(f"orientation_{orientation}.jpg", small, quality=95, subsampling=0, exif=exif)
        save(f"orientation_{orientation}.png", small, exif=exif)
        save(f"orientation_{orientation}.webp", small, lossless=True, exif=exif)

    # 16 bit: what counts is round(v / 257).
    colour = random.integers(0, 65536, (40, 50, 3))
    write_png16(output / "rgb16.png", colour, 2)
    Image.fromarray(((colour + 128) // 257).astype(numpy.uint8)).save(output / "rgb16.png.ppm")
    grey = random.integers(0, 65536, (40, 50, 1))
    write_png16(output / "grey16.png", grey, 0)
    Image.fromarray(numpy.repeat((grey + 128) // 257, 3, axis=2).astype(numpy.uint8)).save(output / "grey16.png.ppm")
    deep = random.integers(0, 65536, (40, 50, 4)).astype(numpy.uint64)
    write_png16(output / "rgba16.png", deep, 6)
    over = deep[..., :3] * deep[..., 3:] + 65535 * (65535 - deep[..., 3:])
    Image.fromarray(numpy.round(over / (65535 * 257)).astype(numpy.uint8)).save(output / "rgba16.png.ppm")

    for name, size in {"up": (1280, 854), "down": (160, 106), "wide": (320, 96), "tall": (96, 320)}.items():
        photo.resize(size, Image.Resampling.LANCZOS).save(output / f"stretch_{name}.ppm")
        ImageOps.fit(photo, size, Image.Resampling.LANCZOS).save(output / f"crop_{name}.ppm")
        ImageOps.pad(photo, size, Image.Resampling.LANCZOS).save(output / f"pad_{name}.ppm")

    # Refused for their size before any pixel is decoded: the data says 20000 x 20000 but holds nothing.
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    (output / "huge.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b""))
    Image.new("L", (10000, 10000), 77).save(output / "largest.jpg")
    Image.new("RGB", (1, 1)).save(output / "one_pixel.png")
    Image.new("RGB", (1, 1)).save(output / "one_pixel.jpg")
    photo.save(output / "photo.gif")


if __name__ == "__main__":
    main()
