"""Curves: small plots with shared axes, and the learning curves of a GAN."""

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xrayaug.plots.formats import METADATA_WITHOUT_DATES
from xrayaug.plots.style import DPI, FIGURE_INCHES, MARKERS, style_axes
from xrayaug.storage import files

SUBPLOT_INCHES = 1.6  # height of one subplot of learning curves
SUBPLOT_COLUMNS = 3
MAX_MARKERS = 12  # per curve
LOG_FIELDS = (  # of a GAN's log, by subplot
    ("distance",),
    ("d_loss", "g_loss", "class_loss"),
    ("d_real", "d_fake"),
    ("penalty",),
    ("spread", "augment_p"),
)


@dataclass(frozen=True)
class Curve:
    """A curve of a subplot."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style_index: int = 0  # index of color and marker
    dashed: bool = False


@dataclass(frozen=True)
class Subplot:
    """One of several small plots with shared axes."""

    title: str
    curves: Sequence[Curve]


def draw_small_multiples(subplots: Sequence[Subplot], x: str, y: str, *, diagonal: bool = False) -> Figure:
    """Draw subplots of curves with shared axes, three in a row.

    Args:
        subplots: one or more.
        x: label of the horizontal axis.
        y: label of the vertical axis.
        diagonal: let both axes go from 0 to 1, and draw the diagonal.
    """
    columns = min(len(subplots), SUBPLOT_COLUMNS)
    rows = -(-len(subplots) // columns)
    size = (max(2.4 * columns, 3.6), 2.35 * rows + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    grid = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for axes, subplot in zip(grid, subplots, strict=False):
        _draw_subplot(axes, subplot, diagonal=diagonal)
    for axes in grid[len(subplots) :]:
        axes.set_axis_off()
    figure.supxlabel(x, fontsize="medium")
    figure.supylabel(y, fontsize="medium")
    shown = {name: line for axes in figure.axes for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown.keys(), frameon=False, fontsize="small", loc="outside upper center", ncols=3)
    return figure


def _draw_subplot(axes: Axes, subplot: Subplot, *, diagonal: bool) -> None:
    if diagonal:
        axes.plot([0, 1], [0, 1], ":", color="0.5", linewidth=1)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for curve in subplot.curves:
        axes.plot(
            curve.x,
            curve.y,
            color=f"C{curve.style_index % 10}",
            linestyle="--" if curve.dashed else "-",
            marker=MARKERS[curve.style_index % len(MARKERS)],
            markevery=max(1, len(curve.x) // MAX_MARKERS),
            markersize=3,
            linewidth=1,
            label=curve.name,
        )
    axes.set_title(textwrap.fill(subplot.title, 26), fontsize="small")
    axes.tick_params(labelsize="small")
    style_axes(axes)


def save_learning_curves(path: Path, lines: Sequence[Mapping[str, Any]], title: str) -> None:
    """Save the learning curves of a GAN as PNG, with a subplot for each group of `LOG_FIELDS` in its log.

    Args:
        path: path of the PNG.
        lines: of the log, one per epoch; not every line has every name.
        title: what was trained.
    """
    content = io.BytesIO()
    draw_learning_curves(lines, title).savefig(content, format="png", dpi=DPI, metadata=METADATA_WITHOUT_DATES["png"])
    files.write_bytes(path, content.getbuffer(), durable=False)


def draw_learning_curves(lines: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Draw the learning curves of a GAN over the images seen, with a subplot for each group of `LOG_FIELDS` in its log.

    Args:
        lines: of the log, one per epoch; not every line has every name.
        title: what was trained.
    """
    subplots = [[name for name in names if any(name in line for line in lines)] for names in LOG_FIELDS]
    subplots = [names for names in subplots if names]
    figure = Figure(figsize=(FIGURE_INCHES[0], SUBPLOT_INCHES * len(subplots) + 0.6), layout="constrained")
    for axes, names in zip(figure.subplots(len(subplots), sharex=True, squeeze=False)[:, 0], subplots, strict=True):
        for name in names:
            points = [(line["images"], line[name]) for line in lines if name in line]
            axes.plot(*zip(*points, strict=True), ".-", markersize=3, linewidth=1, label=name)
        style_axes(axes)
        axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    axes.set_xlabel("Training images seen")
    figure.suptitle(title, fontsize="medium")
    return figure
