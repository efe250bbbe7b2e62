"""A study to draw from, and evaluations to add it to."""

import itertools
from pathlib import Path

import pytest
from evaluation.reader_study.evaluations import write_evaluation, write_runs

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the runs."""
    directory = tmp_path_factory.mktemp("readers")
    write_runs(directory)
    return directory


@pytest.fixture
def evaluation(home: Path) -> Path:
    """A finished evaluation of those runs, without a reader study."""
    return write_evaluation(home / f"evaluation-{next(NUMBERS)}")
