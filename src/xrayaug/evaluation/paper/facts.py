"""Facts about a study, each from a manifest or an index, that checklists, methods text and flow diagram are made from.

`gather.paper_facts` collects them. A fact that no manifest holds is None or empty, and is never guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xrayaug.evaluation.results import Evaluation

DEMOGRAPHIC, ACQUISITION = "demographic", "acquisition"  # groups of columns
CLASSIFIER, GENERATOR, OTHER_TEST = "classifiers", "generator", "further test set"  # roles of a dataset
START = "start of the generator"  # role of a dataset that only a run was trained on from which a GAN started

Value = str | int | float | bool | None
Settings = Mapping[str, Value]
Counts = Mapping[str, int]


@dataclass(frozen=True)
class SplitFacts:
    """Images of a split by label, and its patients; None if the patient of some image is unknown."""

    name: str
    normal: int
    abnormal: int
    patients: int | None

    @property
    def images(self) -> int:
        """Number of images."""
        return self.normal + self.abnormal


@dataclass(frozen=True)
class NumberSummary:
    """Summary of a column of numbers; `sd` is None for one value."""

    cases: int
    mean: float
    sd: float | None
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Characteristic:
    """A column of the index that describes patients or the acquisition, by split.

    A column of numbers has summaries, any other has counts of its values; a column of too many values has neither.
    Cases without a value are counted apart, and a split that has only such cases has empty counts.
    """

    column: str
    group: str  # DEMOGRAPHIC or ACQUISITION
    cases: str  # what is counted: `patients`, each once, or `images`
    numbers: Mapping[str, NumberSummary]
    counts: Mapping[str, Counts]
    missing: Counts


@dataclass(frozen=True)
class LabelWord:
    """A word of the raw set, how often it occurs, and what it was read as: a label, or `left out: ` and the reason."""

    word: str
    count: int
    label: str


@dataclass(frozen=True)
class DatasetFacts:
    """A prepared dataset of real images."""

    path: str  # from the directory that holds all artifacts
    roles: Sequence[str]
    source: str
    is_drawn: bool  # whether its images were drawn by `phantom`, and are of no patient
    options: Settings  # of `prepare`
    images: int
    patients: int | None  # None if the patient of some image is unknown
    patients_unknown: int | None  # images
    patients_in_two_splits: int | None
    size: int | None
    split_by: str | None
    splits: Sequence[SplitFacts]
    skipped: Counts  # raw files left out, by reason
    labels: Sequence[LabelWord]
    duplicates: Counts
    near_copies: Counts
    dicom: Settings | None  # None without DICOM images
    windows: Counts  # DICOM images by what made their values grey levels
    cautions: Sequence[str]  # which labels of a public set to distrust, and why; other notes may name patients
    characteristics: Sequence[Characteristic]
    other_columns: Sequence[str]  # of the index, which are not summarised

    @property
    def name(self) -> str:
        """Name of its directory."""
        return self.path.rpartition("/")[2]

    @property
    def used_splits(self) -> Sequence[SplitFacts]:
        """The splits that the study uses: of a further test set the test images, or all if it has none."""
        tested = [each for each in self.splits if each.name == "test"]
        return tested if tested and self.roles == [OTHER_TEST] else self.splits

    def split(self, name: str) -> SplitFacts | None:
        """Return the images of a split; None if there are none."""
        return next((each for each in self.splits if each.name == name), None)


@dataclass(frozen=True)
class GanFacts:
    """A GAN that was trained for the study."""

    path: str
    data: str  # path of the dataset that it was trained on
    arch: str
    paper: str | None
    options: Settings  # of `train-gan`
    recipe: Settings
    size: int | None
    training_images: Counts  # by label
    epochs: int | None
    steps: int | None
    images_seen: int | None
    generator_parameters: int | None
    discriminator_parameters: int | None
    classes: int | None = None  # labels that its networks are conditioned on; 0 for none
    init: str | None = None  # path of the run from whose weights it started; None for random weights


@dataclass(frozen=True)
class SyntheticFacts:
    """A synthetic dataset: drawn from a GAN of the study (`run`), or of a generator from elsewhere."""

    path: str
    generator: str
    run: str | None
    learnt_from: str | None  # of a generator from elsewhere: declared, none or unknown
    images: int | None
    size: int | None
    options: Settings  # of `sample`


@dataclass(frozen=True)
class ScreeningFacts:
    """A screening of a synthetic dataset for copies of training images."""

    path: str
    synthetic: str
    real: str
    judged: int
    training: int | None
    set_aside: int
    verdict: str
    level: float | None
    features: str | None
    reference: str | None


@dataclass(frozen=True)
class DistanceFacts:
    """A distance between two sets of images."""

    path: str
    description: str
    first: str
    second: str
    value: float
    images: tuple[int | None, int | None]


@dataclass(frozen=True)
class PhaseFacts:
    """One phase of the training of an arm's runs."""

    train: Mapping[str, Counts]  # training images by kind (real, synthetic, copies) and label


@dataclass(frozen=True)
class TrainedArm:
    """An arm, and how its classifiers were trained."""

    name: str
    control: str | None
    percent: float
    added: int  # images
    real_fraction: float
    seeds: Sequence[int]
    phases: Sequence[PhaseFacts]  # of its first run
    run: str  # path of its first run
    differs: bool = False  # whether other runs had other numbers of training images


@dataclass(frozen=True)
class ClassifierFacts:
    """What the classifiers have in common, and the settings in which they differ."""

    run: str  # path of the first run
    settings: Settings
    differing: Mapping[str, Sequence[Value]]
    parameters: int | None
    trained_parameters: int | None
    best_epochs: tuple[int, int] | None  # first and last of all runs
    is_loss_weighted: bool  # whether the loss weights the classes


@dataclass(frozen=True)
class StudyFacts:
    """Everything that is known of the study behind runs."""

    datasets: Sequence[DatasetFacts]
    gans: Sequence[GanFacts]
    synthetic: Sequence[SyntheticFacts]
    screenings: Sequence[ScreeningFacts]
    distances: Sequence[DistanceFacts]
    arms: Sequence[TrainedArm]
    classifier: ClassifierFacts
    gone: Sequence[str]  # artifacts that cannot be read any more, one sentence each

    def list_starts(self, gan: GanFacts) -> list[GanFacts]:
        """Return the runs that a GAN started from, its own first, as far as they are known."""
        start = next((each for each in self.gans if each.path == gan.init), None)
        return [] if start is None else [start, *self.list_starts(start)]

    def with_role(self, role: str) -> list[DatasetFacts]:
        """Return the datasets of a role."""
        return [each for each in self.datasets if role in each.roles]


@dataclass(frozen=True)
class PaperFacts:
    """An evaluation, and what is known of the study behind it; None for predictions of classifiers from elsewhere."""

    path: str  # name of the evaluation's directory
    evaluation: Evaluation
    options: Settings  # of `evaluate`
    environments: Sequence[str]  # versions and devices
    has_readers: bool  # whether human readers' scores are part of the evaluation
    study: StudyFacts | None = None
    failures: int = 0  # test images that the baseline or an arm gets wrong, on the mean of its runs
    is_pictured: bool = False  # whether the pictures of some of them are shown
