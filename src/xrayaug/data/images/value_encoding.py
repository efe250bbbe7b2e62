"""Read how a file stores its values: their sign, the white it declares, and what Pillow makes of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, TiffImagePlugin
from PIL.ExifTags import Base as Tag

from xrayaug.data.images.intensity import MAX_BIT_DEPTH

RawValues = npt.NDArray[np.uint16 | np.int32 | np.uint32 | np.int64 | np.float32]

HIGH_BIT_DEPTH_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")  # Pillow modes of more than 8 bits
TIFF_SIGNED = 2  # value of TIFF's SampleFormat
WHITE_IS_ZERO = 0  # value of TIFF's PhotometricInterpretation


@dataclass(frozen=True)
class ValueEncoding:
    """The encoding of values in a file of more than 8 bits, and how Pillow changes them."""

    kind: str  # unsigned, signed or float
    white: int = (1 << MAX_BIT_DEPTH) - 1  # the white declared by the file
    is_stretched: bool = False  # Pillow scales this white to 65535
    is_wrapped: bool = False  # Pillow reads values from 2^31 as negative

    def restore(self, values: npt.NDArray[Any]) -> RawValues:
        """Return the values stored in the file, from those read by Pillow."""
        if self.is_wrapped:
            return values.view(np.uint32)
        if self.is_stretched:
            return (values.astype(np.int64) * self.white + (1 << MAX_BIT_DEPTH - 1)) // ((1 << MAX_BIT_DEPTH) - 1)
        return values


def read_encoding(image: Image.Image) -> ValueEncoding:
    """Return the encoding of a file's values; call it before `load`, which discards what it needs."""
    if image.mode == "F":
        return ValueEncoding("float")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        formats, depths = (np.ravel(image.tag_v2.get(tag, 1)) for tag in (Tag.SampleFormat, Tag.BitsPerSample))
        if formats[0] == TIFF_SIGNED:
            return ValueEncoding("signed")
        return ValueEncoding("unsigned", max_value(int(depths[0])), is_wrapped=depths[0] == 32)
    if isinstance(image, ImageFile.ImageFile) and image.mode in HIGH_BIT_DEPTH_MODES:
        arguments = image.tile[0][3]
        if image.format == "JPEG2000":
            return ValueEncoding("unsigned", max_value(_jpeg2000_bit_depth(image)), is_stretched=True)
        if image.format == "PPM" and isinstance(arguments, tuple) and len(arguments) == 2:  # only if white is not 65535
            return ValueEncoding("unsigned", int(arguments[1]), is_stretched=True)
    return ValueEncoding("unsigned")


def read_raw_mode(image: Image.Image) -> str:
    """Return Pillow's raw mode of the file, such as `RGB;16B`; call it before `load`, which discards it."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return str(arguments[0]) if isinstance(arguments, tuple) and arguments else str(arguments)


def is_white_zero(image: Image.Image) -> bool:
    """Return whether 0 is white in a TIFF file; False for other formats."""
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(Tag.PhotometricInterpretation, 1) == WHITE_IS_ZERO)


def max_value(bits: int) -> int:
    """Return the largest unsigned value of a bit depth, of at most 16 bits."""
    return (1 << min(bits, MAX_BIT_DEPTH)) - 1


def _jpeg2000_bit_depth(image: ImageFile.ImageFile) -> int:
    """Return the bit depth of a JPEG 2000 image, from the marker that begins its code stream; 16 if it is not found."""
    assert image.fp is not None
    place = image.fp.tell()
    image.fp.seek(0)
    _, _, head = image.fp.read(1 << 16).partition(b"\xff\x4f\xff\x51")
    image.fp.seek(place)
    return (head[38] & 0x7F) + 1 if len(head) > 38 else MAX_BIT_DEPTH
