"""The options of `xrayaug experiment`, and its presets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from xrayaug.errors import UsageError
from xrayaug.options.base import (
    Command,
    Panel,
    Role,
    find_value,
    format_value,
    option,
    parse_counts,
    parse_numbers,
    parse_paths,
    parse_words,
    redeclare,
)
from xrayaug.options.choices import ARCHITECTURES, SOURCES, Budget, Control, Label, Part, SplitBy
from xrayaug.options.mixins import (
    CheckpointOptions,
    CollapseOptions,
    DeviceOptions,
    EvaluationOptions,
    FeatureCacheOptions,
    FeatureOptions,
    LabelOptions,
    PrecisionOptions,
    SlurmOptions,
    SplitOptions,
    TensorBoardOptions,
    WorkersOptions,
)
from xrayaug.options.prepare import Prepare
from xrayaug.options.sample import Sample
from xrayaug.options.train_classifier import TrainClassifier
from xrayaug.options.train_gan import TrainGan

WITHOUT_GAN = "none"  # the value of --gan-arch that trains no GAN
PER_SEED: Literal["per-seed"] = "per-seed"  # the value of --gans and --draws that is the number of seeds
StudyFeatures = Literal["inception", "imagenet", "random", "none"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The values of the options of a study that the user does not give."""

    rsna_source: str
    percents: tuple[float, ...]
    real_fractions: tuple[float, ...]
    controls: tuple[str, ...]
    budget: Budget
    seeds: int
    gan_arch: tuple[str, ...]
    gan_size: int
    gan_epochs: int
    gan_batch_size: int | None  # None: the one in the recipe of the architecture
    samples: int
    features: StudyFeatures
    split_by: SplitBy
    classifier_arch: str
    classifier_weights: str
    classifier_train: str
    classifier_size: int
    classifier_epochs: int | None  # None: the one of the trained layers
    classifier_batch_size: int


PRESETS = {  # the thesis chose the defaults of the commands
    "thesis": Preset(
        rsna_source="rsna",
        percents=(0.0, 10.0, 50.0, 100.0),
        real_fractions=(1.0,),
        controls=("none",),
        budget=TrainClassifier.budget,
        seeds=5,
        gan_arch=(TrainGan.arch,),
        gan_size=Prepare.size,
        gan_epochs=TrainGan.epochs,
        gan_batch_size=TrainGan.batch_size,
        samples=Sample.count,
        features="inception",
        split_by="image",
        classifier_arch=TrainClassifier.arch,
        classifier_weights=TrainClassifier.weights,
        classifier_train=TrainClassifier.train,
        classifier_size=TrainClassifier.size,
        classifier_epochs=TrainClassifier.epochs,
        classifier_batch_size=TrainClassifier.batch_size,
    ),
    "demo": Preset(
        rsna_source="mura",  # whose phantoms have both labels
        percents=(0.0, 200.0),
        real_fractions=(0.12,),
        controls=("more-real",),
        budget="epochs",
        seeds=20,
        gan_arch=("cgan",),
        gan_size=64,
        gan_epochs=8,
        gan_batch_size=25,
        samples=300,
        features="imagenet",
        split_by="patient",
        classifier_arch="efficientnet_lite0",
        classifier_weights="imagenet",
        classifier_train="head",
        classifier_size=128,
        classifier_epochs=TrainClassifier.epochs,
        classifier_batch_size=8,
    ),
}


def parse_per_seed(text: str) -> int | Literal["per-seed"]:
    """Return the value of `--gans` or `--draws`.

    Raises:
        UsageError: it is neither a positive integer nor `per-seed`.
    """
    if text == PER_SEED:
        return PER_SEED
    if not (text.isdecimal() and int(text)):
        raise UsageError(
            f"'{text}' is neither a positive number nor {PER_SEED}", f"give 1, the number of --seeds, or {PER_SEED}"
        )
    return int(text)


def _format_preset_value(preset: str, name: str) -> str:
    value = getattr(PRESETS[preset], name)
    decided_by = "--classifier-train" if name.startswith("classifier") else "--gan-arch"
    return f"that of {decided_by}" if value is None else format_value(value)


def _preset_default(name: str) -> str:
    """Return the values of an option in all presets, as `--help` shows them."""
    return "; ".join(f"{preset}: {_format_preset_value(preset, name)}" for preset in PRESETS)


def _preset_option(name: str, help: str, panel: Panel, **settings: Any) -> Any:
    """Declare an option whose default is in the preset."""
    return option(None, help=help, panel=panel, default_text=_preset_default(name), **settings)


@dataclass(frozen=True, kw_only=True)
class Experiment(
    SplitOptions,
    EvaluationOptions,
    WorkersOptions,
    CollapseOptions,
    PrecisionOptions,
    CheckpointOptions,
    FeatureCacheOptions,
    DeviceOptions,
    SlurmOptions,
    TensorBoardOptions,
    Command,
):
    """Run a whole study: all other commands in order, except those that are complete."""

    name = "experiment"
    example = "xrayaug experiment --preset thesis --rsna raw/rsna --mura raw/MURA-v1.1 --out study"

    preset: Literal["thesis", "demo"] = option(
        "thesis",
        help="Values of the options that are not given: thesis takes those of the thesis, for real data; demo draws "
        "phantoms and is small enough for a CPU.",
    )
    rsna: Path | None = option(
        None,
        help="Images to train the GAN on: raw RSNA images, another raw set (see --rsna-source), or a dataset.",
        role=Role.INPUT,
        default_text="phantoms with --preset demo, none without a GAN, else required",
    )
    mura: Path | None = option(
        None,
        help="Images to train the classifiers on: raw MURA, another raw set (see --mura-source), or a dataset.",
        role=Role.INPUT,
        default_text="phantoms with --preset demo, else required",
    )
    synthetic: tuple[Path, ...] | None = option(
        None,
        help="Datasets of prepare --synthetic (or sample) with images of other generators, separated by commas. Each "
        "has arms of its own, like each GAN of --gan-arch.",
        role=Role.INPUT,
        panel=Panel.DATA,
        metavar="PATH,...",
        parse=parse_paths,
        default_text="none",
    )
    rsna_source: str | None = _preset_option(
        "rsna_source", "Layout of the set of --rsna; see prepare --source.", Panel.DATA, choices=SOURCES
    )
    mura_source: str = option(
        "mura", choices=SOURCES, help="Layout of the set of --mura; see prepare --source.", panel=Panel.DATA
    )
    part: Part = redeclare(Prepare, "part", help="Body part to read from raw MURA sets, or all seven.")
    finding: tuple[str, ...] | None = redeclare(
        Prepare, "finding", help="Findings of raw public sets that count as abnormal, separated by commas."
    )
    percents: tuple[float, ...] | None = _preset_option(
        "percents",
        "Doses of synthetic images, in percent of the normal real training images, separated by commas.",
        Panel.COMMON,
        metavar="FLOAT,...",
        parse=parse_numbers,
    )
    real_fractions: tuple[float, ...] | None = _preset_option(
        "real_fractions",
        "Shares of the real training patients to keep, separated by commas. Each is combined with every dose.",
        Panel.DATA,
        metavar="FLOAT,...",
        parse=parse_numbers,
    )
    draws: int | Literal["per-seed"] = option(
        1,
        help="Draws of the real images that --real-fractions keeps: 1, or one for each seed of the classifiers, which "
        "is per-seed or the number of --seeds. All arms of a seed have the same draw, so that the verdict is about "
        "so many real images instead of those of one draw.",
        panel=Panel.DATA,
        minimum=1,
        metavar="INT|per-seed",
        parse=parse_per_seed,
    )
    labels: tuple[str, ...] | None = option(
        None,
        help="Labels of the added images, separated by commas: normal, abnormal, both, balance. Each is combined with "
        "every dose.",
        panel=Panel.DATA,
        choices=("normal", "abnormal", "both", "balance"),
        metavar="NAME,...",
        parse=parse_words,
        default_text="the labels that they were drawn with",
    )
    schedules: tuple[str, ...] | None = option(
        None,
        help="Uses of the synthetic images, separated by commas: mixed trains on real and synthetic images together, "
        "synthetic-only on synthetic ones alone, pretrain first on these and then on the real ones. Each is combined "
        "with every dose of images of both labels and with its controls. With --budget steps, the two phases of "
        "pretrain share the epochs.",
        panel=Panel.TRAINING,
        choices=("mixed", "synthetic-only", "pretrain"),
        metavar="NAME,...",
        parse=parse_words,
        default_text="mixed",
    )
    controls: tuple[str, ...] | None = _preset_option(
        "controls",
        "Controls of every dose, separated by commas: none, duplicate, classical, reweight, shuffle, low-resolution, "
        "more-real; see augment --control.",
        Panel.DATA,
        choices=("none", *get_args(Control)),
        metavar="NAME,...",
        parse=parse_words,
    )
    seeds: int | None = _preset_option("seeds", "Classifiers to train for each arm.", Panel.COMMON, minimum=1)
    sequential: tuple[int, ...] | None = option(
        None,
        help="Look at the study at these numbers of seeds, separated by commas, such as 3,5,8,12, instead of once at "
        "--seeds. Each look spends a part of the 5 %. An arm that is found to help or to hurt gets no more seeds. The "
        "plan is locked before the first look.",
        panel=Panel.COMMON,
        metavar="INT,...",
        parse=parse_counts,
        default_text="one look, at --seeds",
    )
    budget: Budget | None = redeclare(  # None stands for the value of the preset
        TrainClassifier, "budget", None, default_text=_preset_default("budget")
    )
    gan_arch: tuple[str, ...] | None = _preset_option(
        "gan_arch",
        "Architecture of the GAN; or several, separated by commas, to compare them: each has arms of its own. none "
        "trains no GAN, to judge the images of --synthetic alone.",
        Panel.MODEL,
        choices=(*ARCHITECTURES, WITHOUT_GAN),
        metavar="NAME,...",
        parse=parse_words,
    )
    gans: int | Literal["per-seed"] = option(
        1,
        help="GANs to train of each architecture: 1, or one for each seed of the classifiers, which is per-seed or the "
        "number of --seeds. The classifiers of a seed are then trained on the images of its own GAN, so that the "
        "verdict is about GANs of this kind instead of one GAN.",
        panel=Panel.TRAINING,
        minimum=1,
        metavar="INT|per-seed",
        parse=parse_per_seed,
    )
    conditional: bool | None = redeclare(TrainGan, "conditional", panel=Panel.MODEL)
    gan_label: Label | None = redeclare(
        LabelOptions,
        "only_label",
        help="Train the GAN on the images of this label alone. A conditional architecture does not need it.",
    )
    gan_init: Path | None = option(
        None,
        help="GAN run whose weights the GANs start from, of the architecture of --gan-arch; see train-gan --init.",
        role=Role.INPUT,
        panel=Panel.MODEL,
        default_text="random weights",
    )
    gan_size: int | None = _preset_option(
        "gan_size", "Width and height of the images of the GAN, in pixels.", Panel.MODEL, minimum=8
    )
    gan_epochs: int | None = _preset_option("gan_epochs", "Epochs of the GAN.", Panel.TRAINING, minimum=1)
    gan_batch_size: int | None = _preset_option("gan_batch_size", "Batch size of the GAN.", Panel.TRAINING, minimum=1)
    samples: int | None = _preset_option("samples", "Synthetic images to draw.", Panel.SAMPLING, minimum=1)
    features: StudyFeatures | None = _preset_option(
        "features", "Features for the distances between sets; none measures no distances.", Panel.EVALUATION
    )
    screen: bool = option(
        False,
        help="Run xrayaug copies on the synthetic images and leave out those that it flags.",
        panel=Panel.SAMPLING,
    )
    audit_privacy: bool = option(
        False,
        help="Run xrayaug privacy on the synthetic images of each generator and show the results in the report. The "
        "dataset that it was trained on needs images for validation or testing of at least 20 patients.",
        panel=Panel.SAMPLING,
    )
    fid_weights: Path | None = redeclare(FeatureOptions, "weights", panel=Panel.EVALUATION)
    split_by: SplitBy | None = redeclare(  # type: ignore[assignment] # None stands for the value of the preset
        SplitOptions, "split_by", None, default_text=_preset_default("split_by")
    )
    classifier_arch: str | None = _preset_option(
        "classifier_arch",
        "Classification network; see train-classifier --arch.",
        Panel.MODEL,
        metavar="NAME",
    )
    classifier_weights: str | None = _preset_option(
        "classifier_weights",
        "Initial weights of the classifiers: imagenet, none (random), or a file.",
        Panel.MODEL,
        metavar="NAME|FILE",
    )
    classifier_train: str | None = _preset_option(
        "classifier_train",
        "Layers of the classifiers to train: all, head or last-N; see train-classifier --train.",
        Panel.MODEL,
        metavar="LAYERS",
    )
    classifier_size: int | None = _preset_option(
        "classifier_size",
        "Width and height of the images that the classifiers see, in pixels.",
        Panel.MODEL,
        minimum=16,
    )
    classifier_epochs: int | None = _preset_option(
        "classifier_epochs", "Epochs of the classifiers.", Panel.TRAINING, minimum=1
    )
    classifier_batch_size: int | None = _preset_option(
        "classifier_batch_size", "Batch size of the classifiers.", Panel.TRAINING, minimum=2
    )
    tensorboard: bool = redeclare(
        TensorBoardOptions,
        "tensorboard",
        help="Also write the logs and previews of both trainings as events for TensorBoard, into a directory "
        "RUN.tensorboard beside each run. This needs the extra tensorboard.",
    )
    side_by_side: bool = option(
        False,
        help="Train the classifiers of one arm together on one device, which needs memory for all of them.",
        role=Role.EXECUTION,
    )
    jobs: int | None = option(
        None,
        help="Number of commands to run in parallel. A command starts when all its inputs are there.",
        role=Role.EXECUTION,
        minimum=1,
        maximum=1024,
        default_text="the number of --devices, else 1; with --slurm no limit",
    )
    devices: tuple[str, ...] | None = option(
        None,
        help="Devices to distribute the commands over, separated by commas, such as cuda:0,cuda:1. Each command runs "
        "on one of them.",
        role=Role.EXECUTION,
        metavar="DEVICE,...",
        parse=parse_words,
        default_text="that of --device",
    )
    status: bool = option(
        False,
        help="Only report which commands are done, running, failed or waiting, and estimate the remaining time.",
        role=Role.EXECUTION,
        panel=Panel.COMMON,
    )
    slurm: Path | None = option(
        None,
        help="Only write the commands that are not done as SLURM job scripts to this directory. Its submit.sh submits "
        "them.",
        role=Role.EXECUTION,
        panel=Panel.SLURM,
        default_text="none",
    )

    def identity(self) -> dict[str, Any]:
        """Return the settings; those that were added later are left out at their defaults."""
        settings = super().identity()
        if self.part == Prepare.part:
            del settings["part"]
        if self.finding is None:
            del settings["finding"]
        if self.against == "baseline":
            del settings["against"]
        if self.gans == 1:
            del settings["gans"]
        if self.draws == 1:
            del settings["draws"]
        if not self.audit_privacy:
            del settings["audit_privacy"]
        if self.primary is None:
            del settings["primary"]
        if self.sequential is None:
            del settings["sequential"]
        return settings

    @classmethod
    def dependent_defaults(cls, words: Sequence[str]) -> dict[str, str]:
        """Return the values of the preset among the words."""
        preset = find_value(words, "preset")
        names = Preset.__dataclass_fields__ if preset in PRESETS else ()
        return {name: f"{preset}: {_format_preset_value(str(preset), name)}" for name in names}
