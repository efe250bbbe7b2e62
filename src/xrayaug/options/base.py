"""The base class of all commands: a frozen dataclass with one field for each option.

`cli.py` turns the fields into flags. The manifest of a result records those that decide it (`identity`) and those that
name an input (`inputs`). `experiment` writes commands as shell lines (`argv`).
"""

import dataclasses
import enum
import math
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, get_args, get_type_hints

from xrayaug.errors import UsageError
from xrayaug.runtime.stopping import format_number

PAIR = re.compile(r"(\d{1,12})\s*,\s*(\d{1,12})")


class Role(enum.Enum):
    """The effect of an option on the result of a command."""

    SETTING = "setting"  # decides the result: another value gives another artifact
    INPUT = "input"  # names what is read: its content decides the result, not its path
    EXECUTION = "execution"  # where and how the command runs and what it prints; never changes the result


class Panel(enum.StrEnum):
    """The panels of `--help`, in the order in which they are shown; the value is the title."""

    COMMON = "Options"
    DATA = "Data"
    MODEL = "Model"
    TRAINING = "Training"
    SAMPLING = "Sampling"
    EVALUATION = "Evaluation"
    OUTPUT = "Output"
    EXECUTION = "Execution"
    SLURM = "SLURM"


def option(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
    role: Role = Role.SETTING,
    panel: Panel | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    choices: Sequence[str] | None = None,
    positional: bool = False,
    metavar: str | None = None,
    parse: Callable[[str], Any] | None = None,
    default_text: str | None = None,
) -> Any:
    """Declare one option of a command, which is a field of its dataclass.

    Args:
        default: the value if the option is not given; without one, the option is required.
        help: one or more sentences for `--help`.
        role: the effect on the result.
        panel: the panel of `--help`; by default `EXECUTION` for options of that role, else `COMMON`.
        minimum: the smallest number that is allowed.
        maximum: the largest number that is allowed.
        above: a bound that a number must exceed.
        choices: the words that are allowed, if they are not those of a `Literal` type.
        positional: True for an argument without a flag.
        metavar: the placeholder for the value in `--help`.
        parse: converts the text of the command line to the value.
        default_text: the default as `--help` shows it, if `default` is None and stands for another value.
    """
    if panel is None:
        panel = Panel.EXECUTION if role is Role.EXECUTION else Panel.COMMON
    metadata = {
        "help": help,
        "role": role,
        "panel": panel,
        "minimum": minimum,
        "maximum": maximum,
        "above": above,
        "choices": choices,
        "positional": positional,
        "metavar": metavar,
        "parse": parse,
        "default_text": default_text,
    }
    return dataclasses.field(default=default, metadata=metadata)


def redeclare(owner: type, name: str, default: Any = dataclasses.MISSING, **changes: Any) -> Any:
    """Declare an option that another class has, with another default or other settings.

    Args:
        owner: a command or a mixin.
        name: the field of it.
        default: the default; without one, that of the other option.
        changes: arguments of `option` that differ.
    """
    declared = owner.__dataclass_fields__[name]  # type: ignore[attr-defined] # every dataclass has it
    metadata = dict(declared.metadata) | changes
    return dataclasses.field(default=declared.default if default is dataclasses.MISSING else default, metadata=metadata)


def parse_numbers(text: str) -> tuple[float, ...]:
    """Return the numbers of a comma-separated list: ``"0,10,50"`` gives ``(0.0, 10.0, 50.0)``.

    Raises:
        UsageError: a part is not a number, or there is none.
    """
    try:
        values = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        values = ()
    if not values:
        raise UsageError(f"'{text}' is not a list of numbers", "separate them by commas: 0,10,50,100")
    return values


def parse_counts(text: str) -> tuple[int, ...]:
    """Return the whole numbers of a comma-separated list: ``"3,5,8"`` gives ``(3, 5, 8)``.

    Raises:
        UsageError: a part is not a whole number, or there is none.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdecimal() and len(part) <= 9 for part in parts):
        raise UsageError(f"'{text}' is not a list of whole numbers", "separate them by commas: 3,5,8")
    return tuple(int(part) for part in parts)


def parse_words(text: str) -> tuple[str, ...]:
    """Return the words of a comma-separated list: ``"normal, both"`` gives ``("normal", "both")``.

    Raises:
        UsageError: there is none.
    """
    values = tuple(part.strip() for part in text.split(",") if part.strip())
    if not values:
        raise UsageError(f"'{text}' is an empty list", "separate the words by commas")
    return values


def parse_paths(text: str) -> tuple[Path, ...]:
    """Return the paths of a comma-separated list.

    Raises:
        UsageError: there is none.
    """
    return tuple(Path(word) for word in parse_words(text))


def parse_pair(text: str) -> tuple[int, int]:
    """Return a pair of image numbers: ``"3,17"`` gives ``(3, 17)``.

    Raises:
        UsageError: the text is not two non-negative integers.
    """
    match = PAIR.fullmatch(text.strip())
    if not match:
        raise UsageError(f"'{text}' is not two image numbers", "separate them by a comma: 3,17")
    return int(match[1]), int(match[2])


@dataclass(frozen=True, kw_only=True)
class Command:
    """The options that every command has.

    A subclass adds its own, and mixins from `mixins.py` add those that several commands share.
    """

    name: ClassVar[str]
    example: ClassVar[str]
    is_shared: ClassVar[bool] = False  # True if torchrun may start it as several processes that share the work
    reads_raw: ClassVar[bool] = False  # True if it reads files that no manifest describes

    out: Path = option(
        help="Directory to write the result to. It must be empty, absent, or hold this very result.",
        role=Role.EXECUTION,
        panel=Panel.COMMON,
    )
    seed: int = option(0, help="Random seed. On a CPU, the same seed gives the same bytes.", minimum=0)
    overwrite: bool = option(
        False,
        help="Replace the result that an earlier run with other options left in --out.",
        role=Role.EXECUTION,
        panel=Panel.OUTPUT,
    )
    dry_run: bool = option(
        False,
        help="Check all options and inputs, print what would be done, and write nothing.",
        role=Role.EXECUTION,
        panel=Panel.OUTPUT,
    )
    max_minutes: float | None = option(
        None,
        help="Stop after this many minutes with exit code 75 and everything saved. The same command continues.",
        role=Role.EXECUTION,
        above=0,
        default_text="no limit",
    )
    json: bool = option(
        False,
        help="Print the result as one JSON object on standard output.",
        role=Role.EXECUTION,
        panel=Panel.OUTPUT,
    )

    def __post_init__(self) -> None:
        for name, is_list in _path_fields(type(self)).items():  # type: ignore[arg-type] # mypy: a class has no hash
            object.__setattr__(self, name, _to_paths(getattr(self, name), is_list=is_list))
        for field in fields(self):
            _check_bounds(field, getattr(self, field.name))
            _check_choice(field, getattr(self, field.name))

    @classmethod
    def option_fields(cls) -> "list[dataclasses.Field[Any]]":
        """Return every field in the order of manifests and command lines.

        The order is: positional arguments, the command's own options, those of its mixins in the order of its bases,
        those of all commands, `--out`.
        """
        by_name = {field.name: field for field in fields(cls)}
        blocks: list[list[str]] = []
        known: set[str] = set()
        for base in filter(dataclasses.is_dataclass, reversed(cls.__mro__)):  # `Command` first
            blocks.insert(0, [field.name for field in fields(base) if field.name not in known])
            known.update(blocks[0])
        names = [*(name for block in blocks for name in block if name != "out"), "out"]
        return sorted((by_name[name] for name in names), key=lambda field: not field.metadata["positional"])

    @classmethod
    def dependent_defaults(cls, words: Sequence[str]) -> dict[str, str]:
        """Return the defaults that other options decide, as `--help` shows them for a command line of these words.

        The keys are names of fields. A default that is not in the dictionary is shown as declared.
        """
        return {}

    def identity(self) -> dict[str, Any]:
        """Return the settings that decide the result, as JSON values: the manifest's `options`."""
        settings = [field.name for field in self.option_fields() if field.metadata["role"] is Role.SETTING]
        order = ["seed", *(name for name in settings if name != "seed")]
        return {name: _to_json(getattr(self, name)) for name in order}

    @property
    def local_cache(self) -> Path | None:
        """The directory of `--cache` to copy pixels to; None without the option and in a dry run."""
        return None if self.dry_run else getattr(self, "cache", None)

    def parts(self) -> "Sequence[Command]":
        """Return the commands that make one artifact each: this one, unless it makes several."""
        return (self,)

    def is_met_by(self, result: Mapping[str, Any]) -> bool:
        """Return whether a finished result of this command has every optional part that the options ask for."""
        return True

    def inputs(self) -> dict[str, Path]:
        """Return the paths that are read, by name; those of a tuple are named `runs/0`, `runs/1`, ..."""
        paths: dict[str, Path] = {}
        for field in self.option_fields():
            if field.metadata["role"] is not Role.INPUT:
                continue
            value = getattr(self, field.name)
            if isinstance(value, Path):
                paths[field.name] = value
            elif isinstance(value, tuple):
                paths |= {f"{field.name}/{number}": path for number, path in enumerate(value)}
        return paths

    def argv(self) -> list[str]:
        """Return the words after `xrayaug` that make this command; options at their defaults are left out."""
        positionals: list[str] = []
        flags: list[str] = []
        for field in self.option_fields():
            value = getattr(self, field.name)
            if field.metadata["positional"]:
                positionals += [str(path) for path in (value if isinstance(value, tuple) else (value,))]
            elif value is not None and value != field.default:
                flags += _to_words(field.name, value)
        return [self.name, *positionals, *flags]

    def command_line(self) -> str:
        """Return the command as a line for a shell or a job script."""
        return shlex.join(["xrayaug", *self.argv()])


@cache
def _path_fields(command: type[Command]) -> dict[str, bool]:
    """Return the names of the fields that hold paths; the value is True for a tuple of paths."""
    hints = get_type_hints(command)
    kinds = {Path: False, tuple[Path, ...]: True}
    return {
        field.name: is_list
        for field in fields(command)
        for kind, is_list in kinds.items()
        if kind in {hints[field.name], *get_args(hints[field.name])}
    }


def _to_paths(value: Any, *, is_list: bool) -> Any:
    """Convert what the Python API accepts for a path, or for a list of paths, to a path or a tuple."""
    if is_list and isinstance(value, list | tuple):
        return tuple(Path(part) for part in value)
    path = Path(value) if isinstance(value, str | os.PathLike) else value
    return (path,) if is_list and isinstance(path, Path) else path


def flag_name(field_name: str) -> str:
    """Return the flag of a field: ``--batch-size`` for ``batch_size``."""
    return "--" + field_name.replace("_", "-")


def find_value(words: Sequence[str], field_name: str) -> str | None:
    """Return the last value that the words of a command line give for an option, as text; None if it is not given."""
    flag, value = flag_name(field_name), None
    for number, word in enumerate(words):
        if word == flag and number + 1 < len(words):
            value = words[number + 1]
        elif word.startswith(f"{flag}="):
            value = word.removeprefix(f"{flag}=")
    return value


def format_value(value: Any) -> str:
    """Return a value as a user would write it on the command line."""
    if isinstance(value, tuple):
        return ",".join(format_value(part) for part in value)
    return format_number(value) if isinstance(value, float) else str(value)


def _to_words(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag_name(name) if value else "--no-" + flag_name(name)[2:]]
    return [flag_name(name), format_value(value)]


def _to_json(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def describe_bounds(field: "dataclasses.Field[Any]") -> str:
    """Return which numbers an option accepts, such as ``1 or more``; empty if it has no bounds."""
    minimum, maximum, above = (field.metadata[bound] for bound in ("minimum", "maximum", "above"))
    allowed = [
        *([f"{minimum:g} or more"] if minimum is not None else []),
        *([f"more than {above:g}"] if above is not None else []),
        *([f"at most {maximum:g}"] if maximum is not None else []),
    ]
    return " and ".join(allowed)


def _check_bounds(field: "dataclasses.Field[Any]", value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    minimum, maximum, above = (field.metadata[bound] for bound in ("minimum", "maximum", "above"))
    is_inside = (
        math.isfinite(value)
        and (minimum is None or value >= minimum)
        and (maximum is None or value <= maximum)
        and (above is None or value > above)
    )
    if not is_inside:
        raise UsageError(f"{flag_name(field.name)} is {value:g}", f"it must be {describe_bounds(field) or 'finite'}")


def _check_choice(field: "dataclasses.Field[Any]", value: Any) -> None:
    choices = field.metadata["choices"]
    if choices is None or value is None:
        return
    for word in value if isinstance(value, tuple) else (value,):
        if word not in choices:
            raise UsageError(f"{flag_name(field.name)} is {word}", f"it must be one of {', '.join(choices)}")
