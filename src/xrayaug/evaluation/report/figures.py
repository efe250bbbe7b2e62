"""An evaluation -> its figures, each an `svg` with a title and a description in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xrayaug import plots
from xrayaug.evaluation import predictions, scorecard
from xrayaug.evaluation.predictions import Predicted
from xrayaug.evaluation.report.evidence import Gan, Line
from xrayaug.plots import Bounded, Curve, Panel
from xrayaug.stats import classification
from xrayaug.stats.classification import Labels, Probabilities
from xrayaug.storage.artifacts import Result

MOST_PANELS = 24
MOST_POINTS = 200  # of one curve
THROUGH_EPOCHS = {"train_loss": ("training", True), "valid_loss": ("validation", False)}  # and whether it is dashed

Of = Callable[[Labels, Probabilities], tuple[Probabilities, Probabilities] | None]


@dataclass(frozen=True)
class Figure:
    """A drawing and what is said under it."""

    svg: str
    caption: str


def accuracy(result: Result) -> Figure:
    """Figure 7 with intervals."""
    seeds = {arm["name"]: _of_seeds(result, arm["name"]) for arm in result["arms"]}
    series = {
        name: [_bounded(arm["name"], arm["percent"], arm["intervals"]["image"]["half"]["accuracy"], seeds[arm["name"]])
               for arm in arms]
        for name, arms in scorecard.by_kind(result["arms"]).items()
    }  # fmt: skip
    described = "; ".join(f"{arm['name']}: {scorecard.bounded(arm['intervals']['image']['half']['accuracy'], '.3f')}"
                          for arm in result["arms"])  # fmt: skip
    title = "Accuracy by dose of synthetic images"
    svg = plots.inline_svg(
        lambda: plots.doses(series, scorecard.reported(result), "Accuracy at 0.5, per image"),
        "figure7", title, described,
    )  # fmt: skip
    return Figure(svg, f"{title}, per image, on {result['test']['images']:,} test images.")


def differences(result: Result) -> Figure | None:
    """The verdict's differences as a forest plot; None where there is no arm beside a baseline."""
    found = result["verdict"]
    rows = [_difference(each) for each in found["arms"] if each["difference"]]
    if not rows:
        return None
    score = classification.plain(found["metric"])
    described = "; ".join(f"{row.name}: {row.value:+.3f}, from {row.low:+.3f} to {row.high:+.3f}" for row in rows)
    svg = plots.inline_svg(
        lambda: plots.forest(rows, found["margin"], score), "differences", f"Differences in {score}", described
    )
    return Figure(
        svg, f"Difference in {score} per {found['level']} to the arm of 0 %, with 95 % intervals, uncorrected."
    )


def roc(predicted: Sequence[Predicted], level: str) -> Figure | None:
    """The ROC curve of every seed, arm by arm."""
    described = "Curves from bottom left to top right, one for each seed; the areas are in the table of scores."
    return _multiples(
        _panels(predicted, level, classification.roc), "roc", "ROC curves by arm", described,
        ("1 - specificity", "Sensitivity"), diagonal=True,
    )  # fmt: skip


def calibration(predicted: Sequence[Predicted], level: str) -> Figure | None:
    """The share of abnormal cases over the probability that each seed gave them, arm by arm."""
    described = "On the diagonal, as many cases are abnormal as the probability says; below it, fewer."
    return _multiples(
        _panels(predicted, level, classification.reliability), "calibration", "Calibration by arm", described,
        ("Mean probability of a bin", "Share abnormal"), diagonal=True,
    )  # fmt: skip


def losses(logs: dict[str, list[tuple[int, list[Line]]]]) -> Figure | None:
    """Loss over epochs of every classifier, arm by arm."""
    panels = [
        Panel(arm, [_losses(*of, key, place) for key in THROUGH_EPOCHS for place, of in enumerate(seeds)])
        for arm, seeds in logs.items()
    ]
    described = "Each seed's loss on training (dashed) and on validation images, epoch by epoch."
    return _multiples(panels, "losses", "Learning curves of the classifiers by arm", described, ("Epoch", "Loss"))


def gan(of: Gan, place: int) -> Figure | None:
    """What a GAN's log says, over the images seen."""
    if not of.log:
        return None
    title = f"Learning curves of the generator, {of.name}"
    described = "Losses of both networks, what the discriminator says of real and generated images, and the variety."
    return Figure(
        plots.inline_svg(lambda: plots.curves(of.log, of.name), f"gan-{place}", title, described), f"{title}."
    )


def _of_seeds(result: Result, arm: str) -> list[float]:
    return [each["image"]["accuracy"] for each in result["runs"] if each["arm_name"] == arm]


def _bounded(name: str, percent: float, told: dict[str, Any] | None, of_seeds: Sequence[float]) -> Bounded:
    value, low, high = ((told or {}).get(part) for part in ("value", "low", "high"))
    return Bounded(name, percent, value, low, high, of_seeds)


def _difference(arm: dict[str, Any]) -> Bounded:
    return _bounded(arm["arm"], 0.0, arm["difference"], list(arm["difference"]["of_seeds"].values()))


def _panels(predicted: Sequence[Predicted], level: str, of: Of) -> list[Panel]:
    cases = predictions.cases(predicted[0].run.test, level)
    curves: dict[str, list[Curve]] = {}
    for each in predicted:
        found = of(cases.labels, cases.probabilities(each.test))
        if found is not None:
            x, y = (_thinned(values) for values in found)
            seeds = curves.setdefault(each.run.arm_name, [])
            seeds.append(Curve(f"seed {each.run.seed}", x, y, look=len(seeds)))
    return [Panel(arm, of_seeds) for arm, of_seeds in curves.items()]


def _thinned(values: Probabilities) -> list[float]:
    """At most so many points of a curve, the first and the last among them."""
    if len(values) > MOST_POINTS:
        values = values[np.linspace(0, len(values) - 1, MOST_POINTS).round().astype(int)]
    return [float(value) for value in values]


def _losses(seed: int, lines: Sequence[Line], key: str, place: int) -> Curve:
    points = [(line.get("epoch", place), line[key]) for place, line in enumerate(lines, start=1)
              if isinstance(line.get(key), int | float)]  # fmt: skip
    name, dashed = THROUGH_EPOCHS[key]
    return Curve(f"{name}, seed {seed}", [x for x, _ in points], [y for _, y in points], look=place, dashed=dashed)


def _multiples(
    panels: Sequence[Panel], name: str, title: str, described: str, axes: tuple[str, str], *, diagonal: bool = False
) -> Figure | None:
    if not panels:
        return None
    shown = panels[:MOST_PANELS]
    svg = plots.inline_svg(lambda: plots.multiples(shown, *axes, diagonal=diagonal), name, title, described)
    left_out = f" The first {len(shown)} of {len(panels)} arms." if len(shown) < len(panels) else ""
    return Figure(svg, f"{title}. {described}{left_out}")
