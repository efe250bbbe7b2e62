"""Control arms: of the size of an arm, but without its synthetic images or their labels.

If a control does as well as the arm, the synthetic images are not the cause of its effect. `duplicate` and `classical`
add as many further images of the same labels, `reweight` has the same class counts, and `shuffle` adds the same images
with shuffled labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from xrayaug.data.dataset import LABELS, Row
from xrayaug.errors import DataError

DUPLICATE_STREAM, SHUFFLE_STREAM = range(1, 3)  # purposes of random streams; the seed alone draws synthetic images


def duplicate_rows(training: Sequence[Row], wanted: Mapping[str, int], seed: int) -> list[Row]:
    """Return as many rows of each label as are wanted, each a repetition of a real one, numbered by its `copy`.

    The images of a label are repeated in a seeded order: each once before any a second time. A smaller number gives a
    prefix of a larger one.

    Raises:
        DataError: there is no training image of a wanted label.
    """
    duplicates: list[Row] = []
    for place, label in enumerate(LABELS):
        rows = [row for row in training if row.label == label]
        if wanted.get(label) and not rows:
            raise DataError(f"there is no {label} training image to take again", "see --label")
        order = np.random.default_rng((seed, DUPLICATE_STREAM, place)).permutation(len(rows)).tolist()
        turns = (divmod(number, len(order)) for number in range(wanted.get(label, 0)))
        duplicates += [replace(rows[order[which]], copy=before + 1) for before, which in turns]
    return duplicates


def shuffle_labels(added: Sequence[Row], seed: int) -> list[Row]:
    """Return the synthetic rows with their labels permuted; the number of each label stays the same.

    Raises:
        DataError: all have the same label.
    """
    labels = [row.label for row in added]
    if len(set(labels)) < len(LABELS):
        raise DataError(
            f"--control shuffle needs synthetic images of both labels, and these are all {labels[0]}",
            "sample a run of a conditional GAN (train-gan --arch cgan), and augment without --label",
        )
    order = np.random.default_rng((seed, SHUFFLE_STREAM)).permutation(len(added)).tolist()
    return [replace(row, label=labels[place]) for row, place in zip(added, order, strict=True)]
