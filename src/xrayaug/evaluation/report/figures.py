"""Draw the figures of an evaluation, each an `svg` element with a title and a description in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xrayaug import plots
from xrayaug.evaluation import predictions, tables
from xrayaug.evaluation.predictions import RunPredictions
from xrayaug.evaluation.report.evidence import GanLog, Line
from xrayaug.evaluation.results import HALF, ArmVerdict, Difference, Evaluation, Interval
from xrayaug.plots import Curve, IntervalPoint, Panel
from xrayaug.stats import classification
from xrayaug.stats.classification import Labels, Probabilities

MAX_PANELS = 24
MAX_POINTS = 200  # of one curve
LOSSES = {"train_loss": ("training", True), "valid_loss": ("validation", False)}  # log field: name, dashed or not

CurveFunction = Callable[[Labels, Probabilities], tuple[Probabilities, Probabilities] | None]


@dataclass(frozen=True)
class Figure:
    """An `svg` element and its caption."""

    svg: str
    caption: str


def accuracy(evaluation: Evaluation) -> Figure:
    """Draw the accuracy over the dose with 95 % intervals, as in Figure 7."""
    seeds = {arm.name: _seed_accuracies(evaluation, arm.name) for arm in evaluation.arms}
    series = {
        name: [_make_point(arm.name, arm.settings.percent, arm.intervals["image"][HALF]["accuracy"], seeds[arm.name])
               for arm in arms]
        for name, arms in tables.group_by_kind(evaluation.arms).items()
    }  # fmt: skip
    described = "; ".join(f"{arm.name}: {tables.format_interval(arm.intervals['image'][HALF]['accuracy'], '.3f')}"
                          for arm in evaluation.arms)  # fmt: skip
    title = "Accuracy by dose of synthetic images"
    svg = plots.inline_svg(
        lambda: plots.draw_doses(series, tables.reported(evaluation), "Accuracy at 0.5, per image"),
        "figure7", title, described,
    )  # fmt: skip
    return Figure(svg, f"{title}, per image, on {evaluation.test.images:,} test images.")


def differences(evaluation: Evaluation) -> Figure | None:
    """Draw the differences of the verdict as a forest plot; None if no arm has a baseline."""
    found = evaluation.verdict
    rows = [_make_difference(each, each.difference) for each in found.arms if each.difference]
    if not rows:
        return None
    score = classification.display_name(found.question.metric)
    described = "; ".join(f"{row.name}: {row.value:+.3f}, from {row.low:+.3f} to {row.high:+.3f}" for row in rows)
    svg = plots.inline_svg(
        lambda: plots.draw_forest(rows, found.question.margin, score),
        "differences",
        f"Differences in {score}",
        described,
    )
    return Figure(
        svg, f"Difference in {score} per {found.question.level} to the arm of 0 %, with 95 % intervals, uncorrected."
    )


def roc(predicted: Sequence[RunPredictions], level: str) -> Figure | None:
    """Draw the ROC curve of every seed, with one panel for each arm; None if no curve is defined."""
    described = "Curves from bottom left to top right, one for each seed; the areas are in the table of scores."
    return _multiples(
        _panels(predicted, level, classification.roc_curve), "roc", "ROC curves by arm", described,
        ("1 - specificity", "Sensitivity"), diagonal=True,
    )  # fmt: skip


def calibration(predicted: Sequence[RunPredictions], level: str) -> Figure | None:
    """Draw the reliability curve of every seed, with one panel for each arm; None if no curve is defined."""
    described = "On the diagonal, as many cases are abnormal as the probability says; below it, fewer."
    return _multiples(
        _panels(predicted, level, classification.reliability_curve), "calibration", "Calibration by arm", described,
        ("Mean probability of a bin", "Share abnormal"), diagonal=True,
    )  # fmt: skip


def losses(logs: Mapping[str, Sequence[tuple[int, Sequence[Line]]]]) -> Figure | None:
    """Draw the losses of every classifier over epochs, with one panel for each arm; None without logs."""
    panels = [
        Panel(
            arm,
            [_loss_curve(seed, lines, key, place) for key in LOSSES for place, (seed, lines) in enumerate(seeds)],
        )
        for arm, seeds in logs.items()
    ]
    described = "Each seed's loss on training (dashed) and on validation images, epoch by epoch."
    return _multiples(panels, "losses", "Learning curves of the classifiers by arm", described, ("Epoch", "Loss"))


def gan(training: GanLog, number: int) -> Figure | None:
    """Draw the learning curves of a GAN over the images seen; None if its log is empty.

    Args:
        training: architecture and log of the GAN.
        number: that tells the figures of one page apart.
    """
    if not training.log:
        return None
    title = f"Learning curves of the generator, {training.name}"
    described = "Losses of both networks, what the discriminator says of real and generated images, and the variety."
    return Figure(
        plots.inline_svg(
            lambda: plots.draw_learning_curves(training.log, training.name),
            f"gan-{number}",
            title,
            described,
        ),
        f"{title}.",
    )


def _seed_accuracies(evaluation: Evaluation, arm: str) -> list[float | None]:
    return [run.scores["image"].accuracy for run in evaluation.runs if run.arm_name == arm]


def _make_point(
    name: str, percent: float, interval: Interval | None, seed_values: Sequence[float | None]
) -> IntervalPoint:
    seeds = [value for value in seed_values if value is not None]
    if interval is None:
        return IntervalPoint(name, percent, None, None, None, seeds)
    return IntervalPoint(name, percent, interval.value, interval.low, interval.high, seeds)


def _make_difference(arm: ArmVerdict, difference: Difference) -> IntervalPoint:
    return _make_point(arm.arm, 0.0, difference, list(difference.of_seeds.values()))


def _panels(predicted: Sequence[RunPredictions], level: str, curve_of: CurveFunction) -> list[Panel]:
    cases = predictions.gather_cases(predicted[0].test_rows, level)
    curves: dict[str, list[Curve]] = {}
    for predictions_of_run in predicted:
        points = curve_of(cases.labels, cases.probabilities(predictions_of_run.test))
        if points is not None:
            x, y = (_thin_out(values) for values in points)
            run = predictions_of_run.run
            seeds = curves.setdefault(run.arm_name, [])
            seeds.append(Curve(f"seed {run.seed}", x, y, style_index=len(seeds)))
    return [Panel(arm, seeds) for arm, seeds in curves.items()]


def _thin_out(values: Probabilities) -> list[float]:
    """Return at most `MAX_POINTS` values, evenly spaced, the first and the last among them."""
    if len(values) > MAX_POINTS:
        values = values[np.linspace(0, len(values) - 1, MAX_POINTS).round().astype(int)]
    return [float(value) for value in values]


def _loss_curve(seed: int, lines: Sequence[Line], key: str, place: int) -> Curve:
    points = [(line.get("epoch", place), line[key]) for place, line in enumerate(lines, start=1)
              if isinstance(line.get(key), int | float)]  # fmt: skip
    name, dashed = LOSSES[key]
    return Curve(
        f"{name}, seed {seed}", [x for x, _ in points], [y for _, y in points], style_index=place, dashed=dashed
    )


def _multiples(
    panels: Sequence[Panel], name: str, title: str, described: str, axes: tuple[str, str], *, diagonal: bool = False
) -> Figure | None:
    if not panels:
        return None
    shown = panels[:MAX_PANELS]
    svg = plots.inline_svg(lambda: plots.draw_small_multiples(shown, *axes, diagonal=diagonal), name, title, described)
    left_out = f" The first {len(shown)} of {len(panels)} arms." if len(shown) < len(panels) else ""
    return Figure(svg, f"{title}. {described}{left_out}")
