"""The generators of a study: GANs that it trains, and others whose images were made elsewhere."""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from xrayaug.data import generators, synthetic_sets
from xrayaug.data.dataset import LABELS, Dataset
from xrayaug.data.images import arrays
from xrayaug.errors import DataError, UsageError
from xrayaug.networks import gans
from xrayaug.networks.gans import Shape
from xrayaug.options import Experiment, TrainGan
from xrayaug.options.mixins import (
    CacheOptions,
    CheckpointOptions,
    DeviceOptions,
    PrecisionOptions,
    TensorBoardOptions,
)
from xrayaug.options.prepare import is_generator_name
from xrayaug.storage import artifacts, manifests
from xrayaug.storage.artifacts import Artifact
from xrayaug.studies.study_settings import Settings, image_size, is_prepared

NOT_IN_NAMES = re.compile(r"[^\w.]+")  # of directories, among what the name of a generator may hold
POWER_NOTE = (
    "the variance between GANs is unknown before the study and not in this estimate: differences over several GANs "
    "must be larger to be detected"
)
TRAINING = (PrecisionOptions, CacheOptions, DeviceOptions, CheckpointOptions, TensorBoardOptions)


@dataclass(frozen=True)
class _NamedGenerator:
    name: str  # in the names of arms
    suffix: str  # of its directories; that of the first GAN is empty
    synthetic: Path  # directory of its images
    copies: Path  # directory of their screening
    privacy: Path  # directory of the attacks on them
    compared_with: Path  # real dataset that its images may be copies of
    seed: int | None  # of the only classifiers that are trained on its images; None: those of all seeds


@dataclass(frozen=True)
class TrainedGenerator(_NamedGenerator):
    """A GAN that the study trains and draws from; `name` is that of all GANs of its architecture."""

    gan: TrainGan
    number: int  # from 0 among the GANs of its architecture
    samples: int
    label: str | None  # that all its training images have; None if they have several, or it is not known yet

    @property
    def draws_both(self) -> bool:
        """Whether it draws images of both labels in turn (imports torch)."""
        return bool(self.gan.conditional) or gans.load(self.gan.arch).CONDITIONAL == "always"

    @property
    def can_draw_both(self) -> bool:
        """Whether it could draw both labels with `--conditional`."""
        return gans.load(self.gan.arch).CONDITIONAL != "never"

    @property
    def labels(self) -> Sequence[str] | None:
        """Labels of the images that it will draw, in order; None if they are not known yet (imports torch)."""
        if self.draws_both:
            return [LABELS[place % len(LABELS)] for place in range(self.samples)]
        return None if self.label is None else [self.label] * self.samples


@dataclass(frozen=True)
class ExternalGenerator(_NamedGenerator):
    """A generator from elsewhere, whose images are a finished synthetic dataset."""

    artifact: Artifact
    labels: Sequence[str]  # of its images, in order; empty words for images without a label
    size: int  # of its images, in pixels
    is_renamed: bool  # because another generator of the study has the name that the dataset records

    @property
    def draws_both(self) -> bool:
        """Whether its images have both labels."""
        return set(self.labels) == set(LABELS)

    def describe(self) -> str:
        """Return its name, its dataset, and what is known of its training images."""
        provenance = {
            generators.RECORDED: "trained by xrayaug",
            generators.DECLARED: "its training images are declared by the user",
            generators.NONE: "declared by the user to have seen none of the images of this study",
            generators.UNKNOWN: "what it was trained on is unknown",
        }[generators.read_generator(self.artifact).learnt_from]
        return f"{self.name} ({self.synthetic}: {len(self.labels):,} images; {provenance})"


Generator = TrainedGenerator | ExternalGenerator


def find_generators(options: Experiment, settings: Settings) -> list[Generator]:
    """Return the generators of a study in order; the first GAN has the names of the only one of other studies.

    Of several GANs of one architecture, number k from 0 has the seed of the study plus k, and is for the classifiers of
    seed k.

    Raises:
        UsageError: two generators cannot be told apart, or `--gan-init` is the start of none.
        DataError: what is given as the images of one is no synthetic dataset.
        ArtifactError: a dataset or a run is not there, or is damaged.
    """
    if options.gan_init is not None:
        _check_init(options.gan_init, settings, conditional=options.conditional)
    found: list[Generator] = []
    for arch, number in itertools.product(dict.fromkeys(settings.gan_arch), range(settings.gans)):
        name = f"{arch}-{number + 1}" if number else arch
        suffix = f"-{name}" if found else ""
        found.append(
            TrainedGenerator(
                name=arch,
                suffix=suffix,
                synthetic=options.out / f"synthetic{suffix}",
                copies=options.out / f"copies{suffix}",
                privacy=options.out / f"privacy{suffix}",
                compared_with=settings.gan_data,
                seed=number if settings.gans > 1 else None,
                gan=_train_gan(options, settings, arch, options.seed + number, options.out / f"gan{suffix}"),
                number=number,
                samples=settings.samples,
                label=_find_label(options, settings),
            )
        )
    digests: list[str] = []
    for path in settings.synthetic:
        data = _open_synthetic(path)
        digest = artifacts.digest(path)
        if digest in digests:
            first = settings.synthetic[digests.index(digest)]
            raise UsageError(f"--synthetic names one dataset twice: {first} and {path}", "name each once")
        digests.append(digest)
        found.append(
            _make_external(options, settings, data, [*(each.name for each in found), *(each.suffix for each in found)])
        )
    return found


def describe(found: Sequence[Generator]) -> list[str]:
    """Return a line on several GANs of one architecture, and one on each generator from elsewhere."""
    trained = Counter(each.name for each in found if isinstance(each, TrainedGenerator))
    several = [f"{count} GANs {name}" for name, count in trained.items() if count > 1]
    inits = {each.gan.init for each in found if isinstance(each, TrainedGenerator)} - {None}
    kind = "".join(f" that start from {init}" for init in inits)
    lines = [
        f"{' and '.join(several)}, one for each seed of the classifiers: the variance between seeds includes that "
        f"between GANs, and verdicts are about GANs of this kind{kind}"
    ]
    only = "; all seeds are trained on these images, so verdicts on them are about this generator only"
    return [
        *(lines if several else []),
        *(
            f"generator from elsewhere: {each.describe()}{only if several else ''}"
            for each in found
            if isinstance(each, ExternalGenerator)
        ),
    ]


def shared_values(options: Experiment, *mixins: Any) -> dict[str, Any]:
    """Return the values of the options of some mixins, to pass them on to a command that has these mixins too."""
    return {field.name: getattr(options, field.name) for mixin in mixins for field in fields(mixin)}


def _train_gan(options: Experiment, settings: Settings, arch: str, seed: int, out: Path) -> TrainGan:
    """Return the command that trains a GAN."""
    return TrainGan(
        data=settings.gan_data,
        arch=arch,
        conditional=options.conditional,
        only_label=options.gan_label,
        epochs=settings.gan_epochs,
        batch_size=settings.gan_batch_size,
        init=options.gan_init,
        seed=seed,
        on_collapse=options.on_collapse,
        out=out,
        **shared_values(options, *TRAINING),
    )


def _check_init(init: Path, settings: Settings, *, conditional: bool | None) -> None:
    """Check that the GANs can start from a run (imports torch).

    Raises:
        UsageError: they are not all of its architecture, or their networks have another shape.
        ArtifactError: it is no finished run.
    """
    run = artifacts.open_artifact(init, "gan-run")
    arch = run.get(str, "result", "arch", among=gans.names())
    if set(settings.gan_arch) != {arch}:
        named = ", ".join(dict.fromkeys(settings.gan_arch)) or "none"
        raise UsageError(f"--gan-init {init} is a run of {arch}, and --gan-arch is {named}", f"--gan-arch {arch}")
    network, size = gans.load(arch), image_size(settings.rsna, settings.gan_data, settings.gan_size)
    classes = len(LABELS) if conditional or network.CONDITIONAL == "always" else 0
    planned = Shape(size=size, latent=network.recipe(size).latent, width=TrainGan.width, classes=classes)
    before = Shape(
        size=run.get(int, "result", "size"),
        latent=run.get(int, "result", "latent"),
        width=run.get(float, "result", "width"),
        classes=run.get(int, "result", "classes"),
    )
    misfits = gans.find_misfits(network, before, planned)
    if misfits:
        found, wanted = ([f"{name} {getattr(shape, name):g}" for name in misfits] for shape in (before, planned))
        smaller = " or a smaller" if hasattr(network, "adapt_weights") else ""
        raise UsageError(
            f"--gan-init {init} has {', '.join(found)}, and the GANs of this study have {', '.join(wanted)}",
            f"a run of train-gan with the same options, on images of the same{smaller} size",
        )


def _find_label(options: Experiment, settings: Settings) -> str | None:
    """Return the label that all training images of the GANs have, as far as the options and a given dataset say."""
    if options.gan_label is not None:
        return options.gan_label
    if not is_prepared(settings.rsna):
        return LABELS[0] if settings.rsna_source == "rsna" else None  # RSNA's images are all normal
    result = manifests.read(settings.rsna / manifests.MANIFEST)["result"]
    labels = list(result.get("counts", {}).get("train", {}))
    return labels[0] if len(labels) == 1 else None


def _make_external(options: Experiment, settings: Settings, data: Dataset, taken: Sequence[str]) -> ExternalGenerator:
    """Return the generator of a synthetic dataset.

    It has the name that the dataset records, or that of the directory if another generator has this one.

    Raises:
        UsageError: there is no name for it.
    """
    artifact, path = data.artifact, data.path
    recorded = generators.read_generator(artifact).name
    unavailable = {"", *map(_slug, taken)}
    possible = [name for name in (recorded, path.resolve().name) if _slug(name) not in unavailable]
    if not possible or not is_generator_name(possible[0]):
        raise UsageError(
            f"another generator of this study has the name of {path}, {recorded}",
            "give the directory of the dataset another name",
        )
    suffix = f"-{_slug(possible[0])}"
    return ExternalGenerator(
        name=possible[0],
        suffix=suffix,
        synthetic=path,
        copies=options.out / f"copies{suffix}",
        privacy=options.out / f"privacy{suffix}",
        compared_with=_find_training_data(artifact, settings)
        if options.screen or options.audit_privacy
        else settings.classifier_data,
        seed=None,
        artifact=artifact,
        labels=[row.label for row in data.rows],
        size=data.size,
        is_renamed=possible[0] != recorded,
    )


def _slug(name: str) -> str:
    """Return the name of a generator as a part of the names of directories."""
    return NOT_IN_NAMES.sub("-", name).strip("-.").casefold()


def _open_synthetic(path: Path) -> Dataset:
    """Open a synthetic dataset without hashing its pixels, which the commands that read them do.

    Raises:
        DataError: it is none.
        ArtifactError: it is not there, or is damaged.
    """
    synthetic_sets.refuse_foreign_images(path)
    data = Dataset(artifacts.open_artifact(path, "dataset", hash_later=(arrays.IMAGES,)))
    remedy = "give datasets of xrayaug prepare --synthetic or sample"
    if "arm" in data.artifact.result:
        raise DataError(f"{path} of --synthetic is an arm", remedy)
    if not all(row.synthetic for row in data.rows):
        raise DataError(f"{path} of --synthetic holds real images", remedy)
    return data


def _find_training_data(artifact: Artifact, settings: Settings) -> Path:
    """Return the real dataset that a generator from elsewhere was trained on; that of the classifiers if unknown."""
    images = generators.open_training_images(artifact, only_known=True)
    return images[0].data.path if images else settings.classifier_data
