"""Plan a study: its commands in order, and which of them reads the results of which."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from xrayaug.data import sources
from xrayaug.data.arms import PRETRAIN, SYNTHETIC_ONLY
from xrayaug.errors import UsageError
from xrayaug.options import (
    SEED,
    Augment,
    Copies,
    Evaluate,
    Experiment,
    Fid,
    Phantom,
    Prepare,
    Privacy,
    Sample,
    TrainClassifier,
)
from xrayaug.options.base import Command
from xrayaug.options.choices import RANDOM_DIMS
from xrayaug.options.mixins import (
    CacheOptions,
    CheckpointOptions,
    DeviceOptions,
    EvaluationOptions,
    SplitOptions,
    WorkersOptions,
)
from xrayaug.studies.planned_arms import PlannedArm, find_schedules, plan_arms, plan_baseline
from xrayaug.studies.study_generators import TRAINING, Generator, TrainedGenerator, find_generators, shared_values
from xrayaug.studies.study_settings import MURA, RSNA, Settings, resolve_settings

DEMO_PHANTOMS = 1200
DEMO_TEST_SHARE = 0.5  # of the studies, as there are more training images than needed, and testing is quick
DEMO_HEIGHT = 200  # pixels of a demo phantom: ample for 128 px
DEMO_FINDING_SIZE = 4.0  # so that findings show at 64 px


@dataclass(frozen=True)
class JudgedArm:
    """An arm as an evaluation judges it: several GANs of one architecture, or draws of the real images, are of one."""

    percent: float
    label: str | None
    control: str | None
    real_fraction: float
    is_synthetic_only: bool  # in the only phase of training, or in the first
    is_pretrained: bool
    generator: str | None  # of the images that it has or counts; None without


@dataclass(frozen=True)
class Study:
    """The commands of a study in order, and the results that `experiment` shows."""

    commands: list[Command]
    out: Path
    evaluation: Path
    distances: list[Path]
    generators: Sequence[Generator] = ()

    def needs(self) -> list[frozenset[int]]:
        """Return for every command, in order, the numbers (from 0) of the commands whose results it reads."""
        producers = {part.out: number for number, command in enumerate(self.commands) for part in command.parts()}
        read = [[path for part in command.parts() for path in part.inputs().values()] for command in self.commands]
        return [frozenset(producers[path] for path in paths if path in producers) for paths in read]

    def list_judged_arms(self) -> dict[Path, JudgedArm]:
        """Return the arm of every run that is evaluated, by the path of the run."""
        trained = {
            part.out: part for each in self.commands for part in each.parts() if isinstance(part, TrainClassifier)
        }
        arms = {each.out: each for each in self.commands if isinstance(each, Augment)}
        names = {each.synthetic: each.name for each in self.generators}
        judged = [trained[run] for each in self.commands if isinstance(each, Evaluate) for run in each.runs]
        return {
            run.out: JudgedArm(
                percent=arm.percent,
                label=arm.label,
                control=arm.control,
                real_fraction=arm.real_fraction,
                is_synthetic_only=arm.synthetic_only,
                is_pretrained=run.init is not None,
                generator=names[arm.synthetic[0]] if arm.synthetic and arm.percent else None,
            )
            for run in judged
            for arm in [arms[trained[run.init].data if run.init else run.data]]
        }

    def count_comparisons(self) -> int:
        """Return the number of arms that are compared with a baseline, without controls."""
        return sum(arm.percent > 0 and arm.control is None for arm in set(self.list_judged_arms().values()))


def plan(options: Experiment) -> Study:
    """Return the commands of a study, with all defaults of the preset.

    Raises:
        UsageError: a raw set is missing, or options do not go together.
        DataError: what is given as synthetic images are none.
        ArtifactError: a dataset that is given is not there, or is damaged.
    """
    settings = resolve_settings(options)
    generators = find_generators(options, settings)
    trained = [each for each in generators if isinstance(each, TrainedGenerator)]
    distances = list(_distances(options, settings, generators))
    arms = plan_arms(options, settings, generators)
    attacks = _attacks(options, settings, generators) if options.audit_privacy else []
    classifiers, runs = _classifiers(options, settings, generators, arms)
    commands: list[Command] = [
        *(_phantoms(options, settings) if options.preset == "demo" else []),
        *_prepares(options, settings),
        *(command for each in trained for command in (each.gan, _sample(options, each))),
        *distances,
        *(_copies(options, settings, generators) if options.screen else []),
        *attacks,
        *(arm.command for arm in arms),
        *classifiers,
    ]
    measured = [fid.out for fid in distances if fid.out]
    commands.append(_evaluate(options, runs, measured, [each.out for each in attacks]))
    _check_names(commands)
    return Study(commands, options.out, options.out / "evaluation", measured, generators)


def _check_names(commands: Sequence[Command]) -> None:
    """Check that no two results have one directory, as names of generators might bring about.

    Raises:
        UsageError: two have.
    """
    seen: set[Path] = set()
    for out in (part.out for command in commands for part in command.parts()):
        if out in seen:
            raise UsageError(
                f"two results of the study would be called {out.name}",
                "give the generator another name: prepare --synthetic --generator",
            )
        seen.add(out)


def _sample(options: Experiment, generator: TrainedGenerator) -> Sample:
    """Return the command that draws from a GAN."""
    values = shared_values(options, DeviceOptions, CheckpointOptions)
    seed = generator.gan.seed
    return Sample(run=generator.gan.out, count=generator.samples, seed=seed, out=generator.synthetic, **values)


def _evaluate(
    options: Experiment, runs: tuple[Path, ...], distances: Sequence[Path], attacks: Sequence[Path]
) -> Evaluate:
    """Return the command that judges the runs.

    It may replace what it wrote before, as it is quick, and its inputs grow when seeds or doses are added. It accepts
    any verdict: the study itself fails on another than `--fail-unless`, not its last command.
    """
    values = shared_values(options, EvaluationOptions, CacheOptions, DeviceOptions) | {"fail_unless": None}
    return Evaluate(
        runs=runs,
        fid=tuple(distances) or None,
        privacy=tuple(attacks) or None,
        overwrite=True,
        out=options.out / "evaluation",
        **values,
    )


def _classifiers(
    options: Experiment, settings: Settings, generators: Sequence[Generator], arms: Sequence[PlannedArm]
) -> tuple[list[TrainClassifier], tuple[Path, ...]]:
    """Return the commands that train the classifiers of every arm, and the runs that are evaluated.

    There is one command for each seed, or one for all of a dataset; all arms have the same seeds. With the schedule
    `pretrain`, a run on an arm without real images is followed by one on the real images. With `--budget steps` the two
    share the epochs, so that they take as many steps as the runs of other arms. Otherwise each takes all epochs, and
    the first one is that of the schedule `synthetic-only`.

    Raises:
        UsageError: an epoch cannot be shared.
    """
    commands: dict[Path, TrainClassifier] = {}
    runs: list[Path] = []

    def add(together: TrainClassifier, *, seed: int | None, is_evaluated: bool) -> None:
        # Output layers take little memory, and share the features that one command computes.
        is_one_command = options.side_by_side or settings.classifier_train == "head"
        for command in (together,) if is_one_command and seed is None else together.parts():
            commands.setdefault(command.out, command)
        if is_evaluated:
            runs.extend(part.out for part in together.parts())

    for planned in arms:
        arm, together = planned.command, _classifier(options, settings, planned)
        together.check_trained_layers()
        if not arm.synthetic_only:
            add(together, seed=planned.seed, is_evaluated=True)
            continue
        if SYNTHETIC_ONLY in find_schedules(options):
            add(together, seed=planned.seed, is_evaluated=True)
        if PRETRAIN in find_schedules(options):
            baseline = plan_baseline(options, settings, generators, arm.real_fraction, planned.draw)
            first, second = _split_phases(options, settings, arm, baseline, together)
            add(first, seed=planned.seed, is_evaluated=False)
            add(second, seed=planned.seed, is_evaluated=True)
    return list(commands.values()), tuple(runs)


def _classifier(options: Experiment, settings: Settings, arm: PlannedArm) -> TrainClassifier:
    """Return the command that trains the classifiers of an arm, of all its seeds together."""
    data = arm.command.out
    return TrainClassifier(
        data=data,
        arch=settings.classifier_arch,
        weights=settings.classifier_weights,
        train=settings.classifier_train,
        size=settings.classifier_size,
        epochs=settings.classifier_epochs,
        budget=settings.budget,
        batch_size=settings.classifier_batch_size,
        seed=arm.seed or 0,
        seeds=settings.seeds if arm.seed is None else 1,
        out=options.out / f"{data.name.replace('arm', 'classifier', 1)}-seed-{SEED}",
        **shared_values(options, *TRAINING),
    )


def _split_phases(
    options: Experiment, settings: Settings, arm: Augment, baseline: Augment, together: TrainClassifier
) -> tuple[TrainClassifier, TrainClassifier]:
    """Return the commands of the two phases of pretraining: on the arm alone, and on the real images of its baseline.

    Raises:
        UsageError: they are to share one epoch.
    """
    name = arm.out.name.removeprefix("arm-")
    pretrained = "-".join(PRETRAIN if word == "only" else word for word in name.split("-"))
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
    values = shared_values(options, SplitOptions, WorkersOptions, CheckpointOptions)
    values |= {"split_by": settings.split_by, "seed": options.seed}
    commands = []
    if settings.gan_arch and settings.gan_data != settings.rsna:
        commands.append(
            Prepare(
                source=settings.rsna_source,
                input=settings.rsna,
                size=settings.gan_size,
                out=settings.gan_data,
                **values,
                **_options_of_source(options, settings.rsna_source),
            )
        )
    elif options.gan_size is not None:
        raise UsageError(
            f"--gan-size cannot change {settings.rsna}, which is prepared", "leave it out, or prepare it anew"
        )
    if settings.classifier_data != settings.mura:
        source, size = options.mura_source, settings.classifier_size
        values |= _options_of_source(options, source)
        commands.append(Prepare(source=source, input=settings.mura, size=size, out=settings.classifier_data, **values))
    if not commands and (options.test or options.split_by):
        flag = "--test" if options.test else "--split-by"
        raise UsageError(f"{flag} does nothing: both sets are prepared", "leave it out, or prepare them anew")
    _check_options_of_source(options, commands)
    return commands


def _options_of_source(options: Experiment, source: str) -> dict[str, Any]:
    """Return the options of `prepare` that only some sources read, for one of these."""
    if source == "mura":
        return {"part": options.part}
    return {"finding": options.finding} if sources.signature(source) else {}


def _check_options_of_source(options: Experiment, commands: Sequence[Prepare]) -> None:
    """Check that a raw set is read by each option that only some sources read.

    Raises:
        UsageError: none is.
    """
    if options.part != Prepare.part and all(each.source != "mura" for each in commands):
        raise UsageError("--part does nothing: no raw set is MURA", "leave it out")
    if options.finding and not any(each.finding for each in commands):
        raise UsageError(
            "--finding does nothing: no raw set is a public set with findings",
            "name its layout by --mura-source and --rsna-source, or prepare it first",
        )


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


def _copies(options: Experiment, settings: Settings, generators: Sequence[Generator]) -> list[Copies]:
    """Return the commands that look for copies of the training images of each generator."""
    values = _features(options, settings)
    return [Copies(synthetic=each.synthetic, real=each.compared_with, out=each.copies, **values) for each in generators]


def _attacks(options: Experiment, settings: Settings, generators: Sequence[Generator]) -> list[Privacy]:
    """Return the commands that ask whether the images of each generator tell its training patients."""
    values = _features(options, settings)
    return [
        Privacy(synthetic=each.synthetic, real=each.compared_with, out=each.privacy, **values) for each in generators
    ]


def _features(options: Experiment, settings: Settings) -> dict[str, Any]:
    """Return the options for features; random ones if no distances are measured."""
    values = shared_values(options, DeviceOptions, CheckpointOptions, CacheOptions)
    if settings.features == "inception":
        return values | {"weights": options.fid_weights}
    if settings.features == "imagenet":
        return values | {"features": "imagenet"}
    return values | {"features": "random", "dims": str(RANDOM_DIMS)}


def _distances(options: Experiment, settings: Settings, generators: Sequence[Generator]) -> Iterator[Fid]:
    """Yield the distances of synthetic to RSNA and of RSNA to MURA images, as in the thesis, if the sets differ.

    Without a GAN there is no RSNA set, and synthetic images are compared with MURA's.
    """
    features = _features(options, settings)
    synthetic = {f"synthetic{each.suffix}": each.synthetic for each in generators}
    sets = {RSNA: settings.gan_data, MURA: settings.classifier_data, **synthetic}
    pairs = [(name, RSNA if settings.gan_arch else MURA) for name in synthetic]
    if settings.rsna != settings.mura or (settings.gan_arch and options.preset != "demo"):
        pairs.append((RSNA, MURA))  # the demo may draw the same phantoms for both
    for a, b in pairs if settings.features != "none" else ():
        if sets[a] != sets[b]:
            yield Fid(a=sets[a], b=sets[b], out=options.out / f"fid-{a}-{b}", **features)
