"""What the fault tests did, to be told at the end."""

from collections import Counter, defaultdict
from typing import Any

_of: defaultdict[str, Counter[str]] = defaultdict(Counter)
tried: Counter[str] = Counter()  # mutated inputs, by reader


def count(command: str, **what: float) -> None:
    """Add to the figures of a command: kills, reruns, lost, seconds."""
    _of[command].update(what)


def counted() -> list[dict[str, Any]]:
    """All figures as plain values, which can be sent to another process."""
    return [{name: dict(found) for name, found in _of.items()}, dict(tried)]


def add(figures: list[dict[str, Any]]) -> None:
    """Add what another process counted."""
    of, inputs = figures
    for name, found in of.items():
        count(name, **found)
    tried.update(inputs)


def lines() -> list[str]:
    """What was killed, run again and lost; how many mutated inputs each reader was given."""
    return [*_of_kills(), *_of_mutants()]


def _of_mutants() -> list[str]:
    if not tried:
        return []
    return [f"mutated inputs: {tried.total()}", *(f"  {name}: {number}" for name, number in sorted(tried.items()))]


def _of_kills() -> list[str]:
    if not _of:
        return []
    total: Counter[str] = sum(_of.values(), Counter())
    return [_line("all", total), *(_line(name, found) for name, found in _of.items())]


def _line(name: str, found: Counter[str]) -> str:
    figures = ", ".join(f"{what}: {found[what]}" for what in ("kills", "reruns", "lost"))
    return f"{name}: {figures} in {found['seconds']:.0f} s"
