"""Find the columns of predictions from any source by their names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from xrayaug.data.parsing.labels import yes_means_normal
from xrayaug.errors import DataError, UsageError
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
PROBABILITY_WORDS = re.compile(
    r"(?<![a-z])(?:p|prob|proba|probability|score|y|pred|prediction|of|being)(?![a-z])", re.I
)


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


def _find_column(header: Sequence[str], names: Iterable[str], where: str) -> str | None:
    for name in names:
        exact = [title for title in header if title == name]
        found = exact or [title for title in header if csvfile.normalize_title(title) == csvfile.normalize_title(name)]
        if len(found) > 1:
            raise DataError(f"{where} has {len(found)} columns called '{name}'", "rename all but one")
        if found:
            return found[0]
    return None
