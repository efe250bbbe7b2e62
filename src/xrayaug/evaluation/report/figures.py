"""Draw the figures of an evaluation, each an `svg` element with an accessible title and description."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xrayaug.evaluation import dose_lines, predictions, tables
from xrayaug.evaluation.evidence import GanLog, LogRecord
from xrayaug.evaluation.predictions import RunPredictions
from xrayaug.evaluation.results import HALF, ArmVerdict, ConfidenceInterval, Difference, Evaluation
from xrayaug.plots import curves, formats, scores
from xrayaug.plots.curves import Curve, Subplot
from xrayaug.plots.scores import IntervalPoint
from xrayaug.stats import classification
from xrayaug.stats.classification import Labels, Probabilities

MAX_SUBPLOTS = 24
MAX_POINTS = 200  # of one curve
LOSSES = {"train_loss": ("training", True), "valid_loss": ("validation", False)}  # by log field: name, is dashed

CurveFunction = Callable[[Labels, Probabilities], tuple[Probabilities, Probabilities] | None]


@dataclass(frozen=True)
class Figure:
    """An `svg` element and its caption."""

    svg: str
    caption: str


def accuracy(evaluation: Evaluation) -> Figure | None:
    """Draw the accuracy over the dose with 95 % intervals, as in Figure 7; None if the doses are unknown."""
    if not tables.have_doses(evaluation.arms):
        return None
    seeds = {arm.name: _seed_accuracies(evaluation, arm.name) for arm in evaluation.arms}
    series = {
        name: [
            _make_point(arm.name, arm.settings.percent, arm.intervals["image"][HALF]["accuracy"], seeds[arm.name])
            for arm in arms
            if arm.settings is not None
        ]
        for name, arms in dose_lines.group_into_lines(evaluation.arms).items()
    }  # fmt: skip
    described = "; ".join(f"{arm.name}: {tables.format_interval(arm.intervals['image'][HALF]['accuracy'], '.3f')}"
                          for arm in evaluation.arms)  # fmt: skip
    title = "Accuracy by dose of synthetic images"
    svg = formats.inline_svg(
        lambda: scores.draw_doses(series, dose_lines.reported_accuracies(evaluation), "Accuracy at 0.5, per image"),
        "figure7", title, described,
    )  # fmt: skip
    caption = (
        f"{title}, per image, on {evaluation.test.images:,} test images: mean with 95 % interval; each dot is one seed."
    )
    return Figure(svg, caption)


def differences(evaluation: Evaluation) -> Figure | None:
    """Draw the differences of the verdict as a forest plot; None if no arm has a baseline."""
    arms, question = evaluation.verdict.arms, evaluation.verdict.question
    rows = [_make_difference(arm, arm.difference) for arm in arms if arm.difference]
    if not rows:
        return None
    score, doses = classification.display_name(question.metric), tables.have_doses(evaluation.arms)
    described = "; ".join(f"{row.name}: {row.value:+.3f}, from {row.low:+.3f} to {row.high:+.3f}" for row in rows)
    svg = formats.inline_svg(
        lambda: scores.draw_forest(rows, question.margin, score, named_by="Arm (percent added)" if doses else "Arm"),
        "differences",
        f"Differences in {score}",
        described,
    )
    return Figure(
        svg,
        f"Difference in {score} per {question.level}, arm minus baseline, with marginal (uncorrected) 95 % intervals.",
    )


def roc(predicted: Sequence[RunPredictions], level: str) -> Figure | None:
    """Draw the ROC curve of every seed, with one subplot for each arm; None if no curve is defined."""
    described = "One curve for each seed; the areas under the curves are in the table of scores."
    subplots = _make_subplots(predicted, level, classification.roc_curve)
    axes = ("False positive rate (1 - specificity)", "True positive rate (sensitivity)")
    return _multiples(subplots, "roc", "ROC curves by arm", described, axes, diagonal=True)


def calibration(predicted: Sequence[RunPredictions], level: str) -> Figure | None:
    """Draw the reliability curve of every seed, with one subplot for each arm; None if no curve is defined."""
    described = "A calibrated network is on the diagonal; below it, probabilities are too high."
    subplots = _make_subplots(predicted, level, classification.reliability_curve)
    axes = ("Mean predicted probability", "Fraction abnormal")
    return _multiples(subplots, "calibration", "Calibration by arm", described, axes, diagonal=True)


def losses(logs: Mapping[str, Sequence[tuple[int, Sequence[LogRecord]]]]) -> Figure | None:
    """Draw the losses of every classifier over epochs, with one subplot for each arm; None without logs."""
    subplots = [
        Subplot(
            arm,
            [_loss_curve(seed, lines, key, place) for key in LOSSES for place, (seed, lines) in enumerate(seeds)],
        )
        for arm, seeds in logs.items()
    ]
    described = "Loss on training images (dashed) and on validation images by epoch, for each seed."
    return _multiples(subplots, "losses", "Learning curves of the classifiers by arm", described, ("Epoch", "Loss"))


def gan(training: GanLog, number: int) -> Figure | None:
    """Draw the learning curves of a GAN over the images seen; None if its log is empty.

    Args:
        training: architecture and log of the GAN.
        number: distinguishes the figures of a page.
    """
    if not training.log:
        return None
    title = f"Learning curves of the generator, {training.name}"
    described = "Losses of both networks, discriminator outputs on real and generated images, and diversity."
    return Figure(
        formats.inline_svg(
            lambda: curves.draw_learning_curves(training.log, training.name),
            f"gan-{number}",
            title,
            described,
        ),
        f"{title}.",
    )


def _seed_accuracies(evaluation: Evaluation, arm: str) -> list[float | None]:
    return [run.scores["image"].accuracy for run in evaluation.runs if run.arm_name == arm]


def _make_point(
    name: str, percent: float, interval: ConfidenceInterval | None, seed_values: Sequence[float | None]
) -> IntervalPoint:
    seeds = [value for value in seed_values if value is not None]
    if interval is None:
        return IntervalPoint(name, percent, None, None, None, seeds)
    return IntervalPoint(name, percent, interval.value, interval.low, interval.high, seeds)


def _make_difference(arm: ArmVerdict, difference: Difference) -> IntervalPoint:
    return _make_point(arm.arm, 0.0, difference, list(difference.seed_differences.values()))


def _make_subplots(predicted: Sequence[RunPredictions], level: str, curve: CurveFunction) -> list[Subplot]:
    cases = predictions.group_cases(predicted[0].test_rows, level)
    by_arm: dict[str, list[Curve]] = {}
    for run_predictions in predicted:
        points = curve(cases.labels, cases.probabilities(run_predictions.test))
        if points is not None:
            x, y = (_thin_out(values) for values in points)
            run = run_predictions.run
            arm_curves = by_arm.setdefault(run.arm_name, [])
            arm_curves.append(Curve(f"seed {run.seed}", x, y, style_index=len(arm_curves)))
    return [Subplot(arm, arm_curves) for arm, arm_curves in by_arm.items()]


def _thin_out(values: Probabilities) -> list[float]:
    """Return at most `MAX_POINTS` values, evenly spaced, the first and the last among them."""
    if len(values) > MAX_POINTS:
        values = values[np.linspace(0, len(values) - 1, MAX_POINTS).round().astype(int)]
    return [float(value) for value in values]


def _loss_curve(seed: int, lines: Sequence[LogRecord], key: str, place: int) -> Curve:
    points = [(line.get("epoch", number), line[key]) for number, line in enumerate(lines, start=1) if key in line]
    name, dashed = LOSSES[key]
    return Curve(
        f"{name}, seed {seed}", [x for x, _ in points], [y for _, y in points], style_index=place, dashed=dashed
    )


def _multiples(
    subplots: Sequence[Subplot], name: str, title: str, described: str, axes: tuple[str, str], *, diagonal: bool = False
) -> Figure | None:
    if not subplots:
        return None
    shown = subplots[:MAX_SUBPLOTS]
    svg = formats.inline_svg(
        lambda: curves.draw_small_multiples(shown, *axes, diagonal=diagonal), name, title, described
    )
    truncated = f" Only the first {len(shown)} of {len(subplots)} arms." if len(shown) < len(subplots) else ""
    return Figure(svg, f"{title}. {described}{truncated}")
