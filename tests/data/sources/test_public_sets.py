"""Public sets by name, each on an imitation of its own lists and names; see `imitations`."""

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


def test_fracatlas(tmp_path: Path) -> None:
    listing = make("fracatlas", tmp_path)
    assert labels(listing) == {"IMG0000000": "normal", "IMG0000001": "normal", "IMG0000002": "abnormal"}
    assert {record.extra["part"] for record in listing.records} == {"leg", "hand"}
    assert set(labels(listed(tmp_path, only=("part=hand",)))) == {"IMG0000001", "IMG0000002"}


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
        ("folder", {"only": ("a=b",)}, "--only is read by --source table alone"),
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
