"""Audit arms for a shortcut: test whether features of their own classifier tell synthetic from real images."""

import itertools
from collections.abc import Sequence

import numpy as np

from xrayaug.data.arms import TOGETHER
from xrayaug.data.dataset import LABELS, Row
from xrayaug.evaluation.classifier_run import ClassifierRun
from xrayaug.evaluation.inference import Inference
from xrayaug.evaluation.results import Audit
from xrayaug.runtime import console
from xrayaug.stats import two_sample


def audit_arms(runs: Sequence[ClassifierRun], max_images: int, inference: Inference, seed: int) -> list[Audit]:
    """Audit every arm but controls, by the features of its first network.

    Args:
        runs: sorted by arm and seed.
        max_images: of either kind, per arm.
        inference: of the runs' networks.
        seed: of which images, folds and resamples.
    """
    first_runs = [next(members) for _, members in itertools.groupby(runs, lambda run: run.info.arm_name)]
    audited = [run for run in first_runs if _is_audited(run)]
    return [_audit(run, max_images, inference, seed) for run in audited]


def _is_audited(run: ClassifierRun) -> bool:
    """Return whether an arm trains on real and synthetic images together, without which there is no shortcut."""
    arm = run.info.arm
    return (
        arm is not None and arm.control is None and any(row.synthetic for row in run.rows) and arm.schedule == TOGETHER
    )


def sample_rows(rows: Sequence[Row], max_images: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Sample as many real as synthetic training images of each label, at most `max_images` of either kind."""
    training = [row for row in rows if row.split == "train" and not row.copy]
    labels = [label for label in LABELS if any(row.synthetic and row.label == label for row in training)]
    sampled: tuple[list[Row], list[Row]] = [], []
    for label_index, label in enumerate(labels):
        pools = [[row for row in training if row.label == label and row.synthetic == kind] for kind in (False, True)]
        number = min(*(len(pool) for pool in pools), max_images // len(labels))
        for kind, (pool, rows_of_kind) in enumerate(zip(pools, sampled, strict=True)):
            order = np.random.default_rng([seed, label_index, kind]).permutation(len(pool))[:number]
            rows_of_kind.extend(pool[index] for index in sorted(order.tolist()))
    return sampled


def _audit(run: ClassifierRun, max_images: int, inference: Inference, seed: int) -> Audit:
    real, synthetic = sample_rows(run.rows, max_images, seed)
    with console.progress(len(real) + len(synthetic), f"features of {run.info.name}") as advance:
        real_features, synthetic_features = (
            inference.features(run, run.stack(rows), advance) for rows in (real, synthetic)
        )
    patients = [row.patient and f"{row.source} {row.patient}" for row in real]
    labels = tuple(sorted({row.label for row in synthetic}))
    separability = two_sample.c2st(real_features, synthetic_features, patients, seed)
    return Audit(run.info.arm_name, f"classifier {run.info.name}", real_features.shape[1], labels, separability)
