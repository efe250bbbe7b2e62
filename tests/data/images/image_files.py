"""Image files for the tests of decoding, also of kinds that Pillow does not write."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from xrayaug.data.images import greyscale
from xrayaug.data.images.colour import GreyImage

ORIENTATION = 0x0112
PHOTOMETRIC = 262
SAMPLE_FORMAT = 339
PICTURE = (np.arange(24, dtype=np.uint8) * 10).reshape(4, 6)  # no rotation or mirroring maps it to itself


def save(tmp_path: Path, image: Image.Image, name: str = "a.png", **settings: Any) -> Path:
    path = tmp_path / name
    image.save(path, **settings)
    return path


def decode_grey(path: Path, **options: Any) -> GreyImage:
    return greyscale.decode(path, **options).grey


def exif_with_orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return exif


def png_chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def png_bytes(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    """Return a PNG file of these rows, which include their filter bytes; `more` chunks precede the image data."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, 0])
    chunks = [png_chunk(b"IHDR", head), *more, png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def write_tiff(path: Path, values: npt.NDArray[Any], sample_format: int, *, bits: int | None = None) -> Path:
    """Write a TIFF file of any type of values."""
    height, width = values.shape
    order = ">" if values.dtype.byteorder == ">" else "<"
    tags = {256: width, 257: height, 258: bits or 8 * values.dtype.itemsize, 259: 1, PHOTOMETRIC: 1, 273: 0, 277: 1,
            278: height, 279: values.nbytes, SAMPLE_FORMAT: sample_format}  # fmt: skip
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    path.write_bytes(head + entries + bytes(4) + values.tobytes())
    return path


def write_deep_colour(tmp_path: Path, values: list[int]) -> Path:
    row = b"\0" + b"".join(value.to_bytes(2, "big") * 3 for value in values)
    path = tmp_path / "deep.png"
    path.write_bytes(png_bytes(len(values), 1, 16, 2, row))
    return path
