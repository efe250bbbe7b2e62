"""Choose the baseline of arms that are known by their names alone."""

from collections.abc import Sequence

from xrayaug.errors import DataError, UsageError

BASELINE_NAMES = ("0", "0%", "baseline", "real")  # names of a baseline that need not be said
SHOWN = 5  # arms that a message lists


def choose_baseline(arms: Sequence[str], given: str | None, hint: str) -> tuple[str, str]:
    """Return the baseline, and what was guessed about it; empty if nothing was.

    Raises:
        DataError: there is no such arm.
        UsageError: none is given, and no arm has one of the usual names.
    """
    listed = ", ".join(map(repr, arms[:SHOWN])) + (", ..." if len(arms) > SHOWN else "")
    if given is not None:
        if given not in arms:
            raise DataError(f"there is no arm '{given}' to be the baseline", f"arms are {listed}")
        return given, ""
    usual = [arm for arm in arms if arm.casefold() in BASELINE_NAMES]
    if len(arms) == 1:
        return arms[0], ""
    if len(usual) != 1:
        raise UsageError(f"which of the arms {listed} is the baseline?", hint)
    return usual[0], f"arm '{usual[0]}' is taken for the baseline, by its name"
