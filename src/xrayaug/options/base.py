"""What a command is made of: a frozen dataclass whose fields say what they mean for the result.

`cli.py` turns the fields into flags; `artifacts.py` asks which of them decide the result (`identity`) and which name an
input (`inputs`); `experiment` writes commands as shell lines (`argv`).
"""

import dataclasses
import enum
import math
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, get_args, get_type_hints

from xrayaug.errors import UsageError
from xrayaug.runtime.stopping import format_number

PAIR = re.compile(r"(\d{1,12})\s*,\s*(\d{1,12})")


class Role(enum.Enum):
    """What a knob means for the result."""

    SETTING = "setting"  # decides the result: another value makes another artifact
    INPUT = "input"  # names what is read: the content decides, not the path
    EXECUTION = "execution"  # how and where, never what: workers, device, output


def option(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
    role: Role = Role.SETTING,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    choices: Sequence[str] | None = None,
    positional: bool = False,
    metavar: str | None = None,
    parse: Callable[[str], Any] | None = None,
) -> Any:
    """Declare one knob; the bounds are inclusive but for `above`."""
    metadata = {
        "help": help,
        "role": role,
        "minimum": minimum,
        "maximum": maximum,
        "above": above,
        "choices": choices,
        "positional": positional,
        "metavar": metavar,
        "parse": parse,
    }
    return field(default=default, metadata=metadata)


def numbers(text: str) -> tuple[float, ...]:
    """``"0,10,50"`` as ``(0.0, 10.0, 50.0)``.

    Raises:
        UsageError: a part is not a number.
    """
    try:
        values = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        values = ()
    if not values:
        raise UsageError(f"'{text}' is not a list of numbers", "separate them by commas: 0,10,50,100")
    return values


def words(text: str) -> tuple[str, ...]:
    """``"normal, both"`` as ``("normal", "both")``.

    Raises:
        UsageError: there is none.
    """
    values = tuple(part.strip() for part in text.split(",") if part.strip())
    if not values:
        raise UsageError(f"'{text}' names nothing", "separate names by commas")
    return values


def paths(text: str) -> tuple[Path, ...]:
    """``"a.json,b.json"`` as two paths.

    Raises:
        UsageError: there is none.
    """
    return tuple(Path(word) for word in words(text))


def pair(text: str) -> tuple[int, int]:
    """``"3,17"`` as ``(3, 17)``.

    Raises:
        UsageError: it is not two whole numbers from 0 on.
    """
    given = PAIR.fullmatch(text.strip())
    if not given:
        raise UsageError(f"'{text}' is not two numbers of images", "separate them by a comma: 3,17")
    return int(given[1]), int(given[2])


@dataclass(frozen=True, kw_only=True)
class Command:
    """What every command takes."""

    name: ClassVar[str]
    example: ClassVar[str]
    is_shared: ClassVar[bool] = False  # whether several processes may run it together, as torchrun starts them
    reads_raw: ClassVar[bool] = False  # whether it reads files of which no manifest tells

    out: Path = option(help="Directory to write; refused if it holds something else.", role=Role.EXECUTION)
    seed: int = option(0, help="Seed of everything random; the same seed gives the same bytes on a CPU.", minimum=0)
    overwrite: bool = option(
        False, help="Replace what an earlier run with other options left in --out.", role=Role.EXECUTION
    )
    dry_run: bool = option(False, help="Resolve and print everything, write nothing.", role=Role.EXECUTION)
    max_minutes: float | None = option(
        None,
        help="Stop after so many minutes with exit code 75, all saved; run the same command again to go on.",
        role=Role.EXECUTION,
        above=0,
    )
    json: bool = option(False, help="Print the result as one JSON object on stdout.", role=Role.EXECUTION)

    def __post_init__(self) -> None:
        for name, several in _path_fields(type(self)).items():  # type: ignore[arg-type] # mypy: a class has no hash
            object.__setattr__(self, name, _as_paths(getattr(self, name), several=several))
        for knob in fields(self):
            _check_bounds(knob, getattr(self, knob.name))
            _check_choice(knob, getattr(self, knob.name))

    def identity(self) -> dict[str, Any]:
        """The settings that decide the result, as JSON values: the manifest's `options`."""
        return {k.name: _jsonable(getattr(self, k.name)) for k in fields(self) if k.metadata["role"] is Role.SETTING}

    @property
    def local_cache(self) -> Path | None:
        """Where datasets' pixels are copied to, of a command that has `--cache`; a dry run copies nothing."""
        return None if self.dry_run else getattr(self, "cache", None)

    def parts(self) -> "Sequence[Command]":
        """The commands that make one artifact each: itself, unless it makes several."""
        return (self,)

    def is_met_by(self, result: Mapping[str, Any]) -> bool:
        """Whether a finished result of this very command holds what may also be added to it later."""
        return True

    def inputs(self) -> dict[str, Path]:
        """The paths that are read, by name; a tuple of paths becomes `runs/0`, `runs/1`, ..."""
        found: dict[str, Path] = {}
        for knob in fields(self):
            if knob.metadata["role"] is not Role.INPUT:
                continue
            value = getattr(self, knob.name)
            if isinstance(value, Path):
                found[knob.name] = value
            elif isinstance(value, tuple):
                found |= {f"{knob.name}/{i}": path for i, path in enumerate(value)}
        return found

    @classmethod
    def knobs(cls) -> "list[dataclasses.Field[Any]]":
        """Every field in the order a user reads: positional, the command's own, what all commands take."""
        shared = [knob.name for knob in fields(Command)]
        order = (*shared[1:], "out")  # --out closes a command line
        return sorted(
            fields(cls),
            key=lambda knob: (not knob.metadata["positional"], order.index(knob.name) if knob.name in shared else -1),
        )

    def argv(self) -> list[str]:
        """The words after `xrayaug` that make this command, defaults left out."""
        positionals: list[str] = []
        flags: list[str] = []
        for knob in self.knobs():
            value = getattr(self, knob.name)
            if knob.metadata["positional"]:
                positionals += [str(path) for path in (value if isinstance(value, tuple) else (value,))]
            elif value is not None and value != knob.default:
                flags += _flag(knob.name, value)
        return [self.name, *positionals, *flags]

    def command_line(self) -> str:
        """The command as a line for a shell or a job script."""
        return shlex.join(["xrayaug", *self.argv()])


@cache
def _path_fields(command: type[Command]) -> dict[str, bool]:
    """The fields that hold paths, and whether each holds several."""
    hints = {knob.name: get_type_hints(command)[knob.name] for knob in fields(command)}
    kinds = {name: {hint, *get_args(hint)} for name, hint in hints.items()}
    found = {Path: False, tuple[Path, ...]: True}
    return {name: several for name, each in kinds.items() for kind, several in found.items() if kind in each}


def _as_paths(value: Any, *, several: bool) -> Any:
    """A path, or several, as the Python API may be given them: as text, in a list."""
    if several and isinstance(value, list | tuple):
        return tuple(Path(each) for each in value)
    path = Path(value) if isinstance(value, str | os.PathLike) else value
    return (path,) if several and isinstance(path, Path) else path


def flag_name(field_name: str) -> str:
    """``batch_size`` as ``--batch-size``."""
    return "--" + field_name.replace("_", "-")


def _flag(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag_name(name) if value else "--no-" + flag_name(name)[2:]]
    if isinstance(value, tuple):
        return [
            flag_name(name),
            ",".join(format_number(part) if isinstance(part, float) else str(part) for part in value),
        ]
    return [flag_name(name), format_number(value) if isinstance(value, float) else str(value)]


def _jsonable(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _check_bounds(knob: "dataclasses.Field[Any]", value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    minimum, maximum, above = (knob.metadata[bound] for bound in ("minimum", "maximum", "above"))
    wanted = [
        *([f"{minimum:g} or more"] if minimum is not None else []),
        *([f"more than {above:g}"] if above is not None else []),
        *([f"at most {maximum:g}"] if maximum is not None else []),
    ]
    inside = (
        math.isfinite(value)
        and (minimum is None or value >= minimum)
        and (maximum is None or value <= maximum)
        and (above is None or value > above)
    )
    if not inside:
        raise UsageError(f"{flag_name(knob.name)} is {value:g}", f"it must be {' and '.join(wanted) or 'finite'}")


def _check_choice(knob: "dataclasses.Field[Any]", value: Any) -> None:
    choices = knob.metadata["choices"]
    if choices is None or value is None:
        return
    for each in value if isinstance(value, tuple) else (value,):
        if each not in choices:
            raise UsageError(f"{flag_name(knob.name)} is {each}", f"it must be one of {', '.join(choices)}")
