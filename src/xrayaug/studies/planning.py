"""Plan a study: its settings by preset, its commands in order, and which of them reads the results of which."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from xrayaug.data.arms import LOW_RESOLUTION, MORE_REAL, PRETRAIN, REWEIGHT, SYNTHETIC_ONLY, TOGETHER, WITH_GENERATOR
from xrayaug.errors import UsageError
from xrayaug.networks import gans
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
class Generator:
    """One of the generators of a study: its architecture, and what its directories are called."""

    arch: str
    out: Path  # of the study
    suffix: str = ""  # of its directories; those of the first generator have none

    @property
    def gan(self) -> Path:
        """Directory of the GAN run."""
        return self.out / f"gan{self.suffix}"

    @property
    def synthetic(self) -> Path:
        """Directory of the images that it draws."""
        return self.out / f"synthetic{self.suffix}"

    @property
    def copies(self) -> Path:
        """Directory of the screening of these images."""
        return self.out / f"copies{self.suffix}"


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
        read = [[path for part in command.parts() for path in part.inputs().values()] for command in self.commands]
        return [frozenset(producers[path] for path in paths if path in producers) for paths in read]

    def count_comparisons(self) -> int:
        """Return the number of arms that are compared with a baseline, without controls."""
        trained = {
            part.out: part for each in self.commands for part in each.parts() if isinstance(part, TrainClassifier)
        }
        arms = {each.out: each for each in self.commands if isinstance(each, Augment)}
        judged = [trained[run] for each in self.commands if isinstance(each, Evaluate) for run in each.runs]
        doses = {(trained[run.init].data if run.init else run.data, run.init is not None) for run in judged}
        return sum(arms[data].percent > 0 and arms[data].control is None for data, _ in doses)


def plan(options: Experiment) -> Study:
    """Return the commands of a study, with all defaults of the preset.

    Raises:
        UsageError: a raw set is missing.
    """
    settings = resolve_settings(options)
    training = _shared_values(options, PrecisionOptions, CacheOptions, DeviceOptions, CheckpointOptions)
    gans_of_study = [_train_gan(options, settings, each, training) for each in _generators(options, settings)]
    generating: list[Command] = []
    for gan, sample in zip(gans_of_study, _samples(options, settings), strict=True):
        generating += (gan, sample)
    distances = list(_distances(options, settings))
    arms = _arms(options, settings, gans_of_study)
    classifiers, runs = _classifiers(options, settings, arms, training)
    commands: list[Command] = [
        *(_phantoms(options, settings) if options.preset == "demo" else []),
        *_prepares(options, settings),
        *generating,
        *distances,
        *(_copies(options, settings) if options.screen else []),
        *arms,
        *classifiers,
    ]
    measured = [fid.out for fid in distances if fid.out]
    commands.append(_evaluate(options, runs, measured))
    return Study(commands, options.out, options.out / "evaluation", measured)


def _generators(options: Experiment, settings: Settings) -> list[Generator]:
    """Return the generators of a study in order; the first has the names of the only one of other studies."""
    archs = dict.fromkeys(settings.gan_arch)
    return [Generator(arch, options.out, f"-{arch}" if number else "") for number, arch in enumerate(archs)]


def _train_gan(options: Experiment, settings: Settings, generator: Generator, training: dict[str, Any]) -> TrainGan:
    """Return the command that trains a generator."""
    return TrainGan(
        data=settings.gan_data,
        arch=generator.arch,
        conditional=options.conditional,
        only_label=options.gan_label,
        epochs=settings.gan_epochs,
        batch_size=settings.gan_batch_size,
        seed=options.seed,
        on_collapse=options.on_collapse,
        out=generator.gan,
        **training,
    )


def _samples(options: Experiment, settings: Settings) -> list[Sample]:
    """Return the command that draws from each generator."""
    values = _shared_values(options, DeviceOptions, CheckpointOptions)
    return [
        Sample(run=each.gan, count=settings.samples, seed=options.seed, out=each.synthetic, **values)
        for each in _generators(options, settings)
    ]


def draws_both(gan: TrainGan) -> bool:
    """Return whether a generator draws images of both labels in turn (imports torch)."""
    return bool(gan.conditional) or gans.load(gan.arch).CONDITIONAL == "always"


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
    if isinstance(options.gan_arch, str):
        given["gan_arch"] = (options.gan_arch,)
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


def _arms(options: Experiment, settings: Settings, gans_of_study: list[TrainGan]) -> list[Augment]:
    """Return the arms: each share of real images with each label and dose, each dose followed by its controls.

    With several generators, each dose has an arm of each. Controls of real images are made once if the generators draw
    equally many images of each label. A dose with the real images is followed by one without them.

    Raises:
        UsageError: no arm has both labels, which would be shuffled or trained on alone; no real image is left out for
            `more-real`; or synthetic images have the resolution of real ones.
    """
    _check_arms(options, settings, gans_of_study)
    generators = _generators(options, settings)
    is_alike = len(generators) == 1 or _draw_same_labels(options, gans_of_study)
    schedules = _schedules(options)
    kinds = [False] if TOGETHER in schedules else []
    kinds += [True] if {SYNTHETIC_ONLY, PRETRAIN} & set(schedules) else []
    arms: dict[Path, Augment] = {}
    for fraction, label, percent in itertools.product(settings.real_fractions, settings.labels, settings.percents):
        if not percent:
            planned = [_arm(options, settings, generators[0], fraction=fraction, percent=percent)]
        else:
            planned = [
                _arm(
                    options, settings, generator, fraction=fraction, percent=percent, label=label,
                    control=control, alone=alone, is_shared=is_alike or not _has_both_labels(label),
                )
                for alone, generator in itertools.product(kinds, generators)
                if not alone or _has_both_labels(label)
                for control in (None, *_controls(settings, label, alone=alone))
            ]  # fmt: skip
        arms |= {arm.out: arm for arm in planned if arm.out not in arms}
    return list(arms.values())


def _schedules(options: Experiment) -> tuple[str, ...]:
    return options.schedules or (TOGETHER,)


def _draw_same_labels(options: Experiment, gans_of_study: list[TrainGan]) -> bool:
    """Return whether the arms of a dose surely have as many images of each label, whichever generator draws them.

    Those that draw both labels in turn do, unless a screening leaves images out.
    """
    both = {draws_both(gan) for gan in gans_of_study}
    return both == {False} or (both == {True} and not options.screen)


def _arm(
    options: Experiment,
    settings: Settings,
    generator: Generator,
    *,
    fraction: float,
    percent: float,
    label: str | None = None,
    control: str | None = None,
    alone: bool = False,
    is_shared: bool = True,
) -> Augment:
    """Return the command that makes an arm.

    Args:
        options: of the study.
        settings: of the study.
        generator: of the synthetic images.
        fraction: share of the real images.
        percent: the dose.
        label: of the added images.
        control: the control that it is; None for an arm.
        alone: whether the real images are left out.
        is_shared: whether a control of real images is that of the arms of all generators.
    """
    if control not in WITH_GENERATOR and is_shared:
        generator = _generators(options, settings)[0]
    is_named = control not in WITH_GENERATOR and not is_shared
    kept = f"real-{fraction:g}" if fraction != 1 else None
    only = "only" if alone else None
    parts = ["arm", f"{percent:g}", *filter(None, (label, control, only, generator.suffix[1:], kept))]
    return Augment(
        real=settings.classifier_data,
        synthetic=(generator.synthetic,),
        percent=percent,
        label=cast(Any, label if label != "both" else None),
        control=cast(Any, control),
        copies=(generator.copies,) if options.screen else None,
        generator=generator.arch if is_named else None,
        real_fraction=fraction,
        synthetic_only=alone,
        cache=options.cache,
        seed=options.seed,
        out=options.out / "-".join(parts),
    )


def _controls(settings: Settings, label: str | None, *, alone: bool) -> list[str]:
    """Return the controls of a dose; `reweight`, which adds no images, is left out if there are no real ones."""
    controls = [name for name in settings.controls if name != "none" and (name != "shuffle" or _has_both_labels(label))]
    return [name for name in controls if not (alone and name == REWEIGHT)]


def _check_arms(options: Experiment, settings: Settings, gans_of_study: list[TrainGan]) -> None:
    """Check that every arm and control that is asked for can be made.

    Raises:
        UsageError: one cannot.
    """
    alone = [name for name in _schedules(options) if name != TOGETHER]
    has_both = any(_has_both_labels(label) for label in settings.labels)
    if "shuffle" in settings.controls and not has_both:
        raise UsageError("--controls shuffle needs images of both labels", "--labels both")
    if 0 in settings.real_fractions:
        raise UsageError(
            "--real-fractions is 0, which leaves no real image to compare with",
            f"--schedules {SYNTHETIC_ONLY} trains on synthetic images alone",
        )
    if MORE_REAL in settings.controls and max(settings.real_fractions) == 1:
        raise UsageError("--controls more-real needs real images that are left out", "--real-fractions below 1")
    if LOW_RESOLUTION in settings.controls:
        _check_resolution(settings)
    if not alone:
        return
    if not has_both:
        raise UsageError(f"--schedules {alone[0]} needs images of both labels", "--labels both")
    one_label = next((gan.arch for gan in gans_of_study if not draws_both(gan)), None)
    if one_label is not None:
        raise UsageError(
            f"--schedules {alone[0]} needs a generator of both labels, and {one_label} draws one",
            "--gan-arch cgan; or --conditional, if the architecture takes labels",
        )
    if PRETRAIN in alone and 0 not in settings.percents:
        raise UsageError(
            f"--schedules {PRETRAIN} goes on with the real images alone, which are the arm of 0 percent",
            "add 0 to --percents",
        )


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


def _has_both_labels(label: str | None) -> bool:
    """Return whether images that are added with this value of `--labels` may have both labels."""
    return label in (None, "both")


def _classifiers(
    options: Experiment, settings: Settings, arms: list[Augment], training: dict[str, Any]
) -> tuple[list[TrainClassifier], tuple[Path, ...]]:
    """Return the commands that train the classifiers of every arm, and the runs that are evaluated.

    There is one command for each seed, or one for all; all arms have the same seeds. With the schedule `pretrain`, a
    run on an arm without real images is followed by one on the real images. With `--budget steps` the two share the
    epochs, so that they take as many steps as the runs of other arms. Otherwise each takes all epochs, and the first
    one is that of the schedule `synthetic-only`.

    Raises:
        UsageError: an epoch cannot be shared.
    """
    commands: dict[Path, TrainClassifier] = {}
    runs: list[Path] = []

    def add(together: TrainClassifier, *, is_evaluated: bool) -> None:
        # Output layers take little memory, and share the features that one command computes.
        is_one_command = options.side_by_side or settings.classifier_train == "head"
        for command in (together,) if is_one_command else together.parts():
            commands.setdefault(command.out, command)
        if is_evaluated:
            runs.extend(part.out for part in together.parts())

    for arm in arms:
        together = _classifier(options, settings, arm, training)
        together.check_trained_layers()
        if not arm.synthetic_only:
            add(together, is_evaluated=True)
            continue
        if SYNTHETIC_ONLY in _schedules(options):
            add(together, is_evaluated=True)
        if PRETRAIN in _schedules(options):
            first, second = _split_phases(options, settings, arm, together)
            add(first, is_evaluated=False)
            add(second, is_evaluated=True)
    return list(commands.values()), tuple(runs)


def _classifier(options: Experiment, settings: Settings, arm: Augment, training: dict[str, Any]) -> TrainClassifier:
    """Return the command that trains the classifiers of an arm, of all seeds together."""
    return TrainClassifier(
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


def _split_phases(
    options: Experiment, settings: Settings, arm: Augment, together: TrainClassifier
) -> tuple[TrainClassifier, TrainClassifier]:
    """Return the commands of the two phases of pretraining: on the arm alone, and on the real images.

    Raises:
        UsageError: they are to share one epoch.
    """
    name = arm.out.name.removeprefix("arm-")
    pretrained = "-".join(PRETRAIN if word == "only" else word for word in name.split("-"))
    baseline = _arm(options, settings, _generators(options, settings)[0], fraction=arm.real_fraction, percent=0.0)
    first, epochs = together, together.recipe.epochs
    if settings.budget == "steps":
        if epochs < 2:
            raise UsageError(
                f"--schedules {PRETRAIN} with --budget steps shares the epochs between two phases, and there is one",
                "--classifier-epochs 2 or more, or --budget epochs",
            )
        first = replace(together, epochs=epochs // 2, out=options.out / f"pretraining-{name}-seed-{SEED}")
        epochs -= epochs // 2
    second = replace(
        together,
        data=baseline.out,
        init=first.out,
        epochs=together.epochs if settings.budget == "epochs" else epochs,
        out=options.out / f"classifier-{pretrained}-seed-{SEED}",
    )
    return first, second


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


def _copies(options: Experiment, settings: Settings) -> list[Copies]:
    """Return the commands that look for copies of the training images of each GAN."""
    values = _features(options, settings)
    return [
        Copies(synthetic=each.synthetic, real=settings.gan_data, out=each.copies, **values)
        for each in _generators(options, settings)
    ]


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
    synthetic = [each.synthetic for each in _generators(options, settings)]
    sets = {RSNA: settings.gan_data, MURA: settings.classifier_data, **{path.name: path for path in synthetic}}
    pairs = [*((path.name, RSNA) for path in synthetic), (RSNA, MURA)]
    if options.preset == "demo" and settings.rsna == settings.mura:
        pairs.pop()  # the same phantoms
    for a, b in pairs if settings.features != "none" else ():
        if sets[a] != sets[b]:
            yield Fid(a=sets[a], b=sets[b], out=options.out / f"fid-{a}-{b}", **features)
