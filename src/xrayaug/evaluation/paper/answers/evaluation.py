"""Answers on the evaluation: scores, statistics, robustness and test sets."""

from xrayaug.evaluation.paper import descriptions, result_descriptions
from xrayaug.evaluation.paper.answers.sources import in_evaluation, in_manifest, needs_study
from xrayaug.evaluation.paper.checklist import Finding
from xrayaug.evaluation.paper.facts import OTHER_TEST, PaperFacts, StudyFacts

OWN = "own"  # name of the test set of the runs' own dataset


def metrics(facts: PaperFacts) -> Finding:
    """Return the scores, and which of them decides."""
    lines = result_descriptions.describe_statistics(facts)
    named = (
        "accuracy, balanced accuracy, kappa, AUROC, average precision, sensitivity, specificity, F1, Brier score and "
    )
    return Finding(
        [lines[0], f"Also given: {named}calibration error.", *lines[-2:]],
        [in_evaluation(facts), in_evaluation(facts, "metrics.json")],
    )


def confusion(facts: PaperFacts) -> Finding:
    """Return the scores that are given, with the confusion matrix of every run."""
    found = metrics(facts)
    level = facts.evaluation.verdict.question.level
    lines = [*found.sentences, *result_descriptions.describe_confusion(facts.evaluation, level)]
    return Finding(lines, found.sources)


def uncertainty(facts: PaperFacts) -> Finding:
    """Return the intervals, tests and corrections."""
    lines = result_descriptions.describe_statistics(facts)
    return Finding([*lines, result_descriptions.describe_seeds(facts.evaluation)], [in_evaluation(facts)])


def calibration(facts: PaperFacts) -> Finding:
    """Return the calibration of each arm."""
    level = facts.evaluation.verdict.question.level
    lines = [result_descriptions.describe_calibration(arm, level) for arm in facts.evaluation.arms]
    lines += [line for line in result_descriptions.describe_statistics(facts) if "calibrated" in line]
    return Finding(lines, [in_evaluation(facts, "metrics.json")])


def robustness(facts: PaperFacts) -> Finding:
    """Return what was varied: seeds, control arms, and the checks of the comparison."""
    evaluation = facts.evaluation
    lines = [result_descriptions.describe_seeds(evaluation)]
    lines += result_descriptions.describe_controls(evaluation.verdict)
    lines += [result_descriptions.describe_check(check) for check in evaluation.verdict.checks]
    lines += result_descriptions.describe_audits(evaluation)
    return Finding(lines, [in_evaluation(facts), in_evaluation(facts, "metrics.json")])


@needs_study
def confounding(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the checks and controls that separate the added images from other effects."""
    evaluation = facts.evaluation
    names = ("label shift", "budget", "shortcut", "recipe", "real images", "acquisition")
    lines = result_descriptions.find_checks(evaluation, *names)
    lines += result_descriptions.describe_controls(evaluation.verdict)
    return Finding(lines, [in_evaluation(facts)])


def fairness(facts: PaperFacts) -> Finding:
    """Return the subgroups that were scored."""
    lines = result_descriptions.describe_subgroups(facts.evaluation)
    return Finding(lines or ["No subgroup was scored."], [in_evaluation(facts, "metrics.json")])


def internal_test(facts: PaperFacts) -> Finding:
    """Return the results on the test images of the runs' own dataset."""
    evaluation = facts.evaluation
    if evaluation.others is not None and evaluation.others.primary != OWN:
        own = [line for line in result_descriptions.describe_other_sets(evaluation) if f"`{OWN}`" in line]
        return Finding(own, [in_evaluation(facts)])
    lines = [f"Test images: {result_descriptions.describe_test(evaluation.test)}."]
    lines += result_descriptions.describe_arms(evaluation.verdict)
    return Finding(lines, [in_evaluation(facts)])


@needs_study
def external_test(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the results on further test sets."""
    evaluation = facts.evaluation
    lines = [line for line in result_descriptions.describe_other_sets(evaluation) if f"`{OWN}`" not in line]
    if evaluation.others is not None and evaluation.others.primary != OWN:
        main = f"Test set `{evaluation.others.primary}`, whose verdict counts"
        lines.insert(0, f"{main}: {result_descriptions.describe_test(evaluation.test)}.")
        lines += result_descriptions.describe_arms(evaluation.verdict)
    if not lines:
        return Finding(["No further test set was evaluated."], [in_manifest(facts.path, "options", "inputs")])
    used = [f"`{each.name}`" for each in study.with_role(OTHER_TEST)]
    lines.append(f"Datasets that were prepared apart from the training images: {descriptions.join(used)}.")
    return Finding(lines, [in_evaluation(facts)])


def readers(facts: PaperFacts) -> Finding:
    """Return that readers told real from synthetic images, which is no comparison of diagnoses."""
    if not facts.has_readers:
        return Finding()
    line = "Human readers told real from synthetic images; their scores are in reader.json. They did not diagnose."
    return Finding([line], [in_evaluation(facts, "reader.json")])
