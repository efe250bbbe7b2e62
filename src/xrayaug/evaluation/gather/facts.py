"""Collect the facts that the checks of a study are made from, through the manifests behind its runs."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from xrayaug.data import generators
from xrayaug.data.arms import MORE_REAL, PRETRAIN, SYNTHETIC_ONLY
from xrayaug.data.dataset import Dataset, Row
from xrayaug.data.generators import Generator
from xrayaug.data.images import similarity
from xrayaug.data.images.stack import Stack
from xrayaug.errors import InputError
from xrayaug.evaluation.checks import (
    ArmFacts,
    ArmResolution,
    GeneratorFacts,
    Overlap,
    RealImageDifference,
    ScreeningFacts,
    StudyFacts,
    TestCopiesFacts,
)
from xrayaug.evaluation.gather.runs import Run
from xrayaug.storage import artifacts, manifests
from xrayaug.storage.artifacts import Artifact

MAX_COMPARED_SIZE = 128  # pixels, of images that are compared as near duplicates
NAMED_BY_FILE = ("folder", "table")  # sources that call a patient they know nothing of by the image's file

PatientKey = tuple[str, str, str]  # source, raw set if the name means nothing outside it, name
RealImage = tuple[str, str, str, str]  # split, file, sha256, label


@dataclass(frozen=True)
class TestedImages:
    """The images that runs are tested on, and the dataset that has them."""

    data: Dataset
    rows: Sequence[Row]


def gather_facts(
    runs: Sequence[Run], screenings: Sequence[Artifact] = (), tested: TestedImages | None = None
) -> StudyFacts:
    """Return the facts about runs.

    Args:
        runs: sorted by arm.
        screenings: for copies, of synthetic images whose arms may have been made without a screening.
        tested: images that the runs are tested on; None: the test images of their own dataset.
    """
    tested = tested or TestedImages(runs[0].data, runs[0].test)
    test = tested.rows
    datasets = _unique_datasets(runs)
    seen = _SeenImages()
    for data in datasets:
        seen.add(data, [row for row in data.rows if row.split != "test" and not row.synthetic])
    synthetic_sets = _open_synthetic_sets([data for data in datasets if any(row.synthetic for row in data.rows)])
    arms = [(name, list(members)) for name, members in itertools.groupby(runs, lambda run: run.arm_name)]
    synthetic_tested = 0 if test is runs[0].test else sum(row.synthetic for row in test)
    return StudyFacts(
        leaked=seen.overlap(tested.data, test),
        patients_known=not any(_is_named_by_file(row) for row in test),
        synthetic_held_out=sum(row.synthetic for run in runs for row in (*run.test, *run.valid)) + synthetic_tested,
        test_labels=sorted({row.label for row in test}),
        generators=_gather_generators(synthetic_sets, runs[0], tested),
        settings=[_to_text(run.settings) for run in runs],
        first_settings=[_to_text(run.first_phase.settings) for run in runs if run.first_phase],
        real_image_differences=_compare_real_images(runs),
        screening=_gather_screening(synthetic_sets, screenings),
        arms=[_gather_arm(name, of) for name, of in arms],
        resolutions=_compare_resolutions([of[0] for _, of in arms]),
        test_copies=_gather_test_copies(synthetic_sets, tested),
    )


def count_shared(one: TestedImages, other: TestedImages) -> Overlap:
    """Count the images of the second set that the first has too, and the patients that both have."""
    seen = _SeenImages()
    seen.add(one.data, one.rows)
    return seen.overlap(other.data, other.rows)


@dataclass(frozen=True)
class _SyntheticSet:
    """A synthetic dataset that an arm draws from."""

    data: Dataset  # the arm
    name: str  # of the input
    digest: str  # of the dataset, as the arm records it; empty if it records none
    opened: Artifact | InputError  # the dataset, or why it cannot be opened

    @property
    def generator(self) -> Generator | None:
        """The generator, if it is one from elsewhere."""
        if isinstance(self.opened, InputError) or not generators.is_external(self.opened):
            return None
        return generators.read_generator(self.opened)

    @property
    def rows(self) -> list[Row]:
        """The images that the arm has of the dataset."""
        return [row for row in self.data.rows if row.synthetic and row.image.startswith(f"{self.name}/")]

    def count_kept_copies(self) -> int | None:
        """Count the images that a screening set aside and that the arm could use all the same; None without one."""
        arm = self.data.artifact
        keys = ("result",) if self.name == generators.SYNTHETIC else ("result", generators.SYNTHETIC, self.name)
        if "copies" not in arm.get(dict, *keys):
            return None
        aside, left_out = (arm.get(int, *keys, "copies", name, minimum=0) for name in ("quarantined", "left_out"))
        return aside - left_out

    def find_screening(self) -> Artifact | None:
        """Return the screening that the arm was made with; None if there is none, or it is not there any more."""
        arm = self.data.artifact
        for name in arm.manifest["inputs"]:
            if name.partition("/")[0] == "copies":
                try:
                    screening = arm.open_input(name, "copies")
                except InputError:
                    continue
                if screening.manifest["inputs"].get("synthetic", {}).get("sha256") == self.digest:
                    return screening
        return None

    def was_screened_elsewhere(self, screening: Artifact) -> bool:
        """Return whether a screening compared with another dataset than the one that the generator was trained on."""
        if isinstance(self.opened, InputError):
            return False
        try:
            trained = self.opened if generators.is_external(self.opened) else self.opened.open_input("run", "gan-run")
        except InputError:
            return False
        name = "learnt_from" if trained is self.opened else "data"
        digests = [
            each.manifest["inputs"].get(key, {}).get("sha256") for each, key in ((trained, name), (screening, "real"))
        ]
        return None not in digests and digests[0] != digests[1]


def _open_synthetic_sets(arms: Sequence[Dataset]) -> list[_SyntheticSet]:
    """Open the synthetic datasets of arms, each once; of an arm that records none, one that cannot be opened."""
    found: list[_SyntheticSet] = []
    opened: dict[tuple[Path, str], Artifact | InputError] = {}
    for data in arms:
        for name in generators.list_synthetic_inputs(data.artifact) or [generators.SYNTHETIC]:
            digest = str(data.artifact.manifest["inputs"].get(name, {}).get("sha256", ""))
            key = data.artifact.input(name).resolve() if digest else data.path, digest
            if key not in opened:
                try:
                    opened[key] = data.artifact.open_input(name, "dataset")
                except InputError as problem:
                    opened[key] = problem
            found.append(_SyntheticSet(data, name, digest, opened[key]))
    return found


class _SeenImages:
    """The images that networks have seen: pictures by their hash, patients by source and name."""

    def __init__(self) -> None:
        self.pictures: set[str] = set()
        self.patients: set[PatientKey] = set()

    def add(self, data: Dataset, rows: Sequence[Row]) -> None:
        """Add rows of a dataset."""
        self.pictures |= {row.sha256 for row in rows if row.sha256}
        self.patients |= _patient_keys(data, rows)

    def overlap(self, data: Dataset, rows: Sequence[Row]) -> Overlap:
        """Count the images and patients of these rows that were seen; pictures of one grey level do not count."""
        same = [row for row in rows if row.sha256 in self.pictures]
        return Overlap(sum(not _is_blank(data, row) for row in same), len(_patient_keys(data, rows) & self.patients))


def _gather_generators(sets: Sequence[_SyntheticSet], first: Run, tested: TestedImages) -> GeneratorFacts:
    """Follow the chain of manifests of each synthetic dataset: GAN run, those it started from, their datasets.

    Of a generator from elsewhere, what the user declared takes the place of its run.
    """
    distinct = list({(each.digest or each.data.path, each.name): each for each in sets}.values())
    seen = _SeenImages()
    errors: list[str] = []
    external: list[Generator] = []
    is_any_known = False
    for each in distinct:
        try:
            if isinstance(each.opened, InputError):
                raise each.opened
            external += generators.list_external(each.opened)
            for images in generators.open_training_images(each.opened, only_known=True):
                seen.add(images.data, images.rows)
            is_any_known |= each.generator is None or each.generator.is_declared
        except InputError as problem:
            errors.append(problem.message)
    splits = (("test", tested.data, tested.rows), ("validation", first.data, first.valid))
    overlaps = {split: seen.overlap(data, rows) for split, data, rows in splits} if is_any_known else {}
    declared, unknown = (
        list(dict.fromkeys(each.name for each in external if each.is_declared == is_declared))
        for is_declared in (True, False)
    )
    return GeneratorFacts(len(distinct), errors, overlaps, declared, unknown)


def _patient_keys(data: Dataset, rows: Sequence[Row]) -> set[PatientKey]:
    """Return the keys of the patients of these rows: with the raw set where the name means nothing outside it."""
    raw = _find_raw_digest(data.artifact)
    return {(row.source, raw if _is_named_by_file(row) else "", row.patient) for row in rows if row.patient}


def _is_named_by_file(row: Row) -> bool:
    """Return whether the patient is unknown: another set may have a file of that name, of any patient."""
    if not (row.patient and row.file):
        return not row.patient
    return row.source in NAMED_BY_FILE and row.patient == PurePosixPath(row.file).with_suffix("").as_posix()


def _find_raw_digest(artifact: Artifact) -> str:
    """Return the digest of the raw set that the real images of a dataset or arm come from."""
    if "real" not in artifact.manifest["inputs"]:
        return str(artifact.manifest["inputs"].get("input", {}).get("sha256", ""))
    real = artifact.input("real")
    return _find_raw_digest(Artifact(real, manifests.read(real / manifests.MANIFEST)))


def _is_blank(data: Dataset, row: Row) -> bool:
    """Return whether the picture is of one grey level: such pictures are equal without being copies."""
    picture = data.stack([row]).picture(0)
    return bool(picture.min() == picture.max())


def _gather_arm(name: str, runs: Sequence[Run]) -> ArmFacts:
    """Return the facts about the training of an arm's runs."""
    first = runs[0]
    return ArmFacts(
        name,
        first.share_normal,
        first.steps,
        [run.seed for run in runs],
        generators=len({run.generators for run in runs}),
        is_seed_kept=all(phase.seed == run.seed for run in runs for phase in run.phases),
    )


def _to_text(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in settings.items()}


def _compare_real_images(runs: Sequence[Run]) -> list[RealImageDifference]:
    """Compare the real images of arms with the same share of them, in every phase of training.

    In a phase that has only added images, those for validation and testing are compared; and if it repeats real images,
    they must be among those of the other arms.
    """
    phases: dict[tuple[float, str, bool], tuple[Run, Dataset]] = {}
    for run in runs:
        for place, phase in enumerate(run.phases):
            is_whole = run.arm.schedule != SYNTHETIC_ONLY and (place > 0 or run.arm.schedule != PRETRAIN)
            key = run.arm.real_fraction, artifacts.digest(phase.data.path), is_whole
            phases.setdefault(key, (run, phase.data))
    first: dict[float, tuple[str, frozenset[RealImage]]] = {}
    differences: list[RealImageDifference] = []
    for (fraction, _, is_whole), (run, data) in sorted(phases.items(), key=lambda each: not each[0][2]):
        real = frozenset(_real_image(row) for row in data.rows if not row.is_added)
        name, expected = first.setdefault(fraction, (run.arm_name, real))
        if not is_whole:
            training = frozenset(each for each in expected if each[0] == "train")
            again = frozenset((row.file, row.label) for row in data.rows if row.copy and run.arm.control != MORE_REAL)
            foreign = again - {(file, label) for _, file, _, label in training}
            differing = len(real ^ (expected - training)) + len(foreign)
        else:
            differing = len(real ^ expected)
        if differing:
            differences.append(RealImageDifference(name, run.arm_name, differing))
    return differences


def _real_image(row: Row) -> RealImage:
    return row.split, row.file, row.sha256, row.label


def _compare_resolutions(first_runs: Sequence[Run]) -> list[ArmResolution]:
    """Return the arms whose synthetic training images have another size than their real ones.

    Args:
        first_runs: one run of each arm; those of controls are left out.
    """
    found = []
    for run in first_runs:
        synthetic = run.dose_data.select(split="train", synthetic=True)
        real = [row for row in run.data.rows if not row.is_added]
        if run.arm.control is None and synthetic and real:
            sizes = run.dose_data.size_of(synthetic[0]), run.data.size_of(real[0])
            if sizes[0] != sizes[1]:
                found.append(ArmResolution(run.arm_name, len(synthetic), *sizes, run.size))
    return found


def _gather_screening(sets: Sequence[_SyntheticSet], screenings: Sequence[Artifact]) -> ScreeningFacts:
    """Return the facts about the arms' own screenings, and about `screenings` of arms that were made without one."""
    kept: defaultdict[str, int] = defaultdict(int)  # by arm
    used: defaultdict[str, int] = defaultdict(int)
    screened = elsewhere = 0
    for each in sets:
        arm = artifacts.digest(each.data.path)
        number = each.count_kept_copies()
        if number is not None:
            kept[arm] += number
            screened += 1
            screening = each.find_screening()
            elsewhere += screening is not None and each.was_screened_elsewhere(screening)
            continue
        flagged = [(one, number) for one in screenings if (number := _count_flagged(each, one)) is not None]
        used[arm] += sum(number for _, number in flagged[:1])
        screened += bool(flagged)
        elsewhere += any(each.was_screened_elsewhere(one) for one, _ in flagged[:1])
    most_kept, most_used = (max(numbers.values(), default=0) for numbers in (kept, used))
    return ScreeningFacts(len(sets), screened, most_kept, most_used, elsewhere)


def _count_flagged(each: _SyntheticSet, screening: Artifact) -> int | None:
    """Count the images that an arm has of a set and that a screening flagged; None if it screened another set."""
    screened = screening.manifest["inputs"].get("synthetic", {}).get("sha256")
    if each.digest != screened or isinstance(each.opened, InputError):
        return None
    synthetic = Dataset(each.opened).select(synthetic=True)
    numbers = {number for number in screening.get(list, "result", "quarantined") if isinstance(number, int)}
    flagged = {(f"{each.name}/{row.image}", row.row) for number, row in enumerate(synthetic) if number in numbers}
    return sum((row.image, row.row) in flagged for row in each.rows)


def _gather_test_copies(sets: Sequence[_SyntheticSet], tested: TestedImages) -> TestCopiesFacts | None:
    """Compare the arms' images of generators from elsewhere with the test images; None if there are no such images."""
    external = [each for each in sets if each.generator]
    if not external:
        return None
    images = {(each.digest, row.row): (each, row) for each in external for row in each.rows}  # the doses are nested
    hashes = {row.sha256 for _, row in images.values() if row.sha256}
    repeated = {row.sha256 for row in tested.rows if row.sha256 in hashes and not _is_blank(tested.data, row)}
    near, is_large_enough = 0, True
    for each in external:
        rows = [row for owner, row in images.values() if owner is each and row.sha256 not in repeated]
        if rows:
            stacks = _stack_small(each.data, rows), _stack_small(tested.data, tested.rows)
            is_large_enough &= min(stack.shape[1] for stack in stacks) >= similarity.THUMBNAIL_SIDE
            near += int(similarity.has_near_duplicate(*stacks).sum()) if is_large_enough else 0
    return TestCopiesFacts(
        generators=list(dict.fromkeys(each.generator.name for each in external if each.generator)),
        images=len(images),
        identical=sum(row.sha256 in repeated for _, row in images.values()),
        near=near if is_large_enough else None,
    )


def _stack_small(data: Dataset, rows: Sequence[Row]) -> Stack:
    """Return images as a stack, smaller than they are if they are large."""
    return data.stack(rows, min(data.size_of(rows[0]), MAX_COMPARED_SIZE))


def _unique_datasets(runs: Sequence[Run]) -> list[Dataset]:
    """Return the datasets of the runs and of those they started from, each once."""
    found: defaultdict[str, list[Dataset]] = defaultdict(list)
    for run in runs:
        for phase in run.phases:
            found[artifacts.digest(phase.data.path)].append(phase.data)
    return [same[0] for same in found.values()]
