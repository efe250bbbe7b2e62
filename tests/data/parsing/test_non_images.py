"""Masks, previews and icons are known by their names and counterparts; radiographs are not taken for them."""

import pytest

from xrayaug.data.parsing import non_images


@pytest.mark.parametrize(
    ("radiograph", "others"),
    [
        ("Normal/images/Normal-1.png", ["Normal/masks/Normal-1.png"]),  # COVID-19 Radiography Database
        (
            "MontgomerySet/CXR_png/MCUCXR_0001_0.png",
            [f"MontgomerySet/ManualMask/{side}Mask/MCUCXR_0001_0.png" for side in ("left", "right")],
        ),
        ("benign/benign (1).png", ["benign/benign (1)_mask.png", "benign/benign (1)_mask_1.png"]),  # BUSI
        (
            "ISIC-2017_Training_Data/ISIC_0000000.jpg",
            [
                "ISIC-2017_Training_Data/ISIC_0000000_superpixels.png",
                "ISIC_2017_Training_GroundTruth/ISIC_0000000_segmentation.png",
            ],
        ),
        ("imagesTr/hand_001_0000.png", ["labelsTr/hand_001.png"]),  # nnU-Net
        ("normal/a1.png", [f"normal/{name}/a1.png" for name in ("segmentation", "lungmasks", "roi", "gt", "labelled")]),
        ("normal/a1.png", [f"{name}/a1.png" for name in ("ground_truth", "GroundTruth", "Preview", "heat-maps")]),
        ("normal/a1.png", [f"normal/a1{end}.png" for end in ("_mask", "-seg", "_mask2", "_lungmask", "_roi", "_pred")]),
        ("normal/a1.png", [f"normal/{name}.png" for name in ("icon", "mask_a1", "seg_a1", "gt_a1", "a1_cam", "mask")]),
        ("p1/images/hand.png", ["p1/gt/hand.png"]),
        ("normal/7.png", ["normal/_groundtruth_(1)_normal_7.png_0d1a2b3c-1111-2222-3333-0123456789ab.png"]),
    ],
)
def test_non_radiographs_are_found_by_name_and_counterpart(radiograph: str, others: list[str]) -> None:
    found = non_images.find_non_images([*others, radiograph])
    assert list(found) == others
    assert all(why.startswith(non_images.NO_RADIOGRAPH) for why in found.values())


@pytest.mark.parametrize(
    "files",
    [
        ["XR_HAND/patient00001/study1_positive/image1.png", "boneage-training-dataset/1377.png"],
        ["normal/unmasked.png", "normal/segal.png", "images_with_annotations/a.png", "labelled/b.png"],
        ["patient7_left.png", "normal/IMG0001.jpg", f"normal/0_jpg.rf.{'5f' * 16}.jpg"],
        ["normal/masked/1.png", "normal/unmasked/2.png"],
    ],
)
def test_radiographs_are_not_taken_for_masks(files: list[str]) -> None:
    assert (non_images.find_non_images(files), non_images.find_suspicious(files)) == ({}, [])


@pytest.mark.parametrize(
    "suspicious",
    [
        ["normal/GT_1/img0.png", "normal/GT_2/img0.png", "abnormal/SEG 1/img0.png"],
        ["abnormal/GT/img0.png"],
        ["normal/p1/hand_seg1.png", "normal/p2/hand_seg1.png"],
        ["masks/other.png"],
    ],
)
def test_initials_without_a_counterpart_are_read_and_named(suspicious: list[str]) -> None:
    files = [*suspicious, "normal/p1/img0.png", "abnormal/p1/img0.png", "abnormal/p2/img0.png", "normal/p3/hand.png"]
    assert non_images.find_non_images(files) == {}
    assert non_images.find_suspicious(files) == suspicious


def test_a_name_alone_never_means_a_mask() -> None:
    files = ["images/a.png", "masks/a.png", "masks/b.png"]
    assert non_images.filter_radiographs(files) == ["images/a.png"]


def test_both_what_is_left_out_and_what_is_kept_is_warned_of() -> None:
    why = non_images.find_non_images(["x/a.png", "x/a_mask.png"])["x/a_mask.png"]
    left_out, named = non_images.warnings(["a.png", "masks/b.png"], [("x/a_mask.png", why), ("n.txt", "not an image")])
    assert "1 pictures are left out" in left_out
    assert "x/a_mask.png" in left_out
    assert "1 images that are read seem to be masks" in named
    assert "masks/b.png" in named
