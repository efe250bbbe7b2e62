"""Judge whether a shifted class prior of the training set contributes to the difference of an arm."""

import math

from xrayaug.evaluation import verdict
from xrayaug.evaluation.results import ConfidenceInterval, PriorShift
from xrayaug.runtime.console import UNDEFINED
from xrayaug.stats.intervals import ALPHA, Estimate

MIN_PRIOR_SHIFT = 0.01  # smallest change in the share of normal training images that counts as a shift


def judge_prior_shift(
    shares: tuple[float, float],
    call_rate: Estimate | None,
    accuracies: tuple[Estimate | None, Estimate | None],
    auroc: Estimate | None,
    margin: float,
) -> PriorShift:
    """Judge whether a shifted class prior contributes to the difference of an arm, and whether it alone can explain it.

    It contributes if the prior shifted and the rate at which the network calls images abnormal at 0.5 changed in the
    direction that this prior implies. It alone can explain the difference if, besides, the area under the ROC curve is
    shown to be equivalent to the baseline's, and the accuracy at a threshold chosen on validation does not differ
    significantly: the network ranks images as before and only decides at another point (Saerens et al. 2002, Neural
    Computation 14:21). That the area does not differ significantly is not enough, as a fall that is too small to be
    seen would be overlooked. Tests are at 5 %, uncorrected.

    Args:
        shares: of normal images in the arm's training set, and in the baseline's.
        call_rate: difference in the rate of calling images abnormal at 0.5, `comparison.estimate_call_rate_difference`.
        accuracies: differences in accuracy, at 0.5 and at the thresholds chosen on validation.
        auroc: difference in the area under the ROC curve.
        margin: the largest difference of that area that does not matter.
    """
    share, baseline_share = shares
    shifted = abs(share - baseline_share) >= MIN_PRIOR_SHIFT
    has_expected_sign = call_rate is not None and call_rate.value * (share - baseline_share) < 0
    contributes = shifted and has_expected_sign and verdict.is_significant(call_rate)
    keeps_ranking = auroc is not None and auroc.seeds >= verdict.MIN_SEEDS and auroc.p_equivalent(margin) <= ALPHA
    explains_difference = contributes and keeps_ranking and not verdict.is_significant(accuracies[1])
    sentence = ""
    if contributes and call_rate is not None:
        moved = _describe_moved_prior(shares, call_rate, accuracies[0])
        sentence = moved + (
            f"; it alone can explain the difference, as the AUROC is within ±{margin:g} of the baseline's "
            f"({_format(auroc)}) and the accuracy at the threshold chosen on validation does not differ significantly"
            if explains_difference
            else _describe_ranking(auroc, accuracies[1], margin)
        )
    interval = ConfidenceInterval.from_estimate(call_rate, -math.inf, math.inf)
    return PriorShift(share, baseline_share, shifted, explains_difference, interval, sentence, contributes)


def _describe_moved_prior(shares: tuple[float, float], call_rate: Estimate, accuracy: Estimate | None) -> str:
    changed = f", which changes the accuracy at 0.5 by {accuracy.value:+.3f}" if accuracy else ""
    return (
        f"a shifted class prior contributes: training had {100 * shares[0]:.0f} % normal images instead of "
        f"{100 * shares[1]:.0f} %, "
        f"and at the threshold 0.5 the network calls {'fewer' if call_rate.value < 0 else 'more'} images abnormal "
        f"({_format(call_rate)}, with both classes weighted equally){changed}"
    )


def _describe_ranking(auroc: Estimate | None, chosen: Estimate | None, margin: float) -> str:
    """Return why a shifted prior is not known to be the only cause."""
    if verdict.is_significant(auroc):
        return f"; it is not the only cause, as the AUROC differs significantly too ({_format(auroc)})"
    if verdict.is_significant(chosen):
        return (
            "; it is not the only cause, as the accuracy at the threshold chosen on validation differs significantly "
            f"too ({_format(chosen)})"
        )
    known = f"({_format(auroc)}, not shown to be within ±{margin:g})" if auroc is not None else "(it is undefined)"
    return f"; whether the ranking changed too cannot be told from the AUROC {known}"


def _format(estimate: Estimate | None) -> str:
    if estimate is None:
        return UNDEFINED
    low, high = estimate.interval()
    return f"{estimate.value:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}"
