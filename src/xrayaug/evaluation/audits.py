"""Audit arms for a shortcut: test whether features of their own classifier tell synthetic from real images."""

import itertools
from collections.abc import Sequence

import numpy as np

from xrayaug.data.arms import MIXED_PRETRAIN, PRETRAIN, SYNTHETIC_ONLY, TOGETHER
from xrayaug.data.dataset import LABELS, Row
from xrayaug.evaluation import generator_design
from xrayaug.evaluation.classifier_run import ClassifierRun
from xrayaug.evaluation.generator_design import Digests
from xrayaug.evaluation.inference import Inference
from xrayaug.evaluation.results import Audit
from xrayaug.runtime import console
from xrayaug.stats import two_sample

NOT_APPLICABLE = {  # why there is nothing to tell apart, by schedule
    SYNTHETIC_ONLY: "it trains on synthetic images alone",
    PRETRAIN: "it never trains on real and synthetic images together",
}


def audit_arms(runs: Sequence[ClassifierRun], max_images: int, inference: Inference, seed: int) -> list[Audit]:
    """Audit every arm with synthetic images but controls, by the features of its first network.

    If runs of an arm have images of different generators, the first network of each is audited.

    Of an arm that trains on both kinds of images in its first phase alone, these are the features after the last phase,
    which are judged. An arm that never trains on both together has nothing to tell apart, which is said.

    Args:
        runs: sorted by arm and seed.
        max_images: of either kind, per arm.
        inference: of the runs' networks.
        seed: of which images, folds and resamples.
    """
    audits = []
    for run, images in _list_by_images(runs):
        arm, labels = run.info.arm, tuple(sorted({row.label for row in run.dose_rows if row.synthetic}))
        if arm is None or arm.control is not None or not labels:
            continue
        if arm.schedule in (TOGETHER, MIXED_PRETRAIN):
            audits.append(_audit(run, images, max_images, inference, seed))
        else:
            reason = NOT_APPLICABLE[arm.schedule]
            audits.append(Audit(run.info.arm_name, f"classifier {run.info.name}", 0, labels, None, reason, images))
    return audits


def _list_by_images(runs: Sequence[ClassifierRun]) -> list[tuple[ClassifierRun, str | None]]:
    """Return the first run of every arm, and of each of its synthetic datasets, which are named if it has several."""
    found: list[tuple[ClassifierRun, str | None]] = []
    for _, members in itertools.groupby(runs, lambda run: run.info.arm_name):
        first: dict[Digests, ClassifierRun] = {}
        for run in members:
            first.setdefault(generator_design.list_digests(run.drawn_images), run)
        names = generator_design.name_images([run.drawn_images for run in first.values()])
        found += [(run, names[images] if len(first) > 1 else None) for images, run in first.items()]
    return found


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


def _audit(run: ClassifierRun, images: str | None, max_images: int, inference: Inference, seed: int) -> Audit:
    real, synthetic = sample_rows(run.dose_rows, max_images, seed)
    with console.progress(len(real) + len(synthetic), f"features of {run.info.name}") as advance:
        real_features, synthetic_features = (
            inference.features(run, run.stack_dose(rows), advance) for rows in (real, synthetic)
        )
    patients = [row.patient and f"{row.source} {row.patient}" for row in real]
    labels = tuple(sorted({row.label for row in synthetic}))
    separability = two_sample.c2st(real_features, synthetic_features, patients, seed)
    name, dims = f"classifier {run.info.name}", real_features.shape[1]
    return Audit(run.info.arm_name, name, dims, labels, separability, images=images)
