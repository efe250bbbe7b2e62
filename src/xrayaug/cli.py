"""The command line: flags, exit codes, nothing else. The only importer of typer.

A command is a dataclass in `options/` and a module of the same name in `stages/`; this file joins the two. The stage,
and torch with it, is imported only when the command runs.
"""

import errno
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from xrayaug import __version__
from xrayaug.errors import InputError, OutputError, ResourceError, UsageError, XrayaugError
from xrayaug.options import COMMANDS
from xrayaug.options.base import Command, Panel, flag_name, format_value
from xrayaug.runtime import console, stopping
from xrayaug.runtime.distributed import ranks

STORAGE_ERRORS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ENOTEMPTY,  # NFS keeps files that another process has open
    errno.ENAMETOOLONG,
    errno.EFBIG,  # a file size limit
    errno.ENOENT,  # a directory, or a mount, that vanished
    errno.ENOTCONN,
    errno.ESTALE,
    errno.ENODEV,
    errno.EHOSTDOWN,
    errno.ETIMEDOUT,
    errno.EMFILE,
    errno.ENFILE,
}

UNDECODABLE = re.compile("[\udc80-\udcff]")  # the surrogates by which Python represents bytes that it cannot decode
MAX_HELP_WIDTH = 100  # columns; longer lines are hard to read
MAX_METAVAR_WIDTH = 12  # columns; choices that need more are named in the help text alone
METAVARS: dict[Any, str] = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH", bool: ""}

EPILOG = (
    "The study, in order: prepare (twice: RSNA and MURA), train-gan, sample, fid, augment, train-classifier, "
    "evaluate; or experiment, which runs them all. Each reads and writes directories, so each can be a job of its own."
)


@contextmanager
def _limited_help_width() -> Iterator[None]:
    """Let Typer print help as wide as the terminal, but not wider than `MAX_HELP_WIDTH`."""
    rich_utils: Any = importlib.import_module("typer.rich_utils")  # which imports rich, only for help
    width = rich_utils.MAX_WIDTH
    rich_utils.MAX_WIDTH = min(width or rich_utils.Console().width, MAX_HELP_WIDTH)
    try:
        yield
    finally:
        rich_utils.MAX_WIDTH = width


class HelpGroup(TyperGroup):
    """The program, whose help has a limited width."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the list of commands."""
        with _limited_help_width():
            super().format_help(ctx, formatter)


class HelpCommand(TyperCommand):
    """A command whose help shows the defaults that the other words of the command line decide."""

    words: tuple[str, ...] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the words for `format_help`, and parse them."""
        self.words = tuple(args)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, with the recipe of `--arch` and the values of `--preset` as defaults."""
        command = COMMANDS[str(self.name)]
        hints, defaults = get_type_hints(command), command.dependent_defaults(self.words)
        option_fields = {field.name: field for field in fields(command)}
        for parameter in self.params:
            if parameter.name in defaults:
                field = option_fields[parameter.name]
                text = _help_text(field, hints[field.name], defaults[field.name])
                parameter.help = text  # type: ignore[attr-defined] # options have it, their base class does not
        with _limited_help_width():
            super().format_help(ctx, formatter)


app = typer.Typer(
    name="xrayaug",
    cls=HelpGroup,
    help="Would synthetic images make my radiograph classifier better, and can I trust the answer?",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the program."""
    # Set before torch loads GNU OpenMP. Its threads spin while they wait for each other; if another process holds one
    # of the cores (a shared node, CI), every parallel loop becomes several times slower. See benchmarks/README.md.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    out, _ = console.replace_streams()
    code: Any = 0
    try:
        app()
    except SystemExit as ending:
        code = ending.code
    out.flush()
    if out.failure is not None and code in (0, None):
        code = _report_output_failure(out.failure)
    if ranks.has_joined() and isinstance(code, int):
        _exit_immediately(code)
    sys.exit(code)


def _report_output_failure(problem: OSError) -> int:
    """Report that standard output could not be written, and return the exit code; a closed pipe needs no report."""
    if not isinstance(problem, BrokenPipeError):
        hint = "the work is done: the same command again with another standard output prints its result"
        console.error(OutputError(f"standard output cannot be written: {problem.strerror}", hint))
    return OutputError.exit_code


def _exit_immediately(code: int) -> NoReturn:
    """End a process of a distributed run without finalising the interpreter.

    All output is written and all threads of the program have ended by now. A thread of torch that still runs during
    finalisation can abort the process, and torchrun would then report the whole run as failed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run(options: Command) -> None:
    """Run one command and print its result. Errors that the user can mend become one line and an exit code.

    Raises:
        typer.Exit: the exit code is not 0.
    """
    try:
        with stopping.handle_signals(options.max_minutes), ranks.exit_together():
            _check_multiprocess(options)
            _check_encoding(options)
            with stopping.deferred():  # torch swallows what is raised while it imports NumPy
                stage = importlib.import_module(f"xrayaug.stages.{options.name.replace('-', '_')}")
            result = stage.plan(options) if options.dry_run else stage.run(options)
            if options.json and ranks.is_first():
                print(console.as_json(result))
            elif not options.json:
                console.show(stage.tables(result))
            if hasattr(stage, "demand"):
                stage.demand(options, result)
    except stopping.Stopped as stop:
        console.info(f"stopped ({stop.cause}); to go on, run the same command again")
        raise typer.Exit(stop.exit_code) from None
    except XrayaugError as problem:
        console.error(problem)
        raise typer.Exit(problem.exit_code) from None
    except BrokenPipeError:
        raise typer.Exit(1) from None
    except MemoryError as problem:
        console.error(ResourceError(f"out of memory: {problem}", "free some, or take a machine with more"))
        raise typer.Exit(ResourceError.exit_code) from None
    except UnicodeEncodeError as problem:
        if _is_utf8() and not UNDECODABLE.search(str(problem.object)):
            raise
        console.error(_decoding_error(f"the name {problem.object!a}"))
        raise typer.Exit(InputError.exit_code) from None
    except OSError as problem:
        if problem.errno not in STORAGE_ERRORS:
            raise
        path = problem.filename or options.out
        hint = "what was saved before is kept: mend that and run the same command again"
        console.error(OutputError(f"{problem.strerror}: {path}", hint))
        raise typer.Exit(OutputError.exit_code) from None


def _check_encoding(options: Command) -> None:
    """Check that Python could decode all options; others cannot be written to the files of a result.

    Raises:
        InputError: an option holds bytes that are not text in this locale.
    """
    for field in fields(options) if options.out is not None else ():
        value = getattr(options, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, str | Path) and UNDECODABLE.search(str(part)):
                raise _decoding_error(f"{flag_name(field.name)} {str(part)!a}")


def _decoding_error(name: str) -> InputError:
    hint = "rename it" if _is_utf8() else "this system's locale is not UTF-8: set PYTHONUTF8=1"
    return InputError(f"{name} cannot be read as text", hint)


def _is_utf8() -> bool:
    return sys.getfilesystemencoding().lower().replace("-", "") == "utf8"


def _check_multiprocess(options: Command) -> None:
    """Check that a command that torchrun started as several processes can share its work among them.

    Raises:
        UsageError: it cannot. Each process would do all the work, and all would write the same files.
    """
    if ranks.is_distributed() and not options.is_shared:
        shared = ", ".join(name for name, command in COMMANDS.items() if command.is_shared)
        raise UsageError(f"{options.name} is not for several processes ({shared} are)", "start it without torchrun")


def make_callback(command: type[Command]) -> Callable[..., None]:
    """Return a function with one parameter for each field of `command`, in the form that Typer reads."""

    def call(**values: Any) -> None:
        try:
            options = command(**{field.name: _convert(field, values[field.name]) for field in fields(command)})
        except XrayaugError as problem:
            console.error(problem)
            raise typer.Exit(problem.exit_code) from None
        run(options)

    hints = get_type_hints(command)
    parameters = [
        _make_parameter(field, hints[field.name]) for field in sorted(command.option_fields(), key=_help_order)
    ]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # read by Typer
    call.__doc__ = f"{command.__doc__}\n\nExample: {command.example}"
    return call


def _help_order(field: "Field[Any]") -> tuple[bool, int, bool]:
    """Return the sort key of an option in `--help`: arguments, then panel by panel, required options first."""
    return not field.metadata["positional"], list(Panel).index(field.metadata["panel"]), field.default is not MISSING


def _make_parameter(field: "Field[Any]", hint: Any) -> inspect.Parameter:
    """Return a field as a keyword parameter annotated for Typer."""
    help_text = _help_text(field, hint, _default_text(field))
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    if field.metadata["parse"]:
        kind: Any = str | None if field.default is None else str
    elif field.metadata["choices"]:
        kind = Literal[tuple(field.metadata["choices"])]
    else:
        kind = hint
    if field.metadata["positional"]:
        if kind == tuple[Path, ...]:
            kind = list[Path]
        marker = typer.Argument(help=help_text)
    else:
        flags = (flag_name(field.name),) if field.default is False else ()  # without a --no- form if off by default
        marker = typer.Option(
            *flags,
            help=help_text,
            metavar=_metavar(field, hint),
            show_default=False,  # the help text has it
            rich_help_panel=field.metadata["panel"].value,
        )
    annotation = Annotated[kind, marker]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _option_type(hint: Any) -> Any:
    """Return the type of an option without None: ``int`` for ``int | None``."""
    alternatives = get_args(hint)
    return next(kind for kind in alternatives if kind is not type(None)) if type(None) in alternatives else hint


def _choices(field: "Field[Any]", hint: Any) -> tuple[str, ...]:
    """Return the words that an option accepts; empty if it takes any value."""
    kind = _option_type(hint)
    return tuple(field.metadata["choices"] or (get_args(kind) if get_origin(kind) is Literal else ()))


def _metavar(field: "Field[Any]", hint: Any) -> str:
    """Return the placeholder for the value of an option in `--help`; empty for a switch."""
    if field.metadata["metavar"]:
        return str(field.metadata["metavar"])
    choices = "|".join(_choices(field, hint))
    if choices:
        return choices if len(choices) <= MAX_METAVAR_WIDTH else "NAME"
    return METAVARS[_option_type(hint)]


def _default_text(field: "Field[Any]") -> str | None:
    """Return the default of an option as `--help` shows it; None for required options and for switches that are off."""
    if field.default is MISSING or field.default is False:
        return None
    if field.default is None:
        return str(field.metadata["default_text"])
    return "on" if field.default is True else format_value(field.default)


def _help_text(field: "Field[Any]", hint: Any, default_text: str | None) -> str:
    """Return the help of an option with its choices and its default, in Rich's markup."""
    text, choices = field.metadata["help"], _choices(field, hint)
    is_named = all(re.search(rf"(?<![\w-]){re.escape(choice)}(?![\w-])", text) for choice in choices)
    if not is_named and _metavar(field, hint) != "|".join(choices):
        text += f" One of {', '.join(choices)}."
    return text if default_text is None else rf"{text} [dim]\[default: {default_text}][/dim]"


def _convert(field: "Field[Any]", value: Any) -> Any:
    """Return what Typer parsed as a value of the field."""
    if field.metadata["parse"] and value is not None:
        return field.metadata["parse"](value)
    return tuple(value) if isinstance(value, list) else value


@app.callback(invoke_without_command=True)
def version_flag(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Would synthetic images make my radiograph classifier better, and can I trust the answer?"""
    if version:
        print(f"xrayaug {__version__}")
        raise typer.Exit


for _name, _command in COMMANDS.items():
    app.command(_name, cls=HelpCommand)(make_callback(_command))
