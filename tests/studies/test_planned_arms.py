"""Tests of the arms of a study: which controls are shared, and what is refused before anything runs."""

from typing import Any

import pytest
from planned import lines

from xrayaug.errors import UsageError

PRETRAINING: dict[str, Any] = {
    "gan_arch": ("cgan",), "percents": (0.0, 50.0), "seeds": 1, "schedules": ("mixed", "pretrain"),
    "classifier_epochs": 5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "is_shared"),
    [
        ({}, True),
        ({"screen": True}, False),  # which may leave out other labels of one generator than of the other
        ({"screen": True, "labels": ("normal",)}, True),
        ({"gan_arch": ("cgan", "dcgan")}, False),
        ({"gan_arch": ("dcgan", "dcgan-plus"), "screen": True}, True),
    ],
)
def test_a_control_of_real_images_is_that_of_all_generators_that_draw_the_same_labels(
    changes: dict[str, Any], is_shared: bool
) -> None:
    found = lines(**{"gan_arch": ("cgan", "acgan"), "percents": (0.0, 50.0), "controls": ("duplicate",), **changes})
    duplicates = {name: line for name, line in found.items() if name.startswith("arm") and "duplicate" in name}
    assert len(duplicates) == (1 if is_shared else 2)
    assert all(("--generator" in line) is not is_shared for line in duplicates.values())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"real_fractions": (1.0, 0.0)}, "--real-fractions is 0.*"),
        ({"gan_arch": ("dcgan",)}, "--schedules pretrain needs a generator of both labels, and dcgan draws one"),
        ({"gan_arch": ("cgan", "projected")}, "projected draws one"),
        ({"labels": ("normal", "balance")}, "--schedules pretrain needs images of both labels"),
        ({"percents": (50.0,)}, "goes on with the real images alone, which are the arm of 0 percent"),
    ],
)
def test_schedules_that_cannot_be_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        lines(**{**PRETRAINING, **changes})
    conditional = lines(**PRETRAINING | {"gan_arch": ("cgan", "projected")}, conditional=True)
    assert "--conditional" in conditional["gan-projected"]
