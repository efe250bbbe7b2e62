"""The plan of a sequential study: written once, sealed, and compared with the options of every later run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import row

from xrayaug.errors import ArtifactError, OutputError, UsageError
from xrayaug.stats import sequential
from xrayaug.studies import sequential_plan
from xrayaug.studies.sequential_plan import ArmInPlan, SequentialPlan

LOOKS = sequential.plan_looks((3, 5))
PLAN = SequentialPlan(
    seeds=(3, 5),
    levels=tuple(look.level for look in LOOKS),
    rule=sequential.RULE,
    first_seed=0,
    metric="auroc",
    per="image",
    margin=0.02,
    against="baseline",
    calibrate="none",
    primary=None,
    arms=(ArmInPlan("0", "baseline"), ArmInPlan("50", "arm"), ArmInPlan("50-duplicate", "control")),
    family=1,
    test={"images": 96, "sha256": "ab" * 32},
    also={},
)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    sequential_plan.write(tmp_path / "plan.json", PLAN)
    assert sequential_plan.read(tmp_path / "plan.json") == PLAN
    assert PLAN.looks == LOOKS


def test_a_plan_is_written_once(tmp_path: Path) -> None:
    sequential_plan.write(tmp_path / "plan.json", PLAN)
    with pytest.raises(OutputError, match="there already"):
        sequential_plan.write(tmp_path / "plan.json", PLAN)


@pytest.mark.parametrize("name", ["margin", "levels", "metric", "family", "arms", "test"])
def test_a_plan_that_was_edited_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "plan.json"
    sequential_plan.write(file, PLAN)
    content = json.loads(file.read_text())
    content[name] = [] if isinstance(content[name], list) else "another"
    file.write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match="changed since it was locked"):
        sequential_plan.read(file)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}'])
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ArtifactError):
        sequential_plan.read(tmp_path / "plan.json")
    with pytest.raises(ArtifactError, match="no such file"):
        sequential_plan.read(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"margin": 0.03}, "--margin was 0.02, is now 0.03"),
        ({"metric": "accuracy"}, "--metric was auroc, is now accuracy"),
        ({"seeds": (3, 6)}, "the looks (--sequential) were 3,5, now 3,6"),
        ({"arms": PLAN.arms[:2]}, "the arms were 0,50,50-duplicate, now 0,50"),
        ({"test": {"images": 95, "sha256": "cd" * 32}}, "the test images were 96 with the sha256 abababababab, now 95"),
        ({"also": {"other": "ef" * 32}}, "--also was none, now other (efefefefefef)"),
        ({"levels": (0.01, 0.04)}, "its levels were made by another rule"),
    ],
)
def test_every_difference_to_a_plan_is_named(changes: dict[str, Any], said: str) -> None:
    assert any(said in line for line in PLAN.find_differences(replace(PLAN, **changes)))
    assert PLAN.find_differences(PLAN) == []
    assert PLAN.sha256 != replace(PLAN, **changes).sha256


@pytest.mark.parametrize("seeds", [(), (3,), (1, 3), (5, 3), (3, 3), tuple(range(2, 40))])
def test_looks_that_cannot_be_planned_are_a_usage_error(seeds: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="--sequential") as refused:
        sequential_plan.check_looks(seeds)
    assert "3,5,8,12" in refused.value.hint


def test_the_digest_of_test_images_is_that_of_pictures_and_labels_in_any_order() -> None:
    rows = [row(sha256="a", patient="p1"), row(sha256="b", patient="p2", label="abnormal")]
    found = sequential_plan.digest_images(rows)
    assert found["images"] == 2
    assert sequential_plan.digest_images([replace(rows[1], row=7), rows[0]]) == found
    for changed in (replace(rows[0], sha256="c"), replace(rows[0], label="abnormal"), replace(rows[0], patient="p3")):
        assert sequential_plan.digest_images([changed, rows[1]]) != found
