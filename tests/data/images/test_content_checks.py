from pathlib import Path

import numpy as np
import pytest
from data.images.image_files import PICTURE, save
from PIL import Image

from xrayaug.data.images import content_checks, greyscale


def find_traits(path: Path) -> tuple[str, ...]:
    return greyscale.decode(path).suspect_traits


def test_an_image_is_blank_if_it_has_one_grey_level() -> None:
    assert content_checks.is_blank(np.full((3, 3), 40, np.uint8))
    assert not content_checks.is_blank(PICTURE)


@pytest.mark.parametrize("values", [(0, 255), (10, 11)])
def test_few_grey_levels_are_detected_in_greyscale_and_colour(tmp_path: Path, values: tuple[int, int]) -> None:
    two = np.where(np.random.default_rng(0).random((50, 70)) < 0.5, *values).astype(np.uint8)
    for mode in ("L", "RGB"):
        assert find_traits(save(tmp_path, Image.fromarray(two).convert(mode))) == (content_checks.FEW_GREYS,)
    two[:10, :15] = range(100, 115)
    two[10:20, :40] = range(120, 160)
    assert find_traits(save(tmp_path, Image.fromarray(two))) == ()
    assert find_traits(save(tmp_path, Image.new("L", (9, 9), 5))) == ()


def test_a_mask_is_detected_after_lossy_compression(tmp_path: Path) -> None:
    rows, columns = np.indices((64, 64))
    mask = np.where((rows - 30) ** 2 + (columns - 20) ** 2 < 290, 255, 0).astype(np.uint8)
    assert find_traits(save(tmp_path, Image.fromarray(mask), "a.jpg")) == (content_checks.FEW_GREYS,)
    faint = (100 + np.random.default_rng(0).random((64, 64)) * 30).astype(np.uint8)
    assert find_traits(save(tmp_path, Image.fromarray(faint))) == ()


@pytest.mark.parametrize("file", ["a.tif", "b.tif", "a.gif", "a.webp"])
def test_several_frames_are_detected(tmp_path: Path, file: str) -> None:
    frames = [
        Image.fromarray(np.random.default_rng(each).integers(0, 255, (40, 50)).astype(np.uint8)) for each in range(3)
    ]
    how = {"compression": "tiff_lzw"} if file == "b.tif" else {}
    frames[0].save(tmp_path / file, save_all=True, append_images=frames[1:], **how)
    assert content_checks.FRAMES in find_traits(tmp_path / file)
    frames[0].save(tmp_path / file, **how)
    assert content_checks.FRAMES not in find_traits(tmp_path / file)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK"])
def test_colour_is_detected_and_a_tint_is_not(tmp_path: Path, mode: str) -> None:
    grey = np.random.default_rng(0).integers(0, 200, (50, 70)).astype(np.uint8)
    tinted = np.stack([grey, grey, np.minimum(grey + 40, 255).astype(np.uint8)], axis=2)
    vivid = tinted.copy()
    vivid[10:30, 10:40, 0] = 255
    name = "a.tif" if mode == "CMYK" else "a.png"
    assert find_traits(save(tmp_path, Image.fromarray(tinted).convert(mode), name)) == ()
    assert find_traits(save(tmp_path, Image.fromarray(vivid).convert(mode), name)) == (content_checks.COLOURED,)
