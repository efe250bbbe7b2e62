"""Answers on the study as a whole: its title, objectives, limitations, protocol, software and code."""

from xrayaug.evaluation.paper import descriptions, result_descriptions
from xrayaug.evaluation.paper.answers.sources import in_datasets, in_evaluation, in_manifest, needs_study
from xrayaug.evaluation.paper.checklist import Finding
from xrayaug.evaluation.paper.facts import PaperFacts, StudyFacts
from xrayaug.evaluation.paper.files import DIRECTORY
from xrayaug.storage.manifests import MANIFEST


@needs_study
def technology(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the kinds of network."""
    gans = list(dict.fromkeys(each.generator for each in study.synthetic))
    lines = [f"Deep learning: image classifiers of the architecture `{study.classifier.settings.get('arch')}`."]
    lines += (
        [f"Synthetic images of the generators {descriptions.join([f'`{name}`' for name in gans])}."] if gans else []
    )
    sources = [
        in_manifest(study.classifier.run, "options.arch"),
        *(in_manifest(each.path, "result") for each in study.synthetic),
    ]
    return Finding(lines, sources)


def objectives(facts: PaperFacts) -> Finding:
    """Return the question that is judged, and what is compared."""
    evaluation = facts.evaluation
    lines = [result_descriptions.describe_question(facts), result_descriptions.describe_comparison(evaluation)]
    return Finding(lines, [in_evaluation(facts)])


def protocol(facts: PaperFacts) -> Finding:
    """Return where the commands of the study are."""
    line = "The commands behind the evaluation, with all their settings, are under Provenance in report.html."
    sequential = facts.evaluation.verdict.sequential
    planned = f"The looks were planned beforehand; the plan has the sha256 {sequential.plan}." if sequential else ""
    return Finding([line, planned], [in_evaluation(facts, "report.html")])


def code(facts: PaperFacts) -> Finding:
    """Return the versions of the code."""
    return Finding(descriptions.describe_environments(facts), software(facts).sources)


def software(facts: PaperFacts) -> Finding:
    """Return versions of packages, and devices."""
    where = "evaluation and everything that it was made from" if facts.study else "evaluation"
    return Finding(descriptions.describe_environments(facts), [f"{MANIFEST} of the {where}: environment"])


def limitations(facts: PaperFacts) -> Finding:
    """Return the checks that failed or are unknown, and what was noted when the data were read."""
    evaluation = facts.evaluation
    lines = [result_descriptions.describe_check(check) for check in result_descriptions.list_open_checks(evaluation)]
    lines += result_descriptions.describe_earlier(evaluation)
    datasets = facts.study.datasets if facts.study else []
    lines += [f"`{data.name}`: {line}." for data in datasets for line in data.cautions]
    lines += [f"{line}." for line in (facts.study.gone if facts.study else [])]
    return Finding(lines, [in_evaluation(facts), *in_datasets(datasets, "result.notes")])


def checklists(facts: PaperFacts) -> Finding:
    """Return which checklists are filled."""
    return Finding(["CLAIM, TRIPOD+AI and METRICS are filled beside this file."], [f"{facts.path}/{DIRECTORY}"])


@needs_study
def specification(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return where the trained networks are."""
    line = "The weights of every classifier are in weights.safetensors of its run; `xrayaug predict` applies them."
    return Finding(
        [line, descriptions.describe_classifier(study.classifier)], [in_manifest(study.classifier.run, "files")]
    )
