import hashlib
import io
import os
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from xrayaug.data.images import pixels
from xrayaug.data.images.pixels import Grey, IntensityScale, UnusableImage, ValueRange, fit_scale

ORIENTATION = 0x0112
PHOTOMETRIC = 262
SAMPLE_FORMAT = 339
# A 4 × 6 picture that no turn maps to itself.
PICTURE = (np.arange(24, dtype=np.uint8) * 10).reshape(4, 6)


def save(tmp_path: Path, image: Image.Image, name: str = "a.png", **settings: Any) -> Path:
    path = tmp_path / name
    image.save(path, **settings)
    return path


def grey_of(path: Path, **options: Any) -> Grey:
    return pixels.decode(path, **options).grey


def oriented(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return exif


def png_chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG file by hand, for what Pillow does not write; `rows` with their filter bytes, `more` chunks before them."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, 0])
    chunks = [png_chunk(b"IHDR", head), *more, png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


# Modes


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.gif", "a.pgm", "a.jp2"])
def test_grey_is_kept_as_it_is(tmp_path: Path, name: str) -> None:
    found = pixels.decode(save(tmp_path, Image.fromarray(PICTURE), name))
    assert np.array_equal(found.grey, PICTURE)
    assert found.grey.dtype == np.uint8
    assert found.depth == "8-bit"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_grey_in_colour_gives_the_same_pixels(tmp_path: Path, mode: str) -> None:
    found = pixels.decode(save(tmp_path, Image.fromarray(PICTURE).convert(mode)))
    assert np.array_equal(found.grey, PICTURE)
    assert (found.depth, found.mode) == ("8-bit", mode)


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    found = pixels.decode(save(tmp_path, Image.fromarray(PICTURE > 100)))
    assert np.array_equal(found.grey, np.where(PICTURE > 100, 255, 0))
    assert (found.depth, found.mode) == ("1-bit", "1")


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_lies_over_black(tmp_path: Path, mode: str) -> None:
    alpha = np.full((4, 6), 128, np.uint8)
    alpha[0] = 0
    image = Image.fromarray(PICTURE).convert(mode)
    image.putalpha(Image.fromarray(alpha))
    expected = np.rint(PICTURE.astype(float) * alpha / 255)
    assert np.array_equal(grey_of(save(tmp_path, image)), expected)


def test_inverting_keeps_what_is_transparent_black(tmp_path: Path) -> None:
    image = Image.fromarray(PICTURE).convert("LA")
    alpha = np.full((4, 6), 255, np.uint8)
    alpha[0] = 0
    image.putalpha(Image.fromarray(alpha))
    found = grey_of(save(tmp_path, image), invert=True)
    assert not found[0].any()
    assert np.array_equal(found[1:], 255 - PICTURE[1:])


@pytest.mark.parametrize("transparency", [1, b"\xff\x00\x80"])
def test_transparent_colours_of_a_palette_are_black(tmp_path: Path, transparency: int | bytes) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([200, 200, 200, 100, 100, 100, 50, 50, 50])
    image.putdata([0, 1, 2])
    expected = [200, 0, 50] if isinstance(transparency, int) else [200, 0, 25]
    assert grey_of(save(tmp_path, image, transparency=transparency)).tolist() == [expected]


def test_the_transparent_grey_is_black(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(PICTURE), transparency=230)
    assert grey_of(path).tolist() == np.where(PICTURE == 230, 0, PICTURE).tolist()


def test_transparency_of_sixteen_bits_is_ignored(tmp_path: Path) -> None:
    deep = Image.fromarray(PICTURE.astype(np.uint16) * 257)
    assert np.array_equal(grey_of(save(tmp_path, deep, transparency=230 * 257)), PICTURE)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_is_not_inverted(tmp_path: Path, name: str) -> None:
    image = Image.new("RGB", (16, 16), (200, 200, 200)).convert("CMYK")
    found = pixels.decode(save(tmp_path, image, name))
    assert abs(int(found.grey[8, 8]) - 200) < 3
    assert found.mode == "CMYK"


def test_the_first_of_several_frames_is_read(tmp_path: Path) -> None:
    frames = [Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)]
    for name in ("a.gif", "a.tif", "b.png"):
        path = save(tmp_path, frames[0], name, save_all=True, append_images=frames[1:])
        assert np.array_equal(grey_of(path), PICTURE), name


def test_a_jpeg_of_several_pictures_is_read(tmp_path: Path) -> None:
    frames = [Image.new("L", (16, 16), 80), Image.new("L", (16, 16), 200)]
    path = save(tmp_path, frames[0], "a.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert grey_of(path)[8, 8] == 80


# Depth


@pytest.mark.parametrize(
    ("highest", "full", "depth"),
    [
        (255, 255, "8-bit in 16"),
        (256, 1023, "10-bit in 16"),
        (1023, 1023, "10-bit in 16"),
        (1024, 4095, "12-bit in 16"),
        (4095, 4095, "12-bit in 16"),
        (4096, 16383, "14-bit in 16"),
        (16383, 16383, "14-bit in 16"),
        (16384, 65535, "16-bit"),
        (65535, 65535, "16-bit"),
    ],
)
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_deep_files_are_scaled_by_the_depth_that_holds_them(
    tmp_path: Path, highest: int, full: int, depth: str, name: str
) -> None:
    values = np.linspace(0, highest, 640).round().astype(np.uint16).reshape(20, 32)
    found = pixels.decode(save(tmp_path, Image.fromarray(values), name))
    assert np.array_equal(found.grey, np.rint(values.astype(float) * 255 / full))
    assert (found.depth, found.mode) == (depth, "I;16")


def test_the_depth_can_be_given(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(np.array([[0, 200]], np.uint16)))
    found = [grey_of(path, scale=scale)[0, 1] for scale in (None, *map(IntensityScale, (8, 10, 12, 14, 16)))]
    assert found == [200, 200, 50, 12, 3, 1]


def test_more_than_the_given_depth_is_refused_not_clipped(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(np.array([[0, 5000]], np.uint16)))
    with pytest.raises(UnusableImage, match="5000, more than 4095"):
        pixels.decode(path, scale=IntensityScale(12))


def test_the_given_depth_leaves_eight_bit_files_alone(tmp_path: Path) -> None:
    assert np.array_equal(grey_of(save(tmp_path, Image.fromarray(PICTURE)), scale=IntensityScale(12)), PICTURE)


def test_big_endian_and_32_bit_files_are_read(tmp_path: Path) -> None:
    values = PICTURE.astype(np.uint16) * 257
    big = Image.frombytes("I;16B", (6, 4), values.astype(">u2").tobytes())
    assert np.array_equal(grey_of(save(tmp_path, big, "big.tif")), PICTURE)
    wide = Image.fromarray(values.astype(np.int32))
    found = pixels.decode(save(tmp_path, wide, "wide.tif"))
    assert np.array_equal(found.grey, PICTURE)
    assert (found.mode, found.depth) == ("I", "16-bit")


@pytest.mark.parametrize("full", [1, 255, 4095, 65535])
def test_floats_are_scaled_by_what_holds_them(tmp_path: Path, full: int) -> None:
    values = (PICTURE / 255 * full).astype(np.float32)
    values[-1, -1] = full
    found = pixels.decode(save(tmp_path, Image.fromarray(values), "a.tif"))
    assert np.array_equal(found.grey, np.rint(values * (255 / full)))
    assert found.depth == "float"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.array([[-5, 70000]], np.int32), "negative values, down to -5"),
        (np.array([[-40000, 3]], np.int32), "negative values, down to -40000"),
        (np.array([[-0.5, 3]], np.float32), "negative values, down to -0.5"),
        (np.array([[0, 70000]], np.int32), "70000, more than 65535"),
        (np.array([[0, np.nan]], np.float32), "not finite"),
        (np.array([[0, np.inf]], np.float32), "not finite"),
    ],
)
def test_values_without_a_grey_are_refused(tmp_path: Path, values: Any, reason: str) -> None:
    with pytest.raises(UnusableImage, match=reason):
        pixels.decode(save(tmp_path, Image.fromarray(values), "a.tif"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_that_shows_zero_as_white_is_turned(tmp_path: Path, dtype: Any) -> None:
    values = PICTURE.astype(dtype) * (257 if dtype == np.uint16 else 1)
    path = save(tmp_path, Image.fromarray(values), "a.tif", tiffinfo={PHOTOMETRIC: 0})
    with Image.open(path) as image:
        assert image.tag_v2[PHOTOMETRIC] == 0  # type: ignore[attr-defined] # TIFF images have it
    # Of eight bits Pillow inverts when it writes and when it reads; of sixteen it does neither.
    assert np.array_equal(grey_of(path), PICTURE if dtype == np.uint8 else 255 - PICTURE)


def deep_colour(tmp_path: Path, values: list[int]) -> Path:
    row = b"\0" + b"".join(value.to_bytes(2, "big") * 3 for value in values)
    path = tmp_path / "deep.png"
    path.write_bytes(png(len(values), 1, 16, 2, row))
    return path


def test_sixteen_bit_colour_keeps_the_upper_bits(tmp_path: Path) -> None:
    found = pixels.decode(deep_colour(tmp_path, [0, 100 * 257, 65535]))
    assert found.grey.tolist() == [[0, 100, 255]]
    assert found.depth == "16-bit colour"


@pytest.mark.parametrize("most", [1023, 4095, 16383])
def test_sixteen_bit_colour_of_fewer_bits_is_refused(tmp_path: Path, most: int) -> None:
    path = deep_colour(tmp_path, [0, 1000, most])
    with pytest.raises(UnusableImage, match="export it as greyscale"):
        pixels.decode(path)
    assert grey_of(path, scale=IntensityScale(16)).tolist() == [
        [0, 1000 // 256, most // 256]
    ]  # white is 65535, whatever it holds


def test_sixteen_bit_colour_is_refused_beside_greyscale_of_fewer_bits(tmp_path: Path) -> None:
    path = deep_colour(tmp_path, [0, 100 * 257, 65535])
    with pytest.raises(UnusableImage, match="colour of 12 bits"):
        pixels.decode(path, scale=IntensityScale(12))


# Signed values, and files that declare their depth


def tiff(path: Path, values: npt.NDArray[Any], sample_format: int, *, bits: int | None = None) -> Path:
    """A TIFF file by hand, for values that Pillow does not write."""
    height, width = values.shape
    order = ">" if values.dtype.byteorder == ">" else "<"
    tags = {256: width, 257: height, 258: bits or 8 * values.dtype.itemsize, 259: 1, PHOTOMETRIC: 1, 273: 0, 277: 1,
            278: height, 279: values.nbytes, SAMPLE_FORMAT: sample_format}  # fmt: skip
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    path.write_bytes(head + entries + bytes(4) + values.tobytes())
    return path


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4", ">i4"])
def test_signed_values_without_negative_ones_are_as_unsigned(tmp_path: Path, dtype: str) -> None:
    values = np.array([[0, 2000, 4095]], dtype)
    found = pixels.decode(tiff(tmp_path / "a.tif", values, 2))
    assert (found.grey.tolist(), found.depth) == ([[0, 125, 255]], "12-bit in 16")


@pytest.mark.parametrize(("low", "high", "bits"), [(-1, 127, 8), (-2048, 2047, 12), (-2049, 0, 14), (-5, 32767, 16)])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4"])
def test_negative_values_are_read_as_two_s_complement(
    tmp_path: Path, low: int, high: int, bits: int, dtype: str
) -> None:
    found = pixels.decode(tiff(tmp_path / "a.tif", np.array([[low, 0, high]], dtype), 2))
    half, full = 2 ** (bits - 1), 2**bits - 1
    assert found.grey.tolist() == [[int((value + half) * 255 / full + 0.5) for value in (low, 0, high)]]
    assert found.depth == f"{bits}-bit signed"


def test_a_signed_file_that_pillow_wrote_is_read_so_too(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(np.array([[-2048, 2047]], np.int16)), "a.tif")
    assert grey_of(path).tolist() == [[0, 255]]


def test_in_a_set_with_negative_values_all_signed_files_have_one_black(tmp_path: Path) -> None:
    scale = fit_scale([ValueRange("signed", -5, 2000), ValueRange("unsigned", 0, 4095), ValueRange("signed", 0, 100)])
    assert scale == IntensityScale(12, signed=True)
    values = np.array([[0, 2047]])
    assert grey_of(tiff(tmp_path / "a.tif", values.astype("<i2"), 2), scale=scale).tolist() == [[128, 255]]
    assert grey_of(tiff(tmp_path / "b.tif", values.astype("<u2"), 1), scale=scale).tolist() == [[0, 127]]


def test_unsigned_values_of_32_bits_never_wrap(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", np.array([[5, 4_000_000_000]], "<u4"), 1)
    with pytest.raises(UnusableImage, match=r"values up to 4e\+09, more than 65535"):
        pixels.decode(path)


def test_signed_values_of_8_bits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableImage, match="signed values of 8 bits"):
        pixels.decode(tiff(tmp_path / "a.tif", np.array([[-5, 3]], "i1"), 2))


def test_floats_up_to_1_are_refused_where_white_is_more(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(np.array([[0, 0.9]], np.float32)), "a.tif")
    assert grey_of(path, scale=IntensityScale(12, unit=True)).tolist() == [[0, 230]]
    with pytest.raises(UnusableImage, match="all black"):
        pixels.decode(path, scale=IntensityScale(12))


def test_pgm_counts_by_the_white_that_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5\n3 1\n4095\n" + np.array([0, 1000, 2000], ">u2").tobytes())
    assert pixels.read_value_range(path) == ValueRange("unsigned", 0, 4095)
    assert grey_of(path).tolist() == [[0, 62, 125]]
    assert grey_of(path, scale=IntensityScale(16)).tolist() == [[0, 4, 8]]  # beside files of 16 bits


def test_jpeg_2000_counts_by_the_bits_that_it_declares(tmp_path: Path) -> None:
    values = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)
    path = save(tmp_path, Image.fromarray(values + 32768 - 2048), "a.jp2")
    content = path.read_bytes()
    place = content.index(b"\xff\x4f\xff\x51") + 42
    assert content[place] == 15  # 16 bits, unsigned
    path.write_bytes(
        content[:place] + bytes([11]) + content[place + 1 :]
    )  # what an encoder of 12 bits would have written
    assert pixels.read_value_range(path) == ValueRange("unsigned", 0, 4095)
    assert np.array_equal(grey_of(path), np.rint(values * (255 / 4095)))


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "unsigned"), ("a.tif", "unsigned"), ("a.jp2", "unsigned"), ("a.pgm", "unsigned")]
)
def test_files_of_more_than_eight_bits_are_known_by_their_headers(tmp_path: Path, name: str, kind: str) -> None:
    assert pixels.read_value_kind(save(tmp_path, Image.fromarray(PICTURE.astype(np.uint16) * 257), name)) == kind
    assert pixels.read_value_kind(save(tmp_path, Image.fromarray(PICTURE), name)) == ""


def test_headers_tell_colour_signed_and_float(tmp_path: Path) -> None:
    assert pixels.read_value_kind(deep_colour(tmp_path, [0])) == "colour"
    assert pixels.read_value_kind(tiff(tmp_path / "s.tif", np.array([[1]], "<i2"), 2)) == "signed"
    assert pixels.read_value_kind(tiff(tmp_path / "f.tif", np.array([[1]], "<f4"), 3)) == "float"
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert pixels.read_value_kind(tmp_path / "bad.png") == ""


# Orientation


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize(("name", "scale"), [("a.png", 1), ("deep.png", 257), ("a.tif", 1), ("a.webp", 1)])
def test_orientation_is_applied_once(tmp_path: Path, value: int, name: str, scale: int) -> None:
    stored = PICTURE.astype(np.uint16) * scale if scale > 1 else PICTURE
    settings = {"lossless": True} if name.endswith("webp") else {}
    path = save(tmp_path, Image.fromarray(stored), name, exif=oriented(value), **settings)
    turns = {2: "hf", 3: "r2", 4: "vf", 5: "t", 6: "r3", 7: "tt", 8: "r1"}
    expected = {
        "hf": np.fliplr(PICTURE),
        "vf": np.flipud(PICTURE),
        "r1": np.rot90(PICTURE, 1),
        "r2": np.rot90(PICTURE, 2),
        "r3": np.rot90(PICTURE, 3),
        "t": PICTURE.T,
        "tt": np.rot90(PICTURE.T, 2),
    }.get(turns.get(value, ""), PICTURE)
    found = grey_of(path)
    assert np.array_equal(found, expected)
    assert found.flags.c_contiguous


def test_orientation_of_a_jpeg_is_applied(tmp_path: Path) -> None:
    halves = np.zeros((16, 32), np.uint8)
    halves[:, 16:] = 255
    found = grey_of(save(tmp_path, Image.fromarray(halves), "a.jpg", exif=oriented(6)))
    assert found.shape == (32, 16)
    assert found[:8].max() < 30
    assert found[-8:].min() > 225


def test_orientation_in_imagemagick_s_text_chunk_is_applied(tmp_path: Path) -> None:
    data = oriented(3).tobytes()
    text = b"Raw profile type exif\0\0" + zlib.compress(f"\nexif\n{len(data):8}\n{data.hex()}\n".encode())
    rows = b"".join(b"\0" + row.tobytes() for row in PICTURE)
    path = tmp_path / "a.png"
    path.write_bytes(png(6, 4, 8, 0, rows, png_chunk(b"zTXt", text)))
    assert np.array_equal(grey_of(path), PICTURE[::-1, ::-1])


def test_damaged_exif_leaves_the_picture_as_it_lies(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(PICTURE), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12")
    assert np.array_equal(grey_of(path), PICTURE)


# Files that cannot be used


def test_missing_empty_and_foreign_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(UnusableImage, match="No such file"):
        pixels.decode(tmp_path / "gone.png")
    with pytest.raises(UnusableImage, match="directory"):
        pixels.decode(tmp_path)
    for name, data, reason in (("e.png", b"", "empty"), ("t.png", b"hello", "not an image")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UnusableImage, match=reason):
            pixels.decode(tmp_path / name)


def test_postscript_is_not_handed_on_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n")
    with pytest.raises(UnusableImage, match="not an image"):
        pixels.decode(tmp_path / "a.png")


def test_dicom_is_known_by_its_magic_and_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 50)
    (tmp_path / "b.DCM").write_bytes(b"\x08\0\x05\0")
    for name in ("a.png", "b.DCM"):
        with pytest.raises(UnusableImage, match="DICOM is not read yet; export it as PNG"):
            pixels.decode(tmp_path / name)


def test_every_truncation_is_unusable_in_one_line_and_leaks_nothing(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24), np.uint8))
    path = tmp_path / "cut"
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000"):
        whole = io.BytesIO()
        noise.save(whole, kind)
        for part in range(1, 20):
            path.write_bytes(whole.getvalue()[: whole.tell() * part // 24])
            with pytest.raises(UnusableImage, match=r"^[^\n]+$"):
                pixels.decode(path)


def test_broken_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    noise = Image.fromarray(random.integers(0, 256, (24, 24), np.uint8))
    path = tmp_path / "broken"
    for kind in ("PNG", "JPEG", "TIFF", "GIF"):
        whole = io.BytesIO()
        noise.save(whole, kind, exif=oriented(6))
        for _ in range(25):
            data = bytearray(whole.getvalue())
            for place in random.integers(0, len(data), 6):
                data[place] = random.integers(0, 256)
            path.write_bytes(data)
            try:
                assert pixels.decode(path).grey.ndim == 2
            except UnusableImage as problem:
                assert "\n" not in str(problem)


def test_decompression_bombs_are_refused_before_they_unfold(tmp_path: Path) -> None:
    (tmp_path / "wide.png").write_bytes(png(20000, 20000, 8, 0, b"\0"))
    with pytest.raises(UnusableImage, match="too large"):
        pixels.decode(tmp_path / "wide.png")
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 5_000_000))
    (tmp_path / "text.png").write_bytes(png(1, 1, 8, 0, b"\0\0", text))
    with pytest.raises(UnusableImage, match="Decompressed data too large"):
        pixels.decode(tmp_path / "text.png")


def test_a_size_beyond_the_limit_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(8193, 8192, 16, 0, b"\0"))
    with pytest.raises(UnusableImage, match="too large: 8193 × 8192 pixels, more than 64 megapixels"):
        pixels.decode(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.webp", "a.jp2"])
def test_formats_whose_decoders_are_greedy_have_a_lower_limit(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, Image.fromarray(PICTURE), name)
    assert grey_of(path).shape == PICTURE.shape
    monkeypatch.setattr(pixels, "MAX_PIXELS_BY_FORMAT", dict.fromkeys(pixels.MAX_PIXELS_BY_FORMAT, PICTURE.size - 1))
    with pytest.raises(UnusableImage, match="too large: 6 × 4"):
        pixels.decode(path)


def test_a_picture_is_the_same_whatever_the_bands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    clear = Image.fromarray(random.integers(0, 256, (31, 17, 4), np.uint8))
    palette = clear.convert("RGB").convert("P")
    made = [
        save(tmp_path, clear, "clear.png"),
        save(tmp_path, palette, "palette.png", transparency=7, exif=oriented(6)),
        save(tmp_path, Image.fromarray(random.integers(0, 65536, (31, 17)).astype(np.uint16)), "deep.png"),
        save(tmp_path, Image.fromarray(random.integers(0, 4096, (31, 17)).astype(np.int32)), "wide.tif"),
        save(tmp_path, Image.fromarray(random.random((31, 17)).astype(np.float32)), "float.tif"),
        save(tmp_path, clear.convert("CMYK"), "ink.tif", exif=oriented(8)),
    ]
    whole = [pixels.decode(path, invert=True) for path in made]
    monkeypatch.setattr(pixels, "BAND_PIXELS", 40)
    for path, expected in zip(made, whole, strict=True):
        found = pixels.decode(path, invert=True)
        assert np.array_equal(found.grey, expected.grey), path.name
        assert (found.depth, found.mode) == (expected.depth, expected.mode)


def test_a_nan_in_any_band_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "BAND_PIXELS", 4)
    values = np.zeros((6, 4), np.float32)
    values[3, 2] = np.nan
    with pytest.raises(UnusableImage, match="not finite"):
        pixels.decode(save(tmp_path, Image.fromarray(values), "a.tif"))


LARGEST = """
import resource, sys
from pathlib import Path
import numpy as np
from xrayaug.data import image_sets
from xrayaug.data.images import pixels
read = {"decode": pixels.decode, "read_image": image_sets.read_image}[sys.argv[2]]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read(Path(sys.argv[1]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def test_the_largest_deep_picture_takes_less_than_a_gibibyte(tmp_path: Path) -> None:
    """64 megapixels of 16 bits, lying on their side; in a process of its own, whose peak is then the reader's."""
    rows = np.zeros((8192, 1 + 2 * 8192), np.uint8)  # each with its filter byte
    rows[:, 1::2] = np.arange(8192) % 251
    exif = png_chunk(b"eXIf", oriented(6).tobytes()[6:])
    path = tmp_path / "a.png"
    path.write_bytes(png(8192, 8192, 16, 0, rows.tobytes(), exif))
    del rows
    for reader in ("decode", "read_image"):
        command = [sys.executable, "-c", LARGEST, str(path), reader]
        mebibytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        assert mebibytes < 1024, f"{reader} took {mebibytes} MiB"


@pytest.mark.parametrize("kind", [MemoryError, RecursionError, OverflowError, KeyError, IndexError, SyntaxError])
def test_whatever_pillow_raises_makes_the_file_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise kind("in\ntwo lines")

    path = save(tmp_path, Image.fromarray(PICTURE))
    monkeypatch.setattr(Image.Image, "load", broken)
    with pytest.raises(UnusableImage, match=r"^[^\n]+$"):
        pixels.decode(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(UnusableImage, match="no regular file"):
        pixels.decode(tmp_path / "a.png")


def test_large_but_possible_pictures_raise_no_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)  # warns above, refuses above the double
    assert grey_of(save(tmp_path, Image.fromarray(PICTURE))).shape == PICTURE.shape


def test_threads_decode_without_warnings_and_leave_the_filters_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, Image.fromarray(PICTURE))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    before = list(warnings.filters)
    problems: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(40):
                pixels.decode(path)
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert list(warnings.filters) == before


# Square


@pytest.mark.parametrize("resample", sorted(pixels.FILTERS))
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (3, 90), (16, 16), (1, 1)])
def test_square_has_the_size_whatever_the_shape(shape: tuple[int, int], fit: str, resample: str) -> None:
    made = pixels.resize_square(np.full(shape, 77, np.uint8), 16, fit=fit, resample=resample)
    assert made.shape == (16, 16)
    assert made.dtype == np.uint8
    assert made.max() == 77


def test_squash_keeps_the_whole_and_ignores_the_aspect() -> None:
    halves = np.repeat(np.array([[0, 200]], np.uint8), 20, axis=1).repeat(10, axis=0)  # [10, 40]
    made = pixels.resize_square(halves, 8, fit="squash", resample="box")
    assert made.tolist() == [[0] * 4 + [200] * 4] * 8


def test_pad_keeps_the_aspect_and_centres_on_black() -> None:
    made = pixels.resize_square(np.full((40, 20), 200, np.uint8), 16, fit="pad", resample="bicubic")
    assert (made[:, 4:12] == 200).all()
    assert not made[:, :4].any()
    assert not made[:, 12:].any()


def test_crop_cuts_the_long_side_at_both_ends() -> None:
    striped = np.zeros((10, 30), np.uint8)
    striped[:, 10:20] = 200
    assert (pixels.resize_square(striped, 8, fit="crop", resample="bicubic") == 200).all()
    assert (pixels.resize_square(striped.T, 8, fit="crop", resample="bicubic") == 200).all()


def test_shrinking_is_antialiased_but_for_nearest() -> None:
    checks = np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 255
    for resample in pixels.FILTERS:
        made = pixels.resize_square(checks, 8, fit="squash", resample=resample)
        if resample == "nearest":
            assert set(made.ravel().tolist()) <= {0, 255}
        else:
            assert abs(made.astype(int) - 127).max() <= 3


# Telling pictures apart


def test_the_checksum_is_of_shape_and_pixels() -> None:
    assert pixels.pixel_sha256(PICTURE) == hashlib.sha256(b"4x6\n" + bytes(range(0, 240, 10))).hexdigest()
    assert pixels.pixel_sha256(PICTURE) == pixels.pixel_sha256(np.asfortranarray(PICTURE))
    assert pixels.pixel_sha256(PICTURE) != pixels.pixel_sha256(PICTURE.reshape(6, 4))


def test_blank_is_one_grey_level_only() -> None:
    assert pixels.is_blank(np.full((3, 3), 40, np.uint8))
    assert not pixels.is_blank(PICTURE)


# What is no usual radiograph


@pytest.mark.parametrize("values", [(0, 255), (10, 11)])
def test_few_grey_levels_are_told_whatever_the_mode(tmp_path: Path, values: tuple[int, int]) -> None:
    two = np.where(np.random.default_rng(0).random((50, 70)) < 0.5, *values).astype(np.uint8)
    for mode in ("L", "RGB"):
        assert pixels.decode(save(tmp_path, Image.fromarray(two).convert(mode))).seems == (pixels.FEW_GREYS,)
    two[:10, :15] = range(100, 115)
    two[10:20, :40] = range(120, 160)
    assert pixels.decode(save(tmp_path, Image.fromarray(two))).seems == ()
    assert pixels.decode(save(tmp_path, Image.new("L", (9, 9), 5))).seems == ()


def test_a_mask_is_told_after_compression(tmp_path: Path) -> None:
    rows, columns = np.indices((64, 64))
    mask = np.where((rows - 30) ** 2 + (columns - 20) ** 2 < 290, 255, 0).astype(np.uint8)
    assert pixels.decode(save(tmp_path, Image.fromarray(mask), "a.jpg")).seems == (pixels.FEW_GREYS,)
    faint = (100 + np.random.default_rng(0).random((64, 64)) * 30).astype(np.uint8)
    assert pixels.decode(save(tmp_path, Image.fromarray(faint))).seems == ()


@pytest.mark.parametrize("file", ["a.tif", "b.tif", "a.gif", "a.webp"])
def test_several_frames_are_told(tmp_path: Path, file: str) -> None:
    frames = [
        Image.fromarray(np.random.default_rng(each).integers(0, 255, (40, 50)).astype(np.uint8)) for each in range(3)
    ]
    how = {"compression": "tiff_lzw"} if file == "b.tif" else {}
    frames[0].save(tmp_path / file, save_all=True, append_images=frames[1:], **how)
    assert pixels.FRAMES in pixels.decode(tmp_path / file).seems
    frames[0].save(tmp_path / file, **how)
    assert pixels.FRAMES not in pixels.decode(tmp_path / file).seems


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK"])
def test_colour_is_told_and_a_tint_is_none(tmp_path: Path, mode: str) -> None:
    grey = np.random.default_rng(0).integers(0, 200, (50, 70)).astype(np.uint8)
    tinted = np.stack([grey, grey, np.minimum(grey + 40, 255).astype(np.uint8)], axis=2)
    vivid = tinted.copy()
    vivid[10:30, 10:40, 0] = 255
    name = "a.tif" if mode == "CMYK" else "a.png"
    assert pixels.decode(save(tmp_path, Image.fromarray(tinted).convert(mode), name)).seems == ()
    assert pixels.decode(save(tmp_path, Image.fromarray(vivid).convert(mode), name)).seems == (pixels.COLOURED,)
