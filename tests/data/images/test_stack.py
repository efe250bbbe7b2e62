"""A stack gives the bytes that an array in memory would, of arrays of one size or several."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xrayaug.data.images import stack
from xrayaug.data.images.arrays import Pixels, map_images
from xrayaug.data.images.stack import Stack


def noise(count: int, size: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), np.uint8)


def mapped(path: Path, pictures: Pixels) -> Pixels:
    np.save(path, pictures)
    return map_images(path)


def test_one_array_of_the_wanted_size(tmp_path: Path) -> None:
    pictures = noise(9, 8)
    rows = np.array([5, 0, 8, 5])
    found = Stack([mapped(tmp_path / "a.npy", pictures)], np.zeros(4, np.int32), rows, (8, 8))
    assert (len(found), found.shape, found.nbytes, found.has_resizing) == (4, (4, 8, 8), 256, False)
    assert np.array_equal(found.read(slice(None)), pictures[rows])
    assert np.array_equal(found.read(np.array([3, 1])), pictures[[5, 0]])
    assert np.array_equal(found.read(slice(1, 3)), pictures[[0, 8]])
    assert np.array_equal(found.picture(2), pictures[8])
    assert found.read([]).shape == (0, 8, 8)


def test_arrays_of_several_sizes_are_resized_as_pillow_does(tmp_path: Path) -> None:
    small, large = noise(3, 8), noise(3, 12, seed=1)
    arrays = [mapped(tmp_path / "a.npy", small), mapped(tmp_path / "b.npy", large)]
    found = Stack(arrays, np.array([1, 0, 1], np.int32), np.array([2, 1, 0]), (8, 8))
    expected = [np.asarray(Image.fromarray(large[row]).resize((8, 8), Image.Resampling.BICUBIC)) for row in (2, 0)]
    assert found.has_resizing
    assert np.array_equal(found.read(slice(None)), [expected[0], small[1], expected[1]])
    assert np.array_equal(found.picture(0), large[2])


def resident_file_kib() -> int:
    """Return the memory of mapped files that counts as this process's own."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says what is mapped")
def test_mapped_pages_are_released_after_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "RELEASE_BYTES", 1 << 20)
    pictures = np.zeros((256, 512, 512), np.uint8)  # 64 MiB
    found = Stack([mapped(tmp_path / "a.npy", pictures)], np.zeros(256, np.int32), np.arange(256), (512, 512))
    before = resident_file_kib()
    for place in range(256):
        found.read([place])
    assert resident_file_kib() - before < 8 << 10
