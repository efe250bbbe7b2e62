"""One bit depth for all of a set."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from xrayaug.data.images import bit_depth, decoding, value_ranges
from xrayaug.data.images.intensity import IntensityScale, ValueRange

UNIT = np.float32(0.5)


def write(root: Path, *pictures: Any) -> list[str]:
    """Files of these values, TIFF so that any kind of value fits; their names."""
    for number, values in enumerate(pictures):
        Image.fromarray(np.atleast_2d(values)).save(root / f"{number}.tif")
    return [f"{number}.tif" for number in range(len(pictures))]


def noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded from now on."""
    asked: list[str] = []
    read_value_range = value_ranges.read_value_range

    def noting(path: Path) -> ValueRange | None:
        asked.append(path.name)
        return read_value_range(path)

    monkeypatch.setattr(value_ranges, "read_value_range", noting)
    return asked


@pytest.mark.parametrize(
    ("highest", "bits"), [((200, 100), 8), ((200, 1000), 10), ((4095, 5), 12), ((5, 5000), 14), ((40000, 9), 16)]
)
def test_the_smallest_depth_that_holds_all_pictures(tmp_path: Path, highest: tuple[int, ...], bits: int) -> None:
    files = write(tmp_path, *(np.array([0, most], np.uint16) for most in highest))
    assert bit_depth.find_scale(tmp_path, files) == IntensityScale(bits)


def test_a_set_of_eight_bits_has_none_and_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write(tmp_path, np.array([0, 200], np.uint8))
    monkeypatch.setattr(decoding, "read_value_ranges", None)
    assert bit_depth.find_scale(tmp_path, files) is None


def test_files_that_cannot_be_used_do_not_count(tmp_path: Path) -> None:
    files = write(tmp_path, np.array([0, 200], np.uint16), np.array([0, 70000], np.int32), np.array([-0.5, 1e4], "f4"))
    (tmp_path / "bad.tif").write_bytes(b"no picture")
    assert bit_depth.find_scale(tmp_path, [*files, "bad.tif"]) == IntensityScale(8)


def test_nothing_more_is_decoded_once_sixteen_bits_are_certain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write(tmp_path, *[np.array([0, 40000], np.uint16)] * 200)
    asked = noted(monkeypatch)
    assert bit_depth.find_scale(tmp_path, files, workers=1) == IntensityScale(16)
    assert len(asked) < 100


def test_with_the_depth_given_only_signed_files_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write(tmp_path, np.array([0, 200], np.uint16), np.array([-5, 9], np.int32), np.array([3, 4], np.int32))
    asked = noted(monkeypatch)
    assert bit_depth.find_scale(tmp_path, files, "12", workers=1) == IntensityScale(12, signed=True)
    assert set(asked) == {"1.tif", "2.tif"}
    assert bit_depth.find_scale(tmp_path, [files[0], files[2]], "10") == IntensityScale(10)


def test_floats_have_a_white_of_their_own_only_up_to_1(tmp_path: Path) -> None:
    deep, unit, more = write(tmp_path, np.array([0, 4000], np.uint16), np.array([0, UNIT]), np.array([0, UNIT * 1000]))
    assert bit_depth.find_scale(tmp_path, [deep, unit]) == IntensityScale(12, unit=True)
    assert (
        bit_depth.find_scale(tmp_path, [deep, unit, more])
        == bit_depth.find_scale(tmp_path, [deep, more, unit])
        == IntensityScale(12)
    )


def test_the_order_of_the_files_does_not_matter(tmp_path: Path) -> None:
    files = write(tmp_path, np.array([0, UNIT * 400]), np.array([0, UNIT]), np.array([0, 0], np.float32))
    assert {bit_depth.find_scale(tmp_path, order) for order in (files, files[::-1], files[1:] + files[:1])} == {
        IntensityScale(8)
    }


def test_processes_find_what_threads_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write(tmp_path, *(np.array([0, 100 * number], np.uint16) for number in range(12)))
    monkeypatch.setattr(decoding, "MIN_FILES_PER_PROCESS", 4)
    assert bit_depth.find_scale(tmp_path, files, workers=2) == IntensityScale(12)


def test_a_file_that_is_gone_is_no_reason_for_another_depth(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        bit_depth.find_scale(tmp_path, ["gone.png"])


def test_a_mixture_of_depths_is_reported_with_counts() -> None:
    assert bit_depth.describe_mixture({"8-bit": 9, "1-bit": 1}, None) == ""
    assert bit_depth.describe_mixture({"12-bit in 16": 9}, IntensityScale(12)) == ""
    assert bit_depth.describe_mixture({"16-bit": 9, "16-bit colour": 2}, IntensityScale(16)) == ""
    for beside in ("8-bit", "10-bit in 16", "float", "12-bit signed"):
        assert "3 12-bit in 16" in bit_depth.describe_mixture({"12-bit in 16": 3, beside: 1}, IntensityScale(12))
