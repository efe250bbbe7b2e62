"""Run a whole study: the other commands in order, as a user would run them from a shell.

`--dry-run` prints the command lines, which make the same study. Each command works as if it were run alone: it skips a
complete result and refuses to replace one that was made with other options.
"""

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xrayaug import __version__
from xrayaug.errors import OutputError, UsageError, XrayaugError
from xrayaug.evaluation import answer, findings, serialization
from xrayaug.evaluation import tables as score_tables
from xrayaug.evaluation.results import ArmResult, OtherTestSets, Verdict
from xrayaug.options import Experiment, Sample, TrainGan
from xrayaug.options.base import format_value
from xrayaug.options.experiment import WITHOUT_GAN
from xrayaug.runtime import console
from xrayaug.runtime.console import Section, Table
from xrayaug.storage import artifacts, builder, files, lock, manifests
from xrayaug.storage.artifacts import Result
from xrayaug.studies import dose_checks, logs, planned_images, planning, scheduler, slurm, status, study_settings
from xrayaug.studies.planned_images import PlannedImage
from xrayaug.studies.planning import Study
from xrayaug.studies.scheduler import Outcome, Resources
from xrayaug.studies.study_generators import ExternalGenerator
from xrayaug.studies.study_settings import Settings
from xrayaug.training import tensorboard

COMMANDS_FILE = "commands.sh"
ENDINGS = ("", ".partial", ".lock", ".replaced", files.EVENTS_ENDING)  # of what lies beside a part of a study
NO_POWER_NOTE = (
    "power: unknown, because there are no test images to count yet or no arm to compare; give --mura, raw or prepared, "
    "and at least one dose above 0"
)


def run(options: Experiment) -> Result:
    """Run every command that is not complete, report the status of the study, or write it as jobs of a cluster."""
    tensorboard.check_installed(options)
    study, resources = planning.plan(options), _find_resources(options)
    if options.status:
        return _status(study, resources)
    _list_images(study, study_settings.resolve_settings(options))
    _describe_generators(study)
    if options.slurm:
        return _write_scripts(options, options.slurm, study)
    return _run(options, study, resources)


def _run(options: Experiment, study: Study, resources: Resources) -> Result:
    """Run every command that is not complete; leaves `commands.sh`, logs and a manifest beside the parts.

    Raises:
        XrayaugError: commands failed.
    """
    builder.check_output_path(options.out, is_renamed=False)
    with lock.hold(options.out):
        _set_up(options, study)
        environment, started = builder.describe_environment(options.device), time.monotonic()
        outcome = scheduler.Scheduler(study, resources).run()
        if outcome.failed:
            raise _make_failure_error(study, outcome)
        result = _result(study)
        environment["seconds"] = round(time.monotonic() - started, 1)
        _write_manifest(options, study, result, environment)
    return result


def _list_images(study: Study, settings: Settings) -> list[PlannedImage]:
    """Return the images of the classifiers' dataset, as far as they can be known.

    Raises:
        DataError: they are too few for the doses of the arms, or synthetic images would lack labels.
    """
    images = planned_images.list_images(study, settings)
    if images:
        dose_checks.check_doses(study, [image.row for image in images])
    is_same = settings.gan_data == settings.classifier_data
    learnt_from = images if is_same else planned_images.list_gan_images(study, settings)
    dose_checks.check_labels(study, [image.row for image in learnt_from])
    return images


def _describe_generators(study: Study) -> None:
    """Print the generators from elsewhere, with what is known of their training images."""
    for each in study.generators:
        if isinstance(each, ExternalGenerator):
            console.info(f"generator from elsewhere: {each.describe()}")


def _find_resources(options: Experiment) -> Resources:
    """Return how many commands run in parallel, and on which devices.

    Raises:
        UsageError: options exclude each other.
    """
    devices = options.devices or ()
    if devices and options.device != "auto":
        raise UsageError("--device and --devices are both given", "--devices alone, or --device alone")
    if options.slurm and (options.status or devices):
        raise UsageError(
            f"--slurm and --{'status' if options.status else 'devices'} are both given",
            "jobs get their devices from SLURM, and --status alone reports their progress",
        )
    return Resources(options.jobs or max(1, len(devices)), devices)


def _set_up(options: Experiment, study: Study) -> None:
    """Make the directory of the study, unless it is there, and write its `commands.sh`."""
    _check_output_directory(options, study)
    options.out.mkdir(parents=True, exist_ok=True)
    files.delete_leftovers(options.out, deep=False)
    files.write_text(options.out / COMMANDS_FILE, _script(study))


def _make_failure_error(study: Study, outcome: Outcome) -> XrayaugError:
    """Print a line for each failed command and return the error that ends the study."""
    for failure in outcome.failed:
        console.info(f"failed: {failure}; its log: {logs.log_path(study.out, failure.command)}")
    if outcome.not_run:
        console.info(
            f"not run, because their inputs are missing: {', '.join(command.out.name for command in outcome.not_run)}"
        )
    total, failed, waiting = len(study.commands), len(outcome.failed), len(outcome.not_run)
    return XrayaugError(
        f"the study is not complete: {total - failed - waiting} of {total} commands are done, {failed} failed at "
        f"'{outcome.failed[0].command.name}'" + (" first" if failed > 1 else ""),
        "fix the cause and run the same command again: complete results are kept",
    )


def _status(study: Study, resources: Resources) -> Result:
    statuses = status.find_statuses(study)
    counts = status.count_states(statuses)
    at_a_time = max(resources.jobs, counts["running"])
    return {
        "status": status.as_json(statuses),
        "counts": counts,
        "remaining_seconds": round(status.estimate_remaining_seconds(study, statuses, at_a_time), 1),
        "at_a_time": at_a_time,
        "unknown": status.unknown_durations(statuses),
    }


def _write_scripts(options: Experiment, directory: Path, study: Study) -> Result:
    builder.check_output_path(options.out, is_renamed=False)
    with lock.hold(options.out):
        _set_up(options, study)
        scripts = slurm.write_scripts(directory, study, options)
    return {
        "scripts": [str(directory / f"{kind}{slurm.SCRIPT}") for kind in scripts.kinds],
        "submit": str(directory / slurm.SUBMIT),
        "tasks": {kind: len(commands) for kind, commands in scripts.kinds.items()},
        "arrays": len(scripts.submissions),
    }


def plan(options: Experiment) -> Result:
    """Return the command lines and the power analysis, which is printed to stderr, as the lines are to be pasted."""
    tensorboard.check_installed(options)
    study, _ = planning.plan(options), _find_resources(options)
    settings = study_settings.resolve_settings(options)
    images = _list_images(study, settings)
    _describe_generators(study)
    analysis = planned_images.estimate_power(study, settings, images)
    console.info(analysis.describe() if analysis else NO_POWER_NOTE)
    commands = [command.command_line() for command in study.commands]
    return {"commands": commands, "power": analysis and analysis.to_dict()}


def tables(result: Result) -> list[Table | Section | str]:
    """Return the tables of the results and the answer, of the status or of the scripts; for a dry run the commands."""
    if "status" in result:
        return [_status_table(result)]
    if "scripts" in result:
        tasks = [(kind, str(count)) for kind, count in result["tasks"].items()]
        return [Table("Job scripts", ("kind", "tasks"), tasks, [f"submit them: bash {shlex.quote(result['submit'])}"])]
    if "arms" not in result:
        return list(result["commands"])
    arms = [serialization.from_dict(ArmResult, arm) for arm in result["arms"]]
    verdicts = serialization.from_dict(Verdict, result["verdict"])
    others = serialization.from_dict(OtherTestSets, result["others"]) if "others" in result else None
    return [
        *_distance_tables(result["distances"]),
        score_tables.score_table(arms, verdicts.question),
        *answer.summarize_test_sets(others, verdicts.question),
        *answer.summarize(verdicts, result["look_at"]),
    ]


def _distance_tables(distances: Mapping[str, Any]) -> list[Table]:
    """Return the table of the distances between sets; no table if none was measured."""
    rows = [(name, each["n"], f"{each['value']:.3f}") for name, each in distances.items()]
    measures = dict.fromkeys(each["measure"] for each in distances.values())
    return [Table("Distances", ("between", "images", "value"), rows, list(measures))] if rows else []


def demand(options: Experiment, result: Result) -> None:
    """Check the verdict of the study against `--fail-unless`.

    Raises:
        VerdictError: no arm has that verdict.
    """
    if "verdict" in result:
        findings.demand(serialization.from_dict(Verdict, result["verdict"]), options.fail_unless)


def _status_table(result: Result) -> Table:
    rows = [
        (
            part["out"],
            part["state"],
            "" if part["seconds"] is None else console.format_duration(part["seconds"]),
            part["note"],
        )
        for part in result["status"]
    ]
    counted = ", ".join(f"{count} {state}" for state, count in result["counts"].items() if count)
    return Table("The study", ("part", "state", "time", "note"), rows, [counted, _describe_remaining_time(result)])


def _describe_remaining_time(result: Result) -> str:
    """Return the remaining time, in words."""
    duration = console.format_duration(result["remaining_seconds"])
    estimate = f"about {duration} left with {result['at_a_time']} at a time"
    if not result["unknown"]:
        return estimate
    unknown = f"the duration of {', '.join(result['unknown'])} is not known yet"
    return f"{estimate}; {unknown}" if result["remaining_seconds"] else unknown


def _check_output_directory(options: Experiment, study: Study) -> None:
    """Check that a directory holds nothing but parts of this study.

    Raises:
        OutputError: it does.
    """
    if not options.out.exists():
        return
    if not options.out.is_dir():
        raise OutputError(f"--out {options.out} is a file", "choose a directory")
    parts = {part.name for part in _output_paths(study)}
    known = {f"{part}{ending}" for part in parts for ending in ENDINGS} | {
        COMMANDS_FILE,
        manifests.MANIFEST,
        logs.DIRECTORY,
    }
    foreign = sorted(
        entry.name for entry in options.out.iterdir() if entry.name not in known and not entry.name.endswith(files.NEW)
    )
    if foreign and not (options.out / COMMANDS_FILE).is_file():
        raise OutputError(f"--out {options.out} holds something else: {foreign[0]}", "choose another directory")


def _output_paths(study: Study) -> list[Path]:
    return [part.out for command in study.commands for part in command.parts()]


def _script(study: Study) -> str:
    head = ["#!/bin/sh", f"# The study, command by command; written by xrayaug {__version__}.", "set -e"]
    return "\n".join([*head, *(command.command_line() for command in study.commands), ""])


def _result(study: Study) -> Result:
    evaluation = artifacts.open_artifact(study.evaluation, "evaluation")
    distances = {}
    for path in study.distances:
        fid = artifacts.open_artifact(path, "fid")
        counts = " and ".join(str(fid.get(dict, "result", side).get("n")) for side in ("a", "b"))
        distances[" to ".join(path.name.removeprefix("fid-").rsplit("-", 1))] = {
            "measure": fid.get(str, "result", "description"),
            "value": fid.get(float, "result", "value"),
            "n": counts,
        }
    out = study.evaluation.parent
    gans = [command.out for command in study.commands if isinstance(command, TrainGan)]
    synthetic = [command.out for command in study.commands if isinstance(command, Sample)]
    evaluated = study.evaluation
    look_at = [  # the most important first
        evaluated / files.REPORT_FILE,
        *evaluated.glob(files.READER_PAGE_FILE),
        *(path / files.CONTACT_SHEET_FILE for path in synthetic),
        *(gan / files.REAL_IMAGES_FILE for gan in gans[:1]),
        *(preview for gan in gans for preview in sorted((gan / files.PREVIEWS_DIRECTORY).glob("*.png"))[-1:]),
        *sorted(out.glob(f"copies*/{files.NEAREST_PAIRS_FILE}")),
        evaluated / files.TABLE5_FILE,
        evaluated / files.FIGURE7_FILE,
    ]
    return {
        "arms": evaluation.get(list, "result", "arms"),
        "verdict": evaluation.get(dict, "result", "verdict"),
        **{name: evaluation.result[name] for name in ("others",) if name in evaluation.result},
        "distances": distances,
        "look_at": [str(path) for path in look_at],
        "commands": [command.command_line() for command in study.commands],
    }


def _write_manifest(options: Experiment, study: Study, result: Result, environment: dict[str, Any]) -> None:
    """Write the manifest again, as a study may get more seeds or doses later; each part has its own manifest."""
    parts = _output_paths(study)
    values = asdict(study_settings.resolve_settings(options))
    values["gan_arch"] = format_value(values["gan_arch"]) or WITHOUT_GAN
    if not values["synthetic"]:
        del values["synthetic"]
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
