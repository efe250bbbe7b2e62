"""What an arm is compared with: arms of its size without what is to be judged.

If one of them does as well as the arm, it was not the synthetic images that did it: `duplicate` and `classical` bring
as many further images of the same labels, `reweight` the same class counts, `shuffle` the same pictures without what
their labels say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from xrayaug.data.dataset import LABELS, Row
from xrayaug.errors import DataError

COPYING, SHUFFLING = range(1, 3)  # what a random stream is for; the seed alone draws synthetic images


def copies(training: Sequence[Row], wanted: Mapping[str, int], seed: int) -> list[Row]:
    """As many rows of each label as are wanted, each a real one again, numbered by its `copy`.

    The images of a label are taken in a seeded order, over and over: none a second time before all a first time, and
    of fewer the same ones.

    Raises:
        DataError: there is none of a label to take.
    """
    found: list[Row] = []
    for place, label in enumerate(LABELS):
        rows = [row for row in training if row.label == label]
        if wanted.get(label) and not rows:
            raise DataError(f"there is no {label} training image to take again", "see --label")
        order = np.random.default_rng((seed, COPYING, place)).permutation(len(rows)).tolist()
        turns = (divmod(number, len(order)) for number in range(wanted.get(label, 0)))
        found += [replace(rows[order[which]], copy=before + 1) for before, which in turns]
    return found


def shuffled(added: Sequence[Row], seed: int) -> list[Row]:
    """The synthetic rows with their labels dealt out anew among them, so that there are as many of each as before.

    Raises:
        DataError: they all have one label.
    """
    labels = [row.label for row in added]
    if len(set(labels)) < len(LABELS):
        raise DataError(
            f"--control shuffle needs synthetic images of both labels, and these are all {labels[0]}",
            "sample a run that was told labels, such as of train-gan --arch cgan, and augment without --label",
        )
    order = np.random.default_rng((seed, SHUFFLING)).permutation(len(added)).tolist()
    return [replace(row, label=labels[place]) for row, place in zip(added, order, strict=True)]
