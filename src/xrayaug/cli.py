"""The command line: flags, exit codes, nothing else. The only importer of typer.

A command is a dataclass in `options.py` and a module of the same name in `stages/`; this file joins the two. The
stage, and torch with it, is imported only when the command runs.
"""

import errno
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_type_hints

import typer

from xrayaug import __version__
from xrayaug.errors import InputError, OutputError, ResourceError, UsageError, XrayaugError
from xrayaug.options import COMMANDS
from xrayaug.options.base import Command, flag_name
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
    errno.ENOTEMPTY,  # NFS keeps what another process has open
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

NOT_UNICODE = re.compile("[\udc80-\udcff]")  # how Python hands on bytes of names that it cannot decode

EPILOG = (
    "The study, in order: prepare (twice: RSNA and MURA), train-gan, sample, fid, augment, train-classifier, "
    "evaluate; or experiment, which runs them all. Each reads and writes directories, so each can be a job of its own."
)

app = typer.Typer(
    name="xrayaug",
    help="Would synthetic images make my radiograph classifier better, and can I trust the answer?",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the program."""
    # Before torch loads GNU OpenMP: its threads wait for each other by spinning, and where another process holds one
    # of the cores (a shared node, CI) every parallel loop is several times slower. See benchmarks/README.md.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    out, _ = console.take_streams()
    code: Any = 0
    try:
        app()
    except SystemExit as ending:
        code = ending.code
    out.flush()
    if out.failure is not None and code in (0, None):
        code = _explain_output(out.failure)
    if ranks.have_met() and isinstance(code, int):
        _leave(code)
    sys.exit(code)


def _explain_output(problem: OSError) -> int:
    """Say that standard output could not be written, unless whoever read it has gone; the exit code."""
    if not isinstance(problem, BrokenPipeError):
        hint = "the work is done: the same command again with another standard output prints its result"
        console.report(OutputError(f"standard output cannot be written: {problem.strerror}", hint))
    return OutputError.exit_code


def _leave(code: int) -> NoReturn:
    """End a process that is one of several without taking the interpreter apart.

    All it had to write is written and all threads of ours have ended. One of torch's that still runs while the
    interpreter goes has been seen to abort the process, for which torchrun takes the whole run for failed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run(options: Command) -> None:
    """Run one command and print its result; errors that the user can mend become one line and an exit code.

    Raises:
        typer.Exit: with the exit code, where it is not 0.
    """
    try:
        with stopping.watching(options.max_minutes), ranks.together():
            _check_company(options)
            _check_encoding(options)
            with stopping.deferred():  # torch clears what is raised while it imports NumPy, and goes on without
                stage = importlib.import_module(f"xrayaug.stages.{options.name.replace('-', '_')}")
            result = stage.plan(options) if options.dry_run else stage.run(options)
            if options.json and ranks.is_first():
                print(console.as_json(result))
            elif not options.json:
                console.show(stage.tables(result))
            if hasattr(stage, "demand"):
                stage.demand(options, result)
    except stopping.Stopped as stop:
        console.say(f"stopped ({stop.cause}); to go on, run the same command again")
        raise typer.Exit(stop.exit_code) from None
    except XrayaugError as problem:
        console.report(problem)
        raise typer.Exit(problem.exit_code) from None
    except BrokenPipeError:
        raise typer.Exit(1) from None
    except MemoryError as problem:
        console.report(ResourceError(f"out of memory: {problem}", "free some, or take a machine with more"))
        raise typer.Exit(ResourceError.exit_code) from None
    except UnicodeEncodeError as problem:
        if not (NOT_UNICODE.search(str(problem.object)) or _is_not_utf8()):
            raise
        console.report(_not_unicode(f"the name {problem.object!a}"))
        raise typer.Exit(InputError.exit_code) from None
    except OSError as problem:
        if problem.errno not in STORAGE_ERRORS:
            raise
        where = problem.filename or options.out
        hint = "what was saved before is kept: mend that and run the same command again"
        console.report(OutputError(f"{problem.strerror}: {where}", hint))
        raise typer.Exit(OutputError.exit_code) from None


def _check_encoding(options: Command) -> None:
    """Refuse options that Python could not decode, which no file of a result could hold.

    Raises:
        InputError: there is one.
    """
    for knob in fields(options) if options.out is not None else ():
        given = getattr(options, knob.name)
        for value in given if isinstance(given, tuple) else (given,):
            if isinstance(value, str | Path) and NOT_UNICODE.search(str(value)):
                raise _not_unicode(f"{flag_name(knob.name)} {str(value)!a}")


def _not_unicode(what: str) -> InputError:
    hint = "this system's locale is not UTF-8: set PYTHONUTF8=1" if _is_not_utf8() else "rename it"
    return InputError(f"{what} cannot be read as text", hint)


def _is_not_utf8() -> bool:
    return sys.getfilesystemencoding().lower().replace("-", "") != "utf8"


def _check_company(options: Command) -> None:
    """Hold a command that torchrun started several times to being one that shares its work.

    Raises:
        UsageError: it is not; each process would do all of it, and all would write the same files.
    """
    if ranks.several() and not options.is_shared:
        able = ", ".join(name for name, command in COMMANDS.items() if command.is_shared)
        raise UsageError(f"{options.name} is not for several processes ({able} are)", "start it without torchrun")


def callback(command: type[Command]) -> Callable[..., None]:
    """A function with one parameter per field of `command`, in the form Typer reads."""

    def call(**values: Any) -> None:
        try:
            options = command(**{knob.name: _value(knob, values[knob.name]) for knob in fields(command)})
        except XrayaugError as problem:
            console.report(problem)
            raise typer.Exit(problem.exit_code) from None
        run(options)

    hints = get_type_hints(command)
    parameters = [_parameter(knob, hints[knob.name]) for knob in command.knobs()]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # read by Typer
    call.__doc__ = f"{command.__doc__}\n\nExample: {command.example}"
    return call


def _parameter(knob: "Field[Any]", hint: Any) -> inspect.Parameter:
    """One field as a keyword parameter annotated for Typer."""
    settings = {"help": knob.metadata["help"], "metavar": knob.metadata["metavar"]}
    if knob.metadata["choices"]:
        hint = Literal[tuple(knob.metadata["choices"])]
    if knob.metadata["parse"]:
        hint = str | None if knob.default is None else str
    default = inspect.Parameter.empty if knob.default is MISSING else knob.default
    if knob.metadata["positional"]:
        if hint == tuple[Path, ...]:
            hint = list[Path]
        marker = typer.Argument(**settings)
    else:
        # a switch that is off by default has no --no-form
        switch = (flag_name(knob.name),) if knob.default is False else ()
        has_default = knob.default not in (None, False) and "(default:" not in knob.metadata["help"]
        marker = typer.Option(*switch, show_default=has_default, **settings)
    annotation = Annotated[hint, marker]
    return inspect.Parameter(knob.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _value(knob: "Field[Any]", given: Any) -> Any:
    if knob.metadata["parse"] and given is not None:
        return knob.metadata["parse"](given)
    return tuple(given) if isinstance(given, list) else given


@app.callback(invoke_without_command=True)
def version_flag(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Would synthetic images make my radiograph classifier better, and can I trust the answer?"""
    if version:
        print(f"xrayaug {__version__}")
        raise typer.Exit


for _name, _command in COMMANDS.items():
    app.command(_name)(callback(_command))
