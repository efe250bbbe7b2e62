"""Test what is kept of DICOM headers, and that files are found whatever their names."""

from pathlib import Path
from typing import Any

import pydicom
import pytest
from data.images import dicom_files as made
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from xrayaug.data.images.dicom import headers, reading
from xrayaug.data.images.dicom.headers import Header


def header_of(path: Path, **elements: Any) -> Header:
    return headers.read_header(made.save(path / "a", made.make(made.gradient(), **elements)))


def test_identifiers_are_read(tmp_path: Path) -> None:
    found = header_of(
        tmp_path, PatientID=" 007 ", IssuerOfPatientID="Ward", StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.4",
        AccessionNumber="A1",
    )  # fmt: skip
    assert (found.patient, found.patient_id, found.study, found.image, found.accession) == (
        "007 (Ward)", "007", "1.2.3", "1.2.4", "A1"
    )  # fmt: skip
    assert header_of(tmp_path, PatientID=None).patient == ""


@pytest.mark.parametrize(
    ("elements", "column", "value"),
    [
        ({"ViewPosition": "PA"}, "view", "PA"),
        ({"Laterality": "R"}, "laterality", "R"),
        ({"Laterality": "R", "ImageLaterality": "L"}, "laterality", "L"),
        ({"BodyPartExamined": "HAND"}, "body_part", "HAND"),
        ({"Manufacturer": "ACME  Inc."}, "manufacturer", "ACME Inc."),
        ({"KVP": "60.0"}, "kvp", "60"),
        ({"PixelSpacing": [0.143, 0.143]}, "pixel_spacing", "0.143"),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, "pixel_spacing", "0.2x0.1"),
        ({"PatientAge": "045Y"}, "age", "45"),
        ({"PatientAge": "018M"}, "age", "1"),
        ({"PatientAge": "095Y"}, "age", "90"),
        ({"PatientBirthDate": "20100315", "StudyDate": "20200314"}, "age", "9"),
        ({"PatientBirthDate": "20100315", "StudyDate": "20200315"}, "age", "10"),
        ({"PatientSex": "F"}, "sex", "F"),
        ({"PatientSex": "JANE DOE"}, "sex", ""),
        ({"BurnedInAnnotation": "YES"}, "burned_in", "yes"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "intent", "for processing"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom, when a value is written that is none
def test_columns(elements: dict[str, Any], column: str, value: str, tmp_path: Path) -> None:
    assert header_of(tmp_path, **elements).columns[column] == value


def test_a_code_string_that_is_none_is_not_kept(tmp_path: Path) -> None:
    dataset = made.make(made.gradient())
    dataset.add_new("BodyPartExamined", "LO", "hand of Jane Doe, born 1941")
    assert headers.read_header(made.save(tmp_path / "a", dataset)).columns["body_part"] == ""


@pytest.mark.parametrize("name", ["1.2.840.5", "IM0001", "a.png", "a.IMA", "a.dcm"])
def test_files_are_found_whatever_their_names(name: str, tmp_path: Path) -> None:
    assert reading.is_dicom(made.save(tmp_path / name, made.make(made.gradient())))


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_files_without_a_preamble_are_found(implicit: bool, little: bool, tmp_path: Path) -> None:
    dataset = made.make(made.gradient(), PatientID="P1")
    bare = Dataset()
    bare.update({element.tag: element for element in dataset})
    path = tmp_path / "IM1"
    dcmwrite(path, bare, implicit_vr=implicit, little_endian=little)
    assert path.read_bytes()[128:132] != b"DICM"
    assert reading.is_dicom(path)
    assert headers.read_header(path).patient == "P1"


@pytest.mark.parametrize(
    "content", [b"", b"\x08\0", b"\x89PNG\r\n\x1a\n" + bytes(200), b"path,label\na,b\n" * 30, bytes(300)]
)
def test_other_files_are_not_taken_for_dicom(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    assert not reading.is_dicom(tmp_path / "a")


def test_a_tiff_that_is_dicom_too_is_dicom(tmp_path: Path) -> None:
    path = made.save(tmp_path / "a.tif", made.make(made.gradient()))
    path.write_bytes(b"II*\0" + path.read_bytes()[4:])
    assert reading.is_dicom(path)
    assert pydicom.dcmread(path).Rows == 40
