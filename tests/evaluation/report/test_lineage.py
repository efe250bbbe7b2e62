"""The commands behind a run are those that were given, and what cannot be followed is said."""

from pathlib import Path

import pytest
from builders import edit_manifest, phantom

from xrayaug.evaluation.gather import lineage
from xrayaug.options import Evaluate, Sample
from xrayaug.storage import artifacts

LAST = Evaluate(runs=(Path("run"),), out=Path("out"))


def commands(path: Path) -> list[str]:
    return lineage.trace([artifacts.open_artifact(path)]).command_lines(LAST, [path])


def test_what_was_made_first_comes_first(chain: tuple[Path, Path]) -> None:
    assert commands(chain[1]) == [
        phantom(Path("runs/gan")).command_line(),
        Sample(run=Path("runs/gan"), out=Path("data/synthetic")).command_line(),
        "xrayaug evaluate data/synthetic --out evaluation",
    ]


def test_an_option_of_another_version_makes_a_comment(chain: tuple[Path, Path]) -> None:
    edit_manifest(chain[1], lambda manifest: manifest["options"].update(sharpness=3))
    assert commands(chain[1])[1].startswith("# data/synthetic: by sample of xrayaug ")


@pytest.mark.parametrize("absurd", ["many", [1], {"a": 1}, -7], ids=str)
def test_an_absurd_option_breaks_nothing(chain: tuple[Path, Path], absurd: object) -> None:
    edit_manifest(chain[1], lambda manifest: manifest["options"].update(count=absurd))
    assert len(commands(chain[1])) == 3


def test_what_changed_since_is_no_link(chain: tuple[Path, Path]) -> None:
    run, synthetic = chain
    edit_manifest(run, lambda manifest: manifest["options"].update(seed=9))
    found = lineage.trace([artifacts.open_artifact(synthetic)])
    assert [each.path.name for each in found.made] == ["synthetic"]
    assert found.missing == ["gan changed since synthetic was made from it"]


def test_what_is_gone_or_damaged_is_said(chain: tuple[Path, Path]) -> None:
    (chain[0] / "manifest.json").write_text("{")
    assert "cannot be read" in lineage.trace([artifacts.open_artifact(chain[1])]).missing[0]
    chain[0].rename(chain[0].with_name("moved"))
    found = lineage.trace([artifacts.open_artifact(chain[1])])
    assert found.missing == ["gan, from which synthetic was made, is not there any more"]


def test_versions_without_times(chain: tuple[Path, Path]) -> None:
    (environment,) = lineage.trace([artifacts.open_artifact(chain[1])]).environments()
    assert environment.startswith("xrayaug ")
    assert "torch " in environment
    assert lineage.describe_environment(None) == "xrayaug unknown, Python unknown, on an unknown device"
