"""The commands of a small study, as they are planned."""

from pathlib import Path

from builders import STUDY

from xrayaug.options import Experiment
from xrayaug.studies import planning


def graph(**changes: object) -> dict[str, set[str]]:
    """Return the inputs of every part, by name."""
    study = planning.plan(Experiment(**{**STUDY, "out": Path("s"), **changes}))
    names = [command.out.name for command in study.commands]
    return {name: {names[need] for need in needs} for name, needs in zip(names, study.needs(), strict=True)}


def lines(**changes: object) -> dict[str, str]:
    """Return the command lines of a study by the names of what they make."""
    study = planning.plan(Experiment(**{**STUDY, "out": Path("s"), **changes}))
    return {command.out.name: command.command_line() for command in study.commands}
