"""Plant known gains in copies of predictions, redraw the study many times, and count how often they are told.

What would fresh studies of this design say if an arm had a true gain? Such a study has other seeds and other patients,
so both are redrawn:

- Every network of every arm is brought to one score, the mean of the baseline's, by moving the logits of abnormal
  cases up and those of normal cases down by one amount; the planted arm to a score that is higher by the gain. The arms
  keep their own predictions, and with them how differently they judge a case.
- An arm that cannot be brought to that score, since its own moves in steps that are too large, stays as it is: with the
  predictions that it has, and without an effect of seeds. Nothing is known of its gains, nor of those of arms that are
  compared with it. The others are judged beside it, as it counts in their corrections and in the pooled variance.
- Patients are drawn with replacement, each with all cases (Field and Welsh 2007, JRSS B 69:369).
- Each network's score is moved by a normal effect of its seed. A bootstrap of few seeds understates their variance, and
  so would redrawn patients alone. The mean square of the interaction of arm and seed (Obuchowski and Rockette 1995,
  Communications in Statistics B 24:285) is the variance of the effects and what the patients add for one network alone;
  the latter is estimated from influences, and is in the redrawn patients already. All arms are taken to vary equally.

Each redrawn study is judged by `conclusions.tell`, with all arms and all corrections of the study.
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import chdtri

from xrayaug.evaluation import (
    arm_judge,
    checks,
    comparison,
    conclusions,
    control_contrasts,
    findings,
    predictions,
    verdict,
)
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.evaluation.planted import moved_scores
from xrayaug.evaluation.planted.results import PlantedRate, Unknown, count_found
from xrayaug.evaluation.predictions import RunPredictions
from xrayaug.evaluation.results import ControlComparison, EvaluatedArm, Evaluation, Question, Verdict
from xrayaug.evaluation.verdict import Contrast
from xrayaug.stats import intervals, power
from xrayaug.stats.classification import THRESHOLD, Labels, Probabilities
from xrayaug.stats.sequential import Look

GAINS = (0.0, 0.01, 0.03, 0.05)
REDRAWS = 200
STREAM = 1  # number of the random stream
NODES = 13  # scores at which the amount is found by which a network's logits are moved; between them it is interpolated
SPREAD = 4.0  # standard deviations of seeds' effects that the nodes reach
TOLERANCE = 0.0005  # a gain that differs from the wanted one by more is named
MAX_ERROR = 0.002  # of a gain that is planted, or half of the step of one case if that is more; and half of the gain
ROUNDING = 1e-9  # of scores


@dataclass(frozen=True)
class JudgedStudy:
    """What an evaluation judged on its primary test set."""

    arms: Sequence[EvaluatedArm]
    labels: Labels  # [M] of the cases at the level of the question
    patients: Labels  # [M]
    probabilities: Mapping[str, Mapping[int, Probabilities]]  # [M] by arm, and by the number of the run in its pair
    question: Question
    look: Look | None = None  # of a sequential study
    stopped: Collection[str] = field(default_factory=frozenset)  # arms that had ended before the look
    failure: str | None = None  # the critical check that failed, a sentence without a full stop


def arrange_study(evaluation: Evaluation, predicted: Sequence[RunPredictions]) -> JudgedStudy:
    """Return what an evaluation judged on its primary test set.

    Args:
        evaluation: finished.
        predicted: the predictions of test images that it judged, of all runs.
    """
    verdicts = evaluation.verdict
    cases = predictions.group_cases(predicted[0].test_rows, verdicts.question.level)
    probabilities: dict[str, dict[int, Probabilities]] = defaultdict(dict)
    for each in predicted:
        probabilities[each.run.arm_name][each.run.pair_number] = cases.probabilities(each.test)
    failure = checks.find_critical_failure(verdicts.checks)
    look, stopped = _find_look(verdicts)
    unpaired = {each.run.arm_name for each in predicted if each.run.pair_number != each.run.seed}
    return JudgedStudy(
        arms=_list_arms(evaluation, unpaired),
        labels=cases.labels,
        patients=cases.patients,
        probabilities=probabilities,
        question=verdicts.question,
        look=look,
        stopped=stopped,
        failure=None if failure is None else failure.sentence,
    )


def _list_arms(evaluation: Evaluation, unpaired: Collection[str]) -> list[EvaluatedArm]:
    """Return the arms with the baselines and controls that they were judged with."""
    judged = {each.arm: each for each in evaluation.verdict.arms}
    controls = {name: _list_controls(each.controls) for name, each in judged.items()}
    return [
        EvaluatedArm(
            arm.name,
            arm.settings,
            share_normal=None,
            baseline=judged[arm.name].baseline if arm.name in judged else arm.name,
            controls=controls.get(arm.name, []),
            is_named_control=any(arm.name in (of or ()) for of in controls.values()),
            is_paired=arm.name not in unpaired,
        )
        for arm in evaluation.arms
    ]


def _list_controls(compared: Sequence[ControlComparison]) -> list[str] | None:
    """Return the names of an arm's controls; None, so that settings say them, if the result is too old for names."""
    names = [each.arm for each in compared if each.arm is not None]
    return names if len(names) == len(compared) else None


def _find_look(verdicts: Verdict) -> tuple[Look | None, frozenset[str]]:
    """Return the look of a sequential study, and the arms that had ended before it."""
    if verdicts.sequential is None:
        return None, frozenset()
    of = verdicts.sequential
    look = Look(of.number, of.seeds[of.number - 1], of.level, of.is_last)
    return look, frozenset(each.arm for each in verdicts.arms if each.look and each.look.number < of.number)


def plant_gains(study: JudgedStudy, redraws: int = REDRAWS) -> tuple[list[PlantedRate], list[Unknown]]:
    """Return how often gains of each arm are told, one arm at a time, and where that cannot be known.

    Args:
        study: that is redrawn; nothing of it is changed.
        redraws: redrawn studies for each arm and gain.
    """
    arms = [arm for arm in study.arms if arm.control is None and findings.find_baseline(arm, study.arms) != arm]
    if not arms:
        return [], [Unknown("gain", "the study", "there is no arm that is compared with a baseline")]
    if study.failure is not None:
        return [], [Unknown("gain", "the study", f"no verdict is given: {study.failure}")]
    observed = _score(study, study.probabilities)
    told = _judge(study, observed)
    obstacles = {arm.name: _find_obstacle(study, arm, told) for arm in arms}
    unknown = [Unknown("gain", name, reason) for name, reason in obstacles.items() if reason is not None]
    able = [arm for arm in arms if obstacles[arm.name] is None]
    if not able:
        return [], unknown
    redrawer, planted = _Redrawer(study, observed), []
    for arm in able:
        if (reason := _explain_coarse(study, arm, redrawer.coarse)) is None:
            planted.append(arm)
        else:
            unknown.append(Unknown("gain", arm.name, reason))
    achieved = {(arm.name, gain): redrawer.find_gain(arm.name, gain) for arm in planted for gain in GAINS}
    possible = [key for key, found in achieved.items() if abs(found - key[1]) <= redrawer.find_tolerance(*key)]
    for arm in planted:
        if missed := [f"{100 * gain:g}" for gain in GAINS if (arm.name, gain) not in possible]:
            reason = (
                f"no gain of {', '.join(missed)} points can be planted, as the score has no room for it or moves in "
                "steps that are too large"
            )
            unknown.append(Unknown("gain", arm.name, reason))
    counts = redrawer.count_told(possible, redraws if possible else 0)
    beside = _describe_unmoved(study, redrawer.coarse)
    rates = []
    for name, gain in possible:
        contrast, found = told[name][1], achieved[name, gain]
        expected = None
        if study.question.against == arm_judge.BASELINE and contrast.difference is not None:
            expected = power.detection(contrast.difference, gain, contrast.tests, contrast.decision.level)
        missed_by = "" if abs(found - gain) <= TOLERANCE else f"{100 * found:.2f} points were planted"
        note = "; ".join(filter(None, [missed_by, beside])) or None
        rates.append(count_found("gain", gain, name, counts[name, gain], redraws, expected=expected, note=note))
    return rates, unknown


def _explain_coarse(study: JudgedStudy, arm: EvaluatedArm, coarse: Collection[str]) -> str | None:
    """Return why the gains of an arm are unknown if it, or what it is compared with, stays as it is; None if nothing.

    Args:
        study: of the arm.
        arm: with a baseline.
        coarse: names of the arms that stay as they are.
    """
    baseline = findings.find_baseline(arm, study.arms)
    compared = {arm.name: "its runs"}
    if study.question.against != arm_judge.BASELINE:
        for each in findings.find_controls(arm, study.arms):
            if each.settings is None or each.settings.control not in control_contrasts.UPPER_BOUNDS:
                compared[each.name] = f"the runs of its control {each.name}"
    if baseline is not None:
        compared |= {baseline.name: f"the runs of its baseline {baseline.name}"}
    for name, whose in compared.items():
        if name in coarse:
            return (
                f"{whose} cannot be brought to the mean score of the baseline: with so few test cases, or so few "
                "values of the probabilities, the score moves in steps that are too large"
            )
    return None


def _describe_unmoved(study: JudgedStudy, coarse: Collection[str]) -> str:
    """Return what is said of the rates of other arms if some arms stay as they are; empty if that changes nothing.

    Controls have corrections and a variance of their own, so they change the verdict on an arm only if it is judged
    against controls.
    """
    is_any_control = study.question.against != arm_judge.BASELINE
    named = [each.name for each in study.arms if each.name in coarse and (each.control is None or is_any_control)]
    if not named:
        return ""
    keep = "keeps its own scores" if len(named) == 1 else "keep their own scores"
    return f"{', '.join(named)} {keep} in the redrawn studies, which counts in the corrections and the pooled variance"


def judge(study: JudgedStudy) -> dict[str, tuple[str, Contrast]]:
    """Return the verdict on every arm of a study, and the arm's contrast to its baseline, by the name of the arm."""
    return _judge(study, _score(study, study.probabilities))


def _judge(study: JudgedStudy, networks: Mapping[str, Sequence[ScoredNetwork]]) -> dict[str, tuple[str, Contrast]]:
    return conclusions.tell(study.arms, networks, study.question, look=study.look, stopped=study.stopped)


def _find_obstacle(study: JudgedStudy, arm: EvaluatedArm, told: Mapping[str, tuple[str, Contrast]]) -> str | None:
    """Return why no gain can be planted in an arm, without a full stop; None if one can be."""
    if arm.name not in told:
        return "it had its verdict at an earlier look"
    baseline = findings.find_baseline(arm, study.arms)
    if baseline is None:
        return "it has no baseline"
    difference = told[arm.name][1].difference
    if difference is None:
        return "its difference to the baseline cannot be estimated"
    if difference.seeds < verdict.MIN_SEEDS:
        return "it has one seed in common with the baseline, which shows no variation between trainings"
    return None


def _score(
    study: JudgedStudy, probabilities: Mapping[str, Mapping[int, Probabilities]]
) -> dict[str, list[ScoredNetwork]]:
    return {
        name: [
            comparison.score_network(
                number, study.labels, each, THRESHOLD, patients=study.patients, metrics=[study.question.metric]
            )
            for number, each in sorted(of.items())
        ]
        for name, of in probabilities.items()
    }


class _Redrawer:
    """Redraws a study with networks of known scores, and judges it."""

    def __init__(self, study: JudgedStudy, observed: Mapping[str, Sequence[ScoredNetwork]]) -> None:
        self.study = study
        self.metric = study.question.metric
        self.means: dict[str, float] = {}  # of the baseline, by the name of the arm
        for arm in study.arms:
            baseline = findings.find_baseline(arm, study.arms) or arm
            self.means[arm.name] = float(np.mean([each.value(self.metric) for each in observed[baseline.name]]))
        self.seed_sd = _estimate_seed_sd(study, observed)
        self.names = [name for name in self.means if name not in study.stopped]
        self.movers = {
            (name, number): moved_scores.make_mover(self.metric, study.labels, each, self._list_targets(name))
            for name in self.names
            for number, each in sorted(study.probabilities[name].items())
        }
        self.coarse = [name for name in self.names if self._is_coarse(name)]
        self.movers |= {key: mover.hold() for key, mover in self.movers.items() if key[0] in self.coarse}
        order = np.argsort(study.patients, kind="stable")
        bounds = np.searchsorted(study.patients[order], np.arange(int(study.patients.max()) + 2))
        self.cases = [order[start:end] for start, end in itertools.pairwise(bounds)]  # of each patient

    def _list_targets(self, name: str) -> list[float]:
        reach = SPREAD * self.seed_sd[name]
        between = np.linspace(-reach, max(GAINS) + reach, NODES)
        return [self.means[name] + each for each in (*GAINS, *between.tolist())]

    def find_gain(self, name: str, gain: float) -> float:
        """Return the mean gain over the networks of an arm, on the cases of the study, if this gain is planted."""
        return float(np.mean(self._score_moved(name, gain))) - self.means[name]

    def find_tolerance(self, name: str, gain: float = 0.0) -> float:
        """Return by how much a planted gain may differ from the wanted one.

        By `MAX_ERROR`, or by half of the step that one case makes in the score if that is more; but a gain must be
        nearer to its amount than to none.
        """
        steps = [moved_scores.find_step(self.metric, self.study.labels, each) for each in self._move_all(name, gain)]
        tolerance = max(MAX_ERROR, float(np.mean(steps)) / 2) + ROUNDING
        return min(tolerance, gain / 2) if gain else tolerance

    def _is_coarse(self, name: str) -> bool:
        """Return whether the networks of an arm are not brought to the baseline's mean; not whether their mean is.

        Networks that stay where they are have, in a baseline, the wanted mean, and yet have not been moved.
        """
        misses = np.abs(np.array(self._score_moved(name, 0.0)) - self.means[name])
        return not float(np.mean(misses)) <= self.find_tolerance(name)

    def _score_moved(self, name: str, gain: float) -> list[float]:
        return [moved_scores.find_score(self.metric, self.study.labels, each) for each in self._move_all(name, gain)]

    def _move_all(self, name: str, gain: float) -> list[Probabilities]:
        """Return the probabilities by each network of an arm on the cases of the study, if this gain is planted."""
        return [mover.move(self.means[name] + gain) for (of, _), mover in self.movers.items() if of == name]

    def count_told(self, planted: Collection[tuple[str, float]], redraws: int) -> Counter[tuple[str, float]]:
        """Return in how many redrawn studies an arm with a gain is said to help, by arm and gain."""
        counts: Counter[tuple[str, float]] = Counter()
        study = self.study
        for number in range(redraws):
            random = np.random.default_rng([study.question.seed, STREAM, number])
            drawn = random.integers(0, len(self.cases), len(self.cases))
            effects = {key: self.seed_sd[key[0]] * float(random.normal()) for key in self.movers}
            cases = np.concatenate([self.cases[each] for each in drawn])
            patients = np.repeat(np.arange(len(drawn)), [len(self.cases[each]) for each in drawn])
            null = {name: self._score(name, 0.0, effects, cases, patients) for name in self.names}
            without = _judge(study, null)
            for name, gain in planted:
                told = without
                if gain:
                    told = _judge(study, null | {name: self._score(name, gain, effects, cases, patients)})
                counts[name, gain] += told[name][0] == verdict.HELPS
        return counts

    def _score(
        self, name: str, gain: float, effects: Mapping[tuple[str, int], float], cases: Labels, patients: Labels
    ) -> list[ScoredNetwork]:
        labels, mean = self.study.labels[cases], self.means[name] + gain
        return [
            comparison.score_network(
                number,
                labels,
                mover.move(mean + effects[of, number], cases),
                THRESHOLD,
                patients=patients,
                metrics=[self.metric],
            )
            for (of, number), mover in self.movers.items()
            if of == name
        ]


def _estimate_seed_sd(study: JudgedStudy, observed: Mapping[str, Sequence[ScoredNetwork]]) -> dict[str, float]:
    """Return the standard deviation of the seeds' effects on each arm: of other trainings, tested on the same patients.

    It is pooled over a baseline and its arms; a control has that of the baseline. An arm whose runs are not paired with
    the baseline's has one of its own, by which the variance of its difference is as observed.
    """
    metric = study.question.metric
    found = dict.fromkeys(observed, 0.0)
    going_on = [arm for arm in study.arms if arm.name not in study.stopped]
    for baseline in going_on:
        compared = [arm for arm in going_on if findings.find_baseline(arm, study.arms) == baseline and arm != baseline]
        if not compared:
            continue
        own = observed[baseline.name]
        paired = [observed[arm.name] for arm in compared if arm.is_paired and arm.control is None]
        unpaired = [observed[arm.name] for arm in compared if not arm.is_paired]
        variance = _effect_variance(own, paired or unpaired, metric)
        for arm in (baseline, *compared):
            found[arm.name] = math.sqrt(variance)
        for arm in compared:
            if not arm.is_paired and paired:
                of_difference = 2 * _effect_variance(own, [observed[arm.name]], metric)
                found[arm.name] = math.sqrt(max(of_difference - variance, 0.0))
    return found


def _effect_variance(baseline: Sequence[ScoredNetwork], arms: Sequence[Sequence[ScoredNetwork]], metric: str) -> float:
    """Return the variance of the seeds' effects on one arm, without that of the patients, at least 0; 0 if unknown.

    The mean square is divided by the median of its distribution and not by the mean: of unbiased estimates from few
    degrees of freedom more than half are too small, and would promise too much.
    """
    groups = [[baseline, *arms]]
    if len({frozenset(each.seed for each in arm) for arm in groups[0]}) > 1:
        groups = [[baseline, arm] for arm in arms]
    total, of_patients, degrees = 0.0, 0.0, 0
    for group in groups:
        seeds = sorted(set.intersection(*({each.seed for each in arm} for arm in group)))
        if len(seeds) < 2:
            continue
        networks = [[next(each for each in arm if each.seed == seed) for seed in seeds] for arm in group]
        scores = np.array([[each.value(metric) for each in arm] for arm in networks])
        influences = np.array([[each.influence[metric] for each in arm] for arm in networks])  # [A, S, G]
        patients = baseline[0].effective_patients.of_metric(metric)
        df = (len(group) - 1) * (len(seeds) - 1)
        total += df * float(intervals.interaction_mean_square(scores))
        by_patient = intervals.interaction_mean_square(np.moveaxis(influences, -1, 0))
        of_patients += df * float(by_patient.sum()) * patients / (patients - 1)
        degrees += df
    if not degrees:
        return 0.0
    return max(total / float(chdtri(degrees, 0.5)) - of_patients / degrees, 0.0)
