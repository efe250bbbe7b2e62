"""Predictions from any source as columns: what the columns hold, and the probabilities of every run on the same cases.

Cases, patients and groups are kept once, not once for every run, so that a probability takes eight bytes.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from xrayaug.data.arms import ArmSettings
from xrayaug.data.dataset import LABELS, Row
from xrayaug.data.parsing.labels import ANSWERS, DEFAULT_RULES, LabelRules, canonical, yes_means_normal
from xrayaug.data.parsing.split_names import parse_split
from xrayaug.errors import DataError, UsageError
from xrayaug.evaluation import predictions
from xrayaug.stats.array_types import IndexArray
from xrayaug.stats.classification import Probabilities
from xrayaug.storage import csvfile

REQUIRED = ("arm", "case", "label", "probability")
COLUMN_NAMES = {  # by what a column holds: the names that it is found by, the first that there is
    "arm": ("arm", "model", "method", "group", "condition"),
    "seed": ("seed", "random_state", "run_seed", "repeat", "repetition", "run"),
    "case": ("case", "case_id", "image_id", "image_path", "image", "file", "filename", "file_name", "path", "sample",
             "sample_id", "id"),
    "label": ("label", "target", "truth", "ground_truth", "y_true", "y"),
    "probability": ("probability", "prob", "proba", "y_prob", "y_proba", "probability_abnormal", "prob_abnormal",
                    "proba_abnormal", "p_abnormal", "p", "y_score", "score", "prediction", "pred"),
    "patient": ("patient", "patient_id", "subject", "subject_id", "mrn"),
    "study": ("study", "study_id", "accession", "accession_number", "exam", "exam_id"),
    "split": ("split", "subset", "partition"),
}  # fmt: skip
OWN_CASE = ("image", "row", "file")  # columns that identify a case in the files of `evaluate` and `predict`
BASELINE_NAMES = ("0", "0%", "baseline", "real")  # names of a baseline that need not be said
PROBABILITY_WORDS = re.compile(
    r"(?<![a-z])(?:p|prob|proba|probability|score|y|pred|prediction|of|being)(?![a-z])", re.I
)
MISSING = ("None", "nan", "NaN", "<NA>", "NaT")  # missing values of Python, NumPy and pandas, as text
SHOWN = 5  # arms, seeds or cases that a message lists

Column = Sequence[object]
Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True)
class ColumnNames:
    """The columns that are read, by what they hold; None for one that is not there."""

    by_content: Mapping[str, str | None]
    is_own: bool  # whether a case is named by `OWN_CASE`
    by: str | None  # column of the subgroups

    @property
    def guessed(self) -> str:
        """What was taken for what, where a name differs from the content; empty if none does."""
        found = [
            f"{name} for {content}"
            for content, name in self.by_content.items()
            if name is not None and name.casefold() != content and not (content == "case" and self.is_own)
        ]
        if yes_means_normal(str(self.by_content["label"])):
            found.append("1 is normal")
        return ", ".join(found)


@dataclass(frozen=True)
class PredictedRuns:
    """The probabilities of every run on the same cases of a split."""

    rows: Sequence[Row]  # [M], one for each case
    probabilities: Mapping[tuple[str, int], Probabilities]  # [M], by arm and seed
    groups: Sequence[str]  # [M], values of the column of the subgroups; none without one


@dataclass(frozen=True)
class PredictionTable:
    """All predictions: on test cases, and on validation cases if there are any."""

    test: PredictedRuns
    valid: PredictedRuns | None
    patients_known: bool
    studies_known: bool
    arms: Mapping[str, ArmSettings]  # by name; empty if it is unknown how an arm was made
    shares_normal: Mapping[str, float]  # of the training images of arms, as far as they are known
    notes: Sequence[str] = ()
    is_own: bool = False  # of xrayaug, where test and validation cases may be of two datasets that use the same names


def find_columns(header: Sequence[str], given: Mapping[str, str], by: str | None, where: str, hint: str) -> ColumnNames:
    """Find the columns by their names, whatever their case.

    Args:
        header: names of all columns.
        given: names of columns that the user gives, by what they hold.
        by: column of the subgroups.
        where: the file or the data, for messages.
        hint: how the user names a column.

    Raises:
        UsageError: the user gives a name to something unknown.
        DataError: a column is missing, or there are two of a name.
    """
    unknown = [content for content in given if content not in COLUMN_NAMES]
    if unknown:
        raise UsageError(f"there is no column '{unknown[0]}' to name", f"columns are {', '.join(COLUMN_NAMES)}")
    listed = ", ".join(header[:20])
    found: dict[str, str | None] = {}
    for content, names in COLUMN_NAMES.items():
        found[content] = _find_column(header, [given[content]] if content in given else names, where)
        if content in given and found[content] is None:
            raise DataError(f"{where} has no column '{given[content]}'", f"its columns are {listed}")
    is_own = "case" not in given and found["case"] == OWN_CASE[0] and all(name in header for name in OWN_CASE)
    missing = [content for content in REQUIRED if found[content] is None]
    if missing:
        raise DataError(f"{where} has no column for {', '.join(missing)}; its columns are {listed}", hint)
    probability = str(found["probability"])
    if yes_means_normal(PROBABILITY_WORDS.sub(" ", probability)):
        raise DataError(
            f"{where}: column '{probability}' seems to hold the probability of being normal",
            "that of being abnormal is 1 minus it; rename the column if it holds this",
        )
    if by is not None:
        column = _find_column(header, [by], where)
        if column is None:
            raise DataError(f"{where} has no column '{by}'", f"--by one of {listed}")
        by = column
    return ColumnNames(found, is_own, by)


class TableBuilder:
    """Builds a table from columns that are added part by part."""

    def __init__(self) -> None:
        self.settings: dict[str, ArmSettings] = {}
        self.shares_normal: dict[str, float] = {}
        self.notes: list[str] = []
        self._splits: dict[str, _SplitBuilder] = {}
        self._left_out = 0
        self._known = {"patient": True, "study": True}
        self._only_hard = True
        self._is_own = False

    def add(
        self,
        columns: ColumnNames,
        part: Mapping[str, Column],
        where: Callable[[int], str],
        split: str | None = None,
    ) -> None:
        """Add rows.

        Args:
            columns: what the columns hold.
            part: columns of equal length by name.
            where: returns the place of a row of this part, for messages: `FILE line 7`.
            split: of all rows; None if a column says so, or all are for testing.

        Raises:
            DataError: a value is missing or impossible, a case is there twice in a run, or runs disagree on a case.
        """
        names = columns.by_content
        values = {content: part[name] for content, name in names.items() if name is not None}
        inverted = yes_means_normal(str(names["label"]))
        read_label = partial(_parse_label, column=str(names["label"]), inverted=inverted)
        self._is_own |= columns.is_own
        if columns.is_own:
            values["case"] = [f"{image} {row}" for image, row in zip(part["image"], part["row"], strict=True)]
            values["file"] = part["file"]
        if columns.by is not None:
            values["by"] = part[columns.by]
        for content in self._known:
            self._known[content] &= content in values
        if split is not None:
            values.pop("split", None)
        if "split" not in values:
            self._add_to(split or "test", values, where, read_label)
            return
        words = list(map(str, values.pop("split")))
        for word in dict.fromkeys(words):
            places = [place for place, each in enumerate(words) if each == word]
            name = parse_split(word)
            if name is None:
                raise DataError(
                    f"{where(places[0])}: the split is '{word}'", "splits are train, valid and test; rename the column"
                )
            if name == "train":
                self._left_out += len(places)
                continue
            chosen = {content: [column[place] for place in places] for content, column in values.items()}
            place_in_part = partial(_find_place, where, places)
            self._add_to(name, chosen, place_in_part, read_label)

    def build(self) -> PredictionTable:
        """Return the table.

        Raises:
            DataError: there are no test cases, a case lacks a prediction of a run, or one class is missing.
        """
        if "test" not in self._splits:
            left_out = f": {self._left_out:,} rows are of the split train" if self._left_out else ""
            alone = "; there are validation cases alone" if "valid" in self._splits else ""
            raise DataError(f"there are no predictions of test cases{left_out}{alone}", "give those of test cases")
        notes = list(self.notes)
        if self._left_out:
            notes.append(f"{self._left_out:,} rows of the split train are not used")
        test = self._splits["test"].build("test")
        labels = {row.label for row in test.rows}
        if len(labels) == 1:
            raise DataError(f"all {len(test.rows):,} test cases are {min(labels)}", "a verdict needs both classes")
        if self._only_hard:
            notes.append("all probabilities are 0 or 1: they seem to be decisions, which rank cases poorly")
        valid_builder = self._splits.get("valid")
        valid = None if valid_builder is None else valid_builder.build("valid")
        if valid is not None and valid.probabilities.keys() != test.probabilities.keys():
            arm, seed = min(valid.probabilities.keys() ^ test.probabilities.keys())
            raise DataError(
                f"arm '{arm}', seed {seed} has predictions of only one of test and validation cases",
                "give those of validation cases of all runs, or of none",
            )
        known = self.settings if self.settings.keys() >= {arm for arm, _ in test.probabilities} else {}
        return PredictionTable(
            test,
            valid,
            patients_known=self._known["patient"],
            studies_known=self._known["study"],
            arms=known,
            shares_normal=self.shares_normal,
            notes=notes,
            is_own=self._is_own,
        )

    def _add_to(
        self, split: str, values: Mapping[str, Column], where: Callable[[int], str], read_label: Callable[[str], str]
    ) -> None:
        probabilities = self._splits.setdefault(split, _SplitBuilder(split)).add(values, where, read_label)
        self._only_hard = self._only_hard and bool(((probabilities == 0) | (probabilities == 1)).all())


class _CaseValues:
    """A column that has one value for each case, whichever run a row is of."""

    def __init__(self, content: str, parse: Callable[[str], str]) -> None:
        self.content = content
        self._parse = parse
        self._codes: dict[object, int] = {}  # by the value as it is written
        self._words: dict[str, int] = {}  # by its meaning
        self._of_case = np.full(1024, -1, np.int64)

    def add(self, cases: IndexArray, values: Column, where: Callable[[int], str]) -> int | None:
        """Add the values of rows; return the first row that has another value than its case had before."""
        for value in dict.fromkeys(values):
            if value not in self._codes:
                try:
                    word = self._parse(_to_text(value))
                except DataError as problem:
                    raise DataError(
                        f"{where(values.index(value) if isinstance(values, list | tuple) else 0)}: {problem.message}",
                        problem.hint,
                    ) from None
                self._codes[value] = self._words.setdefault(word, len(self._words))
        codes = np.array([self._codes[value] for value in values], np.int64)
        self._of_case = _grow(self._of_case, int(cases.max()) + 1, -1)
        before = self._of_case[cases]
        known = np.where(before == -1, codes, before)
        self._of_case[cases[::-1]] = known[::-1]  # of equal cases the first counts
        differing = np.flatnonzero(self._of_case[cases] != codes)
        return int(differing[0]) if len(differing) else None

    def value(self, case: int) -> str:
        """Return the value of a case."""
        return self.list_all(case + 1)[case]

    def list_all(self, count: int) -> list[str]:
        """Return the values of the first cases, empty for those without one."""
        words = list(self._words)
        codes = _grow(self._of_case, count, -1)[:count].tolist()
        return ["" if code < 0 else words[code] for code in codes]


class _RunValues:
    """The probabilities of a run, NaN for cases without one."""

    def __init__(self) -> None:
        self.values: Probabilities = np.full(1024, np.nan)

    def add(self, cases: IndexArray, probabilities: Probabilities) -> int | None:
        """Add probabilities; return the place of the first case that was there before, or is twice among these."""
        self.values = _grow(self.values, int(cases.max()) + 1, np.nan)
        repeated = ~np.isnan(self.values[cases])
        if not repeated.any():
            first = np.unique(cases, return_index=True)[1]
            repeated[:] = True
            repeated[first] = False
        self.values[cases] = probabilities
        return int(np.flatnonzero(repeated)[0]) if repeated.any() else None


@dataclass
class _SplitBuilder:
    """The predictions of one split."""

    split: str
    cases: dict[str, int] = field(default_factory=dict)
    runs: dict[tuple[object, object], int] = field(default_factory=dict)  # as they are written
    keys: list[tuple[str, int]] = field(default_factory=list)  # arm and seed of each
    values: dict[tuple[str, int], _RunValues] = field(default_factory=dict)
    columns: dict[str, _CaseValues] = field(default_factory=dict)

    def add(
        self, values: Mapping[str, Column], where: Callable[[int], str], read_label: Callable[[str], str]
    ) -> Probabilities:
        """Add rows, and return their probabilities."""
        names = values["case"]
        cases = self.cases
        codes = np.array([cases.setdefault(_to_text(name), len(cases)) for name in names], np.int64)
        if not len(codes):
            return np.empty(0)
        if "" in cases:
            raise DataError(f"{where(int(np.flatnonzero(codes == cases[''])[0]))}: the case has no name", "name it")
        self._add_case_values(codes, values, where, read_label)
        probabilities = _parse_probabilities(values["probability"], where)
        runs = self._find_runs(values["arm"], values.get("seed"), where)
        order = np.argsort(runs, kind="stable")
        bounds = np.flatnonzero(np.diff(runs[order])) + 1
        for places in np.split(order, bounds):
            arm, seed = key = self.keys[runs[places[0]]]
            repeated = self.values.setdefault(key, _RunValues()).add(codes[places], probabilities[places])
            if repeated is not None:
                place = int(places[repeated])
                seeds = "" if "seed" in values else "; there is no column of seeds"
                raise DataError(
                    f"{where(place)}: arm '{arm}', seed {seed} has case '{names[place]}' twice{seeds}",
                    "give one row for each case and run",
                )
        return probabilities

    def build(self, split: str) -> PredictedRuns:
        """Return the runs, and the cases in the order in which they first appeared."""
        count, names = len(self.cases), list(self.cases)
        for (arm, seed), run in self.values.items():
            run.values = _grow(run.values, count, np.nan)[:count]
            missing = np.flatnonzero(np.isnan(run.values))
            if len(missing):
                raise DataError(
                    f"arm '{arm}', seed {seed} lacks {len(missing):,} of {count:,} {split} cases that other runs have, "
                    f"such as '{names[missing[0]]}'",
                    "predict the same cases with every run",
                )
        texts = {content: column.list_all(count) for content, column in self.columns.items()}
        nothing = [""] * count
        labels, patients = texts["label"], texts.get("patient", nothing)
        studies = _name_studies(texts.get("study", nothing), patients)
        files = texts.get("file")
        rows = []
        for place, name in enumerate(names):
            image, _, row = name.rpartition(" ") if files is not None else ("", "", "")
            rows.append(
                Row(
                    image=image,
                    row=int(row) if row.isdecimal() else place,
                    split=split,
                    label=labels[place],
                    patient=patients[place],
                    study=studies[place],
                    source="",
                    synthetic=False,
                    file=name if files is None else files[place],
                )
            )
        return PredictedRuns(rows, {key: run.values for key, run in self.values.items()}, texts.get("by", []))

    def _add_case_values(
        self,
        codes: IndexArray,
        values: Mapping[str, Column],
        where: Callable[[int], str],
        read_label: Callable[[str], str],
    ) -> None:
        for content in ("label", "patient", "study", "file", "by"):
            if content not in values:
                continue
            parse = read_label if content == "label" else csvfile.unescape_formula
            column = self.columns.setdefault(content, _CaseValues(content, parse))
            place = column.add(codes, values[content], where)
            if place is not None:
                name, now, before = values["case"][place], values[content][place], column.value(int(codes[place]))
                title = "column of --by" if content == "by" else content
                raise DataError(
                    f"{where(place)}: the {title} of case '{name}' is '{now}', and in a row before it was '{before}'",
                    "a case has one in all runs" if content != "label" else "a case has one label in all runs",
                )

    def _find_runs(self, arms: Column, seeds: Column | None, where: Callable[[int], str]) -> IndexArray:
        """Return the number of each row's run."""
        pairs = list(zip(arms, seeds if seeds is not None else [0] * len(arms), strict=True))
        for pair in dict.fromkeys(pairs):
            if pair not in self.runs:
                place = pairs.index(pair)
                arm, seed = csvfile.unescape_formula(_to_text(pair[0])), _parse_seed(pair[1])
                if not arm:
                    raise DataError(f"{where(place)}: the arm has no name", "name the arm of every row")
                if seed is None:
                    raise DataError(f"{where(place)}: the seed is '{pair[1]}'", "seeds are whole numbers, 0 or more")
                if (arm, seed) not in self.keys:
                    self.keys.append((arm, seed))
                self.runs[pair] = self.keys.index((arm, seed))
        return np.array([self.runs[pair] for pair in pairs], np.int64)


def count_test_set(table: PredictionTable) -> dict[str, int | None]:
    """Return the numbers of images, of studies if they are known, and of images of each label."""
    rows = table.test.rows
    studies = len(set(predictions.study_names(rows))) if table.studies_known else None
    return {"images": len(rows), "studies": studies} | {
        label: sum(row.label == label for row in rows) for label in LABELS
    }


def choose_baseline(arms: Sequence[str], given: str | None, hint: str) -> tuple[str, str]:
    """Return the baseline, and what was guessed about it; empty if nothing was.

    Raises:
        DataError: there is no such arm.
        UsageError: none is given, and no arm has one of the usual names.
    """
    listed = ", ".join(map(repr, arms[:SHOWN])) + (", ..." if len(arms) > SHOWN else "")
    if given is not None:
        if given not in arms:
            raise DataError(f"there is no arm '{given}' to be the baseline", f"arms are {listed}")
        return given, ""
    usual = [arm for arm in arms if arm.casefold() in BASELINE_NAMES]
    if len(arms) == 1:
        return arms[0], ""
    if len(usual) != 1:
        raise UsageError(f"which of the arms {listed} is the baseline?", hint)
    return usual[0], f"arm '{usual[0]}' is taken for the baseline, by its name"


def pair_runs(seeds: Mapping[str, Sequence[int]], baselines: Mapping[str, str]) -> dict[str, dict[int, int]]:
    """Return the number by which each run is paired with one of the baseline, by arm and seed.

    Runs are paired by seed if an arm has the seeds of its baseline. If they have none in common, their runs are
    independent, and any pairing that does not look at the scores is valid: they are paired in the order of their seeds.

    Args:
        seeds: of every arm, sorted.
        baselines: the name of the baseline of each arm that has one.

    Raises:
        DataError: seeds agree in part, or there are none in common and not equally many.
    """
    paired = {}
    for arm, own in seeds.items():
        others = seeds[baselines.get(arm, arm)]
        if set(own) == set(others):
            paired[arm] = {seed: seed for seed in own}
        elif set(own) & set(others):
            lacking = sorted(set(own) ^ set(others))
            which = ", ".join(map(str, lacking[:SHOWN])) + (", ..." if len(lacking) > SHOWN else "")
            raise DataError(
                f"arm '{arm}' and its baseline '{baselines[arm]}' have the same seeds only in part: "
                f"{'seeds' if len(lacking) > 1 else 'seed'} {which} in one of them alone",
                "give the predictions of all runs of both, or other seeds to runs that are not pairs",
            )
        elif len(own) != len(others):
            raise DataError(
                f"arm '{arm}' has {len(own)} runs and its baseline '{baselines[arm]}' {len(others)}, without a common "
                "seed: they cannot be paired",
                "give equally many runs",
            )
        else:
            paired[arm] = dict(zip(own, others, strict=True))
    return paired


def _find_column(header: Sequence[str], names: Iterable[str], where: str) -> str | None:
    for name in names:
        exact = [title for title in header if title == name]
        found = exact or [title for title in header if csvfile.normalize_title(title) == csvfile.normalize_title(name)]
        if len(found) > 1:
            raise DataError(f"{where} has {len(found)} columns called '{name}'", "rename all but one")
        if found:
            return found[0]
    return None


def _find_place(where: Callable[[int], str], places: Sequence[int], place: int) -> str:
    return where(places[place])


def _name_studies(studies: Sequence[str], patients: Sequence[str]) -> list[str]:
    """Return the name of each case's study, with the patient before it if studies of several patients share names."""
    owners = {(study, patient) for study, patient in zip(studies, patients, strict=True) if study}
    if len(owners) == len({study for study, _ in owners}):
        return list(studies)
    return [study and f"{patient} {study}" for study, patient in zip(studies, patients, strict=True)]


def _parse_label(word: str, column: str, *, inverted: bool | None) -> str:
    """Return the label that a word means in a column in which yes means normal, abnormal, or it is unclear which."""
    if inverted is None and canonical(word) in ANSWERS:
        raise DataError(
            f"the label is '{word}', and the name of column '{column}' does not say whether that is normal",
            "write normal and abnormal, or rename the column to label if 1 is abnormal",
        )
    try:
        reading = LabelRules(inverted=True).read(word) if inverted else DEFAULT_RULES.read(word)
    except DataError as problem:
        raise DataError(problem.message, "write 0 or 1, or normal or abnormal") from None
    if reading.label is None:
        raise DataError(f"the label is '{word}' ({reading.reason})", "leave out cases without a label")
    return reading.label


def _parse_seed(value: object) -> int | None:
    try:
        number = float(_to_text(value))
    except ValueError:
        return None
    return int(number) if number >= 0 and number.is_integer() else None


def _parse_probabilities(values: Column, where: Callable[[int], str]) -> Probabilities:
    """Return the values as numbers.

    Raises:
        DataError: one is no number in [0, 1].
    """
    try:
        numbers = np.array(list(map(float, values)), np.float64)  # type: ignore[arg-type] # errors are caught
    except (TypeError, ValueError):
        place = next(place for place, value in enumerate(values) if not _is_number(value))
        raise DataError(
            f"{where(place)}: the probability is '{_to_text(values[place])}'", "give a number from 0 to 1"
        ) from None
    outside = np.flatnonzero(~((numbers >= 0) & (numbers <= 1)))
    if len(outside):
        place, value = int(outside[0]), values[int(outside[0])]
        if np.isnan(numbers[place]):
            raise DataError(f"{where(place)}: the probability is NaN", "leave out runs that failed, or predict again")
        raise DataError(
            f"{where(place)}: the probability is {value}, outside [0, 1]",
            "logits become probabilities by 1 / (1 + exp(-logit)); percentages are divided by 100",
        )
    return numbers


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type] # errors are caught
    except (TypeError, ValueError):
        return False
    return True


def _to_text(value: object) -> str:
    """Return a cell as text; that of a missing value is empty."""
    if isinstance(value, str):
        return value.strip()
    text = str(value)
    return "" if text in MISSING else text


def _grow(values: npt.NDArray[Number], size: int, filling: float) -> npt.NDArray[Number]:
    """Return an array with room for so many values."""
    if size <= len(values):
        return values
    return np.concatenate([values, np.full(max(size, 2 * len(values)) - len(values), filling, values.dtype)])
