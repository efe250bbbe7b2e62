"""Names of copies are known, and names that only look like them are left alone."""

import pytest

from xrayaug.data.duplicate_names import find_named_duplicates

HASH = "5f1e0c7a9b3d4e5f60718293a4b5c6d7"
UUID = "0d1a2b3c-1111-2222-3333-0123456789ab"


@pytest.mark.parametrize(
    "files",
    [
        [f"fractured/0_jpg.rf.{HASH}.jpg", f"fractured/0_jpg.rf.{HASH[::-1]}.jpg"],
        [f"train/a/hand_png.rf.{HASH}.jpg", f"valid/a/hand_png.rf.{HASH[::-1]}.jpg"],
        ["hand.png", f"hand_png.rf.{HASH}.jpg"],
        ["1_jpg.rf.aB3dE5fG7hI9jK1lM3nO.jpg", "1_jpg.rf.zZ3dE5fG7hI9jK1lM3nO.jpg"],
        ["normal/x.png", f"normal/output/normal_original_x.png_{UUID}.png"],
        [f"output/normal_original_x.jpg_{UUID}.jpg", f"output/normal_original_x.jpg_{UUID[::-1][:8]}{UUID[8:]}.jpg"],
        ["aug_Y12_0_4711.png", "aug_Y12_0_938.png"],
        ["hand7_aug1.png", "hand7_aug2.png"],
        ["hand7.png", "hand7_augmented.png"],
        ["train/hand7.png", "test/hand7_flip.png"],
        ["hand.png", "hand_hflip.jpg", "hand_vflip.png", "hand-rot90.png", "hand_rotated_180.png"],
        ["hand7_mirror.png", "hand7_flip_lr.png", "hand7-horizontal-flip.png"],
        ["1-rotated1.jpg", "1-rotated1-rotated2 (1).jpg", "1.jpg"],
        ["scan.png", "scan copy.png", "scan copy 2.png"],
        ["scan.png", "scan - Copy.png", "scan - Copy (2).png", "scan-Copy1.png"],
        ["Original/normal/7.png", "Augmented/normal/7_rot15.png"],
        ["train/hand7.png", "train/hand7_aug1.png", "test/hand7_aug2.png"],
        ["1405.png", "aug_1405.png", "augmented_1405.png", "rot12_1405.png", "aug_0_1405.png", "Copy of 1405.png"],
        ["train/P12.png", "test/rotated_P12.png", "test/flip_aug_P12.png"],
        ["P12.png", "P12_rotate_neg10.png", "P12_random_rotation.png", "P12_CLAHE_rot.png", "P12_aug12345.png"],
        ["P12.png", "P12_affine.png", "P12_elastic.png", "P12_transformed.png", "P12_zoomed.png", "P12_gen_1.png"],
    ],
)
def test_copies_are_known_by_their_names(files: list[str]) -> None:
    others = ["b/other.png", "b/1234.png"]
    (group,) = find_named_duplicates([*others, *files]).certain
    assert sorted(group) == list(range(2, 2 + len(files)))


@pytest.mark.parametrize(
    "files",
    [
        ["patient1_1.png", "patient1_2.png", "patient1.png"],
        ["patient1_1_1.png", "patient1_1_2.png"],
        ["p1/study1_positive/image1.png", "p1/study1_positive/image2.png", "p2/study1_positive/image1.png"],
        ["1377.png", "1378.png"],
        ["00000001_000.png", "00000001_001.png", "00000001_002.png"],
        [f"img ({number}).png" for number in range(1, 500)],
        ["MCUCXR_0001_0.png", "MCUCXR_0002_1.png", "CHNCXR_0001_0.png"],
        ["IMG_20190412_101112.png", "IMG_20190412_101113.png"],
        ["12_aug_2020.png", "12_aug_2021.png"],
        ["hand7_crop.png", "hand7_contrast.png"],
        ["aug1.png", "aug2.png", "rotated.png"],
        [f"fracture7_aug{number}.png" for number in range(200)],
        ["one/hand7_aug1.png", "other/hand7_aug2.png"],
        [f"normal/0_jpg.rf.{HASH}.jpg", f"fractured/0_jpg.rf.{HASH[::-1]}.jpg"],
        ["person1_bacteria_1.jpeg", "person1_bacteria_2.jpeg", "IM-0115-0001.jpeg", "NORMAL2-IM-1427-0001.jpeg"],
        ["view1_frontal.jpg", "view2_lateral.jpg"],
        ["2019-Aug-01.png", "2019-Aug-02.png", "2019_aug_03.png", "12-Aug-19.png", "12-Aug-20.png"],
        ["train/aug_0_1234.png", "train/aug_1_1235.png", "test/aug_0_2345.png", "test/aug_1_2346.png"],
        ["1405.png", "aug_7_1405.png", "aug_8_999.png"],  # random numbers of Keras, one of which is a name as well
    ],
)
def test_other_names_are_left_alone(files: list[str]) -> None:
    found = find_named_duplicates(files)
    assert (found.certain, found.possible) == ([], [])


@pytest.mark.parametrize(
    "files",
    [
        ["scan.png", "scan (1).png", "scan (2).png"],
        ["hand7.png", "hand7_crop.png"],
        ["7.png", "aug_7.png"],
        ["fracture_aug1.png", "fracture_aug2.png"],  # may be two pictures of a class
        ["aug_0_123.png", "aug_0_4567.png"],  # Keras counts from 0 where pictures are augmented one by one
        ["cat_3_123.png", "cat_3_4567.png"],
        ["train/hand1 - Copy.png", "test/hand1 - Copy.png"],
        ["train/img0.png", "valid/img0.png", "test/img0_aug.png"],
        ["train/7.png", "test/aug_7.png"],
    ],
)
def test_names_that_may_be_of_copies_are_possible(files: list[str]) -> None:
    found = find_named_duplicates(files)
    assert found.certain == []
    assert found.possible == [list(range(len(files)))]


def test_keras_s_numbers_tell_pictures_apart() -> None:
    files = [f"aug_{index}_{random}.png" for index in range(3) for random in (101 + index, 9_000_001 + index)]
    assert find_named_duplicates(files).certain == [[0, 1], [2, 3], [4, 5]]
    assert find_named_duplicates([file.removeprefix("aug") for file in files]).certain == [[0, 1], [2, 3], [4, 5]]


def test_the_source_comes_first_among_the_possible() -> None:
    assert find_named_duplicates(["scan (1).png", "scan.png"]).possible == [[1, 0]]


def test_a_source_in_a_copy_s_own_directory_is_its_source() -> None:
    files = [f"{split}/normal/hand1{ending}.png" for split in ("train", "test") for ending in ("", " - Copy", "_aug")]
    found = find_named_duplicates([*files, "valid/normal/hand1.png"])
    assert (found.certain, found.possible) == ([[0, 1, 2], [3, 4, 5]], [])


def test_ambiguous_names_of_copies_are_reported() -> None:
    assert find_named_duplicates(["test/aug_7.png", "train/7.png", "train/7 (1).png"]).named_as_copies == [(1, 0)]
