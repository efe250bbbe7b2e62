"""Arms with synthetic images -> whether these are told from real ones by the features of the arm's own classifier."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from xrayaug.data.dataset import LABELS, Row
from xrayaug.evaluation.runs import Run
from xrayaug.evaluation.validity import Check
from xrayaug.metrics.features import ClassifierFeatures
from xrayaug.runtime import console
from xrayaug.stats import two_sample
from xrayaug.stats.two_sample import Apart, Features

NAME = "shortcut"


@dataclass(frozen=True)
class Audit:
    """How well an arm's real and synthetic training images are told apart, label by label as many of either."""

    arm: str
    features: str  # whose they are
    dims: int  # of them
    labels: tuple[str, ...]  # that the synthetic images bear
    apart: Apart | None  # None where there are too few

    def told(self) -> dict[str, Any]:
        """For the result."""
        return {**asdict(self), "labels": list(self.labels)}


def audits(runs: Sequence[Run], most: int, batch_size: int, device: torch.device, seed: int) -> list[Audit]:
    """Audit every arm but controls, by the features of its first network.

    Args:
        runs: sorted by arm and seed.
        most: images of either kind that are looked at, per arm.
        batch_size: images a pass.
        where: where to compute.
        seed: of which images, folds and resamples.
    """
    firsts = [next(members) for _, members in itertools.groupby(runs, lambda each: each.arm_name)]
    fed = [run for run in firsts if run.arm["control"] is None and any(row.synthetic for row in run.data.rows)]
    return [_audit(run, most, batch_size, device, seed) for run in fed]


def check_of(found: Sequence[Audit]) -> list[Check]:
    """One check over all audits; none where there is no arm to audit."""
    if not found:
        return []
    offered = [each.apart.offered if each.apart else None for each in found]
    holds = False if True in offered else None if None in offered else True
    told = "; ".join(_sentence(each) for each in found)
    meaning = (
        f": above {two_sample.TOLD_APART:g} a network could learn what is synthetic instead of what is abnormal, which "
        "is a warning and no proof that it did"
        if True in offered
        else ""
    )
    return [Check(NAME, holds, f"real against synthetic training images of one label, by features: {told}{meaning}")]


def chosen(rows: Sequence[Row], most: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Real and synthetic training images, as many of either label by label, at most `most` of either kind."""
    training = [row for row in rows if row.split == "train" and not row.copy]
    labels = [label for label in LABELS if any(row.synthetic and row.label == label for row in training)]
    picked: tuple[list[Row], list[Row]] = [], []
    for place, label in enumerate(labels):
        kinds = [[row for row in training if row.label == label and row.synthetic == kind] for kind in (False, True)]
        number = min(*(len(kind) for kind in kinds), most // len(labels))
        for kind, (of_kind, into) in enumerate(zip(kinds, picked, strict=True)):
            order = np.random.default_rng([seed, place, kind]).permutation(len(of_kind))[:number]
            into.extend(of_kind[at] for at in sorted(order.tolist()))
    return picked


def _audit(run: Run, most: int, batch_size: int, device: torch.device, seed: int) -> Audit:
    real, synthetic = chosen(run.data.rows, most, seed)
    network = ClassifierFeatures(run.artifact, device)
    with console.progress(len(real) + len(synthetic), f"features of {run.name}") as advance:
        of_real, drawn = (_features(network, run, rows, batch_size, advance) for rows in (real, synthetic))
    patients = [row.patient and f"{row.source} {row.patient}" for row in real]
    labels = tuple(sorted({row.label for row in synthetic}))
    apart = two_sample.tell_apart(of_real, drawn, patients, seed)
    return Audit(run.arm_name, f"classifier {run.name}", network.dims, labels, apart)


def _features(
    network: ClassifierFeatures, run: Run, rows: Sequence[Row], batch_size: int, advance: Callable[..., None]
) -> Features:
    found = np.empty((len(rows), network.dims), np.float32)
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        found[start : start + len(part)] = network.features(list(run.data.pixels(part, network.size)))
        advance(len(part))
    return found


def _sentence(audit: Audit) -> str:
    if audit.apart is None:
        return f"{audit.arm}: fewer than {two_sample.FEWEST} images or patients of either kind"
    one_label = f", all synthetic ones {audit.labels[0]}" if len(audit.labels) == 1 else ""
    return (
        f"{audit.arm}: AUROC {audit.apart.auroc:.2f} ({audit.apart.low:.2f} to {audit.apart.high:.2f}; "
        f"{audit.apart.real} and {audit.apart.synthetic} images, {audit.dims} features of the arm's classifier"
        f"{one_label})"
    )
