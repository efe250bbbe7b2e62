"""Judge probabilities made by hand: verdict, intervals, subgroups, and a failed check, without files or networks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import row
from sklearn import metrics

from xrayaug.data.arms import ArmSettings
from xrayaug.evaluation import results, tables, verdict
from xrayaug.evaluation.checks import check_study
from xrayaug.evaluation.judge import SetPredictions, judge
from xrayaug.evaluation.predictions import RunInfo, RunPredictions, calibrate
from xrayaug.evaluation.results import HALF, Evaluation
from xrayaug.evaluation.study_facts import ArmFacts, GeneratorFacts, Overlap, ScreeningFacts, StudyFacts
from xrayaug.options import Evaluate
from xrayaug.stats.classification import Labels, Probabilities

IMAGES, SEEDS = 200, (0, 1, 2)
LABELS: Labels = np.arange(IMAGES) % 2  # 1 is abnormal
ROWS = [
    row(row=place, split="test", label=("normal", "abnormal")[label], patient=f"p{place}", study=f"s{place}")
    for place, label in enumerate(LABELS)
]
ARMS = {
    "0": ArmSettings(1.0, 0.0, None, 0, None),
    "10": ArmSettings(1.0, 10.0, "normal", 20, None),
}
FACTS = StudyFacts(
    leaked=Overlap(0, 0),
    patients_known=True,
    synthetic_held_out=0,
    test_labels=("abnormal", "normal"),
    generators=GeneratorFacts(1, (), {"test": Overlap(0, 0)}),
    settings=[{"lr": "0.0001"}],
    real_image_differences=(),
    screening=ScreeningFacts(1, 1, 0),
    arms=[ArmFacts(name, 0.5, [100], SEEDS) for name in ARMS],
    resolutions=(),
)


def probabilities(seed: int, errors: int) -> Probabilities:
    """Probabilities of 0.9 or 0.1 that are wrong for `errors` images, others for every seed; none of the last 40."""
    wrong = np.random.default_rng(seed).permutation(IMAGES - 40)[:errors]
    called = LABELS.copy()
    called[wrong] = 1 - called[wrong]
    return np.where(called == 1, 0.9, 0.1)


def predict(name: str, errors: int) -> list[RunPredictions]:
    return [
        RunPredictions(
            RunInfo(f"run {name} {seed}", ARMS[name], name, seed, 0.5),
            ROWS,
            ROWS,
            probabilities(seed, errors),
            probabilities(seed, errors),
        )
        for seed in SEEDS
    ]


def judge_arms(errors: int, facts: StudyFacts = FACTS, groups: dict[str, Sequence[int]] | None = None) -> Evaluation:
    """Judge a baseline that is wrong for 60 images, and an arm that is wrong for `errors`."""
    by = "device" if groups else None
    options = Evaluate(runs=(Path("run"),), out=Path("out"), metric="accuracy", per="image", resamples=200, by=by)
    sizes = results.TestSet(IMAGES, IMAGES, IMAGES // 2, IMAGES // 2)
    predicted = [*predict("0", 60), *predict("10", errors)]
    tested = SetPredictions("own", predicted, check_study(facts), sizes, groups or {})
    return judge(options, tested, audits=[], split_by="patient")


@pytest.mark.parametrize(("errors", "expected"), [(10, verdict.HELPS), (140, verdict.HURTS), (60, verdict.EQUIVALENT)])
def test_the_verdict_follows_the_difference_in_accuracy(errors: int, expected: str) -> None:
    evaluation = judge_arms(errors)
    (arm,) = evaluation.verdict.arms
    assert evaluation.verdict.valid
    assert (arm.arm, arm.baseline, arm.verdict) == ("10", "0", expected)
    assert arm.difference is not None
    assert arm.difference.value == pytest.approx((60 - errors) / IMAGES)
    assert arm.difference.low < arm.difference.value < arm.difference.high
    assert arm.difference.seed_differences == pytest.approx(dict.fromkeys(SEEDS, (60 - errors) / IMAGES))


def test_scores_and_intervals_are_those_of_the_probabilities() -> None:
    evaluation = judge_arms(10)
    baseline, arm = evaluation.arms
    assert [run.scores["image"].accuracy for run in evaluation.runs] == pytest.approx([0.7] * 3 + [0.95] * 3)
    areas = [metrics.roc_auc_score(LABELS, probabilities(seed, 60)) for seed in SEEDS]
    assert baseline.scores["image"]["auroc"].mean == pytest.approx(np.mean(areas))
    interval = arm.intervals["image"][HALF]["accuracy"]
    assert interval is not None
    assert interval.value == pytest.approx(0.95)
    assert 0.9 < interval.low < 0.95 < interval.high <= 1
    assert baseline.differences["image"][HALF] is None


def test_a_subgroup_is_scored_on_its_own_images() -> None:
    """The baseline is right for all of the last 40 images, and wrong for 60 of the others."""
    groups: dict[str, Sequence[int]] = {"old": range(IMAGES - 40), "new": range(IMAGES - 40, IMAGES)}
    subgroups = judge_arms(10, groups=groups).subgroups
    assert subgroups is not None
    old, new = subgroups.groups
    assert (subgroups.column, old.value, old.images, old.abnormal, new.images) == ("device", "old", 160, 80, 40)
    of_old, of_new = old.intervals["0"]["accuracy"], new.intervals["0"]["accuracy"]
    assert of_old is not None and of_new is not None
    assert (of_old.value, of_new.value) == pytest.approx((100 / 160, 1.0))
    difference = old.differences["10"]["accuracy"]
    assert difference is not None
    assert difference.value == pytest.approx(50 / 160)


def test_a_group_without_a_value_is_called_unknown() -> None:
    evaluation = judge_arms(10, groups={"": range(100), "ACME": range(100, IMAGES)})
    (table,) = tables.subgroup_tables(evaluation)
    assert [cells[0] for cells in table.rows] == ["(unknown)", "(unknown)", "ACME", "ACME"]


def test_a_failed_critical_check_forbids_a_verdict() -> None:
    leaking = replace(FACTS, generators=GeneratorFacts(1, (), {"test": Overlap(3, 1)}))
    evaluation = judge_arms(10, leaking)
    (arm,) = evaluation.verdict.arms
    assert not evaluation.verdict.valid
    assert arm.verdict == verdict.UNCLEAR
    assert "3 test images" in arm.reason
    assert arm.difference is not None
    assert arm.difference.value == pytest.approx(0.25)  # it is measured all the same


@pytest.mark.parametrize(("errors", "is_determined"), [(60, True), (0, False)])
def test_a_temperature_at_the_end_of_its_range_is_flagged_by_the_name_of_the_run(
    errors: int, is_determined: bool
) -> None:
    """Probabilities that are right for all validation images would be calibrated best by a temperature of 0."""
    options = Evaluate(runs=(Path("run"),), out=Path("out"), resamples=100, calibrate="temperature")
    predicted = [calibrate(each) for each in [*predict("0", 60), *predict("10", errors)]]
    sizes = results.TestSet(IMAGES, IMAGES, IMAGES // 2, IMAGES // 2)
    tested = SetPredictions("own", predicted, check_study(FACTS), sizes)
    evaluation = judge(options, tested, audits=[], split_by="patient")
    (check,) = [each for each in evaluation.verdict.checks if each.name == "temperature"]
    assert check.passed is is_determined
    assert ("run 10 0 (0.01), run 10 1 (0.01), run 10 2 (0.01)" in check.sentence) is not is_determined
    assert "run 0 0" not in check.sentence
    assert "temperature" not in [each.name for each in judge_arms(0).verdict.checks]
