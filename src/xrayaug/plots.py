"""Figures as PNG and SVG, the same bytes for the same numbers. The only importer of matplotlib."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xrayaug import files

UNDATED: Mapping[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}
INCHES = (6.4, 5.0)
DOTS_PER_INCH = 150
PANEL_INCHES = 1.6  # height of one panel of learning curves
CURVES = (  # what shares a panel
    ("distance",),
    ("d_loss", "g_loss", "class_loss"),
    ("d_real", "d_fake"),
    ("penalty",),
    ("spread", "augment_p"),
)


@dataclass(frozen=True)
class Dose:
    """What came of one dose: the score of every seed, their mean, their standard deviation (None for one seed)."""

    percent: float
    scores: Sequence[float]
    mean: float
    sd: float | None


@dataclass(frozen=True)
class Series:
    """The doses of one kind of arm, by percent."""

    name: str
    doses: Sequence[Dose]


def figure7(stem: Path, series: Sequence[Series], reported: Mapping[float, float], subtitle: str) -> None:
    """Accuracy over dose, the thesis's Figure 7: `<stem>.png` and `<stem>.svg`.

    Args:
        stem: path without suffix.
        series: what was measured.
        reported: the thesis's accuracy by percent, drawn apart as not ours.
        subtitle: what the accuracy is of.
    """
    with mpl.rc_context({"svg.hashsalt": "xrayaug", "svg.fonttype": "none"}):  # no random ids; text stays text
        figure = Figure(figsize=INCHES, layout="constrained")
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
            _draw(axes, each, f"C{place}")
        axes.set_xlabel("Synthetic images added, in percent of the real normal training images")
        axes.set_ylabel("Accuracy")
        axes.set_title(f"Accuracy by dose of synthetic images\n{subtitle}", fontsize="medium")
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(frameon=False, fontsize="small", loc="outside lower center")  # clear of every line
        for suffix, metadata in UNDATED.items():
            content = io.BytesIO()
            figure.savefig(content, format=suffix, dpi=DOTS_PER_INCH, metadata=metadata)
            files.write_bytes(stem.with_name(f"{stem.name}.{suffix}"), content.getbuffer(), durable=False)


def learning_curves(path: Path, lines: Sequence[Mapping[str, Any]], title: str) -> None:
    """What a GAN's log says, over the images seen: a PNG with a panel for each group of `CURVES` that it has.

    Args:
        path: of the picture.
        lines: of the log, one per epoch; not every line has every name.
        title: what was trained.
    """
    panels = [[name for name in names if any(name in line for line in lines)] for names in CURVES]
    panels = [names for names in panels if names]
    figure = Figure(figsize=(INCHES[0], PANEL_INCHES * len(panels) + 0.6), layout="constrained")
    for axes, names in zip(figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0], panels, strict=True):
        for name in names:
            points = [(line["images"], line[name]) for line in lines if name in line]
            axes.plot(*zip(*points, strict=True), ".-", markersize=3, linewidth=1, label=name)
        axes.grid(axis="y", color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    axes.set_xlabel("Training images seen")
    figure.suptitle(title, fontsize="medium")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_PER_INCH, metadata=UNDATED["png"])
    files.write_bytes(path, content.getbuffer(), durable=False)


def _draw(axes: Axes, series: Series, colour: str) -> None:
    """Every seed as a dot; the means as a line, one standard deviation either way."""
    for dose in series.doses:
        axes.plot([dose.percent] * len(dose.scores), dose.scores, "o", color=colour, alpha=0.4, markersize=5, zorder=2)
    percents, means = [dose.percent for dose in series.doses], [dose.mean for dose in series.doses]
    spread = [dose.sd or 0.0 for dose in series.doses]
    axes.errorbar(
        percents, means, yerr=spread, fmt="-D", color=colour, markersize=4, capsize=4,
        label=f"{series.name}: mean ± SD; every seed a dot", zorder=3,
    )  # fmt: skip
