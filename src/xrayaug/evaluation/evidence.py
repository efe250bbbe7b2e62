"""Evidence that the report shows with an evaluation: images, training logs, distances, screenings, provenance.

`gather.report_sources` fills these types from the artifacts that the runs depend on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xrayaug.data.images.arrays import Pixels

LogRecord = Mapping[str, float]
"""The numbers of one line of a training log, by field."""


@dataclass(frozen=True)
class ImageGrid:
    """Real and synthetic training images of one label, each as one picture; None where there are none."""

    label: str
    arm: str
    real: Pixels | None
    synthetic: Pixels | None
    generators: int = 1  # whose images are shown in turn


@dataclass(frozen=True)
class GanLog:
    """The log of a GAN run that synthetic images of the arms came from."""

    name: str
    log: Sequence[LogRecord]


@dataclass(frozen=True)
class MeasureEvidence:
    """A measure and its floor, which is its value between real images and other real images."""

    name: str
    value: float | None
    floor: float | None
    floor_sd: float | None
    excess: float | None
    ratio: float | None
    p_value: float | None  # of the permutation test; None of results without one
    p_holm: float | None


@dataclass(frozen=True)
class FloorEvidence:
    """Every measure with its floor, at `n` images."""

    n: int
    measures: Sequence[MeasureEvidence]


@dataclass(frozen=True)
class DistanceEvidence:
    """A distance between two sets of images, as `fid` measured it."""

    name: str
    description: str
    value: float
    counts: tuple[str, str]  # images of the two sets
    floor: FloorEvidence | None
    warnings: Sequence[str]


@dataclass(frozen=True)
class ScreeningEvidence:
    """A screening of synthetic images for copies."""

    verdict: str
    judged: int
    quarantined: int
    rule: str
    picture: bytes | None  # PNG of the nearest pairs; None if it is too large to show
    images: str = ""  # name of the synthetic dataset


@dataclass(frozen=True)
class AttackEvidence:
    """How well training patients are told from held-out ones by one attack."""

    name: str
    auroc: float
    low: float
    high: float
    p_holm: float


@dataclass(frozen=True)
class PrivacyEvidence:
    """Attacks that ask whether synthetic images tell which patients were trained on."""

    images: str  # name of the synthetic dataset
    verdict: str
    reason: str
    rule: str
    attacks: Sequence[AttackEvidence]


@dataclass(frozen=True)
class Provenance:
    """Provenance of the runs and of the evaluation."""

    commands: Sequence[str]
    environments: Mapping[str, Sequence[str]]  # artifacts made in each
    missing: Sequence[str]


@dataclass(frozen=True)
class Evidence:
    """Everything that the report shows in addition to the evaluation."""

    grids: Sequence[ImageGrid]
    logs: Mapping[str, Sequence[tuple[int, Sequence[LogRecord]]]]  # by arm: seed and log of each run
    gans: Sequence[GanLog]
    distances: Sequence[DistanceEvidence]
    screenings: Sequence[ScreeningEvidence]
    privacy: Sequence[PrivacyEvidence]
    provenance: Provenance
    missing: Mapping[str, Sequence[str]]  # by section of the report, one sentence each
    cautions: Sequence[str] = ()  # which labels of the runs' sets to distrust, and why
