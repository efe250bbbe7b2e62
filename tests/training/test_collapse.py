"""A collapse is detected in the log if values stay near zero, not by a single value."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from xrayaug.training import collapse

HEALTHY = {"d_loss": 0.4, "spread": 0.6}
STRONG_D = HEALTHY | {"d_loss": 1e-5}
ONE_IMAGE = HEALTHY | {"spread": 0.001}
LOSS = "bce"
THOUSANDS = 5000  # images of an epoch, so that three epochs are long enough


def test_spread_is_the_mean_distance_of_two_images() -> None:
    black, white = torch.full((1, 1, 4, 4), -1.0), torch.full((1, 1, 4, 4), 1.0)
    assert collapse.spread(torch.cat([black, white])) == pytest.approx(2.0)
    assert collapse.spread(torch.cat([black, black, white])) == pytest.approx((0 + 2 + 2) / 3)
    assert collapse.spread(white.repeat(5, 1, 1, 1)) == 0.0
    assert collapse.spread(white) == 0.0


@pytest.mark.parametrize(("line", "what"), [(STRONG_D, "discriminator's loss"), (ONE_IMAGE, "generated images")])
def test_a_lasting_value_near_zero_is_a_collapse(line: dict[str, Any], what: str) -> None:
    assert what in collapse.describe_collapse([HEALTHY, line, line, line], THOUSANDS, LOSS)
    assert "for 3 epochs" in collapse.describe_collapse([line] * 3, THOUSANDS, LOSS)
    assert collapse.is_suspect([HEALTHY, line], LOSS)


@pytest.mark.parametrize("line", [STRONG_D, ONE_IMAGE])
def test_a_single_value_near_zero_is_no_collapse(line: dict[str, Any]) -> None:
    for lines in ([], [line], [line, line], [line, HEALTHY, line, line], [line, line, line, HEALTHY]):
        assert collapse.describe_collapse(lines, THOUSANDS, LOSS) == ""
    assert not collapse.is_suspect([], LOSS)
    assert not collapse.is_suspect([line, HEALTHY], LOSS)


def test_small_epochs_must_last_longer() -> None:
    assert collapse.describe_collapse([STRONG_D] * 99, 100, LOSS) == ""
    assert "for 100 epochs" in collapse.describe_collapse([STRONG_D] * 100, 100, LOSS)


def test_two_different_signs_do_not_add_up() -> None:
    assert collapse.describe_collapse([STRONG_D, ONE_IMAGE, STRONG_D], THOUSANDS, LOSS) == ""


def test_both_signs_are_named() -> None:
    both = STRONG_D | ONE_IMAGE | {"d_loss": 0.0}
    assert " and " in collapse.describe_collapse([both] * 3, THOUSANDS, LOSS)


def test_an_unbounded_loss_near_zero_is_no_collapse() -> None:
    falling = HEALTHY | {"d_loss": -40.0}
    assert collapse.describe_collapse([falling] * 3, THOUSANDS, "wgan") == ""
    assert "generated images" in collapse.describe_collapse([ONE_IMAGE] * 3, THOUSANDS, "wgan")


def test_distances_are_computed_on_the_cpu_since_other_devices_have_no_pdist(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def pdist(flat: torch.Tensor) -> Any:
        asked.append(flat.device.type)
        return SimpleNamespace(mean=lambda: torch.ones(()))

    monkeypatch.setattr(torch.nn.functional, "pdist", pdist)
    with FakeTensorMode():
        images = torch.empty(4, 1, 8, 8, device="cuda")
    monkeypatch.setattr(torch.Tensor, "item", lambda _: 1.0)
    collapse.spread(images)
    assert asked == ["cpu"]
