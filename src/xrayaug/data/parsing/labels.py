"""Words in place of labels, read as normal or abnormal, or left out.

A cell of a label column, or the name of a class's directory, is compared as written, except for case, the space
around it, and `1.0`, which is `1` as saved by a spreadsheet with empty cells. `-1` is not `1`. Missing values are
those of pandas and Excel.
"""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from xrayaug.errors import DataError
from xrayaug.options.choices import Label

NORMAL_NAMES = frozenset(
    {"normal", "negative", "neg", "healthy", "unremarkable", "no", "n", "false", "0", "not fractured",
     "non fractured", "no fracture", "no finding", "no findings", "not abnormal", "non abnormal"}
)  # fmt: skip
ABNORMAL_NAMES = frozenset(
    {"abnormal", "positive", "pos", "fracture", "fractured", "diseased", "yes", "y", "true", "1", "not normal",
     "non normal"}
)  # fmt: skip
FINDING_NAMES = frozenset({"fracture", "fractured"})  # may be normal where another finding is judged
# Answers to a column's name, each with its opposite: swapped where the name means normal (`No Finding`: 1).
ANSWERS = {"0": "1", "no": "yes", "n": "y", "false": "true", "negative": "positive", "neg": "pos"}
ANSWERS |= {yes: no for no, yes in ANSWERS.items()}

MISSING = frozenset(
    {"", "-", "--", ".", "[]", "['']", "{}", "na", "n/a", "n.a.", "<na>", "nan", "-nan", "null", "[null]", "none",
     "nil", "missing", "unknown",
     "not available", "not applicable", "not done", "undefined", "unlabeled", "unlabelled", "pending", "tbd",
     "#n/a", "#n/a n/a", "#na", "#null!", "#value!", "#ref!", "#name?", "#div/0!", "#num!",
     "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}
)  # fmt: skip
UNSURE = frozenset(  # -1: CheXpert, MIMIC-CXR
    {"-1", "?", "uncertain", "unsure", "equivocal", "indeterminate", "inconclusive", "maybe", "possible",
     "questionable", "borderline"}
)  # fmt: skip

NUMBER = re.compile(r"([+-]?)([0-9]+)(?:\.0+)?")
NUMERIC = re.compile(r"[+-]?[0-9]+(?:[.][0-9]+)?")
BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_])[-_]+(?=[^\W\d_])")
FINDINGS = re.compile(r"[|;,、，；]")  # separators of the findings in one cell
BETWEEN_WORDS = re.compile(r"(?<=[^\W\d])\s*[/+&]\s*(?=[^\W\d])|\s+and\s+", re.IGNORECASE)  # `Mass/Nodule`, not `1+`
IN_QUOTES = re.compile(r"'([^']*)'|\"([^\"]*)\"")  # in lists as Python and NumPy print them
CAPITALS = re.compile(r"(?<=[a-z])(?=[A-Z])")
WORD = re.compile(r"[^\W_]+")
NEGATIONS = ("no", "non", "not", "without")

# Words of the titles of columns. Yes means normal only where a title holds nothing but words that say so.
FILLERS = frozenset(
    {"is", "has", "label", "class", "target", "patient", "image", "x", "ray", "xray", "exam", "flag", "y"}
)
SAY_NORMAL = frozenset(
    {"normal", "normals", "normality", "norm", "healthy", "negative", "unremarkable", "unfractured", "nonfractured",
     "nofinding", "nofindings", "nofracture", "isnormal", "ishealthy", "control", "intact", "gesund", "unauffällig",
     "normalbefund", "negativ", "negativo", "sain", "sano", "sana", "sani", "normale", "正常", "健康", "норма"}
)  # fmt: skip
SAY_ABNORMAL = frozenset(
    {"abnormal", "abnormality", "abnormalities", "finding", "findings", "disease", "diseased", "pathology", "fracture",
     "fractures", "fractured", "positive", "sick", "ill"}
)  # fmt: skip
# A title with one of these words leaves open what yes means.
UNCLEAR = frozenset(
    {"no", "non", "not", "without", "free", "absence", "absent", "vs", "versus", "or", "benign", "kein", "keine",
     "ohne", "sin", "sans", "senza", "нет", "без"}
)  # fmt: skip
MIN_SIMILARITY = 0.84  # ratio of two words by difflib: one wrong letter in six, or another ending
MIN_WORD_LENGTH = 4  # letters of a word that may be a misspelling


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
    if text[:1] + text[-1:] in ("[]", "{}", "()"):
        text = text[1:-1]
        quoted = ["".join(found) for found in IN_QUOTES.findall(text)]
        text = "|".join(quoted) or text
    names = (part.strip().strip("'\"").strip() for part in FINDINGS.split(text))
    parts = (part for name in names if not is_missing(name) for part in BETWEEN_WORDS.split(name))
    return tuple(part for part in parts if not is_missing(part))


def yes_means_normal(column: str) -> bool | None:
    """Return whether yes in a column of that name means normal, as in `No Finding`; None if that is not clear."""
    words = [word.casefold() for word in WORD.findall(CAPITALS.sub(" ", column))]
    words = [word for word in words if word not in FILLERS]
    is_negated = len(words) == 2 and words[0] in NEGATIONS  # `No. of fractures`, `Non-displaced fracture` are unclear
    if is_negated and words[1] in SAY_ABNORMAL | SAY_NORMAL:
        return words[1] in SAY_ABNORMAL
    if words and SAY_NORMAL.issuperset(words):
        return True
    explains = any(sign in column for sign in "=:")  # `label (0 = abnormal)`
    return False if (SAY_NORMAL | UNCLEAR).isdisjoint(words) and not explains else None


@dataclass(frozen=True)
class LabelReading:
    """The meaning of a word as a label."""

    label: Label | None  # None: the image is left out
    reason: str = ""  # reason to leave it out


@dataclass(frozen=True)
class WordCount:
    """A word as written, its number of images or lines, and its meaning."""

    word: str
    count: int
    reading: LabelReading

    def to_dict(self) -> dict[str, str | int]:
        """Return the fields that the manifest keeps."""
        return {
            "word": self.word,
            "count": self.count,
            "label": self.reading.label or f"left out: {self.reading.reason}",
        }


@dataclass(frozen=True)
class LabelRules:
    """Rules by which words become labels: by the options where those name classes, else by the words themselves.

    Where only normal or only abnormal classes are named, all other words mean the other label, except words that are
    missing, unsure, or clearly of the named label.
    """

    normal: frozenset[str] = frozenset()  # in canonical form
    abnormal: frozenset[str] = frozenset()
    empty: Label | None = None  # label of missing words; None leaves their images out
    unsure: Label | None = None  # label of uncertain words; None leaves their images out
    inverted: bool = False  # yes in this column means normal

    def read(self, word: str) -> LabelReading:
        """Return the meaning of a word, or of a cell of several findings.

        Raises:
            DataError: neither the options nor the word itself say which label it means.
        """
        whole = self._named(word)
        if whole is not None:
            return LabelReading(whole)
        if is_missing(word):
            return LabelReading(self.empty, "" if self.empty else "no label")
        parts = findings(word) or (word,)
        if len(parts) > 1 and all(NUMERIC.fullmatch(part) for part in parts) and "," in word:
            raise DataError(
                f"'{word}' may be one number with a comma or several classes",
                "write whole numbers, such as 1 and 0, or a decimal point; or one class in a cell",
            )
        if any(self._named(part) == "abnormal" for part in parts):  # whatever the others are
            return LabelReading("abnormal")
        return _combine([self._read_part(part) for part in parts])

    def names_other_finding(self, word: str) -> bool:
        """Return whether a word counts as normal only because it names a finding other than those judged."""
        forms = {canonical(part) for part in findings(word)}
        return bool(self.abnormal and not self.normal and forms) and forms.isdisjoint(NORMAL_NAMES | ANSWERS.keys())

    def _read_part(self, part: str) -> LabelReading:
        label = self._named(part)
        if label is None and canonical(part) in UNSURE:
            return LabelReading(self.unsure, "" if self.unsure else "uncertain label")
        return LabelReading(label or self._by_exclusion(part))

    def _named(self, word: str) -> Label | None:
        """Return the label of a word that the options name."""
        form = canonical(word)
        if form in self.abnormal:
            return "abnormal"
        return "normal" if form in self.normal else None

    def _by_exclusion(self, word: str) -> Label:
        """Return the label of a word that the options do not name."""
        named = self.normal or self.abnormal
        if not named:
            return self._by_name(word)
        if self.normal and self.abnormal:
            raise DataError(f"'{word}' is in neither --normal-class nor --abnormal-class", "name it in one of them")
        option, other = ("--normal-class", "abnormal") if self.normal else ("--abnormal-class", "normal")
        form = canonical(word)
        if self._says_the_opposite(form):
            raise DataError(f"'{word}' would count as {other}, as {option} does not name it", "name it there, or both")
        near = next((name for name in sorted(named) if _contains(form, name)), "")
        if near:
            raise DataError(
                f"'{word}' holds '{near}', which {option} names, and would count as {other}",
                f"name it too: {option}, or the other classes with the other option",
            )
        return "abnormal" if self.normal else "normal"

    def _says_the_opposite(self, form: str) -> bool:
        """Return whether a word by itself means the opposite of the label that exclusion gives it.

        Numbers, yes and no mean nothing by themselves where such words are named as classes, as with grades.
        """
        named = self.normal | self.abnormal
        if form in ANSWERS and any(name in ANSWERS or NUMERIC.fullmatch(name) for name in named):
            return False
        if self.normal:
            return form in NORMAL_NAMES
        is_general = self.abnormal <= ABNORMAL_NAMES - FINDING_NAMES
        return form in (ABNORMAL_NAMES if is_general else ABNORMAL_NAMES - FINDING_NAMES)

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


def _contains(form: str, name: str) -> bool:
    """Return whether a word contains a name, other than negated (`no effusion`)."""
    if form in [f"{negation} {name}" for negation in NEGATIONS]:
        return False
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", form) is not None and not NUMERIC.fullmatch(name)


def _combine(parts: list[LabelReading]) -> LabelReading:
    """Return the meaning of a cell of several findings: abnormal if any is, else uncertain if any is."""
    for label in ("abnormal", None):
        reading = next((part for part in parts if part.label == label), None)
        if reading:
            return reading
    return parts[0]


DEFAULT_RULES = LabelRules()


def is_label_name(name: str) -> bool:
    """Return whether the name of a class is normal or abnormal by itself."""
    return canonical(name) in NORMAL_NAMES | ABNORMAL_NAMES


def count_words(words: Iterable[str], rules: LabelRules) -> list[WordCount]:
    """Return all words with their counts and meanings, the most frequent first.

    Raises:
        DataError: a word is not understood.
    """
    counted = Counter(words).items()
    return [
        WordCount(word, n, rules.read(word)) for word, n in sorted(counted, key=lambda entry: (-entry[1], entry[0]))
    ]


def find_misspellings(words: Iterable[str], rules: LabelRules) -> list[tuple[str, str]]:
    """Return words that the options do not name, each with a similar word that they do name."""
    named = [name for name in rules.normal | rules.abnormal if len(name) >= MIN_WORD_LENGTH]
    known = rules.normal | rules.abnormal | NORMAL_NAMES | ABNORMAL_NAMES
    others = sorted({canonical(part) for word in words for part in findings(word)} - known)
    pairs = (
        (word, difflib.get_close_matches(word, named, 1, MIN_SIMILARITY))
        for word in others
        if len(word) >= MIN_WORD_LENGTH
    )
    return [(word, near[0]) for word, near in pairs if near and not word.startswith(tuple(f"{n} " for n in NEGATIONS))]


def check_minus_one(words: Iterable[str], rules: LabelRules, *, decided: bool) -> None:
    """Check that `-1` has a clear meaning: without normal labels, it may mean uncertain (CheXpert) or negative.

    Args:
        words: the words of the column.
        rules: rules for labels, from the options.
        decided: True if the options give the label of uncertain images.

    Raises:
        DataError: the meaning of `-1` is not clear.
    """
    present = set(words)
    if decided or "-1" not in {canonical(word) for word in present} - rules.normal - rules.abnormal:
        return
    try:
        has_normal = any(rules.read(word).label == "normal" for word in present)
    except DataError:  # such a word is refused elsewhere, with its line
        return
    if not has_normal:
        raise DataError(
            "labels are -1 and none is normal: -1 may mean uncertain or normal",
            "name it with --normal-class=-1, or say what uncertain is with --unsure-label",
        )
