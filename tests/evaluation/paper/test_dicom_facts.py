"""What is said of DICOM images is what their headers say: every view and device counts, and no absent value."""

from pathlib import Path
from typing import Any

import pytest
from data.images import dicom_files as made

from xrayaug.evaluation.gather import dataset_facts
from xrayaug.evaluation.paper import descriptions
from xrayaug.evaluation.paper.facts import DatasetFacts
from xrayaug.options import Prepare
from xrayaug.stages import prepare

PATIENTS = 12  # with two images each


def write_set(home: Path) -> Prepare:
    """Two images of each patient, of two views and devices; the first has no age, and nothing has a spacing."""
    lines = ["SOPInstanceUID,label"]
    for number in range(2 * PATIENTS):
        patient, second = divmod(number, 2)
        header: dict[str, Any] = {
            "PatientID": f"patient {patient}",
            "StudyInstanceUID": f"1.2.3.{patient}",
            "SOPInstanceUID": f"1.2.4.{number}",
            "Modality": "DX",
            "ViewPosition": ("PA", "LL")[second],
            "Manufacturer": ("", "ACME")[second],
            "PatientSex": "FM"[patient % 2],
            "PatientAge": f"{95 if patient == 0 else 20 + patient:03}Y" if second else "",
            "BurnedInAnnotation": "YES" if number == 3 else "NO",
        }
        made.save(home / "raw" / f"{number}.dcm", made.make(made.gradient(48, 40, seed=number), **header))
        lines.append(f"1.2.4.{number},{('normal', 'abnormal')[patient % 2]}")
    (home / "raw" / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    return Prepare(
        source="dicom", input=home / "raw", table=Path("labels.csv"), size=32, test=0.4, duplicates="exact",
        out=home / "data",
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DatasetFacts:
    options = write_set(tmp_path_factory.mktemp("dicom"))
    prepare.run(options)
    return dataset_facts.read_dataset(options.out, "data", [])


def total(data: DatasetFacts, column: str) -> dict[str, int]:
    (found,) = (each for each in data.characteristics if each.column == column)
    values = {value for counts in found.counts.values() for value in counts}
    return {value: sum(counts.get(value, 0) for counts in found.counts.values()) for value in sorted(values)}


def test_the_acquisition_is_counted_by_image_and_patients_by_patient(data: DatasetFacts) -> None:
    assert total(data, "view") == {"LL": PATIENTS, "PA": PATIENTS}
    assert total(data, "manufacturer") == {"ACME": PATIENTS}
    assert total(data, "sex") == {"F": PATIENTS // 2, "M": PATIENTS // 2}


def test_a_patient_has_the_first_value_that_an_image_of_theirs_has(data: DatasetFacts) -> None:
    ages = total(data, "age")
    assert sum(ages.values()) == PATIENTS
    assert "90" in ages


def test_a_column_without_values_has_none_rather_than_too_many(data: DatasetFacts) -> None:
    (spacing,) = (each for each in data.characteristics if each.column == "pixel_spacing")
    described = descriptions.describe_characteristic(data, spacing)
    assert "too many" not in described
    assert f"training: {spacing.missing['train']} without a value" in described


def test_windows_and_identifiers_are_described(data: DatasetFacts) -> None:
    described = descriptions.describe_dicom(data)
    assert f"{2 * PATIENTS} DICOM images became grey levels with window `file`" in described
    assert f"{2 * PATIENTS} by `percentile`" in described
    treated = descriptions.describe_identifiers(data)
    assert "replaced by pseudonyms" in treated
    assert "text is burned into 1 image by the headers" in treated


def test_identifiers_that_were_kept_are_not_called_pseudonyms(data: DatasetFacts) -> None:
    assert data.dicom is not None
    kept = DatasetFacts(**{**vars(data), "dicom": {**data.dicom, "identifiers": "kept", "burned_in": 0}})
    treated = descriptions.describe_identifiers(kept)
    assert "kept as they are" in treated
    assert "pseudonyms" not in treated
    assert "which may be wrong" in treated
