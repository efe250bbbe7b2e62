"""What a manifest says of an arm is read back, or refused."""

from pathlib import Path

import pytest

from xrayaug.data import arms
from xrayaug.data.arms import ArmSettings
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


def test_read_arm_returns_all_fields_of_a_control() -> None:
    said = {"control": "reweight", "added": 0, "prior": {"normal": 5, "abnormal": 2}}
    arm = arms.read_arm(artifact_saying(**said))
    assert (arm.record, arm.prior) == ({**ARM, **said}, said["prior"])
    assert arms.read_arm(artifact_saying(control="shuffle", label="mixed")).settings.label == "mixed"


@pytest.mark.parametrize("prior", [None, {"normal": 1}, {"normal": 0, "abnormal": 1}, {"normal": 1, "abnormal": "2"}])
def test_class_counts_that_are_none_are_refused(prior: object) -> None:
    with pytest.raises(ArtifactError, match="'result/arm/prior/"):
        arms.read_arm(artifact_saying(control="reweight", prior=prior))
