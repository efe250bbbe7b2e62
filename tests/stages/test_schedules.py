"""Arms without real images, and training in two phases: pretraining on an arm, then on the real images."""

import signal
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import row, write_dataset
from torch import Tensor

from xrayaug.data import arms
from xrayaug.data.dataset import LABELS, Dataset, Row, open_dataset
from xrayaug.errors import ArtifactError, DataError, UsageError
from xrayaug.networks import classifier
from xrayaug.options import Augment, Sample, TrainClassifier
from xrayaug.runtime import stopping
from xrayaug.runtime.stopping import Interval
from xrayaug.stages import augment, train_classifier
from xrayaug.storage import artifacts, builder
from xrayaug.storage.files import WEIGHTS_FILE
from xrayaug.training import classifier_training

MakeDataset = Callable[..., Path]  # conftest's fixture
MakeArm = Callable[..., Path]


@pytest.fixture(scope="module")
def home(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sets `real`, and `synthetic` of both labels in turn."""
    folder = tmp_path_factory.mktemp("sets")
    make_dataset(folder / "real")
    rows = [row(label=LABELS[place % 2], patient="", study="", source="cgan", synthetic=True) for place in range(40)]
    drawn = write_dataset(folder / "drawn", rows)

    def sample(directory: Path) -> dict[str, Any]:
        for name in ("images.npy", "index.csv"):
            (directory / name).write_bytes((drawn / name).read_bytes())
        return {"arch": "cgan", "split_by": "patient"}

    builder.build_artifact(Sample(run=folder / "drawn", out=folder / "synthetic"), "dataset", sample)
    return folder


@pytest.fixture
def arm(home: Path, tmp_path: Path) -> MakeArm:
    """`arm(...)`: the path of an arm with a dose of 100 percent, 8 images, or with the options that are given."""
    made = count()

    def make(**changes: Any) -> Path:
        given: dict[str, Any] = {"real": home / "real", "synthetic": home / "synthetic", "percent": 100}
        out = tmp_path / f"arm-{next(made)}"
        augment.run(Augment(**(given | {"out": out} | changes)))
        return out

    return make


def options(data: Path, out: Path, **changes: Any) -> TrainClassifier:
    quick: dict[str, Any] = {
        "arch": "squeezenet1_1", "weights": "none", "size": 32, "epochs": 2, "batch_size": 8, "lr": 1e-3,
    }  # fmt: skip
    return TrainClassifier(data=data, out=out, device="cpu", **(quick | changes))


def train(data: Path, out: Path, **changes: Any) -> Path:
    train_classifier.run(options(data, out, **changes))
    return out


def training_of(path: Path) -> list[Row]:
    return open_dataset(path).select(split="train")


def synthetic_places(rows: list[Row]) -> list[int]:
    return [each.row for each in rows if each.synthetic]


def held_out(data: Dataset) -> list[tuple[str, ...]]:
    return [(each.split, each.file, each.label, each.patient) for each in data.rows if each.split != "train"]


def state_of(run: Path) -> dict[str, Tensor]:
    return classifier.restore(run / WEIGHTS_FILE, "squeezenet1_1", size=32).network.state_dict()


def test_an_arm_without_real_images_trains_on_the_synthetic_ones_of_the_arm_with_them(home: Path, arm: MakeArm) -> None:
    mixed, alone, zero = arm(), arm(synthetic_only=True), arm(real_fraction=0)
    training = training_of(alone)
    assert all(each.synthetic for each in training)
    assert synthetic_places(training) == synthetic_places(training_of(mixed)) == synthetic_places(training_of(zero))
    assert held_out(open_dataset(alone)) == held_out(open_dataset(home / "real"))
    said = open_dataset(alone).artifact.result["arm"]
    assert (said["real"], said["added"], said["schedule"], said["baseline_images"]) == (0, 8, "synthetic-only", 16)
    read = arms.read_arm(artifacts.open_artifact(zero))
    assert (read.settings.real_fraction, read.settings.schedule, read.baseline_images) == (1, "synthetic-only", 16)
    assert "none, only what is added" in augment.tables(open_dataset(alone).artifact.result)[0].notes[0]


@pytest.mark.parametrize("percent", [250, 1000])
def test_controls_of_an_arm_without_real_images_have_its_labels(home: Path, arm: MakeArm, percent: float) -> None:
    given: dict[str, Any] = {"synthetic_only": True, "percent": percent, "real_fraction": 0.5}
    wanted = Counter(each.label for each in training_of(arm(**given)))
    kept = {each.file for each in training_of(arm(percent=0, real_fraction=0.5))}
    for control in ("duplicate", "classical", "shuffle"):
        rows = training_of(arm(**given, control=control))
        assert Counter(each.label for each in rows) == wanted
        if control != "shuffle":
            assert all(each.copy and not each.synthetic for each in rows)
            assert {each.file for each in rows} <= kept, "no real image that the baseline has not"
    fewer = given | {"percent": 100}
    new = training_of(arm(**fewer, control="more-real"))
    assert Counter(each.label for each in new) == Counter(each.label for each in training_of(arm(**fewer)))
    assert not {each.file for each in new} & kept


def test_arms_without_real_images_that_make_no_sense_are_refused(home: Path, arm: MakeArm) -> None:
    share = arm(percent=0, real_fraction=0.5)
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"percent": 0}, UsageError, "nothing to train on: --percent is 0"),
        ({"control": "reweight"}, UsageError, "--control reweight adds no images"),
        ({"label": "normal"}, DataError, "images of both labels, and all that are added are normal"),
        ({"control": "duplicate", "synthetic": None}, DataError, "images of both labels"),
        ({"real": share}, DataError, "an arm with a share of the real images"),
        ({"control": "more-real"}, DataError, "leaves out 0"),
        ({"generator": "a,b"}, UsageError, "--generator 'a,b' is no name"),
    ]
    for changes, error, said in cases:
        with pytest.raises(error, match=said):
            arm(synthetic_only=True, **changes)
    with pytest.raises(UsageError, match="--generator names the generator of synthetic images, and there are none"):
        arm(percent=0, generator="mine")
    assert arms.read_arm(artifacts.open_artifact(arm(generator="mine"))).settings.generator == "mine"


def test_new_options_at_their_defaults_are_not_recorded(arm: MakeArm) -> None:
    made = artifacts.open_artifact(arm())
    assert not {"generator", "synthetic_only"} & made.options.keys()
    assert not {"generator", "schedule", "baseline_images"} & made.result["arm"].keys()


def test_the_second_phase_starts_from_the_weights_of_the_first(home: Path, arm: MakeArm, tmp_path: Path) -> None:
    first = train(arm(synthetic_only=True), tmp_path / "first", epochs=1)
    second = train(home / "real", tmp_path / "second", epochs=1, init=first, lr=1e-30)  # which moves no weight
    kept, other = state_of(first), state_of(train(home / "real", tmp_path / "other", epochs=1, lr=1e-30))
    assert all(torch.allclose(weight, kept[name], atol=1e-9) for name, weight in state_of(second).items())
    assert not all(torch.allclose(weight, kept[name], atol=1e-9) for name, weight in other.items())
    made = artifacts.open_artifact(second)
    assert set(made.manifest["inputs"]) == {"data", "init"}
    assert "init" not in made.options
    assert made.result["init"] == str(first)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"synthetic_only": True}, "100 mixed, synthetic only, then real"),
        ({"synthetic_only": True, "control": "duplicate"}, "100 mixed duplicate, added images only, then real"),
        ({}, "100 mixed, then real"),
        ({"control": "reweight"}, "100 mixed reweight, then real"),
    ],
)  # fmt: skip
def test_two_phases_are_one_arm(home: Path, arm: MakeArm, tmp_path: Path, changes: dict[str, Any], name: str) -> None:
    first = train(arm(**changes), tmp_path / "first", epochs=1)
    second = artifacts.open_artifact(train(home / "real", tmp_path / "second", epochs=1, init=first))
    was, settings = (arms.read_arm(artifacts.open_artifact(each)).settings for each in (first, second.path))
    assert arms.name_arm(settings) == name
    assert settings.schedule == ("pretrain" if "only" in name else "mixed-pretrain")
    same = ("percent", "label", "added", "control", "real_fraction")
    assert all(getattr(settings, each) == getattr(was, each) for each in same)
    assert second.result["class_weights"] == {"normal": 0.5, "abnormal": 0.5}, "those of the real images"
    assert "importance_weights" not in second.result


def test_an_arm_without_real_images_takes_the_steps_of_its_baseline(home: Path, arm: MakeArm, tmp_path: Path) -> None:
    steps = {}
    for name, data in {"baseline": home / "real", "alone": arm(percent=400, synthetic_only=True)}.items():
        given = options(data, tmp_path / name, budget="steps", epochs=3)
        planned, result = train_classifier.plan(given), train_classifier.run(given)
        steps[name] = planned["steps"], result["steps"]
    assert steps == {"baseline": (6, 6), "alone": (6, 6)}


def test_seeds_that_are_trained_together_start_from_runs_of_their_own(home: Path, arm: MakeArm, tmp_path: Path) -> None:
    alone = arm(synthetic_only=True)
    train(alone, tmp_path / "first-{seed}", seeds=2)
    train(home / "real", tmp_path / "both-{seed}", seeds=2, init=tmp_path / "first-{seed}")
    for seed in (0, 1):
        one = train(home / "real", tmp_path / f"one-{seed}", seed=seed, init=tmp_path / f"first-{seed}")
        assert (one / WEIGHTS_FILE).read_bytes() == (tmp_path / f"both-{seed}" / WEIGHTS_FILE).read_bytes()
        made = artifacts.open_artifact(tmp_path / f"both-{seed}")
        assert made.open_input("init", "classifier-run").options["seed"] == seed


def test_the_second_phase_continues_after_a_stop(
    home: Path, arm: MakeArm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(arm(synthetic_only=True), tmp_path / "first", epochs=1)
    given: dict[str, Any] = {"init": first, "checkpoint_every": Interval(images=10**9)}
    whole = train(home / "real", tmp_path / "whole", **given)
    steps, step = count(1), classifier_training.ClassifierTrainer._step

    def interrupted(self: Any, *of: Tensor) -> Tensor:
        if next(steps) == 3:
            signal.raise_signal(signal.SIGTERM)
        return step(self, *of)

    monkeypatch.setattr(classifier_training.ClassifierTrainer, "_step", interrupted)
    with pytest.raises(stopping.Stopped), stopping.handle_signals():
        train(home / "real", tmp_path / "run", **given)
    train(home / "real", tmp_path / "run", **given)
    assert (tmp_path / "run" / WEIGHTS_FILE).read_bytes() == (whole / WEIGHTS_FILE).read_bytes()


def test_runs_that_cannot_be_gone_on_with_are_refused(home: Path, arm: MakeArm, tmp_path: Path) -> None:
    mixed = arm()
    first = train(mixed, tmp_path / "first", epochs=1)
    second = train(home / "real", tmp_path / "second", epochs=1, init=first)
    share = arm(percent=0, real_fraction=0.5)
    weights = str(first / WEIGHTS_FILE)
    cases: list[tuple[Path, dict[str, Any], type[Exception], str]] = [
        (home / "real", {"init": home / "real"}, ArtifactError, "expected classifier-run"),
        (
            home / "real",
            {"arch": "resnet18"},
            UsageError,
            "was trained with --arch squeezenet1_1, and this is --arch resnet18",
        ),
        (home / "real", {"size": 64}, UsageError, "was trained with --size 32, and this is --size 64"),
        (
            home / "real",
            {"weights": weights},
            UsageError,
            "was trained with --weights none, and this is --weights .*safetensors",
        ),
        (home / "real", {"init": second}, UsageError, "has itself started from another run"),
        (mixed, {}, DataError, "is an arm that adds others"),
        (share, {}, DataError, r"belongs to 1 of the real images, and .* has 0\.5"),
    ]
    for data, changes, error, said in cases:
        given = options(data, tmp_path / "run", **({"init": first} | changes))
        for do in (train_classifier.plan, train_classifier.run):
            with pytest.raises(error, match=said):
                do(given)
    assert not (tmp_path / "run").exists()


def test_another_weights_file_is_another_start(home: Path, arm: MakeArm, tmp_path: Path) -> None:
    files = [
        str(train(home / "real", tmp_path / f"file-{seed}", epochs=1, seed=seed) / WEIGHTS_FILE) for seed in (0, 1)
    ]
    first = train(arm(), tmp_path / "first", epochs=1, weights=files[0])
    with pytest.raises(UsageError, match="started from another weights file"):
        train(home / "real", tmp_path / "run", epochs=1, init=first, weights=files[1])
    train(home / "real", tmp_path / "run", epochs=1, init=first, weights=files[0])


def test_output_layers_are_pretrained_too(home: Path, arm: MakeArm, tmp_path: Path) -> None:
    """Only the output layer moves on from that of the first run; the frozen network must be the same."""
    given: dict[str, Any] = {"arch": "efficientnet_lite0", "weights": "imagenet", "size": 64, "cache": tmp_path / "c"}
    head: dict[str, Any] = given | {"train": "head", "views": 1}
    first = train(arm(synthetic_only=True), tmp_path / "first", **head)
    second = train(home / "real", tmp_path / "second", **(head | {"init": first, "lr": 1e-30}))

    def output(run: Path) -> Tensor:
        weight = classifier.restore_output_layer(run / WEIGHTS_FILE, "efficientnet_lite0", size=64).weight
        assert isinstance(weight, Tensor)
        return weight

    assert torch.equal(output(first), output(second))
    assert not torch.equal(output(first), output(train(home / "real", tmp_path / "other", **(head | {"lr": 1e-30}))))
    whole = train(arm(), tmp_path / "whole", **given, epochs=1)
    with pytest.raises(UsageError, match="trained more than its output layer"):
        train(home / "real", tmp_path / "run", **(head | {"init": whole}))
    then_all = artifacts.open_artifact(train(home / "real", tmp_path / "all", **given, init=first, epochs=1))
    last = train(home / "real", tmp_path / "last", **given, train="last-1", init=whole, epochs=1)
    assert arms.read_arm(then_all).settings.is_pretrained
    frozen = (
        classifier.restore(each / WEIGHTS_FILE, "efficientnet_lite0", size=64).network.state_dict()["conv_stem.weight"]
        for each in (whole, last)
    )
    assert torch.equal(*frozen)
