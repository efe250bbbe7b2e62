"""The test sets that runs are judged on: the one of their own dataset, and prepared ones from elsewhere."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xrayaug.data.dataset import COLUMNS, LABELS, Row, open_dataset
from xrayaug.errors import DataError, UsageError
from xrayaug.evaluation import predictions
from xrayaug.evaluation.gather import facts, predicted_images
from xrayaug.evaluation.gather.facts import TestedImages
from xrayaug.evaluation.gather.predicted_images import PredictedImages
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.measure import OtherImages
from xrayaug.evaluation.results import SharedImages, TestSet
from xrayaug.evaluation.study_facts import StudyFacts
from xrayaug.options import Evaluate
from xrayaug.storage import files
from xrayaug.storage.artifacts import Artifact

OWN = "own"  # name of the test set of the runs' own dataset


@dataclass(frozen=True)
class OpenedSet:
    """A test set: its name, its images, and the dataset that has them."""

    name: str
    tested: TestedImages
    images: PredictedImages | None  # None for the runs' own, which each run reads from its own dataset

    @property
    def test(self) -> TestSet:
        """Sizes of the set."""
        return count_test_set(self.tested.rows)

    @property
    def to_predict(self) -> list[OtherImages]:
        """The images to predict in addition to those of the runs' own datasets: one entry, or none."""
        return [] if self.images is None else [OtherImages(self.name, self.images.rows, self.images.stack)]


@dataclass(frozen=True)
class GatheredSet:
    """A test set with the facts for its checks, and its subgroups."""

    opened: OpenedSet
    facts: StudyFacts
    groups: Mapping[str, Sequence[int]]  # places of the images by the value of a column
    no_groups: str | None = None  # why there are none, if they were asked for


def open_test_sets(options: Evaluate, runs: Sequence[Run]) -> list[OpenedSet]:
    """Open the test sets, the primary one first.

    Raises:
        UsageError: two sets have one name, or there is none of the name that `--primary` gives.
        DataError: a set has synthetic images.
    """
    sets = [OpenedSet(OWN, TestedImages(runs[0].data, runs[0].test), None)]
    for path in options.also or ():
        data = open_dataset(path, options.local_cache)
        images = predicted_images.select_images(data, None)
        synthetic = sum(row.synthetic for row in images.rows)
        if synthetic:
            raise DataError(f"{path}: {synthetic:,} of its test images are synthetic", "--also takes real images")
        sets.append(OpenedSet(files.resolve_directory(path).name, TestedImages(data, images.rows), images))
    names = [each.name for each in sets]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        also = f"--also: {names.count(repeated[0]) - (repeated[0] == OWN)} sets are called '{repeated[0]}'"
        raise UsageError(also, f"rename one: sets are told apart by their directories, and '{OWN}' is that of the runs")
    primary = options.primary or OWN
    if primary not in names:
        raise UsageError(f"--primary {primary} is no test set", f"it is one of {', '.join(names)}")
    return sorted(sets, key=lambda each: each.name != primary)


def gather_test_sets(
    sets: Sequence[OpenedSet], runs: Sequence[Run], screenings: Sequence[Artifact], by: str | None
) -> list[GatheredSet]:
    """Collect the facts and the subgroups of every set.

    Raises:
        DataError: `by` names no column that makes groups of the first set, the primary one.
    """
    gathered = []
    for place, each in enumerate(sets):
        groups, reason = dict[str, list[int]](), None
        try:
            groups = _group_images(each.tested.rows, by)
        except DataError as problem:
            if place == 0:
                raise
            reason = problem.message
        gathered.append(GatheredSet(each, facts.gather_facts(runs, screenings, each.tested), groups, reason))
    return gathered


def find_shared(sets: Sequence[OpenedSet]) -> list[SharedImages]:
    """Return the pairs of sets that have images or patients in common, or of which that is unknown."""
    found = []
    for one, other in itertools.combinations(sets, 2):
        overlap = facts.count_shared(one.tested, other.tested)
        shared = SharedImages((one.name, other.name), **vars(overlap))
        if shared.has_any or shared.is_unknown or shared.elsewhere:
            found.append(shared)
    return found


def count_test_set(rows: Sequence[Row]) -> TestSet:
    """Return the sizes of a test set."""
    counts = {label: sum(row.label == label for row in rows) for label in LABELS}
    return TestSet(len(rows), len(set(predictions.study_names(rows))), **counts)


def _group_images(rows: Sequence[Row], column: str | None) -> dict[str, list[int]]:
    """Return the places of the test images by their value in a column of the index, sorted; empty without a column.

    Raises:
        DataError: there is no such column, or it has more values than there can be groups.
    """
    if column is None:
        return {}
    columns = [*COLUMNS, *sorted({name for row in rows for name in row.extra})]
    if column not in columns:
        raise DataError(f"the index has no column '{column}'", f"--by one of {', '.join(columns)}")
    values = [str(getattr(row, column) if column in COLUMNS else row.extra.get(column, "")) for row in rows]
    return predictions.group_values(values, column)
