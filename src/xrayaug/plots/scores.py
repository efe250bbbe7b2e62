"""Figures of scores and their differences: over the dose, and as a forest plot."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xrayaug.plots.formats import METADATA_WITHOUT_DATES
from xrayaug.plots.style import DPI, FIGURE_INCHES, MARKERS, style_axes
from xrayaug.storage import files

SHIFT = 0.9  # horizontal distance in percent between series of the same doses
STYLES = ("-", "--", "-.", ":")


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


@dataclass(frozen=True)
class IntervalPoint:
    """A value with its interval, each None if unknown, and the values of all seeds."""

    name: str
    x_value: float  # dose in percent; unused in a forest plot
    value: float | None
    low: float | None
    high: float | None
    seed_values: Sequence[float]


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
        style_axes(axes)
        figure.legend(frameon=False, fontsize="small", loc="outside lower center")  # clear of every line
        for suffix, metadata in METADATA_WITHOUT_DATES.items():
            content = io.BytesIO()
            figure.savefig(content, format=suffix, dpi=DPI, metadata=metadata)
            files.write_bytes(stem.with_name(f"{stem.name}.{suffix}"), content.getbuffer(), durable=False)


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
    style_axes(axes)
    figure.legend(frameon=False, fontsize="small", loc="outside lower center")
    return figure


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
