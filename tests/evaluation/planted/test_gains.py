"""Planted gains: their size, the redrawn studies, and where none can be planted."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from xrayaug.evaluation import verdict
from xrayaug.evaluation.planted import gains, moved_scores
from xrayaug.evaluation.planted.gains import GAINS, JudgedStudy, plant_gains
from xrayaug.evaluation.planted.results import PlantedRate
from xrayaug.evaluation.results import EvaluatedArm
from xrayaug.stats import classification, power
from xrayaug.stats.sequential import Look

from .conftest import CASES, draw_study

METRICS = ("auroc", "accuracy", "balanced_accuracy", "kappa", "average_precision", "f1")
REDRAWS = 12
NAMES = ("0", "one", "two")


def by_gain(rates: list[PlantedRate], arm: str) -> dict[float, PlantedRate]:
    return {each.amount: each for each in rates if each.what == arm}


@pytest.mark.parametrize("metric", METRICS)
def test_a_planted_gain_has_its_amount_on_the_cases_of_the_study(metric: str) -> None:
    study = draw_study(metric=metric)
    redrawer = gains._Redrawer(study, gains._score(study, study.probabilities))
    baseline = np.mean([_score(metric, study, each) for each in study.probabilities["0"].values()])
    step = {"auroc": 1e-3, "average_precision": 5e-3, "kappa": 2 / CASES}.get(metric, 1 / CASES)
    for gain in GAINS:
        moved = [redrawer.movers["one", seed].move(redrawer.means["one"] + gain) for seed in range(3)]
        assert np.mean([_score(metric, study, each) for each in moved]) - baseline == pytest.approx(gain, abs=step)


def test_cases_are_moved_apart_by_one_amount_and_keep_their_order_within_a_class(study: JudgedStudy) -> None:
    redrawer = gains._Redrawer(study, gains._score(study, study.probabilities))
    mover, before = redrawer.movers["two", 1], study.probabilities["two"][1]
    after = mover.move(redrawer.means["two"] + 0.05)
    moved = np.log(after / (1 - after)) - np.log(before / (1 - before))
    amounts = np.where(study.labels == 1, moved, -moved)
    assert amounts == pytest.approx(np.full(CASES, amounts[0]), abs=1e-9)


def test_nothing_of_the_study_changes_and_the_same_seed_gives_the_same_numbers(study: JudgedStudy) -> None:
    before = copy.deepcopy(study)
    first = plant_gains(study, REDRAWS)
    assert first == plant_gains(study, REDRAWS)
    for arm, runs in before.probabilities.items():
        for seed, given in runs.items():
            assert np.array_equal(given, study.probabilities[arm][seed])
    assert np.array_equal(before.labels, study.labels)
    other = replace(study, question=replace(study.question, seed=1))
    assert plant_gains(other, REDRAWS)[0] != first[0]


def test_large_gains_are_told_and_none_is_not() -> None:
    rates, unknown = plant_gains(draw_study(seed_sd=0.0, seeds=5), 20)
    assert not unknown
    assert [(each.what, each.amount) for each in rates] == [(arm, gain) for arm in ("one", "two") for gain in GAINS]
    for arm in ("one", "two"):
        found = by_gain(rates, arm)
        assert found[0.0].found <= 2
        assert found[0.05].found > found[0.01].found
        assert all(each.trials == 20 and each.low <= each.share <= each.high for each in found.values())


def test_the_effects_of_seeds_are_estimated_without_what_the_patients_add() -> None:
    """Seeds that differ by nothing but the noise of their cases have an effect of 0, or nearly so."""
    sd = {}
    for spread in (0.0, 0.6):
        study = draw_study([str(number) for number in range(6)], seeds=8, seed_sd=spread)
        sd[spread] = gains._estimate_seed_sd(study, gains._score(study, study.probabilities))["1"]
    slope = stats.norm.pdf(1.2 / math.sqrt(2)) / math.sqrt(2)  # of the AUROC by the separation, in units of the noise
    assert sd[0.0] < 0.01
    assert sd[0.6] == pytest.approx(0.6 * slope, rel=0.35)


def test_redrawn_seeds_spread_as_much_as_those_of_the_study() -> None:
    """The redrawn studies have, on average, the variance between seeds that was estimated: a bootstrap has less."""
    study = draw_study([str(number) for number in range(5)], seeds=4, seed_sd=0.5)
    observed = gains._score(study, study.probabilities)
    redrawer = gains._Redrawer(study, observed)
    expected = _interaction(study, [[each.value("auroc") for each in observed[arm]] for arm in observed])
    redrawn = []
    for number in range(40):
        random = np.random.default_rng(number)
        drawn = random.integers(0, len(redrawer.cases), len(redrawer.cases))
        cases = np.concatenate([redrawer.cases[each] for each in drawn])
        patients = np.repeat(np.arange(len(drawn)), [len(redrawer.cases[each]) for each in drawn])
        effects = {key: redrawer.seed_sd[key[0]] * float(random.normal()) for key in redrawer.movers}
        scored = [redrawer._score(arm, 0.0, effects, cases, patients) for arm in observed]
        redrawn.append(_interaction(study, [[each.value("auroc") for each in arm] for arm in scored]))
    assert np.mean(redrawn) == pytest.approx(expected, rel=0.25)


def test_the_formula_is_that_of_the_power_analysis(study: JudgedStudy) -> None:
    rates, _ = plant_gains(study, 1)
    contrast = gains.judge(study)["one"][1]
    assert contrast.difference is not None
    size = power.detectable_difference(contrast.difference, contrast.tests)
    assert power.detection(contrast.difference, size, contrast.tests) == pytest.approx(power.POWER)
    expected = power.detection(contrast.difference, 0.03, contrast.tests)
    assert by_gain(rates, "one")[0.03].expected == pytest.approx(expected)


def test_arms_are_judged_together_with_all_corrections() -> None:
    contrasts = {names: gains.judge(draw_study(names))["1"][1] for names in ("01", "01234")}
    assert [each.tests for each in contrasts.values()] == [1, 4]
    difference = contrasts["01234"].difference
    assert difference is not None
    rates, _ = plant_gains(draw_study("01234"), 1)
    assert by_gain(rates, "1")[0.05].expected == pytest.approx(power.detection(difference, 0.05, 4))
    assert power.detection(difference, 0.05, 4) < power.detection(difference, 0.05, 1)


def test_an_arm_that_is_judged_against_controls_must_differ_from_them_too() -> None:
    study = draw_study(("0", "one", "copies"), seed_sd=0.0, seeds=5)
    arms = [
        EvaluatedArm("0", None, None, "0"),
        EvaluatedArm("one", None, None, "0", controls=["copies"]),
        EvaluatedArm("copies", None, None, "0", is_named_control=True),
    ]
    rates = {
        against: plant_gains(replace(study, arms=arms, question=replace(study.question, against=against)), 20)[0]
        for against in ("baseline", "both")
    }
    assert {each.what for each in rates["both"]} == {"one"}  # a control is given no gain
    assert rates["both"][-1].found <= rates["baseline"][-1].found
    assert rates["both"][-1].expected is None and rates["baseline"][-1].expected is not None


def test_a_look_tests_at_its_level_and_leaves_out_arms_that_had_ended(study: JudgedStudy) -> None:
    look = Look(2, 3, 1e-6, is_last=False)
    rates, unknown = plant_gains(replace(study, look=look, stopped=frozenset({"two"})), REDRAWS)
    assert {each.what for each in rates} == {"one"}
    assert [(each.what, each.reason) for each in unknown] == [("two", "it had its verdict at an earlier look")]
    assert by_gain(rates, "one")[0.05].found == 0  # at a level of one in a million


@pytest.mark.parametrize(
    ("study", "what", "reason"),
    [
        (draw_study(("0",)), "the study", "no arm that is compared with a baseline"),
        (draw_study(seeds=1), "one", "one seed"),
        (replace(draw_study(), failure="training saw test images"), "the study", "training saw test images"),
        (draw_study(digits=0), "one", "its runs cannot be brought to the mean score"),
        (replace(draw_study(), arms=[EvaluatedArm(name, None, None) for name in NAMES]), "0", "no baseline"),
    ],
    ids=["without arms", "one seed", "failed check", "hard calls", "no baseline"],
)  # fmt: skip
def test_where_no_gain_can_be_planted_one_line_says_why(study: JudgedStudy, what: str, reason: str) -> None:
    rates, unknown = plant_gains(study, 2)
    assert not rates
    assert unknown[0].what == what
    assert reason in unknown[0].reason
    assert "\n" not in unknown[0].reason and not unknown[0].reason.endswith(".")


def test_an_arm_whose_score_moves_in_large_steps_leaves_the_others_their_gains(study: JudgedStudy) -> None:
    rates, unknown = plant_gains(_call_hard(study, "two"), REDRAWS)
    assert [(each.what, each.amount) for each in rates] == [("one", gain) for gain in GAINS]
    (line,) = unknown
    assert line.what == "two" and "its runs cannot be brought to the mean score of the baseline" in line.reason
    assert all("two keeps its own scores" in (each.note or "") for each in rates)
    assert all(each.note is None for each in plant_gains(study, 1)[0])


def test_an_arm_that_stays_as_it_is_keeps_its_predictions_and_is_judged_with_the_others(study: JudgedStudy) -> None:
    hard = _call_hard(study, "two")
    redrawer = gains._Redrawer(hard, gains._score(hard, hard.probabilities))
    assert redrawer.coarse == ["two"]
    for seed, given in hard.probabilities["two"].items():
        for score in (0.5, 0.7, 0.9):
            assert redrawer.movers["two", seed].move(score) == pytest.approx(given, abs=1e-9)
    assert {name: contrast.tests for name, (_, contrast) in gains.judge(hard).items()} == {"one": 2, "two": 2}


def test_only_arms_of_a_baseline_that_cannot_be_moved_are_unknown() -> None:
    names = ("0", "one", "1", "two")
    study = _call_hard(draw_study(names), "1")
    baselines = {"0": "0", "one": "0", "1": "1", "two": "1"}
    study = replace(study, arms=[EvaluatedArm(name, None, None, baselines[name]) for name in names])
    rates, unknown = plant_gains(study, 2)
    assert {each.what for each in rates} == {"one"}
    assert [each.what for each in unknown] == ["two"] and "the runs of its baseline 1 cannot be" in unknown[0].reason


@pytest.mark.parametrize(("against", "are_known"), [("baseline", True), ("both", False)])
def test_a_control_that_cannot_be_moved_counts_if_arms_are_judged_against_it(against: str, are_known: bool) -> None:
    study = _call_hard(draw_study(("0", "one", "copies")), "copies")
    arms = [
        EvaluatedArm("0", None, None, "0"),
        EvaluatedArm("one", None, None, "0", controls=["copies"]),
        EvaluatedArm("copies", None, None, "0", is_named_control=True),
    ]
    study = replace(study, arms=arms, question=replace(study.question, against=against))
    rates, unknown = plant_gains(study, 2)
    assert bool(rates) == are_known and all(each.note is None for each in rates)
    assert are_known or "the runs of its control copies cannot be" in unknown[0].reason


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "kappa", "f1", "average_precision", "auroc"])
@pytest.mark.parametrize("abnormal", [12, 148])
def test_the_tolerance_is_half_of_what_one_case_moves_the_score_by(metric: str, abnormal: int) -> None:
    """Of unequal classes, one case of the rarer one moves most scores by far more than 1 / N."""
    random = np.random.default_rng(0)
    labels = (np.arange(CASES) < abnormal).astype(np.int64)
    probabilities = np.clip(0.5 + (labels - 0.5) * 0.2 + random.normal(0, 0.15, CASES), 0.01, 0.99)
    before = moved_scores.find_score(metric, labels, probabilities)
    steps = []  # by all cases that are next to cross the threshold, or to change places
    for case in range(CASES):
        for other in range(CASES) if metric in ("auroc", "average_precision") else (None,):
            moved = probabilities.copy()
            if other is None:
                moved[case] = 0.99 if moved[case] <= 0.5 else 0.01
            elif labels[case] == labels[other] or not _are_neighbours(probabilities, case, other):
                continue
            else:
                moved[[case, other]] = moved[[other, case]]
            steps.append(abs(moved_scores.find_score(metric, labels, moved) - before))
    found = moved_scores.find_step(metric, labels, probabilities)
    assert found == pytest.approx(max(steps))
    expected = {"accuracy": 1 / CASES, "balanced_accuracy": 0.5 / 12, "auroc": 1 / (12 * 148)}
    if metric in expected:
        assert found == pytest.approx(expected[metric])


@pytest.mark.parametrize("metric", ["balanced_accuracy", "kappa", "f1"])
def test_gains_are_planted_where_one_case_of_the_rare_class_moves_the_score_far(metric: str) -> None:
    """With 20 abnormal cases of 160 one of them moves these scores by 0.02 and more."""
    rates, unknown = plant_gains(_make_rare(draw_study(metric=metric), 20), 2)
    for arm in ("one", "two"):
        found = by_gain(rates, arm)
        assert 0.05 in found and 0.0 in found
    assert all("cannot be brought" not in each.reason for each in unknown)


@pytest.mark.parametrize("wrong", [7, 20, 22])
def test_networks_that_miss_the_mean_by_half_a_case_are_no_obstacle(wrong: int) -> None:
    """Two networks of a baseline that differ by one case both miss their mean by exactly half of a case."""
    study = draw_study(metric="accuracy", seeds=2)
    random = np.random.default_rng(0)

    def call(number: int) -> classification.Probabilities:
        is_right = np.arange(CASES) >= number
        return np.where((study.labels == 1) == is_right, 0.8, 0.2) + random.normal(0, 0.02, CASES)

    given = {arm: {seed: call(wrong + ((arm, seed) == ("0", 1))) for seed in (0, 1)} for arm in NAMES}
    redrawer = gains._Redrawer(replace(study, probabilities=given), gains._score(study, given))
    assert redrawer.means["0"] == pytest.approx(1 - (wrong + 0.5) / CASES)
    assert not redrawer.coarse


def test_a_gain_is_nearer_to_its_amount_than_to_none() -> None:
    study = _make_rare(draw_study(metric="f1"), 5)
    redrawer = gains._Redrawer(study, gains._score(study, study.probabilities))
    assert redrawer.find_tolerance("one") > 0.005
    assert redrawer.find_tolerance("one", 0.01) == 0.005
    for each in plant_gains(study, 1)[0]:
        assert not each.amount or redrawer.find_gain(each.what, each.amount) > each.amount / 2 - 1e-12


def test_a_gain_beyond_the_best_score_is_not_planted() -> None:
    study = draw_study(seed_sd=0.0)
    sure = {
        arm: {seed: np.where(study.labels == 1, 0.9, 0.1) + 0.001 * each for seed, each in runs.items()}
        for arm, runs in study.probabilities.items()
    }
    rates, unknown = plant_gains(replace(study, probabilities=sure), 2)
    assert {each.amount for each in rates} == {0.0}
    assert "no room" in unknown[0].reason


def test_runs_without_common_seeds_are_redrawn_as_independent_ones() -> None:
    study = draw_study(("0", "one"), seeds=4, seed_sd=0.5)
    arms = [study.arms[0], replace(study.arms[1], is_paired=False)]
    rates, unknown = plant_gains(replace(study, arms=arms), REDRAWS)
    assert not unknown and len(rates) == len(GAINS)


def _call_hard(study: JudgedStudy, arm: str) -> JudgedStudy:
    """Return the study with the probabilities of an arm rounded to 0 and 1, so that its AUROC has few values."""
    hard = {seed: np.round(given) for seed, given in study.probabilities[arm].items()}
    return replace(study, probabilities={**study.probabilities, arm: hard})


def _make_rare(study: JudgedStudy, abnormal: int) -> JudgedStudy:
    """Return the study with all its normal cases, and only so many abnormal ones."""
    kept = np.sort(np.concatenate([np.flatnonzero(study.labels == 0), np.flatnonzero(study.labels == 1)[:abnormal]]))
    patients = np.unique(study.patients[kept], return_inverse=True)[1].astype(np.int64)
    probabilities = {
        arm: {seed: given[kept] for seed, given in runs.items()} for arm, runs in study.probabilities.items()
    }
    return replace(study, labels=study.labels[kept], patients=patients, probabilities=probabilities)


def _are_neighbours(probabilities: classification.Probabilities, one: int, other: int) -> bool:
    low, high = sorted((probabilities[one], probabilities[other]))
    return not np.any((probabilities > low) & (probabilities < high))


def _score(metric: str, study: JudgedStudy, probabilities: classification.Probabilities) -> float:
    return float(getattr(classification.score(study.labels, probabilities), metric))


def _interaction(study: JudgedStudy, scores: list[list[float]]) -> float:
    values = np.array(scores)
    residuals = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    return float((residuals**2).sum() / ((values.shape[0] - 1) * (values.shape[1] - 1)))


def test_helps_is_what_is_counted(study: JudgedStudy) -> None:
    """The verdict of the package, and nothing else, says whether a gain is found."""
    told = gains.judge(study)
    assert set(told) == {"one", "two"}
    assert all(name in verdict.DISPLAY_NAMES for name, _ in told.values())
