"""What the fault tests did, to be told at the end."""

from collections import Counter, defaultdict

_of: defaultdict[str, Counter[str]] = defaultdict(Counter)


def count(command: str, **what: float) -> None:
    """Add to the figures of a command: kills, reruns, lost, seconds."""
    _of[command].update(what)


def lines() -> list[str]:
    """The total, and what each command contributed; nothing where nothing was killed."""
    if not _of:
        return []
    total: Counter[str] = sum(_of.values(), Counter())
    return [_line("all", total), *(_line(name, found) for name, found in _of.items())]


def _line(name: str, found: Counter[str]) -> str:
    figures = ", ".join(f"{what}: {found[what]}" for what in ("kills", "reruns", "lost"))
    return f"{name}: {figures} in {found['seconds']:.0f} s"
