"""The fixture of the fault tests: a reference run of each command."""

import pytest
from faults.program import Program
from faults.specimens import References


@pytest.fixture(scope="session")
def references(xrayaug: Program) -> References:
    """Return the results of undisturbed runs."""
    return References(xrayaug)
