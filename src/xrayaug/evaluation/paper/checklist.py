"""What a reporting checklist is: items as data, each with a function of the facts that answers it.

An item is answered from the manifests, left to the authors by name, both, or it does not apply for a given reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from xrayaug.evaluation.paper.facts import PaperFacts

AUTHORS = "To be filled in by the authors"


class Status(StrEnum):
    """How far an item is answered."""

    FILLED = "filled"
    PARTLY = "partly filled"
    OPEN = "to be filled in by the authors"
    NOT_APPLICABLE = "does not apply"


@dataclass(frozen=True)
class Finding:
    """What the facts say to an item, and where that was taken from; or why the item does not apply."""

    sentences: Sequence[str] = ()
    sources: Sequence[str] = ()
    not_applicable: str = ""


@dataclass(frozen=True)
class Item:
    """An item of a checklist.

    `topic` is a short paraphrase. `authors` is what only a person can answer; if it is empty, the facts are enough
    where there are any.
    """

    number: str
    section: str
    topic: str
    answer: Callable[[PaperFacts], Finding] | None = None
    authors: str = ""


@dataclass(frozen=True)
class Checklist:
    """A published checklist: its name, its citation, and its items in order."""

    file: str  # stem of its files
    name: str
    citation: str
    items: Sequence[Item]


@dataclass(frozen=True)
class AnsweredItem:
    """An item with its answer, as it is written."""

    number: str
    section: str
    topic: str
    status: Status
    sentences: Sequence[str]
    sources: Sequence[str]
    authors: str  # what the authors are asked for; empty if nothing
    not_applicable: str = ""


@dataclass(frozen=True)
class FilledChecklist:
    """A checklist with the answers to all its items."""

    checklist: Checklist
    items: Sequence[AnsweredItem]

    def count(self) -> Mapping[str, int]:
        """Return the number of items by status."""
        return {status.value: sum(item.status is status for item in self.items) for status in Status}


def fill(checklist: Checklist, facts: PaperFacts) -> FilledChecklist:
    """Answer the items of a checklist from the facts."""
    return FilledChecklist(checklist, [_answer(item, facts) for item in checklist.items])


def _answer(item: Item, facts: PaperFacts) -> AnsweredItem:
    found = Finding() if item.answer is None else item.answer(facts)
    sentences = [line for line in found.sentences if line]
    authors = item.authors
    if found.not_applicable:
        status, authors = Status.NOT_APPLICABLE, ""
    elif not sentences:
        status, authors = Status.OPEN, item.authors or item.topic
    else:
        status = Status.PARTLY if item.authors else Status.FILLED
    sources = list(dict.fromkeys(found.sources)) if sentences or found.not_applicable else []
    return AnsweredItem(
        item.number, item.section, item.topic, status, sentences, sources, authors, found.not_applicable
    )
