"""Answers on the results: performance, errors and comparisons."""

from xrayaug.evaluation.paper import descriptions, result_descriptions
from xrayaug.evaluation.paper.answers.sources import PREDICTIONS, in_evaluation
from xrayaug.evaluation.paper.checklist import Finding
from xrayaug.evaluation.paper.facts import PaperFacts
from xrayaug.evaluation.paper.files import FAILURES_CSV, FAILURES_PICTURE


def performance(facts: PaperFacts) -> Finding:
    """Return the scores of every arm with intervals, the differences, and subgroups."""
    evaluation = facts.evaluation
    level = evaluation.verdict.question.level
    lines = [result_descriptions.describe_scores(arm, level) for arm in evaluation.arms]
    lines += result_descriptions.describe_arms(evaluation.verdict)
    lines += result_descriptions.describe_subgroups(evaluation)
    return Finding(lines, [in_evaluation(facts, "metrics.json"), in_evaluation(facts)])


def accuracy(facts: PaperFacts) -> Finding:
    """Return sensitivity, specificity and AUROC with intervals, also at the threshold chosen on validation."""
    evaluation = facts.evaluation
    level = evaluation.verdict.question.level
    lines = [result_descriptions.describe_scores(arm, level) for arm in evaluation.arms]
    lines += [result_descriptions.describe_chosen(arm, level) for arm in evaluation.arms]
    return Finding(lines, [in_evaluation(facts, "metrics.json")])


def failure_analysis(facts: PaperFacts) -> Finding:
    """Return how many test images fail, where they are shown, and the confusion matrices."""
    shown = f", and the worst are pictured in {FAILURES_PICTURE}" if facts.is_pictured else ""
    lines = [
        f"{descriptions.count(facts.failures, 'test image')} of {facts.evaluation.test.images:,} are called wrong by a "
        f"baseline or an arm, on the mean of its seeds; they are listed in {FAILURES_CSV}{shown}.",
        *result_descriptions.describe_confusion(facts.evaluation, facts.evaluation.verdict.question.level),
    ]
    return Finding(lines, [in_evaluation(facts, PREDICTIONS), in_evaluation(facts, "metrics.json")])


def baseline_comparison(facts: PaperFacts) -> Finding:
    """Return the comparison with the baseline and the controls, which are trained without synthetic images."""
    lines = [
        *result_descriptions.describe_arms(facts.evaluation.verdict),
        *result_descriptions.describe_controls(facts.evaluation.verdict),
    ]
    return Finding(lines, [in_evaluation(facts)])


def other_sets(facts: PaperFacts) -> Finding:
    """Return the results on further test sets, the only clusters that are known."""
    lines = result_descriptions.describe_other_sets(facts.evaluation)
    return Finding(lines, [in_evaluation(facts)] if lines else [])
