"""Lists as people and spreadsheets write them give exactly the truth, or are refused for what was planted in them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from data.sources.lists import FOLDERS, IMAGES, Case, make
from PIL import Image

from xrayaug.data.sources import Listing, table
from xrayaug.errors import DataError
from xrayaug.options import Prepare


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("set")
    for folder in FOLDERS:
        (root / folder).mkdir()
        for name in IMAGES:
            Image.new("L", (4, 4)).save(root / folder / name)
    return root


def read(case: Case) -> Listing:
    options = Prepare(
        input=case.root, table=case.root / "list.csv", image_column="file", out=case.root / "o", **case.options
    )
    return table.read(options)


def together(whose: Mapping[str, str]) -> set[frozenset[str]]:
    """Return the files of each patient."""
    files: defaultdict[str, set[str]] = defaultdict(set)
    for file, patient in whose.items():
        files[patient].add(file)
    return {frozenset(each) for each in files.values()}


def hold_to_the_truth(root: Path, seeds: Iterable[int]) -> tuple[int, int]:
    """Read the lists of these seeds; how many were read, and how many refused."""
    read_ones = refused = 0
    for seed in seeds:
        case = make(root, seed)
        try:
            listing = read(case)
        except DataError as problem:
            assert case.refused, f"seed {seed} was refused: {problem}"
            assert case.refused in problem.message, f"seed {seed}"
            refused += 1
            continue
        assert not case.refused, f"seed {seed} must be refused"
        check(case, listing, seed)
        read_ones += 1
    return read_ones, refused


def check(case: Case, listing: Listing, seed: int) -> None:
    assert {record.file: record.label for record in listing.records} == case.labels, f"seed {seed}"
    skipped = dict(listing.skipped)
    assert skipped.keys() == case.skipped.keys(), f"seed {seed}"
    assert all(reason in skipped[file] for file, reason in case.skipped.items()), f"seed {seed}"
    known = {record.file: record.patient for record in listing.records if record.patient_known}
    expected = {file: patient for file, patient in case.patients.items() if file in case.labels}
    assert known.keys() == expected.keys(), f"seed {seed}"
    assert together(known) == together(expected), f"seed {seed}"
    assert sum(each.count for each in listing.words) == len(case.labels) + len(case.skipped), f"seed {seed}"
    for record in listing.records:
        kept = {name: record.extra[name] for name in case.columns.get(record.file, {})}
        assert kept == case.columns.get(record.file, {}), f"seed {seed}"


def test_lists_give_the_truth_or_are_refused(root: Path) -> None:
    read_ones, refused = hold_to_the_truth(root, range(150))
    assert read_ones > 100
    assert refused > 5


@pytest.mark.faults
def test_two_thousand_lists_give_the_truth_or_are_refused(root: Path) -> None:
    read_ones, refused = hold_to_the_truth(root, range(1000, 3000))
    assert read_ones > 1500
    assert refused > 100
