"""Test studies of DICOM images: no identifier leaves the raw set, and a stopped run goes on."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.images import dicom_files as made
from PIL import Image

from xrayaug import cli
from xrayaug.data import exporters
from xrayaug.data.dataset import open_dataset
from xrayaug.errors import InputError, OutputError
from xrayaug.options import Prepare
from xrayaug.runtime import stopping
from xrayaug.stages import prepare
from xrayaug.storage import artifacts

PLANTED = (  # in headers, names of files and directories, and in the list
    "PLANTEDNAME", "PLANTEDMRN", "PLANTEDACC", "PLANTEDDOC", "PLANTEDHOSP", "PLANTEDDIR", "PLANTEDFILE", "PLANTEDNOTE",
    "19410717", "20190923", "1.2.826.0.1.3680043.8.4242", "PLANTEDPNG", "PLANTEDPRIVATE",
)  # fmt: skip
PATIENTS = 40


def header(number: int) -> dict[str, Any]:
    """Return elements of a header that name a patient in every way."""
    return {
        "PatientName": f"PLANTEDNAME{number}^JANE",
        "PatientID": f"PLANTEDMRN{number:04}",
        "AccessionNumber": f"PLANTEDACC{number:04}",
        "PatientBirthDate": "19410717",
        "StudyDate": "20190923",
        "StudyInstanceUID": f"1.2.826.0.1.3680043.8.4242.1.{number}",
        "SOPInstanceUID": f"1.2.826.0.1.3680043.8.4242.2.{number}",
        "InstitutionName": "PLANTEDHOSP",
        "ReferringPhysicianName": "PLANTEDDOC^JOHN",
        "StudyDescription": "PLANTEDNOTE of PLANTEDNAME",
        "ImageComments": "PLANTEDNOTE",
        "Manufacturer": "ACME" if number % 3 else "Other",
        "ManufacturerModelName": "X1",
        "ViewPosition": "PA",
        "KVP": "60",
        "PatientSex": "F" if number % 2 else "M",
        "PatientAge": "097Y",
        "BurnedInAnnotation": "YES" if number == 1 else "NO",
    }


def picture(number: int) -> Any:
    values = made.gradient(48, 40, seed=number)
    random = np.random.default_rng(number)
    for _ in range(4):
        top, left = random.integers(0, 30, 2)
        values[top : top + 14, left : left + 8] = random.integers(0, 4096)
    return values


def write_set(root: Path) -> Path:
    """Write a set with a list, DICOM files, a report, a damaged file, one without a line, and a PNG file."""
    lines = ["path,label,mrn,accession,physician,notes,age"]
    for number in range(PATIENTS):
        name = f"PLANTEDDIR_{number}/PLANTEDFILE.{number}"
        dataset = made.make(picture(number), **header(number))
        dataset.add_new(0x00091001, "LO", "PLANTEDPRIVATE")
        made.save(root / name, dataset)
        label = "fracture" if number % 2 else "normal"
        lines.append(f"{name},{label},PLANTEDMRN{number:04},PLANTEDACC{number:04},PLANTEDDOC,PLANTEDNOTE,{number}")
    png = root / "PLANTEDDIR_png" / "PLANTEDPNG.png"
    png.parent.mkdir()
    Image.fromarray(made.gradient(50, 50, 8, 999)).save(png)
    lines.append("PLANTEDDIR_png/PLANTEDPNG.png,normal,PLANTEDMRN9999,PLANTEDACC9999,PLANTEDDOC,PLANTEDNOTE,3")
    report = made.report()
    for name, value in header(500).items():
        setattr(report, name, value)
    made.save(root / "PLANTEDDIR_sr" / "PLANTEDFILE.sr", report)
    lines.append("PLANTEDDIR_sr/PLANTEDFILE.sr,normal,PLANTEDMRN0500,PLANTEDACC0500,PLANTEDDOC,PLANTEDNOTE,3")
    whole = made.save(root / "cut" / "PLANTEDFILE.cut", made.make(picture(77), **header(77))).read_bytes()
    (root / "cut" / "PLANTEDFILE.cut").write_bytes(whole[:-900])
    lines.append("cut/PLANTEDFILE.cut,normal,PLANTEDMRN0077,PLANTEDACC0077,PLANTEDDOC,PLANTEDNOTE,3")
    lines.append("gone/PLANTEDFILE.gone,normal,PLANTEDMRN0078,PLANTEDACC0078,PLANTEDDOC,PLANTEDNOTE,3")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


def run(*words: str) -> str:
    """Run a command in a process of its own; return what it printed on both streams."""
    done = subprocess.run([sys.executable, "-m", "xrayaug", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def find_planted(text: str) -> list[str]:
    return [word for word in PLANTED if word.casefold() in text.casefold()]


def test_no_identifier_is_in_any_file_or_line_that_a_study_writes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The raw files are read in a process of its own, as by a user; the other commands, which see no header, here."""

    def run_here(*words: str) -> str:
        assert cli.app(words, standalone_mode=False) in (None, 0)
        return "".join(capfd.readouterr())

    raw, study = write_set(tmp_path / "raw"), tmp_path / "study"
    words = ["prepare", "--source", "table", "--input", str(raw), "--size", "32", "--test", "0.3", "--holdout", "0.2"]
    words += ["--max-lost", "0.2", "--duplicates", "warn", "--abnormal-class", "fracture"]
    said = {"prepare": run(*words, "--out", str(study / "data"))}
    said["again"] = run_here(*words, "--out", str(study / "data"))
    assert "already complete" in said["again"]
    said["dry run"] = run_here(*words, "--out", str(study / "other"), "--dry-run")
    assert "fracture" in said["dry run"]
    arm = ["augment", "--real", str(study / "data"), "--control", "duplicate", "--percent", "50", "--label", "normal"]
    said["augment"] = run_here(*arm, "--out", str(study / "arm"))
    train = ["train-classifier", "--arch", "squeezenet1_1", "--weights", "none", "--size", "32", "--epochs", "1"]
    train += ["--batch-size", "16", "--device", "cpu"]
    for name in ("data", "arm"):
        out = study / "runs" / name
        said[f"train {name}"] = run_here(*train, "--data", str(study / name), "--out", str(out))
    runs = [str(path) for path in sorted((study / "runs").iterdir())]
    said["evaluate"] = run_here(
        "evaluate", *runs, "--by", "sex", "--resamples", "100", "--device", "cpu", "--out", str(study / "result")
    )
    assert all(said.values())
    for name, text in said.items():
        assert find_planted(text) == [], name
    files = [path for path in study.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        assert find_planted(str(path.relative_to(study))) == []
        content = path.read_bytes()
        assert [word for word in PLANTED if word.encode() in content] == [], path
    data = open_dataset(study / "data")
    assert len(data.rows) == PATIENTS + 1
    assert {row.extra["sex"] for row in data.rows} == {"F", "M", ""}
    assert {row.extra["dicom_age"] for row in data.rows} == {"90", ""}
    assert "notes" not in data.rows[0].extra
    verdict = json.loads((study / "result" / "verdict.json").read_text())
    assert "acquisition" in json.dumps(verdict)
    skipped = (study / "data" / "skipped.csv").read_text()
    assert "structured report" in skipped
    assert "bytes of pixels" in skipped


@pytest.mark.parametrize("is_terminal", [False, True])
def test_an_error_about_a_list_quotes_it_in_a_terminal_alone(
    is_terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_set(tmp_path / "raw")
    text = (raw / "labels.csv").read_text()
    (raw / "labels.csv").write_text(text.replace(",fracture,", ",PLANTEDNAME^JANE,", 1))
    monkeypatch.setattr("xrayaug.runtime.console.is_terminal", lambda: is_terminal)
    asked = options(raw, tmp_path / "data", normal_class="normal")
    for do in (prepare.run, prepare.plan):
        with pytest.raises(InputError, match="line 3") as caught:
            do(asked)
        assert bool(find_planted(f"{caught.value} {caught.value.hint}")) == is_terminal
    with pytest.raises(InputError, match="PLANTEDNAME"):
        prepare.plan(options(raw, tmp_path / "data", normal_class="normal", keep_identifiers=True))


def test_errors_about_a_set_without_dicom_are_told_in_full(tmp_path: Path) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("file,label\na.png,odd\n")
    for path in (tmp_path, tmp_path / "labels.csv"):
        with pytest.raises(InputError, match="odd"):
            prepare.plan(options(path, tmp_path / "data", normal_class="normal"))
    with pytest.raises(InputError, match="does not exist"):
        prepare.plan(options(tmp_path / "gone", tmp_path / "data"))


def options(raw: Path, out: Path, **changes: Any) -> Prepare:
    settings: dict[str, Any] = {
        "source": "table",
        "size": 32,
        "max_lost": 0.2,
        "abnormal_class": "fracture",
        "workers": 1,
    }
    return Prepare(input=raw, out=out, **(settings | {"duplicates": "warn"} | changes))


def pseudonyms(path: Path) -> list[tuple[str, str, str]]:
    return [(row.file, row.patient, row.study) for row in open_dataset(path).rows]


def test_pseudonyms_differ_between_studies_and_what_is_drawn_does_not(tmp_path: Path) -> None:
    raw = write_set(tmp_path / "raw")
    results = [prepare.run(options(raw, tmp_path / name)) for name in ("a", "b")]
    one, other = (open_dataset(tmp_path / name) for name in ("a", "b"))
    assert not {row.patient for row in one.rows} & {row.patient for row in other.rows}
    assert not {row.file for row in one.rows} & {row.file for row in other.rows}
    assert [(row.split, row.label) for row in one.rows] == [(row.split, row.label) for row in other.rows]
    assert (tmp_path / "a" / "images.npy").read_bytes() == (tmp_path / "b" / "images.npy").read_bytes()
    fingerprints = [result["dicom"]["fingerprint"] for result in results]
    assert fingerprints[0] != fingerprints[1]
    assert not list(tmp_path.rglob("salt*")), "the salt is not kept"


def test_patients_that_headers_do_not_tell_stay_unknown_in_an_export(tmp_path: Path) -> None:
    for number in range(6):
        elements = header(number) | {"PatientID": "" if number % 2 else "PLANTEDMRN1"}
        made.save(tmp_path / "raw" / f"PLANTEDFILE{number}", made.make(picture(number), **elements))
    result = prepare.run(
        Prepare(input=tmp_path / "raw", out=tmp_path / "data", source="dicom", label="normal", size=32)
    )
    assert result["patients_unknown"] == 3
    rows = open_dataset(tmp_path / "data").rows
    assert [row.patient for row in rows[1::2]] == [f"study:{row.study}" for row in rows[1::2]]
    exported = [str(exporters.describe_row(row, [])["patient"]) for row in rows]
    assert [bool(patient) for patient in exported] == [True, False] * 3
    assert find_planted(str(rows)) == []


def test_the_places_of_a_name_that_several_files_have_are_not_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw"
    for number in range(6):  # as archives export them: a directory for each patient, equal names in it
        name = f"PLANTEDDIR_{number}/IM{max(number, 1)}"
        made.save(raw / name, made.make(picture(number), **header(number)))
    lines = [f"IM{number},{('normal', 'fracture')[number % 2]}" for number in range(1, 6)]
    (raw / "labels.csv").write_text("\n".join(["file,label", *lines]) + "\n")
    prepare.run(options(raw, tmp_path / "data", max_lost=1))
    skipped = (tmp_path / "data" / "skipped.csv").read_text()
    assert skipped.splitlines()[1].endswith(",in several places")
    with pytest.raises(InputError, match="in several places") as caught:
        prepare.plan(options(raw, tmp_path / "other", max_lost=0))
    assert find_planted(f"{skipped} {caught.value} {capsys.readouterr()}") == []


def test_the_directory_by_which_a_picture_is_a_mask_is_not_told(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for number in range(6):
        made.save(raw / ("normal", "fracture")[number % 2] / f"{number}", made.make(picture(number), **header(number)))
    masks = raw / "normal" / "PLANTEDNAME masks"
    masks.mkdir()
    Image.fromarray(made.gradient(50, 50, 8)).save(masks / "0.png")
    prepare.run(options(raw, tmp_path / "data", source="folder"))
    skipped = (tmp_path / "data" / "skipped.csv").read_text()
    assert "no radiograph by its name" in skipped
    assert find_planted(skipped) == []


def test_a_stopped_run_goes_on_with_the_same_salt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, out = write_set(tmp_path / "raw"), tmp_path / "data"
    stopping_after = iter(range(1000))
    check = stopping.check

    def stop_after_ten() -> None:
        if next(stopping_after) == 10:
            raise stopping.Stopped("a test", 75)
        check()

    with monkeypatch.context() as patch:
        patch.setattr("xrayaug.data.images.arrays.stopping.check", stop_after_ten)
        patch.setattr("xrayaug.data.images.arrays.SaveSchedule.is_due", lambda self, count: True)
        with pytest.raises(stopping.Stopped):
            prepare.run(options(raw, out))
    salt = (tmp_path / "data.partial" / "resume" / "salt").read_bytes()
    assert len(salt) == 32
    assert (tmp_path / "data.partial" / "resume" / "salt").stat().st_mode & 0o077 == 0
    noted = (tmp_path / "data.partial" / "resume" / "images.jsonl").read_text()
    assert find_planted(noted) == []
    before = re.findall(r'"file": "([0-9a-f]{16})"', noted)
    assert before
    prepare.run(options(raw, out))
    assert [file for file, _, _ in pseudonyms(out)][: len(before)] == before
    assert not list(tmp_path.rglob("salt*"))


def test_changed_files_are_noticed_without_their_names(tmp_path: Path) -> None:
    raw, out = write_set(tmp_path / "raw"), tmp_path / "data"
    prepare.run(options(raw, out))
    made.save(raw / "PLANTEDDIR_3" / "PLANTEDFILE.3", made.make(picture(300), **header(3)))
    with pytest.raises(OutputError, match=r"1 image changed: [0-9a-f]{16}") as caught:
        prepare.run(options(raw, out))
    assert find_planted(str(caught.value)) == []
    (raw / "PLANTEDDIR_3" / "PLANTEDFILE.3").unlink()
    with pytest.raises(OutputError, match="42 images were read, and there are 41"):
        prepare.run(options(raw, out))


def test_identifiers_are_kept_on_request(tmp_path: Path) -> None:
    raw, out = write_set(tmp_path / "raw"), tmp_path / "data"
    result = prepare.run(options(raw, out, keep_identifiers=True))
    row = open_dataset(out).rows[0]
    assert (row.file, row.patient) == ("PLANTEDDIR_0/PLANTEDFILE.0", "PLANTEDMRN0000")
    assert row.extra["physician"] == "PLANTEDDOC"
    assert (result["dicom"]["identifiers"], result["dicom"]["fingerprint"]) == ("kept", "")


def test_the_window_is_recorded_and_changes_the_pixels(tmp_path: Path) -> None:
    raw = write_set(tmp_path / "raw")
    by_window = {}
    for window in ("none", "percentile"):
        result = prepare.run(options(raw, tmp_path / window, window=window))
        assert result["dicom"]["window"] == window
        assert result["dicom"]["windows"] == {window: PATIENTS}
        assert list(result["dicom"]["packages"]) == ["pydicom", "imagecodecs"]
        by_window[window] = (tmp_path / window / "images.npy").read_bytes()
    assert by_window["none"] != by_window["percentile"]
    assert artifacts.open_artifact(tmp_path / "none").manifest["options"]["window"] == "none"


@pytest.mark.parametrize(
    ("changes", "is_warned"),
    [({"only": ("mrn != PLANTEDMRN0003",)}, True), ({"only": ("age != 5",)}, False)],
)
def test_a_condition_that_may_name_a_patient_is_warned_of(
    changes: dict[str, Any], is_warned: bool, tmp_path: Path
) -> None:
    result = prepare.plan(options(write_set(tmp_path / "raw"), tmp_path / "data", **changes))
    found = [warning for warning in result["warnings"] if "--only" in warning]
    assert bool(found) == is_warned
    assert find_planted(str(found)) == []


def test_a_dry_run_that_loses_images_names_none(tmp_path: Path) -> None:
    raw = write_set(tmp_path / "raw")
    with pytest.raises(InputError, match="1 of 43 images are lost") as caught:
        prepare.plan(options(raw, tmp_path / "data", max_lost=0))
    assert find_planted(str(caught.value)) == []


def test_times_of_files_which_may_be_those_of_studies_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, out = write_set(tmp_path / "raw"), tmp_path / "data"
    study_time = 1_569_240_000_000_000_123  # nanoseconds
    files = [path for path in raw.rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, ns=(study_time, study_time))
    time.sleep(0.1)  # until the times of changes are settled
    prepare.run(options(raw, out))
    noted = (out / "read-input.times").read_text()
    assert str(study_time) not in noted
    assert any(int(line.split()[2]) for line in noted.splitlines()[1:])
    monkeypatch.setattr(prepare, "_hash_images", pytest.fail)  # it decodes images again
    prepare.run(options(raw, out))
