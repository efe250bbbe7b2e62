from pathlib import Path

import pytest

from xrayaug.data.parsing import columns
from xrayaug.errors import DataError
from xrayaug.storage.csvfile import Cells, Sheet


def sheet(*header: str) -> Sheet:
    return Sheet(Path("t.csv"), header, [])


@pytest.mark.parametrize(
    "title", ["PatientID", "patientId", "Patient ID", "patient_id", "subject_id", "MRN", "case", "Case ID", "Subject",
              "empi_anon", "participant_id", "PATIENT NUMBER"]
)  # fmt: skip
def test_patients_are_found_by_all_names_in_use(title: str) -> None:
    assert columns.find(sheet("Path", title), "patient", None) == 1


def test_a_column_can_be_declined() -> None:
    assert columns.find(sheet("file", "patient"), "patient", "none") is None
    with pytest.raises(DataError, match="'none'"):
        columns.find(sheet("file", "patient"), "image", "none")


def test_the_name_that_is_given_is_preferred_as_it_is_written() -> None:
    assert columns.find(sheet("patient_id", "PatientID"), "patient", "patientid") == 1
    with pytest.raises(DataError, match="2 columns"):
        columns.find(sheet("patient_id", "PatientID"), "patient", "patient id")


@pytest.mark.parametrize(
    ("title", "what"),
    [("Patienten-ID", "patient"), ("anon_patient_hash", "patient"), ("subject code", "patient"), ("StudyKey", "study"),
     ("fold", "split"), ("is_train", "split"), ("diagnosis", "label"), ("subset", "split"),
     ("PatientAge", ""), ("Patient Sex", ""), ("patientgender", ""), ("StudyDate", ""), ("folder", ""), ("view", "")],
)  # fmt: skip
def test_unused_columns_that_look_like_more(title: str, what: str) -> None:
    found = columns.unused(sheet("file", "label", title), {"image": 0, "label": 1}, [])
    assert found == ([(title, what)] if what else [])
    assert not columns.unused(sheet("file", "label", title), {"image": 0, "label": 1}, [what])


def test_columns_are_kept_by_name_and_none_is_lost() -> None:
    names = columns.select_kept(sheet("file", "view", "view", "", "sex"), None, 0)
    assert names == {"view": 1, "view_2": 2, "column_4": 3, "sex": 4}
    assert columns.select_kept(sheet("file", "view", "sex"), ("Sex",), 0) == {"sex": 2}
    assert columns.select_kept(sheet("file", "view"), ("none",), 0) == {}
    with pytest.raises(DataError, match="'scanner'"):
        columns.select_kept(sheet("file", "view"), ("scanner",), 0)


def test_cells_are_a_mapping() -> None:
    cells = Cells({"a": 1, "b": 2}, ("x", "y"))
    assert cells == {"a": "y", "b": ""}
    assert dict(cells) == {"a": "y", "b": ""}
