"""Words that stand where a label stands, read as normal, abnormal, or left out.

A cell of a label column, or the name of a class's directory, is compared as it was written, but for case, the space
around it, and `1.0`, which is how a spreadsheet with gaps saves `1`. `-1` is not `1`. Missing values are pandas' and
Excel's.
"""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from xrayaug.errors import DataError

Label = Literal["normal", "abnormal"]
LABELS: tuple[Label, Label] = ("normal", "abnormal")

NORMAL_NAMES = frozenset(
    {"normal", "negative", "neg", "healthy", "unremarkable", "no", "n", "false", "0", "not fractured",
     "non fractured", "no fracture", "no finding", "no findings", "not abnormal", "non abnormal"}
)  # fmt: skip
ABNORMAL_NAMES = frozenset(
    {"abnormal", "positive", "pos", "fracture", "fractured", "diseased", "yes", "y", "true", "1"}
)
# What says normal or abnormal whatever the column is about: not taken for the other side because it was not named.
PLAINLY_NORMAL = frozenset({"normal", "negative", "healthy", "unremarkable", "no finding", "no findings"})
PLAINLY_ABNORMAL = frozenset({"abnormal", "positive", "diseased"})
# Answers to the question that a column's name asks: turned round where the name means normal (`No Finding`: 1).
ANSWERS = {"0": "1", "no": "yes", "n": "y", "false": "true", "negative": "positive", "neg": "pos"}
ANSWERS |= {yes: no for no, yes in ANSWERS.items()}

MISSING = frozenset(
    {"", "-", "--", "na", "n/a", "n.a.", "<na>", "nan", "-nan", "null", "[null]", "none", "nil", "missing", "unknown",
     "not available", "not applicable", "not done", "undefined", "unlabeled", "unlabelled", "pending", "tbd",
     "#n/a", "#n/a n/a", "#na", "#null!", "#value!", "#ref!", "#name?", "#div/0!", "#num!",
     "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}
)  # fmt: skip
UNSURE = frozenset(  # -1: CheXpert, MIMIC-CXR
    {"-1", "?", "uncertain", "unsure", "equivocal", "indeterminate", "inconclusive", "maybe", "possible",
     "questionable", "borderline"}
)  # fmt: skip

NUMBER = re.compile(r"([+-]?)([0-9]+)\.0+")
NUMERIC = re.compile(r"[+-]?[0-9]+(?:[.][0-9]+)?")
BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_])[-_]+(?=[^\W\d_])")
FINDINGS = re.compile(r"[|;,]")  # what parts the findings of one cell
CAPITALS = re.compile(r"(?<=[a-z])(?=[A-Z])")
WORD = re.compile(r"[^\W_]+")
NEGATIONS = frozenset({"no", "non", "not", "without", "free", "absence", "absent"})
SAY_NORMAL = frozenset({"normal", "normals", "healthy", "negative", "unremarkable"})
SAY_ABNORMAL = frozenset({"abnormal", "abnormality", "abnormalities", "finding", "findings", "disease", "diseased",
                          "pathology", "fracture", "fractures", "fractured", "positive"})  # fmt: skip
SIMILAR = 0.84  # of two words, by difflib: a typing error in one of six letters, or an ending
LONG_ENOUGH = 4  # letters of a word that may be another one misspelt


def is_missing(cell: str) -> bool:
    """Return whether a cell says that its value is not known."""
    return cell.strip().casefold() in MISSING


def canonical(word: str) -> str:
    """Return the form in which words are compared: `Non_fractured` is `non fractured`, `1.0` is `1`, `-1` is `-1`."""
    text = " ".join(unicodedata.normalize("NFC", word).casefold().split())
    number = NUMBER.fullmatch(text)
    if number:
        return number[1].replace("+", "") + number[2]
    return " ".join(BETWEEN_LETTERS.sub(" ", text).split())


def findings(cell: str) -> tuple[str, ...]:
    """Return the findings that a cell names, `Mass|Nodule` or `['Mass', 'Nodule']`, without those that are missing."""
    text = cell.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    parts = (part.strip().strip("'\"").strip() for part in FINDINGS.split(text))
    return tuple(part for part in parts if not is_missing(part))


def means_normal(column: str) -> bool | None:
    """Return whether yes in a column of that name means normal, as in `No Finding`; None if that is not clear."""
    words = [word.casefold() for word in WORD.findall(CAPITALS.sub(" ", column))]
    if NEGATIONS.isdisjoint(words):
        says_normal, says_abnormal = not SAY_NORMAL.isdisjoint(words), not SAY_ABNORMAL.isdisjoint(words)
        return None if says_normal and says_abnormal else says_normal
    if len(words) < 2 or words[-2] not in (
        "no",
        "non",
        "not",
        "without",
    ):  # `No. of fractures`, `Non-displaced fracture`
        return None
    return words[-1] in SAY_ABNORMAL or (False if words[-1] in SAY_NORMAL else None)


@dataclass(frozen=True)
class Reading:
    """What a word was read as."""

    label: Label | None  # None: the image is left out
    reason: str = ""  # why it is


@dataclass(frozen=True)
class WordCount:
    """A word as it was written, on how many images or lines it stood, and what it was read as."""

    word: str
    count: int
    reading: Reading

    def to_dict(self) -> dict[str, str | int]:
        """Return it as the manifest keeps it."""
        return {
            "word": self.word,
            "count": self.count,
            "label": self.reading.label or f"left out: {self.reading.reason}",
        }


@dataclass(frozen=True)
class LabelRules:
    """How words become labels: by the options where those name classes, else by the words themselves.

    Where only normal or only abnormal classes are named, every other word is of the other kind, unless it is missing,
    unsure, or says plainly that it is not.
    """

    normal: frozenset[str] = frozenset()  # in canonical form
    abnormal: frozenset[str] = frozenset()
    empty: Label | None = None  # label of what is missing; None leaves it out
    unsure: Label | None = None  # label of what is uncertain; None leaves it out
    inverted: bool = False  # yes in this column means normal

    def read(self, word: str) -> Reading:
        """Return what a word, or a cell of several findings, means.

        Raises:
            DataError: neither the options nor the word itself tell.
        """
        whole = self._named(word)
        if whole is not None:
            return Reading(whole)
        if is_missing(word):
            return Reading(self.empty, "" if self.empty else "no label")
        parts = findings(word) or (word,)
        if len(parts) > 1 and all(NUMERIC.fullmatch(part) for part in parts) and "," in word:
            raise DataError(f"'{word}' may be one number with a comma or several classes", "write one class in a cell")
        if any(self._named(part) == "abnormal" for part in parts):  # whatever the others are
            return Reading("abnormal")
        return _joined([self._read_part(part) for part in parts])

    def _read_part(self, part: str) -> Reading:
        label = self._named(part)
        if label is None and canonical(part) in UNSURE:
            return Reading(self.unsure, "" if self.unsure else "uncertain label")
        return Reading(label or self._by_exclusion(part))

    def _named(self, word: str) -> Label | None:
        """Return the label of a word that the options name."""
        form = canonical(word)
        if form in self.abnormal:
            return "abnormal"
        return "normal" if form in self.normal else None

    def _by_exclusion(self, word: str) -> Label:
        form = canonical(word)
        if self.normal and self.abnormal:
            raise DataError(f"'{word}' is in neither --normal-class nor --abnormal-class", "name it in one of them")
        if self.abnormal and form in PLAINLY_ABNORMAL:
            raise DataError(f"'{word}' would count as normal, as --abnormal-class does not name it", "name it there")
        if self.normal and form in PLAINLY_NORMAL:
            raise DataError(f"'{word}' would count as abnormal, as --normal-class does not name it", "name it there")
        if self.normal or self.abnormal:
            return "abnormal" if self.normal else "normal"
        return self._by_name(word)

    def _by_name(self, word: str) -> Label:
        form = canonical(word)
        if self.inverted:
            form = ANSWERS.get(form, form)
        if form in NORMAL_NAMES:
            return "normal"
        if form in ABNORMAL_NAMES:
            return "abnormal"
        raise DataError(
            f"'{word}' is neither normal nor abnormal", "name the classes with --abnormal-class or --normal-class"
        )


def _joined(parts: list[Reading]) -> Reading:
    """Return what a cell of several findings means: abnormal if any is, else uncertain if any is."""
    for label in ("abnormal", None):
        found = next((part for part in parts if part.label == label), None)
        if found:
            return found
    return parts[0]


BY_NAME = LabelRules()


def tells_label(name: str) -> bool:
    """Return whether a class's name says by itself which label it is."""
    return canonical(name) in NORMAL_NAMES | ABNORMAL_NAMES


def count_words(words: Iterable[str], rules: LabelRules) -> list[WordCount]:
    """Return every word with its number and what it means, the most frequent first.

    Raises:
        DataError: a word is not understood.
    """
    counted = Counter(words).items()
    return [WordCount(word, n, rules.read(word)) for word, n in sorted(counted, key=lambda each: (-each[1], each[0]))]


def misspelt(words: Iterable[str], rules: LabelRules) -> list[tuple[str, str]]:
    """Return words that the options do not name, each with a word that they name and that it nearly is."""
    named = [name for name in rules.normal | rules.abnormal if len(name) >= LONG_ENOUGH]
    others = sorted({canonical(word) for word in words} - rules.normal - rules.abnormal)
    pairs = ((word, difflib.get_close_matches(word, named, 1, SIMILAR)) for word in others if len(word) >= LONG_ENOUGH)
    return [(word, near[0]) for word, near in pairs if near]


def check_minus_one(words: Iterable[str], rules: LabelRules, *, decided: bool) -> None:
    """Refuse `-1` beside `1` alone: it may mean uncertain (CheXpert) or negative (machine learning).

    Where values are missing as well, as in CheXpert and MIMIC-CXR, it means uncertain.

    Args:
        words: all that stand in the column.
        rules: as the options give them.
        decided: whether the options say what uncertain images are.

    Raises:
        DataError: it is not clear which.
    """
    forms = {canonical(word) for word in words}
    named = rules.normal | rules.abnormal
    if forms == {"-1", "1"} and "-1" not in named and not decided:
        raise DataError(
            "the labels are -1 and 1 alone: -1 may mean uncertain or normal",
            "name it with --normal-class=-1, or say what uncertain is with --unsure-label",
        )
