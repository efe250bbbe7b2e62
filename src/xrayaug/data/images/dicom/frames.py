"""Decode the stored values of a DICOM image of one frame.

pydicom takes the frame out of the file, and imagecodecs decodes it (libjpeg-turbo for JPEG of 8 and 12 bits and
lossless, CharLS for JPEG-LS, OpenJPEG for JPEG 2000). A compressed frame names its own size, by which decoders allocate
memory, so that size is read and compared with that of the header first.
"""

import struct
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xrayaug.data.images.dicom import headers, reading
from xrayaug.data.images.opening import UnusableImage

if TYPE_CHECKING:
    from pydicom import Dataset

StoredValues = npt.NDArray[np.uint8 | np.uint16 | np.int8 | np.int16]

JPEG, JPEG_LS, JPEG_2000, RLE = "jpeg8", "jpegls", "jpeg2k", "dicomrle"  # decoders of imagecodecs
PREFIX = "1.2.840.10008.1.2."  # of the identifiers of transfer syntaxes
DECODERS = {
    **dict.fromkeys((f"{PREFIX}4.{number}" for number in (50, 51, 57, 70)), JPEG),
    **dict.fromkeys((f"{PREFIX}4.{number}" for number in (80, 81)), JPEG_LS),
    **dict.fromkeys((f"{PREFIX}4.{number}" for number in (90, 91)), JPEG_2000),
    f"{PREFIX}5": RLE,
}
LOSSY_JPEG = {f"{PREFIX}4.{number}" for number in (50, 51)}
UNCOMPRESSED = {reading.IMPLICIT_LITTLE, reading.EXPLICIT_LITTLE, reading.EXPLICIT_BIG, reading.DEFLATED}
START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # JPEG's markers, and that of JPEG-LS
END_OF_IMAGE, PADDING = b"\xff\xd9", b"\0\xff"  # JPEG's last marker, and bytes that may follow it
MIN_SURPLUS = 512  # bytes after the pixels that are more than filling
CODESTREAM = b"\xff\x4f\xff\x51"  # first bytes of JPEG 2000
BOX = b"\x00\x00\x00\x0cjP  "  # first bytes of a file of JPEG 2000, which some devices store


@dataclass(frozen=True)
class FrameSize:
    """The size that a compressed frame states."""

    rows: int
    columns: int
    channels: int
    bits: int


def read_values(dataset: "Dataset") -> StoredValues:
    """Return the stored values of the image `[H, W]`: of BitsStored bits, signed if PixelRepresentation says so.

    Raises:
        UnusableImage: they cannot be decoded.
    """
    syntax = reading.transfer_syntax(dataset)
    decoder = DECODERS.get(str(syntax))
    if decoder is None and str(syntax) not in UNCOMPRESSED:
        raise UnusableImage(f"its transfer syntax {_name(syntax)} is not read")
    if decoder is not None and find_spec("imagecodecs") is None:
        raise UnusableImage(f"its transfer syntax {_name(syntax)} needs imagecodecs: {reading.INSTALL}")
    try:
        values = _read_native(dataset) if decoder is None else _decompress(dataset, decoder)
    except (UnusableImage, MemoryError):
        raise
    except Exception:  # pydicom and imagecodecs raise many types, and messages may quote the header
        raise UnusableImage(f"damaged: its pixels cannot be decoded ({_name(syntax)})") from None
    return _interpret(values, dataset, is_coded=decoder not in (None, RLE))


def _name(syntax: Any) -> str:
    """Return the name of a transfer syntax with its identifier; nothing else that a header may hold in its place."""
    if syntax.name != str(syntax):
        return f"'{syntax.name}' ({syntax})"
    return f"{syntax}" if syntax.is_valid and str(syntax).startswith("1.2.840.10008.") else "(unknown)"


def _shape(dataset: "Dataset") -> tuple[int, int]:
    return headers.number(dataset, "Rows", 0), headers.number(dataset, "Columns", 0)


def _read_native(dataset: "Dataset") -> npt.NDArray[Any]:
    """Return uncompressed values, unsigned, of all bits that are allocated.

    A few bytes may follow them, as some devices fill blocks. So many as make a second frame mean that the header
    states too few rows, frames or bits.

    Raises:
        UnusableImage: the pixels are compressed after all, or fewer or more than the header states.
    """
    shape, allocated = _shape(dataset), headers.number(dataset, "BitsAllocated", 0)
    needed = shape[0] * shape[1] * allocated // 8
    element = dataset["PixelData"]
    content = element.value
    if getattr(element, "is_undefined_length", False):
        raise UnusableImage("damaged: its pixels are compressed, its transfer syntax says that they are not")
    if not content:
        raise UnusableImage("no pixels, or they are cut off")
    if not needed <= len(content) < max(2 * needed, needed + MIN_SURPLUS):
        raise UnusableImage(f"damaged: {len(content):,} bytes of pixels, {needed:,} are needed")
    order = "<" if str(reading.transfer_syntax(dataset)) != reading.EXPLICIT_BIG else ">"
    if allocated == 8:
        values = np.frombuffer(content, np.uint8, needed)
        if order == ">" and element.VR == "OW":  # bytes lie swapped in words
            words = np.frombuffer(content, np.uint16, len(content) // 2)
            values = words.byteswap().view(np.uint8)[:needed] if len(content) % 2 == 0 else values
    else:
        values = np.frombuffer(content, np.dtype(f"{order}u2"), needed // 2)
    return values.astype(values.dtype.newbyteorder("="), copy=False).reshape(shape)


def _decompress(dataset: "Dataset", decoder: str) -> npt.NDArray[Any]:
    """Return the values of a compressed frame as its decoder gives them."""
    import imagecodecs
    from pydicom.encaps import generate_frames

    shape = _shape(dataset)
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    if decoder == RLE:
        return _decode_rle(frame, shape, headers.number(dataset, "BitsAllocated", 0) // 8)
    size = read_size(frame, decoder)
    if (size.rows, size.columns, size.channels) != (*shape, 1):
        raise UnusableImage(
            f"damaged: its frame has {size.columns} × {size.rows} pixels of {size.channels} channels, its header says "
            f"{shape[1]} × {shape[0]} of 1"
        )
    if decoder == JPEG and not frame.rstrip(PADDING).endswith(END_OF_IMAGE):  # libjpeg makes up what is missing
        raise UnusableImage("damaged: its JPEG frame is cut off")
    stored = headers.number(dataset, "BitsStored", 0)
    if str(reading.transfer_syntax(dataset)) in LOSSY_JPEG and size.bits == 8 < stored:  # it was reduced to 8 bits
        raise UnusableImage(f"damaged: its JPEG frame has 8 bits a pixel, its header says {stored}")
    if size.bits > 16:
        raise UnusableImage(f"{size.bits} bits a pixel: up to 16 are read")
    values = np.asarray(getattr(imagecodecs, f"{decoder}_decode")(frame))
    if values.shape != shape or values.dtype not in (np.uint8, np.uint16, np.int8, np.int16):
        raise UnusableImage("damaged: its frame decodes to another size")
    return values


def _decode_rle(frame: bytes, shape: tuple[int, int], width: int) -> npt.NDArray[Any]:
    """Return the values of a run-length encoded frame (PS3.5, annex G): one segment for each byte of a pixel."""
    import imagecodecs

    if int.from_bytes(frame[:4], "little") != width:
        raise UnusableImage("damaged: its number of RLE segments is not that of the bytes of a pixel")
    out = np.zeros(shape, np.uint8 if width == 1 else np.uint16)
    decoded = imagecodecs.dicomrle_decode(frame, out.dtype, out=out.size * width)
    values = np.frombuffer(decoded, out.dtype)
    if values.size != out.size:
        raise UnusableImage("damaged: its RLE segments are too short")
    return values.reshape(shape)


def read_size(frame: bytes, decoder: str) -> FrameSize:
    """Return the size that a frame of JPEG, JPEG-LS or JPEG 2000 states.

    Raises:
        UnusableImage: it states none.
    """
    found = _jpeg_2000_size(frame) if decoder == JPEG_2000 else _jpeg_size(frame)
    if found is None:
        raise UnusableImage("damaged: its compressed frame has no header")
    return found


def _jpeg_size(frame: bytes) -> FrameSize | None:
    place = 2
    while frame[:2] == b"\xff\xd8" and place + 10 <= len(frame) and frame[place] == 0xFF:
        marker = frame[place + 1]
        if marker in START_OF_FRAME:
            bits, rows, columns, channels = struct.unpack(">BHHB", frame[place + 4 : place + 10])
            return FrameSize(rows, columns, channels, bits)
        place += 1 if marker == 0xFF else 2 + int.from_bytes(frame[place + 2 : place + 4], "big")
    return None


def _jpeg_2000_size(frame: bytes) -> FrameSize | None:
    start = 0 if frame.startswith(CODESTREAM) else frame.find(CODESTREAM) if frame.startswith(BOX) else -1
    if start < 0 or start + 43 > len(frame):
        return None
    right, bottom, left, top = struct.unpack(">4I", frame[start + 8 : start + 24])
    channels, bits = struct.unpack(">HB", frame[start + 40 : start + 43])
    return FrameSize(bottom - top, right - left, channels, (bits & 0x7F) + 1)


def _interpret(values: npt.NDArray[Any], dataset: "Dataset", *, is_coded: bool) -> StoredValues:
    """Return values as BitsStored, HighBit and PixelRepresentation say.

    Bits above those stored must be empty or extend the sign, unless they hold an overlay, as in old files. Some devices
    state a sign in JPEG 2000 that differs from that of the header; the header counts.

    Raises:
        UnusableImage: a value has more bits than are stored.
    """
    stored = headers.number(dataset, "BitsStored", 0)
    shift = 0 if is_coded else headers.number(dataset, "HighBit", stored - 1) + 1 - stored
    is_signed = headers.number(dataset, "PixelRepresentation", 0) == 1
    if stored > values.dtype.itemsize * 8:  # a frame of 8 bits in place of 16
        values = values.astype(np.int16 if values.dtype.kind == "i" else np.uint16)
    width = values.dtype.itemsize * 8
    unsigned = values.view(f"u{values.dtype.itemsize}")
    if shift == 0 and not _has_more_bits(values, stored, is_signed=is_signed or values.dtype.kind == "i"):
        kept = unsigned
    elif shift or reading.OVERLAY_ROWS in dataset:
        kept = unsigned >> shift
    else:
        raise UnusableImage(f"it holds values of more than the {stored} bits that it states")
    if not is_signed:
        return kept if stored == width else kept & ((1 << stored) - 1)
    spare = width - stored  # shifted to the left and back, the highest bit that is stored becomes the sign
    signed: StoredValues = (kept << spare).view(f"i{values.dtype.itemsize}") >> spare
    return signed


def _has_more_bits(values: npt.NDArray[Any], stored: int, *, is_signed: bool) -> bool:
    """Return whether a value is neither an unsigned number of so many bits nor, if signed, such a signed number."""
    unsigned = values.view(f"u{values.dtype.itemsize}")
    if int(unsigned.max()) < 1 << stored:
        return False
    signed = values.view(f"i{values.dtype.itemsize}")
    half = 1 << stored - 1
    return not is_signed or int(signed.min()) < -half or int(signed.max()) >= half
