import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from xrayaug.data.images import greyscale, png
from xrayaug.data.images.opening import open_image

PLENTY = 1 << 20
RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (23, 31), np.uint8)
COLOUR = RANDOM.integers(0, 256, (23, 31, 3), np.uint8)


def png_of(picture: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]", mode: str = "", **how: object) -> bytes:
    content = io.BytesIO()
    image = Image.fromarray(picture)
    (image.convert(mode) if mode else image).save(content, "PNG", **how)
    return content.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def after_header(file: bytes, extra: bytes) -> bytes:
    return file[:33] + extra + file[33:]


def read(tmp_path: Path, content: bytes, max_pixels: int = PLENTY) -> png.PixelArray | None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with path.open("rb") as stream:
        found = png.read(stream, max_pixels)
        assert stream.tell() == 0
    return found


@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "rgb"])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_it_reads_what_pillow_reads(tmp_path: Path, picture: png.PixelArray, level: int) -> None:
    found = read(tmp_path, png_of(picture, compress_level=level))
    assert found is not None
    np.testing.assert_array_equal(found, picture)


@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "rgb"])
@pytest.mark.parametrize("invert", [False, True])
def test_both_ways_give_the_same_picture(tmp_path: Path, picture: png.PixelArray, invert: bool) -> None:
    (tmp_path / "a.png").write_bytes(png_of(picture))
    quick = greyscale.decode(tmp_path / "a.png", invert=invert)
    with open_image(tmp_path / "a.png") as image:
        slow = greyscale.convert_to_grey(image, invert=invert)
    np.testing.assert_array_equal(quick.grey, slow.grey)
    assert (quick.depth, quick.mode) == (slow.depth, slow.mode)


@pytest.mark.parametrize("kind", range(5))
def test_every_filter_of_png_is_undone(tmp_path: Path, kind: int) -> None:
    """Filter bytes with content of their own: Pillow, which knows them all, is what it is held against."""
    lines = np.column_stack([np.full(len(GREY), kind, np.uint8), GREY])
    header = struct.pack(">IIBBBBB", GREY.shape[1], GREY.shape[0], 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines.tobytes())), chunk(b"IEND", b"")]
    content = png.SIGNATURE + b"".join(parts)
    np.testing.assert_array_equal(read(tmp_path, content), np.asarray(Image.open(io.BytesIO(content))))


def unusual() -> dict[str, bytes]:
    plain, text = png_of(GREY), PngInfo()
    text.add_text("a", "b" * 10_000, zip=True)
    return {
        "sixteen bits": png_of(GREY.astype(np.uint16)),
        "one bit": png_of(GREY > 9),
        "palette": png_of(COLOUR, "P"),
        "alpha": png_of(COLOUR, "RGBA"),
        "transparent grey": png_of(GREY, transparency=3),
        "orientation": after_header(plain, chunk(b"eXIf", b"II*\0")),
        "compressed text": png_of(GREY, pnginfo=text),
        "much text": after_header(plain, chunk(b"tEXt", bytes(1 << 17))),
        "animated": after_header(plain, chunk(b"acTL", bytes(8))),
        "interlaced": plain[:28] + b"\1" + plain[29:],
        "no PNG": b"GIF89a" + plain,
        "empty": b"",
    }


@pytest.mark.parametrize("name", unusual())
def test_unusual_png_files_are_left_to_pillow(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, unusual()[name]) is None


@pytest.mark.parametrize("cut", [20, 40, 200, 1])
def test_truncated_png_files_are_left_to_pillow(tmp_path: Path, cut: int) -> None:
    assert read(tmp_path, png_of(GREY)[:-cut]) is None


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    content = bytearray(png_of(GREY))
    content[len(content) // 2] ^= 8
    assert read(tmp_path, bytes(content)) is None


def test_too_many_pixels_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    assert read(tmp_path, png_of(GREY), GREY.size - 1) is None
    assert read(tmp_path, png_of(GREY), GREY.size) is not None
    assert read(tmp_path, png_of(COLOUR), GREY.size) is None
