"""Judge predictions and facts: scores of runs and arms, differences, checks, subgroups, verdict.

A study's probability is the mean over its images, abnormal above 0.5 (Rajpurkar et al. 2018, section 3.1). Runs form
arms (`data.arms` says what an arm is); an arm's score is the mean over its seeds. Nothing is opened here: what is
judged are cases and probabilities, whichever model they come from.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xrayaug.data.arms import TOGETHER, ArmSettings
from xrayaug.evaluation import checks, comparison, conclusions, findings, looks, predictions
from xrayaug.evaluation.comparison import Resamples, ScoredNetwork
from xrayaug.evaluation.findings import ScoredArms
from xrayaug.evaluation.looks import CurrentLook
from xrayaug.evaluation.predictions import Cases, RunPredictions
from xrayaug.evaluation.results import (
    CHOSEN,
    HALF,
    LEVELS,
    ArmResult,
    Audit,
    Check,
    EvaluatedArm,
    Evaluation,
    OtherTestSets,
    Question,
    ReportedResults,
    RunScores,
    SharedImages,
    Subgroup,
    Subgroups,
    TestSet,
    TestSetResult,
    ThresholdScores,
    Verdict,
)
from xrayaug.options import Evaluate
from xrayaug.stats import bootstrap, classification
from xrayaug.stats.classification import METRICS, Scores, Summary

REPORTED = {0: 0.831, 10: 0.826, 50: 0.800, 100: 0.775}  # the thesis's Table 5: percent added -> accuracy
REPORTED_NOTE = (
    "thesis (reported): Table 5 of Platin's thesis, means of 5 runs, not measured here; "
    "the thesis does not say whether they are per image or per study"
)


@dataclass(frozen=True)
class SetPredictions:
    """The predictions of the same runs on one test set."""

    name: str
    predicted: Sequence[RunPredictions]  # sorted by arm and seed; all have validation images, or none has
    study_checks: Sequence[Check]  # of how the runs were trained and tested
    test: TestSet
    groups: Mapping[str, Sequence[int]] = field(default_factory=dict)  # places of the test images of each subgroup
    no_groups: str | None = None  # why there are no subgroups, if they were asked for


def judge(
    options: Evaluate,
    primary: SetPredictions,
    *,
    audits: Sequence[Audit],
    split_by: str | None,
    baseline: str | None = None,
    generators: Mapping[str, int | None] | None = None,
    draws: Mapping[str, int | None] | None = None,
    controls: Mapping[str, Sequence[str]] | None = None,
    others: Sequence[SetPredictions] = (),
    shared: Sequence[SharedImages] = (),
    look: CurrentLook | None = None,
) -> Evaluation:
    """Judge runs on one test set, or on several of which one was named as the primary one before.

    Args:
        options: of the evaluation: the question, the resamples, the column of the subgroups.
        primary: the runs on the primary test set, or on the only one.
        audits: of the arms.
        split_by: `patient` or `image`, how the validation images were split off; None if unknown.
        baseline: name of the arm that all others are compared with; None: each with the one that its settings say.
        generators: numbers of generators that the arms are about, by name: see `generator_design`.
        draws: numbers of draws of the real images, by name of the arm; None if it has all of them.
        controls: names of the controls of arms, by name; arms that are not there have those that their settings say.
        others: the runs on other test sets.
        shared: pairs of test sets that have images or patients in common.
        look: of a sequential study.
    """
    infos = {each.run.arm_name: each.run for each in reversed(primary.predicted)}
    shares = _average_shares(primary.predicted)
    named = controls or {}
    arms = [
        EvaluatedArm(
            run.arm_name,
            run.arm,
            shares[run.arm_name],
            baseline,
            (generators or {}).get(run.arm_name),
            controls=named.get(run.arm_name),
            is_named_control=any(run.arm_name in of for of in named.values()),
            draws=(draws or {}).get(run.arm_name),
            is_paired=run.seed == run.pair_number,
        )
        for run in reversed(infos.values())
    ]
    question = Question(options.metric.replace("-", "_"), options.per, options.margin, options.seed, options.against)
    first, *rest = (_score(options, each, arms, question, audits) for each in (primary, *others))
    verdicts, compared = _conclude(options, arms, question, (first, rest), shared=shared, look=look)
    return Evaluation(
        threshold=classification.THRESHOLD,
        test=primary.test,
        split_by=split_by,
        arms=first.results,
        runs=first.runs,
        verdict=verdicts,
        audits=audits,
        subgroups=_score_subgroups(options, primary, arms, question) if options.by else None,
        thesis=ReportedResults(REPORTED, REPORTED_NOTE) if all(arm.settings for arm in arms) else None,
        others=compared,
    )


def _average_shares(predicted: Sequence[RunPredictions]) -> dict[str, float | None]:
    """Return the share of normal training images of every arm, the mean over its runs; None if one is unknown."""
    shares: dict[str, list[float | None]] = {}
    for each in predicted:
        shares.setdefault(each.run.arm_name, []).append(each.run.share_normal)
    known = {name: [share for share in of if share is not None] for name, of in shares.items()}
    return {
        name: predictions.average_shares(known[name]) if len(known[name]) == len(of) else None
        for name, of in shares.items()
    }


@dataclass(frozen=True)
class _ScoredSet:
    """The scores of all runs on one test set."""

    tested: SetPredictions
    networks: ScoredArms
    runs: Sequence[RunScores]
    results: Sequence[ArmResult]
    checks: Sequence[Check]


def _score(
    options: Evaluate, tested: SetPredictions, arms: Sequence[EvaluatedArm], question: Question, audits: Sequence[Audit]
) -> _ScoredSet:
    networks = _score_networks(options, tested.predicted, question)
    runs = [_score_run(each, networks) for each in tested.predicted]
    specificity = findings.check_specificity(arms, networks, question)
    all_checks = [*tested.study_checks, *checks.check_audits(audits), *specificity]
    if options.calibrate == "temperature":
        all_checks.append(checks.check_temperatures({each.run.name: each.temperature for each in tested.predicted}))
    return _ScoredSet(tested, networks, runs, _summarize_arms(runs, networks, arms), all_checks)


def _conclude(
    options: Evaluate,
    arms: Sequence[EvaluatedArm],
    question: Question,
    scored: tuple[_ScoredSet, Sequence[_ScoredSet]],
    *,
    shared: Sequence[SharedImages],
    look: CurrentLook | None,
) -> tuple[Verdict, OtherTestSets | None]:
    """Return the verdict on the primary test set, which comes first, and what the others show."""
    primary, others = scored
    sets = [(each.networks, each.checks) for each in others]
    at, ended = (look.look, look.stopped) if look else (None, frozenset())
    verdicts = conclusions.conclude(arms, primary.networks, question, primary.checks, look=at, stopped=ended)
    of_others = conclusions.conclude_together(arms, sets, question, look=at, stopped=ended)
    if look is not None:
        stopped = looks.list_stopped(arms, verdicts, look)
        verdicts = looks.complete_verdict(verdicts, primary.tested.name, arms, look, stopped)
        of_others = [
            looks.complete_verdict(each, other.tested.name, arms, look, stopped)
            for each, other in zip(of_others, others, strict=True)
        ]
    compared = _compare_sets(options, arms, question, primary, others, verdicts=of_others, shared=shared)
    return verdicts, compared if others else None


def _compare_sets(
    options: Evaluate,
    arms: Sequence[EvaluatedArm],
    question: Question,
    primary: _ScoredSet,
    others: Sequence[_ScoredSet],
    *,
    verdicts: Sequence[Verdict],
    shared: Sequence[SharedImages],
) -> OtherTestSets:
    """Return what the other test sets show, and the mean of the differences over all sets if these share no patient."""
    sets = [
        TestSetResult(
            each.tested.name,
            each.tested.test,
            each.results,
            each.runs,
            verdict,
            subgroups=_score_subgroups(options, each.tested, arms, question) if each.tested.groups else None,
            no_subgroups=each.tested.no_groups,
        )
        for each, verdict in zip(others, verdicts, strict=True)
    ]
    networks = [each.networks for each in (primary, *others)]
    is_valid = all(checks.find_critical_failure(each.checks) is None for each in (primary, *others))
    are_shared = any(pair.has_any for pair in shared)
    means = findings.average_differences(arms, networks, question) if is_valid and not are_shared else []
    return OtherTestSets(primary.tested.name, sets, shared, means)


def _score_networks(
    options: Evaluate, predicted: Sequence[RunPredictions], question: Question
) -> dict[tuple[str, str], dict[str, list[ScoredNetwork]]]:
    """Score every run, by level and threshold, then by arm; with resamples where the question is."""
    networks: dict[tuple[str, str], dict[str, list[ScoredNetwork]]] = {}
    grouped: dict[str, list[Cases]] = {}
    for level in sorted(LEVELS, key=lambda each: each != question.level):  # that of the question first
        test = predictions.group_cases(predicted[0].test_rows, level)
        valid = _group_validation(predicted, level)
        grouped[level] = [test, *valid]
        if same := _find_same(level, grouped):  # as where every study is of one image
            networks |= {(level, name): networks[same, name] for name in (HALF, CHOSEN) if (same, name) in networks}
            continue
        resamples: Resamples | None = None
        if level == question.level:
            counts = bootstrap.draw_resamples(test.patients, options.resamples, options.seed)
            resamples = Resamples(counts, [question.metric])
        for place, each in enumerate(predicted):
            probabilities = test.probabilities(each.test)
            thresholds = {HALF: classification.THRESHOLD}
            if valid:
                known = valid[place]
                thresholds[CHOSEN] = classification.find_threshold(known.labels, known.probabilities(each.valid))
            for name, threshold in thresholds.items():
                scored = comparison.score_network(
                    each.run.pair_number,
                    test.labels,
                    probabilities,
                    threshold,
                    patients=test.patients,
                    resamples=resamples if name == HALF else None,
                )
                networks.setdefault((level, name), {}).setdefault(each.run.arm_name, []).append(scored)
    return networks


def _group_validation(predicted: Sequence[RunPredictions], level: str) -> list[Cases]:
    """Return the validation cases of every run; an empty list if there are none."""
    if not any(len(each.valid_rows) for each in predicted):
        return []
    known: dict[int, Cases] = {}  # runs may share the rows
    for each in predicted:
        if id(each.valid_rows) not in known:
            known[id(each.valid_rows)] = predictions.group_cases(each.valid_rows, level)
    return [known[id(each.valid_rows)] for each in predicted]


def _find_same(level: str, grouped: Mapping[str, Sequence[Cases]]) -> str | None:
    """Return another level at which all cases are the same; None if there is none."""
    for other, cases in grouped.items():
        if other != level and all(one.is_same(two) for one, two in zip(cases, grouped[level], strict=True)):
            return other
    return None


def _score_run(predicted: RunPredictions, networks: ScoredArms) -> RunScores:
    run = predicted.run
    scored = {
        place: next(each for each in arms[run.arm_name] if each.seed == run.pair_number)
        for place, arms in networks.items()
    }
    return RunScores(
        run=run.name,
        arm=run.arm,
        arm_name=run.arm_name,
        seed=run.seed,
        temperature=predicted.temperature,
        scores={level: scored[level, HALF].scores for level in LEVELS},
        chosen={
            level: ThresholdScores(scored[level, CHOSEN].threshold, scored[level, CHOSEN].scores)
            for level in LEVELS
            if (level, CHOSEN) in scored
        },
    )


def _summarize_arms(runs: Sequence[RunScores], networks: ScoredArms, arms: Sequence[EvaluatedArm]) -> list[ArmResult]:
    """Return mean, standard deviation and interval of every score of every arm, and its differences."""
    intervals = {key: findings.estimate_scores(by_arm) for key, by_arm in networks.items()}
    differences = {key: findings.estimate_differences(arms, by_arm) for key, by_arm in networks.items()}
    results = []
    for name, members in itertools.groupby(runs, lambda each: each.arm_name):
        arm_runs = list(members)
        settings = arm_runs[0].arm
        results.append(
            ArmResult(
                name=name,
                settings=settings,
                seeds=[each.seed for each in arm_runs],
                scores={level: _summarize([each.scores[level] for each in arm_runs]) for level in LEVELS},
                chosen={
                    level: _summarize([each.chosen[level].scores for each in arm_runs])
                    for level in LEVELS
                    if level in arm_runs[0].chosen
                },
                thesis_accuracy=_find_reported(settings),
                intervals={
                    level: {at: by_arm[name] for (of, at), by_arm in intervals.items() if of == level}
                    for level in LEVELS
                },
                differences={
                    level: {at: by_arm.get(name) for (of, at), by_arm in differences.items() if of == level}
                    for level in LEVELS
                },
            )
        )
    return results


def _summarize(scores: Sequence[Scores]) -> dict[str, Summary]:
    return {metric: classification.summarize(getattr(each, metric) for each in scores) for metric in METRICS}


def _find_reported(arm: ArmSettings | None) -> float | None:
    """Return the accuracy that the thesis reports for an arm; it added normal images to all real ones."""
    if arm is None:
        return None
    thesis_label = "normal" if arm.percent else None
    is_same_kind = arm.real_fraction == 1 and arm.label == thesis_label and arm.control is None
    is_same_kind &= arm.schedule == TOGETHER
    return REPORTED.get(int(arm.percent)) if is_same_kind and arm.percent == int(arm.percent) else None


def _score_subgroups(
    options: Evaluate, tested: SetPredictions, arms: Sequence[EvaluatedArm], question: Question
) -> Subgroups:
    """Score the arms within each group of test images at 0.5 per image; differences are uncorrected."""
    subgroups, predicted = [], tested.predicted
    for value, places in tested.groups.items():
        cases = predictions.group_cases([predicted[0].test_rows[place] for place in places], "image")
        networks: dict[str, list[ScoredNetwork]] = {}
        for each in predicted:
            scored = comparison.score_network(
                each.run.pair_number,
                cases.labels,
                each.test[list(places)],
                classification.THRESHOLD,
                patients=cases.patients,
            )
            networks.setdefault(each.run.arm_name, []).append(scored)
        subgroups.append(
            Subgroup(
                value,
                len(places),
                int(cases.labels.sum()),
                findings.estimate_scores(networks),
                findings.estimate_differences(arms, networks),
            )
        )
    return Subgroups(options.by or "", question.metric, subgroups)
