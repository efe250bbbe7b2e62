"""The results of an evaluation in sentences, for the checklists and the methods text."""

from collections.abc import Sequence

from xrayaug.evaluation import generator_design, tables, verdict
from xrayaug.evaluation.paper.descriptions import count, join
from xrayaug.evaluation.paper.facts import PaperFacts
from xrayaug.evaluation.results import CHOSEN, HALF, ArmResult, ArmVerdict, Check, Evaluation, TestSet, Verdict
from xrayaug.stats import classification

SHOWN_SCORES = ("auroc", "accuracy", "sensitivity", "specificity")
CHECK_RESULTS = {True: "passed", False: "failed", None: "unknown"}


def describe_question(facts: PaperFacts) -> str:
    """Return the question that the evaluation answers."""
    question = facts.evaluation.verdict.question
    metric = classification.display_name(question.metric)
    if facts.study is None:
        return (
            f"Question: does the {metric} per {question.level} of an arm differ from that of the baseline on the same "
            f"test cases by more than a margin of {question.margin:g}?"
        )
    return (
        f"Question: does training on the images that an arm adds change the {metric} per {question.level} of the same "
        f"classifier on real test images, in comparison with a baseline that adds none, by more than a margin of "
        f"{question.margin:g}?"
    )


def describe_comparison(evaluation: Evaluation) -> str:
    """Return how many arms are compared."""
    controls = sum(each.control is not None for each in evaluation.verdict.arms)
    compared = len(evaluation.verdict.arms) - controls
    baselines = len(evaluation.arms) - len(evaluation.verdict.arms)
    return (
        f"Comparison of {count(len(evaluation.arms), 'arm')}: {count(baselines, 'baseline')}, {compared:,} to be "
        f"judged, and {count(controls, 'control')}."
    )


def describe_statistics(facts: PaperFacts) -> list[str]:
    """Return the statistical methods."""
    evaluation = facts.evaluation
    question, confidence = evaluation.verdict.question, 100 * evaluation.verdict.confidence
    metric = classification.display_name(question.metric)
    against = {"baseline": "the baseline", "control": "their controls", "both": "the baseline and their controls"}
    level = {"image": "images", "study": "studies", "patient": "patients"}[question.level]
    lines = [
        f"The score that decides is the {metric} over {level}; the equivalence margin is {question.margin:g}; arms are "
        f"judged against {against[question.against]}.",
        "A difference is the mean over seeds of the differences between two networks of one seed on the same test "
        f"images. Its {confidence:g} % confidence interval and its p-value, of t distributions, treat the seeds and "
        "the test patients with all their images as samples; the variance over patients is from the influence of each "
        "(infinitesimal jackknife). An image whose patient is unknown counts as a patient of its own.",
        *(f"{line[0].upper()}{line[1:]}." for line in tables.describe_families(evaluation.verdict)),
        f"Images are called abnormal above a probability of {evaluation.threshold:g}; scores at thresholds that were "
        "chosen on validation images are given too, where there are such images.",
    ]
    if calibrated := facts.options.get("calibrate"):
        lines.append(
            "Probabilities were scored as they are, without being calibrated."
            if calibrated == "none"
            else f"Probabilities were calibrated on the validation images, by {calibrated} scaling."
        )
    sequential = evaluation.verdict.sequential
    if sequential is not None:
        looks = ", ".join(f"{seeds:,}" for seeds in sequential.seeds)
        lines.append(f"The study is sequential: this is look {sequential.number}, of looks planned at {looks} seeds.")
    return lines


def describe_test(test: TestSet) -> str:
    """Return the sizes of a test set."""
    studies = "" if test.studies is None else f" of {count(test.studies, 'study').replace('studys', 'studies')}"
    return f"{count(test.images, 'image')}{studies} ({test.normal:,} normal, {test.abnormal:,} abnormal)"


def describe_scores(arm: ArmResult, level: str, metrics: Sequence[str] = SHOWN_SCORES) -> str:
    """Return the scores of an arm with their intervals."""
    shown = [
        f"{classification.display_name(metric)} {tables.format_interval(arm.intervals[level][HALF].get(metric), '.3f')}"
        for metric in metrics
    ]
    return f"`{arm.name}`: {', '.join(shown)}."


def describe_chosen(arm: ArmResult, level: str) -> str:
    """Return sensitivity and specificity at the threshold chosen on validation; empty without one."""
    found = arm.intervals[level].get(CHOSEN)
    if not found:
        return ""
    shown = [f"{name} {tables.format_interval(found.get(name), '.3f')}" for name in SHOWN_SCORES[2:]]
    return f"`{arm.name}`, at the threshold chosen on validation: {', '.join(shown)}."


def describe_arms(judged: Verdict) -> list[str]:
    """Return the verdict on each arm that is no control, with its difference."""
    compared = {"control": " in comparison with its controls", "both": " in comparison with both"}
    against = compared.get(judged.question.against, "")
    return [_describe_difference(arm, against) for arm in judged.arms if arm.control is None]


def describe_controls(judged: Verdict) -> list[str]:
    """Return the verdict on each control, with its difference."""
    return [_describe_difference(arm) for arm in judged.arms if arm.control is not None]


def _describe_difference(arm: ArmVerdict, compared: str = "") -> str:
    """Return the verdict on an arm, with its difference to the baseline; `compared` says what the verdict rests on."""
    difference = "" if arm.difference is None else f" {tables.format_interval(arm.difference, '+.3f')}"
    p_value = "" if arm.difference is None else f", Holm p {tables.format_p_cell(arm.difference.p_holm)}"
    baseline = f" to `{arm.baseline}`" if arm.baseline else ""
    about = generator_design.describe_scope(arm.generators, arm.draws)
    return (
        f"`{arm.arm}`: difference{baseline}{difference}{p_value}; verdict{compared}: "
        f"{verdict.DISPLAY_NAMES[arm.verdict]}{about and f', {about}'}."
    )


def describe_own_sources(evaluation: Evaluation) -> list[str]:
    """Return of which arms every seed has a generator, or a draw of the real images, of its own."""
    several = [f"`{arm.arm}`" for arm in evaluation.verdict.arms if (arm.generators or 0) > 1]
    drawn = [f"`{arm.arm}`" for arm in evaluation.verdict.arms if (arm.draws or 0) > 1]
    return [
        *([f"Each seed was trained on images of a GAN of its own in {join(several)}."] if several else []),
        *([f"The real images were drawn anew for each seed in {join(drawn)} and their baselines."] if drawn else []),
    ]


def describe_reach(evaluation: Evaluation) -> list[str]:
    """Return what differences the design could have detected, by arm; nothing where that is unknown."""
    found = [
        f"`{arm.arm}` {arm.difference.detectable_difference:.3f}"
        for arm in evaluation.verdict.arms
        if arm.control is None and arm.difference and arm.difference.detectable_difference is not None
    ]
    return [f"True differences that were detectable with the variances observed: {'; '.join(found)}."] if found else []


def describe_calibration(arm: ArmResult, level: str) -> str:
    """Return the calibration of an arm: its expected calibration error and Brier score, means over seeds."""
    shown = [
        f"{classification.display_name(metric)} {summary.mean:.3f}"
        for metric in ("calibration_error", "brier")
        if (summary := arm.scores[level].get(metric)) is not None and summary.mean is not None
    ]
    return f"`{arm.name}`: {', '.join(shown)}." if shown else ""


def describe_confusion(evaluation: Evaluation, level: str) -> list[str]:
    """Return the confusion matrix of every run, an arm on a line."""
    lines = []
    for arm in evaluation.arms:
        scores = [run.scores[level] for run in evaluation.runs if run.arm_name == arm.name and level in run.scores]
        cells = "; ".join(f"{each.tp:,} / {each.fp:,} / {each.tn:,} / {each.fn:,}" for each in scores)
        lines.append(f"`{arm.name}`, true positive / false positive / true negative / false negative by run: {cells}.")
    return lines


def list_open_checks(evaluation: Evaluation) -> list[Check]:
    """Return the checks of the comparison that failed, or of which it is unknown whether they hold."""
    return [check for check in evaluation.verdict.checks if check.passed is not True]


def describe_earlier(evaluation: Evaluation) -> list[str]:
    """Return the earlier evaluations of the study that no plan foresaw."""
    return [
        f"The study was judged before, without a plan for it: {classification.display_name(each.metric)} per "
        f"{each.level}, margin {each.margin:g}, {each.seeds:,} seeds."
        for each in evaluation.verdict.earlier
    ]


def describe_check(check: Check) -> str:
    """Return a check and what it found."""
    return f"Check '{check.name}' {CHECK_RESULTS[check.passed]}: {check.sentence}."


def find_checks(evaluation: Evaluation, *names: str) -> list[str]:
    """Return the sentences on the checks of these names."""
    return [describe_check(check) for check in evaluation.verdict.checks if check.name in names]


def describe_other_sets(evaluation: Evaluation) -> list[str]:
    """Return the further test sets and the verdicts on them."""
    if evaluation.others is None:
        return []
    lines = []
    for each in evaluation.others.sets:
        arms = " ".join(describe_arms(each.verdict))
        lines.append(f"Test set `{each.name}`: {describe_test(each.test)}. {arms}")
    return lines


def describe_subgroups(evaluation: Evaluation) -> list[str]:
    """Return the subgroups by the column of `--by`, with the score that decides."""
    if evaluation.subgroups is None:
        return []
    metric = evaluation.subgroups.metric
    lines = []
    for group in evaluation.subgroups.groups:
        scores = ", ".join(
            f"`{arm}` {tables.format_interval(intervals.get(metric), '.3f')}"
            for arm, intervals in group.intervals.items()
        )
        lines.append(
            f"`{evaluation.subgroups.column}` {group.value or 'without a value'} "
            f"({count(group.images, 'image')}, {group.abnormal:,} abnormal): "
            f"{classification.display_name(metric)} {scores}."
        )
    return lines


def describe_audits(evaluation: Evaluation) -> list[str]:
    """Return how well a classifier's features tell real from synthetic images, by arm."""
    return [
        f"`{audit.arm}`: real and synthetic training images of one label are told apart with an AUROC of "
        f"{audit.two_sample_test.auroc:.2f} ({audit.two_sample_test.low:.2f} to {audit.two_sample_test.high:.2f})."
        for audit in evaluation.audits
        if audit.two_sample_test is not None
    ]


def describe_seeds(evaluation: Evaluation) -> str:
    """Return the seeds of the arms."""
    seeds = list(dict.fromkeys(", ".join(map(str, arm.seeds)) for arm in evaluation.arms))
    return f"Every arm was trained with the seeds {join(seeds)}." if len(seeds) == 1 else (
        f"Arms were trained with the seeds {join(seeds)}."
    )  # fmt: skip
