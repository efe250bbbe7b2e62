"""Plan a study: its settings by preset, its commands in order, and which of them reads the results of which."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

from xrayaug.data import sources
from xrayaug.data.dataset import open_dataset
from xrayaug.errors import UsageError, XrayaugError
from xrayaug.options import (
    PRESETS,
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
from xrayaug.options.base import Command
from xrayaug.options.mixins import EvaluationOptions
from xrayaug.stats import power
from xrayaug.storage import artifacts, manifests

RSNA, MURA = "rsna", "mura"  # directories of the prepared sets, whatever their layout
DEMO_PHANTOMS = {"rsna": 400, "mura": 400}
DEMO_HEIGHT = 200  # pixels of a demo phantom: ample for 64 px
RANDOM_DIMS = "64"  # of random features: enough for a small study, and quick


@dataclass(frozen=True)
class Settings:
    """The settings of a study, with all defaults of the preset."""

    rsna: Path  # as it is given: raw, or prepared
    mura: Path
    gan_data: Path  # prepared, here or before
    classifier_data: Path
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
    """The commands of a study in order, and the results that `experiment` shows."""

    commands: list[Command]
    out: Path
    evaluation: Path
    distances: list[Path]

    def needs(self) -> list[frozenset[int]]:
        """Return for every command, in order, the numbers (from 0) of the commands whose results it reads."""
        makers = {part.out: number for number, command in enumerate(self.commands) for part in command.parts()}
        read = [command.inputs().values() for command in self.commands]
        return [frozenset(makers[path] for path in paths if path in makers) for paths in read]


def plan(options: Experiment) -> Study:
    """Return the commands of a study, with all defaults of the preset.

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
        "test": options.test,
        "duplicates": options.duplicates,
        "workers": options.workers,
        "seed": seed,
        **pace,
    }
    distances = list(_distances(options, s))
    screened = out / "copies" if options.screen else None
    arms = _arms(options, s, screened)
    commands: list[Command] = [
        *(_phantoms(options, s) if options.preset == "demo" else []),
        *_prepares(options, s, read),
        TrainGan(
            data=s.gan_data,
            arch=options.gan_arch,
            only_label=options.gan_label,
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
    measured = [fid.out for fid in distances if fid.out]
    # Judging is quick, and its inputs grow when seeds or doses are added: so it may replace what it wrote before.
    judging: dict[str, Any] = {"overwrite": True, "cache": options.cache, **device}
    judging |= {field.name: getattr(options, field.name) for field in fields(EvaluationOptions)}
    judging["fail_unless"] = None  # the study itself fails on another verdict, not its last command
    commands.append(Evaluate(runs=runs, fid=tuple(measured) or None, out=out / "evaluation", **judging))
    return Study(commands, out, out / "evaluation", measured)


def settings(options: Experiment) -> Settings:
    """Return the values of the preset, replaced by those that the user gave.

    Raises:
        UsageError: a raw set is missing, or given to the demo.
    """
    preset = vars(PRESETS[options.preset])
    given = {name: getattr(options, name) for name in preset}
    values = preset | {name: value for name, value in given.items() if value is not None}
    raw = _find_raw_sets(options)
    return Settings(
        **raw,
        gan_data=raw["rsna"] if _is_prepared(raw["rsna"]) else options.out / RSNA,
        classifier_data=raw["mura"] if _is_prepared(raw["mura"]) else options.out / MURA,
        **values,
        real_fractions=options.real_fractions or (1.0,),
        labels=options.labels or (None,),
        controls=options.controls or (),
        budget=options.budget,
    )


def _arms(options: Experiment, s: Settings, screened: Path | None) -> list[Augment]:
    """Return the arms: each share of real images with each label and dose, each dose followed by its controls.

    Raises:
        UsageError: no arm has both labels, which would be shuffled.
    """
    if "shuffle" in s.controls and not any(_is_shuffleable(label) for label in s.labels):
        raise UsageError("--controls shuffle needs images of both labels", "--labels both")
    found: dict[Path, Augment] = {}
    for fraction, label, percent in itertools.product(s.real_fractions, s.labels, s.percents):
        controls = [name for name in s.controls if percent and (name != "shuffle" or _is_shuffleable(label))]
        for control in (None, *controls):
            out = options.out / _arm_name(percent, label if percent else None, control, fraction)
            found[out] = Augment(
                real=s.classifier_data,
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


def _is_shuffleable(label: str | None) -> bool:
    return label in (None, "both")


def _arm_name(percent: float, label: str | None, control: str | None, fraction: float) -> str:
    """Return the name of an arm without its defaults: `arm-50`, `arm-50-balance-duplicate-real-0.25`."""
    kept = f"real-{fraction:g}" if fraction != 1 else None
    return "-".join(["arm", f"{percent:g}", *filter(None, (label, control, kept))])


def _classifiers(
    options: Experiment, s: Settings, arms: list[Augment], training: dict[str, Any]
) -> Iterator[TrainClassifier]:
    """Yield the classifiers of every arm: one command for each seed, or one for all; all arms have the same seeds."""
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


def _prepares(options: Experiment, s: Settings, read: dict[str, Any]) -> list[Prepare]:
    """Return the commands that prepare raw sets; prepared sets are used as they are.

    Raises:
        UsageError: an option would have changed how one was prepared.
    """
    found = []
    if s.gan_data != s.rsna:
        found.append(Prepare(source=options.rsna_source, input=s.rsna, size=s.gan_size, out=s.gan_data, **read))
    elif options.gan_size is not None:
        raise UsageError(f"--gan-size cannot change {s.rsna}, which is prepared", "leave it out, or prepare it anew")
    if s.classifier_data != s.mura:
        source, size = options.mura_source, s.classifier_size
        found.append(Prepare(source=source, input=s.mura, size=size, out=s.classifier_data, **read))
    if not found and (options.test or options.split_by):
        flag = "--test" if options.test else "--split-by"
        raise UsageError(f"{flag} does nothing: both sets are prepared", "leave it out, or prepare them anew")
    return found


def _is_prepared(path: Path) -> bool:
    return artifacts.is_artifact(path) and manifests.read(path / manifests.MANIFEST)["kind"] == "dataset"


def _find_raw_sets(options: Experiment) -> dict[str, Any]:
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
    """Return the command that looks for copies of the training images of the GAN."""
    return Copies(synthetic=options.out / "synthetic", real=s.gan_data, out=out, **_features(options, s))


def _features(options: Experiment, s: Settings) -> dict[str, Any]:
    """Return the options for features; random ones if no distances are measured."""
    chosen: dict[str, Any] = {"weights": options.fid_weights}
    if s.features != "inception":
        chosen = {"features": "random", "dims": RANDOM_DIMS}
    return chosen | {
        "device": options.device,
        "deterministic": options.deterministic,
        "checkpoint_every": options.checkpoint_every,
        "cache": options.cache,
    }


def _distances(options: Experiment, s: Settings) -> Iterator[Fid]:
    """Yield the distances of synthetic to RSNA and of RSNA to MURA images, as in the thesis, if the sets differ."""
    chosen = _features(options, s)
    sets = {"synthetic": options.out / "synthetic", RSNA: s.gan_data, MURA: s.classifier_data}
    for a, b in (("synthetic", RSNA), (RSNA, MURA)) if s.features != "none" else ():
        if sets[a] != sets[b]:
            yield Fid(a=sets[a], b=sets[b], out=options.out / f"fid-{a}-{b}", **chosen)


def estimate_power(study: Study, s: Settings) -> dict[str, Any] | None:
    """Return the power analysis of the study; None if its test images cannot be counted yet or no arm is compared."""
    reading = {command.out: command for command in study.commands if isinstance(command, Prepare)}
    arms = [command for command in study.commands if isinstance(command, Augment)]
    comparisons = sum(arm.percent > 0 and arm.control is None for arm in arms)
    try:
        tested = _list_test_cases(s.classifier_data, reading.get(s.classifier_data))
    except XrayaugError:
        return None
    if not (tested and comparisons):
        return None
    patients, studies = zip(*tested, strict=True)
    return power.power_analysis(patients, studies, seeds=s.seeds, comparisons=comparisons)


def _list_test_cases(data: Path, reading: Prepare | None) -> list[tuple[str, str]]:
    """Return patient and study of every test image, of the prepared or the raw set, without opening an image.

    Raises:
        XrayaugError: there is neither.
    """
    if reading is None or artifacts.is_artifact(data):
        prepared = open_dataset(data)
        known = prepared.artifact.result.get("patients_unknown", 0) < len(prepared.rows)
        return [(row.patient if known else "", row.study) for row in prepared.select(split="test")]
    listed = sources.load(reading.source).read(reading).records
    return [
        (record.patient if record.patient_known else "", record.study) for record in listed if record.split == "test"
    ]
