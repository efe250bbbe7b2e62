"""Changed pictures to plant, as leaks or as copies, and how they are drawn for each planting."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.disturbances import DISTURBANCES, EDITS, disturb
from xrayaug.data.images.stack import Stack, resize_bicubic
from xrayaug.evaluation.planted.results import Kind, PlantedRate, count_found
from xrayaug.stats.array_types import IndexArray

PLANTINGS = 200  # of each form and amount
MAX_CHANGED = 300  # images that are changed in each form; plantings choose among them
UNCHANGED = "unchanged"
FORMS = (*EDITS, *(name for name in DISTURBANCES if name != UNCHANGED))  # in which a changed picture is planted


def change(picture: Pixels, form: str, seed: tuple[int, ...]) -> Pixels:
    """Return a copy of a picture uint8 `[H, W]` in one of `FORMS`, or unchanged."""
    return EDITS[form](picture) if form in EDITS else disturb(picture, DISTURBANCES[form], seed)


def change_all(pictures: Stack, places: IndexArray, form: str, size: int, seed: int) -> Pixels:
    """Return changed copies of the pictures at these places, uint8 `[N, size, size]`."""
    changed = np.empty((len(places), size, size), np.uint8)
    for number, place in enumerate(places.tolist()):
        changed[number] = fit(change(pictures.picture(place), form, (seed, place)), size)
    return changed


def fit(picture: Pixels, size: int) -> Pixels:
    """Return a picture uint8 `[H, W]` at this height and width."""
    return picture if picture.shape == (size, size) else resize_bicubic(picture, (size, size))


def hold(pictures: Pixels) -> Stack:
    """Return pictures uint8 `[N, H, W]` in memory as a stack."""
    count, height, width = pictures.shape
    return Stack([pictures], np.zeros(count, np.int32), np.arange(count, dtype=np.int64), (height, width))


def choose_pool(count: int, random: np.random.Generator) -> IndexArray:
    """Return the places of at most `MAX_CHANGED` of `count` images, sorted."""
    return np.sort(random.permutation(count)[:MAX_CHANGED]).astype(np.int64)


def choose_patients(patients: Sequence[IndexArray], random: np.random.Generator) -> list[IndexArray]:
    """Return the places of the images of some patients, all of each: `MAX_CHANGED` images, or those of one patient."""
    order = [patients[number] for number in random.permutation(len(patients))]
    counts = np.cumsum([len(each) for each in order])
    return order[: max(1, int(np.searchsorted(counts, MAX_CHANGED, side="right")))]


def draw_plantings(available: int, share: float, of: int, random: np.random.Generator) -> Iterator[IndexArray]:
    """Yield which of the available things are planted, for each of `PLANTINGS`.

    Their number is this share of `of`, 1 at least. Of more than are available, all are taken as often as needed.
    """
    number = count_planted(share, of)
    for _ in range(PLANTINGS):
        yield random.choice(available, number, replace=number > available)


def count_planted(share: float, of: int) -> int:
    """Return how many things are planted: this share of `of`, rounded up, 1 at least."""
    return max(1, math.ceil(share * of - 1e-9))


def count_outcomes(
    kind: Kind, amount: float, what: str, form: str, outcomes: Iterable[tuple[bool, float]], *, note: str | None = None
) -> PlantedRate:
    """Return the rate of plantings, each with whether it was found and the share of the planted that was counted."""
    found, counted = zip(*outcomes, strict=True)
    share = float(np.mean(counted))
    return count_found(kind, amount, what, sum(found), len(found), form=form, counted=share, note=note)


def group_places(names: Sequence[object]) -> list[IndexArray]:
    """Return the places of the images of each patient; an image whose patient is unknown (None) is one of its own."""
    groups: dict[object, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(("", place) if name is None else name, []).append(place)
    return [np.array(each, np.int64) for each in groups.values()]
