"""Options that several commands share, each declared once.

A mixin is a frozen dataclass next to `Command` among the bases of a command. Its options come after the command's own
in manifests and command lines, in the order of the bases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xrayaug.options.base import Command, Panel, Role, option, parse_paths, redeclare
from xrayaug.options.choices import FEATURES, LAYERED_FEATURES, Against, Case, Duplicates, Label, Metric, SplitBy
from xrayaug.runtime.stopping import Interval, parse_interval


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """Options of commands that run a network."""

    device: str = option(
        "auto",
        help="Device to compute on: auto, cpu, cuda, cuda:1, ... or mps. auto takes a GPU if there is one.",
        role=Role.EXECUTION,
        metavar="DEVICE",
    )
    deterministic: bool = option(
        False,
        help="On CUDA, use only algorithms that give the same bytes every time. On a CPU this is always so.",
        role=Role.EXECUTION,
    )


@dataclass(frozen=True, kw_only=True)
class CacheOptions:
    """Options of commands that read the pixels of datasets."""

    cache: Path | None = option(
        None,
        help="Directory on a fast local disk. The pixels of datasets are copied there once and read from there.",
        role=Role.EXECUTION,
        default_text="none",
    )


@dataclass(frozen=True, kw_only=True)
class FeatureCacheOptions(CacheOptions):
    """Options of commands that read the pixels of datasets, and features of frozen backbones."""

    cache: Path | None = redeclare(
        CacheOptions,
        "cache",
        help="Directory on a fast local disk. The pixels of datasets are copied there once and read from there. The "
        "features of --train head are cached there too.",
        default_text="none; for features $XDG_CACHE_HOME/xrayaug, else ~/.cache/xrayaug",
    )


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions:
    """Options of commands that continue where an earlier run stopped."""

    checkpoint_every: Interval = option(
        Interval(seconds=300),
        help="How often to save a checkpoint to resume from: a time (90s, 5m, 1h) or a number of images.",
        role=Role.EXECUTION,
        metavar="TIME|IMAGES",
        parse=parse_interval,
    )


@dataclass(frozen=True, kw_only=True)
class WorkersOptions:
    """Options of commands that read or draw images in several processes."""

    workers: int = option(
        0,
        help="Worker processes that read or draw images; 0 starts one for each processor.",
        role=Role.EXECUTION,
        minimum=0,
    )


@dataclass(frozen=True, kw_only=True)
class PrecisionOptions:
    """Options of commands that train networks."""

    precision: str = option(
        "fp32",
        choices=("fp32", "tf32", "bf16"),
        help="Precision of multiplications in training: fp32; tf32 with 10 bits of mantissa, on NVIDIA GPUs; or bf16 "
        "with 7 bits (mixed precision). Weights are kept in fp32.",
        panel=Panel.TRAINING,
    )


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(PrecisionOptions):
    """Options of commands that train a network, in one process or in several."""

    sync_bn: bool = option(
        False,
        help="With several processes, compute batch norm statistics over the whole batch (SyncBatchNorm), not over "
        "the share of each process.",
        panel=Panel.TRAINING,
    )


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """Options of how training steps are launched and profiled."""

    no_graphs: bool = option(
        False,
        help="On CUDA, launch every kernel of a step separately instead of replaying a CUDA graph. This is slower "
        "for small images.",
        role=Role.EXECUTION,
    )
    profile: Path | None = option(
        None,
        help="Trace some steps to this file (.json or .json.gz) for ui.perfetto.dev, and print where their time went.",
        role=Role.EXECUTION,
        metavar="FILE",
        default_text="none",
    )


@dataclass(frozen=True, kw_only=True)
class TensorBoardOptions:
    """Options of commands whose log TensorBoard can show."""

    tensorboard: bool = option(
        False,
        help="Also write the log and the previews as events for TensorBoard, into the directory OUT.tensorboard. This "
        "needs the extra tensorboard.",
        role=Role.EXECUTION,
        panel=Panel.OUTPUT,
    )


@dataclass(frozen=True, kw_only=True)
class CollapseOptions:
    """Options of commands that train a GAN."""

    on_collapse: Literal["stop", "warn"] = option(
        "stop",
        help="What to do if the GAN collapses, that is if the discriminator's loss or the variety of the generated "
        "images stays near zero: stop training, or warn and continue.",
        role=Role.EXECUTION,
        panel=Panel.TRAINING,
    )


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """Options of commands that split images."""

    test: float = option(
        0.0,
        help="Share of all images to hold out for testing, if the raw set has no test split of its own.",
        panel=Panel.DATA,
        minimum=0,
        maximum=0.9,
    )
    split_by: SplitBy = option(
        "patient",
        help="Hold out whole patients, or single images as the thesis did (images of one patient may then lie in "
        "different splits).",
        panel=Panel.DATA,
    )
    duplicates: Duplicates = option(
        "error",
        help="What to do about duplicates and near-duplicates that lie in different splits: error refuses them, warn "
        "only reports them, exact refuses images of equal pixels and does not look for near-duplicates. Duplicates "
        "within one split are always only reported.",
        panel=Panel.DATA,
    )


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Options of commands that use the images of a dataset, or those of one label alone."""

    only_label: Label | None = option(
        None, help="Use only the images of a dataset with this label.", panel=Panel.DATA, default_text="both"
    )


@dataclass(frozen=True, kw_only=True)
class InferenceOptions:
    """Options of commands that pass images through a network that is not trained."""

    batch_size: int = option(50, help="Images per pass through the network.", role=Role.EXECUTION, minimum=1)


@dataclass(frozen=True, kw_only=True)
class FeatureOptions(InferenceOptions, Command):
    """Options of commands that compare features of images.

    If `--features` names a classifier run, the content of the run decides the result. Only some features have `dims`.
    """

    features: str = option(
        "inception",
        help="What computes the features: inception (as in FID), imagenet (EfficientNet-Lite0, whose weights "
        "are installed), radiomics (no network), random (Inception with seeded random weights), dinov2 or rad-dino "
        "(which need timm), or the directory of a classifier run.",
        panel=Panel.MODEL,
        metavar="NAME|RUN",
    )
    dims: Literal["64", "192", "768", "2048"] = option(
        "2048", help="Features per image, which selects the layer of Inception. FID uses 2048.", panel=Panel.MODEL
    )
    weights: Path | None = option(
        None,
        help="Weights file of the features, for inception (that of pytorch-fid), dinov2 and rad-dino.",
        role=Role.INPUT,
        panel=Panel.MODEL,
        metavar="FILE",
        default_text="the one in $TORCH_HOME, else it is downloaded",
    )

    def identity(self) -> dict[str, Any]:
        """Return the settings, without the path of a classifier run."""
        settings = super().identity() | ({"features": "run"} if run_input(self.features) else {})
        return settings | ({} if self.features in LAYERED_FEATURES else {"dims": None})

    def inputs(self) -> dict[str, Path]:
        """Return the paths that are read, with that of a classifier run."""
        return super().inputs() | run_input(self.features)


def run_input(features: str, name: str = "features") -> dict[str, Path]:
    """Return the classifier run that an option for features names, as an input; empty if it names no run."""
    return {} if features in FEATURES else {name: Path(features)}


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Options of how `evaluate` judges classifier runs; `experiment` passes them on."""

    metric: Metric = option(
        "auroc",
        help="Score that decides the verdict. Only auroc and average-precision depend on no threshold, and auroc "
        "alone does not change with the share of abnormal images.",
        panel=Panel.EVALUATION,
    )
    per: Case = option("image", help="What the verdict counts as one case.", panel=Panel.EVALUATION)
    margin: float = option(
        0.02,
        help="Smallest difference of the score that matters in practice.",
        panel=Panel.EVALUATION,
        above=0,
        maximum=1,
    )
    against: Against = option(
        "baseline",
        help="What an arm must be told from for a verdict: the baseline, every one of its controls but more-real, or "
        "both. Differences to controls are shown and corrected in any case.",
        panel=Panel.EVALUATION,
    )
    also: tuple[Path, ...] | None = option(
        None,
        help="Prepared test sets from elsewhere to judge the same runs on too, separated by commas: the test images of "
        "each, or all images of one without.",
        role=Role.INPUT,
        panel=Panel.EVALUATION,
        metavar="DATASET,...",
        parse=parse_paths,
        default_text="none",
    )
    primary: str | None = option(
        None,
        help="Test set whose verdict counts, named before the results are known: own, or the name of a directory of "
        "--also. Verdicts on the others are corrected for their number.",
        panel=Panel.EVALUATION,
        metavar="NAME",
        default_text="own, the test images of the runs",
    )
    by: str | None = option(
        None,
        help="Also score each group of images that has the same value in this column of the dataset's index.csv.",
        panel=Panel.EVALUATION,
        metavar="COLUMN",
        default_text="no groups",
    )
    calibrate: Literal["none", "temperature"] = option(
        "none",
        help="How to calibrate probabilities on the validation images before they are scored: none, or temperature "
        "scaling with one temperature per network.",
        panel=Panel.EVALUATION,
    )
    resamples: int = option(
        1000,
        help="Bootstrap resamples of the test patients for the percentile interval beside the verdict.",
        panel=Panel.EVALUATION,
        minimum=100,
        maximum=100000,
    )
    audit_images: int = option(
        200,
        help="Real images and synthetic images of each arm to test for a shortcut, that is for a trait that tells "
        "them apart; 0 skips the test.",
        panel=Panel.EVALUATION,
        minimum=0,
        maximum=100000,
    )
    reader_study: int | None = option(
        None,
        help="Also write reader.html, a blind test of this many images in which a human reader tells real from "
        "synthetic ones.",
        role=Role.EXECUTION,
        panel=Panel.OUTPUT,
        minimum=2,
        maximum=1000,
        default_text="none",
    )
    reader_reals: Literal["generator", "arm"] = option(
        "generator",
        help="Real images in reader.html: the training images of the generator, or the real images of the arms.",
        role=Role.EXECUTION,
        panel=Panel.OUTPUT,
    )
    checklist: bool = option(
        False,
        help="Also write what a paper needs into paper/: CLAIM 2024, TRIPOD+AI and METRICS filled from the manifests, "
        "a text of the methods, a flow diagram, and the test images that are called wrong most.",
        role=Role.EXECUTION,
        panel=Panel.OUTPUT,
    )
    planted: bool = option(
        False,
        help="Also plant known gains, leaks of patients and copies, in copies of predictions and of what the checks "
        "read, and report how often this study would have seen them.",
        role=Role.EXECUTION,
        panel=Panel.OUTPUT,
    )
    fail_unless: Literal["helps"] | None = option(
        None,
        help="Exit with code 1 unless at least one arm has this verdict. All results are written all the same.",
        role=Role.EXECUTION,
        panel=Panel.OUTPUT,
        default_text="any verdict is accepted",
    )

    def has_reader_study(self, result: Mapping[str, Any]) -> bool:
        """Return whether the result of an evaluation has the reader study that these options ask for."""
        made = result.get("reader_study") or {}
        wanted = {"images": self.reader_study, "reals": self.reader_reals}
        return self.reader_study is None or wanted.items() <= made.items()

    def has_checklists(self, result: Mapping[str, Any]) -> bool:
        """Return whether the result of an evaluation has the checklists, if these options ask for them."""
        return not self.checklist or "checklists" in result

    def has_planted(self, result: Mapping[str, Any]) -> bool:
        """Return whether the result of an evaluation says what was planted, if these options ask for it."""
        return not self.planted or "planted" in result


@dataclass(frozen=True, kw_only=True)
class SlurmOptions:
    """Resources that the job scripts of a study request from SLURM."""

    slurm_partition: str | None = option(
        None,
        help="Partition of the jobs.",
        role=Role.EXECUTION,
        panel=Panel.SLURM,
        metavar="NAME",
        default_text="the cluster's",
    )
    slurm_time: str | None = option(
        None,
        help="Time limit of a job. A job that reaches it is queued again and continues.",
        role=Role.EXECUTION,
        panel=Panel.SLURM,
        metavar="TIME",
        default_text="the cluster's",
    )
    slurm_memory: str | None = option(
        None,
        help="Memory of a job, such as 32G.",
        role=Role.EXECUTION,
        panel=Panel.SLURM,
        metavar="SIZE",
        default_text="the cluster's",
    )
    slurm_cpus: int | None = option(
        None,
        help="Processors of a job.",
        role=Role.EXECUTION,
        panel=Panel.SLURM,
        minimum=1,
        default_text="the cluster's",
    )
    slurm_gres: str | None = option(
        None,
        help="Generic resources of the jobs that compute on a device, such as gpu:1.",
        role=Role.EXECUTION,
        panel=Panel.SLURM,
        metavar="GRES",
        default_text="none",
    )
    slurm_options: str | None = option(
        None,
        help="Further options of sbatch for every job, in one string.",
        role=Role.EXECUTION,
        panel=Panel.SLURM,
        metavar="TEXT",
        default_text="none",
    )
