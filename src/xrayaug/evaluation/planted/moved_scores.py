"""Move the scores of a network by known amounts: its logits apart until a score is a wanted one, or one case."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from xrayaug.stats import classification
from xrayaug.stats.array_types import FloatArray
from xrayaug.stats.classification import LOGIT_EPSILON, THRESHOLD, Labels, Probabilities

MAX_MOVE = 64.0  # of logits: more than twice the largest
FIRST_STEP, PRECISION = 0.125, 1e-4  # of the search for an amount, in logits


@dataclass(frozen=True)
class Mover:
    """Moves the logits of a network's cases apart, until its score on all cases of the study is a wanted one."""

    directions: FloatArray  # [M]: 1 for an abnormal case, -1 for a normal one
    logits: FloatArray  # [M]
    scores: FloatArray  # [K] rising, on all cases
    amounts: FloatArray  # [K] by which logits are moved to get there

    def move(self, score: float, cases: Labels | slice = slice(None)) -> Probabilities:
        """Return the probabilities of some cases by the network whose score on all cases is the wanted one."""
        amount = float(np.interp(score, self.scores, self.amounts))
        return np.asarray(expit(self.logits[cases] + amount * self.directions[cases]), np.float64)

    def hold(self) -> "Mover":
        """Return one that moves nothing, whatever score is wanted."""
        return replace(self, scores=np.zeros(1), amounts=np.zeros(1))


def make_mover(metric: str, labels: Labels, probabilities: Probabilities, targets: Sequence[float]) -> Mover:
    """Find the amounts by bisection: no score that decides falls if every case gets a better probability.

    Args:
        metric: the score.
        labels: `[M]`.
        probabilities: `[M]` by the network.
        targets: scores to reach; the first and the last that can be reached are in their places if some cannot.
    """
    directions = np.where(labels == 1, 1.0, -1.0)
    logits = logit(np.clip(probabilities, LOGIT_EPSILON, 1 - LOGIT_EPSILON))

    def score(amount: float) -> float:
        return find_score(metric, labels, expit(logits + amount * directions))

    low, at_low, best = -MAX_MOVE, score(-MAX_MOVE), score(MAX_MOVE)
    amounts = []
    scores = np.unique(np.clip(targets, at_low, best))
    for target in scores:
        high, at_high, step = low, at_low, FIRST_STEP
        while at_high < target:
            low, at_low = high, at_high
            high, step = high + step, 2 * step
            at_high = score(high)
        while high - low > PRECISION:
            middle = (low + high) / 2
            at_middle = score(middle)
            if at_middle < target:
                low, at_low = middle, at_middle
            else:
                high, at_high = middle, at_middle
        amounts.append(low if target - at_low < at_high - target else high)
    return Mover(directions, logits, scores, np.array(amounts))


def find_score(metric: str, labels: Labels, probabilities: Probabilities) -> float:
    """Return a score, NaN if it is undefined."""
    direct = {"auroc": classification.auroc, "average_precision": classification.average_precision}
    if metric in direct:
        found = direct[metric](labels, probabilities)
    else:
        found = getattr(classification.score(labels, probabilities, THRESHOLD), metric)
    return np.nan if found is None else float(found)


def find_step(metric: str, labels: Labels, probabilities: Probabilities) -> float:
    """Return by how much one case moves a score: the most over cases of both classes, 0 if that is undefined.

    A case is called otherwise; in a score of ranks, a normal case changes places with the abnormal one next to it.
    """
    positives = int(np.sum(labels == 1))
    if metric == "auroc":
        return 1 / max(positives * (len(labels) - positives), 1)
    if metric == "average_precision":
        is_abnormal = labels[np.argsort(-probabilities, kind="stable")] == 1
        places, found = np.arange(1, len(labels)), np.cumsum(is_abnormal)[1:]
        steps = found / (places * (places + 1)) / max(positives, 1)
        return float(np.max(steps, where=is_abnormal[:-1] != is_abnormal[1:], initial=0.0))
    before, steps = find_score(metric, labels, probabilities), [0.0]
    called = (probabilities > THRESHOLD).astype(np.float64)
    for label, call in itertools.product((0, 1), (0, 1)):
        alike = np.flatnonzero((labels == label) & (called == call))
        if len(alike):
            changed = called.copy()
            changed[alike[0]] = 1 - call
            steps.append(abs(find_score(metric, labels, changed) - before))
    return float(np.nanmax(steps))
