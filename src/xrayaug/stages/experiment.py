"""raw sets -> the whole study: runs the other commands in order, as a user would from a shell.

Nothing happens here that the printed command lines would not do: `--dry-run` prints them, and each part keeps to its
own contract (complete parts are skipped, changed ones refuse).
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

from xrayaug import __version__, artifacts, console, files, lock, manifests, power, production, sources, stopping
from xrayaug.artifacts import Result
from xrayaug.command import Command
from xrayaug.console import Table
from xrayaug.dataset import open_dataset
from xrayaug.errors import OutputError, UsageError, XrayaugError
from xrayaug.options import (
    SEED,
    Augment,
    Copies,
    Evaluate,
    Experiment,
    Fid,
    Phantom,
    Prepare,
    Sample,
    TrainClassifier,
    TrainGan,
)

COMMANDS_FILE = "commands.sh"

PRESETS: dict[str, dict[str, Any]] = {
    "thesis": {
        "percents": (0.0, 10.0, 50.0, 100.0),
        "seeds": 5,
        "gan_size": 128,
        "gan_epochs": 100,
        "gan_batch_size": None,  # the architecture's own: the thesis's 100 for dcgan
        "samples": 10000,
        "features": "inception",
        "split_by": "image",
        "classifier_arch": "densenet169",
        "classifier_weights": "imagenet",
        "classifier_size": 224,
        "classifier_epochs": 10,
        "classifier_batch_size": 8,
    },
    "demo": {
        "percents": (0.0, 50.0, 100.0),
        "seeds": 2,
        "gan_size": 64,
        "gan_epochs": 20,
        "gan_batch_size": 25,
        "samples": 400,
        "features": "random",
        "split_by": "patient",
        "classifier_arch": "resnet18",
        "classifier_weights": "none",
        "classifier_size": 64,
        "classifier_epochs": 5,
        "classifier_batch_size": 16,
    },
}
DEMO_PHANTOMS = {"rsna": 400, "mura": 400}
DEMO_HEIGHT = 200  # pixels of a demo phantom: ample for 64 px
SHOWN_SCORES = ("accuracy", "kappa", "auroc")
NO_OUTLOOK = (
    "power: what this study could see is not known yet, for there are no test images to count, or no arm to compare; "
    "with --mura there, or prepared, --dry-run says it"
)
RANDOM_DIMS = "64"  # of random features: enough for a small study, and quick


@dataclass(frozen=True)
class Settings:
    """What the study is, every default of the preset filled in."""

    rsna: Path
    mura: Path
    percents: tuple[float, ...]
    real_fractions: tuple[float, ...]
    labels: tuple[str | None, ...]  # None: as they were drawn, without saying so
    controls: tuple[str, ...]
    budget: Literal["epochs", "steps"]
    seeds: int
    gan_size: int
    gan_epochs: int
    gan_batch_size: int | None
    samples: int
    features: str
    split_by: Literal["patient", "image"]
    classifier_arch: str
    classifier_weights: str
    classifier_size: int
    classifier_epochs: int
    classifier_batch_size: int


@dataclass(frozen=True)
class Study:
    """The study's commands in order, and what `experiment` shows of them."""

    commands: list[Command]
    evaluation: Path
    distances: list[Path]


def run(options: Experiment) -> Result:
    """Run every command that is not complete; leaves `commands.sh` and a manifest beside the parts."""
    study = plan_study(options)
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
    study = plan_study(options)
    outlook = _outlook(study, settings(options))
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


def plan_study(options: Experiment) -> Study:
    """Every command of the study, with every default of the preset filled in.

    Raises:
        UsageError: a raw set is missing.
    """
    s = settings(options)
    out, seed = options.out, options.seed
    pace: dict[str, Any] = {"checkpoint_every": options.checkpoint_every}
    device: dict[str, Any] = {"device": options.device, "deterministic": options.deterministic}
    training: dict[str, Any] = {"precision": options.precision, "cache": options.cache, **device, **pace}
    read: dict[str, Any] = {
        "split_by": s.split_by,
        "duplicates": options.duplicates,
        "workers": options.workers,
        "seed": seed,
        **pace,
    }
    distances = _distances(options, s)
    screened = out / "copies" if options.screen else None
    arms = _arms(options, s, screened)
    commands: list[Command] = [
        *(_phantoms(options, s) if options.preset == "demo" else []),
        Prepare(source="rsna", input=s.rsna, size=s.gan_size, out=out / "rsna", **read),
        Prepare(source="mura", input=s.mura, size=s.classifier_size, out=out / "mura", **read),
        TrainGan(
            data=out / "rsna",
            arch=options.gan_arch,
            epochs=s.gan_epochs,
            batch_size=s.gan_batch_size,
            seed=seed,
            on_collapse=options.on_collapse,
            out=out / "gan",
            **training,
        ),
        Sample(run=out / "gan", count=s.samples, seed=seed, out=out / "synthetic", **device, **pace),
        *distances,
        *([_copies(options, s, screened)] if screened else []),
        *arms,
        *_classifiers(options, s, arms, training),
    ]
    runs = tuple(part.out for command in commands for part in command.parts() if isinstance(part, TrainClassifier))
    # Judging is quick, and its inputs grow when seeds or doses are added: so it may replace what it wrote before.
    commands.append(Evaluate(runs=runs, overwrite=True, out=out / "evaluation", cache=options.cache, **device))
    return Study(commands, out / "evaluation", [fid.out for fid in distances if fid.out])


def _arms(options: Experiment, s: Settings, screened: Path | None) -> list[Augment]:
    """Every share of real images with every label and dose, each dose followed by its controls; a baseline once.

    Raises:
        UsageError: no arm has both labels, which would be shuffled.
    """
    if "shuffle" in s.controls and not any(_can_shuffle(label) for label in s.labels):
        raise UsageError("--controls shuffle needs images of both labels", "--labels both")
    found: dict[Path, Augment] = {}
    for fraction, label, percent in itertools.product(s.real_fractions, s.labels, s.percents):
        controls = [name for name in s.controls if percent and (name != "shuffle" or _can_shuffle(label))]
        for control in (None, *controls):
            out = options.out / _arm_name(percent, label if percent else None, control, fraction)
            found[out] = Augment(
                real=options.out / "mura",
                synthetic=options.out / "synthetic",
                percent=percent,
                label=cast(Any, label if percent and label != "both" else None),
                control=cast(Any, control),
                copies=screened,
                real_fraction=fraction,
                cache=options.cache,
                seed=options.seed,
                out=out,
            )
    return list(found.values())


def _can_shuffle(label: str | None) -> bool:
    return label in (None, "both")


def _arm_name(percent: float, label: str | None, control: str | None, fraction: float) -> str:
    """`arm-50`, `arm-50-balance-duplicate-real-0.25`: what is as it is by default is left out."""
    kept = f"real-{fraction:g}" if fraction != 1 else None
    return "-".join(["arm", f"{percent:g}", *filter(None, (label, control, kept))])


def _classifiers(
    options: Experiment, s: Settings, arms: list[Augment], training: dict[str, Any]
) -> Iterator[TrainClassifier]:
    """Every arm's: for each seed a command of its own, or one command for all; all arms have the same seeds."""
    chosen: dict[str, Any] = {
        "arch": s.classifier_arch,
        "weights": s.classifier_weights,
        "size": s.classifier_size,
        "epochs": s.classifier_epochs,
        "budget": s.budget,
        "batch_size": s.classifier_batch_size,
        **training,
    }
    for arm in arms:
        together = TrainClassifier(
            data=arm.out,
            seeds=s.seeds,
            out=options.out / f"{arm.out.name.replace('arm', 'classifier', 1)}-seed-{SEED}",
            **chosen,
        )
        yield from (together,) if options.side_by_side else together.parts()


def _outlook(study: Study, s: Settings) -> dict[str, Any] | None:
    """What the study could see; None where its test images are neither prepared nor there to be counted."""
    mura = next(command for command in study.commands if isinstance(command, Prepare) and command.source == "mura")
    arms = [command for command in study.commands if isinstance(command, Augment)]
    comparisons = sum(arm.percent > 0 and arm.control is None for arm in arms)
    try:
        tested = _tested(mura)
    except XrayaugError:
        return None
    if not (tested and comparisons):
        return None
    patients, studies = zip(*tested, strict=True)
    return power.outlook(patients, studies, seeds=s.seeds, comparisons=comparisons)


def _tested(mura: Prepare) -> list[tuple[str, str]]:
    """Patient and study of every test image: of the prepared set, or of the raw one without opening an image.

    Raises:
        XrayaugError: there is neither.
    """
    if artifacts.is_artifact(mura.out):
        return [(row.patient, row.study) for row in open_dataset(mura.out).select(split="test")]
    listed = sources.load(mura.source).read(mura).records
    return [(record.patient, record.study) for record in listed if record.split == "test"]


def settings(options: Experiment) -> Settings:
    """The preset's values, and those that the user gave instead.

    Raises:
        UsageError: a raw set is missing, or given to the demo.
    """
    given = {name: getattr(options, name) for name in PRESETS[options.preset]}
    values = PRESETS[options.preset] | {name: value for name, value in given.items() if value is not None}
    return Settings(
        **_raw_sets(options),
        **values,
        real_fractions=options.real_fractions or (1.0,),
        labels=options.labels or (None,),
        controls=options.controls or (),
        budget=options.budget,
    )


def _raw_sets(options: Experiment) -> dict[str, Any]:
    given = {"rsna": options.rsna, "mura": options.mura}
    if options.preset == "demo":
        if any(given.values()):
            raise UsageError("--preset demo draws its own phantoms", "leave out --rsna and --mura, or --preset thesis")
        return {name: options.out / f"raw-{name}" for name in given}
    missing = " and ".join(f"--{name}" for name, path in given.items() if path is None)
    if missing:
        raise UsageError(f"{missing} is missing", "give the raw sets, or --preset demo to try it on phantoms")
    return given


def _phantoms(options: Experiment, s: Settings) -> list[Command]:
    draw: dict[str, Any] = {"height": DEMO_HEIGHT, "workers": options.workers}
    return [
        Phantom(layout="rsna", count=DEMO_PHANTOMS["rsna"], seed=options.seed, out=s.rsna, **draw),
        Phantom(layout="mura", count=DEMO_PHANTOMS["mura"], seed=options.seed + 1, out=s.mura, **draw),
    ]


def _copies(options: Experiment, s: Settings, out: Path) -> Copies:
    """The screening of the synthetic images against those that the GAN learnt from."""
    return Copies(synthetic=options.out / "synthetic", real=options.out / "rsna", out=out, **_features(options, s))


def _features(options: Experiment, s: Settings) -> dict[str, Any]:
    """Which features are compared, and how; random ones where the distances, and so any, are left out."""
    chosen: dict[str, Any] = {"weights": options.fid_weights}
    if s.features != "inception":
        chosen = {"features": "random", "dims": RANDOM_DIMS}
    return chosen | {
        "device": options.device,
        "deterministic": options.deterministic,
        "checkpoint_every": options.checkpoint_every,
        "cache": options.cache,
    }


def _distances(options: Experiment, s: Settings) -> list[Fid]:
    """Synthetic to RSNA, and RSNA to MURA, as in the thesis."""
    chosen = _features(options, s)
    pairs = (("synthetic", "rsna"), ("rsna", "mura")) if s.features != "none" else ()
    return [Fid(a=options.out / a, b=options.out / b, out=options.out / f"fid-{a}-{b}", **chosen) for a, b in pairs]


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
        "options": json.loads(json.dumps(asdict(settings(options)), default=str)),
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
