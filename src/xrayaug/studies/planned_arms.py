"""The arms of a study: the commands that make them, and whether all of them can be made."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from xrayaug.data.arms import (
    LOW_RESOLUTION,
    MORE_REAL,
    PRETRAIN,
    REWEIGHT,
    SYNTHETIC_ONLY,
    TOGETHER,
    WITH_GENERATOR,
    WITH_SYNTHETIC,
)
from xrayaug.errors import UsageError
from xrayaug.options import Augment, Experiment
from xrayaug.studies.study_generators import ExternalGenerator, Generator, TrainedGenerator
from xrayaug.studies.study_settings import Settings, image_size


@dataclass(frozen=True)
class PlannedArm:
    """The command that makes an arm, or the part of an arm that has one of several GANs or draws of the real images."""

    command: Augment
    seed: int | None = None  # of the only classifiers that are trained on it; None: those of all seeds
    draw: int = 0  # number of the draw of the real images


def plan_arms(options: Experiment, settings: Settings, generators: Sequence[Generator]) -> list[PlannedArm]:
    """Return the arms: each share of real images with each label and dose, each dose followed by its controls.

    With several generators, each dose has an arm of each; those of the GANs of one architecture are parts of one arm,
    and so are those of several draws of the real images.
    Controls of real images are those of the first generator also for others whose arms surely have as many images of
    each label. A dose with the real images is followed by one without them.

    Raises:
        UsageError: no arm has both labels, which would be shuffled or trained on alone; no real image is left out for
            `more-real`; synthetic images have the resolution of real ones; or two arms have one name.
    """
    _check_arms(options, settings, generators)
    sources = _find_sources(options, generators)
    schedules = find_schedules(options)
    kinds = [False] if TOGETHER in schedules else []
    kinds += [True] if {SYNTHETIC_ONLY, PRETRAIN} & set(schedules) else []
    arms: dict[Path, PlannedArm] = {}
    for fraction, label, percent in itertools.product(settings.real_fractions, settings.labels, settings.percents):
        draws = [None] if fraction == 1 or settings.draws == 1 else list(range(settings.draws))
        if not percent:
            planned = [
                PlannedArm(plan_baseline(options, settings, generators, fraction, draw or 0), draw, draw or 0)
                for draw in draws
            ]
        else:
            planned = [
                _plan_arm(
                    options, settings, source if _has_both_labels(label) else _share_controls(source, generators),
                    fraction=fraction, draw=draw, percent=percent, label=label, control=control, alone=alone,
                )
                for alone, source in itertools.product(kinds, sources)
                if not alone or _has_both_labels(label)
                for control in (None, *_list_controls(settings, label, alone=alone))
                for draw in draws
                if draw is None or source.find_seed(control) in (None, draw)
            ]  # fmt: skip
        for arm in planned:
            if arms.setdefault(arm.command.out, arm) != arm:
                raise UsageError(
                    f"two arms of the study would be called {arm.command.out.name}",
                    "give the generator another name (prepare --synthetic --generator), or one of the doses alone",
                )
    return list(arms.values())


def plan_baseline(
    options: Experiment, settings: Settings, generators: Sequence[Generator], fraction: float, draw: int = 0
) -> Augment:
    """Return the arm of 0 percent with a draw of a share of the real images; it names the images of the first GAN."""
    return _make_command(options, settings, generators[0], fraction=fraction, draw=draw, percent=0.0)


def find_schedules(options: Experiment) -> tuple[str, ...]:
    """Return the uses of the synthetic images."""
    return options.schedules or (TOGETHER,)


@dataclass(frozen=True)
class _Sources:
    """The generators whose images an arm and its controls have or count."""

    arm: Generator
    resized: Generator  # of the control `low-resolution`, which has their size
    real: Generator  # of controls of real images, which have their class counts
    is_of_all: bool  # whether a control of real images is that of the arms of all generators
    has_own: bool  # whether controls without synthetic images are of this one of several GANs of an architecture

    def find(self, control: str | None) -> Generator:
        """Return the generator of an arm (None) or of a control."""
        if control in WITH_SYNTHETIC:
            return self.arm
        return self.resized if control == LOW_RESOLUTION else self.real

    def find_seed(self, control: str | None) -> int | None:
        """Return the seed of the only classifiers of an arm or of a control; None if there are those of all seeds."""
        return self.arm.seed if control in WITH_SYNTHETIC or self.has_own else None


def _find_sources(options: Experiment, generators: Sequence[Generator]) -> list[_Sources]:
    """Return the sources of the arms of every generator.

    Generators share the controls of real images if their arms of a dose surely have as many images of each label. The
    GANs of a study share them all or not at all, and likewise those of one architecture.
    """
    firsts = {each.name: each for each in reversed(generators)}  # the first GAN of each architecture
    trained = [each for each in firsts.values() if isinstance(each, TrainedGenerator)]
    are_alike = len(trained) <= 1 or _draw_same_labels(options, trained)
    found = []
    for each in generators:
        is_of_all = are_alike and (isinstance(each, TrainedGenerator) or _has_same_labels(options, generators[0], each))
        first = firsts[each.name]
        has_own = isinstance(each, TrainedGenerator) and each.seed is not None and options.screen and each.draws_both
        shared = each if has_own else first
        real = generators[0] if is_of_all and not has_own else shared
        found.append(_Sources(each, shared, real, is_of_all, has_own))
    return found


def _share_controls(sources: _Sources, generators: Sequence[Generator]) -> _Sources:
    """Return the sources of the arms of a generator if all images of a dose get one label."""
    first = next(each for each in generators if each.name == sources.arm.name)
    return _Sources(sources.arm, first, generators[0], is_of_all=True, has_own=False)


def _draw_same_labels(options: Experiment, trained: Sequence[TrainedGenerator]) -> bool:
    """Return whether the arms of a dose surely have as many images of each label, whichever GAN draws them.

    Those that draw both labels in turn do, unless a screening leaves images out.
    """
    both = {each.draws_both for each in trained}
    return both == {False} or (both == {True} and not options.screen)


def _has_same_labels(options: Experiment, first: Generator, other: ExternalGenerator) -> bool:
    """Return whether the images of a generator from elsewhere surely give arms with the labels of those of the first.

    They do if all images of both have one label, or the same labels in the same order, as arms draw the same places.
    """
    if first is other:
        return True
    labels = first.labels
    if labels is None:
        return False
    one_label = len(set(labels)) == 1 and set(labels) == set(other.labels)
    return one_label or (list(labels) == list(other.labels) and not options.screen)


def _plan_arm(
    options: Experiment,
    settings: Settings,
    sources: _Sources,
    *,
    fraction: float,
    draw: int | None,
    percent: float,
    label: str | None,
    control: str | None,
    alone: bool,
) -> PlannedArm:
    """Return an arm, or the part of one that has the images of one of several GANs or one of several draws."""
    command = _make_command(
        options, settings, sources.find(control), fraction=fraction, draw=draw or 0, percent=percent, label=label,
        control=control, alone=alone, is_of_all=sources.is_of_all, has_own=sources.has_own,
    )  # fmt: skip
    return PlannedArm(command, sources.find_seed(control) if draw is None else draw, draw or 0)


def _make_command(
    options: Experiment,
    settings: Settings,
    generator: Generator,
    *,
    fraction: float,
    draw: int = 0,
    percent: float,
    label: str | None = None,
    control: str | None = None,
    alone: bool = False,
    is_of_all: bool = True,
    has_own: bool = False,
) -> Augment:
    """Return the command that makes an arm.

    Args:
        options: of the study.
        settings: of the study.
        generator: of the synthetic images.
        fraction: share of the real images.
        draw: number of the draw of these images; the first one has the name of the only one of other studies.
        percent: the dose.
        label: of the added images.
        control: the control that it is; None for an arm.
        alone: whether the real images are left out.
        is_of_all: whether a control of real images is that of the arms of all generators.
        has_own: whether each of several GANs of one architecture has a control of real images of its own.
    """
    has_synthetic = percent > 0 or isinstance(generator, TrainedGenerator)
    is_renamed = isinstance(generator, ExternalGenerator) and generator.is_renamed
    is_named = is_renamed if control in WITH_GENERATOR else not is_of_all
    is_own = has_synthetic and (control in WITH_GENERATOR or not is_of_all or has_own)
    kept = f"real-{fraction:g}" if fraction != 1 else None
    only = "only" if alone else None
    of = generator.suffix[1:] if is_own else None
    drawn = f"draw-{draw + 1}" if draw else None
    parts = ["arm", f"{percent:g}", *filter(None, (label, control, only, of, kept, drawn))]
    return Augment(
        real=settings.classifier_data,
        synthetic=(generator.synthetic,) if has_synthetic else None,
        percent=percent,
        label=cast(Any, label if label != "both" else None),
        control=cast(Any, control),
        copies=(generator.copies,) if options.screen and has_synthetic else None,
        generator=generator.name if is_named and has_synthetic else None,
        real_fraction=fraction,
        synthetic_only=alone,
        cache=options.cache,
        seed=options.seed + draw,
        out=options.out / "-".join(parts),
    )


def _list_controls(settings: Settings, label: str | None, *, alone: bool) -> list[str]:
    """Return the controls of a dose; `reweight`, which adds no images, is left out if there are no real ones."""
    controls = [name for name in settings.controls if name != "none" and (name != "shuffle" or _has_both_labels(label))]
    return [name for name in controls if not (alone and name == REWEIGHT)]


def _check_arms(options: Experiment, settings: Settings, generators: Sequence[Generator]) -> None:
    """Check that every arm and control that is asked for can be made.

    Raises:
        UsageError: one cannot.
    """
    alone = [name for name in find_schedules(options) if name != TOGETHER]
    has_both = any(_has_both_labels(label) for label in settings.labels)
    if "shuffle" in settings.controls:
        if not has_both:
            raise UsageError("--controls shuffle needs images of both labels", "--labels both")
        _check_draw_both(generators, "--controls shuffle")
    if 0 in settings.real_fractions:
        raise UsageError(
            "--real-fractions is 0, which leaves no real image to compare with",
            f"--schedules {SYNTHETIC_ONLY} trains on synthetic images alone",
        )
    if options.against != "baseline" and set(settings.controls) <= {"none", MORE_REAL}:
        raise UsageError(
            f"--against {options.against} needs controls of equal size",
            "--controls duplicate, or another but more-real and none",
        )
    if MORE_REAL in settings.controls and max(settings.real_fractions) == 1:
        raise UsageError("--controls more-real needs real images that are left out", "all of --real-fractions below 1")
    if LOW_RESOLUTION in settings.controls:
        _check_resolution(settings, generators)
    if not alone:
        return
    if not has_both:
        raise UsageError(f"--schedules {alone[0]} needs images of both labels", "--labels both")
    _check_draw_both(generators, f"--schedules {alone[0]}")
    if PRETRAIN in alone and 0 not in settings.percents:
        raise UsageError(
            f"--schedules {PRETRAIN} goes on with the real images alone, which are the arm of 0 percent",
            "add 0 to --percents",
        )


def _check_draw_both(generators: Sequence[Generator], asked: str) -> None:
    """Check that the images of every generator have both labels.

    Raises:
        UsageError: those of one have not; `asked` is the option that needs it.
    """
    one_label = next((each for each in generators if not each.draws_both), None)
    if one_label is None:
        return
    raise UsageError(
        f"{asked} needs a generator of both labels, and {one_label.name} draws one",
        "--gan-arch cgan; or --conditional, if the architecture takes labels"
        if isinstance(one_label, TrainedGenerator)
        else f"leave {one_label.synthetic} out, or give images of both labels",
    )


def _check_resolution(settings: Settings, generators: Sequence[Generator]) -> None:
    """Check that classifiers will read synthetic images at a lower resolution than real ones.

    Raises:
        UsageError: they will not.
    """
    real = image_size(settings.mura, settings.classifier_data, settings.classifier_size)
    for each in generators:
        drawn_size = image_size(settings.rsna, settings.gan_data, settings.gan_size)
        synthetic = each.size if isinstance(each, ExternalGenerator) else drawn_size
        if synthetic >= min(real, settings.classifier_size):
            raise UsageError(
                f"--controls {LOW_RESOLUTION} needs synthetic images of a lower resolution than the real ones: "
                f"those of {each.name} have {synthetic} px, the real ones {real} px, read at "
                f"{settings.classifier_size} px",
                "--controls duplicate repeats real images as they are",
            )


def _has_both_labels(label: str | None) -> bool:
    """Return whether images that are added with this value of `--labels` may have both labels."""
    return label in (None, "both")
