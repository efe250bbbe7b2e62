"""Test the checks of sets with pseudonyms or of several layouts, and of how images were taken."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import edit_manifest, row, write_dataset
from evaluation.test_judge import FACTS

from xrayaug.data import acquisition
from xrayaug.data.acquisition import ColumnScore
from xrayaug.data.dataset import open_dataset
from xrayaug.errors import ArtifactError
from xrayaug.evaluation import checks
from xrayaug.evaluation.gather import facts
from xrayaug.evaluation.results import Check, SharedImages
from xrayaug.evaluation.study_facts import GeneratorFacts, Overlap
from xrayaug.stats.category_score import CategoryScore
from xrayaug.storage import artifacts

SCORE = {"column": "scanner", "tells_label": True, "auroc": 0.9, "p_value": 0.001, "images": 90, "patients": 80}


def write_images(
    path: Path, fingerprint: str | None, patient: str = "patient-1", sha256: str = "a"
) -> facts.TestedImages:
    """Return the images of a dataset whose patients have pseudonyms of a salt; None for a set without DICOM."""
    write_dataset(path, [row(source="dicom", patient=patient, file="1.dcm", sha256=sha256)])

    def change(manifest: dict[str, Any]) -> None:
        if fingerprint is not None:
            manifest["result"]["dicom"] = {"fingerprint": fingerprint, "label_by_column": [SCORE]}

    edit_manifest(path, change)
    data = open_dataset(path)
    return facts.TestedImages(data, data.rows)


@pytest.mark.parametrize(
    ("one", "other", "is_unknown"),
    [
        ("f1", "f2", True),
        ("f1", "f1", False),
        ("f1", "", True),
        (None, "f1", True),
        (None, "", False),
        (None, None, False),
    ],
)
def test_patients_of_different_salts_are_unknown(
    one: str | None, other: str | None, is_unknown: bool, tmp_path: Path
) -> None:
    overlap = facts.count_shared(
        write_images(tmp_path / "a", one), write_images(tmp_path / "b", other, "patient-2", "b")
    )
    assert (overlap.images, overlap.patients, overlap.is_unknown) == (0, 0, is_unknown)


def test_patients_of_one_salt_are_compared(tmp_path: Path) -> None:
    overlap = facts.count_shared(write_images(tmp_path / "a", "f1"), write_images(tmp_path / "b", "f1"))
    assert (overlap.patients, overlap.is_unknown) == (1, False)


def find_check(name: str, **changes: Any) -> Check:
    return next(check for check in checks.check_study(replace(FACTS, **changes)) if check.name == name)


def test_what_pseudonyms_hide_is_never_read_as_clean() -> None:
    hidden = Overlap(0, 0, is_unknown=True)
    assert find_check("patients", leaked=Overlap(0, 0)).passed is True
    check = find_check("patients", leaked=hidden)
    assert check.passed is None
    assert "whether patients are in both is unknown" in check.sentence
    assert find_check("patients", leaked=replace(hidden, images=1)).passed is False
    generator = find_check("generator, test", generators=GeneratorFacts(1, [], {"test": hidden}))
    assert generator.passed is None
    assert "different salts" in generator.sentence


def listed(path: Path, source: str, patient: str, sha256: str) -> facts.TestedImages:
    """Return the images of a dataset of one layout with one image."""
    write_dataset(path, [row(source=source, patient=patient, file="1.png", sha256=sha256)])
    data = open_dataset(path)
    return facts.TestedImages(data, data.rows)


@pytest.mark.parametrize(
    ("source", "patient", "patients", "elsewhere"),
    [("table", "p7", 0, 1), ("mura", "p7", 1, 0), ("table", "p8", 0, 0), ("table", "1", 0, 0)],
)
def test_equal_names_in_another_layout_are_unknown(
    source: str, patient: str, patients: int, elsewhere: int, tmp_path: Path
) -> None:
    """A patient called 1, as the file, is known in neither set."""
    known = "1" if patient == "1" else "p7"
    overlap = facts.count_shared(
        listed(tmp_path / "a", source, patient, "a"), listed(tmp_path / "b", "mura", known, "b")
    )
    assert (overlap.images, overlap.patients, overlap.elsewhere) == (0, patients, elsewhere)


def test_equal_names_in_another_layout_never_pass() -> None:
    hidden = Overlap(0, 0, elsewhere=2)
    check = find_check("patients", leaked=hidden)
    assert check.passed is None
    assert "2 patients have equal names in sets that were read in different layouts" in check.sentence
    assert find_check("patients", leaked=replace(hidden, patients=1)).passed is False
    generator = find_check("generator, test", generators=GeneratorFacts(1, [], {"test": hidden}))
    assert generator.passed is None
    assert "1 patient has" in checks.describe_unknown_patients(SharedImages(("own", "other"), 0, 0, elsewhere=1))
    assert checks.describe_unknown_patients(SharedImages(("own", "other"), 0, 0)) == ""


def scored(auroc: float, p_value: float) -> ColumnScore:
    return ColumnScore("scanner", CategoryScore(auroc, p_value, 100, 80))


def test_a_label_that_the_scanner_tells_is_a_warning_that_forbids_no_verdict() -> None:
    assert not any(check.name == "acquisition" for check in checks.check_study(FACTS))
    check = find_check("acquisition", acquisition=[scored(0.9, 0.05)])
    assert (check.passed, check.critical) == (False, False)
    assert "AUROC by scanner 0.90 (p = 0.050)" in check.sentence
    assert find_check("acquisition", acquisition=[scored(0.9, 0.051)]).passed is True
    assert find_check("acquisition", acquisition=[scored(0.59, 0.001)]).passed is True


def test_scores_are_read_from_the_manifest(tmp_path: Path) -> None:
    write_images(tmp_path / "a", "f1")
    (found,) = acquisition.read_scores(artifacts.open_artifact(tmp_path / "a"))
    assert found.to_dict() == SCORE
    write_images(tmp_path / "b", None)
    assert acquisition.read_scores(artifacts.open_artifact(tmp_path / "b")) == []

    def spoil(manifest: dict[str, Any]) -> None:
        manifest["result"]["dicom"]["label_by_column"] = [{"column": "scanner", "auroc": "high"}]

    edit_manifest(tmp_path / "a", spoil)
    with pytest.raises(ArtifactError, match="label_by_column holds no scores"):
        acquisition.read_scores(artifacts.open_artifact(tmp_path / "a"))


@pytest.mark.parametrize(
    ("file", "patient", "is_unknown"),
    [("1.2.3.4", "1.2.3.4", True), ("ab12.dcm", "ab12", True), ("1.2.3.4", "1.2.3", False), ("a", "patient-1", False)],
)
def test_patients_named_after_their_files_are_unknown(file: str, patient: str, is_unknown: bool) -> None:
    assert facts.is_named_by_file(row(source="dicom", file=file, patient=patient)) is is_unknown
