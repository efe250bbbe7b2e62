"""Pictures are the same bytes for the same numbers, whatever of the log is there."""

from pathlib import Path
from typing import Any

from PIL import Image

from xrayaug import plots

LINES: list[dict[str, Any]] = [
    {"epoch": epoch, "images": 10 * epoch, "d_loss": 1 / epoch, "g_loss": 1.0, "spread": 0.5, "seconds": 1.0}
    for epoch in range(1, 5)
]


def test_learning_curves_have_a_panel_for_what_there_is(tmp_path: Path) -> None:
    measured = [line | ({"distance": 3.0} if line["epoch"] % 2 == 0 else {}) for line in LINES]
    heights = []
    for name, lines in (("few", LINES), ("more", measured), ("one", LINES[:1])):
        plots.learning_curves(tmp_path / f"{name}.png", lines, "dcgan")
        with Image.open(tmp_path / f"{name}.png") as image:
            heights.append(image.height)
    assert heights[1] > heights[0] == heights[2]


def test_learning_curves_do_not_depend_on_how_long_it_took(tmp_path: Path) -> None:
    for seconds in (1.0, 2.0):
        plots.learning_curves(tmp_path / f"{seconds}.png", [line | {"seconds": seconds} for line in LINES], "dcgan")
    assert (tmp_path / "1.0.png").read_bytes() == (tmp_path / "2.0.png").read_bytes()
