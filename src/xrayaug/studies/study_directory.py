"""The directory of a study: what may be there, `commands.sh` and the manifest beside the parts."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xrayaug import __version__
from xrayaug.errors import OutputError
from xrayaug.options import Experiment
from xrayaug.options.base import format_value
from xrayaug.options.experiment import WITHOUT_GAN
from xrayaug.storage import artifacts, files, manifests
from xrayaug.storage.artifacts import Result
from xrayaug.studies import logs, study_settings
from xrayaug.studies.look_log import LOG_FILE
from xrayaug.studies.planning import Study
from xrayaug.studies.sequential_plan import PLAN_FILE

COMMANDS_FILE = "commands.sh"
ENDINGS = (  # of what lies beside a part of a study
    "",
    ".partial",
    ".lock",
    ".replaced",
    files.EVENTS_ENDING,
    files.JUDGEMENTS_ENDING,
)


def set_up(out: Path, study: Study) -> None:
    """Make the directory of a study, unless it is there, and write its `commands.sh`.

    Raises:
        OutputError: the directory holds something else.
    """
    _check_output_directory(out, study)
    out.mkdir(parents=True, exist_ok=True)
    files.delete_leftovers(out, deep=False)
    files.write_text(out / COMMANDS_FILE, _script(study))


def write_manifest(options: Experiment, study: Study, result: Result, environment: dict[str, Any]) -> None:
    """Write the manifest again, as a study may get more seeds or doses later; each part has its own manifest."""
    parts = _output_paths(study)
    values = asdict(study_settings.resolve_settings(options))
    values["gan_arch"] = format_value(values["gan_arch"]) or WITHOUT_GAN
    if not values["synthetic"]:
        del values["synthetic"]
    if values["gans"] == 1:
        del values["gans"]
    if options.sequential is not None:
        values["sequential"] = options.sequential
    manifest = {
        "format": manifests.FORMAT,
        "kind": "experiment",
        "stage": options.name,
        "version": __version__,
        "options": json.loads(json.dumps(values, default=str)),
        "inputs": {part.name: {"path": part.name, "sha256": artifacts.digest(part)} for part in parts},
        "files": {},
        "result": result,
        "environment": environment,
    }
    manifests.write(options.out, manifest)


def _check_output_directory(out: Path, study: Study) -> None:
    """Check that a directory holds nothing but parts of this study.

    Raises:
        OutputError: it does.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError(f"--out {out} is a file", "choose a directory")
    parts = {part.name for part in _output_paths(study)}
    known = {f"{part}{ending}" for part in parts for ending in ENDINGS} | {
        COMMANDS_FILE,
        PLAN_FILE,
        LOG_FILE,
        manifests.MANIFEST,
        logs.DIRECTORY,
    }
    foreign = sorted(
        entry.name for entry in out.iterdir() if entry.name not in known and not entry.name.endswith(files.NEW)
    )
    if foreign and not (out / COMMANDS_FILE).is_file():
        raise OutputError(f"--out {out} holds something else: {foreign[0]}", "choose another directory")


def _output_paths(study: Study) -> list[Path]:
    return [part.out for command in study.commands for part in command.parts()]


def _script(study: Study) -> str:
    head = ["#!/bin/sh", f"# The study, command by command; written by xrayaug {__version__}.", "set -e"]
    return "\n".join([*head, *(command.command_line() for command in study.commands), ""])
