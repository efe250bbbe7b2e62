"""Pictures are the same bytes for the same numbers, whatever of the log is there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from matplotlib.figure import Figure
from PIL import Image

from xrayaug.plots import curves, formats, scores
from xrayaug.plots.curves import Curve, Subplot
from xrayaug.plots.scores import IntervalPoint

LINES: list[dict[str, Any]] = [
    {"epoch": epoch, "images": 10 * epoch, "d_loss": 1 / epoch, "g_loss": 1.0, "spread": 0.5, "seconds": 1.0}
    for epoch in range(1, 5)
]


def test_learning_curves_have_a_subplot_for_each_group_in_the_log(tmp_path: Path) -> None:
    measured = [line | ({"distance": 3.0} if line["epoch"] % 2 == 0 else {}) for line in LINES]
    heights = []
    for name, lines in (("few", LINES), ("more", measured), ("one", LINES[:1])):
        curves.save_learning_curves(tmp_path / f"{name}.png", lines, "dcgan")
        with Image.open(tmp_path / f"{name}.png") as image:
            heights.append(image.height)
    assert heights[1] > heights[0] == heights[2]


def test_learning_curves_do_not_depend_on_times_in_the_log(tmp_path: Path) -> None:
    for seconds in (1.0, 2.0):
        curves.save_learning_curves(
            tmp_path / f"{seconds}.png", [line | {"seconds": seconds} for line in LINES], "dcgan"
        )
    assert (tmp_path / "1.0.png").read_bytes() == (tmp_path / "2.0.png").read_bytes()


def test_svg_ids_are_unique_and_output_is_deterministic() -> None:
    rows = [
        IntervalPoint("<10>", 10.0, 0.1, 0.0, 0.2, [0.05, 0.15]),
        IntervalPoint("50", 50.0, None, None, None, []),
    ]
    subplots = [Subplot("arm", [Curve("seed 0", [0.0, 1.0], [0.0, 1.0])])] * 4
    drawings: dict[str, Callable[[], Figure]] = {
        "forest": lambda: scores.draw_forest(rows, 0.02, "AUROC", named_by="Arm"),
        "doses": lambda: scores.draw_doses({"normal": rows, "abnormal": rows}, {0.0: 0.8}, "Accuracy"),
        "roc": lambda: curves.draw_small_multiples(subplots, "x", "y", diagonal=True),
    }
    seen: set[str] = set()
    for name, draw in drawings.items():
        drawn = formats.inline_svg(draw, name, "A <title>", "what is & seen")
        assert drawn == formats.inline_svg(draw, name, "A <title>", "what is & seen")
        assert "A &lt;title&gt;" in drawn
        assert "<10>" not in drawn
        ElementTree.fromstring(drawn)
        ids = re.findall(r'\bid="([^"]*)"', drawn)
        assert len(ids) == len(set(ids))
        assert not seen & set(ids)
        seen |= set(ids)
        assert set(re.findall(r'(?:url\(|href=")#([^)"]*)', drawn)) <= set(ids)
