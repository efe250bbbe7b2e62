"""Grids hold every picture where it belongs; PNG files hold the pixels exactly."""

from pathlib import Path

import numpy as np
from PIL import Image

from xrayaug.data.images import contact_sheets
from xrayaug.data.images.contact_sheets import GAP


def test_a_grid_is_square_by_default_and_goes_row_by_row() -> None:
    greys = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 6), np.uint8) + 100
    sheet = contact_sheets.make_grid(greys)  # 3 columns, 2 rows
    assert sheet.shape == (2 * (4 + GAP) + GAP, 3 * (6 + GAP) + GAP)
    for place, picture in enumerate(greys):
        row, column = divmod(place, 3)
        top, left = GAP + row * (4 + GAP), GAP + column * (6 + GAP)
        np.testing.assert_array_equal(sheet[top : top + 4, left : left + 6], picture)


def test_columns_can_be_chosen() -> None:
    assert contact_sheets.make_grid(np.zeros((5, 4, 4), np.uint8), columns=5).shape == (
        4 + 2 * GAP,
        5 * (4 + GAP) + GAP,
    )


def test_a_single_picture_is_a_grid() -> None:
    assert contact_sheets.make_grid(np.zeros((1, 3, 3), np.uint8)).shape == (3 + 2 * GAP, 3 + 2 * GAP)


def test_a_png_holds_the_pixels_exactly(tmp_path: Path) -> None:
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    contact_sheets.save_png(tmp_path / "new" / "grey.png", picture)
    with Image.open(tmp_path / "new" / "grey.png") as image:
        assert (image.format, image.mode) == ("PNG", "L")
        np.testing.assert_array_equal(np.asarray(image), picture)
