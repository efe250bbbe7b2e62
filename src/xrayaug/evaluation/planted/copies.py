"""How often would copies among the synthetic images have been found? They are planted in copies of the audits.

Copies of training images are planted in the screening by `copies`, in pixels: the distances of the synthetic images are
those that it recorded, some of which are replaced by those of copies. Its comparison in features is not repeated, which
can only find more. Copies of test images are planted in the comparison of images of generators from elsewhere with the
test images. Where no copy is planted, other real images take their place, and what is found is a false alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial

import numpy as np
import numpy.typing as npt

from xrayaug.data.images import similarity
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.stack import Stack
from xrayaug.evaluation.checks import check_test_copies
from xrayaug.evaluation.planted import pictures
from xrayaug.evaluation.planted.pictures import UNCHANGED
from xrayaug.evaluation.planted.results import PlantedRate
from xrayaug.evaluation.study_facts import TestCopiesFacts
from xrayaug.metrics import memorization
from xrayaug.metrics.memorization import Threshold
from xrayaug.stats.array_types import FloatArray, IndexArray

Flags = npt.NDArray[np.bool_]

SHARES = (0.01, 0.05)  # of the synthetic images
FALSE_ALARM_SHARE = SHARES[-1]  # other real images that are planted instead of copies
HELD_OUT = "held-out images"
STREAM = 3  # number of the random stream of the plantings
BY_PIXELS = (
    "reported where the screening fails the set; arms leave out each image that it sets aside, which the last column "
    "counts. Only its comparison of pixels is repeated; that of features can find more"
)


class TrainingCopies:
    """Copies of training images, and their distances to the training images; each kind is made when it is first used.

    Args:
        size: of the synthetic images among which they are planted, in pixels.
        training: training images, full size.
        held_out: other real images, which take the place of copies where none is planted.
    """

    def __init__(self, size: int, training: Stack, held_out: Stack) -> None:
        self._size, self._training, self._held_out = size, training, held_out
        self._known: dict[tuple[str, int], FloatArray] = {}

    def distances(self, form: str, seed: int) -> FloatArray:
        """Return the distance in pixels of each copy in this form to the nearest training image."""
        return self._measure(self._training, form, seed)

    def held_out_distances(self, seed: int) -> FloatArray:
        """Return the distance of each other image."""
        return self._measure(self._held_out, UNCHANGED, seed)

    def _measure(self, stack: Stack, form: str, seed: int) -> FloatArray:
        key = (form if stack is self._training else HELD_OUT), seed
        if key not in self._known:
            places = pictures.choose_pool(len(stack), np.random.default_rng([seed, STREAM]))
            drawn = pictures.change_all(stack, places, form, self._size, seed)
            self._known[key] = memorization.nearest_images(_shrink(drawn), self._reference)[1]
        return self._known[key]

    @cached_property
    def _reference(self) -> Pixels:
        return _shrink([self._training.picture(place) for place in range(len(self._training))])


@dataclass(frozen=True)
class ScreeningAudit:
    """What the screening of a synthetic set for copies of training images reads."""

    what: str
    distances: FloatArray  # of each synthetic image to the nearest training image, in pixels
    threshold: Threshold
    level: float
    copies: TrainingCopies


@dataclass(frozen=True)
class ComparisonAudit:
    """What the comparison of images of a generator from elsewhere with the test images reads."""

    what: str
    size: int  # of the synthetic images, in pixels
    images: int  # synthetic ones
    tested: Stack  # full size
    compared: Stack  # the same, as small as they are compared
    untested: Stack


def plant_in_screening(audit: ScreeningAudit, seed: int) -> list[PlantedRate]:
    """Return how often the screening fails if a share of the synthetic images are copies of training images."""
    found = []
    total = len(audit.distances)
    is_exceeded = cache(partial(audit.threshold.is_exceeded, count=total, level=audit.level))
    is_near = audit.threshold.is_above(audit.distances)
    for at, form in enumerate((UNCHANGED, *pictures.FORMS)):
        by_share = dict.fromkeys(SHARES, audit.copies.distances(form, seed))
        if form == UNCHANGED and len(others := audit.copies.held_out_distances(seed)):
            by_share = {0.0: others} | by_share
        for share, distances in by_share.items():
            random = np.random.default_rng([seed, STREAM, at, round(1000 * share)])
            is_copy, outcomes = audit.threshold.is_above(distances), []
            for chosen in pictures.draw_plantings(len(distances), share or FALSE_ALARM_SHARE, total, random):
                kept = random.permutation(is_near)[len(chosen) :]
                fails = is_exceeded(int(is_copy[chosen].sum() + kept.sum()))
                outcomes.append((fails, float(is_copy[chosen].mean())))
            found.append(pictures.count_outcomes("copy", share, audit.what, form, outcomes, note=BY_PIXELS))
    return found


def plant_test_copies(audit: ComparisonAudit, seed: int) -> list[PlantedRate]:
    """Return how often copies of test images, drawn anew by a generator, were found among its images.

    A copy has no equal pixels, not even an unchanged one, because the generator draws it at its own size.
    """
    size = min(audit.size, audit.compared.shape[1])
    random = np.random.default_rng([seed, STREAM, len(pictures.FORMS)])
    copied, fresh = (pictures.choose_pool(len(each), random) for each in (audit.tested, audit.untested))

    def find(stack: Stack, places: IndexArray, form: str) -> Flags:
        drawn = pictures.change_all(stack, places, form, size, seed)
        return similarity.has_near_duplicate(pictures.hold(drawn), audit.compared)

    found = []
    for at, form in enumerate((UNCHANGED, *pictures.FORMS)):
        by_share = dict.fromkeys(SHARES, find(audit.tested, copied, form))
        if form == UNCHANGED and len(fresh):
            by_share = {0.0: find(audit.untested, fresh, UNCHANGED)} | by_share
        for share, flags in by_share.items():
            random = np.random.default_rng([seed, STREAM, len(pictures.FORMS) + at, round(1000 * share)])
            outcomes = []
            for chosen in pictures.draw_plantings(len(flags), share or FALSE_ALARM_SHARE, audit.images, random):
                near = int(flags[chosen].sum())
                (check,) = check_test_copies(TestCopiesFacts([audit.what], audit.images, identical=0, near=near))
                outcomes.append((check.passed is False, near / len(chosen)))
            found.append(pictures.count_outcomes("copy", share, audit.what, form, outcomes))
    return found


def _shrink(images: Sequence[Pixels] | Pixels) -> Pixels:
    """Return images at the size at which `copies` compares them, `[N, 64, 64]`."""
    side = memorization.IMAGE_SIZE
    return np.array([pictures.fit(each, side) for each in images], np.uint8).reshape(-1, side, side)
