"""Filled checklists as Markdown and as JSON."""

from typing import Any

from xrayaug.evaluation.paper.checklist import AUTHORS, AnsweredItem, FilledChecklist, Status
from xrayaug.evaluation.paper.facts import PaperFacts

ELSEWHERE = (
    "Predictions were judged in place of runs: no manifest that was read says how the classifiers were made, so most "
    "items are left open."
)
HOW_TO_READ = (
    "What is filled in was read from the manifests of the study and from its evaluation. Topics are paraphrased; read "
    "the published checklist before you hand this in."
)


def format_markdown(filled: FilledChecklist, facts: PaperFacts) -> str:
    """Return a checklist as Markdown: a heading for each section, and for each item its topic and its answer."""
    checklist = filled.checklist
    counts = "; ".join(f"{number} {status}" for status, number in filled.count().items())
    notes = [HOW_TO_READ, *([] if facts.study else [ELSEWHERE])]
    lines = [f"# {checklist.name}", checklist.citation, *notes, f"Items: {counts}."]
    section = ""
    for item in filled.items:
        if item.section != section:
            section = item.section
            lines.append(f"## {section}")
        lines += [f"### {item.number}. {item.topic}", *_format_item(item)]
    return "\n\n".join(lines) + "\n"


def _format_item(item: AnsweredItem) -> list[str]:
    if item.status is Status.NOT_APPLICABLE:
        return [f"Does not apply: {item.not_applicable}."]
    parts = ["\n".join(f"- {line}" for line in item.sentences)] if item.sentences else []
    parts += [f"**{AUTHORS}:** {item.authors}."] if item.authors else []
    parts += [f"Taken from: {'; '.join(f'`{source}`' for source in item.sources)}."] if item.sources else []
    return parts


def to_json(filled: FilledChecklist) -> dict[str, Any]:
    """Return a checklist as a JSON object."""
    return {
        "name": filled.checklist.name,
        "citation": filled.checklist.citation,
        "counts": filled.count(),
        "items": [
            {
                "number": item.number,
                "section": item.section,
                "topic": item.topic,
                "status": item.status.value,
                "answer": list(item.sentences),
                "sources": list(item.sources),
                "authors": item.authors,
                "not_applicable": item.not_applicable,
            }
            for item in filled.items
        ],
    }
