"""Labels of a list compared with what directories and other columns say, to find labels that are swapped."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from xrayaug.data.parsing import labels
from xrayaug.data.parsing.image_list import ImageList
from xrayaug.data.sources import Record
from xrayaug.errors import DataError

MAX_CONTRADICTED = 0.9  # share of contradicted labels above which normal and abnormal must be swapped


def check_labels_agree(records: Sequence[Record], image_list: ImageList) -> None:
    """Check that labels agree with directories' names and with other columns of label words.

    A warning is added to the list where only some labels disagree.

    Raises:
        DataError: nearly all labels disagree, so normal and abnormal must be swapped.
    """
    if image_list.label:
        return
    expected = [(record, label) for record in records if (label := _label_of_directories(record.file))]
    _compare_labels(expected, "the directory of the image", image_list)
    for name, place in image_list.kept_columns.items():
        words = {line.cell(place) for line in image_list.lines}
        if place != image_list.columns["label"] and words and all(_label_of_word(word) for word in words):
            expected = [(record, label) for record in records if (label := _label_of_word(record.extra[name]))]
            _compare_labels(expected, f"column '{name}'", image_list)


def _compare_labels(expected: Sequence[tuple[Record, str]], origin: str, image_list: ImageList) -> None:
    contradicted = [record for record, label in expected if label != record.label]
    if not contradicted:
        return
    first = contradicted[0]
    message = f"{len(contradicted)} of {len(expected)} labels contradict {origin}: {first.file} is {first.label}"
    if len(contradicted) > MAX_CONTRADICTED * len(expected):
        raise DataError(message, "say which words are normal and abnormal with --normal-class and --abnormal-class")
    image_list.warnings.append(message)


def _label_of_word(word: str) -> str | None:
    """Return the label that a word names by itself (`normal`, `fractured`); None for others and for answers (`yes`)."""
    form = labels.canonical(word)
    return labels.DEFAULT_RULES.read(form).label if form not in labels.ANSWERS and labels.is_label_name(form) else None


def _label_of_directories(file: str) -> str | None:
    """Return the label that a directory of an image names, the innermost first; None if none does."""
    found = (_label_of_word(name) for name in reversed(PurePosixPath(file).parts[:-1]))
    return next((label for label in found if label), None)
