"""Patients of images: search in paths by `--patient-pattern`, and warnings where patients are unknown."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from xrayaug.data.parsing import identifiers
from xrayaug.data.sources import Record
from xrayaug.errors import DataError, UsageError
from xrayaug.options import Prepare

PATIENT_PATTERNS = (
    r"(?i:patient|subject|person|participant)[-_ ]?[0-9]+",  # CheXpert
    r"(?<![^/])p[0-9]{8}(?![^/])",  # MIMIC-CXR
)
MAX_IMAGES_PER_PATIENT = 20  # mean number of images in a directory, above which directories are not patients


def patient_finder(options: Prepare) -> Callable[[str], str] | None:
    """Return a function that finds the patient in an image's path by `--patient-pattern`; None if that is not given.

    The function raises DataError for a path in which the pattern does not match.

    Raises:
        UsageError: the pattern is not a regular expression, or has several groups.
    """
    given_pattern = options.patient_pattern
    if given_pattern is None:
        return None
    try:
        pattern = re.compile(given_pattern)
    except re.error as problem:
        raise UsageError(f"--patient-pattern {given_pattern} is no regular expression: {problem}") from None
    if pattern.groups > 1:
        raise UsageError(
            f"--patient-pattern {given_pattern} has {pattern.groups} groups", "write (?:...) for all but one"
        )

    def find_patient(file: str) -> str:
        match = pattern.search(file)
        if not (match and match[pattern.groups]):
            raise DataError(
                f"--patient-pattern {given_pattern} finds no patient in {file}", "the pattern must match every path"
            )
        return match[pattern.groups]

    return find_patient


def unify_patients(records: list[Record], pattern: str | None) -> tuple[list[Record], list[str]]:
    """Return the records with different spellings of a patient found by the pattern merged, and notes on them.

    Raises:
        DataError: some patients differ only in leading zeros.
    """
    if pattern is None:
        return records, []
    canonical_ids, notes = identifiers.unify((record.patient for record in records), f"--patient-pattern {pattern}")
    return [replace(record, patient=canonical_ids[record.patient]) for record in records], notes


def patient_warnings(records: Sequence[Record]) -> list[str]:
    """Return a warning if patients are unknown and paths seem to name them; at most one."""
    files = [record.file for record in records if not record.patient_known]
    for pattern in PATIENT_PATTERNS:
        named = [found[0] for file in files if (found := re.search(pattern, file))]
        if len(set(named)) < len(named):
            seem = f"{len(named)} paths seem to name {len(set(named))}, such as {named[0]}"
            return [f"patients are unknown, but {seem}: --patient-pattern '{pattern}' uses them"]
    deep = [str(PurePosixPath(file).parent) for file in files if file.count("/") > 1]
    if len(set(deep)) < len(deep) <= MAX_IMAGES_PER_PATIENT * len(set(deep)):
        seem = f"{len(deep)} images lie in {len(set(deep))} directories below the classes, such as {deep[0]}"
        return [f"patients are unknown, and {seem}: if those are patients, --patient-pattern '^(.*)/' uses them"]
    return []
