"""Prepare counts as the thesis does, splits without leaks, and leaves out nothing in silence."""

import csv
import gzip
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import write_png
from PIL import Image

from xrayaug.data.dataset import open_dataset
from xrayaug.data.images import arrays, decoding
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.options import Prepare
from xrayaug.runtime.stopping import Interval
from xrayaug.stages import prepare
from xrayaug.storage import files
from xrayaug.storage.artifacts import open_artifact

# MURA's hands: (split, label) -> images, studies
MURA_HANDS = {
    ("train", "negative"): (4059, 1497),
    ("train", "positive"): (1484, 521),
    ("valid", "negative"): (271, 101),
    ("valid", "positive"): (189, 66),
}
SEVERAL, BOTH_LABELS = 70, 25  # patients of train with two studies, and those of them with both labels

TABLE_1 = {"train_normal": 1497, "train_abnormal": 521, "test_normal": 101, "test_abnormal": 66}
TABLE_2 = {"train_normal": 4059, "train_abnormal": 1484, "test_normal": 271, "test_abnormal": 189}
TABLE_3 = {
    "train": {"normal": 3653, "abnormal": 1336},
    "valid": {"normal": 406, "abnormal": 148},
    "test": {"normal": 271, "abnormal": 189},
}


def picture(number: int, size: int = 8) -> Pixels:
    """Return an image that differs for every number."""
    return np.random.default_rng(number).integers(0, 256, (size, size)).astype(np.uint8)


def patients_of(split: str, label: str, studies: int) -> Iterator[tuple[int, int]]:
    """Patient and study number of each study."""
    for study in range(studies):
        if split == "valid":
            yield 11_000 + study + (1000 if label == "positive" else 0), 1
        elif label == "positive" and study < BOTH_LABELS:
            yield study, 2  # the patients of the first negative studies
        elif label == "negative" and BOTH_LABELS <= study < 2 * SEVERAL - BOTH_LABELS:
            yield BOTH_LABELS + (study - BOTH_LABELS) // 2, 1 + (study - BOTH_LABELS) % 2
        else:
            yield study + (5000 if label == "positive" else 0), 1


def write_mura_hands(root: Path) -> None:
    """Write a MURA tree with the numbers of images, studies and patients that the real one has of hands."""
    number = 0
    for (split, label), (images, studies) in MURA_HANDS.items():
        least, more = divmod(images, studies)  # so many studies have one image more
        for place, (patient, study) in enumerate(patients_of(split, label, studies)):
            folder = root / f"MURA-v1.1/{split}/XR_HAND/patient{patient:05}/study{study}_{label}"
            for view in range(1, least + (place < more) + 1):
                write_png(folder / f"image{view}.png", picture(number))
                number += 1


@pytest.fixture(scope="module")
def mura(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of `write_mura_hands`."""
    root = tmp_path_factory.mktemp("mura")
    write_mura_hands(root)
    return root


def write_folder(
    root: Path, per_class: int = 20, classes: tuple[str, ...] = ("normal", "abnormal"), first: int = 0
) -> Path:
    """One directory per class, every picture different."""
    for place, name in enumerate(classes):
        for number in range(per_class):
            write_png(root / name / f"{number:02}.png", picture(first + 1000 * place + number))
    return root


def command(raw: Path, out: Path, **changes: Any) -> Prepare:
    return Prepare(**{"input": raw, "size": 8, "out": out, **changes})


def splits_of_patients(out: Path) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in open_dataset(out).rows:
        found[row.patient].add(row.split)
    return found


def test_the_thesiss_tables_exactly(mura: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = prepare.run(command(mura, tmp_path / "out", source="mura", split_by="image"))
    assert result["studies_by_part"] == {"hand": TABLE_1}
    assert result["images_by_part"] == {"hand": TABLE_2}
    assert result["counts"] == TABLE_3
    assert (result["images"], result["skipped"], result["duplicates"]["pictures"]) == (6003, 0, 0)
    assert result["patients_in_two_splits"] > 0
    assert f"--split-by image: {result['patients_in_two_splits']} patients are in more" in capsys.readouterr().err
    opened = open_dataset(tmp_path / "out")
    assert opened.split_by == "image"
    np.testing.assert_array_equal(opened.arrays["images.npy"].shape, (6003, 8, 8))
    shown = {table.title.split(":")[0]: table.rows for table in prepare.tables(result)}
    assert shown["Table 1"] == [("hand", "1,497", "521", "101", "66", "2,185")]
    assert shown["Table 2"] == [("hand", "4,059", "1,484", "271", "189", "6,003")]
    assert shown["Table 3"] == [("3,653", "1,336", "406", "148", "271", "189", "6,003")]


def test_by_patient_no_patient_is_in_two_splits(mura: Path, tmp_path: Path) -> None:
    result = prepare.run(command(mura, tmp_path / "out", source="mura"))
    assert result["patients_in_two_splits"] == 0
    assert all(len(splits) == 1 for splits in splits_of_patients(tmp_path / "out").values())
    for split, wanted in TABLE_3.items():
        for label, number in wanted.items():
            assert abs(result["counts"][split][label] - number) <= 4, (split, label)
    assert result["counts"]["test"] == TABLE_3["test"]


def test_a_plan_is_what_a_run_gives(tmp_path: Path) -> None:
    options = command(write_folder(tmp_path / "raw"), tmp_path / "out", test=0.2)
    planned = prepare.plan(options)
    made = prepare.run(options)
    assert {name: made[name] for name in planned} == planned
    assert made == open_artifact(tmp_path / "out", "dataset").result


def test_patients_stay_together(tmp_path: Path) -> None:
    for patient in range(30):
        for study in (1, 2):
            for view in (1, 2):
                label = "positive" if patient % 3 == 0 and study == 1 else "negative"
                file = f"train/XR_HAND/patient{patient:05}/study{study}_{label}/image{view}.png"
                write_png(tmp_path / "raw" / file, picture(patient * 10 + study * 2 + view))
    prepare.run(command(tmp_path / "raw", tmp_path / "out", source="mura", holdout=0.3, test=0.2))
    assert all(len(splits) == 1 for splits in splits_of_patients(tmp_path / "out").values())
    assert {row.split for row in open_dataset(tmp_path / "out").rows} == {"train", "valid", "test"}


def test_test_and_holdout_shares(tmp_path: Path) -> None:
    raw = write_folder(tmp_path / "raw", 50)
    result = prepare.run(command(raw, tmp_path / "out", test=0.2, holdout=0.25))
    assert result["counts"] == {
        "train": {"normal": 30, "abnormal": 30},
        "valid": {"normal": 10, "abnormal": 10},  # of the 40 that are not test
        "test": {"normal": 10, "abnormal": 10},
    }


def test_the_default_holdout_is_a_tenth_where_there_are_two_classes(tmp_path: Path) -> None:
    raw = write_folder(tmp_path / "raw")
    assert prepare.run(command(raw, tmp_path / "out"))["counts"]["valid"] == {"normal": 2, "abnormal": 2}


def test_the_default_holdout_is_none_where_there_is_one_class(tmp_path: Path) -> None:
    raw = write_folder(tmp_path / "raw", classes=("normal",))
    assert prepare.run(command(raw, tmp_path / "out"))["counts"] == {"train": {"normal": 20}}
    assert prepare.plan(command(raw, tmp_path / "out", holdout=0.1))["counts"]["valid"] == {"normal": 2}


@pytest.mark.parametrize(("given", "flag"), [("valid", "holdout"), ("test", "test")])
def test_a_split_that_the_set_names_is_not_added_to(tmp_path: Path, given: str, flag: str) -> None:
    raw = tmp_path / "raw"
    write_folder(raw / "train")
    write_png(raw / given / "normal" / "0.png", picture(9999))
    kept = prepare.plan(command(raw, tmp_path / "out"))["counts"]
    assert kept[given]["normal"] >= 1
    with pytest.raises(DataError, match=f"the set has {given} images of its own") as refusal:
        prepare.run(command(raw, tmp_path / "out", **{flag: 0.1}))
    assert refusal.value.hint == f"--{flag} 0"


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(tmp_path: Path, workers: int) -> None:
    raw = write_folder(tmp_path / "raw")
    (raw / "normal" / "bad.png").write_bytes(b"no picture")
    names = ("images.npy", "index.csv", "skipped.csv")
    prepare.run(command(raw, tmp_path / "first", workers=1))
    prepare.run(command(raw, tmp_path / "second", workers=workers))
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_another_seed_gives_another_split_of_the_same_images(tmp_path: Path) -> None:
    raw = write_folder(tmp_path / "raw")
    valid = []
    for seed in (0, 1):
        prepare.run(command(raw, tmp_path / f"{seed}", seed=seed))
        valid.append({row.file for row in open_dataset(tmp_path / f"{seed}").select(split="valid")})
    assert valid[0] != valid[1]
    assert (tmp_path / "0" / "images.npy").read_bytes() == (tmp_path / "1" / "images.npy").read_bytes()


def test_pictures_and_rows_belong_together(tmp_path: Path) -> None:
    raw = write_folder(tmp_path / "raw")
    prepare.run(command(raw, tmp_path / "out", workers=2))
    opened = open_dataset(tmp_path / "out")
    for row, pixels in zip(opened.rows, opened.pixels(opened.rows), strict=True):
        label, name = Path(row.file).parts[-2:]
        number = 1000 * (label == "abnormal") + int(Path(name).stem)
        np.testing.assert_array_equal(pixels, picture(number))
        assert (row.label, row.source, row.synthetic) == (label, "folder", False)


def test_a_layout_that_was_detected_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare.plan(command(write_folder(tmp_path / "raw"), tmp_path / "out"))
    assert f"{tmp_path / 'raw'} looks like a 'folder' set" in capsys.readouterr().err


def test_a_layout_that_is_none_is_explained(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "notes.txt").write_text("nothing here")
    with pytest.raises(InputError, match=r"looks like none of cbis-ddsm, .*, mura, .*, rsna, .*, table, vindr-cxr"):
        prepare.run(command(tmp_path / "raw", tmp_path / "out"))


def test_a_missing_input_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        prepare.run(command(tmp_path / "raw", tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n half a file"])
def test_an_unusable_file_is_skipped_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    raw = write_folder(tmp_path / "raw")
    (raw / "normal" / "bad.png").write_bytes(content)
    result = prepare.run(command(raw, tmp_path / "out"))
    assert (result["images"], result["skipped"]) == (40, 1)
    with (tmp_path / "out" / "skipped.csv").open(newline="") as file:
        (listed,) = csv.DictReader(file)
    assert listed["file"] == "normal/bad.png"
    assert listed["reason"]
    assert f"skipped normal/bad.png: {listed['reason']}" in capsys.readouterr().err


def test_strictly_an_unusable_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    raw = write_folder(tmp_path / "raw")
    (raw / "normal" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"normal/bad\.png: "):
        prepare.run(command(raw, tmp_path / "out", strict=True))
    assert not (tmp_path / "out").exists()


def test_a_set_without_one_usable_image_is_an_error(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for name in ("normal", "abnormal"):
        (raw / name).mkdir(parents=True)
        (raw / name / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"no usable image .*bad\.png"):
        prepare.run(command(raw, tmp_path / "out"))


def test_hidden_copies_of_another_system_are_not_there(tmp_path: Path) -> None:
    raw = write_folder(tmp_path / "raw")
    (raw / "normal" / "._00.png").write_bytes(b"AppleDouble")
    result = prepare.run(command(raw, tmp_path / "out", strict=True))
    assert (result["images"], result["skipped"]) == (40, 0)


def listed(out: Path) -> dict[str, str]:
    """Return the content of skipped.csv."""
    with (out / "skipped.csv").open(newline="") as file:
        return {line["file"]: line["reason"] for line in csv.DictReader(file)}


def test_losses_are_counted_with_their_share(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_folder(tmp_path / "raw", 50)
    (raw / "normal" / "link.png").symlink_to("nowhere.png")
    (raw / "normal" / "bad.png").write_bytes(b"no picture")
    (raw / "normal" / "notes.txt").write_text("no image, and no loss")
    assert prepare.run(command(raw, tmp_path / "out"))["lost"] == 2
    assert "2 of 102 images are lost (2 %; broken links: 1, unusable: 1)" in capsys.readouterr().err
    assert listed(tmp_path / "out")["normal/link.png"] == "a broken link to nowhere.png"
    assert listed(tmp_path / "out").keys() == {"normal/link.png", "normal/bad.png", "normal/notes.txt"}


def write_table(root: Path, count: int, missing: int) -> Path:
    """Write a list of images, the last of which do not exist."""
    lines = ["file,label"]
    for number in range(count):
        lines.append(f"{number}.png,{number % 2}")
        if number < count - missing:
            write_png(root / f"{number}.png", picture(number))
    (root / "labels.csv").write_text("\n".join(lines))
    return root


@pytest.mark.parametrize(("missing", "is_refused"), [(2, False), (3, True)])
def test_more_losses_than_a_share_are_refused_before_decoding(
    tmp_path: Path, missing: int, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = command(write_table(tmp_path / "raw", 40, missing), tmp_path / "out", source="table")
    if not is_refused:
        assert prepare.run(options)["lost"] == missing
        return
    with (
        monkeypatch.context() as patched,
        pytest.raises(InputError, match=r"3 of 40 images are lost .*37\.png") as refusal,
    ):
        patched.setattr(decoding, "decode_all", None)
        prepare.run(options)
    assert refusal.value.hint.endswith("--max-lost 0.08")
    assert prepare.run(replace(options, max_lost=0.08))["lost"] == missing
    assert listed(tmp_path / "out")["38.png"].startswith("listed but not on disk")


def test_a_share_lost_while_decoding_is_refused_and_what_was_decoded_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = write_folder(tmp_path / "raw", 5)
    (raw / "normal" / "04.png").write_bytes(b"no picture")
    time.sleep(2 * files.TICK / 1e9)
    with pytest.raises(InputError, match=r"1 of 10 images .*normal/04\.png"):
        prepare.run(command(raw, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    made = prepare.run(command(raw, tmp_path / "out", max_lost=0.1))
    assert "going on after 9 images" in capsys.readouterr().err
    assert (made["images"], made["lost"]) == (9, 1)
    assert "max_lost" not in open_artifact(tmp_path / "out").options


def stopped(options: Prepare, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run it until so many pictures are kept, and have the disk fail then."""
    write = arrays.ImageWriter.write

    def failing(writer: arrays.ImageWriter, *given: Any) -> None:
        if writer.count == after:
            raise OSError(28, "No space left on device")
        write(writer, *given)

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr(arrays.ImageWriter, "write", failing)
        prepare.run(options)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (lambda raw: None, 12),
        (lambda raw: write_png(raw / "abnormal" / "000.png", picture(5555)), 1),
        (lambda raw: (raw / "abnormal" / "05.png").rename(raw / "abnormal" / "zz.png"), 5),
        (lambda raw: write_png(raw / "abnormal" / "07.png", picture(5555)), 7),
        (lambda raw: (raw / "abnormal" / "03.png").unlink(), 3),
        (lambda raw: (raw / "normal" / "02.png").unlink(), 12),
        (lambda raw: shutil.copy(raw / "normal" / "00.png", raw / "abnormal" / "07.png"), 7),
    ],
)
def test_a_stopped_run_never_puts_a_picture_under_another_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: Any, kept: int
) -> None:
    pool = write_folder(tmp_path / "pool", 10)
    (tmp_path / "raw").mkdir()
    for name in ("normal", "abnormal"):
        (tmp_path / "raw" / name).symlink_to(pool / name)
    time.sleep(2 * files.TICK / 1e9)
    options = command(
        tmp_path / "raw", tmp_path / "out", workers=1, checkpoint_every=Interval(images=1), duplicates="warn"
    )
    stopped(options, 12, monkeypatch)
    change(pool)
    prepare.run(options)
    said = capsys.readouterr().err
    assert f"going on after {kept} images" in said
    assert ("files changed since this run was stopped" in said) == (kept < 12)
    prepare.run(replace(options, out=tmp_path / "fresh"))
    for name in ("images.npy", "index.csv", "skipped.csv", "read-input.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()


def write_with_copies(root: Path, file: str, copy: str) -> Path:
    """Write a set with splits in which `copy` has the pixels of `file`."""
    for place, split in enumerate(("train", "valid", "test")):
        write_folder(root / split, 3, first=100 * place)
    write_png(root / file, picture(7777))
    write_png(root / copy, picture(7777))
    return root


@pytest.mark.parametrize("other", ["valid", "test"])
def test_copies_across_splits_are_an_error(tmp_path: Path, other: str) -> None:
    raw = write_with_copies(tmp_path / "raw", "train/normal/a.png", f"{other}/normal/b.png")
    with pytest.raises(DataError, match="1 pictures are in two splits") as refusal:
        prepare.run(command(raw, tmp_path / "out"))
    assert "train/normal/a.png (train)" in refusal.value.message
    assert f"{other}/normal/b.png ({other})" in refusal.value.message
    assert not (tmp_path / "out").exists()


def test_blank_images_are_no_copies_of_each_other(tmp_path: Path) -> None:
    raw = write_with_copies(tmp_path / "raw", "train/normal/a.png", "train/normal/b.png")
    for split in ("train", "valid", "test"):
        for number in range(2):
            write_png(raw / split / "normal" / f"blank{number}.png", np.zeros((8, 8), np.uint8))
    result = prepare.run(command(raw, tmp_path / "out"))
    assert result["blank"] == 6
    assert result["duplicates"] == {"pictures": 1, "across_splits": 0, "with_both_labels": 0}


def test_pictures_that_differ_before_resizing_are_no_copies(tmp_path: Path) -> None:
    raw = write_folder(tmp_path / "raw")
    for number, shape in enumerate([(4, 8), (8, 4)]):
        write_png(raw / "normal" / f"flat{number}.png", np.arange(32, dtype=np.uint8).reshape(shape))
    assert prepare.run(command(raw, tmp_path / "out"))["duplicates"]["pictures"] == 0


def test_skipped_files_are_no_formulas(tmp_path: Path) -> None:
    write_png(tmp_path / "raw" / "normal" / "a.png", picture(1))
    (tmp_path / "raw" / "=cmd().txt").write_text("x")
    prepare.run(Prepare(source="folder", input=tmp_path / "raw", size=8, out=tmp_path / "out"))
    assert (tmp_path / "out" / "skipped.csv").read_text() == "file,reason\n'=cmd().txt,not an image\n"


def test_the_table_of_a_set_may_be_named_as_it_lies_there(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    lines = ["image,label"]
    for number in range(20):
        write_png(raw / "images" / f"{number}.png", picture(number))
        lines.append(f"images/{number}.png,{number % 2}")
    (raw / "labels.csv").write_text("\n".join(lines))
    (raw / "other.csv").write_text("image,label\n")
    found = {}
    for where in ("labels.csv", str(raw / "labels.csv")):
        out = tmp_path / where.replace("/", "-")
        prepare.run(command(raw, out, source="table", table=Path(where), holdout=0.2))
        found[where] = open_artifact(out).manifest["inputs"]
    (one, other) = found.values()
    assert one == other
    with pytest.raises(InputError, match="does not exist"):
        prepare.run(command(raw, tmp_path / "out", source="table", table=Path("gone.csv")))


def test_options_of_tables_are_refused_elsewhere_and_say_that_there_is_one(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for number in range(4):
        write_png(raw / ("normal", "abnormal")[number % 2] / f"{number}.png", picture(number))
    with pytest.raises(UsageError, match=r"--patient-column .*--source table"):
        prepare.run(command(raw, tmp_path / "out", source="folder", patient_column="mrn"))
    with pytest.raises(UsageError, match=r"--patient-pattern .* mura"):
        prepare.run(command(raw, tmp_path / "out", source="mura", patient_pattern="."))
    (raw / "list.csv").write_text("Scan,Finding\n" + "".join(f"{number},{number % 2}\n" for number in range(4)))
    with pytest.raises(InputError, match="looks like none of"):
        prepare.run(command(raw / "list.csv", tmp_path / "out"))
    prepared = prepare.run(command(raw, tmp_path / "out", image_column="scan", label_column="finding", holdout=0.5))
    assert (prepared["source"], prepared["images"]) == ("table", 4)


def write_list(root: Path, lines: list[str], header: str = "file,label,patient,view,split") -> Path:
    """Write one image per line, img0.png and so on, and their list."""
    for number in range(len(lines)):
        write_png(root / f"img{number}.png", picture(number))
    (root / "list.csv").write_text("\n".join([header, *(f"img{n}.png,{line}" for n, line in enumerate(lines))]) + "\n")
    return root


def test_words_columns_and_warnings_are_kept_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_list(tmp_path / "raw", ["0,p1,AP,train", "1.0,p2,PA,train", "-1,p3,AP,", "NA,p4,AP,"])
    result = prepare.run(Prepare(input=root, out=tmp_path / "out", size=8))
    assert {each["word"]: each["label"] for each in result["labels"]} == {
        "0": "normal", "1.0": "abnormal", "-1": "left out: uncertain label", "NA": "left out: no label",
    }  # fmt: skip
    assert result["columns"]["patient"] == "patient"
    assert result == open_artifact(tmp_path / "out").result
    assert "warning: 1 labels are '-1', so" in capsys.readouterr().err
    words, *_, last = prepare.tables(result)
    assert ("-1", "1", "left out: uncertain label") in words.rows
    assert "label 'label'" in words.notes[-1]
    assert last.notes[0].startswith("2 patients")
    assert prepare.plan(Prepare(input=root, out=tmp_path / "out", size=8))["labels"] == result["labels"]


def test_columns_of_a_list_follow_ours_and_replace_none(tmp_path: Path) -> None:
    root = write_list(tmp_path / "raw", ["0, 7.0 ,AP,", "1,8,PA,"])
    prepare.run(Prepare(input=root, out=tmp_path / "out", size=8))
    rows = list(csv.DictReader((tmp_path / "out" / "index.csv").read_text().splitlines()))
    assert list(rows[0])[:5] == ["image", "row", "split", "label", "patient"]
    assert [(row["label"], row["list_label"], row["patient"], row["list_patient"], row["view"]) for row in rows] == [
        ("normal", "0", "7", "7.0", "AP"),
        ("abnormal", "1", "8", "8", "PA"),
    ]
    assert open_dataset(tmp_path / "out").rows[1].extra["view"] == "PA"


@pytest.mark.parametrize(
    ("lines", "said"),
    [(["0,,,", "1,,,"], "patients unknown, split by image"), (["0,p,,", "1,,,"], "1 patients and 1 images of unknown")],
)
def test_no_table_counts_patients_that_are_unknown(tmp_path: Path, lines: list[str], said: str) -> None:
    result = prepare.run(Prepare(input=write_list(tmp_path / "raw", lines), out=tmp_path / "out", size=8))
    assert prepare.tables(result)[-1].notes[0].startswith(said)


# Depth


def write_deep(root: Path, highest: dict[str, int], size: int = 8) -> Path:
    """Pictures of 16 bits, each from 0 to its highest value."""
    for file, most in highest.items():
        values = np.random.default_rng(len(file) + most).integers(0, most + 1, (size, size)).astype(np.uint16)
        values[0, :2] = 0, most
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(root / file)
    return root


def greatest(out: Path) -> dict[str, int]:
    """The brightest grey of each prepared picture."""
    opened = open_dataset(out)
    return {row.file: int(opened.pixels([row]).max()) for row in opened.rows}


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_a_set_of_one_depth_comes_out_from_black_to_white(tmp_path: Path, bits: int) -> None:
    raw = write_deep(tmp_path / "raw", {f"normal/{number}.png": 2**bits - 1 for number in range(4)})
    (given,) = {prepare.run(command(raw, tmp_path / f"{b}", bits=b))["bits"] for b in ("auto", str(bits))}
    assert given == bits
    for out in (tmp_path / "auto", tmp_path / str(bits)):
        assert set(greatest(out).values()) == {255}
    assert (tmp_path / "auto/images.npy").read_bytes() == (tmp_path / f"{bits}/images.npy").read_bytes()


def test_pictures_of_a_set_are_scaled_by_one_depth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_deep(tmp_path / "raw", {"normal/a.png": 1023, "normal/b.png": 4095, "normal/c.png": 2047})
    result = prepare.run(command(raw, tmp_path / "out"))
    assert (result["bits"], result["bit_depths"]) == (12, {"10-bit in 16": 1, "12-bit in 16": 2})
    assert greatest(tmp_path / "out") == {"normal/a.png": 64, "normal/b.png": 255, "normal/c.png": 127}
    said = capsys.readouterr().err
    assert "scaled by 12 bits, 4095 is white" in said
    assert "warning: the set mixes bit depths" in said
    assert "1 10-bit in 16, 2 12-bit in 16" in said
    assert "scaled by 12 bits: 1 10-bit in 16" in prepare.tables(result)[-1].notes[-1]


def test_eight_bit_pictures_beside_deep_ones_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_deep(write_folder(tmp_path / "raw", 2), {"normal/deep.png": 4095})
    assert prepare.run(command(raw, tmp_path / "out"))["bit_depths"] == {"12-bit in 16": 1, "8-bit": 4}
    assert "mixes bit depths" in capsys.readouterr().err
    assert prepare.run(command(write_folder(tmp_path / "plain", 2), tmp_path / "other"))["bits"] is None
    assert "depth" not in capsys.readouterr().err


def test_more_than_the_depth_that_was_given_is_left_out_with_the_reason(tmp_path: Path) -> None:
    raw = write_deep(tmp_path / "raw", {"normal/a.png": 1023, "normal/b.png": 1024})
    result = prepare.run(command(raw, tmp_path / "out", bits="10", max_lost=0.5))
    assert (result["images"], result["skipped"]) == (1, 1)
    assert 'normal/b.png,"it holds values up to 1024, more than 1023' in (tmp_path / "out/skipped.csv").read_text()


def test_a_depth_that_is_too_small_for_all_says_so(tmp_path: Path) -> None:
    raw = write_deep(tmp_path / "raw", {"normal/0.png": 40_000, "abnormal/0.png": 50_000})
    with pytest.raises(InputError) as refused:
        prepare.run(command(raw, tmp_path / "out", bits="10"))
    assert "--bits 10" in refused.value.hint


def test_white_is_zero_is_turned_by_the_set_s_depth(tmp_path: Path) -> None:
    raw = write_deep(tmp_path / "raw", {"normal/a.png": 4095})
    Image.fromarray(np.array([[0, 1000]], np.uint16)).save(raw / "normal/w.tif", tiffinfo={262: 0})
    prepare.run(command(raw, tmp_path / "out", resample="nearest"))
    opened = open_dataset(tmp_path / "out")
    (row,) = (row for row in opened.rows if row.file.endswith("w.tif"))
    assert set(np.unique(opened.pixels([row]))) == {255, 255 - 62}


def stop_after(pictures: int, options: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command up to where so many pictures were written."""
    write, written = arrays.ImageWriter.write, []

    def stopping_write(writer: arrays.ImageWriter, *given: Any) -> None:
        write(writer, *given)
        written.append(writer.count)
        if len(written) == pictures:
            raise KeyboardInterrupt

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(arrays.ImageWriter, "write", stopping_write)
        prepare.run(options)


@pytest.mark.parametrize("workers", [1, 2])
def test_deep_pictures_are_the_same_whatever_the_workers_and_the_stops(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_deep(tmp_path / "raw", {f"normal/{number}.png": 900 + 100 * number for number in range(12)})
    monkeypatch.setattr(decoding, "MIN_FILES_PER_PROCESS", 4)
    whole = command(raw, tmp_path / "whole", workers=1)
    prepare.run(whole)
    stopped = command(raw, tmp_path / "stopped", workers=workers, checkpoint_every=Interval(images=1))
    stop_after(5, stopped, monkeypatch)
    assert not stopped.out.exists()
    prepare.run(stopped)
    for name in ("images.npy", "index.csv"):
        assert (whole.out / name).read_bytes() == (stopped.out / name).read_bytes()
    assert open_artifact(stopped.out).result == open_artifact(whole.out).result


def test_images_scaled_by_another_depth_before_a_stop_are_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"normal/{number}.tif": 4095 for number in range(8)}
    raw = write_deep(tmp_path / "raw", files)
    options = command(raw, tmp_path / "out", workers=1, checkpoint_every=Interval(images=1))
    stop_after(4, options, monkeypatch)
    write_deep(raw, {"normal/7.tif": 40_000})  # as many bytes, but another depth for all
    assert prepare.run(options)["bits"] == 16
    prepare.run(command(raw, tmp_path / "whole"))
    assert (tmp_path / "out/images.npy").read_bytes() == (tmp_path / "whole/images.npy").read_bytes()


def test_deep_files_that_were_only_touched_are_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_deep(tmp_path / "raw", {"normal/a.png": 1023, "normal/b.png": 4095})
    made = prepare.run(command(raw, tmp_path / "out"))
    os.utime(raw / "normal/a.png", ns=(1, 1))
    assert prepare.run(command(raw, tmp_path / "out")) == made
    assert "is already complete" in capsys.readouterr().err


# Pictures that are no radiographs


def test_masks_are_left_out_listed_and_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_folder(tmp_path / "raw", 4)
    write_png(raw / "normal" / "masks" / "00.png", picture(99))
    result = prepare.run(command(raw, tmp_path / "out"))
    assert (result["images"], result["skipped"], result["lost"]) == (8, 1, 0)
    assert "normal/masks/00.png,no radiograph by its name" in (tmp_path / "out/skipped.csv").read_text()
    assert "warning: 1 pictures are left out as masks, previews and the like" in capsys.readouterr().err


def test_a_mask_that_a_list_names_is_kept_and_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tmp_path / "raw"
    for number, file in enumerate(("images/a.png", "masks/a.png", "images/b.png", "masks/c.png")):
        write_png(raw / file, picture(number))
    (raw / "list.csv").write_text("image,label\na.png,0\nb.png,1\nmasks/c.png,1\n")
    prepare.run(command(raw, tmp_path / "out", source="table"))
    assert {row.file for row in open_dataset(tmp_path / "out").rows} == {"images/a.png", "images/b.png", "masks/c.png"}
    assert "1 images that are read seem to be masks, previews and the like, such as masks/c" in capsys.readouterr().err


def test_pictures_that_look_like_no_radiographs_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw"
    for number in range(6):
        write_png(raw / "normal" / f"{number}.png", picture(number, 40))
    doubtful = prepare.run(command(raw, tmp_path / "plain"))["doubtful"]
    assert doubtful == {"small": 0, "few_greys": 0, "coloured": 0, "frames": 0}
    assert "warning" not in capsys.readouterr().err
    write_png(raw / "normal" / "two.png", ((picture(7, 40) > 99) * 200).astype(np.uint8))
    write_png(raw / "normal" / "tiny.png", picture(8, 9))
    write_png(raw / "normal" / "vivid.png", np.stack([picture(9, 40), 255 - picture(9, 40), picture(10, 40)], axis=2))
    pages = [Image.fromarray(picture(number, 40)) for number in (11, 12)]
    pages[0].save(raw / "normal/pages.tif", save_all=True, append_images=pages[1:])
    result = prepare.run(command(raw, tmp_path / "out"))
    assert (result["images"], result["doubtful"]) == (10, {"small": 1, "few_greys": 1, "coloured": 1, "frames": 1})
    said = capsys.readouterr().err
    for file in ("two.png", "tiny.png", "vivid.png", "pages.tif"):
        assert f"such as normal/{file}" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (gzip.compress(b"file,label\n" * 9, mtime=0)[:20], "gzip cannot unpack it"),
        (b"PK\x03\x04rest", "is a workbook"),
        (b"\x89\x01\x02,\x03", "control characters"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (None, "a broken link to gone.csv"),
    ],
)
@pytest.mark.parametrize("source", ["auto", "table", "folder"])
def test_a_list_that_cannot_be_read_is_never_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, content: bytes | None, reason: str
) -> None:
    write_folder(tmp_path / "raw")
    labels = tmp_path / "raw" / "labels.csv"
    labels.write_bytes(content) if content is not None else labels.symlink_to("gone.csv")
    options = command(tmp_path / "raw", tmp_path / "out", source=source)
    if source != "folder":
        with pytest.raises(InputError, match=reason) as refused:
            prepare.run(options)
        assert str(labels) in refused.value.message
        return
    prepare.run(options)
    assert reason in capsys.readouterr().err


def test_class_folders_beside_a_list_without_labels_are_read_and_the_list_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "raw")
    (tmp_path / "raw" / "metadata.csv").write_text("filename,age\na.png,40\n")
    assert prepare.run(command(tmp_path / "raw", tmp_path / "out", source="auto"))["source"] == "folder"
    assert "metadata.csv lists images and is not used" in capsys.readouterr().err
