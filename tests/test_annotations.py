"""Masks, previews and icons are known by their names; radiographs are not taken for them."""

import pytest

from xrayaug import annotations


@pytest.mark.parametrize(
    "file",
    [
        "Normal/masks/Normal-1.png",  # COVID-19 Radiography Database
        "MontgomerySet/ManualMask/leftMask/MCUCXR_0001_0.png",
        "normal/segmentation/a.png",
        "Lung Segmentations/a.png",
        "annotations/a.png",
        "labels/normal/a.png",
        "ground_truth/a.png",
        "GroundTruth/a.png",
        "gt/a.png",
        "abnormal/overlays/a.png",
        "thumbnails/a.png",
        "Preview/a.jpg",
        "icons/a.png",
        "heat-maps/a.png",
        "normal/a_mask.png",
        "normal/CHNCXR_0001_0_mask.png",
        "normal/a-seg.png",
        "normal/a_mask2.png",
        "normal/a_thumb.jpg",
        "normal/a.preview.png",
        "normal/icon.png",
        "normal/mask_7.png",
        "normal/_groundtruth_(1)_normal_7.png_0d1a2b3c-1111-2222-3333-0123456789ab.png",
    ],
)
def test_what_is_no_radiograph_is_known_by_its_name(file: str) -> None:
    assert annotations.reason(file).startswith(annotations.NO_RADIOGRAPH)


@pytest.mark.parametrize(
    "file",
    [
        "XR_HAND/patient00001/study1_positive/image1.png",
        "images/00000001_000.png",
        "boneage-training-dataset/1377.png",
        "Normal/images/Normal-1.png",
        "MontgomerySet/CXR_png/MCUCXR_0001_0.png",
        "images_with_annotations/a.png",
        "normal/unmasked.png",
        "normal/segal.png",
        "labelled/a.png",
        "patient7_left.png",
        "normal/IMG0001.jpg",
        f"normal/0_jpg.rf.{'5f' * 16}.jpg",
    ],
)
def test_radiographs_are_not_taken_for_masks(file: str) -> None:
    assert annotations.reason(file) == ""


def test_a_radiograph_comes_before_the_mask_of_its_name() -> None:
    files = ["images/a.png", "masks/a.png", "masks/b.png"]
    assert annotations.radiographs_first(files) == ["images/a.png", "masks/b.png"]


def test_both_what_is_left_out_and_what_is_kept_is_warned_of() -> None:
    left_out, named = annotations.warnings(
        ["a.png", "masks/b.png"], [("x/a_mask.png", annotations.reason("x/a_mask.png")), ("notes.txt", "not an image")]
    )
    assert "1 pictures are left out" in left_out
    assert "x/a_mask.png" in left_out
    assert "1 images that are read seem to be masks" in named
    assert "masks/b.png" in named
