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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from xrayaug import __version__
from xrayaug.errors import InputError, OutputError, ResourceError, UsageError, XrayaugError
from xrayaug.options import COMMANDS
from xrayaug.options import help as option_help
from xrayaug.options.base import Command, Panel, describe_bounds, find_value, flag_name
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

SUMMARY = "Would synthetic images make my radiograph classifier better, and can I trust the answer?"
HELP_ENTRY = console.HelpEntry("-h, --help", "", "Show this message and exit.")
EPILOG = (
    "The study, in order: prepare (twice: RSNA and MURA), train-gan, sample, fid, augment, train-classifier, "
    "evaluate; or experiment, which runs them all. Each reads and writes directories, so each can be a job of its own."
)


class HelpGroup(TyperGroup):
    """The program, whose help lists the commands."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the options of the program and its commands."""
        commands = [console.HelpEntry(name, "", str(command.__doc__)) for name, command in COMMANDS.items()]
        own = [parameter for parameter in self.get_params(ctx) if parameter.name != "help"]
        options = [console.HelpEntry(", ".join(own.opts), "", str(getattr(own, "help", ""))) for own in own]
        usage = f"{ctx.command_path} [OPTIONS] COMMAND [ARGS]..."
        panels = {Panel.COMMON.value: [*options, HELP_ENTRY], "Commands": commands}
        console.show_help(usage, [str(self.help)], panels, EPILOG)


class HelpCommand(TyperCommand):
    """A command whose help shows the defaults that the other words of the command line decide."""

    words: tuple[str, ...] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the words for `format_help`, and parse them.

        Raises:
            typer.Exit: the value of an option is not valid.
        """
        self.words = tuple(args)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as problem:
            error = _describe_bad_value(COMMANDS[str(self.name)], getattr(problem.param, "name", None), self.words)
            if error is None:
                raise
            console.error(error)
            raise typer.Exit(error.exit_code) from None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words after the name of the command in its usage line."""
        command = COMMANDS[str(self.name)]
        hints = get_type_hints(command)
        arguments = [field for field in command.option_fields() if field.metadata["positional"]]
        return ["[OPTIONS]", *(option_help.metavar(field, hints[field.name]) for field in arguments)]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, with the recipe of `--arch` and the values of `--preset` as defaults."""
        command = COMMANDS[str(self.name)]
        usage = " ".join([ctx.command_path, *self.collect_usage_pieces(ctx)])
        paragraphs = [str(command.__doc__), f"Example: {command.example}"]
        console.show_help(usage, paragraphs, _help_panels(command, command.dependent_defaults(self.words)), "")


def _describe_bad_value(command: type[Command], name: str | None, words: Sequence[str]) -> UsageError | None:
    """Return the error of a value that Typer could not parse; None if the option has no value among the words."""
    field = next((field for field in command.option_fields() if field.name == name), None)
    value = None if field is None else find_value(words, field.name)
    if field is None or value is None:
        return None
    allowed = option_help.describe_allowed(field, get_type_hints(command)[field.name])
    return UsageError(f"{flag_name(field.name)} is {value}", f"it must be {allowed}")


def _help_panels(command: type[Command], defaults: Mapping[str, str]) -> dict[str, list[console.HelpEntry]]:
    """Return the entries of a command's help by panel; `defaults` replaces declared defaults, by name of the field."""
    hints = get_type_hints(command)
    panels: dict[str, list[console.HelpEntry]] = {}
    for field in sorted(command.option_fields(), key=option_help.order):
        title = "Arguments" if field.metadata["positional"] else field.metadata["panel"].value
        panels.setdefault(title, []).append(_help_entry(field, hints[field.name], defaults.get(field.name)))
    panels[Panel.COMMON.value].append(HELP_ENTRY)
    return panels


def _help_entry(field: "Field[Any]", hint: Any, default: str | None) -> console.HelpEntry:
    metavar, text = option_help.metavar(field, hint), option_help.help_text(field, hint)
    default = default or option_help.default_text(field)
    bounds = f"[{describe_bounds(field)}]" if field.metadata["maximum"] is not None else ""
    requirement = "[required]" if field.default is MISSING else f"[default: {default}]" if default else ""
    note = " ".join(filter(None, (bounds, requirement)))
    if field.metadata["positional"]:
        return console.HelpEntry(metavar, "", text, note)
    return console.HelpEntry(" / ".join(option_help.flags(field)), metavar, text, note)


app = typer.Typer(
    name="xrayaug",
    cls=HelpGroup,
    help=SUMMARY,
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
    parameters = [_make_parameter(field, hints[field.name]) for field in command.option_fields()]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # read by Typer
    call.__doc__ = command.__doc__
    return call


def _make_parameter(field: "Field[Any]", hint: Any) -> inspect.Parameter:
    """Return a field as a keyword parameter annotated for Typer."""
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    if field.metadata["parse"]:
        kind: Any = str | None if field.default is None else str
    elif field.metadata["choices"]:
        kind = Literal[tuple(field.metadata["choices"])]
    elif field.metadata["positional"] and hint == tuple[Path, ...]:
        kind = list[Path]
    else:
        kind = hint
    text = option_help.help_text(field, hint)  # for completion, which shows it
    if field.metadata["positional"]:
        marker = typer.Argument(help=text, metavar=option_help.metavar(field, hint))
    else:
        marker = typer.Option("/".join(option_help.flags(field)), help=text)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, marker]
    )


def _convert(field: "Field[Any]", value: Any) -> Any:
    """Return what Typer parsed as a value of the field.

    Raises:
        UsageError: the text is no value of the option.
    """
    if field.metadata["parse"] and value is not None:
        try:
            return field.metadata["parse"](value)
        except UsageError as problem:
            raise UsageError(f"{flag_name(field.name)}: {problem.message}", problem.hint) from None
    return tuple(value) if isinstance(value, list) else value


@app.callback(invoke_without_command=True)
def version_flag(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Print the version, if that is asked for."""
    if version:
        print(f"xrayaug {__version__}")
        raise typer.Exit


for _name, _command in COMMANDS.items():
    app.command(_name, cls=HelpCommand)(make_callback(_command))
