"""Figures of the fault tests, printed at the end."""

from collections import Counter, defaultdict
from typing import Any

_figures: defaultdict[str, Counter[str]] = defaultdict(Counter)
tried: Counter[str] = Counter()  # mutated inputs, by reader


def count(command: str, **what: float) -> None:
    """Add to the figures of a command: kills, reruns, lost, seconds."""
    _figures[command].update(what)


def counted() -> list[dict[str, Any]]:
    """Return all figures as plain values, which can be sent to another process."""
    return [{name: dict(counts) for name, counts in _figures.items()}, dict(tried)]


def add(figures: list[dict[str, Any]]) -> None:
    """Add what another process counted."""
    by_command, inputs = figures
    for name, counts in by_command.items():
        count(name, **counts)
    tried.update(inputs)


def lines() -> list[str]:
    """Return the figures as lines: runs killed, run again and lost, and mutated inputs by reader."""
    return [*_of_kills(), *_of_mutants()]


def _of_mutants() -> list[str]:
    if not tried:
        return []
    return [f"mutated inputs: {tried.total()}", *(f"  {name}: {number}" for name, number in sorted(tried.items()))]


def _of_kills() -> list[str]:
    if not _figures:
        return []
    total: Counter[str] = sum(_figures.values(), Counter())
    return [_line("all", total), *(_line(name, counts) for name, counts in _figures.items())]


def _line(name: str, found: Counter[str]) -> str:
    figures = ", ".join(f"{what}: {found[what]}" for what in ("kills", "reruns", "lost"))
    return f"{name}: {figures} in {found['seconds']:.0f} s"
