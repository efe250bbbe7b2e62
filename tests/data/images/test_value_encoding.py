"""Test how files declare their values: byte order, sign, white, bit depth."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.images.image_files import PHOTOMETRIC, PICTURE, decode_grey, save, write_deep_colour, write_tiff
from PIL import Image

from xrayaug.data.images import greyscale, value_ranges
from xrayaug.data.images.intensity import IntensityScale, ValueRange
from xrayaug.data.images.opening import UnusableImage


def test_big_endian_and_32_bit_files_are_read(tmp_path: Path) -> None:
    values = PICTURE.astype(np.uint16) * 257
    big = Image.frombytes("I;16B", (6, 4), values.astype(">u2").tobytes())
    assert np.array_equal(decode_grey(save(tmp_path, big, "big.tif")), PICTURE)
    wide = Image.fromarray(values.astype(np.int32))
    decoded = greyscale.decode(save(tmp_path, wide, "wide.tif"))
    assert np.array_equal(decoded.grey, PICTURE)
    assert (decoded.mode, decoded.depth) == ("I", "16-bit")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_zero_tiff_is_inverted(tmp_path: Path, dtype: Any) -> None:
    values = PICTURE.astype(dtype) * (257 if dtype == np.uint16 else 1)
    path = save(tmp_path, Image.fromarray(values), "a.tif", tiffinfo={PHOTOMETRIC: 0})
    with Image.open(path) as image:
        assert image.tag_v2[PHOTOMETRIC] == 0  # type: ignore[attr-defined] # TIFF images have it
    # Of eight bits Pillow inverts when it writes and when it reads; of sixteen it does neither.
    assert np.array_equal(decode_grey(path), PICTURE if dtype == np.uint8 else 255 - PICTURE)


def test_unsigned_32_bit_values_do_not_wrap(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", np.array([[5, 4_000_000_000]], "<u4"), 1)
    with pytest.raises(UnusableImage, match=r"values up to 4e\+09, more than 65535"):
        greyscale.decode(path)


def test_signed_values_of_8_bits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableImage, match="signed values of 8 bits"):
        greyscale.decode(write_tiff(tmp_path / "a.tif", np.array([[-5, 3]], "i1"), 2))


def test_pgm_is_scaled_by_the_white_that_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5\n3 1\n4095\n" + np.array([0, 1000, 2000], ">u2").tobytes())
    assert value_ranges.read_value_range(path) == ValueRange("unsigned", 0, 4095)
    assert decode_grey(path).tolist() == [[0, 62, 125]]
    assert decode_grey(path, scale=IntensityScale(16)).tolist() == [[0, 4, 8]]  # beside files of 16 bits


def test_jpeg_2000_is_scaled_by_the_bit_depth_that_it_declares(tmp_path: Path) -> None:
    values = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)
    path = save(tmp_path, Image.fromarray(values + 32768 - 2048), "a.jp2")
    content = path.read_bytes()
    place = content.index(b"\xff\x4f\xff\x51") + 42
    assert content[place] == 15  # 16 bits, unsigned
    path.write_bytes(
        content[:place] + bytes([11]) + content[place + 1 :]
    )  # what an encoder of 12 bits would have written
    assert value_ranges.read_value_range(path) == ValueRange("unsigned", 0, 4095)
    assert np.array_equal(decode_grey(path), np.rint(values * (255 / 4095)))


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "unsigned"), ("a.tif", "unsigned"), ("a.jp2", "unsigned"), ("a.pgm", "unsigned")]
)
def test_files_of_more_than_8_bits_are_recognised_by_their_headers(tmp_path: Path, name: str, kind: str) -> None:
    assert value_ranges.read_value_kind(save(tmp_path, Image.fromarray(PICTURE.astype(np.uint16) * 257), name)) == kind
    assert value_ranges.read_value_kind(save(tmp_path, Image.fromarray(PICTURE), name)) == ""


def test_headers_distinguish_colour_signed_and_float(tmp_path: Path) -> None:
    assert value_ranges.read_value_kind(write_deep_colour(tmp_path, [0])) == "colour"
    assert value_ranges.read_value_kind(write_tiff(tmp_path / "s.tif", np.array([[1]], "<i2"), 2)) == "signed"
    assert value_ranges.read_value_kind(write_tiff(tmp_path / "f.tif", np.array([[1]], "<f4"), 3)) == "float"
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert value_ranges.read_value_kind(tmp_path / "bad.png") == ""
