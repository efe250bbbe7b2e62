"""Names that data sets give to their splits, mapped to train, valid and test."""

import re

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "validate": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
SET_SUFFIX = re.compile(r"[-_ ]*set$")


def parse_split(word: str) -> str | None:
    """Return the split that a word names, `Training` or `test_set`; None if it names none."""
    return SPLIT_NAMES.get(SET_SUFFIX.sub("", word.strip().lower()))
