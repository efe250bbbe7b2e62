"""The methods of a study as text: every number in it is from a manifest or from the evaluation."""

from collections.abc import Sequence

from xrayaug.evaluation.paper import descriptions, result_descriptions
from xrayaug.evaluation.paper.checklist import AUTHORS
from xrayaug.evaluation.paper.facts import PaperFacts, StudyFacts

INTRODUCTION = (
    "Sentences from the manifests of the study and from its evaluation, to shorten and to put into your own words. "
    "What only you can say stands in brackets."
)
UNKNOWN = (
    "Predictions were judged in place of runs: no manifest that was read says which images the classifiers were "
    "trained and tested on, and how."
)


def format_methods(facts: PaperFacts) -> str:
    """Return the methods as Markdown, a paragraph for each subject."""
    study = facts.study
    paragraphs: list[tuple[str, Sequence[str]]] = [("Design", _describe_design(facts))]
    if study is None:
        paragraphs.append(("Data and classifiers", [UNKNOWN, _ask("data, partition, classifiers and their training")]))
    else:
        paragraphs += _describe_study(facts, study)
    paragraphs += [
        ("Test set and statistics", _describe_statistics(facts)),
        ("Software and hardware", descriptions.describe_environments(facts)),
    ]
    lines = ["# Methods", INTRODUCTION]
    for title, sentences in paragraphs:
        if text := " ".join(sentence for sentence in sentences if sentence):
            lines += [f"## {title}", text]
    return "\n\n".join(lines) + "\n"


def _ask(what: str) -> str:
    return f"[{AUTHORS}: {what}.]"


def _describe_design(facts: PaperFacts) -> list[str]:
    evaluation = facts.evaluation
    return [
        result_descriptions.describe_question(facts),
        result_descriptions.describe_comparison(evaluation),
        _ask("whether the study is prospective or retrospective, and its ethical approval"),
    ]


def _describe_study(facts: PaperFacts, study: StudyFacts) -> list[tuple[str, Sequence[str]]]:
    baselines = [each.baseline for each in facts.evaluation.verdict.arms]
    datasets = study.datasets
    return [
        (
            "Data",
            [
                *descriptions.describe_datasets(study),
                *(line for data in datasets for line in descriptions.describe_selection(data)),
                *(descriptions.describe_labels(data) for data in datasets),
                *(descriptions.describe_preparation(data) for data in datasets),
                *(descriptions.describe_dicom(data) for data in datasets),
                *(descriptions.describe_identifiers(data) for data in datasets),
                _ask("origin and dates of the images, criteria of inclusion, and the reference standard of the labels"),
            ],
        ),
        (
            "Partition",
            [
                *(line for data in datasets for line in descriptions.describe_partition(data)),
                *(descriptions.describe_duplicates(data) for data in datasets),
            ],
        ),
        (
            "Synthetic images",
            [
                *(line for gan in study.gans for line in descriptions.describe_gan(gan)),
                *descriptions.describe_starts(study),
                *(descriptions.describe_synthetic(each) for each in study.synthetic),
                *(descriptions.describe_screening(each) for each in study.screenings),
                *(descriptions.describe_distance(each) for each in study.distances),
            ],
        ),
        (
            "Training sets",
            [
                *descriptions.describe_controls(study.arms),
                *result_descriptions.describe_own_sources(facts.evaluation),
                "Training images by arm:\n\n"
                + "\n".join(f"- {descriptions.describe_arm(arm, baselines)}" for arm in study.arms),
            ],
        ),
        (
            "Classifiers",
            [
                descriptions.describe_classifier(study.classifier),
                *descriptions.describe_training(study.classifier),
                descriptions.describe_model_selection(study.classifier),
                result_descriptions.describe_seeds(facts.evaluation),
            ],
        ),
    ]


def _describe_statistics(facts: PaperFacts) -> list[str]:
    evaluation = facts.evaluation
    others = [] if evaluation.others is None else evaluation.others.sets
    return [
        f"Test set: {result_descriptions.describe_test(evaluation.test)}.",
        *(f"Further test set `{each.name}`: {result_descriptions.describe_test(each.test)}." for each in others),
        *result_descriptions.describe_statistics(facts),
    ]
