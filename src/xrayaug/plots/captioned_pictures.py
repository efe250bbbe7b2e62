"""Sheets of greyscale pictures with captions."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from xrayaug.plots.style import CHARACTERS_PER_INCH, FONT_SIZE, LINE_INCHES

PICTURE_COLUMNS, PICTURE_INCHES = 6, 1.6


@dataclass(frozen=True)
class CaptionedPicture:
    """A greyscale picture, uint8 `[H, W]`, with the lines under it."""

    pixels: Any
    lines: Sequence[str]


def draw_captioned_pictures(pictures: Sequence[CaptionedPicture], title: str, legend: Sequence[str]) -> Figure:
    """Draw a contact sheet of pictures with captions.

    Args:
        pictures: one or more.
        title: of the sheet.
        legend: lines under the title.
    """
    columns = min(PICTURE_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    caption = LINE_INCHES * (0.6 + max(len(each.lines) for each in pictures))
    width = max(PICTURE_INCHES * columns, 5.2)
    wrapped = [part for line in legend for part in textwrap.wrap(line, int(width * CHARACTERS_PER_INCH))]
    head = LINE_INCHES * (2.2 + len(wrapped))
    height = head + rows * (PICTURE_INCHES + caption)
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    edge = 0.06
    axes.text(edge, height - LINE_INCHES, title, va="center", fontsize=FONT_SIZE + 1.5, fontweight="bold")
    for number, line in enumerate(wrapped):
        axes.text(edge, height - LINE_INCHES * (2.1 + number), line, va="center", fontsize=FONT_SIZE)
    for place, each in enumerate(pictures):
        left = place % columns * PICTURE_INCHES + edge
        top = height - head - place // columns * (PICTURE_INCHES + caption)
        side = PICTURE_INCHES - 2 * edge
        axes.imshow(each.pixels, cmap="gray", vmin=0, vmax=255, extent=(left, left + side, top - side, top))
        for number, line in enumerate(each.lines):
            axes.text(left, top - side - LINE_INCHES * (0.7 + number), line, va="center", fontsize=FONT_SIZE)
    axes.set(xlim=(0, width), ylim=(0, height), aspect="auto")
    return figure
