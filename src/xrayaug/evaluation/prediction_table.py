"""Predictions from any source: the probabilities of every run on the same cases.

Cases, patients and groups are kept once, not once for every run, so that a probability takes eight bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import numpy as np

from xrayaug.data.arms import ArmSettings
from xrayaug.data.dataset import LABELS, Row
from xrayaug.data.parsing.labels import yes_means_normal
from xrayaug.data.parsing.split_names import parse_split
from xrayaug.errors import DataError
from xrayaug.evaluation import prediction_cells, predictions
from xrayaug.evaluation.prediction_cells import Column
from xrayaug.evaluation.prediction_columns import ColumnNames
from xrayaug.evaluation.prediction_values import CaseValues, RunValues, grow
from xrayaug.stats.array_types import IndexArray
from xrayaug.stats.classification import Probabilities
from xrayaug.storage import csvfile


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
    seeds_known: bool
    arms: Mapping[str, ArmSettings]  # by name; empty if it is unknown how an arm was made
    shares_normal: Mapping[str, float]  # of the training images of arms, as far as they are known
    generators: Mapping[str, int | None]  # that arms are about, as far as they are known: see `generator_design`
    notes: Sequence[str] = ()
    unknown_images: Sequence[str] = ()  # of several sources, those whose cases may be other images of the same names
    is_own: bool = False  # of xrayaug, where test and validation cases may be of two datasets that use the same names


class TableBuilder:
    """Builds a table from columns that are added part by part."""

    def __init__(self) -> None:
        self.settings: dict[str, ArmSettings] = {}
        self.shares_normal: dict[str, float] = {}
        self.generators: dict[str, int | None] = {}
        self.notes: list[str] = []
        self.unknown_images: Sequence[str] = ()
        self.test_rows = 0  # that were added so far
        self._splits: dict[str, _SplitBuilder] = {}
        self._left_out = 0
        self._known = {"patient": True, "study": True, "seed": True}
        self._only_hard = True
        self.is_own = False

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
        read_label = partial(prediction_cells.parse_label, column=str(names["label"]), inverted=inverted)
        self.is_own |= columns.is_own
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
            seeds_known=self._known["seed"],
            arms=known,
            shares_normal=self.shares_normal,
            generators=self.generators,
            notes=notes,
            is_own=self.is_own,
            unknown_images=self.unknown_images,
        )

    def _add_to(
        self, split: str, values: Mapping[str, Column], where: Callable[[int], str], read_label: Callable[[str], str]
    ) -> None:
        probabilities = self._splits.setdefault(split, _SplitBuilder(split)).add(values, where, read_label)
        self.test_rows += len(probabilities) if split == "test" else 0
        self._only_hard = self._only_hard and bool(((probabilities == 0) | (probabilities == 1)).all())


@dataclass
class _SplitBuilder:
    """The predictions of one split."""

    split: str
    cases: dict[str, int] = field(default_factory=dict)
    runs: dict[tuple[object, object], int] = field(default_factory=dict)  # as they are written
    keys: list[tuple[str, int]] = field(default_factory=list)  # arm and seed of each
    values: dict[tuple[str, int], RunValues] = field(default_factory=dict)
    columns: dict[str, CaseValues] = field(default_factory=dict)

    def add(
        self, values: Mapping[str, Column], where: Callable[[int], str], read_label: Callable[[str], str]
    ) -> Probabilities:
        """Add rows, and return their probabilities."""
        names = values["case"]
        cases = self.cases
        codes = np.array([cases.setdefault(prediction_cells.to_text(name), len(cases)) for name in names], np.int64)
        if not len(codes):
            return np.empty(0)
        if "" in cases:
            raise DataError(f"{where(int(np.flatnonzero(codes == cases[''])[0]))}: the case has no name", "name it")
        self._add_case_values(codes, values, where, read_label)
        probabilities = prediction_cells.parse_probabilities(values["probability"], where)
        runs = self._find_runs(values["arm"], values.get("seed"), where)
        order = np.argsort(runs, kind="stable")
        bounds = np.flatnonzero(np.diff(runs[order])) + 1
        for places in np.split(order, bounds):
            arm, seed = key = self.keys[runs[places[0]]]
            repeated = self.values.setdefault(key, RunValues()).add(codes[places], probabilities[places])
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
            run.values = grow(run.values, count, np.nan)[:count]
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
            column = self.columns.setdefault(content, CaseValues(content, parse))
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
        for pair in cast(list[tuple[object, object]], prediction_cells.list_distinct(pairs, "arm or seed", where)):
            if pair not in self.runs:
                place = prediction_cells.find_first(pairs, pair)
                arm, seed = (
                    csvfile.unescape_formula(prediction_cells.to_text(pair[0])),
                    prediction_cells.parse_seed(pair[1]),
                )
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


def _find_place(where: Callable[[int], str], places: Sequence[int], place: int) -> str:
    return where(places[place])


def _name_studies(studies: Sequence[str], patients: Sequence[str]) -> list[str]:
    """Return the name of each case's study, with the patient before it if studies of several patients share names."""
    owners = {(study, patient) for study, patient in zip(studies, patients, strict=True) if study}
    if len(owners) == len({study for study, _ in owners}):
        return list(studies)
    return [study and f"{patient} {study}" for study, patient in zip(studies, patients, strict=True)]
