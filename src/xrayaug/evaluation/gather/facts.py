"""Collect the facts that the checks of a study are made from, through the manifests behind its runs."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from xrayaug.data import acquisition, generators
from xrayaug.data.dataset import Dataset, Row
from xrayaug.data.generators import Generator
from xrayaug.data.images import similarity
from xrayaug.data.images.stack import Stack
from xrayaug.data.parsing import image_files
from xrayaug.errors import InputError
from xrayaug.evaluation import predictions
from xrayaug.evaluation.gather import origins, real_images
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.gather.synthetic_sets import SyntheticSet, gather_screening, open_synthetic_sets
from xrayaug.evaluation.seen_images import ImageKeys, PatientKey, SeenImages
from xrayaug.evaluation.study_facts import (
    ArmFacts,
    ArmResolution,
    GeneratorFacts,
    Overlap,
    StudyFacts,
    TestCopiesFacts,
)
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact

MAX_COMPARED_SIZE = 128  # pixels, of images that are compared as near duplicates
NAMED_BY_FILE = ("dicom", "folder", "table")  # sources that call a patient they know nothing of by the image's file


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
    datasets = list_datasets(runs)
    synthetic_sets = open_synthetic_sets([data for data in datasets if any(row.synthetic for row in data.rows)])
    arms = [(name, list(members)) for name, members in itertools.groupby(runs, lambda run: run.arm_name)]
    compared = real_images.compare_real_images(runs)
    synthetic_tested = 0 if test is runs[0].test else sum(row.synthetic for row in test)
    return StudyFacts(
        leaked=see_training_images(datasets).overlap(find_keys(tested.data, test)),
        patients_known=not any(is_named_by_file(row) for row in test),
        synthetic_held_out=sum(row.synthetic for run in runs for row in (*run.test, *run.valid)) + synthetic_tested,
        test_labels=sorted({row.label for row in test}),
        generators=_gather_generators(synthetic_sets, runs[0], tested),
        settings=[_to_text(run.settings) for run in runs],
        first_settings=[_to_text(run.first_phase.settings) for run in runs if run.first_phase],
        real_image_differences=compared.differences,
        screening=gather_screening(synthetic_sets, screenings),
        arms=[_gather_arm(name, of, compared.draws.get(of[0].arm.real_fraction)) for name, of in arms],
        resolutions=_compare_resolutions(list_by_images(runs)),
        test_copies=_gather_test_copies(synthetic_sets, tested),
        acquisition=acquisition.read_scores(origins.find_prepared(tested.data.artifact)),
    )


def count_shared(one: TestedImages, other: TestedImages) -> Overlap:
    """Count the images of the second set that the first has too, and the patients that both have."""
    seen = SeenImages()
    seen.add(find_keys(one.data, one.rows))
    return seen.overlap(find_keys(other.data, other.rows))


def find_keys(data: Dataset, rows: Sequence[Row]) -> ImageKeys:
    """Return what images of a dataset and their patients are known by.

    Raises:
        InputError: a link of the chain from the dataset to its raw set cannot be read.
    """
    raw = origins.find_raw_digest(data.artifact)
    return ImageKeys(
        pictures=[row.sha256 for row in rows],
        patients=[_patient_key(row, raw) for row in rows],
        is_blank=cache(lambda place: _is_blank(data, rows[place])),
        origin=origins.find_origin(data.artifact),
        fingerprint=origins.find_fingerprint(data.artifact),
    )


def see_training_images(datasets: Sequence[Dataset]) -> SeenImages:
    """Return the real images that classifiers were trained on or chosen by: all but those of the test split."""
    seen = SeenImages()
    for data in datasets:
        seen.add(find_keys(data, [row for row in data.rows if row.split != "test" and not row.synthetic]))
    return seen


@dataclass(frozen=True)
class SeenByGenerators:
    """What is known of the images that the generators of synthetic sets were trained on."""

    seen: SeenImages | None  # None if nothing is known
    datasets: int  # synthetic ones
    errors: Sequence[str]  # one for each generator whose data cannot be opened
    external: Sequence[Generator]


def see_generators_images(sets: Sequence[SyntheticSet]) -> SeenByGenerators:
    """Follow the chain of manifests of each synthetic dataset: GAN run, those it started from, their datasets.

    Of a generator from elsewhere, what the user declared takes the place of its run.
    """
    distinct = list({(each.digest or each.data.path, each.name): each for each in sets}.values())
    seen = SeenImages()
    errors: list[str] = []
    external: list[Generator] = []
    is_any_known = False
    for each in distinct:
        try:
            if isinstance(each.opened, InputError):
                raise each.opened
            for images in generators.iterate_training_images(each.opened, only_known=True):
                seen.add(find_keys(images.data, images.rows))
                is_any_known = True  # also if a later link of the chain is broken
            external += generators.list_external(each.opened)
            is_any_known |= each.generator is None or each.generator.is_declared
        except InputError as problem:
            errors.append(problem.message)
    return SeenByGenerators(seen if is_any_known else None, len(distinct), errors, external)


def _gather_generators(sets: Sequence[SyntheticSet], first: Run, tested: TestedImages) -> GeneratorFacts:
    """Return which images of the test and of the validation split the generators of synthetic sets were trained on."""
    found = see_generators_images(sets)
    splits = (("test", tested.data, tested.rows), ("validation", first.data, first.valid))
    seen = found.seen
    overlaps = {split: seen.overlap(find_keys(data, rows)) for split, data, rows in splits} if seen is not None else {}
    declared, unknown = (
        list(dict.fromkeys(each.name for each in found.external if each.is_declared == is_declared))
        for is_declared in (True, False)
    )
    return GeneratorFacts(found.datasets, found.errors, overlaps, declared, unknown)


def _patient_key(row: Row, raw: str) -> PatientKey | None:
    """Return the key of the patient of an image: with the raw set where the name means nothing outside it."""
    return (row.source, raw if is_named_by_file(row) else "", row.patient) if row.patient else None


def is_named_by_file(row: Row) -> bool:
    """Return whether the patient is unknown: another set may have a file of that name, of any patient."""
    if not (row.patient and row.file):
        return not row.patient
    return row.source in NAMED_BY_FILE and row.patient == image_files.strip_suffix(row.file)


def _is_blank(data: Dataset, row: Row) -> bool:
    """Return whether the picture is of one grey level: such pictures are equal without being copies."""
    picture = data.stack([row]).picture(0)
    return bool(picture.min() == picture.max())


def _gather_arm(name: str, runs: Sequence[Run], draws: int | None) -> ArmFacts:
    """Return the facts about the training of an arm's runs."""
    first = runs[0]
    return ArmFacts(
        name,
        predictions.average_shares([run.share_normal for run in runs]),
        first.steps,
        [run.seed for run in runs],
        drawn=[run.drawn_images for run in runs],
        is_seed_kept=all(phase.seed == run.seed for run in runs for phase in run.phases),
        draws=None if draws is None else min(draws, len(runs)),
    )


def _to_text(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in settings.items()}


def list_by_images(runs: Sequence[Run]) -> list[Run]:
    """Return the first run of each arm, and of each dataset of those whose runs have images of different generators."""
    return list({(run.arm_name, artifacts.digest(run.dose_data.path)): run for run in reversed(runs)}.values())[::-1]


def _compare_resolutions(first_runs: Sequence[Run]) -> list[ArmResolution]:
    """Return the arms whose synthetic training images have another size than their real ones.

    Args:
        first_runs: one run of each arm and synthetic dataset; those of controls are left out.
    """
    found = []
    for run in first_runs:
        synthetic = run.dose_data.select(split="train", synthetic=True)
        real = [row for row in run.data.rows if not row.is_added]
        if run.arm.control is None and synthetic and real:
            sizes = run.dose_data.size_of(synthetic[0]), run.data.size_of(real[0])
            if sizes[0] != sizes[1]:
                found.append(ArmResolution(run.arm_name, len(synthetic), *sizes, run.size))
    return list(dict.fromkeys(found))


def _gather_test_copies(sets: Sequence[SyntheticSet], tested: TestedImages) -> TestCopiesFacts | None:
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
            stacks = stack_small(each.data, rows), stack_small(tested.data, tested.rows)
            is_large_enough &= min(stack.shape[1] for stack in stacks) >= similarity.THUMBNAIL_SIDE
            near += int(similarity.has_near_duplicate(*stacks).sum()) if is_large_enough else 0
    return TestCopiesFacts(
        generators=list(dict.fromkeys(each.generator.name for each in external if each.generator)),
        images=len(images),
        identical=sum(row.sha256 in repeated for _, row in images.values()),
        near=near if is_large_enough else None,
    )


def stack_small(data: Dataset, rows: Sequence[Row]) -> Stack:
    """Return images as a stack, smaller than they are if they are large."""
    return data.stack(rows, min(data.size_of(rows[0]), MAX_COMPARED_SIZE))


def list_datasets(runs: Sequence[Run]) -> list[Dataset]:
    """Return the datasets of the runs and of those they started from, each once."""
    found: defaultdict[str, list[Dataset]] = defaultdict(list)
    for run in runs:
        for phase in run.phases:
            found[artifacts.digest(phase.data.path)].append(phase.data)
    return [same[0] for same in found.values()]
