"""Where the answers to items of checklists were taken from, and what an answer needs."""

from collections.abc import Callable, Sequence

from xrayaug.evaluation.paper.checklist import Finding
from xrayaug.evaluation.paper.facts import DatasetFacts, PaperFacts, StudyFacts
from xrayaug.storage.manifests import MANIFEST

VERDICT, PREDICTIONS = "verdict.json", "predictions.csv"


def needs_study(answer: Callable[[PaperFacts, StudyFacts], Finding]) -> Callable[[PaperFacts], Finding]:
    """Return an answer that is given only if the study behind the evaluation is known."""

    def answer_if_known(facts: PaperFacts) -> Finding:
        return Finding() if facts.study is None else answer(facts, facts.study)

    return answer_if_known


def in_manifest(path: str, *keys: str) -> str:
    """Return the place of values in a manifest, as it is shown."""
    return f"{path}/{MANIFEST}: {', '.join(keys)}"


def in_evaluation(facts: PaperFacts, name: str = VERDICT) -> str:
    """Return the place of a file of the evaluation, as it is shown."""
    return f"{facts.path}/{name}"


def in_arms(study: StudyFacts, *keys: str) -> list[str]:
    """Return the place of values in the manifests of the first run of each arm, as it is shown."""
    others = "; the same of the first run of every other arm" if len(study.arms) > 1 else ""
    return [f"{in_manifest(study.arms[0].run, *keys)}{others}"]


def in_datasets(datasets: Sequence[DatasetFacts], *keys: str) -> list[str]:
    """Return the place of values in the manifests of datasets, as it is shown."""
    return [in_manifest(each.path, *keys) for each in datasets]
