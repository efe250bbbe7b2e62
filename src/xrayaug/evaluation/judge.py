"""Judge predictions and facts: scores of runs and arms, differences, checks, subgroups, verdict.

A study's probability is the mean over its images, abnormal above 0.5 (Rajpurkar et al. 2018, section 3.1). Runs form
arms: the same share of real images, dose, label and control; an arm's score is the mean over its seeds. Nothing is
opened here: what is judged are cases and probabilities, whichever model they come from.
"""

import itertools
from collections.abc import Mapping, Sequence

from xrayaug.data.arms import ArmSettings
from xrayaug.evaluation import checks, comparison, findings, predictions
from xrayaug.evaluation.checks import StudyFacts
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.evaluation.findings import ScoredArms
from xrayaug.evaluation.predictions import RunPredictions
from xrayaug.evaluation.results import (
    CHOSEN,
    HALF,
    LEVELS,
    ArmResult,
    Audit,
    EvaluatedArm,
    Evaluation,
    Question,
    ReportedResults,
    RunScores,
    Subgroup,
    Subgroups,
    TestSet,
    ThresholdScores,
)
from xrayaug.options import Evaluate
from xrayaug.stats import bootstrap, classification
from xrayaug.stats.classification import METRICS, Scores, Summary

REPORTED = {0: 0.831, 10: 0.826, 50: 0.800, 100: 0.775}  # the thesis's Table 5: percent added -> accuracy
REPORTED_NOTE = (
    "thesis (reported): Table 5 of Platin's thesis, means of 5 runs, not measured here; "
    "the thesis does not say whether they are per image or per study"
)


def judge(
    options: Evaluate,
    predicted: Sequence[RunPredictions],
    *,
    audits: Sequence[Audit],
    facts: StudyFacts,
    test: TestSet,
    split_by: str,
    groups: Mapping[str, Sequence[int]],
) -> Evaluation:
    """Judge runs on one test set.

    Args:
        options: of the evaluation: the question, the resamples, the column of the subgroups.
        predicted: of every run, sorted by arm and seed.
        audits: of the arms.
        facts: that the checks are made from.
        test: sizes of the test set.
        split_by: `patient` or `image`, how the validation images were split off.
        groups: places of the test images of each subgroup; empty without `--by`.
    """
    networks = _score_networks(options, predicted)
    runs = [_score_run(each, networks) for each in predicted]
    arms = list({each.run.arm_name: each.run.evaluated_arm for each in reversed(predicted)}.values())[::-1]
    question = Question(options.metric.replace("-", "_"), options.per, options.margin, options.seed)
    specificity = findings.check_specificity(arms, networks, question)
    study_checks = [*checks.check_study(facts), *checks.check_audits(audits), *specificity]
    return Evaluation(
        threshold=classification.THRESHOLD,
        test=test,
        split_by=split_by,
        arms=_summarize_arms(runs, networks, arms),
        runs=runs,
        verdict=findings.conclude(arms, networks, question, study_checks),
        audits=audits,
        subgroups=_score_subgroups(options, predicted, arms, groups, question) if options.by else None,
        thesis=ReportedResults(REPORTED, REPORTED_NOTE),
    )


def _score_networks(
    options: Evaluate, predicted: Sequence[RunPredictions]
) -> dict[tuple[str, str], dict[str, list[ScoredNetwork]]]:
    """Score every run and its resamples, by level and threshold, then by arm."""
    networks: dict[tuple[str, str], dict[str, list[ScoredNetwork]]] = {}
    for level in LEVELS:
        test = predictions.group_cases(predicted[0].test_rows, level)
        counts = bootstrap.draw_resamples(test.patients, options.resamples, options.seed)
        for each in predicted:
            probabilities = test.probabilities(each.test)
            valid = predictions.group_cases(each.valid_rows, level)
            chosen = classification.find_threshold(valid.labels, valid.probabilities(each.valid))
            for name, threshold in ((HALF, classification.THRESHOLD), (CHOSEN, chosen)):
                scored = comparison.score_network(
                    each.run.seed, test.labels, probabilities, threshold, counts, patients=test.patients
                )
                networks.setdefault((level, name), {}).setdefault(each.run.arm_name, []).append(scored)
    return networks


def _score_run(predicted: RunPredictions, networks: ScoredArms) -> RunScores:
    run = predicted.run
    scored = {
        place: next(each for each in arms[run.arm_name] if each.seed == run.seed) for place, arms in networks.items()
    }
    return RunScores(
        run=run.name,
        arm=run.arm,
        arm_name=run.arm_name,
        seed=run.seed,
        temperature=predicted.temperature,
        scores={level: scored[level, HALF].scores for level in LEVELS},
        chosen={
            level: ThresholdScores(scored[level, CHOSEN].threshold, scored[level, CHOSEN].scores) for level in LEVELS
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
                chosen={level: _summarize([each.chosen[level].scores for each in arm_runs]) for level in LEVELS},
                thesis_accuracy=_find_reported(settings),
                intervals={
                    level: {threshold: intervals[level, threshold][name] for threshold in (HALF, CHOSEN)}
                    for level in LEVELS
                },
                differences={
                    level: {threshold: differences[level, threshold].get(name) for threshold in (HALF, CHOSEN)}
                    for level in LEVELS
                },
            )
        )
    return results


def _summarize(scores: Sequence[Scores]) -> dict[str, Summary]:
    return {metric: classification.summarize(getattr(each, metric) for each in scores) for metric in METRICS}


def _find_reported(arm: ArmSettings) -> float | None:
    """Return the accuracy that the thesis reports for an arm; it added normal images to all real ones."""
    thesis_label = "normal" if arm.percent else None
    is_same_kind = arm.real_fraction == 1 and arm.label == thesis_label and arm.control is None
    return REPORTED.get(int(arm.percent)) if is_same_kind and arm.percent == int(arm.percent) else None


def _score_subgroups(
    options: Evaluate,
    predicted: Sequence[RunPredictions],
    arms: Sequence[EvaluatedArm],
    groups: Mapping[str, Sequence[int]],
    question: Question,
) -> Subgroups:
    """Score the arms within each group of test images at 0.5 per image; differences are uncorrected."""
    subgroups = []
    for value, places in groups.items():
        cases = predictions.group_cases([predicted[0].test_rows[place] for place in places], "image")
        counts = bootstrap.draw_resamples(cases.patients, options.resamples, options.seed)
        networks: dict[str, list[ScoredNetwork]] = {}
        for each in predicted:
            scored = comparison.score_network(
                each.run.seed,
                cases.labels,
                each.test[list(places)],
                classification.THRESHOLD,
                counts,
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
