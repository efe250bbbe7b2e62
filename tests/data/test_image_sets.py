"""Sets of images: what a folder may hold, and a hash that depends on pixels alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xrayaug.data import image_sets
from xrayaug.data.images import bands, greyscale
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import DataError


def noise(seed: int = 3) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (48, 48), dtype=np.uint8)


def test_deep_files_are_scaled_and_coloured_ones_kept(tmp_path: Path) -> None:
    grey = noise()
    grey[0, 0], grey[0, 1] = 255, 0
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(image_sets.read_image(tmp_path / "deep.png"), grey)
    colour = np.stack([grey, grey.T, 255 - grey], axis=2)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    np.testing.assert_array_equal(image_sets.read_image(tmp_path / "colour.png"), colour)


def test_deep_files_of_a_folder_are_scaled_by_one_depth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, most in (("a", 1023), ("b", 4095)):
        Image.fromarray(np.array([[0, most]], np.uint16)).save(tmp_path / f"{name}.png")
    side = image_sets.from_folder(tmp_path)
    assert [side.read(index).tolist() for index in range(2)] == [[[0, 64]], [[0, 255]]]
    assert "scaled by 12 bits" in capsys.readouterr().err


def test_orientation_is_applied(tmp_path: Path) -> None:
    grey = noise()[:30]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(grey).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(image_sets.read_image(tmp_path / "turned.png"), np.rot90(grey, -1))


def test_the_hash_is_of_the_pixels_whatever_the_names_and_the_order(tmp_path: Path) -> None:
    for folder, names in (("one", "ab"), ("other", "yz")):
        (tmp_path / folder).mkdir()
        for seed, name in enumerate(names):
            Image.fromarray(noise(seed)).save(tmp_path / folder / f"{name}.png")
    one, other = (image_sets.pixel_hash(image_sets.from_folder(tmp_path / name)) for name in ("one", "other"))
    assert one == other
    (tmp_path / "other" / "y.png").rename(tmp_path / "other" / "{.png")
    swapped = image_sets.pixel_hash(image_sets.from_folder(tmp_path / "other"))
    assert (swapped.content == one.content, swapped.sequence == one.sequence) == (True, False)
    Image.fromarray(noise(9)).save(tmp_path / "one" / "a.png")
    assert image_sets.pixel_hash(image_sets.from_folder(tmp_path / "one")) != one


def test_a_folder_without_images_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"holds 1 other files \(\.txt\)"):
        image_sets.from_folder(tmp_path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_lying_on_its_side_is_as_prepare_sees_it(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(noise()[:30]).save(tmp_path / "a.tif", exif=exif)
    np.testing.assert_array_equal(image_sets.read_image(tmp_path / "a.tif"), greyscale.decode(tmp_path / "a.tif").grey)


@pytest.mark.parametrize("content", [b"", b"no image", b"\0" * 128 + b"DICM" + b"\0" * 9])
def test_an_unreadable_image_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png cannot be read: [^\n]+$"):
        image_sets.read_image(tmp_path / "a.png")


def test_one_coloured_row_makes_a_picture_coloured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "BAND_PIXELS", 100)
    colour = np.repeat(noise()[..., None], 3, axis=2)
    Image.fromarray(colour).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(image_sets.read_image(tmp_path / "grey.png"), colour[..., 0])
    colour[40, 7, 1] ^= 1
    Image.fromarray(colour).save(tmp_path / "colour.png")
    np.testing.assert_array_equal(image_sets.read_image(tmp_path / "colour.png"), colour)


def test_masks_and_further_pages_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = Image.fromarray(noise())
    for name in ("images/a.png", "masks/a.png", "GT_1/b.png"):
        (tmp_path / name).parent.mkdir()
        picture.save(tmp_path / name)
    picture.save(tmp_path / "images/pages.tif", save_all=True, append_images=[Image.fromarray(noise())])
    picture.save(tmp_path / "images/page.tif")
    assert image_sets.from_folder(tmp_path).count == 5
    said = capsys.readouterr().err
    assert "2 of 5 images seem to be masks" in said
    assert "1 of 5 images are of files with several pages" in said
    assert "images/pages.tif" in said
