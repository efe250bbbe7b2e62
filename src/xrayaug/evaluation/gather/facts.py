"""Collect the facts that the checks of a study are made from, through the manifests behind its runs."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from xrayaug.data.dataset import Dataset, Row
from xrayaug.errors import InputError
from xrayaug.evaluation.checks import (
    ArmFacts,
    ArmResolution,
    GeneratorFacts,
    Overlap,
    RealImageDifference,
    ScreeningFacts,
    StudyFacts,
)
from xrayaug.evaluation.gather.runs import Run
from xrayaug.storage import artifacts, manifests
from xrayaug.storage.artifacts import Artifact

NAMED_BY_FILE = ("folder", "table")  # sources that call a patient they know nothing of by the image's file

PatientKey = tuple[str, str, str]  # source, raw set if the name means nothing outside it, name


def gather_facts(runs: Sequence[Run], screenings: Sequence[Artifact] = ()) -> StudyFacts:
    """Return the facts about runs.

    Args:
        runs: sorted by arm.
        screenings: for copies, of synthetic images whose arms may have been made without a screening.
    """
    test = runs[0].test
    datasets = _unique_datasets(runs)
    seen = _SeenImages()
    for data in datasets:
        seen.add(data, [row for row in data.rows if row.split != "test" and not row.synthetic])
    with_synthetic = [data for data in datasets if any(row.synthetic for row in data.rows)]
    arms = [(name, list(members)) for name, members in itertools.groupby(runs, lambda run: run.arm_name)]
    return StudyFacts(
        leaked=seen.overlap(runs[0].data, test),
        patients_known=not any(_is_named_by_file(row) for row in test),
        synthetic_held_out=sum(row.synthetic for run in runs for row in (*run.test, *run.valid)),
        test_labels=sorted({row.label for row in test}),
        generators=_gather_generators(with_synthetic, runs[0]),
        settings=[{name: str(value) for name, value in run.settings.items()} for run in runs],
        real_image_differences=_compare_real_images(runs),
        screening=_gather_screening(with_synthetic, screenings),
        arms=[ArmFacts(name, of[0].share_normal, of[0].steps, [run.seed for run in of]) for name, of in arms],
        resolutions=_compare_resolutions([of[0] for _, of in arms]),
    )


def open_generator_data(arm: Artifact) -> list[tuple[Dataset, list[Row]]]:
    """Open the datasets that the arm's generator learnt from, and select the training rows that it saw.

    The first is that of its own training. If it started from the weights of another run, that run's follow.

    Raises:
        InputError: a link of the chain is not there, or has changed.
    """
    gan = arm.open_input("synthetic", "dataset").open_input("run", "gan-run")
    runs = [gan]
    while "init" in runs[-1].manifest["inputs"]:
        runs.append(runs[-1].open_input("init", "gan-run"))
    datasets = [Dataset(run.open_input("data", "dataset")) for run in runs]
    return [
        (data, data.select(split="train", label=run.options.get("only_label")))
        for run, data in zip(runs, datasets, strict=True)
    ]


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


def _gather_generators(datasets: Sequence[Dataset], first: Run) -> GeneratorFacts:
    """Follow each arm's chain of manifests: arm, samples, GAN run and those it started from, their datasets."""
    seen = _SeenImages()
    errors: list[str] = []
    for data in datasets:
        try:
            for learnt_from, rows in open_generator_data(data.artifact):
                seen.add(learnt_from, rows)
        except InputError as problem:
            errors.append(problem.message)
    if len(errors) == len(datasets):
        return GeneratorFacts(len(datasets), errors, {})
    splits = (("test", first.test), ("validation", first.valid))
    return GeneratorFacts(len(datasets), errors, {split: seen.overlap(first.data, rows) for split, rows in splits})


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


def _compare_real_images(runs: Sequence[Run]) -> list[RealImageDifference]:
    """Compare the real images of arms with the same share of them."""
    arms: dict[tuple[float, str], Run] = {}
    for run in runs:
        arms.setdefault((run.arm.real_fraction, artifacts.digest(run.data.path)), run)
    first: dict[float, tuple[str, frozenset[tuple[str, ...]]]] = {}
    differences: list[RealImageDifference] = []
    for (fraction, _), run in arms.items():
        rows = run.data.rows
        real = frozenset((row.split, row.file, row.sha256, row.label) for row in rows if not row.is_added)
        name, expected = first.setdefault(fraction, (run.arm_name, real))
        if real != expected:
            differences.append(RealImageDifference(name, run.arm_name, len(real ^ expected)))
    return differences


def _compare_resolutions(first_runs: Sequence[Run]) -> list[ArmResolution]:
    """Return the arms whose synthetic training images have another size than their real ones.

    Args:
        first_runs: one run of each arm; those of controls are left out.
    """
    found = []
    for run in first_runs:
        training = run.data.select(split="train")
        synthetic = [row for row in training if row.synthetic]
        real = [row for row in training if not row.is_added]
        if run.arm.control is None and synthetic and real:
            sizes = run.data.size_of(synthetic[0]), run.data.size_of(real[0])
            if sizes[0] != sizes[1]:
                found.append(ArmResolution(run.arm_name, len(synthetic), *sizes, run.size))
    return found


def _gather_screening(datasets: Sequence[Dataset], screenings: Sequence[Artifact]) -> ScreeningFacts:
    """Return the facts about the arms' own screenings, and about `screenings` of arms that were made without one."""
    kept: list[int] = []
    used: list[int] = []
    for data in datasets:
        if "copies" in data.artifact.result:
            kept.append(_count_kept_copies(data.artifact))
        else:
            flagged = [number for each in screenings if (number := _count_flagged(data, each)) is not None]
            used += flagged[:1]
    return ScreeningFacts(len(datasets), len(kept) + len(used), max(kept, default=0), max(used, default=0))


def _count_flagged(data: Dataset, screening: Artifact) -> int | None:
    """Count the synthetic images of an arm that a screening flagged; None if it screened another set of images."""
    drawn_from, screened = (each.manifest["inputs"].get("synthetic", {}) for each in (data.artifact, screening))
    if not drawn_from or drawn_from["sha256"] != screened.get("sha256"):
        return None
    try:
        synthetic = Dataset(data.artifact.open_input("synthetic", "dataset")).select(synthetic=True)
    except InputError:
        return None
    numbers = {number for number in screening.get(list, "result", "quarantined") if isinstance(number, int)}
    flagged = {(f"synthetic/{row.image}", row.row) for number, row in enumerate(synthetic) if number in numbers}
    return sum((row.image, row.row) in flagged for row in data.rows if row.synthetic)


def _count_kept_copies(arm: Artifact) -> int:
    """Count the images that were set aside as copies and that the arm could use all the same."""
    aside, left_out = (arm.get(int, "result", "copies", name, minimum=0) for name in ("quarantined", "left_out"))
    return aside - left_out


def _unique_datasets(runs: Sequence[Run]) -> list[Dataset]:
    """Return the datasets of the runs, each once."""
    found: defaultdict[str, list[Dataset]] = defaultdict(list)
    for run in runs:
        found[artifacts.digest(run.data.path)].append(run.data)
    return [same[0] for same in found.values()]
