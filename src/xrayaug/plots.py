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
from matplotlib.ticker import MaxNLocator

from xrayaug.storage import files

METADATA_WITHOUT_DATES: Mapping[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}
FIGURE_INCHES = (6.4, 5.0)
DPI = 150
SUBPLOT_INCHES = 1.6  # height of one subplot of learning curves
SUBPLOT_COLUMNS = 3
MAX_MARKERS = 12  # per curve
SHIFT = 0.9  # horizontal distance in percent between series of the same doses
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
