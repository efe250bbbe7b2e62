"""Sets of many findings: what is said of an image, and how that becomes normal or abnormal.

`--finding` chooses which findings count as abnormal. Uncertain findings, images with other findings only and images on
which nothing is said are left out unless an option gives them a label. Where several readers judge an image, each
reader's answer is read by these rules, and the answer of more than half of them counts.
"""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from xrayaug.data.parsing import labels
from xrayaug.data.parsing.labels import LabelReading
from xrayaug.errors import DataError
from xrayaug.options import Prepare
from xrayaug.options.choices import Label

POSITIVE, NEGATIVE, UNCERTAIN, UNSAID = "1", "0", "-1", ""  # codes of the CheXpert labeler, and of many lists
NO_FINDING = "no finding"  # a column of that name says that there is none
MAX_NAMES_SHOWN = 30  # findings in a message

NO_LABEL = "no label"
UNSURE = "uncertain label"
OTHERS_ONLY = "other findings only"
CONTRADICTION = "says both that there is no finding and that there is one"
NO_MAJORITY = "no answer has more than half of the readers"


@dataclass(frozen=True, slots=True)
class Statement:
    """What one reader, or the one label of a set, says of an image."""

    positive: frozenset[str] = frozenset()  # findings that there are
    uncertain: frozenset[str] = frozenset()  # findings that there may be
    negative: frozenset[str] = frozenset()  # findings that are said not to be there
    is_clear: bool = False  # says that there is no finding at all
    excluded: str = ""  # reason for which the set itself leaves the image out


def from_codes(cells: Mapping[str, str], location: str) -> Statement:
    """Return the statement of a line with one column per finding: 1, 0, -1 (uncertain) or empty.

    Args:
        cells: name of the finding -> cell.
        location: list and number of the line, for messages.

    Raises:
        DataError: a cell is none of these codes.
    """
    found: dict[str, set[str]] = {POSITIVE: set(), NEGATIVE: set(), UNCERTAIN: set(), UNSAID: set()}
    is_clear = False
    for name, cell in cells.items():
        code = UNSAID if labels.is_missing(cell) and cell != "-" else labels.canonical(cell)
        if code not in found:
            raise DataError(
                f"{location}: '{cell}' in column '{name}' is none of 1 (there), 0 (not), -1 (uncertain) and empty",
                "write whole numbers without decimals, or take the set's own copy of the list",
            )
        if labels.canonical(name) == NO_FINDING:
            is_clear = code == POSITIVE
        else:
            found[code].add(name)
    positive, uncertain, negative = (frozenset(found[code]) for code in (POSITIVE, UNCERTAIN, NEGATIVE))
    return Statement(positive, uncertain, negative, is_clear)


def merge(statements: Sequence[Statement]) -> Statement:
    """Return what several lines of one image say together: a finding is there if any line names it.

    Where one line says that there is no finding and another names one, the statement contradicts itself.
    """
    if len(statements) == 1:
        return statements[0]
    positive = frozenset[str]().union(*(each.positive for each in statements))
    uncertain = frozenset[str]().union(*(each.uncertain for each in statements)) - positive
    negative = frozenset[str]().union(*(each.negative for each in statements)) - positive - uncertain
    excluded = next((each.excluded for each in statements if each.excluded), "")
    return Statement(positive, uncertain, negative, any(each.is_clear for each in statements), excluded)


@dataclass(frozen=True)
class Answer:
    """The label that a statement gives an image, and a phrase that says why, for the table of labels."""

    phrase: str
    reading: LabelReading


@dataclass(frozen=True)
class FindingRules:
    """Rules by which statements become labels.

    Where no finding is chosen, any finding makes an image abnormal, except those in `harmless`.
    """

    names: frozenset[str]  # all findings of the set
    chosen: frozenset[str] = frozenset()
    harmless: frozenset[str] = frozenset()  # no diseases, such as devices: they never decide unless chosen
    others: Label | None = None  # label of images with other findings only; None leaves them out
    unsure: Label | None = None  # label of images on which a chosen finding is uncertain; None leaves them out
    empty: Label | None = None  # label of images on which nothing is said; None leaves them out

    def read(self, statement: Statement) -> Answer:
        """Return the label of an image by one statement."""
        judged = self.chosen or self.names - self.harmless
        name = " or ".join(sorted(self.chosen)) or "a finding"
        others = (statement.positive | statement.uncertain) - judged - self.harmless
        contradicts = statement.is_clear and bool(statement.positive & judged - self.harmless or others)
        cases = (  # the first that applies decides
            (bool(statement.excluded), statement.excluded, LabelReading(None, statement.excluded)),
            (contradicts, "no finding, and a finding", LabelReading(None, CONTRADICTION)),
            (bool(statement.positive & judged), name, LabelReading("abnormal")),
            (bool(statement.uncertain & judged), f"{name}: uncertain", _decided(self.unsure, UNSURE)),
            (statement.is_clear, "no finding", LabelReading("normal")),
            (bool(others), OTHERS_ONLY, _decided(self.others, OTHERS_ONLY)),
            (bool(judged) and judged <= statement.negative, f"{name}: negative", LabelReading("normal")),
        )
        nothing = Answer("nothing is said", _decided(self.empty, NO_LABEL))
        return next((Answer(phrase, reading) for applies, phrase, reading in cases if applies), nothing)

    def describe(self) -> str:
        """Return a sentence on what counts as abnormal, and what happens to images with other findings only."""
        if not self.chosen:
            ignored = f" (not {', '.join(sorted(self.harmless))})" if self.harmless & self.names else ""
            return f"any finding counts as abnormal{ignored}: --finding chooses"
        others = f"count as {self.others}" if self.others else "are left out (--other-findings gives them a label)"
        rest = f"; images with other findings only {others}" if self.names - self.chosen - self.harmless else ""
        return f"abnormal is {' or '.join(sorted(self.chosen))}{rest}"


def _decided(label: Label | None, reason: str) -> LabelReading:
    return LabelReading(label, "" if label else reason)


def vote(answers: Sequence[Answer]) -> Answer:
    """Return the answer of more than half of the readers; an image without one is left out."""
    if len(answers) == 1:
        return answers[0]
    (reading, count), *_ = Counter(answer.reading for answer in answers).most_common()
    if 2 * count <= len(answers):
        return Answer(NO_MAJORITY, LabelReading(None, NO_MAJORITY))
    return next(answer for answer in answers if answer.reading == reading)


def rules_from_options(
    options: Prepare, names: Iterable[str], default: Iterable[str] = (), harmless: Iterable[str] = ()
) -> FindingRules:
    """Return the rules that the options give for a set of these findings.

    Args:
        options: options of prepare.
        names: all findings of the set.
        default: those that count as abnormal without `--finding`; none for any finding.
        harmless: those that are no diseases.

    Raises:
        DataError: `--finding` names no finding of the set.
    """
    known = frozenset(names)
    by_form: defaultdict[str, set[str]] = defaultdict(set)  # names that differ in case and spaces alone are one
    for name in known:
        by_form[labels.canonical(name)].add(name)
    wanted = options.finding if options.finding is not None else tuple(default)
    for name in wanted:
        if labels.canonical(name) not in by_form:
            raise _unknown(name, by_form)
    return FindingRules(
        known,
        frozenset(each for name in wanted for each in by_form[labels.canonical(name)]),
        frozenset(harmless),
        None if options.other_findings == "skip" else options.other_findings,
        None if options.unsure_label == "skip" else options.unsure_label,
        options.empty_label,
    )


def _unknown(name: str, by_form: Mapping[str, Iterable[str]]) -> DataError:
    near = difflib.get_close_matches(labels.canonical(name), by_form, 1)
    names = sorted(map(min, by_form.values()), key=str.casefold)
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    hint = f"did you mean '{min(by_form[near[0]])}'?" if near else "check --finding for a typing error"
    return DataError(f"no finding is called '{name}'; there are {', '.join(names[:MAX_NAMES_SHOWN])}{more}", hint)
