"""What a comparison may not be: leaking, unequal, or of a generator that knows the test images.

Each check says whether it holds, or that it cannot be told. Those that are grave leave nothing to be judged: a
generator that learnt from the test images hands them to the arms it feeds, and to no other.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from xrayaug.data.dataset import Dataset, Row
from xrayaug.errors import InputError
from xrayaug.evaluation.runs import Run
from xrayaug.evaluation.verdict import MOVED
from xrayaug.storage import artifacts, manifests
from xrayaug.storage.artifacts import Artifact

ENOUGH_SEEDS = 3
MORE_STEPS = 1.05  # times as many: another budget
OF_LENGTH = ("epochs", "budget")  # settings that say how long a run is trained
NAMED_BY_FILE = ("folder", "table")  # sources that call a patient they know nothing of by the image's file

Person = tuple[str, str, str]  # source, raw set where the name means nothing beyond it, name


@dataclass(frozen=True)
class Check:
    """Whether something holds that a fair comparison needs; None where that cannot be told."""

    name: str
    holds: bool | None
    sentence: str
    grave: bool = False


def checks(runs: Sequence[Run]) -> list[Check]:
    """Every check of runs that are sorted by arm."""
    return [
        _patients(runs),
        _synthetic_in_test(runs),
        _test_classes(runs),
        *_generators(runs),
        _recipe(runs),
        _real_images(runs),
        _copies(runs),
        _prior(runs),
        _budget(runs),
        _seeds(runs),
        _pairing(runs),
    ]


def gravest(found: Sequence[Check]) -> Check | None:
    """The first grave check that does not hold."""
    return next((check for check in found if check.grave and check.holds is False), None)


def _patients(runs: Sequence[Run]) -> Check:
    """No patient, and no picture, of the test set is trained on or chosen by."""
    test = runs[0].test
    seen = _Seen()
    for data in _datasets(runs):
        seen.take(data, [row for row in data.rows if row.split != "test" and not row.synthetic])
    images, patients = seen.among(runs[0].data, test)
    known = not any(_is_named_by_file(row) for row in test)
    if images or patients:
        said = f"{patients} test patients and {images} test images are in training or validation too"
        return Check("patients", False, said, grave=True)
    if not known:
        said = "the dataset does not say which images are of one patient: each counts as one of its own"
        return Check("patients", None, said)
    return Check("patients", True, "no test patient or test image is in training or validation")


def _synthetic_in_test(runs: Sequence[Run]) -> Check:
    number = sum(row.synthetic for run in runs for row in (*run.test, *run.valid))
    said = f"{number} synthetic images are in validation or test" if number else "validation and test are real"
    return Check("synthetic in test", not number, said, grave=True)


def _test_classes(runs: Sequence[Run]) -> Check:
    """Of one class alone a network is right of more images the more readily it calls any so."""
    labels = sorted({row.label for row in runs[0].test})
    if len(labels) == 1:
        return Check(
            "test classes",
            False,
            f"all test images are {labels[0]}: whether the classes are told apart is not tested",
            grave=True,
        )
    return Check("test classes", True, "test images are of both classes", grave=True)


def _generators(runs: Sequence[Run]) -> Iterator[Check]:
    """What every arm's generator learnt from, by the chain of manifests: arm, samples, GAN run, dataset."""
    fed = [data for data in _datasets(runs) if any(row.synthetic for row in data.rows)]
    seen = _Seen()
    unknown: list[str] = []
    for data in fed:
        try:
            seen.take(*learnt_from(data.artifact))
        except InputError as problem:
            unknown.append(problem.message)
    if unknown:
        yield Check("generator", None, f"what the generator learnt from cannot be told: {unknown[0]}")
    if len(unknown) == len(fed):
        return
    for split, rows, grave in (("test", runs[0].test, True), ("validation", runs[0].valid, False)):
        images, patients = seen.among(runs[0].data, rows)
        said = f"the generator learnt from {images} {split} images and {patients} {split} patients"
        known = "the generator" if not unknown else "as far as it can be told, the generator"
        clean = f"{known} learnt from no {split} image or {split} patient"
        yield Check(f"generator, {split}", not (images or patients), said if images or patients else clean, grave=grave)


def learnt_from(arm: Artifact) -> tuple[Dataset, list[Row]]:
    """The dataset that the arm's generator learnt from, and the training rows that it saw.

    Raises:
        InputError: a link of the chain is not there, or has changed.
    """
    gan = arm.open_input("synthetic", "dataset").open_input("run", "gan-run")
    learnt = Dataset(gan.open_input("data", "dataset"))
    return learnt, learnt.select(split="train", label=gan.options.get("only_label"))


class _Seen:
    """What a network has seen: pictures by their pixels, patients by source and name."""

    def __init__(self) -> None:
        self.pictures: set[str] = set()
        self.people: set[Person] = set()

    def take(self, data: Dataset, rows: Sequence[Row]) -> None:
        """It has seen these rows of that dataset."""
        self.pictures |= {row.sha256 for row in rows if row.sha256}
        self.people |= _people(data, rows)

    def among(self, data: Dataset, rows: Sequence[Row]) -> tuple[int, int]:
        """How many images of these rows it has seen, pictures of one grey apart, and how many of their patients."""
        same = [row for row in rows if row.sha256 in self.pictures]
        return sum(not _is_blank(data, row) for row in same), len(_people(data, rows) & self.people)


def _people(data: Dataset, rows: Sequence[Row]) -> set[Person]:
    """The patients of these rows, as far as they are known from those of other raw sets."""
    raw = _raw_set(data.artifact)
    return {(row.source, raw if _is_named_by_file(row) else "", row.patient) for row in rows if row.patient}


def _is_named_by_file(row: Row) -> bool:
    """Whether nobody knows whose image it is: another set may have a file of that name, of anyone."""
    if not (row.patient and row.file):
        return not row.patient
    return row.source in NAMED_BY_FILE and row.patient == PurePosixPath(row.file).with_suffix("").as_posix()


def _raw_set(artifact: Artifact) -> str:
    """The digest of the raw set that the real images of a dataset, or of an arm, come from."""
    if "real" not in artifact.manifest["inputs"]:
        return str(artifact.manifest["inputs"].get("input", {}).get("sha256", ""))
    real = artifact.input("real")
    return _raw_set(Artifact(real, manifests.read(real / manifests.MANIFEST)))


def _is_blank(data: Dataset, row: Row) -> bool:
    """Whether it is of one grey level: such pictures are equal, but no copies of each other."""
    picture = data.stack([row]).picture(0)
    return bool(picture.min() == picture.max())


def _recipe(runs: Sequence[Run]) -> Check:
    """All were trained alike, but for how long: see `budget`. What an older run does not say is left open."""
    said_by = [run.settings for run in runs]
    names = dict.fromkeys(name for settings in said_by for name in settings if name not in OF_LENGTH)
    given = {name: list(dict.fromkeys(str(each[name]) for each in said_by if name in each)) for name in names}
    told = "; ".join(f"{name} is {' and '.join(values)}" for name, values in given.items() if len(values) > 1)
    said = f"runs were trained differently: {told}" if told else "every run was trained by the same settings"
    return Check("recipe", not told, said, grave=True)


def _real_images(runs: Sequence[Run]) -> Check:
    """Arms of one share of the real images have the same ones to train on and to be chosen by."""
    arms: dict[tuple[float, str], Run] = {}
    for run in runs:
        arms.setdefault((run.arm["real_fraction"], artifacts.digest(run.data.path)), run)
    first: dict[float, tuple[str, frozenset[tuple[str, ...]]]] = {}
    others: list[str] = []
    for (fraction, _), run in arms.items():
        held = run.data.rows
        real = frozenset((row.split, row.file, row.sha256, row.label) for row in held if not row.added)
        name, expected = first.setdefault(fraction, (run.arm_name, real))
        if real != expected:
            others.append(f"{name} and {run.arm_name} ({len(real ^ expected):,} images are in one alone)")
    said = "training and validation have other real images in arms " + "; ".join(others)
    same = "arms have the same real images, for training and for validation"
    return Check("real images", not others, said if others else same, grave=True)


def _copies(runs: Sequence[Run]) -> Check:
    fed = [data for data in _datasets(runs) if any(row.synthetic for row in data.rows)]
    if not fed:
        return Check("copies", True, "no synthetic images, no copies")
    screened = [data.artifact for data in fed if "copies" in data.artifact.result]
    if kept := max((_kept_copies(arm) for arm in screened), default=0):
        said = f"{kept} synthetic images that screening set aside as copies were kept (augment --keep-copies)"
        return Check("copies", False, said)
    are_all = len(screened) == len(fed)
    said = "synthetic images were screened for copies of training images" if are_all else "not screened for copies"
    return Check("copies", True if are_all else None, said)


def _kept_copies(arm: Artifact) -> int:
    """How many images that were set aside as copies the arm could draw all the same."""
    aside, out = (arm.said(int, "result", "copies", name, minimum=0) for name in ("quarantined", "left_out"))
    return aside - out


def _prior(runs: Sequence[Run]) -> Check:
    shares = {name: arm[0].share_normal for name, arm in _by_arm(runs)}
    moved = max(shares.values()) - min(shares.values()) >= MOVED
    told = ", ".join(f"{name}: {share:.1%}" for name, share in shares.items())
    return Check("label shift", not moved, f"normal training images, by arm: {told}")


def _budget(runs: Sequence[Run]) -> Check:
    steps = {name: arm[0].steps for name, arm in _by_arm(runs)}
    unequal = max(steps.values()) > MORE_STEPS * min(steps.values())
    told = ", ".join(f"{name}: {number:,}" for name, number in steps.items())
    return Check("budget", not unequal, f"optimiser steps, by arm: {told}")


def _seeds(runs: Sequence[Run]) -> Check:
    fewest = min(len(arm) for _, arm in _by_arm(runs))
    return Check("seeds", fewest >= ENOUGH_SEEDS, f"at least {fewest} in every arm; {ENOUGH_SEEDS} or more are needed")


def _pairing(runs: Sequence[Run]) -> Check:
    seeds = {tuple(run.seed for run in arm) for _, arm in _by_arm(runs)}
    said = "every arm has the same seeds" if len(seeds) == 1 else "arms have different seeds: only common ones compare"
    return Check("pairing", len(seeds) == 1, said)


def _by_arm(runs: Sequence[Run]) -> list[tuple[str, list[Run]]]:
    return [(name, list(members)) for name, members in itertools.groupby(runs, lambda run: run.arm_name)]


def _datasets(runs: Sequence[Run]) -> list[Dataset]:
    """Each once."""
    found: defaultdict[str, list[Dataset]] = defaultdict(list)
    for run in runs:
        found[artifacts.digest(run.data.path)].append(run.data)
    return [same[0] for same in found.values()]
