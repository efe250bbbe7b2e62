"""Draw figures as PNG and SVG with matplotlib; equal numbers give equal bytes."""

import io
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from xrayaug.storage import files

METADATA_WITHOUT_DATES: Mapping[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}
FIGURE_INCHES = (6.4, 5.0)
DPI = 150
SUBPLOT_INCHES = 1.6  # height of one subplot of learning curves
SUBPLOT_COLUMNS = 3
MAX_MARKERS = 12  # per curve
SHIFT = 0.9  # horizontal distance in percent between series of the same doses
FLOW_COLUMNS = 3  # of a flow diagram, beside each other
FLOW_COLUMN_INCHES, FLOW_GAP_INCHES, FLOW_LINE_INCHES = 3.3, 0.24, 0.15
FLOW_CHARACTERS_PER_INCH, FLOW_FONT, FLOW_EDGE_INCHES = 15, 7.5, 0.07
PICTURE_COLUMNS, PICTURE_INCHES = 6, 1.6  # of a sheet of pictures with captions
MARKERS = "osD^vPX*"
STYLES = ("-", "--", "-.", ":")
CURVES = (  # log fields by subplot
    ("distance",),
    ("d_loss", "g_loss", "class_loss"),
    ("d_real", "d_fake"),
    ("penalty",),
    ("spread", "augment_p"),
)


@dataclass(frozen=True)
class Dose:
    """Results of one dose: the score of every seed, their mean and standard deviation (None for one seed)."""

    percent: float
    scores: Sequence[float]
    mean: float
    sd: float | None


@dataclass(frozen=True)
class Series:
    """The doses of one kind of arm, by percent."""

    name: str
    doses: Sequence[Dose]


def save_figure7(stem: Path, series: Sequence[Series], reported: Mapping[float, float], subtitle: str) -> None:
    """Save accuracy over dose, the thesis's Figure 7, as `<stem>.png` and `<stem>.svg`.

    Args:
        stem: path without suffix.
        series: the measured accuracies.
        reported: the accuracies reported in the thesis, by percent.
        subtitle: second line of the title.
    """
    with mpl.rc_context({"svg.hashsalt": "xrayaug", "svg.fonttype": "none"}):  # no random ids; text stays text
        figure = Figure(figsize=FIGURE_INCHES, layout="constrained")
        axes = figure.subplots()
        axes.plot(
            list(reported),
            list(reported.values()),
            "--s",
            color="0.6",
            markersize=4,
            label="Platin (reported)",
            zorder=1,
        )
        for place, each in enumerate(series):
            _draw_series(axes, each, f"C{place}")
        axes.set_xlabel("Synthetic images added, in percent of the real normal training images")
        axes.set_ylabel("Accuracy")
        title = f"Accuracy by dose of synthetic images\n{subtitle}; mean ± SD over seeds, each dot is one seed"
        axes.set_title(title, fontsize="medium")
        _style_axes(axes)
        figure.legend(frameon=False, fontsize="small", loc="outside lower center")  # clear of every line
        for suffix, metadata in METADATA_WITHOUT_DATES.items():
            content = io.BytesIO()
            figure.savefig(content, format=suffix, dpi=DPI, metadata=metadata)
            files.write_bytes(stem.with_name(f"{stem.name}.{suffix}"), content.getbuffer(), durable=False)


def save_learning_curves(path: Path, lines: Sequence[Mapping[str, Any]], title: str) -> None:
    """Save the learning curves of a GAN as PNG, with a subplot for each group of `CURVES` in its log.

    Args:
        path: path of the PNG.
        lines: of the log, one per epoch; not every line has every name.
        title: what was trained.
    """
    content = io.BytesIO()
    draw_learning_curves(lines, title).savefig(content, format="png", dpi=DPI, metadata=METADATA_WITHOUT_DATES["png"])
    files.write_bytes(path, content.getbuffer(), durable=False)


def _draw_series(axes: Axes, series: Series, color: str) -> None:
    """Draw every seed as a dot, and the means as a line with error bars of one standard deviation."""
    for dose in series.doses:
        axes.plot([dose.percent] * len(dose.scores), dose.scores, "o", color=color, alpha=0.4, markersize=5, zorder=2)
    percents, means = [dose.percent for dose in series.doses], [dose.mean for dose in series.doses]
    spread = [dose.sd or 0.0 for dose in series.doses]
    axes.errorbar(
        percents, means, yerr=spread, fmt="-D", color=color, markersize=4, capsize=4,
        label=series.name, zorder=3,
    )  # fmt: skip


@dataclass(frozen=True)
class IntervalPoint:
    """A value with its interval, each None if unknown, and the values of all seeds."""

    name: str
    x_value: float  # dose in percent; unused in a forest plot
    value: float | None
    low: float | None
    high: float | None
    seed_values: Sequence[float]


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


def draw_doses(series: Mapping[str, Sequence[IntervalPoint]], reported: Mapping[float, float], score: str) -> Figure:
    """Draw Figure 7 with intervals: a score over the dose, a dot for every seed, a line for each kind of arm."""
    figure = Figure(figsize=FIGURE_INCHES, layout="constrained")
    axes = figure.subplots()
    if reported:
        axes.plot(list(reported), list(reported.values()), "--", marker="x", color="0.4", label="Platin (reported)")
    for place, (name, points) in enumerate(series.items()):
        _draw_intervals(axes, name, points, place, SHIFT * (place - (len(series) - 1) / 2))
    axes.set_xlabel("Synthetic images added, in percent of the real normal training images")
    axes.set_ylabel(score)
    _style_axes(axes)
    figure.legend(frameon=False, fontsize="small", loc="outside lower center")
    return figure


def draw_forest(rows: Sequence[IntervalPoint], margin: float, score: str, *, named_by: str) -> Figure:
    """Draw a forest plot: differences with their intervals, a dot for every seed, and the equivalence margin.

    Args:
        rows: one for each difference.
        margin: of equivalence.
        score: name of the score.
        named_by: what the names of the rows are.
    """
    figure = Figure(figsize=(FIGURE_INCHES[0], 1.7 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(-margin, margin, color="0.85", label=f"within ±{margin:g}: too small to matter")
    axes.axvline(0, color="0.3", linewidth=1, zorder=1)
    for place, row in enumerate(rows):
        if row.value is not None and row.low is not None and row.high is not None:
            axes.errorbar(
                [row.value], [place], xerr=[[row.value - row.low], [row.high - row.value]], fmt="D", color="C0",
                markersize=6, capsize=4, zorder=4, label="mean, 95 % confidence interval",
            )  # fmt: skip
        axes.plot(
            row.seed_values, [place] * len(row.seed_values), "o", color="C1", markersize=5, alpha=0.5, zorder=3,
            label="one seed",
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(f"Difference in {score},\narm minus baseline")  # long names leave a narrow plot
    axes.set_ylabel(named_by)
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    handles = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(
        handles.values(), handles.keys(), frameon=False, fontsize="small", loc="outside lower center", ncols=3
    )
    return figure


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


def draw_learning_curves(lines: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Draw the learning curves of a GAN over the images seen, with a subplot for each group of `CURVES` in its log.

    Args:
        lines: of the log, one per epoch; not every line has every name.
        title: what was trained.
    """
    subplots = [[name for name in names if any(name in line for line in lines)] for names in CURVES]
    subplots = [names for names in subplots if names]
    figure = Figure(figsize=(FIGURE_INCHES[0], SUBPLOT_INCHES * len(subplots) + 0.6), layout="constrained")
    for axes, names in zip(figure.subplots(len(subplots), sharex=True, squeeze=False)[:, 0], subplots, strict=True):
        for name in names:
            points = [(line["images"], line[name]) for line in lines if name in line]
            axes.plot(*zip(*points, strict=True), ".-", markersize=3, linewidth=1, label=name)
        _style_axes(axes)
        axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    axes.set_xlabel("Training images seen")
    figure.suptitle(title, fontsize="medium")
    return figure


def inline_svg(draw: Callable[[], Figure], name: str, title: str, description: str) -> str:
    """Return a figure as an `svg` element with ids that are unique on a page of several figures.

    Args:
        draw: makes the figure.
        name: of the figure on the page, letters, digits and hyphens.
        title: accessible title of the figure.
        description: accessible description of the figure.
    """
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "xrayaug", "svg.fonttype": "none"}):
        draw().savefig(content, format="svg", metadata=METADATA_WITHOUT_DATES["svg"])
    drawn = content.getvalue().decode()
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)
    drawn = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", drawn)
    labels = f'role="img" aria-labelledby="{name}-title {name}-description"'
    labels_svg = (
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-description">{escape(description)}</desc>'
    )
    opening, _, rest = drawn.partition(">")
    wide = re.search(r' width="([\d.]+pt)"', opening)
    fluid = re.sub(r' (?:width|height)="[^"]*"', "", opening) + (f' style="max-width: {wide[1]}"' if wide else "")
    return f"{fluid} {labels}>{labels_svg}{rest}"


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
    """Draw a flow diagram: chains of boxes beside each other, `FLOW_COLUMNS` in a row, and a table under them.

    Args:
        columns: one or more.
        table: the ends of the chains, as text.
    """
    bands = [columns[start : start + FLOW_COLUMNS] for start in range(0, len(columns), FLOW_COLUMNS)]
    band_heights = [max(_measure_column(column) for column in band) for band in bands]
    table_height = FLOW_LINE_INCHES * (len(table.rows) + 3.5)
    width = FLOW_COLUMN_INCHES * max(2, min(FLOW_COLUMNS, len(columns)))
    height = sum(band_heights) + FLOW_GAP_INCHES * len(bands) + table_height
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    top = height - FLOW_GAP_INCHES / 2
    for band, band_height in zip(bands, band_heights, strict=True):
        for place, column in enumerate(band):
            _draw_column(axes, column, place * FLOW_COLUMN_INCHES, top)
        top -= band_height + FLOW_GAP_INCHES
    _draw_table(axes, table, width, top)
    return figure


def _wrap_box(box: FlowBox, width: float) -> tuple[list[str], list[str]]:
    """Return the lines of the title and of the text of a box that is so many inches wide."""
    characters = max(10, int(width * FLOW_CHARACTERS_PER_INCH))
    title = textwrap.wrap(box.title, characters)
    return title, [part for line in box.lines for part in textwrap.wrap(line, characters)]


def _measure_row(row: Sequence[FlowBox]) -> float:
    """Return the height of a row of boxes in inches."""
    width = (FLOW_COLUMN_INCHES - FLOW_GAP_INCHES) / len(row)
    return FLOW_LINE_INCHES * (0.8 + max(sum(map(len, _wrap_box(box, width))) for box in row))


def _measure_column(column: FlowColumn) -> float:
    return sum(map(_measure_row, column.rows)) + FLOW_GAP_INCHES * (len(column.rows) - 1)


def _draw_column(axes: Axes, column: FlowColumn, left: float, top: float) -> None:
    """Draw a chain of boxes, with arrows from each row to the next, and to what is left out beside a box."""
    inner = FLOW_COLUMN_INCHES - FLOW_GAP_INCHES
    left += FLOW_GAP_INCHES / 2
    for number, row in enumerate(column.rows):
        before = column.rows[number - 1]
        is_beside = number > 0 and len(row) == 1 and any(box.is_excluded for box in before)
        height, width = _measure_row(row), inner / len(row)
        for place, box in enumerate(row):
            start = left + place * width
            edge = FLOW_EDGE_INCHES if len(row) > 1 else 0.0
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
                _draw_arrow(axes, (center, top + FLOW_GAP_INCHES), (center, top))
        top -= height + FLOW_GAP_INCHES


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": "0.2", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


def _write_box(axes: Axes, box: FlowBox, center: float, top: float, width: float) -> None:
    titles, lines = _wrap_box(box, width)
    for number, line in enumerate([*titles, *lines]):
        axes.text(
            center, top - FLOW_LINE_INCHES * (0.9 + number), line, ha="center", va="center", fontsize=FLOW_FONT,
            fontweight="bold" if number < len(titles) else "normal",
        )  # fmt: skip


def _draw_table(axes: Axes, table: FlowTable, width: float, top: float) -> None:
    """Write the table; its first column takes the room that the others leave."""
    narrow = min(1.3, width * 0.6 / max(1, len(table.headings) - 1))
    starts = [FLOW_GAP_INCHES / 2, *(width - narrow * (len(table.headings) - n) for n in range(1, len(table.headings)))]
    axes.text(starts[0], top - FLOW_LINE_INCHES / 2, table.title, va="center", fontsize=FLOW_FONT, fontweight="bold")
    for number, row in enumerate([table.headings, *table.rows]):
        height = top - FLOW_LINE_INCHES * (1.6 + number + (0.15 if number else 0))
        for start, cell in zip(starts, row, strict=True):
            weight = "bold" if number == 0 else "normal"
            axes.text(start, height, cell, va="center", fontsize=FLOW_FONT, fontweight=weight)
    line = top - FLOW_LINE_INCHES * 2.13
    axes.plot([starts[0], width - FLOW_GAP_INCHES / 2], [line, line], color="0.2", linewidth=0.8)


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
    caption = FLOW_LINE_INCHES * (0.6 + max(len(each.lines) for each in pictures))
    width = max(PICTURE_INCHES * columns, 5.2)
    wrapped = [part for line in legend for part in textwrap.wrap(line, int(width * FLOW_CHARACTERS_PER_INCH))]
    head = FLOW_LINE_INCHES * (2.2 + len(wrapped))
    height = head + rows * (PICTURE_INCHES + caption)
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    edge = 0.06
    axes.text(edge, height - FLOW_LINE_INCHES, title, va="center", fontsize=FLOW_FONT + 1.5, fontweight="bold")
    for number, line in enumerate(wrapped):
        axes.text(edge, height - FLOW_LINE_INCHES * (2.1 + number), line, va="center", fontsize=FLOW_FONT)
    for place, each in enumerate(pictures):
        left = place % columns * PICTURE_INCHES + edge
        top = height - head - place // columns * (PICTURE_INCHES + caption)
        side = PICTURE_INCHES - 2 * edge
        axes.imshow(each.pixels, cmap="gray", vmin=0, vmax=255, extent=(left, left + side, top - side, top))
        for number, line in enumerate(each.lines):
            axes.text(left, top - side - FLOW_LINE_INCHES * (0.7 + number), line, va="center", fontsize=FLOW_FONT)
    axes.set(xlim=(0, width), ylim=(0, height), aspect="auto")
    return figure


def format_svg(draw: Callable[[], Figure]) -> str:
    """Return a figure as the text of an SVG file: equal numbers give equal text."""
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "xrayaug", "svg.fonttype": "none"}):
        draw().savefig(content, format="svg", metadata=METADATA_WITHOUT_DATES["svg"])
    return content.getvalue().decode()


def format_png(draw: Callable[[], Figure]) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    content = io.BytesIO()
    draw().savefig(content, format="png", dpi=DPI, metadata=METADATA_WITHOUT_DATES["png"])
    return content.getvalue()


def _draw_intervals(axes: Axes, name: str, points: Sequence[IntervalPoint], place: int, shift: float) -> None:
    """Draw a kind of arm: a dot for every seed, and the means with intervals, shifted next to the other kinds."""
    marker, style, color = MARKERS[place % len(MARKERS)], STYLES[place % len(STYLES)], f"C{place}"
    for point in points:
        axes.plot(
            [point.x_value + shift] * len(point.seed_values),
            point.seed_values,
            "o",
            color=color,
            alpha=0.4,
            markersize=4,
        )
    known = [(point, point.value) for point in points if point.value is not None]
    below = [0.0 if point.low is None else value - point.low for point, value in known]
    above = [0.0 if point.high is None else point.high - value for point, value in known]
    axes.errorbar(
        [point.x_value + shift for point, _ in known],
        [value for _, value in known],
        yerr=[below, above],
        color=color,
        marker=marker,
        linestyle=style,
        markersize=5,
        capsize=4,
        label=name,
    )


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
    _style_axes(axes)


def _style_axes(axes: Axes) -> None:
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
