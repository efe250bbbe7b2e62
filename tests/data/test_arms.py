"""What a manifest says of an arm is read back, or refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xrayaug.data import arms
from xrayaug.data.arms import ArmSettings, TrainedArm
from xrayaug.errors import ArtifactError
from xrayaug.storage.artifacts import Artifact

ARM = {"percent": 50, "real_fraction": 1.0, "label": "normal", "added": 3}


def artifact_saying(**arm: object) -> Artifact:
    return Artifact(Path("set"), {"result": {"arm": ARM | arm}})


def test_read_arm_returns_all_fields_of_an_arm() -> None:
    arm = arms.read_arm(artifact_saying())
    assert arm.settings == ArmSettings(1.0, 50.0, "normal", 3, None)
    assert (arm.record, arm.prior) == ({**ARM, "percent": 50.0, "control": None}, None)
    assert arms.read_arm(artifact_saying(added=0, label="whatever")).settings.label is None


@pytest.mark.parametrize(
    "wrong",
    [{"percent": -1}, {"percent": 1e9}, {"percent": "10"}, {"real_fraction": 2}, {"label": "broken"}, {"label": None},
     {"added": -1}, {"added": 1.5}, {"added": True}, {"control": "placebo"}, {"control": 1}],
    ids=str,
)  # fmt: skip
def test_an_absurd_arm_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match=f"'result/arm/{next(iter(wrong))}' is"):
        arms.read_arm(artifact_saying(**wrong))


def test_read_arm_returns_schedule_and_generator() -> None:
    said = {"schedule": "synthetic-only", "baseline_images": 7, "generator": "mine"}
    arm = arms.read_arm(artifact_saying(**said))
    assert arm.settings == ArmSettings(1.0, 50.0, "normal", 3, None, "synthetic-only", "mine")
    assert (arm.record, arm.baseline_images) == ({**ARM, "control": None, **said}, 7)
    assert arms.read_arm(artifact_saying(schedule="pretrain")).settings.is_pretrained
    assert arms.read_arm_of(Artifact(Path("set"), {"result": {}})) is arms.BASELINE


@pytest.mark.parametrize("wrong", [{"schedule": "later"}, {"generator": 1}, {"baseline_images": 0}], ids=str)
def test_an_absurd_schedule_or_generator_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match=f"'result/arm/{next(iter(wrong))}' is"):
        arms.read_arm(artifact_saying(**({"schedule": "synthetic-only", "baseline_images": 7} | wrong)))


def test_what_all_arms_have_in_common_is_left_out() -> None:
    def settings(*each: tuple[str | None, str]) -> list[ArmSettings]:
        return [ArmSettings(1.0, 10.0, "normal", 3, None, generator=of, weights=start) for of, start in each]

    assert (
        arms.leave_out_common(settings((None, "none"), ("a", "none")))
        == [ArmSettings(1.0, 10.0, "normal", 3, None)] * 2
    )
    several = settings((None, "none"), ("a", "none"), ("b", "imagenet"))
    assert arms.leave_out_common(several) == several
    assert [arms.name_arm(each) for each in several] == [
        "10, from none", "10, of a, from none", "10, of b, from imagenet",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "10"),
        ({"label": None}, "10, adding nothing"),
        ({"schedule": "synthetic-only", "label": "mixed"}, "10 mixed, synthetic only"),
        ({"schedule": "pretrain", "label": "mixed", "control": "shuffle"},
         "10 mixed shuffle, synthetic only, then real"),
        ({"schedule": "mixed-pretrain", "real_fraction": 0.5}, "10, then real, of 50% of the real images"),
        ({"schedule": "pretrain", "control": "classical", "generator": "a"},
         "10 classical, added images only, then real, of a"),
    ],
)  # fmt: skip
def test_the_name_of_an_arm(changes: dict[str, Any], name: str) -> None:
    assert arms.name_arm(replace(ArmSettings(1.0, 10.0, "normal", 3, None), **changes)) == name


@pytest.mark.parametrize(
    "changes",
    [{"real_fraction": 0.5}, {"percent": 20.0}, {"schedule": "pretrain"}, {"weights": "none"}, {"label": "abnormal"},
     {"generator": "b"}, {"control": None}],
    ids=str,
)  # fmt: skip
def test_a_control_is_equal_to_its_arm_in_all_else(changes: dict[str, Any]) -> None:
    arm = ArmSettings(1.0, 10.0, "normal", 3, None, generator="a")
    control = replace(arm, control="shuffle")
    assert arms.is_control(control, arm)
    assert arms.is_control(replace(control, control="duplicate", generator=None), arm)
    assert not arms.is_control(replace(control, **changes), arm)
    assert not arms.is_control(arm, control)


def test_read_arm_returns_all_fields_of_a_control() -> None:
    said = {"control": "reweight", "added": 0, "prior": {"normal": 5, "abnormal": 2}}
    arm = arms.read_arm(artifact_saying(**said))
    assert (arm.record, arm.prior) == ({**ARM, **said}, said["prior"])
    assert arms.read_arm(artifact_saying(control="shuffle", label="mixed")).settings.label == "mixed"


@pytest.mark.parametrize("prior", [None, {"normal": 1}, {"normal": 0, "abnormal": 1}, {"normal": 1, "abnormal": "2"}])
def test_class_counts_that_are_none_are_refused(prior: object) -> None:
    with pytest.raises(ArtifactError, match="'result/arm/prior/"):
        arms.read_arm(artifact_saying(control="reweight", prior=prior))


@pytest.mark.parametrize(("control", "generator", "is_one"), [
    ("shuffle", "a", True), ("shuffle", "b", False), ("shuffle", None, False), ("low-resolution", None, False),
    ("duplicate", None, True), ("duplicate", "b", False),
])  # fmt: skip
def test_a_control_of_synthetic_images_is_that_of_one_known_generator(
    control: str, generator: str | None, is_one: bool
) -> None:
    arm = ArmSettings(real_fraction=1.0, percent=10.0, label="mixed", added=4, control=None, generator="a")
    assert arms.is_control(replace(arm, control=control, generator=generator), arm) == is_one


COUNTS = {"normal": 6, "abnormal": 4}


def assigned(
    counts: dict[str, int] = COUNTS, rivals: tuple[str, ...] = (), of_other: dict[str, Any] | None = None
) -> str | None:
    """Return the generator of a duplicating control that was made for the images of `a`.

    Args:
        counts: training images of the arm of another generator `b` by label.
        rivals: generators of other controls of the kind.
        of_other: how the settings of that arm differ.
    """
    of_a = ArmSettings(1.0, 10.0, "mixed", 4, None, generator="a")
    of_b = replace(of_a, generator="b", **(of_other or {}))
    control = replace(of_a, control="duplicate", generator=None)
    others = [TrainedArm(replace(control, generator=name), COUNTS, name) for name in rivals]
    trained = [TrainedArm(of_a, COUNTS, "a"), TrainedArm(of_b, counts, "b"), *others, TrainedArm(control, COUNTS, "a")]
    *rest, found = arms.assign_controls(trained)
    assert rest == [each.settings for each in trained[:-1]], "nothing else changes"
    return found.generator


def test_a_control_of_real_images_has_a_generator_unless_it_is_that_of_all() -> None:
    assert assigned() is None
    assert assigned({"normal": 5, "abnormal": 5}) == "a"
    assert assigned({"normal": 5, "abnormal": 5}, of_other={"percent": 20.0}) is None, "another dose"
    assert assigned({"normal": 5, "abnormal": 5}, of_other={"schedule": "pretrain"}) is None
    assert assigned(rivals=("b",)) == "a", "the other generator has a control of its own"
    assert assigned(rivals=("a",)) is None
