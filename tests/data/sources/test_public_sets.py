"""Public sets by name, each on an imitation of its own lists and names; see `imitations`."""

import gzip
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data.images import dicom_files as made
from data.sources import imitations
from typer.testing import CliRunner

from xrayaug import cli
from xrayaug.data import source_selection, sources
from xrayaug.data.sources import Listing
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.options import Prepare

every_set = pytest.mark.parametrize("name", imitations.MAKERS)


def listed(path: Path, **options: Any) -> Listing:
    name, listing = source_selection.list_images(Prepare(input=path, out=path.parent / "out", **options))
    assert options.get("source", name) == name
    return listing


def make(name: str, path: Path, **options: Any) -> Listing:
    imitations.MAKERS[name](path)
    return listed(path, source=name, **options)


def labels(listing: Listing) -> dict[str, str]:
    """Return the label of each image by the stem of its name."""
    return {Path(record.file).stem: record.label for record in listing.records}


def counts(listing: Listing) -> dict[tuple[str, str], int]:
    return dict(Counter((record.split, record.label) for record in listing.records))


def reasons(listing: Listing) -> dict[str, int]:
    return dict(Counter(reason for _, reason in listing.skipped))


def test_every_public_set_has_an_imitation() -> None:
    assert imitations.MAKERS.keys() == {name for name in sources.names() if sources.signature(name)}


@every_set
def test_a_set_is_detected_and_taken_for_no_other(name: str, tmp_path: Path) -> None:
    imitations.MAKERS[name](tmp_path)
    found, _ = source_selection.list_images(Prepare(input=tmp_path, out=tmp_path / "out"))
    assert found == name
    assert sources.find_public_sets(tmp_path) == [name]
    moved = tmp_path / "a" / "copy"
    imitations.MAKERS[name](moved)
    assert sources.find_public_sets(tmp_path / "a") == [name]


def test_two_sets_in_one_directory_are_refused(tmp_path: Path) -> None:
    imitations.shenzhen(tmp_path)
    imitations.montgomery(tmp_path)
    with pytest.raises(InputError, match="looks like several sets: montgomery, shenzhen"):
        listed(tmp_path)
    assert len(listed(tmp_path, source="shenzhen").records) == 3


@every_set
def test_a_set_says_what_is_abnormal_and_which_labels_to_distrust(name: str, tmp_path: Path) -> None:
    notes = make(name, tmp_path).notes
    assert "abnormal" in notes[0]
    assert notes[1].startswith(f"labels of {name}: ")
    assert sum(count.count for count in make(name, tmp_path / "b").words) > 0


@every_set
def test_an_unknown_finding_is_refused_with_those_that_there_are(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no finding is called 'gout'; there are \w+"):
        make(name, tmp_path, finding=("gout",))


@every_set
def test_every_image_is_read_or_listed_with_a_reason(name: str, tmp_path: Path) -> None:
    listing = make(name, tmp_path)
    before = sum(count.count for count in listing.words)
    assert before == len(listing.records) + len(listing.skipped)
    (tmp_path / listing.records[0].file).unlink()
    if not listing.lists:  # without a list nobody knows of a missing file
        return
    after = listed(tmp_path, source=name)
    assert len(after.records) == len(listing.records) - 1
    assert len(after.lost()) == 1


def test_chexpert(tmp_path: Path) -> None:
    listing = make("chexpert", tmp_path)
    assert counts(listing) == {
        ("train", "normal"): 3,
        ("train", "abnormal"): 3,
        ("test", "normal"): 1,
        ("test", "abnormal"): 1,
    }
    assert reasons(listing) == {"no label": 1}
    first = listing.records[0]
    assert (first.patient, first.study, first.patient_known) == ("patient00001", "patient00001/study1", True)
    assert dict(first.extra) == {"view": "AP", "sex": "Female", "age": "68", "findings": "Support Devices"}


def test_chexpert_by_one_finding(tmp_path: Path) -> None:
    listing = make("chexpert", tmp_path, finding=("edema",))
    assert reasons(listing) == {"uncertain label": 1, "other findings only": 2, "no label": 1}
    assert counts(listing) == {("train", "normal"): 3, ("train", "abnormal"): 1, ("test", "normal"): 1}
    others = listed(tmp_path, finding=("edema",), other_findings="normal", unsure_label="abnormal")
    assert counts(others)[("train", "abnormal")] == 2
    assert reasons(others) == {"no label": 1}


def test_chexpert_of_one_view(tmp_path: Path) -> None:
    listing = make("chexpert", tmp_path, only=("view=PA",))
    assert {record.extra["view"] for record in listing.records} == {"PA"}
    with pytest.raises(DataError, match="has no column 'colour'; there are view, sex, age"):
        listed(tmp_path, only=("colour=1",))


def test_the_download_of_chexpert_in_parts_is_found(tmp_path: Path) -> None:
    imitations.chexpert(tmp_path)
    root = tmp_path / "CheXpert-v1.0-small"
    (root / "train").rename(root / "CheXpert-v1.0 batch 2 (train 1)")
    assert len(listed(tmp_path).records) == 8


def test_mimic_joins_three_lists(tmp_path: Path) -> None:
    listing = make("mimic-cxr-jpg", tmp_path)
    assert counts(listing) == {("train", "normal"): 2, ("valid", "abnormal"): 1, ("test", "normal"): 1}
    assert reasons(listing) == {"uncertain label": 1}
    assert {record.patient for record in listing.records} == {"10000032", "10000764", "10000898"}
    assert listing.records[1].extra["view"] == "LATERAL"
    (tmp_path / "mimic-cxr-2.0.0-split.csv.gz").unlink()
    assert {record.split for record in listed(tmp_path).records} == {""}
    (tmp_path / "mimic-cxr-2.0.0-metadata.csv.gz").unlink()
    with pytest.raises(InputError, match="no list with the columns dicom_id"):
        listed(tmp_path)


def test_mimic_has_the_labels_of_one_program(tmp_path: Path) -> None:
    imitations.mimic_cxr_jpg(tmp_path)
    imitations.write(tmp_path / "mimic-cxr-2.0.0-negbio.csv.gz", imitations.MIMIC_HEADER, f"1,1,{',' * 13}")
    listing = listed(tmp_path)
    assert counts(listing)[("valid", "abnormal")] == 1
    assert "labels are those of mimic-cxr-2.0.0-chexpert.csv.gz; the others are not read" in listing.notes


def test_nih(tmp_path: Path) -> None:
    listing = make("nih-chestxray14", tmp_path)
    assert counts(listing) == {("train", "normal"): 1, ("train", "abnormal"): 3, ("test", "abnormal"): 1}
    assert len({record.patient for record in listing.records}) == 3
    mass = listed(tmp_path, finding=("Emphysema", "hernia"))
    assert labels(mass) == {"00000001_001": "abnormal", "00000002_000": "normal", "00000003_001": "abnormal"}
    text = (tmp_path / "Data_Entry_2017_v2020.csv").read_text()
    (tmp_path / "Data_Entry_2017_v2020.csv").write_text(text.replace("Hernia", "Gout"))
    with pytest.raises(DataError, match="'gout' is no finding of ChestX-ray14"):
        listed(tmp_path)


def test_a_split_that_shares_patients_is_not_used(tmp_path: Path) -> None:
    imitations.nih_chestxray14(tmp_path)
    imitations.write(tmp_path / "train_val_list.txt", "00000001_000.png", "00000001_001.png", "00000002_000.png")
    imitations.write(tmp_path / "test_list.txt", "00000001_002.png", "00000003_001.png")
    listing = listed(tmp_path)
    assert {record.split for record in listing.records} == {""}
    assert any("1 patients are in several of the set's own splits, such as 1: " in line for line in listing.warnings)
    assert {record.split for record in listed(tmp_path, split_by="image").records} == {"train", "test"}


def test_vindr_counts_the_votes_of_its_readers(tmp_path: Path) -> None:
    listing = make("vindr-cxr", tmp_path)
    assert counts(listing) == {
        ("train", "normal"): 1,
        ("train", "abnormal"): 2,
        ("test", "normal"): 1,
        ("test", "abnormal"): 1,
    }
    assert any(
        "several readers judged 3 images: all agree on 1, more than half on 2, and 0 " in n for n in listing.notes
    )
    heart = listed(tmp_path, finding=("Cardiomegaly",))
    assert reasons(heart) == {"no answer has more than half of the readers": 1}
    assert labels(heart)["9a5094b2563a1ef3ff50dc5c7ff71345"] == "abnormal"
    assert not any(record.patient_known for record in listing.records)


def test_vindr_of_kaggle_has_one_line_per_box(tmp_path: Path) -> None:
    rows = (
        "50a418190bc3fb1ef1633bf9678929b3,No finding,14,R11,,,,",
        "50a418190bc3fb1ef1633bf9678929b3,No finding,14,R15,,,,",
        "50a418190bc3fb1ef1633bf9678929b3,Cardiomegaly,3,R10,691.0,1375.0,1653.0,1831.0",
        "9a5094b2563a1ef3ff50dc5c7ff71345,Cardiomegaly,3,R10,691.0,1375.0,1653.0,1831.0",
        "9a5094b2563a1ef3ff50dc5c7ff71345,Aortic enlargement,0,R10,1052.0,715.0,1299.0,966.0",
        "9a5094b2563a1ef3ff50dc5c7ff71345,Cardiomegaly,3,R8,691.0,1375.0,1653.0,1831.0",
        "9a5094b2563a1ef3ff50dc5c7ff71345,No finding,14,R9,,,,",
    )
    imitations.write(tmp_path / "train.csv", "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max", *rows)
    imitations.draw(tmp_path, *(f"train/{name}.jpg" for name in {row.split(",")[0] for row in rows}))
    assert labels(listed(tmp_path)) == {
        "50a418190bc3fb1ef1633bf9678929b3": "normal",
        "9a5094b2563a1ef3ff50dc5c7ff71345": "abnormal",
    }


def test_rsna_pneumonia_has_several_lines_per_image(tmp_path: Path) -> None:
    listing = make("rsna-pneumonia", tmp_path)
    assert labels(listing) == {
        "003d8fa0-6bf1-40ed-b54c-ac657f8495c5": "normal",
        "00436515-870c-4b36-a041-de91049b9ab4": "abnormal",
    }
    assert reasons(listing) == {"other findings only": 1}
    assert not any(record.patient_known for record in listing.records)
    (tmp_path / "stage_2_detailed_class_info.csv").unlink()
    assert Counter(labels(listed(tmp_path)).values()) == {"normal": 2, "abnormal": 1}


@pytest.mark.parametrize(("name", "suffix"), [("rsna-pneumonia", ".dcm"), ("vindr-cxr", ".dicom")])
def test_dicom_files_are_read_as_their_conversions_are(name: str, suffix: str, tmp_path: Path) -> None:
    converted = make(name, tmp_path)
    for number, file in enumerate(sorted(tmp_path.rglob("*.png"))):
        made.save(file.with_suffix(suffix), made.make(made.gradient(seed=number), PatientID=file.stem))
        file.unlink()
    original = listed(tmp_path)
    assert labels(original) == labels(converted)
    assert {Path(record.file).suffix for record in original.records} == {suffix}
    assert not any(record.patient_known for record in original.records)  # the headers name images


def test_rsna_pneumonia_whose_lists_contradict_each_other_is_refused(tmp_path: Path) -> None:
    imitations.rsna_pneumonia(tmp_path)
    path = tmp_path / "stage_2_detailed_class_info.csv"
    path.write_text(path.read_text().replace(",Normal", ",Lung Opacity"))
    with pytest.raises(DataError, match="is 'Lung Opacity', and its target says the opposite"):
        listed(tmp_path)


def test_padchest(tmp_path: Path) -> None:
    listing = make("padchest", tmp_path)
    assert counts(listing) == {("", "normal"): 2, ("", "abnormal"): 2}
    assert reasons(listing) == {"excluded by the set itself": 1, "no label": 1}
    first = listing.records[0]
    assert first.extra["age"] == "84"
    assert "hallazgos" not in str([dict(record.extra) for record in listing.records])
    assert listing.records[1].extra["findings"] == "cardiomegaly|pleural effusion"
    assert listing.records[1].patient == listing.records[2].patient


def test_graz_leaves_uncertain_fractures_out(tmp_path: Path) -> None:
    listing = make("grazpedwri-dx", tmp_path)
    assert labels(listing) == {"0001_1297860435_01_WRI-L2_M014": "abnormal", "0004_0662359351_01_WRI-R1_F009": "normal"}
    assert reasons(listing) == {"uncertain label": 2, "other findings only": 1}
    assert {record.extra["view"] for record in listing.records} == {"frontal", "lateral"}
    assert len(listed(tmp_path, finding=("cast",)).records) == 2


def test_empty_cells_that_r_writes_as_na_do_not_make_fractures_uncertain(tmp_path: Path) -> None:
    imitations.grazpedwri_dx(tmp_path)
    expected = labels(listed(tmp_path))
    table = tmp_path / "dataset.csv"
    rows = [[cell or "NA" for cell in line.split(",")] for line in table.read_text().splitlines()]
    table.write_text("".join(f"{','.join(row)}\n" for row in rows))
    assert labels(listed(tmp_path)) == expected


def test_fracatlas(tmp_path: Path) -> None:
    listing = make("fracatlas", tmp_path)
    assert labels(listing) == {"IMG0000000": "normal", "IMG0000001": "normal", "IMG0000002": "abnormal"}
    assert {record.extra["part"] for record in listing.records} == {"leg", "hand"}
    assert set(labels(listed(tmp_path, only=("part=hand",)))) == {"IMG0000001", "IMG0000002"}


def test_the_warning_of_several_views_proposes_a_condition_that_reads_one(tmp_path: Path) -> None:
    for name in ("fracatlas", "chexpert"):
        (warning,) = (each for each in make(name, tmp_path / name).warnings if "several views" in each)
        condition = warning.partition("--only '")[2].removesuffix("' reads one")
        found = listed(tmp_path / name, source=name, only=(condition,))
        assert len({record.extra["view"] for record in found.records}) == 1
    table = tmp_path / "fracatlas" / "dataset.csv"
    lines = [line.split(",") for line in table.read_text().splitlines()]
    views = [lines[0].index(name) for name in ("frontal", "lateral", "oblique")]
    for line in lines[1:-1]:
        for place in views:
            line[place] = "0"
    table.write_text("".join(f"{','.join(line)}\n" for line in lines))
    (warning,) = (each for each in listed(tmp_path / "fracatlas").warnings if "several views" in each)
    assert warning.startswith("images of several views are read (unknown 2, ")
    assert "--only" not in warning


def test_an_image_of_fracatlas_in_the_directory_of_the_other_label_is_left_out(tmp_path: Path) -> None:
    imitations.fracatlas(tmp_path)
    (tmp_path / "images/Fractured/IMG0000002.jpg").rename(tmp_path / "images/Non_fractured/IMG0000002.jpg")
    listing = listed(tmp_path)
    assert labels(listing) == {"IMG0000000": "normal", "IMG0000001": "normal"}
    assert "1 images are left out: the list and its directory contradict each other" in listing.warnings
    (tmp_path / "images").rename(tmp_path / "fractured")  # a directory above those of the set says nothing
    with pytest.raises(InputError, match="the list and its directory contradict each other"):
        listed(tmp_path)


ENCODED = {"latin": ("cp1252", "TÓRAX ÁP"), "Chinese": ("gbk", "正位胸片检查")}


@pytest.mark.parametrize("kind", ENCODED)
def test_a_list_of_another_encoding_is_refused_with_a_hint_that_works(kind: str, tmp_path: Path) -> None:
    imitations.padchest(tmp_path)
    path = next(tmp_path.glob("*.csv.gz"))
    encoding, word = ENCODED[kind]
    text = gzip.decompress(path.read_bytes()).decode().replace("POSTEROANTERIOR", word).replace("ImagingDyn", word)
    path.write_bytes(gzip.compress(text.encode(encoding)))
    with pytest.raises(DataError, match="is no CSV file in utf-8") as caught:
        listed(tmp_path)
    proposed, shown = re.findall(r"--encoding (\S+) reads it, with words such as '(\S+)'", caught.value.hint)[0]
    assert shown in text
    assert {record.extra["manufacturer"] for record in listed(tmp_path, encoding=proposed).records} == {
        f"{word}amicsCompanyLtd"
    }
    with pytest.raises(InputError, match="is no CSV file in ascii") as refused:
        listed(tmp_path, encoding="ascii")
    assert "name its own --encoding" in refused.value.hint
    with pytest.raises(UsageError, match="--encoding klingon is unknown"):
        listed(tmp_path, encoding="klingon")


def test_empty_cells_that_a_spreadsheet_left_out_at_the_end_of_lines_are_counted(tmp_path: Path) -> None:
    imitations.fracatlas(tmp_path)
    path = tmp_path / "dataset.csv"
    before = listed(tmp_path)
    text = path.read_text()
    path.write_text("\n".join(line[:-2] if line.endswith("1,0,0") else line for line in text.splitlines()))
    listing = listed(tmp_path)
    assert [(r.file, r.label, dict(r.extra)) for r in listing.records] == [
        (r.file, r.label, dict(r.extra)) for r in before.records
    ]
    note = "dataset.csv: 1 line has fewer cells than the header; those missing at the end are taken as empty"
    assert note in listing.notes
    path.write_text(text.replace("0,0,0,0,1,0,0,0,1,0,0", "0,0,0,0,1,0"))
    with pytest.raises(DataError, match=r"dataset.csv line 3 ends before column 'fractured'"):
        listed(tmp_path)


@pytest.mark.parametrize("name", ["shenzhen", "montgomery"])
def test_tuberculosis_is_the_last_figure_of_the_name(name: str, tmp_path: Path) -> None:
    listing = make(name, tmp_path)
    assert labels(listing) == {stem: "abnormal" if stem.endswith("1") else "normal" for stem in labels(listing)}
    assert len(listing.records) == 3
    assert all("ask" not in record.file for record in listing.records)


def test_covid_radiography_reads_no_masks(tmp_path: Path) -> None:
    listing = make("covid-radiography", tmp_path)
    assert counts(listing) == {("", "abnormal"): 6, ("", "normal"): 2}
    covid = listed(tmp_path, finding=("COVID",))
    assert reasons(covid) == {"other findings only": 4}
    assert Counter(labels(covid).values()) == {"abnormal": 2, "normal": 2}


def test_chest_xray_pneumonia_has_patients_in_names(tmp_path: Path) -> None:
    listing = make("chest-xray-pneumonia", tmp_path)
    assert counts(listing)[("train", "abnormal")] == 2
    assert len({record.patient for record in listing.records}) == 7
    imitations.draw(tmp_path, "chest_xray/test/PNEUMONIA/person3_virus_9.jpeg")
    assert {record.split for record in listed(tmp_path).records} == {""}
    imitations.draw(tmp_path, "chest_xray/test/NORMAL/person4_virus_9.jpeg")
    assert reasons(listed(tmp_path)) == {"its name and its directory contradict each other": 1}


def test_knee_grades_have_a_threshold(tmp_path: Path) -> None:
    listing = make("knee-kl", tmp_path)
    assert labels(listing)["9002116R"] == "abnormal"
    assert "9001695R" not in labels(listing)
    assert len(listing.records) == 6
    three = listed(tmp_path, finding=("grade3",), other_findings="normal")
    assert labels(three) | {"9002116R": "normal", "9001695R": "normal", "9007827L": "abnormal"} == labels(three)


def test_a_knee_of_each_split_makes_the_split_unused(tmp_path: Path) -> None:
    imitations.knee_kl(tmp_path)
    imitations.draw(tmp_path, "test/0/9001695R.png")
    (tmp_path / "train/1/9001695R.png").unlink()
    assert {record.split for record in listed(tmp_path).records} == {""}


def test_cbis_ddsm_is_malignant_if_any_finding_is(tmp_path: Path) -> None:
    listing = make("cbis-ddsm", tmp_path)
    by_case = {record.file.split("/")[1]: record.label for record in listing.records}
    assert by_case == {
        "Mass-Training_P_00001_LEFT_CC": "abnormal",
        "Mass-Training_P_00004_LEFT_CC": "abnormal",
        "Mass-Training_P_00009_RIGHT_MLO": "normal",
        "Mass-Test_P_00016_LEFT_CC": "normal",
        "Calc-Test_P_00038_LEFT_CC": "normal",
    }
    assert "1 mammograms have several findings" in listing.notes


def test_cbis_ddsm_on_kaggle_lies_in_directories_of_series(tmp_path: Path) -> None:
    imitations.cbis_ddsm(tmp_path)
    for number, path in enumerate(sorted((tmp_path / "CBIS-DDSM").glob("*/*/*full*/*.png"))):
        case = path.parts[-4]
        for file in tmp_path.glob("*.csv"):
            text = file.read_text()
            file.write_text(text.replace(f"{case}/1.3.6.1.4.1.9590.100.1.2.1/1.3.6.1.4.1.9590.100.1.2.2/",
                                         f"{case}/1.2.1/1.2.9.{number}/"))  # fmt: skip
        imitations.draw(tmp_path, f"jpeg/1.2.9.{number}/1-{number}.jpg")
        path.unlink()
    assert len(listed(tmp_path).records) == 5


def test_a_patient_of_both_halves_makes_the_split_of_cbis_ddsm_unused(tmp_path: Path) -> None:
    imitations.cbis_ddsm(tmp_path)
    path = tmp_path / "calc_case_description_test_set.csv"
    path.write_text(path.read_text().replace("P_00038,", "P_00001,"))
    assert {record.split for record in listed(tmp_path).records} == {""}


WRONG: dict[str, tuple[str, str, str, str]] = {  # list, what it has, what it gets, part of the message
    "chexpert": ("CheXpert-v1.0-small/train.csv", "AP,1.0,", "AP,maybe,", "'maybe' in column 'No Finding' is none of"),
    "fracatlas": ("dataset.csv", "IMG0000002.jpg,1", "IMG0000002.jpg,3", "'3' in column 'hand' is none of"),
    "grazpedwri-dx": ("dataset.csv", ",23r-M/2.1,,,,1,", ",23r-M/2.1,,,,x,", "'x' in column 'fracture_visible' is"),
    "vindr-cxr": ("annotations/image_labels_train.csv", "R15,0", "R15,7", "'7' in column 'Aortic enlargement' is"),
    "rsna-pneumonia": ("stage_2_train_labels.csv", ",,,,0", ",,,,5", "'5' is no target"),
    "cbis-ddsm": ("mass_case_description_test_set.csv", "BENIGN", "UNPROVEN", "'UNPROVEN' is no pathology"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_unknown_code_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    imitations.MAKERS[name](tmp_path)
    file, there, wrong, message = WRONG[name]
    text = (tmp_path / file).read_text()
    assert there in text
    (tmp_path / file).write_text(text.replace(there, wrong, 1))
    with pytest.raises(DataError, match=rf"{Path(file).name} line \d+: .*") as caught:
        listed(tmp_path, source=name)
    assert message in caught.value.message


def test_a_line_that_repeats_an_image_must_say_the_same(tmp_path: Path) -> None:
    imitations.nih_chestxray14(tmp_path)
    path = tmp_path / "Data_Entry_2017_v2020.csv"
    row = path.read_text().splitlines()[1]
    path.write_text(f"{path.read_text()}{row}\n")
    assert "1 lines repeat an image, with the same label, patient and split" in listed(tmp_path).notes
    path.write_text(path.read_text() + row.replace("Cardiomegaly", "Hernia") + "\n")
    with pytest.raises(DataError, match=r"00000001_000.png is listed twice"):
        listed(tmp_path)


def add_lines(path: Path, *lines: str) -> None:
    imitations.write(path, *path.read_text().splitlines(), *lines)


def test_a_contradiction_between_a_line_that_is_read_and_one_left_out_is_refused(tmp_path: Path) -> None:
    imitations.nih_chestxray14(tmp_path)
    add_lines(tmp_path / "Data_Entry_2017_v2020.csv", "00000002_000.png,Hernia,0,2,80,M,PA,2500,2048,0.171,0.171")
    with pytest.raises(DataError, match=r"00000002_000.png is listed twice"):
        listed(tmp_path, finding=("Emphysema",))


BOXES = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"


def test_a_reader_who_names_a_finding_and_none_contradicts_himself(tmp_path: Path) -> None:
    rows = ("a,No finding,14,R1,,,,", "a,Cardiomegaly,3,R1,1,1,2,2", "b,No finding,14,R1,,,,")
    imitations.write(tmp_path / "train.csv", BOXES, *rows)
    imitations.draw(tmp_path, "train/a.png", "train/b.png")
    listing = listed(tmp_path)
    assert labels(listing) == {"b": "normal"}
    assert reasons(listing) == {"says both that there is no finding and that there is one": 1}


def test_a_finding_in_another_spelling_is_the_same(tmp_path: Path) -> None:
    rows = ("a,cardiomegaly,3,R1,,,,", "b,Cardiomegaly,3,R1,1,1,2,2", "c,no finding,14,R1,,,,")
    imitations.write(tmp_path / "boxes/train.csv", BOXES, *rows)
    imitations.draw(tmp_path / "boxes", "a.png", "b.png", "c.png")
    assert labels(listed(tmp_path / "boxes", finding=("CARDIOMEGALY",))) == {
        "a": "abnormal", "b": "abnormal", "c": "normal",
    }  # fmt: skip
    imitations.padchest(tmp_path / "PadChest")
    path = tmp_path / "PadChest" / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    text = text.replace("['pleural effusion', ' cardiomegaly']", "['Pleural  effusion ', 'cardiomegaly']", 1)
    imitations.write(path, *text.splitlines())
    counted = Counter(labels(listed(tmp_path / "PadChest", finding=("pleural effusion",))).values())
    assert counted == {"abnormal": 2, "normal": 2}


def test_a_column_that_is_no_finding_of_vindr_is_refused(tmp_path: Path) -> None:
    imitations.vindr_cxr(tmp_path)
    path = tmp_path / "annotations/image_labels_train.csv"
    header, *rows = path.read_text().splitlines()
    imitations.write(path, header.upper(), *rows)
    assert len(listed(tmp_path).records) == 5
    imitations.write(path, f"{header},fold", *(f"{row},1" for row in rows))
    with pytest.raises(DataError, match="column 'fold' is no finding of VinDr-CXR"):
        listed(tmp_path)


def test_rsna_pneumonia_has_one_class_for_each_image(tmp_path: Path) -> None:
    imitations.rsna_pneumonia(tmp_path)
    path = tmp_path / "stage_2_detailed_class_info.csv"
    header, other, *rows = path.read_text().splitlines()
    imitations.write(path, header, other, *rows, other.replace("No Lung Opacity / Not Normal", "Normal"))
    with pytest.raises(DataError, match=r"line 6: .* has two classes"):
        listed(tmp_path)
    imitations.write(path, header, *rows)
    assert reasons(listed(tmp_path)) == {"it has no opacity, and the list of classes does not name it": 1}


def test_images_outside_the_splits_of_a_set_are_told(tmp_path: Path) -> None:
    imitations.nih_chestxray14(tmp_path)
    imitations.write(tmp_path / "train_val_list.txt", "00000001_000.png", "00000001_001.png", "00000001_002.png")
    assert "1 images are in none of the set's own splits, and count as training" in listed(tmp_path).warnings


def test_images_that_only_leaves_out_are_not_said_to_be_unlisted(tmp_path: Path) -> None:
    assert not any("on disk" in note for note in make("nih-chestxray14", tmp_path, only=("view=PA",)).notes)


def test_only_is_refused_where_a_set_tells_no_views(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--only: this set tells no views, parts or the like"):
        make("rsna-pneumonia", tmp_path, only=("view=PA",))


def test_mimic_joins_numbers_as_spreadsheets_and_pandas_write_them(tmp_path: Path) -> None:
    imitations.mimic_cxr_jpg(tmp_path)
    path = tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz"
    header, *rows = gzip.decompress(path.read_bytes()).decode().splitlines()
    imitations.write(path, header, *(re.sub(r"^(\d+),(\d+),", r"\1.0,\2.0,", row) for row in rows[:-1]))
    listing = listed(tmp_path, empty_label="normal")
    assert counts(listing) == {("train", "normal"): 2, ("valid", "abnormal"): 1, ("test", "normal"): 1}
    assert reasons(listing) == {"its study is not in the list of labels": 1}


def test_the_list_of_chexperts_test_images_may_lack_views(tmp_path: Path) -> None:
    imitations.chexpert(tmp_path)
    root = tmp_path / "CheXpert-v1.0-small"
    names = ",".join(imitations.CHEXPERT_HEADER.split(",")[5:])
    files = [f"test/patient64741/study1/view{view}.jpg" for view in ("1_frontal", "2_lateral")]
    lines = [f"{file},1.0,{','.join(['0.0'] * 13)}" for file in files]
    imitations.write(root / "test.csv", f"Path,{names}", *lines)
    imitations.draw(root, *files)
    listing = listed(tmp_path)
    views = {Path(record.file).stem: record.extra["view"] for record in listing.records if record.split == "test"}
    assert views == {"view1_frontal": "frontal", "view2_lateral": "lateral"}
    assert counts(listing)[("valid", "abnormal")] == 1


def test_chexperts_labels_of_other_programs_are_read_only_in_place_of_its_own(tmp_path: Path) -> None:
    imitations.chexpert(tmp_path)
    root = tmp_path / "CheXpert-v1.0-small"
    own = counts(listed(tmp_path))
    text = (root / "train.csv").read_text().replace("Frontal,AP,1.0,,", "Frontal,AP,,1.0,")
    (root / "train_cheXbert.csv").write_text(text)
    listing = listed(tmp_path)
    assert counts(listing) == own
    assert "train_cheXbert.csv not read: labels are the set's own" in listing.notes
    (root / "train.csv").unlink()
    assert counts(listed(tmp_path))[("train", "abnormal")] == own[("train", "abnormal")] + 1
    (root / "train_visualCheXbert.csv").write_text(text)
    with pytest.raises(DataError, match=r"labels of several programs: train_cheXbert.csv and train_visual"):
        listed(tmp_path)


@pytest.mark.parametrize("name", ["chest-xray-pneumonia", "covid-radiography", "knee-kl", "montgomery", "shenzhen"])
def test_a_second_copy_of_a_set_without_a_list_is_refused(name: str, tmp_path: Path) -> None:
    imitations.MAKERS[name](tmp_path / "224")
    imitations.MAKERS[name](tmp_path / "299")
    with pytest.raises(DataError, match=r"\d images are there several times, such as 224/.* and 299/"):
        listed(tmp_path, source=name)
    assert listed(tmp_path / "224", source=name).records


@pytest.mark.parametrize("name", ["chest-xray-pneumonia", "covid-radiography", "knee-kl", "montgomery", "shenzhen"])
def test_endings_of_another_format_or_case_are_read(name: str, tmp_path: Path) -> None:
    before = labels(make(name, tmp_path / "a"))
    imitations.MAKERS[name](tmp_path / "b")
    for file in [path for path in (tmp_path / "b").rglob("*") if path.suffix in (".png", ".jpeg")]:
        file.rename(file.with_suffix(".PNG"))
    assert labels(listed(tmp_path / "b")) == before


OWN_SETS = {
    "classes with their names before numbers": [
        f"{kind}/{kind}-{n}.png" for kind in ("Normal", "Fracture") for n in "12"
    ],
    "exports of a viewer": [f"train/{kind}/IM-0001-000{n}.jpg" for kind in ("NORMAL", "PNEUMONIA") for n in "12"],
    "numbers of two classes": [f"train/{kind}/900169{n}L.png" for kind in "01" for n in "12"],
}


@pytest.mark.parametrize("files", OWN_SETS.values(), ids=list(OWN_SETS))
def test_a_users_own_classes_are_no_public_set(files: list[str], tmp_path: Path) -> None:
    imitations.draw(tmp_path, *files)
    assert sources.find_public_sets(tmp_path) == []


def test_a_users_own_list_is_no_public_set(tmp_path: Path) -> None:
    imitations.write(tmp_path / "a.csv", "image_id,study_id,patient_id,projection,labels", "1.png,1,1,PA,normal")
    imitations.write(tmp_path / "b.csv", "image_id,class_name,rad_id", "1.png,normal,1")
    assert sources.find_public_sets(tmp_path) == []


def test_a_covid_image_in_another_directory_is_left_out(tmp_path: Path) -> None:
    imitations.covid_radiography(tmp_path)
    imitations.draw(tmp_path, "COVID-19_Radiography_Dataset/Normal/images/COVID-9.png")
    listing = listed(tmp_path)
    assert counts(listing) == {("", "abnormal"): 6, ("", "normal"): 2}
    assert reasons(listing) == {"its name and its directory contradict each other": 1}


def test_an_uncertain_mark_of_graz_is_refused(tmp_path: Path) -> None:
    imitations.grazpedwri_dx(tmp_path)
    path = tmp_path / "dataset.csv"
    path.write_text(path.read_text().replace("F,9,R,1,1,,,,,,,", "F,9,R,1,1,,,,,-1,,"))
    with pytest.raises(DataError, match="line 6: column 'fracture_visible' is neither 1 nor empty"):
        listed(tmp_path)


def test_a_mass_and_a_calcification_of_one_film_give_both_files_one_label(tmp_path: Path) -> None:
    imitations.cbis_ddsm(tmp_path)
    path = tmp_path / "calc_case_description_test_set.csv"
    path.write_text(path.read_text().replace("P_00038,", "P_00001,"))  # a benign one; the mass is malignant
    by_case = {record.file.split("/")[1]: record.label for record in listed(tmp_path).records}
    assert by_case["Mass-Training_P_00001_LEFT_CC"] == by_case["Calc-Test_P_00038_LEFT_CC"] == "abnormal"


def test_two_files_of_one_name_are_not_read(tmp_path: Path) -> None:
    imitations.nih_chestxray14(tmp_path)
    imitations.draw(tmp_path, "images_009/images/00000002_000.png")
    listing = listed(tmp_path)
    assert [file for file, _ in listing.lost()] == ["00000002_000.png"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("chexpert", {"label": "normal"}, "--label does not apply to --source chexpert"),
        ("chexpert", {"abnormal_class": "Edema"}, "--abnormal-class does not apply to --source chexpert"),
        ("chexpert", {"label_column": "Edema"}, "--label-column is read by --source table alone"),
        ("chexpert", {"patient_pattern": "p"}, "--patient-pattern does not apply to --source chexpert"),
        ("folder", {"finding": ("Mass",)}, "--finding is read by cbis-ddsm, "),
        ("mura", {"other_findings": "skip"}, "--other-findings is read by cbis-ddsm, "),
        ("folder", {"only": ("a=b",)}, "--only is read by --source table, dicom and public sets"),
    ],
)
def test_options_of_another_source_are_refused(
    name: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    maker: Callable[[Path], None] = imitations.MAKERS.get(name, imitations.chexpert)
    maker(tmp_path)
    with pytest.raises(UsageError, match=message):
        listed(tmp_path, source=name, **options)


def test_a_list_of_a_public_set_is_a_table_if_its_columns_are_named(tmp_path: Path) -> None:
    imitations.nih_chestxray14(tmp_path)
    name, listing = source_selection.list_images(
        Prepare(
            input=tmp_path, out=tmp_path / "out", image_column="Image Index", label_column="Finding Labels",
            normal_class="No Finding",
        )
    )  # fmt: skip
    assert (name, len(listing.records)) == ("table", 5)


def test_the_options_of_public_sets_are_no_settings_of_others() -> None:
    plain = Prepare(input=Path("a"), out=Path("b"))
    assert not {"finding", "other_findings"} & plain.identity().keys()
    chosen = Prepare(input=Path("a"), out=Path("b"), finding=("Mass",), other_findings="skip")
    assert {"finding": ["Mass"], "other_findings": "skip"}.items() <= chosen.identity().items()


PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "public-sets.md"
ROW = re.compile(r"^\| \[.*\(`([a-z0-9-]+)`\) \|.*\| `xrayaug (prepare .*)` \|$", re.MULTILINE)
COMMANDS = dict(ROW.findall(PAGE.read_text(encoding="utf-8")))


def test_every_source_of_a_set_is_in_the_table_of_the_documentation() -> None:
    assert COMMANDS.keys() == {*imitations.MAKERS, "mura", "rsna"}


@every_set
def test_the_command_of_the_documentation_prepares_the_imitation(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imitations.MAKERS[name](tmp_path / "raw")
    words = shlex.split(COMMANDS[name].replace("\\|", "|"))
    assert words[words.index("--source") + 1] == name
    words[words.index("--input") + 1] = "raw"
    words[words.index("--out") + 1] = "out"
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(
        cli.app, [*words, "--size", "8", "--workers", "1", "--max-lost", "0.5"], prog_name="xrayaug"
    )
    assert found.exit_code == 0, found.output
    result = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["result"]
    assert result["source"] == name
    assert result["notes"][1].startswith(f"labels of {name}: ")
    assert sum(sum(of_split.values()) for of_split in result["counts"].values()) == result["images"] > 0
