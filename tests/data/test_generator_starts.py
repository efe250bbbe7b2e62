"""What is known of the images that a generator was trained on, through the runs that it started from."""

from pathlib import Path
from typing import Any

import pytest
from builders import row, write_dataset

from xrayaug.data import generators
from xrayaug.errors import ArtifactError
from xrayaug.options import Sample, TrainGan
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.builder import build_artifact


def make_gan(data: Path, out: Path, init: Path | None = None) -> Path:
    build_artifact(TrainGan(data=data, out=out, init=init), "gan-run", lambda _: {})
    return out


def draw(run: Path, home: Path) -> Artifact:
    def build(directory: Path) -> dict[str, Any]:
        made = write_dataset(home / "pixels", [row(patient="", study="", synthetic=True)])
        for name in ("images.npy", "index.csv"):
            (directory / name).write_bytes((made / name).read_bytes())
        return {"arch": "dcgan"}

    build_artifact(Sample(run=run, out=home / "synthetic"), "dataset", build)
    return artifacts.open_artifact(home / "synthetic")


@pytest.fixture
def real(tmp_path: Path) -> Path:
    rows = [row(patient="a", study=""), row(patient="b", study="", split="test")]
    return write_dataset(tmp_path / "real", rows)


@pytest.fixture
def synthetic(real: Path, tmp_path: Path) -> Artifact:
    """A set of a GAN that was trained on `real` after another on `before`, which has the held-out patient."""
    before = write_dataset(tmp_path / "before", [row(patient="b", study="", sha256="f" * 64)])
    first = make_gan(before, tmp_path / "first")
    return draw(make_gan(real, tmp_path / "second", first), tmp_path)


def test_a_start_that_saw_held_out_patients_is_a_doubt(synthetic: Artifact, real: Path, tmp_path: Path) -> None:
    assert "learnt 1 held-out images, or patients of their names" in generators.find_doubt(synthetic, real)
    (tmp_path / "first").rename(tmp_path / "moved")
    assert "not known what the weights" in generators.find_doubt(synthetic, real)


def test_a_gan_of_its_own_weights_is_no_doubt_though_its_dataset_moved(real: Path, tmp_path: Path) -> None:
    """The dataset that is given is a copy with the same manifest."""
    made = draw(make_gan(real, tmp_path / "run"), tmp_path)
    real.rename(tmp_path / "copy")
    assert generators.find_doubt(made, tmp_path / "copy") == ""


def test_a_start_of_other_patients_is_no_doubt(real: Path, tmp_path: Path) -> None:
    others = write_dataset(tmp_path / "others", [row(patient="c", study="", sha256="e" * 64)])
    first = make_gan(others, tmp_path / "first")
    assert generators.find_doubt(draw(make_gan(real, tmp_path / "second", first), tmp_path), real) == ""


def test_the_data_of_a_start_are_not_called_other_data(synthetic: Artifact, tmp_path: Path) -> None:
    third = write_dataset(tmp_path / "third", [row(patient="d", study="")])
    for name, warned in (("before", False), ("real", False), ("third", True)):
        lines = generators.warn_of_other_training_data(synthetic, third if name == "third" else tmp_path / name)
        assert any("was not learnt from" in line for line in lines) is warned
    (tmp_path / "first").rename(tmp_path / "moved")
    lines = generators.warn_of_other_training_data(synthetic, third)
    assert not any("was not learnt from" in line for line in lines), "what is gone may have been trained on it"
    assert any("not known from what weights" in line for line in lines)


@pytest.mark.parametrize(("gone", "known"), [("first", ["real"]), ("before", ["real"]), ("real", ["before"])])
def test_what_is_known_comes_before_the_error(synthetic: Artifact, tmp_path: Path, gone: str, known: list[str]) -> None:
    (tmp_path / gone).rename(tmp_path / "moved")
    images = generators.iterate_training_images(synthetic)
    assert [next(images).data.path.name] == known
    with pytest.raises(ArtifactError, match=gone):
        next(images)
