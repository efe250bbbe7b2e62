"""Sets of images: what a folder may hold, and a hash that depends on pixels alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xrayaug import imagesets
from xrayaug.dataset import Pixels
from xrayaug.errors import DataError


def noise(seed: int = 3) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (48, 48), dtype=np.uint8)


def test_deep_files_are_scaled_and_coloured_ones_kept(tmp_path: Path) -> None:
    grey = noise()
    grey[0, 0], grey[0, 1] = 255, 0
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(imagesets.read_picture(tmp_path / "deep.png"), grey)
    colour = np.stack([grey, grey.T, 255 - grey], axis=2)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    np.testing.assert_array_equal(imagesets.read_picture(tmp_path / "colour.png"), colour)


def test_orientation_is_applied(tmp_path: Path) -> None:
    grey = noise()[:30]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(grey).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(imagesets.read_picture(tmp_path / "turned.png"), np.rot90(grey, -1))


def test_the_hash_is_of_the_pixels_whatever_the_names_and_the_order(tmp_path: Path) -> None:
    for folder, names in (("one", "ab"), ("other", "yz")):
        (tmp_path / folder).mkdir()
        for seed, name in enumerate(names):
            Image.fromarray(noise(seed)).save(tmp_path / folder / f"{name}.png")
    one, other = (imagesets.pixel_hash(imagesets.of_folder(tmp_path / name)) for name in ("one", "other"))
    assert one == other
    (tmp_path / "other" / "y.png").rename(tmp_path / "other" / "{.png")
    swapped = imagesets.pixel_hash(imagesets.of_folder(tmp_path / "other"))
    assert (swapped.content == one.content, swapped.sequence == one.sequence) == (True, False)
    Image.fromarray(noise(9)).save(tmp_path / "one" / "a.png")
    assert imagesets.pixel_hash(imagesets.of_folder(tmp_path / "one")) != one


def test_a_folder_without_images_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"holds 1 other files \(\.txt\)"):
        imagesets.of_folder(tmp_path)
