"""The quick way into the commonest radiographs, PNG files of eight bits, grey or RGB: a third of Pillow's time.

kornia-rs decodes it, by Rust's png crate, and holds the interpreter meanwhile: processes do so side by side, threads
do not. Whatever is out of the ordinary is left to Pillow, and so is the verdict on a damaged file.
"""

import os
from typing import IO

import kornia_rs
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

MOST_BYTES = 1 << 27  # read at once; of 64 megapixels that do not compress at all half would do
SIGNATURE = b"\x89PNG\r\n\x1a\n"
MODES = {  # by the end of the header: eight bits, the colour type, the one compression and filter, not interlaced
    bytes((8, 0, 0, 0, 0)): ("mono", 1),
    bytes((8, 2, 0, 0, 0)): ("rgb", 3),
}
HARMLESS = {b"IHDR", b"IDAT", b"IEND", b"pHYs", b"tIME", b"tEXt"}  # chunks that change no pixel
MOST_TEXT = 1 << 16  # bytes in a chunk that is no pixels: Pillow refuses bombs


def read(stream: IO[bytes], most_pixels: int) -> Picture | None:
    """The picture [H, W], or [H, W, 3] in RGB, in a plain PNG of eight bits.

    None where the file is not that, or damaged; the stream is then back at its start.
    """
    content = stream.read() if os.fstat(stream.fileno()).st_size <= MOST_BYTES else b""
    stream.seek(0)
    if not _is_plain(content):
        return None
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    mode, channels = MODES[content[24:29]]
    if not 0 < width * height * channels <= most_pixels:
        return None
    try:
        picture: Picture = kornia_rs.io.decode_image_png_u8(content, (height, width), mode)
    except Exception:  # it has no other class for what is wrong with a file
        return None
    return picture if channels > 1 else picture[..., 0]


def _is_plain(content: bytes) -> bool:
    """Whether these bytes are a PNG of eight bits, of chunks that say nothing else of its pixels."""
    if content[:8] != SIGNATURE or content[12:16] != b"IHDR" or content[24:29] not in MODES:
        return False
    place, name = len(SIGNATURE), b""
    while place + 12 <= len(content):  # length, name, content, checksum
        length, name = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        if name not in HARMLESS or (name != b"IDAT" and length > MOST_TEXT):
            return False
        place += 12 + length
    return name == b"IEND" and place == len(content)
