"""Which command of a study reads what another one writes."""

from pathlib import Path

from xrayaug import studies
from xrayaug.options import Experiment


def graph(**changes: object) -> dict[str, set[str]]:
    """Every part and the parts that it reads."""
    study = studies.plan(Experiment(preset="demo", out=Path("s"), **changes))  # type: ignore[arg-type]
    names = [command.out.name for command in study.commands]
    return {name: {names[need] for need in needs} for name, needs in zip(names, study.needs(), strict=True)}


def test_who_reads_whom() -> None:
    found = graph(seeds=1, percents=(0.0, 50.0), screen=True)
    assert found["raw-rsna"] == set()
    assert found["rsna"] == {"raw-rsna"}
    assert found["gan"] == {"rsna"}
    assert found["fid-rsna-mura"] == {"rsna", "mura"}
    assert found["copies"] == {"synthetic", "rsna"}
    assert found["arm-50"] == {"mura", "synthetic", "copies"}
    assert found["classifier-50-seed-0"] == {"arm-50"}
    assert found["evaluation"] == {"classifier-0-seed-0", "classifier-50-seed-0"}


def test_a_command_that_trains_several_seeds_makes_all_of_them() -> None:
    found = graph(seeds=3, percents=(0.0, 50.0), side_by_side=True)
    assert found["evaluation"] == {"classifier-0-seed-{seed}", "classifier-50-seed-{seed}"}
