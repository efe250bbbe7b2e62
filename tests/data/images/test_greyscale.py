"""Test decoding to greyscale: modes, transparency, bit depths, signed values."""

from pathlib import Path

import numpy as np
import pytest
from data.images.image_files import PICTURE, decode_grey, exif_with_orientation, save, write_deep_colour
from PIL import Image

from xrayaug.data.images import bands, greyscale
from xrayaug.data.images.intensity import IntensityScale
from xrayaug.data.images.opening import UnusableImage


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.gif", "a.pgm", "a.jp2"])
def test_8_bit_greyscale_is_unchanged(tmp_path: Path, name: str) -> None:
    decoded = greyscale.decode(save(tmp_path, Image.fromarray(PICTURE), name))
    assert np.array_equal(decoded.grey, PICTURE)
    assert decoded.grey.dtype == np.uint8
    assert decoded.depth == "8-bit"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_greyscale_stored_in_other_modes_gives_the_same_pixels(tmp_path: Path, mode: str) -> None:
    decoded = greyscale.decode(save(tmp_path, Image.fromarray(PICTURE).convert(mode)))
    assert np.array_equal(decoded.grey, PICTURE)
    assert (decoded.depth, decoded.mode) == ("8-bit", mode)


def test_1_bit_images_are_black_and_white(tmp_path: Path) -> None:
    decoded = greyscale.decode(save(tmp_path, Image.fromarray(PICTURE > 100)))
    assert np.array_equal(decoded.grey, np.where(PICTURE > 100, 255, 0))
    assert (decoded.depth, decoded.mode) == ("1-bit", "1")


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_composited_over_black(tmp_path: Path, mode: str) -> None:
    alpha = np.full((4, 6), 128, np.uint8)
    alpha[0] = 0
    image = Image.fromarray(PICTURE).convert(mode)
    image.putalpha(Image.fromarray(alpha))
    expected = np.rint(PICTURE.astype(float) * alpha / 255)
    assert np.array_equal(decode_grey(save(tmp_path, image)), expected)


def test_inverting_keeps_transparent_pixels_black(tmp_path: Path) -> None:
    image = Image.fromarray(PICTURE).convert("LA")
    alpha = np.full((4, 6), 255, np.uint8)
    alpha[0] = 0
    image.putalpha(Image.fromarray(alpha))
    grey = decode_grey(save(tmp_path, image), invert=True)
    assert not grey[0].any()
    assert np.array_equal(grey[1:], 255 - PICTURE[1:])


@pytest.mark.parametrize("transparency", [1, b"\xff\x00\x80"])
def test_transparent_colours_of_a_palette_are_black(tmp_path: Path, transparency: int | bytes) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([200, 200, 200, 100, 100, 100, 50, 50, 50])
    image.putdata([0, 1, 2])
    expected = [200, 0, 50] if isinstance(transparency, int) else [200, 0, 25]
    assert decode_grey(save(tmp_path, image, transparency=transparency)).tolist() == [expected]


def test_a_grey_level_declared_transparent_becomes_black(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(PICTURE), transparency=230)
    assert decode_grey(path).tolist() == np.where(PICTURE == 230, 0, PICTURE).tolist()


def test_transparency_of_16_bit_files_is_ignored(tmp_path: Path) -> None:
    deep = Image.fromarray(PICTURE.astype(np.uint16) * 257)
    assert np.array_equal(decode_grey(save(tmp_path, deep, transparency=230 * 257)), PICTURE)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_is_not_inverted(tmp_path: Path, name: str) -> None:
    image = Image.new("RGB", (16, 16), (200, 200, 200)).convert("CMYK")
    decoded = greyscale.decode(save(tmp_path, image, name))
    assert abs(int(decoded.grey[8, 8]) - 200) < 3
    assert decoded.mode == "CMYK"


def test_the_first_of_several_frames_is_read(tmp_path: Path) -> None:
    frames = [Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)]
    for name in ("a.gif", "a.tif", "b.png"):
        path = save(tmp_path, frames[0], name, save_all=True, append_images=frames[1:])
        assert np.array_equal(decode_grey(path), PICTURE), name


def test_the_first_image_of_a_multi_picture_jpeg_is_read(tmp_path: Path) -> None:
    frames = [Image.new("L", (16, 16), 80), Image.new("L", (16, 16), 200)]
    path = save(tmp_path, frames[0], "a.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert decode_grey(path)[8, 8] == 80


def test_16_bit_colour_keeps_the_upper_8_bits(tmp_path: Path) -> None:
    decoded = greyscale.decode(write_deep_colour(tmp_path, [0, 100 * 257, 65535]))
    assert decoded.grey.tolist() == [[0, 100, 255]]
    assert decoded.depth == "16-bit colour"


@pytest.mark.parametrize("most", [1023, 4095, 16383])
def test_16_bit_colour_that_uses_fewer_bits_is_refused(tmp_path: Path, most: int) -> None:
    path = write_deep_colour(tmp_path, [0, 1000, most])
    with pytest.raises(UnusableImage, match="export it as greyscale"):
        greyscale.decode(path)
    assert decode_grey(path, scale=IntensityScale(16)).tolist() == [
        [0, 1000 // 256, most // 256]
    ]  # white is 65535, whatever it holds


def test_16_bit_colour_is_refused_with_a_scale_of_fewer_bits(tmp_path: Path) -> None:
    path = write_deep_colour(tmp_path, [0, 100 * 257, 65535])
    with pytest.raises(UnusableImage, match="colour of 12 bits"):
        greyscale.decode(path, scale=IntensityScale(12))


def test_the_size_of_the_bands_does_not_change_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    clear = Image.fromarray(random.integers(0, 256, (31, 17, 4), np.uint8))
    palette = clear.convert("RGB").convert("P")
    made = [
        save(tmp_path, clear, "clear.png"),
        save(tmp_path, palette, "palette.png", transparency=7, exif=exif_with_orientation(6)),
        save(tmp_path, Image.fromarray(random.integers(0, 65536, (31, 17)).astype(np.uint16)), "deep.png"),
        save(tmp_path, Image.fromarray(random.integers(0, 4096, (31, 17)).astype(np.int32)), "wide.tif"),
        save(tmp_path, Image.fromarray(random.random((31, 17)).astype(np.float32)), "float.tif"),
        save(tmp_path, clear.convert("CMYK"), "ink.tif", exif=exif_with_orientation(8)),
    ]
    whole = [greyscale.decode(path, invert=True) for path in made]
    monkeypatch.setattr(bands, "BAND_PIXELS", 40)
    for path, expected in zip(made, whole, strict=True):
        decoded = greyscale.decode(path, invert=True)
        assert np.array_equal(decoded.grey, expected.grey), path.name
        assert (decoded.depth, decoded.mode) == (expected.depth, expected.mode)
