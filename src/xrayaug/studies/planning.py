"""Plan a study: its settings by preset, its commands in order, and which of them reads the results of which."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from xrayaug.data import raw_rows, source_selection
from xrayaug.data.arms import LOW_RESOLUTION
from xrayaug.data.dataset import Row, open_dataset
from xrayaug.data.phantoms import layouts
from xrayaug.data.sources import Listing
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
from xrayaug.options.choices import RANDOM_DIMS
from xrayaug.options.experiment import Preset
from xrayaug.options.mixins import (
    CacheOptions,
    CheckpointOptions,
    DeviceOptions,
    EvaluationOptions,
    PrecisionOptions,
    SplitOptions,
    WorkersOptions,
)
from xrayaug.stats import power
from xrayaug.stats.power import PowerAnalysis
from xrayaug.storage import artifacts, manifests
from xrayaug.storage.artifacts import Artifact

RSNA, MURA = "rsna", "mura"  # directories of the prepared sets, whatever their layout
DEMO_PHANTOMS = 1200
DEMO_TEST_SHARE = 0.5  # of the studies, as there are more training images than needed, and testing is quick
DEMO_HEIGHT = 200  # pixels of a demo phantom: ample for 128 px
DEMO_FINDING_SIZE = 4.0  # so that findings show at 64 px


@dataclass(frozen=True, kw_only=True)
class Settings(Preset):
    """The settings of a study: the preset, with the values that the user gave in its place, and the rest."""

    rsna: Path  # as it is given: raw, or prepared
    mura: Path
    gan_data: Path  # prepared, here or before
    classifier_data: Path
    labels: tuple[str | None, ...]  # None: as they were drawn, without saying so


@dataclass(frozen=True)
class Study:
    """The commands of a study in order, and the results that `experiment` shows."""

    commands: list[Command]
    out: Path
    evaluation: Path
    distances: list[Path]

    def needs(self) -> list[frozenset[int]]:
        """Return for every command, in order, the numbers (from 0) of the commands whose results it reads."""
        producers = {part.out: number for number, command in enumerate(self.commands) for part in command.parts()}
        read = [command.inputs().values() for command in self.commands]
        return [frozenset(producers[path] for path in paths if path in producers) for paths in read]


def plan(options: Experiment) -> Study:
    """Return the commands of a study, with all defaults of the preset.

    Raises:
        UsageError: a raw set is missing.
    """
    settings = resolve_settings(options)
    out, seed = options.out, options.seed
    training = _shared_values(options, PrecisionOptions, CacheOptions, DeviceOptions, CheckpointOptions)
    distances = list(_distances(options, settings))
    screened = out / "copies" if options.screen else None
    arms = _arms(options, settings, screened)
    commands: list[Command] = [
        *(_phantoms(options, settings) if options.preset == "demo" else []),
        *_prepares(options, settings),
        TrainGan(
            data=settings.gan_data,
            arch=settings.gan_arch,
            only_label=options.gan_label,
            epochs=settings.gan_epochs,
            batch_size=settings.gan_batch_size,
            seed=seed,
            on_collapse=options.on_collapse,
            out=out / "gan",
            **training,
        ),
        Sample(
            run=out / "gan",
            count=settings.samples,
            seed=seed,
            out=out / "synthetic",
            **_shared_values(options, DeviceOptions, CheckpointOptions),
        ),
        *distances,
        *([_copies(options, settings, screened)] if screened else []),
        *arms,
        *_classifiers(options, settings, arms, training),
    ]
    runs = tuple(part.out for command in commands for part in command.parts() if isinstance(part, TrainClassifier))
    measured = [fid.out for fid in distances if fid.out]
    commands.append(_evaluate(options, runs, measured))
    return Study(commands, out, out / "evaluation", measured)


def _shared_values(options: Experiment, *mixins: Any) -> dict[str, Any]:
    """Return the values of the options of some mixins, to pass them on to a command that has these mixins too."""
    return {field.name: getattr(options, field.name) for mixin in mixins for field in fields(mixin)}


def _evaluate(options: Experiment, runs: tuple[Path, ...], distances: list[Path]) -> Evaluate:
    """Return the command that judges the runs.

    It may replace what it wrote before, as it is quick, and its inputs grow when seeds or doses are added. It accepts
    any verdict: the study itself fails on another than `--fail-unless`, not its last command.
    """
    values = _shared_values(options, EvaluationOptions, CacheOptions, DeviceOptions) | {"fail_unless": None}
    return Evaluate(runs=runs, fid=tuple(distances) or None, overwrite=True, out=options.out / "evaluation", **values)


def resolve_settings(options: Experiment) -> Settings:
    """Return the values of the preset, replaced by those that the user gave.

    Raises:
        UsageError: a raw set is missing, or given to the demo.
    """
    preset = vars(PRESETS[options.preset])
    given = {name: getattr(options, name) for name in preset}
    values = preset | {name: value for name, value in given.items() if value is not None}
    rsna, mura = _find_raw_sets(options)
    return Settings(
        rsna=rsna,
        mura=mura,
        gan_data=rsna if _is_prepared(rsna) else options.out / RSNA,
        classifier_data=mura if _is_prepared(mura) else options.out / MURA,
        **values,
        labels=options.labels or (None,),
    )


def _arms(options: Experiment, settings: Settings, screened: Path | None) -> list[Augment]:
    """Return the arms: each share of real images with each label and dose, each dose followed by its controls.

    Raises:
        UsageError: no arm has both labels, which would be shuffled; no real image is left out for `more-real`; or
            synthetic images have the resolution of real ones.
    """
    if "shuffle" in settings.controls and not any(_is_shuffleable(label) for label in settings.labels):
        raise UsageError("--controls shuffle needs images of both labels", "--labels both")
    if "more-real" in settings.controls and max(settings.real_fractions) == 1:
        raise UsageError("--controls more-real needs real images that are left out", "--real-fractions below 1")
    if LOW_RESOLUTION in settings.controls:
        _check_resolution(settings)
    arms: dict[Path, Augment] = {}
    for fraction, label, percent in itertools.product(settings.real_fractions, settings.labels, settings.percents):
        controls = [name for name in settings.controls if percent and (name != "shuffle" or _is_shuffleable(label))]
        controls = [name for name in controls if name != "none"]
        for control in (None, *controls):
            out = options.out / _arm_name(percent, label if percent else None, control, fraction)
            arms[out] = Augment(
                real=settings.classifier_data,
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
    return list(arms.values())


def _check_resolution(settings: Settings) -> None:
    """Check that classifiers will read synthetic images at a lower resolution than real ones.

    Raises:
        UsageError: they will not.
    """
    synthetic = _image_size(settings.rsna, settings.gan_data, settings.gan_size)
    real = _image_size(settings.mura, settings.classifier_data, settings.classifier_size)
    if synthetic >= min(real, settings.classifier_size):
        raise UsageError(
            f"--controls {LOW_RESOLUTION} needs synthetic images of a lower resolution than the real ones: they will "
            f"have {synthetic} px, the real ones {real} px, read at {settings.classifier_size} px",
            "--controls duplicate repeats real images as they are",
        )


def _image_size(given: Path, data: Path, size: int) -> int:
    """Return the size of the images of a dataset: that of a given prepared one, or the one to prepare it at."""
    if given != data:
        return size
    return Artifact(data, manifests.read(data / manifests.MANIFEST)).get(int, "result", "size", minimum=1)


def _is_shuffleable(label: str | None) -> bool:
    return label in (None, "both")


def _arm_name(percent: float, label: str | None, control: str | None, fraction: float) -> str:
    """Return the name of an arm without its defaults: `arm-50`, `arm-50-balance-duplicate-real-0.25`."""
    kept = f"real-{fraction:g}" if fraction != 1 else None
    return "-".join(["arm", f"{percent:g}", *filter(None, (label, control, kept))])


def _classifiers(
    options: Experiment, settings: Settings, arms: list[Augment], training: dict[str, Any]
) -> Iterator[TrainClassifier]:
    """Yield the classifiers of every arm: one command for each seed, or one for all; all arms have the same seeds."""
    for arm in arms:
        together = TrainClassifier(
            data=arm.out,
            arch=settings.classifier_arch,
            weights=settings.classifier_weights,
            train=settings.classifier_train,
            size=settings.classifier_size,
            epochs=settings.classifier_epochs,
            budget=settings.budget,
            batch_size=settings.classifier_batch_size,
            seeds=settings.seeds,
            out=options.out / f"{arm.out.name.replace('arm', 'classifier', 1)}-seed-{SEED}",
            **training,
        )
        together.check_trained_layers()
        # Output layers take little memory, and share the features that one command computes.
        is_one_command = options.side_by_side or settings.classifier_train == "head"
        yield from (together,) if is_one_command else together.parts()


def _prepares(options: Experiment, settings: Settings) -> list[Prepare]:
    """Return the commands that prepare raw sets; prepared sets are used as they are.

    Raises:
        UsageError: an option would have changed how one was prepared.
    """
    values = _shared_values(options, SplitOptions, WorkersOptions, CheckpointOptions)
    values |= {"split_by": settings.split_by, "seed": options.seed}
    commands = []
    if settings.gan_data != settings.rsna:
        commands.append(
            Prepare(
                source=settings.rsna_source,
                input=settings.rsna,
                size=settings.gan_size,
                out=settings.gan_data,
                **values,
            )
        )
    elif options.gan_size is not None:
        raise UsageError(
            f"--gan-size cannot change {settings.rsna}, which is prepared", "leave it out, or prepare it anew"
        )
    if settings.classifier_data != settings.mura:
        source, size = options.mura_source, settings.classifier_size
        commands.append(Prepare(source=source, input=settings.mura, size=size, out=settings.classifier_data, **values))
    if not commands and (options.test or options.split_by):
        flag = "--test" if options.test else "--split-by"
        raise UsageError(f"{flag} does nothing: both sets are prepared", "leave it out, or prepare them anew")
    return commands


def _is_prepared(path: Path) -> bool:
    return artifacts.is_artifact(path) and manifests.read(path / manifests.MANIFEST)["kind"] == "dataset"


def _find_raw_sets(options: Experiment) -> tuple[Path, Path]:
    """Return the sets for the GAN and for the classifiers, raw or prepared.

    Raises:
        UsageError: one is missing, or given to the demo.
    """
    if options.preset == "demo":
        if options.rsna or options.mura:
            raise UsageError("--preset demo draws its own phantoms", "leave out --rsna and --mura, or --preset thesis")
        sources = (options.rsna_source or PRESETS["demo"].rsna_source, options.mura_source)
        rsna, mura = (options.out / f"raw-{source}" for source in sources)
        return rsna, mura
    if options.rsna is None or options.mura is None:
        missing = [f"--{name}" for name in ("rsna", "mura") if getattr(options, name) is None]
        hint = "give the raw sets, or --preset demo to try it on phantoms"
        raise UsageError(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing", hint)
    return options.rsna, options.mura


def _phantoms(options: Experiment, settings: Settings) -> list[Command]:
    """Return the commands that draw the raw sets of the demo: one set, if both have the same layout."""
    sets = {settings.rsna: settings.rsna_source, settings.mura: options.mura_source}
    return [
        Phantom(
            layout=cast(Any, layout),
            count=DEMO_PHANTOMS,
            test=DEMO_TEST_SHARE if layout == "mura" else Phantom.test,
            height=DEMO_HEIGHT,
            finding_size=DEMO_FINDING_SIZE,
            workers=options.workers,
            seed=options.seed + number,
            out=out,
        )
        for number, (out, layout) in enumerate(sets.items())
    ]


def _copies(options: Experiment, settings: Settings, out: Path) -> Copies:
    """Return the command that looks for copies of the training images of the GAN."""
    return Copies(synthetic=options.out / "synthetic", real=settings.gan_data, out=out, **_features(options, settings))


def _features(options: Experiment, settings: Settings) -> dict[str, Any]:
    """Return the options for features; random ones if no distances are measured."""
    values = _shared_values(options, DeviceOptions, CheckpointOptions, CacheOptions)
    if settings.features == "inception":
        return values | {"weights": options.fid_weights}
    if settings.features == "imagenet":
        return values | {"features": "imagenet"}
    return values | {"features": "random", "dims": str(RANDOM_DIMS)}


def _distances(options: Experiment, settings: Settings) -> Iterator[Fid]:
    """Yield the distances of synthetic to RSNA and of RSNA to MURA images, as in the thesis, if the sets differ."""
    features = _features(options, settings)
    sets = {"synthetic": options.out / "synthetic", RSNA: settings.gan_data, MURA: settings.classifier_data}
    pairs = [("synthetic", RSNA), (RSNA, MURA)]
    if options.preset == "demo" and settings.rsna == settings.mura:
        pairs.pop()  # the same phantoms
    for a, b in pairs if settings.features != "none" else ():
        if sets[a] != sets[b]:
            yield Fid(a=sets[a], b=sets[b], out=options.out / f"fid-{a}-{b}", **features)


@dataclass(frozen=True)
class PlannedImage:
    """An image of the dataset of the classifiers, which may not be prepared yet."""

    row: Row
    is_patient_known: bool


def list_images(study: Study, settings: Settings) -> list[PlannedImage]:
    """Return the images of the classifiers' dataset, without opening one; empty if they cannot be known yet.

    They are those of the prepared set, of the list of the raw one (whose splits may change if images prove to be
    duplicates), or of phantoms that are still to be drawn.
    """
    data, raw = settings.classifier_data, settings.mura
    prepare = next((each for each in study.commands if isinstance(each, Prepare) and each.out == data), None)
    phantom = next((each for each in study.commands if isinstance(each, Phantom) and each.out == raw), None)
    try:
        if prepare is None or artifacts.is_artifact(data):
            prepared = open_dataset(data)
            known = prepared.artifact.result.get("patients_unknown", 0) < len(prepared.rows)
            return [PlannedImage(row, known) for row in prepared.rows]
        if phantom is None or artifacts.is_artifact(raw):
            source, listing = source_selection.list_images(prepare)
        elif phantom.layout == "mura":
            source, listing = "mura", Listing(raw, layouts.list_records(phantom))
        else:
            return []
        rows = raw_rows.plan_rows(prepare, source, listing)
    except XrayaugError:  # of a set that is not there or cannot be prepared, which its own command reports
        return []
    return [PlannedImage(row, record.patient_known) for record, row in zip(listing.records, rows, strict=True)]


def estimate_power(study: Study, settings: Settings, images: Sequence[PlannedImage]) -> PowerAnalysis | None:
    """Return the power analysis of a study on these images; None if none is for testing, or no arm is compared."""
    comparisons = sum(arm.percent > 0 and arm.control is None for arm in study.commands if isinstance(arm, Augment))
    test = [image for image in images if image.row.split == "test"]
    if not (test and comparisons):
        return None
    patients = [image.row.patient if image.is_patient_known else "" for image in test]
    studies = [image.row.study for image in test]
    return power.analyze_power(patients, studies, seeds=settings.seeds, comparisons=comparisons)
