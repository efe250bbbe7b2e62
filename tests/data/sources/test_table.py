from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from xrayaug.data.parsing import patients
from xrayaug.data.sources import Listing, Record, table
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.options import Prepare


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A set of three images, two of them in a directory."""
    (tmp_path / "x").mkdir()
    for file in ("a.png", "x/b.png", "x/c.jpg"):
        Image.new("L", (4, 4)).save(tmp_path / file)
    return tmp_path


def read(path: Path, text: str | None = None, **options: object) -> Listing:
    """Read the table at `path`, written there first where a text is given."""
    if text is not None:
        path.write_text(text)
    return table.read(Prepare(input=path, out=path.parent / "out", **options))  # type: ignore[arg-type]


def plain(listing: Listing) -> list[Record]:
    """The records without the columns that were kept."""
    return [replace(record, extra={}) for record in listing.records]


def labels_by_file(listing: Listing) -> dict[str, str]:
    return {record.file: record.label for record in listing.records}


def test_all_columns_of_a_list_are_read(root: Path) -> None:
    text = "Image,Label,Patient,Study,Split,Age\na.png,0,p1,s1,train,9\nx/b.png,1,p2,s1,val,8\nx/c.jpg,1,p2,s2,,7\n"
    assert plain(read(root / "t.csv", text)) == [
        Record("a.png", "normal", "p1", "p1/s1", "train"),
        Record("x/b.png", "abnormal", "p2", "p2/s1", "valid"),
        Record("x/c.jpg", "abnormal", "p2", "p2/s2", ""),
    ]


def test_unknown_patients_and_studies_are_unique_to_the_image(root: Path) -> None:
    listing = read(root / "t.csv", "file,class,patient\na.png,normal,p1\nx/b.png,abnormal,\n")
    assert [(r.patient, r.study) for r in listing.records] == [("p1", "a"), ("x/b", "x/b")]
    assert listing.notes == [
        "the patient of 1 images is unknown: each counts as a patient of its own",
        "the study of 2 lines is unknown: each image counts as a study of its own",
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_can_be_named(root: Path, delimiter: str) -> None:
    text = "Bild,Befund,Wer,Serie,Teil\nx\\b.png,krank,p,s,testing\na,gesund,q,s,training\n".replace(",", delimiter)
    listing = read(
        root / "t.csv",
        text,
        image_column="bild",
        label_column="befund",
        patient_column="wer",
        study_column="serie",
        split_column="teil",
        abnormal_class="krank",
    )
    assert plain(listing) == [
        Record("x/b.png", "abnormal", "p", "p/s", "test"),
        Record("a.png", "normal", "q", "q/s", "train"),
    ]


def test_lines_that_end_early_are_said_and_refused_where_a_needed_cell_is_missing(root: Path) -> None:
    listing = read(root / "t.csv", "file,label,patient,note\na.png,0,p1\nx/b.png,1,p2,seen\n")
    assert [dict(record.extra)["note"] for record in listing.records] == ["", "seen"]
    assert listing.notes[0].startswith("t.csv: 1 line has fewer cells than the header; those missing at the end")
    for column, line in (("label", "a.png"), ("patient", "a.png,0")):
        with pytest.raises(DataError, match=rf"t.csv line 2 ends before column '{column}'"):
            read(root / "t.csv", f"file,label,patient,note\n{line}\nx/b.png,1,p2,seen\n")
    assert len(read(root / "t.csv", "file,label,patient\na.png,0\nx/b.png,1\n", patient_column="none").records) == 2
    assert len(read(root / "t.csv", "file,patient,label\na.png,p\nx/b.png,q\n", label="normal").records) == 2


@pytest.mark.parametrize("word", ["1,0", "0,5"])
def test_a_decimal_comma_in_a_label_is_refused_with_a_hint(root: Path, word: str) -> None:
    with pytest.raises(DataError, match=f"'{word}' may be one number with a comma") as caught:
        read(root / "t.csv", f"file;label;age\na.png;{word};12,5\nx/b.png;0,0;7,0\n")
    assert "whole numbers" in caught.value.hint
    listing = read(root / "t.csv", "file;label;age\na.png;1;12,5\nx/b.png;0;7,0\n")
    assert [record.extra["age"] for record in listing.records] == ["12,5", "7,0"]


def test_a_directory_and_the_table_in_it(root: Path) -> None:
    (root / "t.csv").write_text("path,target\na.png,0\n")
    (root / "other.csv").write_text("name,value\n1,2\n")
    assert table.detect(root)
    assert labels_by_file(read(root)) == {"a.png": "normal"}
    (root / "u.csv").write_text("path,target\na.png,1\n")
    with pytest.raises(DataError, match=r"2 tables of images: t\.csv, u\.csv"):
        read(root)
    assert labels_by_file(read(root, table=Path("u.csv"))) == {"a.png": "abnormal"}


def test_a_table_apart_from_the_images(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    apart = tmp_path_factory.mktemp("apart") / "t.csv"
    apart.write_text("path,label\nb.png,0\n")
    listing = read(root / "x", table=apart)
    assert (listing.root, labels_by_file(listing)) == (root / "x", {"b.png": "normal"})
    with pytest.raises(InputError, match=r"gone\.csv does not exist"):
        read(root / "x", table=Path("gone.csv"))
    with pytest.raises(UsageError, match="and --table another"):
        read(apart, table=root / "t.csv")


def test_missing_columns_name_those_that_are_there(root: Path) -> None:
    with pytest.raises(DataError, match="no column of images; there are scan, label"):
        read(root / "t.csv", "scan,label\na.png,0\n")
    with pytest.raises(DataError, match="no column of labels; there are image, age"):
        read(root / "t.csv", "image,age\na.png,0\n")
    with pytest.raises(DataError, match="no column 'who'; there are image, label"):
        read(root / "t.csv", "image,label\na.png,0\n", patient_column="who")
    with pytest.raises(DataError, match=r"no CSV file in .* t\.csv has image, label"):
        read(root, image_column="scan")


def test_one_label_for_all(root: Path) -> None:
    assert labels_by_file(read(root / "t.csv", "image,age\na.png,0\n", label="normal")) == {"a.png": "normal"}
    listing = read(root / "t.csv", "image,target\na.png,\n", label="abnormal")
    assert labels_by_file(listing) == {"a.png": "abnormal"}
    assert listing.notes[0] == "--label is given: the column 'target' is not read"
    with pytest.raises(UsageError, match="--label and --label-column"):
        read(root / "t.csv", label="normal", label_column="target")


@pytest.mark.parametrize(("no", "yes"), [("0", "1"), ("0.0", "1.0"), ("False", "True"), ("negative", "Positive")])
def test_usual_words_for_labels(root: Path, no: str, yes: str) -> None:
    listing = read(root / "t.csv", f"image,abnormal\na.png,{no}\nx/b.png,{yes}\n")
    assert labels_by_file(listing) == {"a.png": "normal", "x/b.png": "abnormal"}


def test_labels_and_splits_that_say_nothing_are_errors_with_a_line(root: Path) -> None:
    with pytest.raises(DataError, match="line 3: 'grey'"):
        read(root / "t.csv", "image,label\na.png,0\nx/b.png,grey\n")
    with pytest.raises(DataError, match="line 2: 'A' is no split"):
        read(root / "t.csv", "image,label,split\na.png,0,A\n")
    with pytest.raises(DataError, match=r"'ill'.* sick, well"):
        read(root / "t.csv", "image,label\na.png,sick\nx/b.png,well\n", abnormal_class="ill")


@pytest.mark.parametrize("path", ["../a.png", "x/../../a.png", "/a.png", "C:\\a.png", "x\\..\\..\\a.png"])
def test_paths_that_lead_out_are_refused_with_their_line(root: Path, path: str) -> None:
    with pytest.raises(DataError, match=r"line 3: the path .* leads out of the set"):
        read(root / "t.csv", f"image,label\na.png,0\n{path},0\n")


def test_lines_without_use_are_skipped_with_the_reason(root: Path) -> None:
    text = f"image,label\na.png,0\ngone.png,0\n,1\nx/b.png,\nx,0\n{'n' * 400},0\n"
    assert read(root / "t.csv", text).skipped == [
        ("gone.png", "listed but not on disk"),
        ("line 4", "names no image"),
        ("x/b.png", "no label"),
        ("x", "listed but not on disk"),
        ("n" * 400, "listed but not on disk"),
    ]


def test_none_of_the_listed_images_on_disk_is_an_error(root: Path) -> None:
    with pytest.raises(InputError, match=r"none of the 1 images .*gone\.png"):
        read(root / "t.csv", "image,label\ngone.png,0\n")
    with pytest.raises(InputError, match="only a header"):
        read(root / "t.csv", "image,label\n")


def test_lines_that_repeat_an_image_are_noted_or_refused(root: Path) -> None:
    listing = read(root / "t.csv", "image,label,patient,study\na.png,0,p,s\n./a.png,0,p,s\na,0,p,s\n")
    assert len(listing.records) == 1
    assert listing.notes == ["2 lines repeat an image, with the same label, patient, study and split"]
    with pytest.raises(DataError, match=r"line 3 contradicts an earlier line on a\.png"):
        read(root / "t.csv", "image,label\na.png,0\na.png,1\n")


def test_detection_wants_a_column_of_images(root: Path) -> None:
    (root / "t.csv").write_text("name,label\na.png,0\n")
    assert not table.detect(root)
    assert not table.detect(root / "t.csv")
    assert not table.detect(root / "a.png")
    (root / "t.csv").write_text("FILENAME\na.png\n")
    assert table.detect(root)
    assert table.detect(root / "t.csv")


def test_nothing_there_is_an_error(root: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read(root / "gone.csv")
    with pytest.raises(InputError, match="holds no CSV file"):
        read(root / "x")


def findings(root: Path) -> str:
    for name in ("a", "b", "c", "d"):
        (root / f"images_{name}").mkdir()
        Image.new("L", (4, 4)).save(root / f"images_{name}" / f"0{name}.png")
    return "image,label,view\n0a.png,No Finding,PA\n0b,Mass|Nodule,AP\n0c.png,Mass,PA\n0d.png,,PA\n"


def test_images_are_found_by_their_names_below_the_root(root: Path) -> None:
    listing = read(root / "t.csv", findings(root), normal_class="no finding")
    assert labels_by_file(listing) == {
        "images_a/0a.png": "normal", "images_b/0b.png": "abnormal", "images_c/0c.png": "abnormal",
    }  # fmt: skip
    assert listing.skipped == [("images_d/0d.png", "no label")]


def test_a_name_in_several_places_is_skipped_and_a_path_is_looked_for_nowhere_else(root: Path) -> None:
    text = findings(root)
    Image.new("L", (4, 4)).save(root / "images_d" / "0a.png")
    listing = read(root / "t.csv", text + "x/0c.png,Mass,PA\n", normal_class="No Finding")
    assert listing.skipped[0] == ("0a.png", "in several places: images_a/0a.png, images_d/0a.png")
    assert listing.skipped[-1] == ("x/0c.png", "listed but not on disk")


def test_several_classes_and_an_empty_cell_can_be_named(root: Path) -> None:
    given = {"abnormal_class": "Mass, Mass|Nodule", "empty_label": "normal"}
    listing = read(root / "t.csv", findings(root), **given)
    assert [record.label for record in listing.records] == ["normal", "abnormal", "abnormal", "normal"]
    both = {"normal_class": "No Finding", "abnormal_class": "Mass"}
    assert [record.label for record in read(root / "t.csv", **both).records] == ["normal", "abnormal", "abnormal"]
    with pytest.raises(DataError, match=r"line 4: 'Mass' is in neither"):
        read(root / "t.csv", normal_class="No Finding", abnormal_class="Nodule")
    with pytest.raises(DataError, match="'mass' is named as normal and as abnormal"):
        read(root / "t.csv", normal_class="MASS", abnormal_class="Mass")
    with pytest.raises(DataError, match=r"'Hernia'.* Mass, Mass\|Nodule, No Finding"):
        read(root / "t.csv", normal_class="No Finding,Hernia")


def test_a_class_with_a_comma_in_its_name_is_one(root: Path) -> None:
    text = 'image,label\na.png,"fracture, healed"\nx/b.png,none seen\n'
    assert labels_by_file(read(root / "t.csv", text, abnormal_class="Fracture, healed")) == {
        "a.png": "abnormal", "x/b.png": "normal",
    }  # fmt: skip


def test_only_some_lines_can_be_read(root: Path) -> None:
    text = "image,label,hand,view\na.png,0,1.0,PA\nx/b.png,1,1,AP\nx/c.jpg,elsewhere,0,PA\n"
    listing = read(root / "t.csv", text, only=("Hand=1",))
    assert labels_by_file(listing) == {"a.png": "normal", "x/b.png": "abnormal"}
    assert listing.notes[0] == "--only: 2 of 3 lines are read"
    assert labels_by_file(read(root / "t.csv", only=("hand=1", "view = ap"))) == {"x/b.png": "abnormal"}
    with pytest.raises(DataError, match=r"no line of .*t\.csv has view=LL"):
        read(root / "t.csv", only=("view=LL",))
    with pytest.raises(DataError, match=r"'foot'.* image, label, hand, view"):
        read(root / "t.csv", only=("foot=1",))
    with pytest.raises(UsageError, match="--only hand is no condition"):
        read(root / "t.csv", only=("hand",))


def test_patients_can_be_found_in_the_paths(root: Path) -> None:
    text = "image,label,patient,study\na.png,0,q,s1\nx/b.png,1,,s1\nx/c.jpg,1,,\n"
    listing = read(root / "t.csv", text, patient_pattern=r"([abc])\.")
    assert [(record.patient, record.study) for record in listing.records] == [
        ("a", "a/s1"),
        ("b", "b/s1"),
        ("c", "x/c"),
    ]
    assert listing.notes == ["the study of 1 lines is unknown: each image counts as a study of its own"]
    with pytest.raises(UsageError, match="--patient-pattern and --patient-column"):
        read(root / "t.csv", patient_pattern="a", patient_column="patient")


def on_three(root: Path, header: str, *lines: str, **options: object) -> Listing:
    """Read a table whose lines are of a.png, x/b.png and x/c.jpg."""
    files = ("a.png", "x/b.png", "x/c.jpg")
    rows = [f"{file},{line}" for file, line in zip(files, lines, strict=False)]
    return read(root / "t.csv", "\n".join([f"image,{header}", *rows]) + "\n", **options)


@pytest.mark.parametrize("options", [{}, {"normal_class": "0", "abnormal_class": "1"}, {"abnormal_class": "1"}])
def test_minus_one_is_uncertain_and_left_out(root: Path, options: dict[str, str]) -> None:
    listing = on_three(root, "label", "0", "1", "-1.0", **options)
    assert labels_by_file(listing) == {"a.png": "normal", "x/b.png": "abnormal"}
    assert listing.skipped == [("x/c.jpg", "uncertain label")]
    assert "1 labels are '-1.0'" in listing.warnings[0]


@pytest.mark.parametrize("label", ["normal", "abnormal"])
def test_the_user_decides_what_uncertain_is(root: Path, label: str) -> None:
    assert labels_by_file(on_three(root, "label", "0", "1", "-1", unsure_label=label))["x/c.jpg"] == label


def test_a_column_whose_name_means_normal_is_not_turned_round(root: Path) -> None:
    listing = on_three(root, "No Finding,Mass", "1.0,", "0.0,1.0", ",1.0", label_column="No Finding")
    assert labels_by_file(listing) == {"a.png": "normal", "x/b.png": "abnormal"}
    named = on_three(root, "No Finding", "1", "0", "0", label_column="no finding", abnormal_class="0")
    assert set(labels_by_file(named).values()) == {"normal", "abnormal"}
    with pytest.raises(DataError, match="'No Finding' means normal"):
        on_three(root, "No Finding", "1", "0", "0", label_column="No Finding", abnormal_class="1")
    with pytest.raises(DataError, match="'Non-displaced fracture'"):
        on_three(root, "Non-displaced fracture", "1", "0", "0", label_column="Non-displaced fracture")


def test_words_and_columns_are_reported(root: Path) -> None:
    listing = on_three(root, "Finding,Patient ID", "Mass,1", "none,2", "Efusion,2.0", abnormal_class="Mass")
    assert [each.to_dict() for each in listing.words] == [
        {"word": "Efusion", "count": 1, "label": "normal"},
        {"word": "Mass", "count": 1, "label": "abnormal"},
        {"word": "none", "count": 1, "label": "left out: no label"},
    ]
    assert listing.columns == {"image": "image", "label": "Finding", "patient": "Patient ID"}
    listing = on_three(root, "finding", "Effusion", "Efusion", "normal", abnormal_class="Effusion")
    assert "'efusion' is not 'effusion'" in listing.warnings[0]


@pytest.mark.parametrize("word", ["NA", "nan", "#N/A", "None", "-", "null"])
def test_a_missing_patient_is_unknown_and_no_patient_of_that_name(root: Path, word: str) -> None:
    listing = on_three(root, "label,patient", "0,7.0", f"1,{word}", f"1,{word}")
    assert [record.patient for record in listing.records] == ["7", "x/b", "x/c"]
    assert [record.patient_known for record in listing.records] == [True, False, False]


def test_patients_that_lost_zeros_are_refused(root: Path) -> None:
    with pytest.raises(DataError, match="007 and 7"):
        on_three(root, "label,mrn", "0,007", "1,7", "1,8")


def test_columns_that_are_not_used_are_named(root: Path) -> None:
    listing = on_three(root, "label,Patienten-Nr,fold", "0,a,1", "1,b,2", "1,c,3")
    assert [("'Patienten-Nr'" in line, "'fold'" in line) for line in listing.warnings] == [(True, False), (False, True)]
    declined = {"patient_column": "none", "split_column": "none"}
    listing = on_three(root, "label,patient,split", "0,a,A", "1,b,B", "1,c,C", **declined)
    assert listing.warnings == []
    assert not any(record.patient_known or record.split for record in listing.records)


def test_columns_are_kept_beside_ours(root: Path) -> None:
    listing = on_three(root, "label,view,sex", "0,AP,F", "1,PA,M", "1,,F")
    assert [dict(record.extra) for record in listing.records] == [
        {"label": "0", "view": "AP", "sex": "F"},
        {"label": "1", "view": "PA", "sex": "M"},
        {"label": "1", "view": "", "sex": "F"},
    ]
    assert dict(read(root / "t.csv", keep_columns=("view",)).records[0].extra) == {"view": "AP"}
    assert not read(root / "t.csv", keep_columns=("none",)).records[0].extra


def test_lines_of_one_image_keep_all_their_values(root: Path) -> None:
    listing = read(root / "t.csv", "image,label,x\na.png,1,10\na.png,1,20\na.png,1,10\n")
    assert dict(listing.records[0].extra) == {"label": "1", "x": "10|20"}


def test_conditions_take_several_values_and_exclude(root: Path) -> None:
    text = "image,label,view\na.png,0,PA\nx/b.png,1,AP\nx/c.jpg,1,LL\n"
    assert labels_by_file(read(root / "t.csv", text, only=("view=PA|ap",))).keys() == {"a.png", "x/b.png"}
    assert labels_by_file(read(root / "t.csv", only=("view!=LL", "view != PA"))).keys() == {"x/b.png"}
    assert labels_by_file(read(root / "t.csv", only=("view!=LL|PA",))).keys() == {"x/b.png"}
    with pytest.raises(DataError, match="view=XX"):
        read(root / "t.csv", only=("view=PA|XX",))
    with pytest.raises(DataError, match="view=XX"):
        read(root / "t.csv", only=("view!=XX",))


def test_paths_that_begin_above_the_root_are_found(root: Path) -> None:
    name = root.name
    listing = read(root / "t.csv", f"path,label\n{name}/x/b.png,0\n{name}/x/c.jpg,1\nother/x/b.png,1\n")
    assert labels_by_file(listing) == {"x/b.png": "normal", "x/c.jpg": "abnormal"}
    assert listing.skipped == [("other/x/b.png", "listed but not on disk")]
    assert f"'{name}/'" in listing.notes[0]
    assert labels_by_file(read(root / "t.csv", "path,label\nold/x/b.png,0\nold/a.png,1\n")).keys() == {
        "x/b.png",
        "a.png",
    }
    assert labels_by_file(read(root / "x" / "t.csv", "path,label\nx/b.png,0\n")) == {"b.png": "normal"}
    (root / "other").mkdir()
    with pytest.raises(InputError, match="not on disk"):  # of the directory beside it, not of this one
        read(root / "x" / "t.csv", "path,label\nother/b.png,0\n")


@pytest.mark.parametrize("start", ["/data/of/someone/", "D:\\", "C:/x/"])
def test_paths_of_another_computer_are_found_by_the_root_s_name(root: Path, start: str) -> None:
    listing = read(root / "t.csv", f"path,label\n{start}{root.name}/x/b.png,0\n")
    assert labels_by_file(listing) == {"x/b.png": "normal"}
    assert start in listing.notes[0]


def test_images_of_a_study_stay_together_where_patients_are_unknown(root: Path) -> None:
    listing = on_three(root, "label,study_id", "0,s1", "1,s1", "1,")
    assert [(record.patient, record.patient_known) for record in listing.records] == [
        ("study:s1", False), ("study:s1", False), ("x/c", False),
    ]  # fmt: skip


def test_a_name_without_suffix_that_two_files_have_is_no_file_s(root: Path) -> None:
    Image.new("L", (4, 4)).save(root / "x" / "b.jpg")
    listing = read(root / "t.csv", "path,label\nx/b,0\na,1\n")
    assert labels_by_file(listing) == {"a.png": "abnormal"}
    assert listing.skipped[0][1].startswith("in several places")


def test_labels_that_the_directories_contradict_are_refused_or_named(tmp_path: Path) -> None:
    files = [f"{name}/{number}.png" for name in ("fractured", "normal") for number in range(3)]
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / file)
    turned = "".join(f"{file},{int('normal' in file)}\n" for file in files)
    with pytest.raises(DataError, match="6 of 6 labels contradict"):
        read(tmp_path / "t.csv", f"file,label\n{turned}")
    right = "".join(f"{file},{int('fractured' in file)}\n" for file in files)
    assert read(tmp_path / "t.csv", f"file,label\n{right}").warnings == []
    assert "1 of 6 labels" in read(tmp_path / "t.csv", f"file,label\n{right}".replace("2.png,1", "2.png,0")).warnings[0]


def test_labels_that_another_column_contradicts_are_refused(root: Path) -> None:
    with pytest.raises(DataError, match="3 of 3 labels contradict column 'class_name'"):
        on_three(root, "label,class_name", "1,normal", "0,fractured", "0,Fractured")
    assert on_three(root, "label,class_name", "0,normal", "1,fractured", "1,abnormal").warnings == []


def test_a_label_that_is_given_and_left_out_is_a_contradiction(root: Path) -> None:
    for first, second in (("0", "-1"), ("-1", "0")):
        with pytest.raises(DataError, match=r"contradicts an earlier line on a\.png"):
            read(root / "t.csv", f"image,label\nx/b.png,0\na.png,{first}\na.png,{second}\n")


def test_patients_of_a_pattern_are_written_alike() -> None:
    with pytest.raises(DataError, match="07 and 7"):
        patients.unify_patients([Record(name, "normal", name, name) for name in ("7", "07")], "x")
    one, _ = patients.unify_patients([Record(name, "normal", name, name) for name in ("P1", "p1")], "x")
    assert {record.patient for record in one} == {"P1"}


def many(root: Path, header: str, line: Callable[[int], str], **options: object) -> Listing:
    """Read a table of 24 images."""
    for number in range(24):
        Image.new("L", (4, 4)).save(root / f"m{number}.png")
    text = f"file,label,{header}\n" + "".join(f"m{n}.png,{n % 2},{line(n)}\n" for n in range(24))
    return read(root / "t.csv", text, **options)


@pytest.mark.parametrize(
    ("header", "line", "said"),
    [
        ("sujeto", lambda n: f"S{n // 2}", "'sujeto'"),
        ("phase", lambda n: "train" if n % 3 else "TEST", "--split-column 'phase'"),
        ("case", lambda n: str(n % 2), "only 2 patients"),
        ("patient", lambda n: "" if n % 2 else str(n), "merged cells"),
        ("age", lambda n: str(n // 2), ""),
        ("note", lambda n: f"text {n}", ""),
    ],
)
def test_values_that_tell_of_a_column_s_use_are_named(
    root: Path, header: str, line: Callable[[int], str], said: str
) -> None:
    warnings = many(root, header, line).warnings
    assert any(said in warning for warning in warnings) if said else warnings == []


def test_a_path_from_the_file_system_s_root_is_taken_if_it_lies_in_the_set(root: Path) -> None:
    assert labels_by_file(read(root / "t.csv", f"path,label\n{root}/x/b.png,0\n")) == {"x/b.png": "normal"}


def test_spellings_on_disk_are_found_and_reported_but_no_file_is_taken_twice(root: Path) -> None:
    listing = read(root / "t.csv", "path,label\nA.PNG,0\nx/b.jpeg,1\nX/C.jpg,0\nx/c.jpg,1\n")
    assert labels_by_file(listing) == {"a.png": "normal", "x/b.png": "abnormal", "x/c.jpg": "abnormal"}
    assert listing.skipped == [("X/C.jpg", "listed but not on disk")]
    assert len(listing.warnings) == 2


def test_a_workbook_is_refused_with_what_to_do(root: Path) -> None:
    (root / "t.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"t\.xlsx is a workbook"):
        read(root / "t.xlsx")
    with pytest.raises(InputError, match="no CSV file") as problem:
        read(root)
    assert "t.xlsx" in problem.value.hint


def test_lines_of_several_findings_of_an_image_count_like_a_cell_of_several(root: Path) -> None:
    text = "image,finding\na.png,Mass\na.png,Effusion\na.png,Hernia\nx/b.png,Mass\n"
    listing = read(root / "t.csv", text, label_column="finding", abnormal_class="Effusion")
    assert labels_by_file(listing) == {"a.png": "abnormal", "x/b.png": "normal"}
    assert "2 of them name another finding" in listing.notes[-2]
    for word in ("No finding", "normal", "0"):  # a reader who disagrees
        with pytest.raises(DataError, match=r"contradicts an earlier line on a\.png"):
            read(root / "t.csv", f"image,finding\na.png,Effusion\na.png,{word}\n", abnormal_class="Effusion")
