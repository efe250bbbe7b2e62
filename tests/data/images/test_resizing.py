import numpy as np
import pytest

from xrayaug.data.images import resizing


@pytest.mark.parametrize("resample", sorted(resizing.FILTERS))
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (3, 90), (16, 16), (1, 1)])
def test_any_shape_is_resized_to_the_square(shape: tuple[int, int], fit: str, resample: str) -> None:
    made = resizing.resize_square(np.full(shape, 77, np.uint8), 16, fit=fit, resample=resample)
    assert made.shape == (16, 16)
    assert made.dtype == np.uint8
    assert made.max() == 77


def test_squash_keeps_the_whole_image_and_ignores_its_aspect_ratio() -> None:
    halves = np.repeat(np.array([[0, 200]], np.uint8), 20, axis=1).repeat(10, axis=0)  # [10, 40]
    made = resizing.resize_square(halves, 8, fit="squash", resample="box")
    assert made.tolist() == [[0] * 4 + [200] * 4] * 8


def test_pad_keeps_the_aspect_ratio_and_centres_on_black() -> None:
    made = resizing.resize_square(np.full((40, 20), 200, np.uint8), 16, fit="pad", resample="bicubic")
    assert (made[:, 4:12] == 200).all()
    assert not made[:, :4].any()
    assert not made[:, 12:].any()


def test_crop_cuts_the_long_side_at_both_ends() -> None:
    striped = np.zeros((10, 30), np.uint8)
    striped[:, 10:20] = 200
    assert (resizing.resize_square(striped, 8, fit="crop", resample="bicubic") == 200).all()
    assert (resizing.resize_square(striped.T, 8, fit="crop", resample="bicubic") == 200).all()


def test_every_filter_but_nearest_is_antialiased() -> None:
    checks = np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 255
    for resample in resizing.FILTERS:
        made = resizing.resize_square(checks, 8, fit="squash", resample=resample)
        if resample == "nearest":
            assert set(made.ravel().tolist()) <= {0, 255}
        else:
            assert abs(made.astype(int) - 127).max() <= 3
