"""Run a whole study: the other commands in order, as a user would run them from a shell.

`--dry-run` prints the command lines, which make the same study. Each command works as if it were run alone: it skips a
complete result and refuses to replace one that was made with other options.
"""

import shlex
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from xrayaug.errors import UsageError, XrayaugError
from xrayaug.evaluation import answer, conclusions, serialization
from xrayaug.evaluation import tables as score_tables
from xrayaug.evaluation.planted import tables as planted_tables
from xrayaug.evaluation.planted.results import PLANTED_FIELD, Planted
from xrayaug.evaluation.results import ArmResult, OtherTestSets, Verdict
from xrayaug.options import Experiment, Sample, TrainGan
from xrayaug.options.base import Command
from xrayaug.runtime import console
from xrayaug.runtime.console import Section, Table
from xrayaug.storage import artifacts, builder, files, lock
from xrayaug.storage.artifacts import Result
from xrayaug.studies import (
    dose_checks,
    logs,
    planned_images,
    planning,
    scheduler,
    sequential_study,
    slurm,
    status,
    study_directory,
    study_generators,
    study_settings,
)
from xrayaug.studies.planned_images import PlannedImage
from xrayaug.studies.planning import Study
from xrayaug.studies.scheduler import Outcome, Resources
from xrayaug.studies.sequential_study import SequentialStudy
from xrayaug.studies.study_settings import Settings
from xrayaug.training import tensorboard

DRAWS_POWER_NOTE = (
    "the variance between draws of the real images is unknown before the study and not in this estimate: differences "
    "over several draws must be larger to be detected"
)
NO_POWER_NOTE = (
    "power: unknown, because there are no test images to count yet or no arm to compare; give --mura, raw or prepared, "
    "and at least one dose above 0"
)


def run(options: Experiment) -> Result:
    """Run every command that is not complete, report the status of the study, or write it as jobs of a cluster."""
    tensorboard.check_installed(options)
    sequential_study.check_mode(options)
    study, resources = planning.plan(options), _find_resources(options)
    looks = None if options.sequential is None else sequential_study.open_study(options, locks=False)
    if options.status:
        return _status(study, resources) if looks is None else _status_of_looks(looks, resources)
    settings = study_settings.resolve_settings(options)
    _list_images(study, settings)
    _describe_design(study, settings)
    if looks is not None:
        console.info(looks.describe_plan())
    if options.slurm:
        write = _write_scripts if looks is None else _write_scripts_of_looks
        return write(options, options.slurm, study)
    return _run(options, study, resources)


def _run(options: Experiment, study: Study, resources: Resources) -> Result:
    """Run every command that is not complete; leaves `commands.sh`, logs and a manifest beside the parts.

    Raises:
        XrayaugError: commands failed.
    """
    builder.check_output_path(options.out, is_renamed=False)
    with lock.hold(options.out):
        environment, started = builder.describe_environment(options.device), time.monotonic()
        if options.sequential is None:
            study_directory.set_up(options.out, study)
            _schedule(study, resources)
        else:
            study = _run_looks(options, resources)
        result = _result(study)
        environment["seconds"] = round(time.monotonic() - started, 1)
        study_directory.write_manifest(options, study, result, environment)
    return result


def _run_looks(options: Experiment, resources: Resources) -> Study:
    """Run the commands of a sequential study look by look, until no arm goes on; return all of them."""
    looks = sequential_study.open_study(options, locks=False)
    study_directory.set_up(options.out, looks.select())
    if looks.progress is None:
        _schedule(looks.select_before_lock(), resources)
    looks = sequential_study.open_study(options, locks=True)
    done: set[Path] = set()
    while True:
        study = looks.select()
        study_directory.set_up(options.out, study)
        console.info(looks.describe())
        _schedule(replace(study, commands=[each for each in study.commands if not _is_among(each, done)]), resources)
        done |= {part.out for command in study.commands for part in command.parts()}
        if looks.is_over:
            looks.record()  # compares the evaluations with the log
            return study
        looks = looks.record()
        if looks.is_over:
            console.info(looks.describe())
            return looks.select()


def _is_among(command: Command, done: Collection[Path]) -> bool:
    return all(part.out in done for part in command.parts())


def _schedule(study: Study, resources: Resources) -> None:
    """Run commands.

    Raises:
        XrayaugError: some failed.
    """
    outcome = scheduler.Scheduler(study, resources).run()
    if outcome.failed:
        raise _make_failure_error(study, outcome)


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


def _describe_design(study: Study, settings: Settings) -> None:
    """Print what several GANs and draws are for, and the generators from elsewhere with what is known of them."""
    for line in study_generators.describe(study.generators):
        console.info(line)
    if settings.draws > 1:
        console.info(
            f"{settings.draws} draws of the real images, one for each seed of the classifiers: the variance between "
            "seeds includes that between draws, and verdicts are about so many real images"
        )


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


def _status_of_looks(looks: SequentialStudy, resources: Resources) -> Result:
    """Return the status of the commands up to the next look, with the looks."""
    return _status(looks.select(), resources) | {"sequential": looks.to_dict() | {"progress": looks.describe()}}


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
        study_directory.set_up(options.out, study)
        scripts = slurm.write_scripts(directory, study, options)
    return _describe_scripts(directory, scripts)


def _write_scripts_of_looks(options: Experiment, directory: Path, study: Study) -> Result:
    """Write the jobs up to the next look; before the dataset is there, those that do not wait for the plan.

    The looks whose jobs have ended are added to the log.
    """
    builder.check_output_path(options.out, is_renamed=False)
    with lock.hold(options.out):
        looks = sequential_study.open_study(options, locks=False)
        study_directory.set_up(options.out, looks.select())
        looks = sequential_study.open_study(options, locks=True).record_finished()
        study_directory.set_up(options.out, looks.select())
        chosen = looks.select_without_classifiers() if looks.progress is None else looks.select()
        scripts = slurm.write_scripts(directory, chosen, options, is_final=looks.is_over)
    console.info(looks.describe())
    return _describe_scripts(directory, scripts)


def _describe_scripts(directory: Path, scripts: slurm.Scripts) -> Result:
    return {
        "scripts": [str(directory / f"{kind}{slurm.SCRIPT}") for kind in scripts.kinds],
        "submit": str(directory / slurm.SUBMIT),
        "tasks": {kind: len(commands) for kind, commands in scripts.kinds.items()},
        "arrays": len(scripts.submissions),
    }


def plan(options: Experiment) -> Result:
    """Return the command lines and the power analysis, which is printed to stderr, as the lines are to be pasted."""
    tensorboard.check_installed(options)
    sequential_study.check_mode(options)
    study, _ = planning.plan(options), _find_resources(options)
    settings = study_settings.resolve_settings(options)
    images = _list_images(study, settings)
    _describe_design(study, settings)
    analysis = planned_images.estimate_power(study, settings, images)
    console.info(analysis.describe() if analysis else NO_POWER_NOTE)
    if analysis and settings.gans > 1:
        console.info(study_generators.POWER_NOTE)
    if analysis and settings.draws > 1:
        console.info(DRAWS_POWER_NOTE)
    power = {"power": analysis and analysis.to_dict()}
    if options.sequential is None:
        return {"commands": [command.command_line() for command in study.commands], **power}
    looks = sequential_study.open_study(options, locks=False)
    console.info(looks.describe_plan())
    console.info(f"{looks.describe()}; the commands are those up to the next look")
    commands = [command.command_line() for command in looks.select().commands]
    return {"commands": commands, **power, "sequential": looks.to_dict()}


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
    planted = serialization.from_dict(Planted, result[PLANTED_FIELD]) if PLANTED_FIELD in result else None
    return [
        *_distance_tables(result["distances"]),
        score_tables.score_table(arms, verdicts.question),
        *score_tables.difference_tables(arms, verdicts),
        *answer.summarize_test_sets(others, verdicts.question),
        *([planted_tables.summarize(planted, verdicts.question.metric)] if planted else []),
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
        conclusions.demand(serialization.from_dict(Verdict, result["verdict"]), options.fail_unless)


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
    looks = [result["sequential"]["progress"]] if "sequential" in result else []
    notes = [counted, *looks, _describe_remaining_time(result)]
    return Table("The study", ("part", "state", "time", "note"), rows, notes)


def _describe_remaining_time(result: Result) -> str:
    """Return the remaining time, in words."""
    duration = console.format_duration(result["remaining_seconds"])
    estimate = f"about {duration} left with {result['at_a_time']} at a time"
    if not result["unknown"]:
        return estimate
    unknown = f"the duration of {', '.join(result['unknown'])} is not known yet"
    return f"{estimate}; {unknown}" if result["remaining_seconds"] else unknown


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
        **{name: evaluation.result[name] for name in ("others", PLANTED_FIELD) if name in evaluation.result},
        "distances": distances,
        "look_at": [str(path) for path in look_at],
        "commands": [command.command_line() for command in study.commands],
    }
