"""Open what planted leaks and copies need: the images behind a study, which are read and never changed."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from xrayaug.data import generators
from xrayaug.data.dataset import Dataset
from xrayaug.data.images import similarity
from xrayaug.errors import ArtifactError, InputError
from xrayaug.evaluation import checks
from xrayaug.evaluation.gather import facts, origins
from xrayaug.evaluation.gather.facts import TestedImages
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.gather.synthetic_sets import SyntheticSet, find_screened, open_synthetic_sets
from xrayaug.evaluation.gather.test_sets import GatheredSet
from xrayaug.evaluation.planted.copies import ComparisonAudit, ScreeningAudit, TrainingCopies
from xrayaug.evaluation.planted.images import Audit
from xrayaug.evaluation.planted.leaks import LeakAudit, PictureAudit
from xrayaug.evaluation.planted.results import Unknown
from xrayaug.evaluation.results import Check
from xrayaug.evaluation.seen_images import ImageKeys
from xrayaug.evaluation.study_facts import Overlap, StudyFacts
from xrayaug.metrics.memorization import Threshold
from xrayaug.stats.array_types import FloatArray
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.files import COPIES_FILE

MadeCopies = dict[tuple[str, int], TrainingCopies]  # by the digest of the real dataset and the size

DISTANCE = "distance_in_pixels"  # column of a screening's file


@dataclass(frozen=True)
class ImageAudits:
    """What leaks and copies are planted in, and what they cannot be planted in."""

    audits: Sequence[Audit]
    unknown: Sequence[Unknown]


def gather_image_audits(
    runs: Sequence[Run], sets: Sequence[GatheredSet], screenings: Sequence[Artifact] = ()
) -> ImageAudits:
    """Open what the audits of leaks and of copies read.

    Args:
        runs: sorted by arm.
        sets: the test sets with their facts, the primary one first.
        screenings: for copies, of synthetic images whose arms may have been made without one.
    """
    datasets = facts.list_datasets(runs)
    all_synthetic = open_synthetic_sets([data for data in datasets if any(row.synthetic for row in data.rows)])
    untested = _select_untested(runs[0].data)
    found: list[Audit | Unknown] = []
    made: MadeCopies = {}
    for each in sets:
        where = "" if len(sets) == 1 else f", test set {each.opened.name}"
        found += _gather_leaks(each, where, datasets, all_synthetic, untested)
        found.append(_gather_pictures(each.opened.tested, f"changed training images{where}", untested))
    for members in _group_by_dataset(all_synthetic):
        found.append(_gather_test_copies(members, sets[0], untested))
        found.append(_gather_screening(members, screenings, made))
    audits = [each for each in found if not isinstance(each, Unknown)]
    return ImageAudits(audits, [each for each in found if isinstance(each, Unknown)])


def _select_untested(data: Dataset) -> TestedImages:
    """Return the real images of training and validation, each once."""
    return TestedImages(data, [row for row in data.rows if row.split != "test" and not row.is_added])


def _group_by_dataset(sets: Sequence[SyntheticSet]) -> list[list[SyntheticSet]]:
    """Return the synthetic sets of the arms by their dataset."""
    groups: dict[str, list[SyntheticSet]] = {}
    for each in sets:
        groups.setdefault(each.digest or each.data.path.as_posix(), []).append(each)
    return list(groups.values())


def _gather_leaks(
    of: GatheredSet, where: str, datasets: Sequence[Dataset], sets: Sequence[SyntheticSet], untested: TestedImages
) -> list[Audit | Unknown]:
    """Return the audits of the images that classifiers and generators were trained on."""
    tested, known = of.opened.tested, of.facts
    keys, others = (facts.find_keys(each.data, each.rows) for each in (tested, untested))
    seen = facts.see_training_images(datasets)
    judge = partial(checks.check_patients, patients_known=known.patients_known)
    found: list[Audit | Unknown] = [
        LeakAudit(f"training images{where}", seen, keys, others, judge, known.patients_known)
    ]
    return [*found, *_gather_leaks_to_generators(of, where, sets, keys, others)] if sets else found


def _gather_leaks_to_generators(
    of: GatheredSet, where: str, sets: Sequence[SyntheticSet], keys: ImageKeys, others: ImageKeys
) -> list[Audit | Unknown]:
    """Return the audit of the images that generators were trained on, as far as these are known."""
    what, known = f"training images of generators{where}", of.facts
    consequence = "so a leak would not have been seen"
    found: list[Audit | Unknown] = []
    by_generators = facts.see_generators_images(sets)
    reasons = [*by_generators.errors[:1], *known.generators.unknown]
    if reasons:
        reason = f"what they were trained on is unknown ({'; '.join(reasons)})"
        found.append(Unknown("leak", what, f"{reason}, {consequence}"))
    external = by_generators.external
    trusted = list(dict.fromkeys(each.name for each in external if each.learnt_from == generators.NONE))
    if trusted:
        reason = f"that {', '.join(trusted)} saw none of the images of this study is only declared by the user"
        found.append(Unknown("leak", what, f"{reason}, {consequence}"))
    if by_generators.seen is not None and by_generators.seen.has_any:
        named = list(dict.fromkeys(each.name for each in external if each.learnt_from == generators.DECLARED))
        note = f"in what the user declared that {', '.join(named)} was trained on" if named else None
        judge = partial(_check_generator, known)
        found.append(LeakAudit(what, by_generators.seen, keys, others, judge, known.patients_known, note))
    return found


def _check_generator(known: StudyFacts, overlap: Overlap) -> Check:
    """Return the check that generators were not trained on test images, for this overlap with them."""
    given = replace(known.generators, overlaps={"test": overlap})
    return checks.check_generators(given, patients_known=known.patients_known)[-1]


def _gather_pictures(tested: TestedImages, what: str, untested: TestedImages) -> Audit | Unknown:
    """Return the comparison of all pictures by `prepare`, if the tested images were in it and it was made."""
    prepared, other = (origins.find_prepared(each.data.artifact) for each in (tested, untested))
    consequence = "so a leak of changed images under other names would not have been seen"
    if artifacts.digest(prepared.path) != artifacts.digest(other.path):
        reason = f"test and training images are of different datasets, which are not compared by content, {consequence}"
        return Unknown("leak", what, reason)
    result = prepared.manifest["result"]
    near = result.get("near_copies") if isinstance(result, dict) else None
    if not isinstance(near, dict) or near.get("threshold") is None:
        return Unknown(
            "leak", what, f"{prepared.path.name} was prepared without a comparison by content, {consequence}"
        )
    stack, others = (each.data.stack(each.rows) for each in (tested, untested))
    compared = facts.stack_small(tested.data, tested.rows)
    patients = facts.find_keys(tested.data, tested.rows).patients
    only_warns = prepared.options.get("duplicates") == "warn"
    does = "only warns of copies in two splits" if only_warns else "keeps copies in one split, or refuses them"
    note = f"by the comparison of all images in prepare, which {does}"
    return PictureAudit(what, stack, compared, patients, others, note)


def _gather_test_copies(members: Sequence[SyntheticSet], of: GatheredSet, untested: TestedImages) -> Audit | Unknown:
    """Return the comparison of the images of a generator from elsewhere with the test images."""
    first, tested = members[0], of.opened.tested
    generator, what = first.generator, f"{_name(first)}, copies of test images"
    if generator is None:
        drawn = "images that a generator of the study drew are not compared with test images"
        if isinstance(first.opened, InputError) or facts.see_generators_images(members).errors:
            reason = f"{drawn}, and what it was trained on is unknown, so a copy would not have been seen"
        else:
            reason = f"{drawn}: that it was trained without them is checked instead"
        return Unknown("copy", what, reason)
    known = of.facts.test_copies
    if known is None or known.identical or known.near:
        reason = "copies are reported without one that is planted, so a planted one cannot be told from them"
        return Unknown("copy", what, reason)
    rows = {(row.image, row.row): row for each in members for row in each.rows}
    compared = facts.stack_small(tested.data, tested.rows)
    size = first.data.size_of(next(iter(rows.values())))
    if similarity.near_duplicate_threshold(min(size, compared.shape[1])) is None:
        return Unknown("copy", what, "images are too small to tell a copy that has been changed at all")
    stack, others = (each.data.stack(each.rows) for each in (tested, untested))
    return ComparisonAudit(what, size, len(rows), stack, compared, others)


def _gather_screening(
    members: Sequence[SyntheticSet], screenings: Sequence[Artifact], made: MadeCopies
) -> Audit | Unknown:
    """Return the screening of a synthetic set for copies of training images."""
    what = f"{_name(members[0])}, copies of training images"
    own = [(each, each.find_screening()) for each in members]
    given = [(members[0], one) for one in screenings if find_screened(one) == members[0].digest]
    for each, screening in [*own, *given]:
        if screening is not None and each.is_compared_with_training(screening):
            try:
                return _open_screening(each, screening, what, made)
            except InputError as problem:
                return Unknown("copy", what, f"the screening cannot be read: {problem.message}")
    if any(one is not None for _, one in [*own, *given]):
        return Unknown("copy", what, "it was not screened for copies of the images that its generator was trained on")
    return Unknown("copy", what, "not checked here, so copies would not have been seen: run xrayaug copies")


def _open_screening(of: SyntheticSet, screening: Artifact, what: str, made: MadeCopies) -> Audit | Unknown:
    """Open a screening and the images that it compared; copies are made once for screenings that can share them.

    Raises:
        InputError: they are not there any more, or are damaged.
    """
    if screening.get(str, "result", "verdict", among=("pass", "fail")) == "fail":
        return Unknown(
            "copy", what, "the screening fails without planted copies, which cannot be told from those found"
        )
    if isinstance(of.opened, InputError):
        raise of.opened
    synthetic = Dataset(of.opened)
    size = synthetic.size_of(synthetic.select(synthetic=True)[0])
    key = str(screening.manifest["inputs"]["real"]["sha256"]), size
    if key not in made:
        real = Dataset(screening.open_input("real", "dataset"))
        training = real.select(split="train", synthetic=False)
        held_out = [row for row in real.rows if row.split != "train"]
        made[key] = TrainingCopies(size, real.stack(training), real.stack(held_out))
    reference = screening.get(int, "result", "spaces", "pixels", "reference", minimum=1)
    rate = screening.get(float, "result", "spaces", "pixels", "rate", minimum=0, maximum=1)
    value = screening.get(float, "result", "spaces", "pixels", "threshold", minimum=0)
    return ScreeningAudit(
        what,
        distances=_read_distances(screening),
        threshold=Threshold(value, round(rate * (reference + 1)), reference),
        level=screening.get(float, "options", "level", minimum=0, maximum=1),
        copies=made[key],
    )


def _read_distances(screening: Artifact) -> FloatArray:
    """Read the distance in pixels of each screened image to the nearest training image.

    Raises:
        ArtifactError: the file is damaged.
    """
    path = screening.file(COPIES_FILE)
    try:
        with path.open(encoding="utf-8", newline="") as text:
            return np.array([float(line[DISTANCE]) for line in csv.DictReader(text)])
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as problem:
        raise ArtifactError(f"{path} cannot be read: {problem}", "make the screening again") from None


def _name(of: SyntheticSet) -> str:
    """Return the name of a synthetic dataset."""
    return of.name if isinstance(of.opened, InputError) else of.opened.path.name
