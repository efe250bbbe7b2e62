"""The synthetic datasets that an arm draws from: opened with their screenings, and drawn from by their shares."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from xrayaug.data import arms, generators
from xrayaug.data.arms import BALANCE
from xrayaug.data.dataset import LABELS, Dataset, Row, open_dataset, reference_row
from xrayaug.data.generators import SYNTHETIC
from xrayaug.data.parsing import image_files
from xrayaug.errors import ArtifactError, DataError, UsageError
from xrayaug.options import Augment
from xrayaug.runtime import console
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.files import NEAREST_PAIRS_FILE


@dataclass(frozen=True)
class SyntheticSet:
    """A synthetic dataset that an arm draws from."""

    input_name: str  # in the manifest of the arm
    data: Dataset
    share: float  # of the dose, in any unit
    screening: Path | None  # for copies
    quarantined: set[int] | None  # places among its synthetic images of those that `copies` flags; None if unscreened


@dataclass(frozen=True)
class DrawnImages:
    """Synthetic images that are added, or counted by a control, and their number from each set."""

    rows: list[Row]
    size: int  # of all, in pixels
    counts: Sequence[int] = ()


def open_sets(options: Augment) -> list[SyntheticSet]:
    """Open the synthetic sets and their screenings.

    Raises:
        UsageError: options contradict each other.
        DataError: a screening is of another set, or the sets differ in size.
    """
    paths, screenings = options.synthetic or (), options.copies or ()
    if options.keep_copies and not screenings:
        raise UsageError("--keep-copies needs --copies", "it keeps what that directory sets aside")
    if screenings and not paths:
        raise UsageError("--copies needs --synthetic", "the set that was screened")
    shares = _read_shares(options)
    for path in paths:
        refuse_foreign_images(path)
    digests = [artifacts.digest(path) for path in paths]
    repeated = next((place for place, digest in enumerate(digests) if digest in digests[:place]), None)
    if repeated is not None:
        first = paths[digests.index(digests[repeated])]
        raise UsageError(f"--synthetic names one dataset twice: {first} and {paths[repeated]}", "name each once")
    screened = _match_screenings(options, digests)
    names = options.inputs()
    inputs = [SYNTHETIC] if len(paths) == 1 else [f"{SYNTHETIC}/{place}" for place in range(len(paths))]
    sets = [
        SyntheticSet(name, open_dataset(names[name], options.local_cache), share, *screening)
        for name, share, screening in zip(inputs, shares, screened, strict=True)
    ]
    sizes = {each.data.size: each.data.path for each in sets}
    if len(sizes) > 1:
        (size, path), (other_size, other) = list(sizes.items())[:2]
        raise DataError(
            f"{path} has images of {size} px, {other} of {other_size} px",
            "the synthetic datasets of an arm must have one size: prepare --synthetic --size",
        )
    _warn_of_sets(sets)
    return sets


def _read_shares(options: Augment) -> Sequence[float]:
    """Return the share of each synthetic set.

    Raises:
        UsageError: there is not one positive share for each set.
    """
    number = len(options.synthetic or ())
    if options.shares is None:
        return [1.0] * number
    if len(options.shares) != number:
        raise UsageError(
            f"--shares names {len(options.shares)} for {number} synthetic datasets", "give one number for each"
        )
    if not all(0 < share < math.inf for share in options.shares):
        raise UsageError("--shares has a number that is no share", "every share must be more than 0")
    return options.shares


def _match_screenings(options: Augment, digests: Sequence[str]) -> list[tuple[Path | None, set[int] | None]]:
    """Return the screening of each synthetic set and the images that it flags, by the digests; None for a set without.

    Raises:
        UsageError: two screenings are of one set.
        DataError: a screening is of none of the sets.
    """
    paths = options.synthetic or ()
    found: list[tuple[Path | None, set[int] | None]] = [(None, None)] * len(digests)
    for screening_path in options.copies or ():
        screening = artifacts.open_artifact(screening_path, "copies")
        screened = screening.manifest["inputs"].get("synthetic", {}).get("sha256")
        if screened not in digests:
            raise DataError(
                f"{screening_path} is of another synthetic set than {list_paths(paths)}",
                f"xrayaug copies {paths[0]} --real ...",
            )
        place = digests.index(screened)
        if found[place][0] is not None:
            raise UsageError(
                f"{found[place][0]} and {screening_path} of --copies are both of {paths[place]}", "give one of them"
            )
        found[place] = screening_path, _read_quarantined(screening, paths[place])
    return found


def _warn_of_sets(sets: Sequence[SyntheticSet]) -> None:
    """Warn of sets without a screening where others have one, and of those whose training data are unknown."""
    for each in sets:
        if each.quarantined is None and any(other.quarantined is not None for other in sets):
            console.warning(f"no screening of {each.data.path} for copies is given: none of its images is left out")
        if generators.is_external(each.data.artifact):
            generator = generators.read_generator(each.data.artifact)
            if generator.learnt_from == generators.UNKNOWN:
                console.warning(
                    f"what {generator.name}, the generator of {each.data.path}, was trained on is unknown: it may have "
                    "seen test images"
                )


def _read_quarantined(screening: Artifact, synthetic: Path) -> set[int]:
    """Return the places of the synthetic images that `copies` quarantined, and warn of a set that failed.

    Raises:
        ArtifactError: a place is no number.
    """
    if screening.get(str, "result", "verdict", among=("pass", "fail")) == "fail":
        pairs = screening.path / NEAREST_PAIRS_FILE
        console.warning(f"{synthetic} failed the screening for copies: see {pairs}")
    images = screening.get(list, "result", "quarantined")
    if not all(isinstance(image, int) for image in images):
        raise ArtifactError(
            f"{screening.path}: result.quarantined of its manifest holds a value that is not an image number",
            f"delete {screening.path} and run xrayaug copies again",
        )
    return set(images)


def count_screened(options: Augment, sets: Sequence[SyntheticSet]) -> dict[str, int]:
    """Return how many images the screenings flag, and how many are therefore left out."""
    flagged = sum(len(each.quarantined or ()) for each in sets)
    return {"quarantined": flagged, "left_out": 0 if options.keep_copies else flagged}


def describe_sets(options: Augment, sets: Sequence[SyntheticSet], counts: Sequence[int]) -> dict[str, Any]:
    """Return the generator, share, number of images and screening of each set, by the name of the input."""
    return {
        each.input_name: {
            "generator": generators.read_generator(each.data.artifact).name,
            "share": each.share,
            "added": count,
            **({} if each.quarantined is None else {"copies": count_screened(options, [each])}),
        }
        for each, count in zip(sets, counts or [0] * len(sets), strict=True)
    }


def list_paths(paths: Sequence[Path] | None) -> str:
    """Return the paths of synthetic datasets for a message."""
    return ", ".join(map(str, paths or ()))


def refuse_foreign_images(path: Path) -> None:
    """Refuse a folder of images as synthetic images, because nothing is known of its labels and its generator.

    Raises:
        DataError: it is one.
    """
    if (
        not artifacts.is_artifact(path)
        and path.is_dir()
        and any(image_files.has_image_suffix(f.name) for f in path.rglob("*"))
    ):
        raise DataError(
            f"{path} is a folder of images, not a synthetic dataset",
            f"xrayaug prepare --synthetic --input {path} makes one of the images of another generator",
        )


def draw_images(options: Augment, sets: Sequence[SyntheticSet], wanted: int, label: str | None) -> DrawnImages:
    """Draw `wanted` synthetic images from sets by their shares, each in its own order, so that arms nest in dose."""
    order = allot([each.share for each in sets], wanted)
    counts = [order.count(place) for place in range(len(sets))]
    drawn = [iter(_draw(options, each, count, label)) for each, count in zip(sets, counts, strict=True)]
    return DrawnImages([next(drawn[place]) for place in order], sets[0].data.size, counts)


def _draw(options: Augment, synthetic: SyntheticSet, wanted: int, label: str | None) -> list[Row]:
    """Draw the first `wanted` images of a set in a seeded order, without replacement, so that arms nest.

    Images that are left out do not change the order of the others.
    """
    data, left_out = synthetic.data, set() if options.keep_copies else synthetic.quarantined or set()
    rows = data.select(synthetic=True)
    quarantined_places = {(row.image, row.row) for image, row in enumerate(rows) if image in left_out}
    must_match = options.label == BALANCE or generators.is_external(data.artifact)
    candidates = select_candidates(rows, label, must_match=must_match)
    order = [
        place
        for place in arms.draw_order(len(candidates), options.seed)
        if (candidates[place].image, candidates[place].row) not in quarantined_places
    ]
    if wanted > len(order):
        offered = f"{len(order)}" if label is None else f"{len(order)} to take for {label}"
        without = f", without those that {synthetic.screening} sets aside" if quarantined_places else ""
        needed = wanted + len(candidates) - len(order)
        raise DataError(
            f"--percent {options.percent:g} asks for {wanted} synthetic images, {data.path} holds {offered}{without}",
            f"{'prepare' if generators.is_external(data.artifact) else 'sample'} at least {needed}",
        )
    return [_reference_synthetic(candidates[place], label, synthetic) for place in order[:wanted]]


def select_candidates(rows: list[Row], label: str | None, *, must_match: bool) -> list[Row]:
    """Return the synthetic images to draw from: those of the wanted label, if it is selected, or all of them.

    In the second case they then get the label.
    """
    if label is None or not is_selected_by_label({row.label for row in rows}, must_match=must_match):
        return rows
    return [row for row in rows if row.label == label]


def is_selected_by_label(labels: Iterable[str], *, must_match: bool) -> bool:
    """Return whether images are drawn by the label they have: if both labels are there, or `must_match` is set."""
    return must_match or set(labels) == set(LABELS)


def _reference_synthetic(row: Row, label: str | None, synthetic: SyntheticSet) -> Row:
    if not (label or row.label):
        raise DataError(
            f"the images of {synthetic.data.path} bear no label: their generator learnt both",
            "say what they are with --label, or train-gan --only-label normal",
        )
    return reference_row(row, synthetic.input_name, label=label or row.label)


def allot(shares: Sequence[float], count: int) -> list[int]:
    """Return which of several sets each of `count` images is taken from, by the shares of the sets.

    A smaller number of images gives a prefix, so that doses nest, and no set ever has an image more or less than its
    share. This is the quota method (Balinski and Young 1975, The American Mathematical Monthly 82:701): each image is
    taken from the set with the largest share / (n + 1), where n is the number of its images so far, among those that
    have less than their share; of equal ones from the first.

    Args:
        shares: of the sets, positive, in any unit.
        count: number of images.
    """
    if len(shares) == 1:
        return [0] * count
    exact = [Fraction(str(share)) for share in shares]
    unit = math.lcm(*(share.denominator for share in exact))
    weights = [int(share * unit) for share in exact]  # integers, since fractions take ten times as long
    total, taken = sum(weights), [0] * len(shares)
    order = []
    for number in range(1, count + 1):
        below = [place for place, weight in enumerate(weights) if taken[place] * total < number * weight]
        place = max(below, key=lambda each: weights[each] / (taken[each] + 1))
        taken[place] += 1
        order.append(place)
    return order
