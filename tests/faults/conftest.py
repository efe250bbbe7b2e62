"""Fixtures of the fault tests: a program that forks its processes, and a reference run of each command."""

from collections.abc import Iterator

import pytest
from faults import program
from faults.program import Program
from faults.specimens import References


@pytest.fixture(scope="session")
def xrayaug() -> Iterator[Program]:
    """Start the program, whose processes can be killed."""
    with program.serving() as served:
        yield served


@pytest.fixture(scope="session")
def references(xrayaug: Program) -> References:
    """Return the results of undisturbed runs."""
    return References(xrayaug)
