"""Flow diagrams: boxes with arrows between them, and a table of where the chains end."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from xrayaug.plots.style import CHARACTERS_PER_INCH, FONT_SIZE, LINE_INCHES

COLUMNS = 3  # beside each other
COLUMN_INCHES, GAP_INCHES, EDGE_INCHES = 3.3, 0.24, 0.07


@dataclass(frozen=True)
class FlowBox:
    """A box of a flow diagram: a title and lines; one of what is left out is dashed, a main one has a thick edge."""

    title: str
    lines: Sequence[str]
    is_excluded: bool = False
    is_main: bool = False


@dataclass(frozen=True)
class FlowColumn:
    """A chain of a flow diagram, from top to bottom; a row has one box, or several side by side."""

    rows: Sequence[Sequence[FlowBox]]


@dataclass(frozen=True)
class FlowTable:
    """The table at the bottom of a flow diagram."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def draw_flow(columns: Sequence[FlowColumn], table: FlowTable) -> Figure:
    """Draw a flow diagram: chains of boxes beside each other, `COLUMNS` in a row, and a table under them.

    Args:
        columns: one or more.
        table: the ends of the chains, as text.
    """
    bands = [columns[start : start + COLUMNS] for start in range(0, len(columns), COLUMNS)]
    band_heights = [max(_measure_column(column) for column in band) for band in bands]
    table_height = LINE_INCHES * (len(table.rows) + 3.5)
    width = COLUMN_INCHES * max(2, min(COLUMNS, len(columns)))
    height = sum(band_heights) + GAP_INCHES * len(bands) + table_height
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    top = height - GAP_INCHES / 2
    for band, band_height in zip(bands, band_heights, strict=True):
        for place, column in enumerate(band):
            _draw_column(axes, column, place * COLUMN_INCHES, top)
        top -= band_height + GAP_INCHES
    _draw_table(axes, table, width, top)
    return figure


def _wrap_box(box: FlowBox, width: float) -> tuple[list[str], list[str]]:
    """Return the lines of the title and of the text of a box that is so many inches wide."""
    characters = max(10, int(width * CHARACTERS_PER_INCH))
    title = textwrap.wrap(box.title, characters)
    return title, [part for line in box.lines for part in textwrap.wrap(line, characters)]


def _measure_row(row: Sequence[FlowBox]) -> float:
    """Return the height of a row of boxes in inches."""
    width = (COLUMN_INCHES - GAP_INCHES) / len(row)
    return LINE_INCHES * (0.8 + max(sum(map(len, _wrap_box(box, width))) for box in row))


def _measure_column(column: FlowColumn) -> float:
    return sum(map(_measure_row, column.rows)) + GAP_INCHES * (len(column.rows) - 1)


def _draw_column(axes: Axes, column: FlowColumn, left: float, top: float) -> None:
    """Draw a chain of boxes, with arrows from each row to the next, and to what is left out beside a box."""
    inner = COLUMN_INCHES - GAP_INCHES
    left += GAP_INCHES / 2
    for number, row in enumerate(column.rows):
        before = column.rows[number - 1]
        is_beside = number > 0 and len(row) == 1 and any(box.is_excluded for box in before)
        height, width = _measure_row(row), inner / len(row)
        for place, box in enumerate(row):
            start = left + place * width
            edge = EDGE_INCHES if len(row) > 1 else 0.0
            axes.add_patch(
                Rectangle(
                    (start + edge, top - height), width - 2 * edge, height, edgecolor="0.2",
                    facecolor="0.97" if box.is_main else "white", linewidth=1.4 if box.is_main else 0.8,
                    linestyle="--" if box.is_excluded else "-",
                )
            )  # fmt: skip
            _write_box(axes, box, start + width / 2, top, width)
            if box.is_excluded and place:
                _draw_arrow(axes, (start - edge, top - height / 2), (start + edge, top - height / 2))
            elif number:
                center = left + inner / len(before) / 2 if is_beside else start + width / 2
                _draw_arrow(axes, (center, top + GAP_INCHES), (center, top))
        top -= height + GAP_INCHES


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": "0.2", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


def _write_box(axes: Axes, box: FlowBox, center: float, top: float, width: float) -> None:
    titles, lines = _wrap_box(box, width)
    for number, line in enumerate([*titles, *lines]):
        axes.text(
            center, top - LINE_INCHES * (0.9 + number), line, ha="center", va="center", fontsize=FONT_SIZE,
            fontweight="bold" if number < len(titles) else "normal",
        )  # fmt: skip


def _draw_table(axes: Axes, table: FlowTable, width: float, top: float) -> None:
    """Write the table; its first column takes the room that the others leave."""
    narrow = min(1.3, width * 0.6 / max(1, len(table.headings) - 1))
    starts = [GAP_INCHES / 2, *(width - narrow * (len(table.headings) - n) for n in range(1, len(table.headings)))]
    axes.text(starts[0], top - LINE_INCHES / 2, table.title, va="center", fontsize=FONT_SIZE, fontweight="bold")
    for number, row in enumerate([table.headings, *table.rows]):
        height = top - LINE_INCHES * (1.6 + number + (0.15 if number else 0))
        for start, cell in zip(starts, row, strict=True):
            weight = "bold" if number == 0 else "normal"
            axes.text(start, height, cell, va="center", fontsize=FONT_SIZE, fontweight=weight)
    line = top - LINE_INCHES * 2.13
    axes.plot([starts[0], width - GAP_INCHES / 2], [line, line], color="0.2", linewidth=0.8)
