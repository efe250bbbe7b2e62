"""Phantoms lie on disk as the real sets do, and follow from the seed alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from xrayaug.data import sources
from xrayaug.data.phantoms import layouts
from xrayaug.data.sources import Listing
from xrayaug.errors import UsageError
from xrayaug.options import Phantom, Prepare
from xrayaug.stages import phantom
from xrayaug.storage.artifacts import open_artifact

COUNT = 24
LAYOUTS = ["rsna", "mura"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Phantom]:
    """A finished raw set of each layout."""
    folder = tmp_path_factory.mktemp("phantoms")
    commands = {name: command(name, folder / name) for name in LAYOUTS}
    for options in commands.values():
        phantom.run(options)
    return commands


def command(layout: Any, out: Path, **changes: Any) -> Phantom:
    return Phantom(**{"layout": layout, "count": COUNT, "height": 40, "workers": 1, "out": out, **changes})


def listing(raw: Path, source: Any) -> Listing:
    return sources.load(source).read(Prepare(input=raw, source=source, out=raw))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_its_source_reads_every_image(made: dict[str, Phantom], layout: str) -> None:
    raw = made[layout].out
    found = listing(raw, layout)
    assert len(found.records) == COUNT
    assert found.skipped == []
    assert [note for note in found.notes if not note.startswith("labels of mura: ")] == []
    for record in found.records:
        with Image.open(found.root / record.file) as image:
            assert (image.mode, image.size) == ("L", (32, 40))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_its_source_alone_recognises_it(made: dict[str, Phantom], layout: str) -> None:
    assert {name for name in LAYOUTS if sources.load(name).detect(made[layout].out)} == {layout}


def test_rsna_is_all_normal_with_one_image_per_patient(made: dict[str, Phantom]) -> None:
    records = listing(made["rsna"].out, "rsna").records
    assert {(record.label, record.split) for record in records} == {("normal", "")}
    assert len({record.patient for record in records}) == COUNT
    assert all(12 <= int(record.extra["boneage_months"]) <= 216 for record in records)
    assert {record.extra["male"] for record in records} == {"0", "1"}


def test_mura_has_both_labels_several_views_and_a_test_set(made: dict[str, Phantom], tmp_path: Path) -> None:
    phantom.run(command("mura", tmp_path / "more", count=60))
    records = listing(tmp_path / "more", "mura").records
    assert {record.label for record in records} == {"normal", "abnormal"}
    assert {record.split for record in records} == {"train", "test"}
    assert len({record.study for record in records}) < len(records)
    assert {record.extra["part"] for record in records} == {"hand"}


def test_the_share_of_studies_for_testing(made: dict[str, Phantom], tmp_path: Path) -> None:
    default, half = command("mura", tmp_path / "a", count=200), command("mura", tmp_path / "b", count=200, test=0.5)
    for options, share in ((default, 0.2), (half, 0.5)):
        splits = {image.file.split("/")[3]: image.file.split("/")[1] for image in layouts.plan_images(options)}
        assert sum(split == "valid" for split in splits.values()) / len(splits) == pytest.approx(share, abs=0.01)
    assert "test" not in default.identity()  # so that sets drawn before the option existed are complete
    assert half.identity()["test"] == 0.5
    with pytest.raises(UsageError, match="--test"):
        phantom.plan(replace(made["rsna"], test=0.5))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_counts_are_those_of_the_records(made: dict[str, Phantom], layout: str) -> None:
    result = open_artifact(made[layout].out, "raw").result
    labels = [record.label for record in listing(made[layout].out, layout).records]
    assert result["images"] == COUNT
    assert (result["normal"], result["abnormal"]) == (labels.count("normal"), labels.count("abnormal"))
    assert phantom.plan(made[layout]) == result


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(
    made: dict[str, Phantom], layout: str, tmp_path: Path
) -> None:
    phantom.run(replace(made[layout], out=tmp_path / "again", workers=2))
    first, second = (open_artifact(path).manifest["files"] for path in (made[layout].out, tmp_path / "again"))
    assert first == second


def test_another_seed_draws_other_hands(made: dict[str, Phantom], tmp_path: Path) -> None:
    phantom.run(replace(made["rsna"], out=tmp_path / "other", seed=1))
    first, second = (
        {file.read_bytes() for file in raw.rglob("*.png")} for raw in (made["rsna"].out, tmp_path / "other")
    )
    assert len(first) == len(second) == COUNT
    assert not first & second


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_small_counts_are_exact(layout: str, count: int, tmp_path: Path) -> None:
    assert phantom.plan(command(layout, tmp_path / "out", count=count))["images"] == count
    assert list(tmp_path.iterdir()) == []
