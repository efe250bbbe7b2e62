"""Test the scales of files of more than 8 bits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.images.image_files import PICTURE, decode_grey, save, write_tiff
from PIL import Image

from xrayaug.data.images import bands, greyscale
from xrayaug.data.images.intensity import IntensityScale, ValueRange, fit_scale
from xrayaug.data.images.opening import UnusableImage


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
def test_files_of_more_than_8_bits_are_scaled_by_the_smallest_depth_that_covers_them(
    tmp_path: Path, highest: int, full: int, depth: str, name: str
) -> None:
    values = np.linspace(0, highest, 640).round().astype(np.uint16).reshape(20, 32)
    decoded = greyscale.decode(save(tmp_path, Image.fromarray(values), name))
    assert np.array_equal(decoded.grey, np.rint(values.astype(float) * 255 / full))
    assert (decoded.depth, decoded.mode) == (depth, "I;16")


def test_the_scale_argument_sets_the_bit_depth(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(np.array([[0, 200]], np.uint16)))
    greys = [decode_grey(path, scale=scale)[0, 1] for scale in (None, *map(IntensityScale, (8, 10, 12, 14, 16)))]
    assert greys == [200, 200, 50, 12, 3, 1]


def test_values_above_the_scale_are_refused_not_clipped(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(np.array([[0, 5000]], np.uint16)))
    with pytest.raises(UnusableImage, match="5000, more than 4095"):
        greyscale.decode(path, scale=IntensityScale(12))


def test_the_scale_does_not_change_8_bit_files(tmp_path: Path) -> None:
    assert np.array_equal(decode_grey(save(tmp_path, Image.fromarray(PICTURE)), scale=IntensityScale(12)), PICTURE)


@pytest.mark.parametrize("full", [1, 255, 4095, 65535])
def test_floats_are_scaled_by_the_smallest_depth_that_covers_them(tmp_path: Path, full: int) -> None:
    values = (PICTURE / 255 * full).astype(np.float32)
    values[-1, -1] = full
    decoded = greyscale.decode(save(tmp_path, Image.fromarray(values), "a.tif"))
    assert np.array_equal(decoded.grey, np.rint(values * (255 / full)))
    assert decoded.depth == "float"


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
def test_negative_too_large_and_non_finite_values_are_refused(tmp_path: Path, values: Any, reason: str) -> None:
    with pytest.raises(UnusableImage, match=reason):
        greyscale.decode(save(tmp_path, Image.fromarray(values), "a.tif"))


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4", ">i4"])
def test_signed_files_without_negative_values_are_read_as_unsigned(tmp_path: Path, dtype: str) -> None:
    values = np.array([[0, 2000, 4095]], dtype)
    decoded = greyscale.decode(write_tiff(tmp_path / "a.tif", values, 2))
    assert (decoded.grey.tolist(), decoded.depth) == ([[0, 125, 255]], "12-bit in 16")


@pytest.mark.parametrize(("low", "high", "bits"), [(-1, 127, 8), (-2048, 2047, 12), (-2049, 0, 14), (-5, 32767, 16)])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4"])
def test_negative_values_are_read_as_two_s_complement(
    tmp_path: Path, low: int, high: int, bits: int, dtype: str
) -> None:
    decoded = greyscale.decode(write_tiff(tmp_path / "a.tif", np.array([[low, 0, high]], dtype), 2))
    half, full = 2 ** (bits - 1), 2**bits - 1
    assert decoded.grey.tolist() == [[int((value + half) * 255 / full + 0.5) for value in (low, 0, high)]]
    assert decoded.depth == f"{bits}-bit signed"


def test_a_signed_file_written_by_pillow_is_read_as_two_s_complement(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(np.array([[-2048, 2047]], np.int16)), "a.tif")
    assert decode_grey(path).tolist() == [[0, 255]]


def test_all_signed_files_of_a_set_with_negative_values_have_the_same_black(tmp_path: Path) -> None:
    scale = fit_scale([ValueRange("signed", -5, 2000), ValueRange("unsigned", 0, 4095), ValueRange("signed", 0, 100)])
    assert scale == IntensityScale(12, signed=True)
    values = np.array([[0, 2047]])
    assert decode_grey(write_tiff(tmp_path / "a.tif", values.astype("<i2"), 2), scale=scale).tolist() == [[128, 255]]
    assert decode_grey(write_tiff(tmp_path / "b.tif", values.astype("<u2"), 1), scale=scale).tolist() == [[0, 127]]


def test_floats_up_to_1_are_refused_if_white_is_more_than_1(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(np.array([[0, 0.9]], np.float32)), "a.tif")
    assert decode_grey(path, scale=IntensityScale(12, unit=True)).tolist() == [[0, 230]]
    with pytest.raises(UnusableImage, match="all black"):
        greyscale.decode(path, scale=IntensityScale(12))


def test_a_nan_in_any_band_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "BAND_PIXELS", 4)
    values = np.zeros((6, 4), np.float32)
    values[3, 2] = np.nan
    with pytest.raises(UnusableImage, match="not finite"):
        greyscale.decode(save(tmp_path, Image.fromarray(values), "a.tif"))
