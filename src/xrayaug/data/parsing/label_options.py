"""Labels by the options: `--normal-class`, `--abnormal-class` and the like as rules, and warnings about their use."""

from collections.abc import Iterable, Sequence

from xrayaug.data.parsing import labels
from xrayaug.data.parsing.labels import LabelRules, WordCount
from xrayaug.errors import DataError
from xrayaug.options import Prepare

MAX_NAMES_SHOWN = 20  # classes in a message; sets of findings have hundreds of combinations


def rules_from_options(options: Prepare, words: Iterable[str], *, inverted: bool = False) -> LabelRules:
    """Return the rules by which words become labels, from `--normal-class`, `--abnormal-class` and other options.

    Args:
        options: options of prepare.
        words: the words that occur.
        inverted: True if yes means normal.

    Raises:
        DataError: a named class does not occur, or is named as both: a typing error would make all images normal.
    """
    present = sorted(set(words))
    normal, abnormal = (
        _parse_class_option(getattr(options, name), present, name) for name in ("normal_class", "abnormal_class")
    )  # fmt: skip
    for name in sorted(normal & abnormal):
        raise DataError(f"the class '{name}' is named as normal and as abnormal", "leave out one")
    unsure = None if options.unsure_label == "skip" else options.unsure_label
    rules = LabelRules(normal, abnormal, options.empty_label, unsure, inverted)
    labels.check_minus_one(present, rules, decided=options.unsure_label is not None)
    return rules


def label_warnings(words: Sequence[WordCount], rules: LabelRules) -> list[str]:
    """Return warnings on words that were read as labels: misspelled ones, and those whose images are left out."""
    warnings = [
        f"'{word}' is not '{name}', which is named, and counts as {rules.read(word).label or 'left out'}"
        for word, name in labels.find_misspellings((count.word for count in words), rules)
    ]
    excluded = [count for count in words if count.reading.label is None]
    warnings += [
        f"{count.count} labels are {repr(count.word) if count.word else 'empty'}, so their images are left out: "
        f"{count.reading.reason}"
        for count in excluded[:MAX_NAMES_SHOWN]
    ]
    return warnings


def _parse_class_option(value: str | None, words: list[str], option: str) -> frozenset[str]:
    """Return the classes that an option names, in canonical form; a name may itself hold a comma."""
    if value is None:
        return frozenset()
    known = {labels.canonical(part) for word in words for part in (word, *labels.findings(word))}
    names = [value] if labels.canonical(value) in known else value.split(",")
    for name in names:
        if labels.canonical(name) not in known:
            classes = [word for word in words if word]
            flag = f"--{option.replace('_', '-')}"
            raise DataError(f"no class is called '{name.strip()}'; there are {_format_names(classes)}", f"check {flag}")
    return frozenset(map(labels.canonical, names))


def _format_names(names: list[str]) -> str:
    """Return the names joined by commas, at most `MAX_NAMES_SHOWN` of them."""
    return ", ".join(names[:MAX_NAMES_SHOWN]) + (
        f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    )
