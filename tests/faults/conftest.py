"""What the fault tests share: one program that forks its processes, one reference per command."""

from collections.abc import Iterator

import pytest
from faults import program
from faults.program import Program
from faults.specimens import References


@pytest.fixture(scope="session")
def xrayaug() -> Iterator[Program]:
    """The program, in processes that can be killed."""
    with program.serving() as served:
        yield served


@pytest.fixture(scope="session")
def references(xrayaug: Program) -> References:
    """What runs that nobody disturbs leave."""
    return References(xrayaug)
