"""Decode the most common radiographs, 8-bit PNG files in greyscale or RGB, in a third of Pillow's time.

kornia-rs decodes them with Rust's png crate. It holds the global interpreter lock, so only processes run in parallel.
Unusual and damaged files are left to Pillow.
"""

import os
from typing import IO

import kornia_rs
import numpy as np
import numpy.typing as npt

PixelArray = npt.NDArray[np.uint8]

MAX_BYTES = 1 << 27  # largest file; twice that of 64 megapixels that do not compress
SIGNATURE = b"\x89PNG\r\n\x1a\n"
MODES = {  # by the end of the header: bit depth, colour type, compression, filter, interlacing
    bytes((8, 0, 0, 0, 0)): ("mono", 1),
    bytes((8, 2, 0, 0, 0)): ("rgb", 3),
}
HARMLESS_CHUNKS = {b"IHDR", b"IDAT", b"IEND", b"pHYs", b"tIME", b"tEXt"}  # chunks that change no pixel
MAX_TEXT_BYTES = 1 << 16  # bytes in a text chunk; larger ones are left to Pillow, which refuses decompression bombs


def read(stream: IO[bytes], max_pixels: int) -> PixelArray | None:
    """Return the image of a plain 8-bit PNG, uint8 [H, W] or, for RGB, [H, W, 3].

    Return None for any other file, a damaged one, or one of more than `max_pixels` values. The stream is at its start
    then.
    """
    content = stream.read() if os.fstat(stream.fileno()).st_size <= MAX_BYTES else b""
    stream.seek(0)
    if not _is_plain(content):
        return None
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    mode, channels = MODES[content[24:29]]
    if not 0 < width * height * channels <= max_pixels:
        return None
    try:
        picture: PixelArray = kornia_rs.io.decode_image_png_u8(content, (height, width), mode)
    except Exception:  # kornia-rs raises no more specific class
        return None
    return picture if channels > 1 else picture[..., 0]


def _is_plain(content: bytes) -> bool:
    """Return whether these bytes are an 8-bit PNG without chunks that would change its pixels."""
    if content[:8] != SIGNATURE or content[12:16] != b"IHDR" or content[24:29] not in MODES:
        return False
    place, name = len(SIGNATURE), b""
    while place + 12 <= len(content):  # length, name, content, checksum
        length, name = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        if name not in HARMLESS_CHUNKS or (name != b"IDAT" and length > MAX_TEXT_BYTES):
            return False
        place += 12 + length
    return name == b"IEND" and place == len(content)
