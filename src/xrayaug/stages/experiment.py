"""raw sets -> the whole study: runs the other commands in order, as a user would from a shell.

Nothing happens here that the printed command lines would not do: `--dry-run` prints them, and each part keeps to its
own contract (complete parts are skipped, changed ones refuse).
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xrayaug import __version__, artifacts, console, files, lock, manifests, power, production, stopping, studies
from xrayaug.artifacts import Result
from xrayaug.command import Command
from xrayaug.console import Table
from xrayaug.errors import OutputError, XrayaugError
from xrayaug.options import Experiment
from xrayaug.studies import Study

COMMANDS_FILE = "commands.sh"
SHOWN_SCORES = ("accuracy", "kappa", "auroc")
NO_OUTLOOK = (
    "power: what this study could see is not known yet, for there are no test images to count, or no arm to compare; "
    "with --mura there, or prepared, --dry-run says it"
)


def run(options: Experiment) -> Result:
    """Run every command that is not complete; leaves `commands.sh` and a manifest beside the parts."""
    study = studies.plan(options)
    with lock.held(options.out):
        _check_out(options, study)
        options.out.mkdir(parents=True, exist_ok=True)
        files.sweep(options.out, deep=False)
        files.write_text(options.out / COMMANDS_FILE, _script(study))
        environment, started = production.environment(options.device), time.monotonic()
        for number, command in enumerate(study.commands, start=1):
            _run_command(command, f"[{number}/{len(study.commands)}]")
        result = _result(study)
        environment["seconds"] = round(time.monotonic() - started, 1)
        _write_manifest(options, study, result, environment)
    return result


def plan(options: Experiment) -> Result:
    """The exact command lines, and what such a study could see, which is said aside: the lines are to be pasted."""
    study = studies.plan(options)
    outlook = studies.outlook(study, studies.settings(options))
    console.say(power.sentence(outlook) if outlook else NO_OUTLOOK)
    return {"commands": [command.command_line() for command in study.commands], "power": outlook}


def tables(result: Result) -> list[Table | str]:
    """The results, or for a dry run the command lines, ready to paste."""
    if "arms" not in result:
        return list(result["commands"])
    arms = [
        (arm["name"], str(len(arm["seeds"])), *(_mean(arm["image"][name]) for name in SHOWN_SCORES))
        for arm in result["arms"]
    ]
    distances = [(name, f"{found['measure']}, n {found['n']}", f"{found['value']:.3f}")
                 for name, found in result["distances"].items()]  # fmt: skip
    looks = [f"look at: {path}" for path in result["look_at"]]
    return [
        Table("Distances", ("between", "measure", "value"), distances),
        Table("Results per image", ("Percent added", "Runs", "Accuracy", "Kappa", "AUROC"), arms, looks),
    ]


def _run_command(command: Command, where: str) -> None:
    """Run one command in a process of its own, exactly as its printed line would.

    Raises:
        XrayaugError: it failed; its own message has already been shown.
        Stopped: the study was asked to stop, or the command alone was; it has saved what it had.
    """
    if _is_complete(command):
        console.say(f"{where} complete: {command.out}")
        return
    console.say(f"{where} {command.command_line()}")
    environment = os.environ | {stopping.PARENT: str(os.getpid())}  # a killed study leaves nothing running
    words = [sys.executable, "-m", "xrayaug", *command.argv()]
    with subprocess.Popen(words, stdout=sys.stderr, env=environment) as running:
        try:
            code = running.wait()
        except stopping.Stopped:
            running.send_signal(signal.SIGTERM)  # after Ctrl-C on a terminal it knows already
            running.wait()
            raise
    if code in (stopping.STOPPED_EARLY, stopping.INTERRUPTED):
        raise stopping.Stopped(f"{command.name} was stopped", code)
    if code:
        raise XrayaugError(
            f"the study stopped at '{command.name}' ({_ending(code)}), see above",
            "mend that and run the same command again: what is complete is kept",
        )


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"killed by {signal.Signals(-code).name}"


def _is_complete(command: Command) -> bool:
    try:
        return all(production.completed(part) is not None for part in command.parts())
    except XrayaugError:
        return False  # the command itself says what is wrong


def _check_out(options: Experiment, study: Study) -> None:
    """Refuse a directory that holds anything but this study's parts.

    Raises:
        OutputError: it does.
    """
    if not options.out.exists():
        return
    parts = {part.name for part in _outs(study)}
    known = {f"{part}{ending}" for part in parts for ending in ("", ".partial", ".lock", ".replaced")} | {
        COMMANDS_FILE,
        manifests.MANIFEST,
    }
    foreign = sorted(
        entry.name for entry in options.out.iterdir() if entry.name not in known and not entry.name.endswith(files.NEW)
    )
    if foreign and not (options.out / COMMANDS_FILE).is_file():
        raise OutputError(f"--out {options.out} holds something else: {foreign[0]}", "choose another directory")


def _outs(study: Study) -> list[Path]:
    return [part.out for command in study.commands for part in command.parts()]


def _script(study: Study) -> str:
    head = ["#!/bin/sh", f"# The study, command by command; written by xrayaug {__version__}.", "set -e"]
    return "\n".join([*head, *(command.command_line() for command in study.commands), ""])


def _result(study: Study) -> Result:
    evaluation = artifacts.open_artifact(study.evaluation, "evaluation")
    distances = {}
    for path in study.distances:
        found = artifacts.open_artifact(path, "fid")
        counts = " and ".join(str(found.said(dict, "result", side).get("n")) for side in ("a", "b"))
        distances[path.name.removeprefix("fid-").replace("-", " to ", 1)] = {
            "measure": found.said(str, "result", "description"),
            "value": found.said(float, "result", "value"),
            "n": counts,
        }
    out = study.evaluation.parent
    look_at = [
        out / "gan" / "reals.png", *sorted((out / "gan" / "previews").glob("*.png"))[-1:],
        out / "synthetic" / "contact-sheet.png", *(out / "copies").glob("nearest.png"),
        study.evaluation / "table5.md", study.evaluation / "figure7.png",
    ]  # fmt: skip
    return {
        "arms": evaluation.said(list, "result", "arms"),
        "distances": distances,
        "look_at": [str(path) for path in look_at],
        "commands": [command.command_line() for command in study.commands],
    }


def _write_manifest(options: Experiment, study: Study, result: Result, environment: dict[str, Any]) -> None:
    """A study may grow (more seeds, more doses), so its manifest is rewritten; each part guards itself."""
    parts = _outs(study)
    manifest = {
        "format": manifests.FORMAT,
        "kind": "experiment",
        "stage": options.name,
        "version": __version__,
        "options": json.loads(json.dumps(asdict(studies.settings(options)), default=str)),
        "inputs": {part.name: {"path": part.name, "sha256": artifacts.digest(part)} for part in parts},
        "files": {},
        "result": result,
        "environment": environment,
    }
    manifests.write(options.out, manifest)


def _mean(summary: dict[str, Any]) -> str:
    mean, deviation = summary["mean"], summary["sd"]
    if mean is None:
        return "--"
    return f"{mean:.3f}" + (f" ± {deviation:.3f}" if deviation is not None else "")
