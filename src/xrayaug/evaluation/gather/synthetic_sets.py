"""The synthetic datasets that arms draw from, and their screenings for copies of training images."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xrayaug.data import generators
from xrayaug.data.dataset import Dataset, Row
from xrayaug.data.generators import Generator
from xrayaug.errors import InputError
from xrayaug.evaluation.study_facts import ScreeningFacts
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact


@dataclass(frozen=True)
class SyntheticSet:
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
                if find_screened(screening) == self.digest:
                    return screening
        return None

    def is_compared_with_training(self, screening: Artifact | None) -> bool | None:
        """Return whether a screening compared with the dataset that the generator was trained on.

        Returns:
            None if that is unknown: the screening or what records the training images is not there any more, or the
            user declared nothing. True if the user declared that the generator saw no image of the study.
        """
        if isinstance(self.opened, InputError) or screening is None:
            return None
        if generators.is_external(self.opened):
            if generators.read_generator(self.opened).learnt_from == generators.NONE:
                return True
            trained = self.opened.manifest["inputs"].get("learnt_from")
        else:
            try:
                trained = self.opened.open_input("run", "gan-run").manifest["inputs"].get("data")
            except InputError:
                return None
        compared = screening.manifest["inputs"].get("real")
        return None if trained is None or compared is None else bool(trained["sha256"] == compared["sha256"])


def open_synthetic_sets(arms: Sequence[Dataset]) -> list[SyntheticSet]:
    """Open the synthetic datasets of arms, each once; of an arm that records none, one that cannot be opened."""
    found: list[SyntheticSet] = []
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
            found.append(SyntheticSet(data, name, digest, opened[key]))
    return found


def gather_screening(sets: Sequence[SyntheticSet], screenings: Sequence[Artifact]) -> ScreeningFacts:
    """Return the facts about the arms' own screenings, and about `screenings` of arms that were made without one.

    A screening counts for the sets of its own images alone; of several of one set all count.
    """
    kept: defaultdict[str, int] = defaultdict(int)  # by arm
    used: defaultdict[str, int] = defaultdict(int)
    screened = elsewhere = unverified = 0
    for each in sets:
        arm = artifacts.digest(each.data.path)
        number = each.count_kept_copies()
        if number is not None:
            kept[arm] += number
            own = [each.find_screening()]
        else:
            flagged = [(one, found) for one in screenings if (found := _find_flagged(each, one)) is not None]
            if not flagged:
                continue
            own = [one for one, _ in flagged]
            used[arm] += len(set().union(*(found for _, found in flagged)))
        screened += 1
        compared = [each.is_compared_with_training(one) for one in own]
        if True not in compared:
            elsewhere += False in compared
            unverified += False not in compared
    most_kept, most_used = (max(numbers.values(), default=0) for numbers in (kept, used))
    digests = {each.digest for each in sets}
    unmatched = [one.path.as_posix() for one in screenings if find_screened(one) not in digests]
    return ScreeningFacts(len(sets), screened, most_kept, most_used, elsewhere, unverified, unmatched)


def find_screened(screening: Artifact) -> str | None:
    """Return the digest of the synthetic dataset that was screened; None if the screening does not record it."""
    found = screening.manifest["inputs"].get("synthetic")
    return None if found is None else str(found["sha256"])


def _find_flagged(each: SyntheticSet, screening: Artifact) -> set[tuple[str, int]] | None:
    """Return the images that an arm has of a set and that a screening flagged; None if it screened another set."""
    if each.digest != find_screened(screening) or isinstance(each.opened, InputError):
        return None
    synthetic = Dataset(each.opened).select(synthetic=True)
    numbers = {number for number in screening.get(list, "result", "quarantined") if isinstance(number, int)}
    flagged = {(f"{each.name}/{row.image}", row.row) for number, row in enumerate(synthetic) if number in numbers}
    return flagged & {(row.image, row.row) for row in each.rows}
