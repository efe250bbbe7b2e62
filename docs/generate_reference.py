"""Write `reference/commands.md` from the program's own options; `make reference` runs it, and a test compares.

Everything that this page knows of the program is in `options_of`: the rest only formats it.
"""

import dataclasses
import re
import shlex
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from xrayaug.options import COMMANDS
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
TYPES = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH", bool: ""}


@dataclass(frozen=True)
class Option:
    """One option of a command as the page shows it."""

    name: str  # a field of the command's dataclass
    flag: str  # `--batch-size`, or `RUNS` for an argument without a flag
    value: str  # what follows the flag: choices, a placeholder, or nothing for a switch
    default: str
    bounds: str
    help: str
    panel: str


def options_of(command: type[Command]) -> list[Option]:
    """Return the options of a command, in the order in which its help lists them."""
    hints = get_type_hints(command)
    fields = {field.name: field for field in dataclasses.fields(command)}
    return [_option(fields[name], hints[name]) for name in _order(command)]


def _order(command: type[Command]) -> list[str]:
    """Return the names of the fields: arguments, required options, the command's own, those of all commands."""
    shared = [field.name for field in dataclasses.fields(Command)]
    fields = dataclasses.fields(command)

    def rank(field: "dataclasses.Field[Any]") -> tuple[bool, bool, bool, int]:
        is_shared = field.name in shared
        has_default = field.default is not dataclasses.MISSING
        return not field.metadata["positional"], has_default, is_shared, shared.index(field.name) if is_shared else 0

    return [field.name for field in sorted(fields, key=rank)]


def _option(field: "dataclasses.Field[Any]", hint: Any) -> Option:
    metadata = field.metadata
    flag = "--" + field.name.replace("_", "-")
    if metadata["positional"]:
        flag = field.name.upper()
    elif field.default is True:
        flag = f"{flag}, --no-{flag[2:]}"
    return Option(
        name=field.name,
        flag=flag,
        value="" if metadata["positional"] else metadata.get("metavar") or _value(metadata.get("choices"), hint),
        default=_default(field),
        bounds=_bounds(metadata),
        help=metadata["help"],
        panel=str(metadata.get("panel") or ""),
    )


def _value(choices: Any, hint: Any) -> str:
    """Return what a value looks like: the choices, or a word for the type."""
    alternatives = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    kinds = [kind for kind in alternatives if kind is not type(None)]
    if choices:
        several = any(get_origin(kind) is tuple for kind in kinds)
        return f"{'|'.join(choices)}{',...' if several else ''}"
    texts = []
    for kind in kinds:
        if get_origin(kind) is Literal:
            texts.append("|".join(str(value) for value in get_args(kind)))
        elif get_origin(kind) is tuple:
            texts.append(f"{TYPES.get(get_args(kind)[0], 'VALUE')},...")
        else:
            texts.append(TYPES.get(kind, "VALUE"))
    return "|".join(text for text in texts if text)


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    value = field.default
    if value is None and field.metadata.get("default_text"):
        return str(field.metadata["default_text"])
    if value is None or isinstance(value, bool):
        return {None: "", False: "off", True: "on"}[value]
    if isinstance(value, tuple):
        return ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


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
