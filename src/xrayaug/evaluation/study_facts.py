"""Facts about the runs of a study, which `gather.facts` collects and `checks` judges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xrayaug.data.acquisition import ColumnScore


@dataclass(frozen=True)
class Overlap:
    """Images and patients that two sets have in common."""

    images: int
    patients: int
    same_names: int = 0  # of these patients, in different raw sets and only known by equal names
    is_unknown: bool = False  # whether pseudonyms of different salts hide patients that both have
    elsewhere: int = 0  # further patients with equal names in sets of another layout, who may be others


@dataclass(frozen=True)
class GeneratorFacts:
    """Facts about the data that the arms' generators were trained on."""

    datasets: int  # synthetic datasets of the arms
    errors: Sequence[str]  # one for each of them whose generator's data cannot be opened
    overlaps: Mapping[str, Overlap]  # with the images of a split, `test` and `validation`; empty if nothing is known
    declared: Sequence[str] = ()  # names of generators whose training data are known from the user alone
    unknown: Sequence[str] = ()  # names of generators from elsewhere of which nothing was declared


@dataclass(frozen=True)
class RealImageDifference:
    """Two arms of the same share of the real images whose real images differ, by `images`."""

    arm: str
    other: str
    images: int


@dataclass(frozen=True)
class ScreeningFacts:
    """Facts about the screening of the synthetic images for copies of training images."""

    datasets: int  # synthetic datasets of the arms, counted for each arm
    screened: int  # of these
    kept: int  # maximum number of synthetic images flagged as copies that an arm could still use
    used: int = 0  # maximum number in an arm that was made without a screening and is screened by `evaluate --copies`
    elsewhere: int = 0  # datasets that were compared with other images than those of their generator's own training
    unverified: int = 0  # datasets of which it is unknown whether they were compared with these
    unmatched: Sequence[str] = ()  # screenings of `evaluate --copies` that are of no dataset of the arms


@dataclass(frozen=True)
class TestCopiesFacts:
    """Facts about synthetic images of generators from elsewhere that are copies of test images."""

    generators: Sequence[str]  # names
    images: int  # synthetic ones that were compared with the test images
    identical: int  # of these, equal to a test image before resizing
    near: int | None  # of these, near duplicates of a test image; None if images are too small to tell


@dataclass(frozen=True)
class DrawnSet:
    """A synthetic dataset that a run was trained on images of."""

    name: str  # of its directory
    digest: str
    drawn_by: str  # digest of the GAN run that drew it; that of the dataset if it is unknown
    generator: str | None  # digest of the weights of that GAN; None if it is unknown
    recipe: Mapping[str, str] | None  # how that was trained and drawn from, without seeds; None if that is unknown


@dataclass(frozen=True)
class ArmFacts:
    """The training of an arm."""

    name: str
    share_normal: float
    steps: Sequence[int]  # of optimisation, of every phase
    seeds: Sequence[int]
    drawn: Sequence[Sequence[DrawnSet]] = ()  # synthetic datasets of each run, by seed; none if no run has such images
    is_seed_kept: bool = True  # whether every run started from one of its own seed, if it started from another run
    draws: int | None = None  # of its share of the real images: 1, or one for each seed; None if it has all of them


@dataclass(frozen=True)
class ArmResolution:
    """An arm whose synthetic training images have another size than its real ones; sizes are in pixels."""

    arm: str
    images: int  # synthetic ones
    synthetic: int
    real: int
    network: int  # size at which the network reads all images

    @property
    def is_seen(self) -> bool:
        """Whether the network reads images of different resolution: it is below its own size in one kind or in both."""
        return min(self.synthetic, self.network) != min(self.real, self.network)


@dataclass(frozen=True)
class StudyFacts:
    """Facts about the runs of a study that its checks are made from."""

    leaked: Overlap  # test images and patients that are in training or validation too
    patients_known: bool
    synthetic_held_out: int  # synthetic images in validation or test
    test_labels: Sequence[str]  # sorted
    generators: GeneratorFacts
    settings: Sequence[Mapping[str, str]]  # of each run's training, as text by the name of the option
    real_image_differences: Sequence[RealImageDifference]
    screening: ScreeningFacts
    arms: Sequence[ArmFacts]
    resolutions: Sequence[ArmResolution]  # of the arms, but not of controls
    test_copies: TestCopiesFacts | None = None  # None without synthetic images of generators from elsewhere
    first_settings: Sequence[Mapping[str, str]] = ()  # of the first phase of those runs that start from other runs
    acquisition: Sequence[ColumnScore] = ()  # how well columns of DICOM headers tell the label
