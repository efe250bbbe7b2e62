"""Write `reference/commands.md` from the program's own options; `make reference` runs it, and a test compares.

Everything that this page knows of the program is in `options_of`: the rest only formats it.
"""

import dataclasses
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from xrayaug.options import COMMANDS
from xrayaug.options import help as option_help
from xrayaug.options.base import Command, Panel

FILE = Path(__file__).parent / "reference" / "commands.md"
INTRODUCTION = """\
# Commands and options

<!-- Written by docs/generate_reference.py from the program itself: `make reference`. Do not edit. -->

Every command takes the options of its own table. Paths may be absolute or relative to the working directory; lists are
separated by commas. `xrayaug COMMAND --help` shows the same text in a terminal, and `xrayaug --version` the version.

Results go to standard output; progress, warnings and errors go to standard error. The exit code is

| code | meaning |
|---|---|
| 0 | the work is done |
| 1 | an error that you can mend, described in one line; also a verdict that `--fail-unless` does not accept |
| 2 | wrong usage: an unknown option, or a value that is not allowed |
| 75 | stopped early on purpose (SIGTERM, SIGUSR1, `--max-minutes`), everything saved: run the same command again |
| 130 | stopped by Ctrl-C, everything saved; a second Ctrl-C ends the program at once |
"""
FLAG = re.compile(r"(?<![\w`-])(--[a-z][a-z0-9-]*)")
PANELS = [str(panel) for panel in Panel]


@dataclass(frozen=True)
class Option:
    """One option of a command as the page shows it."""

    name: str  # a field of the command's dataclass
    flag: str  # `--batch-size`, or `RUN...` for an argument without a flag
    value: str  # what follows the flag: choices, a placeholder, or nothing for a switch
    default: str
    bounds: str
    help: str
    panel: str


def options_of(command: type[Command]) -> list[Option]:
    """Return the options of a command, in the order in which its help lists them."""
    hints = get_type_hints(command)
    return [_option(field, hints[field.name]) for field in sorted(command.option_fields(), key=option_help.order)]


def _option(field: "dataclasses.Field[Any]", hint: Any) -> Option:
    is_argument = field.metadata["positional"]
    default = "required" if field.default is dataclasses.MISSING else option_help.default_text(field) or "off"
    return Option(
        name=field.name,
        flag=option_help.metavar(field, hint) if is_argument else ", ".join(option_help.flags(field)),
        value="" if is_argument else _value(field, hint),
        default=default,
        bounds=_bounds(field.metadata),
        help=field.metadata["help"],
        panel=str(field.metadata["panel"]),
    )


def _value(field: "dataclasses.Field[Any]", hint: Any) -> str:
    """Return what a value looks like: the choices, however many, or else the placeholder."""
    words = option_help.choices(field, hint)
    if field.metadata["metavar"] and field.metadata["parse"]:
        return f"{'|'.join(words)},..." if words else option_help.metavar(field, hint)
    return "|".join(words) or option_help.metavar(field, hint)


def _bounds(metadata: Any) -> str:
    minimum, maximum, above = (metadata.get(name) for name in ("minimum", "maximum", "above"))
    parts = [
        *([f"at least {minimum:g}"] if minimum is not None else []),
        *([f"more than {above:g}"] if above is not None else []),
        *([f"at most {maximum:g}"] if maximum is not None else []),
    ]
    return ", ".join(parts)


def _cell(text: str) -> str:
    """Return text for a cell of a table: MyST reads `|`, `<`, `{`, `*` and `_` otherwise."""
    for character in "\\|<*_":
        text = text.replace(character, "\\" + character)
    return FLAG.sub(r"`\1`", text)


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`" if text else ""


def _row(option: Option) -> str:
    flags = ", ".join(_code(flag) for flag in option.flag.split(", "))
    is_value = option.default not in ("", "required") and " " not in option.default
    default = _code(option.default) if is_value else _cell(option.default)
    text = _cell(option.help) + (f" ({option.bounds})" if option.bounds else "")
    cells = [f"{flags} {_code(option.value)}".strip(), default, text]
    return "| " + " | ".join(cells) + " |"


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION]
    for name, command in COMMANDS.items():
        example = shlex.join(shlex.split(command.example))
        summary = (command.__doc__ or "").strip().splitlines()[0]
        parts.append(f"## {name}\n\n{_cell(summary)}\n\n```\n{example}\n```\n")
        panels: dict[str, list[Option]] = {}
        for option in options_of(command):
            panels.setdefault(option.panel, []).append(option)
        for panel, options in sorted(panels.items(), key=lambda item: PANELS.index(item[0])):
            title = f"**{panel}**\n\n" if panel else ""
            rows = "\n".join(_row(option) for option in options)
            parts.append(f"{title}| option | default | meaning |\n|---|---|---|\n{rows}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
