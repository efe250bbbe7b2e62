"""One frozen dataclass per command: every knob, its default and its help, declared once.

A field is the flag (`--batch-size`), its help, the Python API (`TrainGan(batch_size=...)`) and the manifest entry.
What a field can say of itself is in `command.py`. Nothing here imports torch, typer or rich.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from xrayaug.errors import UsageError
from xrayaug.options.base import Command, Role, numbers, option, pair, paths, words
from xrayaug.runtime import plugins
from xrayaug.runtime.stopping import Interval, interval

SOURCES = plugins.names("data.sources")
ARCHITECTURES = plugins.names("networks.gans")

SEED = "{seed}"  # in an --out, what each of several seeds takes the place of

Part = Literal["elbow", "finger", "forearm", "hand", "humerus", "shoulder", "wrist", "all"]
Label = Literal["normal", "abnormal"]
Control = Literal["duplicate", "classical", "reweight", "shuffle"]
Split = Literal["train", "valid", "test"]
Metric = Literal["auroc", "accuracy", "balanced-accuracy", "kappa", "average-precision", "f1"]
Case = Literal["image", "study", "patient"]
Loss = Literal["bce", "nonsaturating", "hinge", "wgan", "relativistic"]
Augmentation = Literal["none", "diffaugment", "ada"]
Duplicates = Literal["error", "warn", "exact"]


def _device() -> Any:
    return option(
        "auto",
        help="Where to compute: auto, cpu, cuda, cuda:1, ... or mps.",
        role=Role.EXECUTION,
        metavar="DEVICE",
    )


def _deterministic() -> Any:
    return option(
        False,
        help="On CUDA, only algorithms that give the same bytes each time; on a CPU that is always so.",
        role=Role.EXECUTION,
    )


def _no_graphs() -> Any:
    return option(
        False,
        help="On CUDA, launch every step kernel by kernel in place of as one recorded graph: slower on small images.",
        role=Role.EXECUTION,
    )


def _precision() -> Any:
    return option(
        "fp32",
        choices=("fp32", "tf32", "bf16"),
        help="What training multiplies: fp32; tf32, rounded to 10 bits (NVIDIA GPUs); bf16, to 7; weights stay fp32.",
    )


def _sync_bn() -> Any:
    return option(
        False,
        help="Of several processes: batch norm by the statistics of the whole batch, not of each one's share.",
    )


def _features(help: str) -> Any:
    return option("inception", help=help, metavar="inception|random|RUN")


def _run_of(features: str) -> dict[str, Path]:
    """The classifier run that `--features` names, as an input; nothing where it names no run."""
    return {} if features in ("inception", "random") else {"features": Path(features)}


def _profile() -> Any:
    return option(
        None,
        help="Trace some steps to this file (.json or .json.gz) for ui.perfetto.dev, and say where their time went.",
        role=Role.EXECUTION,
    )


def _checkpoint_every() -> Any:
    return option(
        Interval(seconds=300),
        help="How often to save what a killed run needs to go on: a time (90s, 5m, 1h) or a number of images.",
        role=Role.EXECUTION,
        metavar="TIME|IMAGES",
        parse=interval,
    )


def _slurm(what: str, metavar: str) -> Any:
    """What the job scripts of a study ask SLURM for."""
    return option(None, help=f"{what} (default: the cluster's).", role=Role.EXECUTION, metavar=metavar)


def _duplicates() -> Any:
    return option(
        "error",
        help="What copies and near copies in two splits are; within one split they are only reported. exact: an error "
        "as well, but of equal pixels alone; no others are looked for.",
    )


def _cache() -> Any:
    return option(
        None,
        help="Directory on this machine's own disk: pixels of datasets are copied there once, and read from there.",
        role=Role.EXECUTION,
    )


def _recipe(what: str, **bounds: Any) -> Any:
    """How a GAN is trained, which its architecture knows where the user does not say."""
    return option(None, help=f"{what} (default: the architecture's).", **bounds)


@dataclass(frozen=True, kw_only=True)
class Prepare(Command):
    """Read raw radiographs and labels into a dataset: fixed size, grey, split, checked."""

    name = "prepare"
    example = "xrayaug prepare --source mura --input MURA-v1.1 --part hand --size 224 --out data/mura"
    reads_raw = True

    input: Path = option(help="Directory of the raw set; for --source table also the CSV file itself.", role=Role.INPUT)
    source: str = option(
        "auto", choices=("auto", *SOURCES), help="How the raw set lies on disk; auto looks and says what it found."
    )
    part: Part = option("hand", help="MURA: the body part to read, or all seven.")
    table: Path | None = option(
        None, help="--source table: the CSV file, here or in --input, the directory of images.", role=Role.INPUT
    )
    encoding: str | None = option(
        None, help="--source table: encoding of the CSV file (default: UTF-8 or UTF-16, else guessed, and said)."
    )
    image_column: str | None = option(None, help="--source table: column of the image's path (default: found by name).")
    label_column: str | None = option(None, help="--source table: column of the label (default: found by name).")
    patient_column: str | None = option(
        None, help="--source table: column of the patient (default: found by name; none: there is none)."
    )
    study_column: str | None = option(
        None, help="--source table: column of the study (default: found by name; none: there is none)."
    )
    patient_pattern: str | None = option(
        None,
        help="--source folder or table: regular expression that finds the patient in an image's path, its group if it "
        "has one; else each image counts as a patient of its own.",
        metavar="REGEX",
    )
    split_column: str | None = option(
        None,
        help="--source table: column that says train, valid or test (default: found by name; none: there is none).",
    )
    keep_columns: tuple[str, ...] | None = option(
        None,
        help="--source table: columns of the list to keep in index.csv, with commas (default: all; none: keep none).",
        parse=words,
    )
    only: tuple[str, ...] | None = option(
        None,
        help="--source table: lines to read, as COLUMN=VALUE, COLUMN=VALUE|VALUE or COLUMN!=VALUE; several with commas "
        "must all hold.",
        parse=words,
    )
    abnormal_class: str | None = option(
        None, help="Names of the classes that count as abnormal, every other being normal, where they do not tell."
    )
    normal_class: str | None = option(
        None, help="The same of the normal ones, every other being abnormal; with both, there may be no others."
    )
    empty_label: Label | None = option(
        None,
        help="--source table: label where none is told: empty, NA, nan, null, None, - (default: it is left out).",
    )
    unsure_label: Literal["skip", "normal", "abnormal"] | None = option(
        None, help="--source table: label where it is uncertain, such as -1 of CheXpert and MIMIC-CXR (default: skip)."
    )
    label: Label | None = option(None, help="Label of every image of a set that has no labels.")
    size: int = option(128, help="Width and height of the prepared images, in pixels.", minimum=8, maximum=4096)
    fit: Literal["squash", "pad", "crop"] = option(
        "squash",
        help="Make it square: squash ignores the aspect (the thesis), pad adds black, crop cuts the long side.",
    )
    resample: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"] = option(
        "bicubic", help="Resampling filter; all but nearest are antialiased."
    )
    bits: Literal["auto", "8", "10", "12", "14", "16"] = option(
        "auto",
        help="Bit depth of all files of more than 8 bits; auto takes the smallest that holds every value of the set.",
    )
    invert: bool = option(False, help="Turn black to white, for sets that show bone dark (as MONOCHROME1).")
    holdout: float | None = option(
        None,
        help="Share of the training images held out for validation (default: 0.1; 0 where there is only one class).",
        minimum=0,
        maximum=0.9,
    )
    test: float = option(
        0.0, help="Share of all images set apart as test, where the raw set names none.", minimum=0, maximum=0.9
    )
    split_by: Literal["patient", "image"] = option(
        "patient", help="Hold out whole patients, or single images as the thesis did (patients then leak)."
    )
    duplicates: Duplicates = _duplicates()
    strict: bool = option(False, help="Make the first unusable file an error, not a line in skipped.csv.")
    max_lost: float = option(
        0.05,
        help="Share of the images that may be lost, being missing, unreadable or damaged; 1 goes on whatever is lost.",
        role=Role.EXECUTION,
        minimum=0,
        maximum=1,
        metavar="FRACTION",
    )
    workers: int = option(
        0, help="Images decoded at a time (default: 0, one per processor).", role=Role.EXECUTION, minimum=0
    )
    checkpoint_every: Interval = _checkpoint_every()

    def inputs(self) -> dict[str, Path]:
        """What is read; `--table` may be named as it lies in `--input`."""
        found = super().inputs()
        if self.table is not None and not self.table.exists():
            found["table"] = self.input / self.table
        return found


@dataclass(frozen=True, kw_only=True)
class TrainGan(Command):
    """Train a generative adversarial network on the training images of a dataset."""

    name = "train-gan"
    example = "xrayaug train-gan --data data/rsna --arch dcgan --epochs 100 --out runs/gan"
    is_shared = True

    data: Path = option(help="Dataset to learn from; only its train split is seen.", role=Role.INPUT)
    arch: str = option("dcgan", choices=ARCHITECTURES, help="Architecture; one file each in xrayaug/gans.")
    only_label: Label | None = option(None, help="Learn from the images of this label alone.")
    epochs: int = option(100, help="Passes over the training images.", minimum=1)
    batch_size: int | None = _recipe("Images per optimiser step", minimum=1)
    lr: float | None = _recipe("Adam's learning rate, for both networks", above=0)
    beta1: float | None = _recipe("Adam's decay of the first moment", minimum=0, maximum=0.9999)
    beta2: float | None = _recipe("Adam's decay of the second moment", minimum=0, maximum=0.999999)
    latent: int | None = _recipe("Length of the latent vector z", minimum=1)
    loss: Loss | None = _recipe("What the networks lower; bce is for dcgan alone, the others for all else")
    r1: float | None = _recipe("Gamma of the penalty on D's gradient at real images; 0 for none", minimum=0)
    r2: float | None = _recipe("Gamma of the same at generated images; 0 for none", minimum=0)
    gradient_penalty: float | None = _recipe("Lambda of WGAN-GP's gradient penalty; 0 for none", minimum=0)
    path_length: float | None = _recipe("Weight of the generator's path length penalty; 0 for none", minimum=0)
    penalty_every: int | None = _recipe(
        "Steps from one with penalties to the next; they then count as often", minimum=1
    )
    ema: int | None = _recipe(
        "Images after which half of the averaged generator, which is what is sampled, is new; 0 averages nothing",
        minimum=0,
    )
    d_augment: Augmentation | None = _recipe(
        "Augment what the discriminator sees: diffaugment always as strongly, ada as it overfits"
    )
    width: float = option(1.0, help="Factor of the layers' usual channels.", above=0, maximum=16)
    conditional: bool | None = option(
        None, help="Tell the networks labels, so that either can be sampled (default: where the architecture must be)."
    )
    mirror: bool = option(
        False, help="Mirror training images left to right, at random; left hands then have right ones."
    )
    sync_bn: bool = _sync_bn()
    precision: str = _precision()
    preview_every: int = option(
        5, help="Epochs between preview grids on fixed noise; 0 draws only the last.", minimum=0
    )
    fid_every: int = option(
        0,
        help="Epochs between measurements of the distance to the training images, the best kept; 0 for none.",
        minimum=0,
    )
    fid_features: str = _features("--fid-every: trained Inception's features, random ones, or a classifier run's.")
    on_collapse: Literal["stop", "warn"] = option(
        "stop",
        help="What to do when the discriminator's loss or the variety of the generated images stays near zero.",
        role=Role.EXECUTION,
    )
    checkpoint_every: Interval = _checkpoint_every()
    cache: Path | None = _cache()
    device: str = _device()
    deterministic: bool = _deterministic()
    no_graphs: bool = _no_graphs()
    profile: Path | None = _profile()

    def identity(self) -> dict[str, Any]:
        """The settings; of a classifier run whose features measure the content decides, which `inputs` holds.

        That batch norm is not synchronised is not said, as it was before there was a choice.
        """
        named = {"fid_features": "run"} if _run_of(self.fid_features) else {}
        return super().identity() | named | {"sync_bn": self.sync_bn or None}

    def inputs(self) -> dict[str, Path]:
        """The dataset, and the classifier run whose features measure."""
        return super().inputs() | (_run_of(self.fid_features) if self.fid_every else {})


@dataclass(frozen=True, kw_only=True)
class Sample(Command):
    """Draw synthetic images from a trained generator, as a dataset."""

    name = "sample"
    example = "xrayaug sample --run runs/gan --count 10000 --seed 0 --out data/synthetic"
    is_shared = True

    run: Path = option(help="GAN run to sample from.", role=Role.INPUT)
    count: int = option(10000, help="Images to draw; image i is the same whatever the count.", minimum=1)
    label: Literal["normal", "abnormal", "balanced"] | None = option(
        None, help="What to draw, of a run that was told labels; balanced takes turns (default: balanced there)."
    )
    truncation: float | None = option(
        None,
        help="Psi: draw latent vectors in towards the mean, for fewer odd images and less variety; 1 leaves them.",
        minimum=0,
        maximum=1,
    )
    interpolate: tuple[int, int] | None = option(
        None,
        help="Also draw interpolation.png, the way from one image to another: their numbers, such as 3,17.",
        metavar="A,B",
        parse=pair,
    )
    snapshot: Literal["last", "best"] = option(
        "last", help="The generator at the end of training, or that of the smallest distance (train-gan --fid-every)."
    )
    reject: float = option(
        0.0, help="Share of the images to drop, the worst; so many more are drawn first.", minimum=0, maximum=0.9
    )
    reject_by: str = option(
        "discriminator",
        help="What is worst: what the discriminator likes least, or what in features is farthest from any real image.",
        metavar="discriminator|inception|random|RUN",
    )
    png: bool = option(False, help="Also write every image as a PNG file.")
    checkpoint_every: Interval = _checkpoint_every()
    cache: Path | None = _cache()
    device: str = _device()
    deterministic: bool = _deterministic()

    def identity(self) -> dict[str, Any]:
        """The settings; of a classifier run the content decides, and nothing where no image is rejected."""
        by = self.reject_by if self.reject_by in ("discriminator", "inception", "random") else "run"
        return super().identity() | {"reject_by": by if self.reject else None}

    def inputs(self) -> dict[str, Path]:
        """The GAN run, and the classifier run whose features tell the worst."""
        named = self.reject > 0 and self.reject_by != "discriminator"
        return super().inputs() | (_run_of(self.reject_by) if named else {})


class _OverFeatures(Command):
    """A command whose `--features` may be a classifier run: then its content decides, and it has its own dims."""

    features: str

    def identity(self) -> dict[str, Any]:
        """The settings, of which a run's path is none."""
        return super().identity() | ({"features": "run", "dims": None} if _run_of(self.features) else {})

    def inputs(self) -> dict[str, Path]:
        """What is read, the run among it."""
        return super().inputs() | _run_of(self.features)


@dataclass(frozen=True, kw_only=True)
class Fid(_OverFeatures):
    """Measure the Fréchet inception distance between two sets of images."""

    name = "fid"
    example = "xrayaug fid data/synthetic data/rsna --weights pt_inception-2015-12-05-6726825d.pth"
    is_shared = True

    a: Path = option(
        help="A dataset, a folder of images (nested, any case) or an .npz of statistics.",
        role=Role.INPUT,
        positional=True,
    )
    b: Path = option(help="The other side, of any of the same kinds.", role=Role.INPUT, positional=True)
    out: Path | None = option(  # type: ignore[assignment] # every other command must be given one
        None, help="Directory to write fid.json to; without it the number is only printed.", role=Role.EXECUTION
    )
    metrics: str = option(
        "fid",
        help="What to measure, by commas: fid, kid, prdc (precision, recall, density, coverage), fid-infinity.",
        metavar="NAMES",
    )
    floor: bool = option(
        False,
        help="Also what halves of side B score against each other at the same n; beside other metrics it always is.",
    )
    features: str = _features(
        "Trained Inception (FID), seeded random weights (not FID), or a classifier run's (not FID)."
    )
    dims: Literal["64", "192", "768", "2048"] = option(
        "2048", help="Features per image, by Inception's layer; FID takes 2048."
    )
    weights: Path | None = option(
        None, help="pytorch-fid's Inception weights file (default: $TORCH_HOME, else downloaded).", role=Role.INPUT
    )
    split: Split | None = option(None, help="Of a dataset, take only this split.")
    only_label: Label | None = option(None, help="Of a dataset, take only the images of this label.")
    batch_size: int = option(50, help="Images per pass through the network.", role=Role.EXECUTION, minimum=1)
    save_stats: Path | None = option(
        None, help="Write side A's statistics to this .npz, for later use as a side.", role=Role.EXECUTION
    )
    cache: Path | None = option(
        None,
        help="Directory of cached statistics (default: $XDG_CACHE_HOME/xrayaug, else ~/.cache/xrayaug); one that is "
        "given also takes copies of the datasets' pixels, which are read from there.",
        role=Role.EXECUTION,
    )
    checkpoint_every: Interval = _checkpoint_every()
    device: str = _device()
    deterministic: bool = _deterministic()


@dataclass(frozen=True, kw_only=True)
class Copies(_OverFeatures):
    """Screen synthetic images for copies of training images, against real images that were never trained on."""

    name = "copies"
    example = "xrayaug copies data/synthetic --real data/rsna --features random --out copies"
    is_shared = True

    synthetic: Path = option(help="Dataset of synthetic images to screen.", role=Role.INPUT, positional=True)
    real: Path = option(help="Dataset that their generator learnt from.", role=Role.INPUT)
    features: str = _features(
        "What to compare beside pixels: trained Inception's features, random ones, or a classifier run's."
    )
    dims: Literal["64", "192", "768", "2048"] = option("2048", help="Features per image, by Inception's layer.")
    weights: Path | None = option(
        None, help="pytorch-fid's Inception weights file (default: $TORCH_HOME, else downloaded).", role=Role.INPUT
    )
    alpha: float = option(
        0.01, help="Share of fresh real images that each comparison may set aside.", above=0, maximum=0.5
    )
    level: float = option(
        0.01, help="Probability that a set of fresh real images fails; more must be set aside than that explains.",
        above=0, maximum=0.5,
    )  # fmt: skip
    batch_size: int = option(50, help="Images per pass through the network.", role=Role.EXECUTION, minimum=1)
    checkpoint_every: Interval = _checkpoint_every()
    cache: Path | None = _cache()
    device: str = _device()
    deterministic: bool = _deterministic()


@dataclass(frozen=True, kw_only=True)
class Augment(Command):
    """Add a measured dose of synthetic images, or what it is compared with, to the training split: one arm."""

    name = "augment"
    example = "xrayaug augment --real data/mura --synthetic data/synthetic --percent 10 --seed 0 --out arms/010"

    real: Path = option(help="Dataset of real images; its valid and test splits are kept as they are.", role=Role.INPUT)
    synthetic: Path | None = option(
        None,
        help="Dataset of synthetic images to draw from; not needed for 0 percent, or to control with real images.",
        role=Role.INPUT,
    )
    percent: float = option(
        help="Synthetic images to add, in percent of the real normal training images; see --label balance.", minimum=0
    )
    label: Literal["normal", "abnormal", "balance"] | None = option(
        None,
        help="What the synthetic images are, or which of both labels to take (default: what they were drawn as); "
        "balance takes the rarer, in percent of what it lacks.",
    )
    control: Control | None = option(
        None,
        help="Instead of that dose as many real images repeated (duplicate) or changed (classical), its class counts "
        "in the loss alone (reweight), or its images with their labels mixed up (shuffle).",
    )
    copies: Path | None = option(
        None, help="What xrayaug copies found in the synthetic set; what it set aside is left out.", role=Role.INPUT
    )
    keep_copies: bool = option(False, help="Add what --copies set aside all the same, knowingly.")
    real_fraction: float = option(
        1.0, help="Share of the real training patients to keep, for the low-data sweep.", above=0, maximum=1
    )
    cache: Path | None = _cache()


@dataclass(frozen=True, kw_only=True)
class TrainClassifier(Command):
    """Train the abnormality classifier on an arm; it never sees the test split."""

    name = "train-classifier"
    example = "xrayaug train-classifier --data arms/010 --weights imagenet --epochs 10 --seed 0 --out runs/010-0"
    is_shared = True

    data: Path = option(help="Dataset or arm to train on.", role=Role.INPUT)
    arch: str = option("densenet169", help="Any classification network that torchvision lists.", metavar="NAME")
    weights: str = option(
        "imagenet", help="Where to start from: imagenet, none, or a weights file.", metavar="imagenet|none|FILE"
    )
    size: int = option(224, help="Width and height that the network sees, in pixels.", minimum=16, maximum=4096)
    epochs: int = option(10, help="Passes over the training images; see --budget.", minimum=1)
    budget: Literal["epochs", "steps"] = option(
        "epochs",
        help="What is equal in all arms: passes over their images, or optimiser steps, those of the real images alone.",
    )
    batch_size: int = option(8, help="Images per optimiser step; batch norm needs two.", minimum=2)
    lr: float = option(1e-4, help="Adam's learning rate at the start.", above=0)
    patience: int = option(1, help="Epochs without a better validation loss before the rate falls tenfold.", minimum=0)
    flip: bool = option(True, help="Mirror training images left to right, at random.")
    rotation: float = option(10.0, help="Rotate training images by up to so many degrees.", minimum=0, maximum=180)
    seeds: int | None = option(
        None,
        help="Train so many side by side on one device, by --seed and those after it, each in --out for its {seed}.",
        role=Role.EXECUTION,
        minimum=1,
    )
    sync_bn: bool = _sync_bn()
    precision: str = _precision()
    checkpoint_every: Interval = _checkpoint_every()
    cache: Path | None = _cache()
    device: str = _device()
    deterministic: bool = _deterministic()
    no_graphs: bool = _no_graphs()
    profile: Path | None = _profile()

    def parts(self) -> "Sequence[TrainClassifier]":
        """One command for each seed, as if it were trained alone.

        Raises:
            UsageError: `--out` does not tell them apart.
        """
        if self.seeds is None:
            return (self,)
        if SEED not in str(self.out):
            raise UsageError(f"--seeds needs an --out for each, and {self.out} has no {SEED}", f"--out 'runs/{SEED}'")
        outs = {seed: Path(str(self.out).replace(SEED, str(seed))) for seed in range(self.seed, self.seed + self.seeds)}
        return [replace(self, seeds=None, seed=seed, out=out) for seed, out in outs.items()]

    def identity(self) -> dict[str, Any]:
        """The settings; of a weights file the content decides, which `inputs` holds.

        A budget of epochs is not said, nor that batch norm is not synchronised, as they were before there was a choice:
        such runs stay what they are.
        """
        named = {"weights": "file"} if self.weights not in ("imagenet", "none") else {}
        budget = {"budget": None} if self.budget == "epochs" else {}
        return super().identity() | named | budget | {"sync_bn": self.sync_bn or None}

    def inputs(self) -> dict[str, Path]:
        """The arm, and the weights where they are a file."""
        named = {} if self.weights in ("imagenet", "none") else {"weights": Path(self.weights)}
        return super().inputs() | named


@dataclass(frozen=True, kw_only=True)
class Evaluate(Command):
    """Judge classifier runs on the test split, arm by arm, and say whether what was added helps."""

    name = "evaluate"
    example = "xrayaug evaluate runs/000-0 runs/000-1 runs/010-0 runs/010-1 --out evaluation"

    runs: tuple[Path, ...] = option(help="Classifier runs to judge.", role=Role.INPUT, positional=True)
    metric: Metric = option(
        "auroc", help="The score that decides the verdict; auroc alone owes nothing to a threshold or a moved prior."
    )
    per: Case = option("image", help="What the verdict counts as one case.")
    margin: float = option(0.02, help="Differences smaller than this do not matter.", above=0, maximum=1)
    by: str | None = option(None, help="Also score the groups of this column of the index.", metavar="COLUMN")
    calibrate: Literal["none", "temperature"] = option(
        "none", help="Fit probabilities to the validation images before they are scored: by one temperature a network."
    )
    resamples: int = option(
        1000, help="Resamples of the test patients that intervals come from.", minimum=100, maximum=100000
    )
    audit_images: int = option(
        200, help="Real images, and synthetic ones, of each arm to look for a shortcut in; 0 looks for none.",
        minimum=0, maximum=100000,
    )  # fmt: skip
    fid: tuple[Path, ...] | None = option(
        None,
        help="Distances that xrayaug fid measured, by commas, to be shown in the report.",
        role=Role.INPUT,
        metavar="DIR,...",
        parse=paths,
    )
    copies: Path | None = option(
        None,
        help="What xrayaug copies found, to be shown in the report (default: what the arms were made with).",
        role=Role.INPUT,
    )
    reader_study: int | None = option(
        None,
        help="Also write reader.html, a blind real-or-synthetic test of so many images for a human reader.",
        role=Role.EXECUTION,
        minimum=2,
        maximum=1000,
    )
    reader_reals: Literal["generator", "arm"] = option(
        "generator",
        help="Whose real images stand in it: those that the generator learnt from, or those of the arms it feeds.",
        role=Role.EXECUTION,
    )
    reader_results: tuple[Path, ...] | None = option(
        None,
        help="Score the files that readers saved, by commas, against the key of the reader study.",
        role=Role.EXECUTION,
        metavar="FILE,...",
        parse=paths,
    )
    fail_unless: Literal["helps"] | None = option(
        None, help="Exit with code 1 unless some arm has this verdict.", role=Role.EXECUTION
    )
    batch_size: int = option(32, help="Images per pass through the network.", role=Role.EXECUTION, minimum=1)
    cache: Path | None = _cache()
    device: str = _device()
    deterministic: bool = _deterministic()

    def is_met_by(self, result: Mapping[str, Any]) -> bool:
        """Whether the reader study that is asked for is there."""
        there = result.get("reader_study") or {}
        asked = {"images": self.reader_study, "reals": self.reader_reals}
        return self.reader_study is None or asked.items() <= there.items()


@dataclass(frozen=True, kw_only=True)
class Phantom(Command):
    """Draw practice hand radiographs and lay them on disk as RSNA or MURA would."""

    name = "phantom"
    example = "xrayaug phantom --layout mura --count 400 --seed 1 --out raw/mura"

    layout: Literal["rsna", "mura"] = option(help="Whose directories and CSV files to write.")
    count: int = option(help="Images to draw.", minimum=1)
    height: int = option(400, help="Height of the images, in pixels; the width follows.", minimum=32, maximum=4000)
    finding_size: float = option(
        1.0, help="How large findings are, 1 as in life: small pictures show none that are not larger.",
        above=0, maximum=8,
    )  # fmt: skip
    workers: int = option(
        0, help="Processes that draw (default: 0, one per processor).", role=Role.EXECUTION, minimum=0
    )

    def identity(self) -> dict[str, Any]:
        """Findings as large as in life go without saying: sets from before the knob stay what they are."""
        return super().identity() | ({"finding_size": None} if self.finding_size == 1 else {})


@dataclass(frozen=True, kw_only=True)
class Experiment(Command):
    """Run the whole study, command by command, skipping what is complete."""

    name = "experiment"
    example = "xrayaug experiment --preset thesis --rsna raw/rsna --mura raw/MURA-v1.1 --out study"

    preset: Literal["thesis", "demo"] = option(
        "thesis", help="thesis: its numbers, on real data; demo: phantoms, small and quick on a CPU."
    )
    rsna: Path | None = option(
        None, help="What the GAN learns from: raw RSNA, another set, or a dataset.", role=Role.INPUT
    )
    mura: Path | None = option(
        None, help="What the classifier learns from: raw MURA, another set, or a dataset.", role=Role.INPUT
    )
    rsna_source: str = option(
        "rsna", choices=SOURCES, help="Layout of the set given as --rsna, if another; see prepare."
    )
    mura_source: str = option(
        "mura", choices=SOURCES, help="Layout of the set given as --mura, if another; see prepare."
    )
    test: float = option(
        0.0,
        help="Share of the images to test on, of sets that have no test split of their own.",
        minimum=0.0,
        maximum=0.9,
    )
    percents: tuple[float, ...] | None = option(
        None, help="Doses of synthetic images, in percent of the real normals (default: the preset's).", parse=numbers
    )
    real_fractions: tuple[float, ...] | None = option(
        None, help="Shares of the real training patients to keep, each with every dose (default: all).", parse=numbers
    )
    labels: tuple[str, ...] | None = option(
        None,
        help="Labels of what is added, each with every dose: normal, abnormal, both, balance (default: as drawn).",
        choices=("normal", "abnormal", "both", "balance"),
        metavar="NAMES",
        parse=words,
    )
    controls: tuple[str, ...] | None = option(
        None,
        help="Controls of every dose, by commas: duplicate, classical, reweight, shuffle (default: none).",
        choices=get_args(Control),
        metavar="NAMES",
        parse=words,
    )
    seeds: int | None = option(None, help="Classifiers trained per arm (default: the preset's).", minimum=1)
    budget: Literal["epochs", "steps"] = option(
        "epochs", help="What is equal in all arms, epochs or optimiser steps; see train-classifier."
    )
    gan_arch: str = option("dcgan", choices=ARCHITECTURES, help="Architecture of the GAN.")
    gan_label: Literal["normal", "abnormal"] | None = option(
        None, help="Have the GAN learn from images of this label alone; an architecture that is told labels needs none."
    )
    gan_size: int | None = option(None, help="Size of the GAN's images (default: the preset's).", minimum=8)
    gan_epochs: int | None = option(None, help="Epochs of the GAN (default: the preset's).", minimum=1)
    gan_batch_size: int | None = option(None, help="Batch size of the GAN (default: the preset's).", minimum=1)
    samples: int | None = option(None, help="Synthetic images to draw (default: the preset's).", minimum=1)
    features: Literal["inception", "random", "none"] | None = option(
        None, help="Features of the distances; none leaves them out (default: the preset's)."
    )
    screen: bool = option(False, help="Screen the synthetic images for copies, and leave out what is set aside.")
    fid_weights: Path | None = option(None, help="pytorch-fid's Inception weights file.", role=Role.INPUT)
    split_by: Literal["patient", "image"] | None = option(
        None, help="How the validation images are held out (default: the preset's)."
    )
    duplicates: Duplicates = _duplicates()
    classifier_arch: str | None = option(None, help="Classification network (default: the preset's).", metavar="NAME")
    classifier_weights: str | None = option(
        None, help="Where the classifier starts from (default: the preset's).", metavar="imagenet|none|FILE"
    )
    classifier_size: int | None = option(None, help="Size the classifier sees (default: the preset's).", minimum=16)
    classifier_epochs: int | None = option(None, help="Epochs of the classifier (default: the preset's).", minimum=1)
    classifier_batch_size: int | None = option(
        None, help="Batch size of the classifier (default: the preset's).", minimum=2
    )
    metric: Metric = option("auroc", help="The score that decides the verdict; see evaluate.")
    per: Case = option("image", help="What the verdict counts as one case.")
    margin: float = option(0.02, help="Differences smaller than this do not matter.", above=0, maximum=1)
    by: str | None = option(
        None, help="Also score the groups of this column of the classifier's index.", metavar="COLUMN"
    )
    calibrate: Literal["none", "temperature"] = option(
        "none", help="Fit probabilities to the validation images before they are scored; see evaluate."
    )
    resamples: int = option(
        1000, help="Resamples of the test patients that intervals come from.", minimum=100, maximum=100000
    )
    audit_images: int = option(
        200, help="Images of either kind to look for a shortcut in; 0 looks for none.", minimum=0, maximum=100000
    )
    reader_study: int | None = option(
        None,
        help="Also write reader.html, a blind real-or-synthetic test of so many images for a human reader.",
        role=Role.EXECUTION,
        minimum=2,
        maximum=1000,
    )
    reader_reals: Literal["generator", "arm"] = option(
        "generator", help="Whose real images stand in it; see evaluate.", role=Role.EXECUTION
    )
    fail_unless: Literal["helps"] | None = option(
        None,
        help="Exit with code 1 unless some arm has this verdict; the study is complete all the same.",
        role=Role.EXECUTION,
    )
    workers: int = option(
        0, help="Images decoded at a time (default: 0, one per processor).", role=Role.EXECUTION, minimum=0
    )
    on_collapse: Literal["stop", "warn"] = option(
        "stop", help="What to do when the GAN collapses; see train-gan.", role=Role.EXECUTION
    )
    side_by_side: bool = option(
        False,
        help="Train the classifiers of one dose side by side, for a GPU that has the memory.",
        role=Role.EXECUTION,
    )
    precision: str = _precision()
    checkpoint_every: Interval = _checkpoint_every()
    cache: Path | None = _cache()
    device: str = _device()
    deterministic: bool = _deterministic()
    jobs: int | None = option(
        None,
        help="Commands to run at a time, each once what it reads is there (default: 1, or one for each of --devices).",
        role=Role.EXECUTION,
        minimum=1,
        maximum=1024,
    )
    devices: tuple[str, ...] | None = option(
        None,
        help="Devices to share the commands among, by commas, such as cuda:0,cuda:1; each runs on one of them.",
        role=Role.EXECUTION,
        metavar="DEVICES",
        parse=words,
    )
    status: bool = option(
        False,
        help="Only say what is done, runs, failed or waits, and how long the rest takes at today's pace.",
        role=Role.EXECUTION,
    )
    slurm: Path | None = option(
        None,
        help="Only write what is not done as SLURM job scripts to this directory; submit.sh in it submits them.",
        role=Role.EXECUTION,
    )
    slurm_partition: str | None = _slurm("Partition of the jobs", "NAME")
    slurm_time: str | None = _slurm("Time limit of a job, after which it is queued again and goes on", "TIME")
    slurm_memory: str | None = _slurm("Memory of a job, such as 32G", "SIZE")
    slurm_cpus: int | None = option(None, help="Processors of a job.", role=Role.EXECUTION, minimum=1)
    slurm_gres: str | None = _slurm("What jobs that compute on a device ask for, such as gpu:1", "GRES")
    slurm_options: str | None = _slurm("Further options of sbatch for every job, as they stand there", "TEXT")


COMMANDS: dict[str, type[Command]] = {
    command.name: cast(type[Command], command)
    for command in (
        Prepare, TrainGan, Sample, Fid, Copies, Augment, TrainClassifier, Evaluate, Phantom, Experiment,
    )
}  # fmt: skip
