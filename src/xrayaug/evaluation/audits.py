"""Audit arms for a shortcut: test whether features of their own classifier tell synthetic from real images."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch

from xrayaug.data.dataset import LABELS, Row
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.results import Audit
from xrayaug.metrics.features import ClassifierFeatureExtractor
from xrayaug.runtime import console
from xrayaug.stats import two_sample
from xrayaug.stats.two_sample import FeatureArray


def audit_arms(runs: Sequence[Run], max_images: int, batch_size: int, device: torch.device, seed: int) -> list[Audit]:
    """Audit every arm but controls, by the features of its first network.

    Args:
        runs: sorted by arm and seed.
        max_images: of either kind, per arm.
        batch_size: images a pass.
        device: to compute on.
        seed: of which images, folds and resamples.
    """
    firsts = [next(members) for _, members in itertools.groupby(runs, lambda each: each.arm_name)]
    fed = [run for run in firsts if run.arm.control is None and any(row.synthetic for row in run.data.rows)]
    return [_audit(run, max_images, batch_size, device, seed) for run in fed]


def sample_rows(rows: Sequence[Row], max_images: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Sample as many real as synthetic training images of each label, at most `max_images` of either kind."""
    training = [row for row in rows if row.split == "train" and not row.copy]
    labels = [label for label in LABELS if any(row.synthetic and row.label == label for row in training)]
    picked: tuple[list[Row], list[Row]] = [], []
    for place, label in enumerate(labels):
        kinds = [[row for row in training if row.label == label and row.synthetic == kind] for kind in (False, True)]
        number = min(*(len(kind) for kind in kinds), max_images // len(labels))
        for kind, (of_kind, into) in enumerate(zip(kinds, picked, strict=True)):
            order = np.random.default_rng([seed, place, kind]).permutation(len(of_kind))[:number]
            into.extend(of_kind[at] for at in sorted(order.tolist()))
    return picked


def _audit(run: Run, max_images: int, batch_size: int, device: torch.device, seed: int) -> Audit:
    real, synthetic = sample_rows(run.data.rows, max_images, seed)
    network = ClassifierFeatureExtractor(run.artifact, device)
    with console.progress(len(real) + len(synthetic), f"features of {run.name}") as advance:
        of_real, drawn = (_features(network, run, rows, batch_size, advance) for rows in (real, synthetic))
    patients = [row.patient and f"{row.source} {row.patient}" for row in real]
    labels = tuple(sorted({row.label for row in synthetic}))
    apart = two_sample.c2st(of_real, drawn, patients, seed)
    return Audit(run.arm_name, f"classifier {run.name}", network.dims, labels, apart)


def _features(
    network: ClassifierFeatureExtractor, run: Run, rows: Sequence[Row], batch_size: int, advance: Callable[..., None]
) -> FeatureArray:
    found = np.empty((len(rows), network.dims), np.float32)
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        found[start : start + len(part)] = network.features(list(run.data.pixels(part, network.size)))
        advance(len(part))
    return found
