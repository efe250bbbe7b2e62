"""Control arms: of the size of an arm, but without its synthetic images or their labels.

If a control does as well as the arm, the synthetic images are not the cause of its effect. `duplicate` and `classical`
add as many further images of the same labels, `low-resolution` adds those of `duplicate` at the size of the synthetic
images, `reweight` has the same class counts, and `shuffle` adds the same images with shuffled labels. `more-real` is
what the arm is to be measured by: it adds as many real images of other patients, as a perfect generator would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from xrayaug.data.dataset import LABELS, Row
from xrayaug.errors import DataError

# Purposes of random streams; the seed alone draws synthetic images.
DUPLICATE_STREAM, SHUFFLE_STREAM, MORE_REAL_STREAM = range(1, 4)


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


def draw_more_real(left_out: Sequence[Row], wanted: Mapping[str, int], seed: int) -> list[Row]:
    """Return as many rows of each label as are wanted from real rows that are left out of the arm.

    They are drawn in a seeded order; a smaller number gives a prefix of a larger one. Their `copy` is 1, which marks
    added rows.

    Raises:
        DataError: too few are left out.
    """
    drawn: list[Row] = []
    for place, label in enumerate(LABELS):
        rows = [row for row in left_out if row.label == label]
        number = wanted.get(label, 0)
        if number > len(rows):
            raise too_few_left_out(number, label, len(rows))
        order = np.random.default_rng((seed, MORE_REAL_STREAM, place)).permutation(len(rows)).tolist()
        drawn += [replace(rows[which], copy=1) for which in order[:number]]
    return drawn


def too_few_left_out(wanted: int, label: str, left_out: int) -> DataError:
    """Return the error that `more-real` needs more images of a label (any label if it is empty) than are left out."""
    needed = " ".join(filter(None, (str(wanted), label)))
    return DataError(
        f"the control more-real needs {needed} real images, and the real fraction leaves out {left_out}",
        "a smaller real fraction, or a smaller dose",
    )


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
