"""What is known of the images that the generator of a synthetic dataset was trained on."""

from pathlib import Path

import pytest
from builders import edit_manifest, row, write_dataset, write_external

from xrayaug.data import generators
from xrayaug.data.generators import DECLARED, NONE, RECORDED, UNKNOWN, Generator
from xrayaug.errors import ArtifactError, DataError
from xrayaug.options import Augment, Sample, TrainGan
from xrayaug.storage import builder
from xrayaug.storage.artifacts import Artifact, open_artifact


def synthetic_set(out: Path, learnt_from: str | Path | None = None) -> Artifact:
    return open_artifact(write_external(out, learnt_from=learnt_from))


def gan_run(out: Path, data: Path) -> Path:
    builder.build_artifact(TrainGan(data=data, out=out), "gan-run", lambda _: {"arch": "dcgan"})
    return out


@pytest.fixture
def real(tmp_path: Path) -> Path:
    rows = [row(split=split, patient=split, study="", file=split, sha256=split) for split in ("train", "valid", "test")]
    return write_dataset(tmp_path / "real", rows)


@pytest.mark.parametrize("learnt_from", [DECLARED, NONE, UNKNOWN])
def test_the_generator_is_the_one_that_was_declared(real: Path, tmp_path: Path, learnt_from: str) -> None:
    made = synthetic_set(tmp_path / "made", real if learnt_from == DECLARED else learnt_from)
    assert generators.is_external(made)
    assert generators.read_generator(made) == Generator("ddpm", learnt_from)
    assert generators.read_generator(made).is_declared is (learnt_from != UNKNOWN)


def test_a_sampled_set_has_the_architecture_of_its_run(real: Path, tmp_path: Path) -> None:
    run = gan_run(tmp_path / "gan", real)
    builder.build_artifact(Sample(run=run, out=tmp_path / "sampled"), "dataset", lambda _: {"arch": "dcgan"})
    sampled = open_artifact(tmp_path / "sampled")
    assert not generators.is_external(sampled)
    assert generators.read_generator(sampled) == Generator("dcgan", RECORDED)
    (images,) = generators.open_training_images(sampled)
    assert [each.split for each in images.rows] == ["train"]


def test_an_unheard_of_declaration_is_an_error(tmp_path: Path) -> None:
    made = synthetic_set(tmp_path / "made")
    edit_manifest(made.path, lambda manifest: manifest["result"]["generator"].update(learnt_from="yes"))
    with pytest.raises(ArtifactError, match="learnt_from' is yes"):
        generators.read_generator(open_artifact(made.path))


def test_declared_images_are_those_of_the_training_split(real: Path, tmp_path: Path) -> None:
    (images,) = generators.open_training_images(synthetic_set(tmp_path / "made", real))
    assert images.data.path.resolve() == real.resolve()
    assert [each.sha256 for each in images.rows] == ["train"]


def test_a_declared_dataset_that_changed_is_an_error(real: Path, tmp_path: Path) -> None:
    made = synthetic_set(tmp_path / "made", real)
    edit_manifest(real, lambda manifest: manifest["result"].update(note="changed"))
    with pytest.raises(ArtifactError, match="changed since"):
        generators.open_training_images(made)


def test_nothing_declared_is_no_empty_list(tmp_path: Path) -> None:
    assert generators.open_training_images(synthetic_set(tmp_path / "none", NONE)) == []
    with pytest.raises(DataError, match=r"ddpm.* is unknown"):
        generators.open_training_images(synthetic_set(tmp_path / "unknown"))


@pytest.mark.parametrize("through_arm", [False, True])
def test_a_run_on_images_of_an_unknown_generator_does_not_make_it_known(
    real: Path, tmp_path: Path, *, through_arm: bool
) -> None:
    data = synthetic_set(tmp_path / "made").path
    if through_arm:
        from xrayaug.stages import augment

        augment.run(Augment(real=real, synthetic=(data,), percent=100, out=tmp_path / "arm"))
        data = tmp_path / "arm"
    run = gan_run(tmp_path / "gan", data)
    builder.build_artifact(Sample(run=run, out=tmp_path / "sampled"), "dataset", lambda _: {"arch": "dcgan"})
    with pytest.raises(DataError, match=r"ddpm.* is unknown"):
        generators.open_training_images(open_artifact(tmp_path / "sampled"))


def test_a_run_on_images_of_a_declared_generator_learnt_from_what_that_saw(real: Path, tmp_path: Path) -> None:
    run = gan_run(tmp_path / "gan", synthetic_set(tmp_path / "made", real).path)
    builder.build_artifact(Sample(run=run, out=tmp_path / "sampled"), "dataset", lambda _: {"arch": "dcgan"})
    images = generators.open_training_images(open_artifact(tmp_path / "sampled"))
    assert [[each.sha256 for each in found.rows] for found in images] == [["made"], ["train"]]


@pytest.mark.parametrize("learnt_from", [DECLARED, NONE, UNKNOWN])
def test_a_run_depends_on_the_generator_of_its_training_images(real: Path, tmp_path: Path, learnt_from: str) -> None:
    made = synthetic_set(tmp_path / "made", real if learnt_from == DECLARED else learnt_from)
    run = gan_run(tmp_path / "gan", made.path)
    builder.build_artifact(Sample(run=run, out=tmp_path / "sampled"), "dataset", lambda _: {"arch": "dcgan"})
    sampled = open_artifact(tmp_path / "sampled")
    assert generators.list_external(sampled) == [Generator("ddpm", learnt_from)]
    known = generators.open_training_images(sampled, only_known=True)
    expected = [["made"], ["train"]] if learnt_from == DECLARED else [["made"]]
    assert [[each.sha256 for each in found.rows] for found in known] == expected


@pytest.mark.parametrize(
    ("shares", "name"),
    [((), "a+b"), ((2, 2), "a+b"), ((3.0, 1.0), "a:3+b:1"), ((0.75, 0.25), "a:3+b:1"), ((2, 3), "a:2+b:3"),
     ((0.1, 0.3), "a:1+b:3")],
)  # fmt: skip
def test_the_name_of_several_generators(shares: tuple[float, ...], name: str) -> None:
    assert generators.join_names(["a", "b"], shares) == name
    assert generators.join_names(["a", "a"], ()) == "a"
