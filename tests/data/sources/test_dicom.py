"""Test the source `dicom`: labels joined by identifiers, and DICOM files in folders and lists."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from data.images import dicom_files as made
from PIL import Image

from xrayaug.data import source_selection
from xrayaug.data.images.dicom import reading
from xrayaug.data.sources import Listing
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.options import Prepare


def write_studies(root: Path, count: int = 6, **elements: Any) -> None:
    for number in range(count):
        identifiers = {
            "PatientID": f"P{number // 2:03}",
            "StudyInstanceUID": f"1.2.3.{number}",
            "SOPInstanceUID": f"1.2.4.{number}",
            "AccessionNumber": f"A{number:04}",
        }
        made.save(
            root / f"S{number}" / "1.2.840.5.1", made.make(made.gradient(seed=number), **(identifiers | elements))
        )


def list_set(root: Path, **changes: Any) -> Listing:
    return source_selection.list_images(Prepare(input=root, out=root / "out", **changes))[1]


def labels_of(listing: Listing) -> dict[str, str]:
    return {record.file: record.label for record in listing.records}


@pytest.mark.parametrize(
    ("title", "value"),
    [
        ("SOPInstanceUID", "1.2.4.{0}"), ("sop_instance_uid", "1.2.4.{0}"), ("StudyInstanceUID", "1.2.3.{0}"),
        ("Accession Number", "A{0:04}"),
    ],
)  # fmt: skip
def test_labels_are_joined_by_identifiers(title: str, value: str, tmp_path: Path) -> None:
    write_studies(tmp_path)
    lines = [f"{title},label", *(f"{value.format(number)},{'yn'[number % 2]}" for number in range(6))]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    name, listing = source_selection.list_images(Prepare(input=tmp_path, out=tmp_path / "out"))
    assert name == "dicom"
    assert list(labels_of(listing).values()) == ["abnormal", "normal"] * 3
    assert [record.patient for record in listing.records] == ["P000", "P000", "P001", "P001", "P002", "P002"]
    assert [record.study for record in listing.records] == [f"1.2.3.{number}" for number in range(6)]
    assert all(record.patient_known for record in listing.records)


@pytest.mark.parametrize(
    "changes",
    [
        {"label_column": "finding"},
        {"table": Path("labels.csv"), "label_column": "finding"},
        {"label_column": "finding", "only": ("site=A",)},
    ],
)
def test_options_of_lists_do_not_hide_a_tree_of_dicom_files(changes: dict[str, Any], tmp_path: Path) -> None:
    write_studies(tmp_path, 4)
    lines = [f"A{number:04},{'yn'[number % 2]},A" for number in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["AccessionNumber,finding,site", *lines]) + "\n")
    name, listing = source_selection.list_images(Prepare(input=tmp_path, out=tmp_path / "out", **changes))
    assert name == "dicom"
    assert list(labels_of(listing).values()) == ["abnormal", "normal"] * 2


@pytest.mark.parametrize("changes", [{}, {"image_column": "file"}])
def test_a_table_elsewhere_that_lists_dicom_files_is_read_as_a_table(changes: dict[str, Any], tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_studies(root, 2)
    table = tmp_path / "labels.csv"
    table.write_text("file,PatientID,label\nS0/1.2.840.5.1,P000,normal\nS1/1.2.840.5.1,P000,abnormal\n")
    name, listing = source_selection.list_images(Prepare(input=root, out=tmp_path / "out", table=table, **changes))
    assert name == "table"
    assert list(labels_of(listing).values()) == ["normal", "abnormal"]


def test_labels_of_patients_are_those_of_all_their_images(tmp_path: Path) -> None:
    write_studies(tmp_path)
    (tmp_path / "labels.csv").write_text("PatientID,label,split\nP000,normal,train\nP001,abnormal,test\n")
    listing = list_set(tmp_path)
    assert list(labels_of(listing).values()) == ["normal"] * 2 + ["abnormal"] * 2
    assert [record.split for record in listing.records] == ["train"] * 2 + ["test"] * 2
    assert [reason for _, reason in listing.skipped] == ["the list does not name it"] * 2


def test_lines_that_end_before_a_label_are_refused_and_others_said(tmp_path: Path) -> None:
    write_studies(tmp_path, 2)
    (tmp_path / "labels.csv").write_text("AccessionNumber,label,site\nA0000,normal\nA0001,abnormal,B\n")
    listing = list_set(tmp_path)
    assert [record.extra["site"] for record in listing.records] == ["", "B"]
    assert any("1 line has fewer cells than the header" in note for note in listing.notes)
    (tmp_path / "labels.csv").write_text("AccessionNumber,label,site\nA0000\nA0001,abnormal,B\n")
    with pytest.raises(DataError, match=r"labels.csv line 2 ends before column 'label'"):
        list_set(tmp_path)


def test_slices_of_the_ct_of_a_patient_are_left_out_beside_radiographs(tmp_path: Path) -> None:
    write_studies(tmp_path, 4)
    for number in range(3):
        made.save(tmp_path / "ct" / f"{number}", made.make(made.gradient(seed=number), PatientID="P000", Modality="CT"))
    made.save(tmp_path / "us" / "0", made.make(made.gradient(seed=9), PatientID="P009", Modality="US"))
    (tmp_path / "labels.csv").write_text("PatientID,label\nP000,normal\nP001,abnormal\nP009,normal\n")
    listing = list_set(tmp_path)
    assert list(labels_of(listing).values()) == ["normal"] * 2 + ["abnormal"] * 2
    assert Counter(reason for _, reason in listing.skipped) == {
        "no radiograph: of modality CT": 3,
        "no radiograph: of modality US": 1,
    }
    assert "3 DICOM files are left out: no radiograph: of modality CT" in listing.warnings
    assert not listing.lost(), "the line of a patient whose file is left out is not lost"


def test_a_set_of_ct_alone_is_read_with_a_warning(tmp_path: Path) -> None:
    write_studies(tmp_path, 2, Modality="CT")
    listing = list_set(tmp_path, label="normal")
    assert len(listing.records) == 2
    assert "no DICOM image is a radiograph, by the modalities of their headers: CT 2" in listing.warnings


def test_the_most_specific_identifier_that_fits_is_used(tmp_path: Path) -> None:
    write_studies(tmp_path, 2)
    (tmp_path / "labels.csv").write_text(
        "SOPInstanceUID,AccessionNumber,label\n9.9.9,A0000,normal\n9.9.8,A0001,abnormal\n"
    )
    listing = list_set(tmp_path)
    assert list(labels_of(listing).values()) == ["normal", "abnormal"]
    assert any("joined by AccessionNumber: 2 of 2" in note for note in listing.notes)


def test_lines_without_files_are_lost_and_named_by_their_number(tmp_path: Path) -> None:
    write_studies(tmp_path, 2)
    (tmp_path / "labels.csv").write_text("AccessionNumber,label\nA0000,normal\nA0001,abnormal\nA0777,normal\n")
    assert list_set(tmp_path).lost() == [("line 4", "listed but not on disk: no file has its AccessionNumber")]


def test_lists_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write_studies(tmp_path, 2)
    table = tmp_path / "labels.csv"
    for text, message in (
        ("AccessionNumber,label\nB1,normal\n", "no value of column AccessionNumber is in the header of a file"),
        ("AccessionNumber,label\nA0000,normal\nA0000,abnormal\n", "line 3 contradicts line 2"),
        ("AccessionNumber,label,split\nA0000,normal,half\n", "'half' is no split"),
        ("AccessionNumber,label\nA0000,blue\n", "'blue' is neither normal nor abnormal"),
    ):
        table.write_text(text)
        with pytest.raises(DataError, match=message):
            list_set(tmp_path, source="dicom")
    table.unlink()
    with pytest.raises(InputError, match="no CSV file with a column of labels and one of SOPInstanceUID"):
        list_set(tmp_path, source="dicom")
    with pytest.raises(UsageError, match="--patient-column is read by --source table alone"):
        list_set(tmp_path, source="dicom", patient_column="x")


def test_a_list_elsewhere_with_other_titles(tmp_path: Path) -> None:
    write_studies(tmp_path / "set", 2)
    (tmp_path / "list.csv").write_text("exam,finding\nA0000,normal\nA0001,abnormal\n")
    listing = list_set(
        tmp_path / "set", source="dicom", table=tmp_path / "list.csv", image_column="exam", label_column="finding"
    )
    assert list(labels_of(listing).values()) == ["normal", "abnormal"]


def test_one_label_for_all_without_a_list(tmp_path: Path) -> None:
    write_studies(tmp_path, 3)
    made.save(tmp_path / "S9" / "report", made.report())
    listing = list_set(tmp_path, source="dicom", label="normal")
    assert set(labels_of(listing).values()) == {"normal"}
    assert listing.skipped == [("S9/report", "no pixels: a structured report")]
    assert listing.lost() == [], "a report is no image that was lost"
    assert listing.dicom.refused == {"no pixels: a structured report": 1}


def test_dicom_lies_beside_pictures_in_folders_of_classes(tmp_path: Path) -> None:
    made.save(tmp_path / "normal" / "1.2.3.4", made.make(made.gradient(), PatientID="P1", ViewPosition="PA"))
    made.save(tmp_path / "normal" / "1.2.3.5", made.make(made.gradient(), PatientID=None, StudyInstanceUID=None))
    made.save(tmp_path / "abnormal" / "b.dcm", made.make(made.gradient(), PatientID="P1"))
    Image.new("L", (8, 8)).save(tmp_path / "abnormal" / "c.png")
    listing = list_set(tmp_path)
    found = {record.file: record for record in listing.records}
    assert len(found) == 4
    assert found["normal/1.2.3.4"].patient == found["abnormal/b.dcm"].patient == "P1"
    assert found["normal/1.2.3.4"].extra["view"] == "PA"
    assert found["normal/1.2.3.5"].patient == "normal/1.2.3.5", "not cut at its last dot"
    assert found["abnormal/c.png"].extra["view"] == ""
    assert any("the patient of 2 images is unknown" in note for note in listing.notes)


def test_the_lists_patients_count_and_its_columns_are_chosen(tmp_path: Path) -> None:
    made.save(tmp_path / "a", made.make(made.gradient(), PatientID="H1", PatientAge="030Y"))
    (tmp_path / "labels.csv").write_text("file,label,patient,age,ward,site\na,normal,L7,31,12B,north\n")
    (record,) = list_set(tmp_path).records
    assert record.patient == "L7"
    assert (record.extra["age"], record.extra["dicom_age"], record.extra["site"]) == ("31", "30", "north")
    assert not {"ward", "patient"} & set(record.extra)
    (tmp_path / "labels.csv").write_text(f"file,label,findings\na,normal,{'Mrs Doe has no fracture. ' * 3}\n")
    (record,) = list_set(tmp_path, label_column="label").records
    assert "findings" not in record.extra
    (tmp_path / "labels.csv").write_text("file,label,patient,age,ward,site\na,normal,L7,31,12B,north\n")
    with pytest.raises(DataError, match="--keep-columns ward: beside DICOM files"):
        list_set(tmp_path, keep_columns=("ward",))
    (record,) = list_set(tmp_path, keep_columns=("ward",), keep_identifiers=True).records
    assert record.extra["ward"] == "12B"


def test_warnings_name_what_a_user_should_check(tmp_path: Path) -> None:
    for number in range(12):
        made.save(
            tmp_path / "normal" / str(number),
            made.make(
                made.gradient(seed=number),
                PatientID="ANON",
                BurnedInAnnotation="YES" if number < 2 else "NO",
                PresentationIntentType="FOR PROCESSING" if number < 5 else "FOR PRESENTATION",
            ),
        )
    listing = list_set(tmp_path)
    text = "\n".join(listing.warnings)
    assert "5 of 12 DICOM images are FOR PROCESSING" in text
    assert "2 of 12 DICOM images have text burned in" in text
    assert "name only 1 patients for 12 images" in text
    assert (listing.dicom.for_processing, listing.dicom.burned_in) == (5, 2)


def test_without_pydicom_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_studies(tmp_path / "normal", 2)
    monkeypatch.setattr(reading, "is_installed", lambda: False)
    with pytest.raises(InputError, match=r"2 of 2 images under .* are DICOM, which needs pydicom") as caught:
        list_set(tmp_path)
    assert caught.value.hint == "pip install 'xrayaug[dicom]'"
    with pytest.raises(InputError, match="--source dicom needs pydicom"):
        list_set(tmp_path, source="dicom")


def write_files(root: Path, *headers: dict[str, Any]) -> None:
    for number, elements in enumerate(headers):
        made.save(root / f"f{number}", made.make(made.gradient(seed=number), **elements))


def patients_of(root: Path) -> list[tuple[str, bool]]:
    return [(record.patient, record.patient_known) for record in list_set(root, source="dicom", label="normal").records]


def test_one_patient_is_not_two_by_how_headers_write_it(tmp_path: Path) -> None:
    one_study = {"StudyInstanceUID": "1.2.9"}
    write_files(
        tmp_path,
        {"PatientID": "p1"},
        {"PatientID": "P 1", "IssuerOfPatientID": "North"},
        {"PatientID": "7", "IssuerOfPatientID": "North"},
        {"PatientID": "7", "IssuerOfPatientID": "South"},
        {"PatientID": "L9", **one_study},
        {"PatientID": None, **one_study},
        {"PatientID": "unknown", "StudyInstanceUID": "1.2.10"},
    )
    found = patients_of(tmp_path)
    assert found[0] == found[1], "an identifier without an issuer may be of any"
    assert [patient for patient, _ in found[2:4]] == ["7 (North)", "7 (South)"]
    assert found[4] == found[5] == ("L9", True), "a study is of one patient"
    assert found[6] == ("study:1.2.10", False)


def test_headers_that_may_mix_up_patients_are_warned_of(tmp_path: Path) -> None:
    write_files(
        tmp_path, {"PatientID": "007"}, {"PatientID": "7"}, *[{"SOPInstanceUID": "1.2.8", "PatientID": "9"}] * 2
    )
    text = "\n".join(list_set(tmp_path, source="dicom", label="normal").warnings)
    assert "1 identifiers of patients in headers differ from another in leading zeros alone" in text
    assert "2 DICOM images share their SOPInstanceUID" in text


@pytest.mark.parametrize(
    ("headers", "lines", "message"),
    [
        (({"AccessionNumber": "007"}, {"AccessionNumber": "7"}), "AccessionNumber,label\n7,normal", "leading zeros"),
        (({"AccessionNumber": "1.2E+10"},), "AccessionNumber,label\n1.2E+10,normal", "spreadsheet rounded"),
        (
            ({"AccessionNumber": "7", "PatientID": "a"}, {"AccessionNumber": "7", "PatientID": "b"}),
            "AccessionNumber,label\n7,normal",
            "1 lines fit headers of several patients with one AccessionNumber, the first is line 2",
        ),
        (
            ({"PatientID": "1", "IssuerOfPatientID": "N"}, {"PatientID": "1", "IssuerOfPatientID": "S"}),
            "PatientID,label\n1,normal",
            "several patients with one PatientID",
        ),
    ],
)
def test_lines_that_fit_several_are_refused(
    headers: tuple[dict[str, Any], ...], lines: str, message: str, tmp_path: Path
) -> None:
    write_files(tmp_path, *headers)
    (tmp_path / "labels.csv").write_text(f"{lines}\n")
    with pytest.raises(DataError, match=message):
        list_set(tmp_path, source="dicom")


def test_ages_of_lists_are_limited_as_those_of_headers(tmp_path: Path) -> None:
    write_files(tmp_path, *[{}] * 4)
    ages = ("97", "19410717", "41", "018M")
    lines = ["path,label,age", *(f"f{number},{'yn'[number % 2]},{age}" for number, age in enumerate(ages))]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    found = [record.extra["age"] for record in list_set(tmp_path, source="table").records]
    assert found == ["90", "", "41", "018M"]
    found = [record.extra["age"] for record in list_set(tmp_path, source="table", keep_identifiers=True).records]
    assert found == list(ages)


def test_a_set_without_radiographs_is_refused_without_the_names_of_files(tmp_path: Path) -> None:
    made.save(tmp_path / "normal" / "DOE_JANE" / "a", made.report())
    with pytest.raises(InputError, match="the first left out: no pixels: a structured report"):
        list_set(tmp_path, source="folder")
    with pytest.raises(InputError, match="the first left out: normal/DOE_JANE/a: no pixels"):
        list_set(tmp_path, source="folder", keep_identifiers=True)


def test_kept_identifiers_are_warned_of(tmp_path: Path) -> None:
    write_files(tmp_path, {})
    assert any(
        "--keep-identifiers" in each
        for each in list_set(tmp_path, source="dicom", label="normal", keep_identifiers=True).warnings
    )
    assert list_set(tmp_path, source="dicom", label="normal").warnings == []
