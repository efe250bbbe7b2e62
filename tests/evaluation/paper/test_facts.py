"""Facts of indexes, and which test images fail."""

from pathlib import Path

import pytest
from builders import row, write_dataset

from xrayaug.errors import DataError
from xrayaug.evaluation.gather import dataset_facts, paper_facts
from xrayaug.evaluation.paper import descriptions, failures
from xrayaug.evaluation.paper.facts import ACQUISITION, DEMOGRAPHIC
from xrayaug.evaluation.paper.failures import BOTH_WRONG, CORRECTED, SPOILED, ScoredImage

ARMS = {"0": None, "new": "0"}


@pytest.mark.parametrize(
    ("column", "group"),
    [
        ("age", DEMOGRAPHIC), ("PatientAge", DEMOGRAPHIC), ("Patient Sex", DEMOGRAPHIC),
        ("boneage_months", DEMOGRAPHIC), ("male", DEMOGRAPHIC),
        ("manufacturer", ACQUISITION), ("View Position", ACQUISITION), ("kvp", ACQUISITION),
        ("part", None), ("image", None), ("package", None), ("stage", None),
    ],
)  # fmt: skip
def test_columns_are_recognised_by_their_words(column: str, group: str | None) -> None:
    assert dataset_facts.find_group(column) == group


@pytest.mark.parametrize(
    ("reason", "hidden"),
    [
        ("no label", "no label"),
        ("not an image, or of a format that is not read", "not an image, or of a format that is not read"),
        ("'XR_HAND Doe' ends in neither _positive nor _negative", "'...' ends in neither _positive nor _negative"),
        ("list.csv line 12 is not a MURA path", "... line ... is not a MURA path"),
        ("doe/john.png is listed twice", "... is listed twice"),
        ("in several places: John Doe/1.png, b.png", "in several places"),
    ],
)
def test_reasons_are_counted_without_names(reason: str, hidden: str) -> None:
    assert dataset_facts.hide_names(reason) == hidden


def test_a_patient_with_several_images_counts_once(tmp_path: Path) -> None:
    ages = {f"p{number}": str(30 + number) for number in range(20)}
    rows = [row(patient=patient, extra={"age": age, "sex": "F"}) for patient, age in ages.items() for _ in range(2)]
    data = dataset_facts.read_dataset(write_dataset(tmp_path / "data", rows), "data", [])
    age, sex = data.characteristics
    assert (data.images, data.patients) == (40, 20)
    assert (age.numbers["train"].cases, age.numbers["train"].mean, age.numbers["train"].maximum) == (20, 39.5, 49)
    assert sex.counts == {"train": {"F": 20}}


def test_images_are_counted_if_a_patient_is_unknown(tmp_path: Path) -> None:
    rows = [
        row(patient="", extra={"sex": "F"}),
        row(patient="a", extra={"sex": "M"}),
        row(patient="a", extra={"sex": ""}),
    ]
    data = dataset_facts.read_dataset(write_dataset(tmp_path / "data", rows), "data", [])
    (sex,) = data.characteristics
    assert data.patients is None
    assert (sex.cases, sex.counts, sex.missing) == ("images", {"train": {"F": 1, "M": 1}}, {"train": 1})


def test_a_split_without_values_in_a_column_of_numbers_has_none(tmp_path: Path) -> None:
    rows = [row(patient=f"p{number}", extra={"age": str(30 + number)}) for number in range(20)]
    data = write_dataset(tmp_path / "data", [*rows, row(split="test", patient="q", extra={"age": ""})])
    (age,) = dataset_facts.read_dataset(data, "data", []).characteristics
    described = descriptions.describe_characteristic(dataset_facts.read_dataset(data, "data", []), age)
    assert "test: 1 without a value" in described


def test_a_column_of_many_words_is_not_counted(tmp_path: Path) -> None:
    rows = [row(patient=f"p{number}", extra={"site": f"ward {number}"}) for number in range(20)]
    data = dataset_facts.read_dataset(write_dataset(tmp_path / "data", rows), "data", [])
    (site,) = data.characteristics
    assert (site.counts, site.numbers) == ({}, {})
    assert "too many values to count" in descriptions.describe_characteristic(data, site)


def image(place: int, label: str, baseline: float, new: float) -> ScoredImage:
    return ScoredImage(place, "images.npy", place, label, {"0": baseline, "new": new})


def test_failures_are_sorted_by_their_error_and_say_what_the_arm_changed() -> None:
    images = [
        image(0, "normal", 0.1, 0.2),
        image(1, "abnormal", 0.4, 0.6),
        image(2, "normal", 0.4, 0.5000001),
        image(3, "abnormal", 0.1, 0.2),
        image(4, "normal", 0.5, 0.5),
    ]
    failed = failures.list_failures(images, ARMS, 0.5)
    assert [(each.image.place, each.outcomes["new"]) for each in failed] == [
        (3, BOTH_WRONG), (1, CORRECTED), (2, SPOILED)
    ]  # fmt: skip
    assert failed[0].error == pytest.approx(0.85)
    assert (
        failures.format_csv(failed, ARMS).splitlines()[1]
        == "1,images.npy,3,abnormal,0.8500,0.1000,0.2000,wrong in both"
    )


HEADER = "run,arm,seed,image,row,file,patient,study,label,probability\n"


def write_lines(path: Path, *lines: str) -> Path:
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_probabilities_are_averaged_over_runs(tmp_path: Path) -> None:
    lines = [f"r{seed},{arm},{seed},{arm}/i.npy,{number},f{number},p,s,normal,{0.1 * (seed + number):.2f}"
             for arm in ("0", "control", "new") for seed in (0, 2) for number in (0, 1)]  # fmt: skip
    images = paper_facts.read_scored_images(write_lines(tmp_path / "p.csv", *lines), ["0", "new"])
    assert [(each.array, each.row) for each in images] == [("0/i.npy", 0), ("0/i.npy", 1)]
    assert [each.probabilities for each in images] == [{"0": 0.1, "new": 0.1}, {"0": 0.2, "new": 0.2}]


def test_predictions_of_other_images_or_without_an_arm_are_refused(tmp_path: Path) -> None:
    lines = ["a,0,0,i.npy,1,f,p,s,normal,0.5", "b,new,0,i.npy,1,g,p,s,normal,0.5"]
    path = write_lines(tmp_path / "p.csv", *lines)
    with pytest.raises(DataError, match="b has other images than the first run"):
        paper_facts.read_scored_images(path, ["0", "new"])
    with pytest.raises(DataError, match="no predictions of arm more"):
        paper_facts.read_scored_images(path, ["0", "more"])
