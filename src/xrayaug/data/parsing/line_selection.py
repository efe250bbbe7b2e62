"""Selection of a list's lines by the conditions of `--only`."""

from collections.abc import Iterable

from xrayaug.data.parsing import labels
from xrayaug.errors import DataError, UsageError
from xrayaug.storage.csvfile import Line, Sheet


def select_lines(sheet: Sheet, conditions: Iterable[str]) -> list[Line]:
    """Return the lines that meet all conditions: `COLUMN=VALUE`, `COLUMN=VALUE|VALUE` or `COLUMN!=VALUE`.

    Raises:
        UsageError: a condition is not of one of these forms.
        DataError: a column or value of a condition does not occur, or no line meets all conditions.
    """
    lines = sheet.lines
    for condition in conditions:
        name, separator, value = (part.strip() for part in condition.partition("="))
        is_exclusion = name.endswith("!")
        name = name.removesuffix("!").rstrip()
        if not (name and separator):
            raise UsageError(f"--only {condition} is no condition", "write COLUMN=VALUE, as in --only hand=1")
        place = sheet.column([name])
        if place is None:
            titles = ", ".join(sheet.header)
            raise DataError(f"{sheet.path} has no column '{name}'; there are {titles}", "check --only")
        values = {labels.canonical(part) for part in (value, *value.split("|"))}
        present = {labels.canonical(line.cell(place)) for line in sheet.lines}
        unknown = [part for part in value.split("|") if labels.canonical(part) not in present]
        if unknown and labels.canonical(value) not in present:
            raise DataError(f"no line of {sheet.path} has {name}={unknown[0]}", "check --only for a typing error")
        lines = [line for line in lines if (labels.canonical(line.cell(place)) in values) != is_exclusion]
        if not lines:
            raise DataError(
                f"no line of {sheet.path} has {condition}", "several values of a column: COLUMN=VALUE|VALUE"
            )
    return lines
