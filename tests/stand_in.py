"""A program in place of xrayaug for tests of running many commands; it takes milliseconds."""

from pathlib import Path

import pytest

from xrayaug.options import Phantom, Prepare, TrainClassifier
from xrayaug.options.base import Command
from xrayaug.studies.planning import Study

TRACE = "TRACE"  # environment variable: the file in which every run says that it begins, ends or stops
PROGRAM = """#!/bin/sh
for out; do :; done
name=$(basename "$out")
trap 'echo saved; echo "stopped $name" >>"$TRACE"; exit 75' TERM USR1
echo "begin $name" >>"$TRACE"
echo "threads $name ${OMP_NUM_THREADS:-none}" >>"$TRACE"
echo "words $*" >>"$TRACE"
echo "working on $name" >&2
echo "results of $name"
case $name in
  bad*) echo "error: $name has no patients (look at index.csv)" >&2; exit 1 ;;
  dead*) kill -KILL $$ ;;
  asked*) exit 75 ;;
  warned*) echo "warning: few images" >&2; echo "a line"; echo "warning: one seed" >&2 ;;
  slow*) i=0; while [ $i -lt 200 ]; do sleep 0.05; i=$((i + 1)); done ;;
  *) sleep 0.15 ;;
esac
mkdir -p "$out"
echo "end $name" >>"$TRACE"
"""


def install(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace processes of xrayaug by the stand-in; returns the file that they leave their trace in."""
    program, trace = directory / "stand-in", directory / "trace"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    trace.touch()
    monkeypatch.setattr("sys.executable", str(program))
    monkeypatch.setenv(TRACE, str(trace))
    return trace


def said(trace: Path, verb: str) -> list[str]:
    """Return the lines of the trace that begin with a verb, without the verb."""
    return [line.removeprefix(f"{verb} ") for line in trace.read_text().splitlines() if line.startswith(f"{verb} ")]


def first(out: Path) -> Phantom:
    """A command that reads nothing."""
    return Phantom(layout="rsna", count=1, out=out)


def after(source: Path, out: Path) -> Prepare:
    """A command that reads what another one makes."""
    return Prepare(input=source, out=out)


def trained(data: Path, out: Path) -> TrainClassifier:
    """A command that computes on a device."""
    return TrainClassifier(data=data, out=out)


def study(out: Path, *commands: Command) -> Study:
    """These commands as a study."""
    return Study(list(commands), out, out / "evaluation", [])
