"""The result of an evaluation, as one tree of frozen dataclasses: `judge` makes it, tables, report and JSON render it.

The fields of a class stand in the order of its JSON keys; `serialization` converts either way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xrayaug.data.arms import ArmSettings
from xrayaug.evaluation.planted.results import Planted
from xrayaug.stats.classification import Scores, Summary
from xrayaug.stats.intervals import Estimate
from xrayaug.stats.two_sample import TwoSampleResult

LEVELS = ("image", "study", "patient")
HALF, CHOSEN = "half", "chosen"  # thresholds: 0.5, and that of the greatest balanced accuracy on validation
VERDICT_FILE = "verdict.json"
METRICS_FILE = "metrics.json"


@dataclass(frozen=True)
class ConfidenceInterval:
    """A value with its 95 % confidence interval, over seeds and patients."""

    value: float
    low: float
    high: float
    seeds: int
    # Degrees of freedom of the seeds' variance, if it was pooled over arms; left out if it is of these seeds alone
    pooled_df: float | None = field(default=None, kw_only=True, metadata={"optional": True})

    @classmethod
    def from_estimate(cls, estimate: Estimate | None, lowest: float, highest: float) -> "ConfidenceInterval | None":
        """Return the interval of an estimate, clipped to the range of the score; None where there is no estimate."""
        if estimate is None:
            return None
        low, high = estimate.interval()
        return cls(estimate.value, max(low, lowest), min(high, highest), estimate.seeds, pooled_df=estimate.pooled_df)


MetricIntervals = Mapping[str, ConfidenceInterval | None]
"""Confidence intervals by the name of the metric; None where undefined."""


@dataclass(frozen=True)
class EvaluatedArm:
    """An arm among others: its name, settings and class prior."""

    name: str
    settings: ArmSettings | None  # None if it is unknown how the arm was made
    share_normal: float | None  # of the training images; None if unknown
    baseline: str | None = None  # name of its baseline; None: the one that the settings say
    # Generators that its runs are about: 0 without synthetic images, 1, or one for each run; None if unknown
    generators: int | None = None
    controls: Sequence[str] | None = None  # names of its controls; None: those that the settings say
    is_named_control: bool = False  # whether another arm names it among its controls
    draws: int | None = None  # of its share of the real images: 1, or one for each seed; None if it has all of them
    is_paired: bool = True  # whether its runs have the seeds of the baseline's; else they are independent of them

    @property
    def control(self) -> str | None:
        """What the arm is a control of, if it is known to be one; its own name if it is one by its name alone."""
        if self.settings is not None and self.settings.control is not None:
            return self.settings.control
        return self.name if self.is_named_control else None


@dataclass(frozen=True)
class Question:
    """The question of an evaluation: the score that decides, the level of cases, and the equivalence margin."""

    metric: str
    level: str
    margin: float
    seed: int
    # What arms are judged against: the baseline, controls of equal size, or both
    against: str = field(default="baseline", metadata={"optional": True})


@dataclass(frozen=True)
class ThresholdScores:
    """Scores at a threshold that was chosen on validation."""

    threshold: float
    scores: Scores = field(metadata={"inline": True})


@dataclass(frozen=True)
class RunScores:
    """The scores of one run on the test set, by level: at 0.5 and at the chosen thresholds."""

    run: str
    arm: ArmSettings | None  # None if it is unknown how the arm was made
    arm_name: str
    seed: int
    temperature: float
    scores: Mapping[str, Scores] = field(metadata={"inline": True})
    chosen: Mapping[str, ThresholdScores]


@dataclass(frozen=True)
class ArmResult:
    """The scores of an arm by level and metric over its seeds, and its differences to the baseline."""

    name: str
    settings: ArmSettings | None = field(metadata={"inline": True})  # None if it is unknown how the arm was made
    seeds: Sequence[int]
    scores: Mapping[str, Mapping[str, Summary]] = field(metadata={"inline": True})
    chosen: Mapping[str, Mapping[str, Summary]]
    thesis_accuracy: float | None
    intervals: Mapping[str, Mapping[str, MetricIntervals]]  # by level and threshold
    differences: Mapping[str, Mapping[str, MetricIntervals | None]]  # None for a baseline


@dataclass(frozen=True)
class Check:
    """A condition of a fair comparison: `passed` is None if unknown; a failed critical one forbids a verdict."""

    name: str
    passed: bool | None
    sentence: str
    critical: bool = False


@dataclass(frozen=True)
class BootstrapInterval:
    """An interval of the bootstrap; `kind` is how it is formed."""

    kind: str
    low: float
    high: float


@dataclass(frozen=True)
class SignFlip:
    """The sign-flip test over seeds: its p-value and the smallest p-value possible with this number of seeds."""

    p: float
    min_p: float


@dataclass(frozen=True)
class Difference(ConfidenceInterval):
    """The difference that decides, with its standard error, variances, tests and the value of each seed."""

    standard_error: float
    seed_variance: float
    patient_variance: float
    p: float
    p_holm: float | None
    p_equivalent: float
    p_equivalent_holm: float | None
    bootstrap: BootstrapInterval
    sign_flip: SignFlip
    seed_differences: Mapping[int, float]  # by seed
    # The true difference that tests with these variances detect with 80 % power, and the margin within which they show
    # an arm without any difference to be, with 80 % power; None in results from before they existed
    detectable_difference: float | None = field(default=None, metadata={"optional": True})
    showable_margin: float | None = field(default=None, metadata={"optional": True})


@dataclass(frozen=True)
class PairTests:
    """Tests of two networks of one seed on the same cases: exact McNemar and DeLong."""

    seed: int
    only_arm_right: int
    only_baseline_right: int
    mcnemar_p: float
    auroc_difference: float | None
    delong_p: float | None


@dataclass(frozen=True)
class PriorShift:
    """A shift of the class prior of the training set, and its share in the difference."""

    share_normal: float
    share_normal_baseline: float
    shifted: bool
    explains_difference: bool  # whether it alone can
    call_rate_difference: ConfidenceInterval | None
    sentence: str
    contributes: bool = field(default=False, metadata={"optional": True})


@dataclass(frozen=True)
class ControlDifference(ConfidenceInterval):
    """The difference of an arm to a control and its tests, which are None in results from before they existed."""

    p: float | None = field(default=None, metadata={"optional": True})
    p_holm: float | None = field(default=None, metadata={"optional": True})
    p_equivalent: float | None = field(default=None, metadata={"optional": True})
    p_equivalent_holm: float | None = field(default=None, metadata={"optional": True})
    detectable_difference: float | None = field(default=None, metadata={"optional": True})
    showable_margin: float | None = field(default=None, metadata={"optional": True})


@dataclass(frozen=True)
class ControlComparison:
    """An arm compared with a control of the same size."""

    control: str
    relation: str
    sentence: str
    difference: ControlDifference | None
    arm: str | None = field(default=None, metadata={"optional": True})  # name of the control among the arms
    verdict: str | None = field(default=None, metadata={"optional": True})  # on the difference
    # Whether an arm must be told from it with `--against control`: not from an upper bound such as more-real
    is_asked: bool = field(default=True, metadata={"optional": True})


@dataclass(frozen=True)
class ArmLook:
    """The look of a sequential study whose verdict an arm has, and the interval at the level of that look."""

    number: int  # from 1
    seeds: int
    level: float
    low: float | None  # of the interval of 1 - level; None if there is no difference
    high: float | None


@dataclass(frozen=True)
class ArmVerdict:
    """The verdict on one arm, with its reason and everything that supports it."""

    arm: str
    control: str | None
    baseline: str | None
    verdict: str
    reason: str
    difference: Difference | None
    pairs: Sequence[PairTests]
    prior_shift: PriorShift | None  # None if the class priors or the thresholds chosen on validation are unknown
    controls: Sequence[ControlComparison]
    look: ArmLook | None = field(default=None, metadata={"optional": True})  # None if the study is not sequential
    # Generators that the runs are about: 0 without synthetic images, 1, or one for each run; None if that is unknown
    generators: int | None = field(default=None, metadata={"optional": True})
    # Draws of its share of the real images: 1, or one for each seed; None if it has all of them, or that is unknown
    draws: int | None = field(default=None, metadata={"optional": True})


@dataclass(frozen=True)
class Family:
    """Tests that Holm's correction takes together: if all are of true hypotheses, one errs with at most this level."""

    compared: str  # such as "arms with the baseline"
    shown: str  # `difference` (helps, hurts) or `equivalence` (no difference larger than the margin)
    tests: int
    level: float


@dataclass(frozen=True)
class SequentialLook:
    """The look of a sequential study that an evaluation is."""

    plan: str  # sha256 of the plan
    number: int  # from 1
    seeds: Sequence[int]  # of each look of the plan
    levels: Sequence[float]  # of each look of the plan
    stopped: Sequence[str]  # arms, controls and baselines that get no more seeds

    @property
    def level(self) -> float:
        """Level of this look."""
        return self.levels[self.number - 1]

    @property
    def is_last(self) -> bool:
        """Whether it is the last look of the plan."""
        return self.number == len(self.seeds)


@dataclass(frozen=True)
class EarlierJudgement:
    """An earlier evaluation of the same study in the same place, which no plan foresaw."""

    seeds: int  # of the arm with most
    metric: str
    level: str
    margin: float
    started: str  # date and time, ISO 8601


@dataclass(frozen=True)
class Verdict:
    """The verdict on every arm but the baselines, and the checks it rests on."""

    question: Question = field(metadata={"inline": True})
    threshold: str
    confidence: float
    valid: bool
    checks: Sequence[Check]
    arms: Sequence[ArmVerdict]
    families: Sequence[Family] = field(default=(), metadata={"optional": True})  # of tests, by what they compare
    sequential: SequentialLook | None = field(default=None, metadata={"optional": True})
    earlier: Sequence[EarlierJudgement] = field(default=(), metadata={"optional": True})  # unplanned ones


@dataclass(frozen=True)
class Audit:
    """A two-sample test between real and synthetic training images of an arm, equally many of each label."""

    arm: str
    features: str  # name of the network that made them
    dims: int
    labels: tuple[str, ...]  # of the synthetic images
    two_sample_test: TwoSampleResult | None  # None if there are too few images, or it does not apply
    reason: str | None = field(default=None, metadata={"optional": True})  # why it does not apply
    # Name of the synthetic dataset, if the runs of the arm have images of several
    images: str | None = field(default=None, metadata={"optional": True})


@dataclass(frozen=True)
class Subgroup:
    """The test images with one value of a column: intervals and differences by arm, uncorrected."""

    value: str
    images: int
    abnormal: int
    intervals: Mapping[str, MetricIntervals]
    differences: Mapping[str, MetricIntervals]


@dataclass(frozen=True)
class Subgroups:
    """The subgroups by the values of one column."""

    column: str
    metric: str
    groups: Sequence[Subgroup]


@dataclass(frozen=True)
class TestSet:
    """Sizes of the test set."""

    images: int
    studies: int | None  # None if the study of an image is unknown
    normal: int
    abnormal: int


@dataclass(frozen=True)
class TestSetResult:
    """The results of the same runs on another test set, whose verdicts are corrected for all other sets together."""

    name: str
    test: TestSet
    arms: Sequence[ArmResult]
    runs: Sequence[RunScores]
    verdict: Verdict
    subgroups: Subgroups | None = field(default=None, metadata={"optional": True})
    no_subgroups: str | None = field(default=None, metadata={"optional": True})  # why, if they were asked for


@dataclass(frozen=True)
class SharedImages:
    """Images and patients that two test sets have in common."""

    sets: tuple[str, str]
    images: int
    patients: int
    same_names: int = field(default=0, metadata={"optional": True})  # of the patients, known by equal names alone
    is_unknown: bool = field(default=False, metadata={"optional": True})  # whether pseudonyms hide more of them
    elsewhere: int = field(default=0, metadata={"optional": True})  # further equal names, in sets of other layouts

    @property
    def has_any(self) -> bool:
        """Whether the sets are known to have images or patients in common."""
        return self.images + self.patients > 0


@dataclass(frozen=True)
class MeanDifference:
    """The mean of an arm's differences to its baseline over all test sets, with equal weight, and its p-value."""

    arm: str
    control: str | None
    difference: ConfidenceInterval | None  # None if undefined on a set, or if sets have patients in common
    p: float | None


@dataclass(frozen=True)
class OtherTestSets:
    """What the same runs show on other test sets than the primary one."""

    primary: str  # name of the set that the main results are of
    sets: Sequence[TestSetResult]
    shared: Sequence[SharedImages]  # pairs of sets that have some in common
    means: Sequence[MeanDifference]  # none if sets are not independent, or a critical check fails on one


@dataclass(frozen=True)
class ReportedResults:
    """Results that the thesis reports: accuracy by percent added."""

    accuracy: Mapping[int, float]
    note: str


@dataclass(frozen=True)
class Evaluation:
    """All results of an evaluation."""

    threshold: float
    test: TestSet
    split_by: str | None  # how validation images were split off, by patient or by image; None if unknown
    arms: Sequence[ArmResult]
    runs: Sequence[RunScores]
    verdict: Verdict
    audits: Sequence[Audit]
    subgroups: Subgroups | None = field(metadata={"optional": True})
    thesis: ReportedResults | None  # None if it is unknown how the arms were made
    others: OtherTestSets | None = field(default=None, metadata={"optional": True})
    planted: Planted | None = field(
        default=None, metadata={"optional": True}
    )  # what would have been seen; if asked for
