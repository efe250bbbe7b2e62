from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from xrayaug.data.sources import Listing, mura
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare

FILES = (
    "train/XR_HAND/patient00001/study1_positive/image1.png",
    "train/XR_HAND/patient00001/study1_positive/image2.png",
    "train/XR_HAND/patient00001/study2_negative/image1.png",
    "train/XR_HAND/patient00002/study1_negative/image1.png",
    "train/XR_WRIST/patient00001/study1_negative/image1.png",
    "valid/XR_HAND/patient11185/study1_negative/image1.png",
    "valid/XR_HAND/patient11186/study1_positive/image1.png",
)
HAND = [file for file in FILES if "XR_HAND" in file]


def touch(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(file, format="PNG")


def tree(root: Path, files: tuple[str, ...] = FILES) -> Path:
    for file in files:
        touch(root / file)
    return root


def lists(directory: Path, files: tuple[str, ...] = FILES, prefix: str = "MURA-v1.1/") -> None:
    for split in ("train", "valid"):
        images = [file for file in files if file.startswith(split)]
        studies = sorted({str(Path(file).parent) for file in images})
        (directory / f"{split}_image_paths.csv").write_text("".join(f"{prefix}{file}\n" for file in images))
        (directory / f"{split}_labeled_studies.csv").write_text(
            "".join(f"{prefix}{study}/,{int('positive' in study)}\n" for study in studies)
        )


def read(path: Path, **options: object) -> Listing:
    return mura.read(Prepare(input=path, out=path / "out", **options))  # type: ignore[arg-type] # of any type


def files_of(listing: Listing) -> list[str]:
    return sorted(record.file for record in listing.records)


def test_labels_splits_patients_and_studies(tmp_path: Path) -> None:
    lists(tree(tmp_path))
    listing = read(tmp_path)
    assert files_of(listing) == HAND
    assert Counter((record.split, record.label) for record in listing.records) == {
        ("train", "abnormal"): 2,
        ("train", "normal"): 2,
        ("test", "normal"): 1,
        ("test", "abnormal"): 1,
    }
    first = listing.records[0]
    assert (first.patient, first.study) == ("patient00001", "XR_HAND/patient00001/study1_positive")
    assert first.extra == {"part": "hand"}
    assert listing.skipped == []
    assert listing.notes == [mura.CAUTION]


def test_records_share_equal_strings(tmp_path: Path) -> None:
    lists(tree(tmp_path))
    one, other, third = read(tmp_path).records[:3]
    assert one.study is other.study and one.patient is other.patient is third.patient
    assert one.extra is other.extra is third.extra


def test_studies_of_all_parts_have_names_of_their_own(tmp_path: Path) -> None:
    listing = read(tree(tmp_path), part="all")
    assert files_of(listing) == sorted(FILES)
    assert len({record.study for record in listing.records}) == 6
    assert Counter(record.extra["part"] for record in listing.records) == {"hand": 6, "wrist": 1}


@pytest.mark.parametrize("place", [".", "MURA-v1.1", "renamed", "archive/MURA-v1.1"])
def test_the_root_is_found_wherever_it_lies(tmp_path: Path, place: str) -> None:
    lists(tree(tmp_path / place))
    assert mura.detect(tmp_path)
    listing = read(tmp_path)
    assert listing.root == tmp_path / place
    assert files_of(listing) == HAND


def test_lists_may_lie_above_or_beside_the_root(tmp_path: Path) -> None:
    root = tree(tmp_path / "a" / "MURA-v1.1")
    lists(tmp_path, FILES[:1])
    assert files_of(read(tmp_path)) == [FILES[0]]
    lists(tmp_path / "a", FILES[:2])
    assert files_of(read(root)) == list(FILES[:2])


def test_two_trees_are_not_guessed_between(tmp_path: Path) -> None:
    tree(tmp_path / "MURA-v1.0")
    tree(tmp_path / "MURA-v1.1")
    with pytest.raises(InputError, match=r"2 MURA trees: MURA-v1\.0, MURA-v1\.1"):
        read(tmp_path)


@pytest.mark.parametrize("prefix", ["", "MURA-v1.1/", "/home/me/train/", "other\\root\\", "./x//"])
def test_list_paths_are_taken_from_train_or_valid_on(tmp_path: Path, prefix: str) -> None:
    lists(tree(tmp_path), prefix=prefix)
    if "\\" in prefix:
        for path in tmp_path.glob("*.csv"):
            path.write_text(path.read_text().replace("/", "\\"))
    assert files_of(read(tmp_path)) == HAND


def test_lists_may_have_a_header_crlf_a_byte_order_mark_and_blank_lines(tmp_path: Path) -> None:
    lists(tree(tmp_path))
    for path in tmp_path.glob("*.csv"):
        header = "path,label" if "studies" in path.name else "path"
        path.write_bytes(b"\xef\xbb\xbf" + f"{header}\n\n{path.read_text()}\n".replace("\n", "\r\n").encode())
    listing = read(tmp_path)
    assert files_of(listing) == HAND
    assert listing.skipped == []


def test_a_line_that_is_no_path_is_skipped_with_its_number(tmp_path: Path) -> None:
    lists(tree(tmp_path))
    path = tmp_path / "train_image_paths.csv"
    path.write_text(path.read_text() + "what is this\n")
    assert read(tmp_path).skipped == [("what is this", "train_image_paths.csv line 6 is not a MURA path")]


@pytest.mark.parametrize("whole_studies", [True, False])
def test_version_1_0_lists_studies_or_images_with_labels(tmp_path: Path, whole_studies: bool) -> None:
    tree(tmp_path)
    for split in ("train", "valid"):
        named = [file for file in FILES if file.startswith(split)]
        if whole_studies:
            named = sorted({f"{Path(file).parent}/" for file in named})
        lines = [f"MURA-v1.0/{name},{int('positive' in name)}\n" for name in named]
        (tmp_path / f"{split}.csv").write_text("".join(lines))
    listing = read(tmp_path)
    assert files_of(listing) == HAND
    assert listing.notes == [mura.CAUTION]


@pytest.mark.parametrize("name", ["train_labeled_studies.csv", "train.csv"])
def test_a_label_against_the_directory_s_name_is_an_error(tmp_path: Path, name: str) -> None:
    tree(tmp_path)
    (tmp_path / name).write_text("MURA-v1.1/train/XR_HAND/patient00002/study1_negative/,1\n")
    with pytest.raises(DataError, match=r"train/XR_HAND/patient00002/study1_negative is abnormal.*says normal"):
        read(tmp_path)


def test_without_lists_the_tree_is_walked(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "train/XR_HAND/patient00001/study1_positive/._image1.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "train/XR_HAND/patient00001/study1_positive/notes.txt").write_text("x")
    touch(tmp_path / "train/XR_HAND/patient00003/study1/image1.png")
    touch(tmp_path / "train/XR_HAND/patient00003/image1.png")
    listing = read(tmp_path)
    assert files_of(listing) == HAND
    assert dict(listing.skipped) == {
        "train/XR_HAND/patient00001/study1_positive/notes.txt": "not an image",
        "train/XR_HAND/patient00003/study1/image1.png": "'study1' ends in neither _positive nor _negative",
        "train/XR_HAND/patient00003/image1.png": "not in a study's directory",
    }
    assert [note.split(":")[0] for note in listing.notes[1:]] == [
        "no train_image_paths.csv",
        "no valid_image_paths.csv",
    ]


def test_missing_and_unlisted_images_are_reported(tmp_path: Path) -> None:
    lists(tree(tmp_path))
    (tmp_path / HAND[0]).unlink()
    touch(tmp_path / "train/XR_HAND/patient00009/study1_negative/image1.png")
    listing = read(tmp_path)
    assert files_of(listing) == HAND[1:]
    assert listing.skipped == [(HAND[0], "listed but not on disk")]
    assert listing.notes == [mura.CAUTION, "1 images are on disk but not in the list, and are not read"]


def test_an_image_listed_twice_is_read_once(tmp_path: Path) -> None:
    lists(tree(tmp_path))
    path = tmp_path / "valid_image_paths.csv"
    path.write_text(path.read_text() * 2)
    listing = read(tmp_path)
    assert files_of(listing) == HAND
    assert listing.notes == [mura.CAUTION, "2 lines of the list name an image for the second time"]


def test_a_tree_without_valid_says_so(tmp_path: Path) -> None:
    listing = read(tree(tmp_path, FILES[:1]))
    assert "there is no test split" in listing.notes[-1]


def test_none_of_the_listed_images_on_disk_is_an_error(tmp_path: Path) -> None:
    lists(tree(tmp_path))
    for file in HAND:
        (tmp_path / file).unlink()
    with pytest.raises(InputError, match=r"none of the 6 .*train/XR_HAND/patient00001"):
        read(tmp_path)


def test_paths_that_climb_are_refused(tmp_path: Path) -> None:
    lists(tree(tmp_path))
    (tmp_path / "train_image_paths.csv").write_text("MURA-v1.1/train/XR_HAND/../../../secret.png\n")
    with pytest.raises(DataError, match=r"train_image_paths\.csv line 1"):
        read(tmp_path)


def test_a_missing_part_tree_or_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no XR_SHOULDER; there are XR_HAND, XR_WRIST"):
        read(tree(tmp_path), part="shoulder")
    with pytest.raises(InputError, match="holds no MURA tree"):
        read(tmp_path / "train" / "XR_HAND" / "patient00001")
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / "gone")
    with pytest.raises(InputError, match="is a file"):
        read(tmp_path / FILES[0])
