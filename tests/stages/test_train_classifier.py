import json
import math
import signal
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import row, write_dataset
from torch import Tensor

from xrayaug.data.arms import CONTROLS
from xrayaug.data.dataset import LABELS, Dataset, Row, open_dataset
from xrayaug.data.images import loaders
from xrayaug.data.images.loaders import ImageLoader, InMemoryLoader, StreamingLoader
from xrayaug.data.images.stack import Stack
from xrayaug.errors import DataError, OutputError, TrainingError, UsageError
from xrayaug.networks import classifier
from xrayaug.options import Augment, TrainClassifier
from xrayaug.runtime import stopping
from xrayaug.runtime.stopping import Interval
from xrayaug.stages import augment, train_classifier
from xrayaug.storage import artifacts
from xrayaug.training import classifier_training, losses
from xrayaug.training.seed_group import SeedGroup

MakeDataset = Callable[..., Path]  # conftest's fixture

OF_ALL_REAL = [control for control in CONTROLS if control != "more-real"]  # which needs images that are left out
ARM = {"percent": 50.0, "real_fraction": 1.0, "label": "normal", "added": 3, "real": 16, "control": None}


def options(data: Path, out: Path, **changes: Any) -> TrainClassifier:
    quick: dict[str, Any] = {
        "arch": "squeezenet1_1", "weights": "none", "size": 32, "epochs": 2, "batch_size": 8, "lr": 1e-3,
    }  # fmt: skip
    return TrainClassifier(data=data, out=out, device="cpu", **(quick | changes))


def log_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def arm(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "arm", synthetic=3, result={"arm": ARM})


def test_a_run_records_its_training_data(arm: Path, tmp_path: Path) -> None:
    result = train_classifier.run(options(arm, tmp_path / "run", seed=3))
    assert result["train"] == {
        "real": {"normal": 8, "abnormal": 8},
        "synthetic": {"normal": 3, "abnormal": 0},
    }
    assert result["valid"] == {"real": {"normal": 8, "abnormal": 8}}
    assert result["class_weights"] == {"normal": 8 / 19, "abnormal": 11 / 19}
    assert (result["arm"], result["seed"], result["split_by"]) == (ARM, 3, "patient")
    made = artifacts.open_artifact(tmp_path / "run", "classifier-run")
    assert made.result == result
    assert sorted(made.manifest["files"]) == ["log.jsonl", "weights.safetensors"]
    assert made.open_input("data", "dataset").path == arm


def test_the_log_has_a_line_per_epoch_and_the_best_is_kept(arm: Path, tmp_path: Path) -> None:
    result = train_classifier.run(options(arm, tmp_path / "run", epochs=3))
    log = log_of(tmp_path / "run")
    assert [line["epoch"] for line in log] == [1, 2, 3]
    assert [line["images"] for line in log] == [19, 38, 57]
    best = min(log, key=lambda line: float(line["valid_loss"]))
    assert result["best_epoch"] == best["epoch"]
    assert result["valid_loss"] == best["valid_loss"]
    assert set(log[0]) == {
        "epoch", "images", "train_loss", "valid_loss", "valid_accuracy", "valid_auroc", "lr", "seconds",
        "images_per_second",
    }  # fmt: skip
    network = classifier.restore(tmp_path / "run" / "weights.safetensors", "squeezenet1_1", size=32)
    assert reloaded_loss(network, arm, result["class_weights"]) == pytest.approx(result["valid_loss"], rel=1e-4)


def reloaded_loss(network: torch.nn.Module, arm: Path, weights: dict[str, float]) -> float:
    data = open_dataset(arm)
    rows = data.select(split="valid")
    pixels = torch.from_numpy(data.pixels(rows, 32))
    logits = classifier.predict_logits(network, pixels, batch_size=4, device=torch.device("cpu"))
    labels = torch.tensor([float(row.label == "abnormal") for row in rows], dtype=torch.float64)
    return losses.weighted_bce(logits, labels, weights["normal"], weights["abnormal"]).item()


def test_an_easy_task_is_learnt(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", studies=8)
    result = train_classifier.run(options(data, tmp_path / "run", arch="resnet18", epochs=3))
    assert result["valid_auroc"] == 1
    assert result["valid_accuracy"] > 0.9


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(arm: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)  # what the caller drew before must not matter
    train_classifier.run(options(arm, tmp_path / "one", seed=1))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    train_classifier.run(options(arm, tmp_path / "again", seed=1))
    assert torch.equal(before, torch.get_rng_state())
    train_classifier.run(options(arm, tmp_path / "other", seed=2))
    one, again, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "again", "other"))
    assert one == again
    assert one != other
    manifests = [artifacts.open_artifact(tmp_path / name).manifest for name in ("one", "again")]
    assert manifests[0]["result"] == manifests[1]["result"]


def test_the_test_split_is_not_read(arm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Row] = []
    read = Dataset.stack

    def watched(self: Dataset, rows: list[Row], size: int | None = None) -> Stack:
        seen.extend(rows)
        return read(self, rows, size)

    monkeypatch.setattr(Dataset, "stack", watched)
    train_classifier.run(options(arm, tmp_path / "run", epochs=1))
    assert {row.split for row in seen} == {"train", "valid"}
    assert len(seen) == 19 + 16


@pytest.mark.parametrize("size", [32, 24])
def test_images_in_memory_and_streamed_train_to_the_same_bytes(
    arm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    ways: dict[str, Callable[[Stack, torch.device], ImageLoader]] = {
        "held": lambda stack, device: InMemoryLoader(torch.from_numpy(stack.read(slice(None)))),
        "streamed": StreamingLoader,
        "ahead": lambda stack, device: StreamingLoader(stack, device, 2),
    }
    for name, way in ways.items():
        monkeypatch.setattr(loaders, "make_loader", way)
        train_classifier.run(options(arm, tmp_path / name, epochs=1, size=size))
    held, *others = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ways)
    assert all(other == held for other in others)


Shown = list[tuple[bytes, bytes]]  # pictures and what they were mirrored and rotated by, in order


@dataclass
class Watched:
    """Initial weights and images of trainings, by the name of the run directory."""

    shown: defaultdict[str, Shown] = field(default_factory=lambda: defaultdict(list))
    started: dict[str, Tensor] = field(default_factory=dict)
    name: str = ""

    def train(self, data: Path, out: Path, **changes: Any) -> dict[str, Any]:
        self.name = out.name
        return train_classifier.run(options(data, out, **changes))


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    found = Watched()
    warp, build = classifier.apply_affine, classifier.build

    def watch(images: Tensor, theta: Tensor) -> Tensor:
        found.shown[found.name] += [(image.numpy().tobytes(), drawn.numpy().tobytes())
                                    for image, drawn in zip(images, theta, strict=True)]  # fmt: skip
        return warp(images, theta)

    def watch_build(*given: Any, **settings: Any) -> classifier.Classifier:
        network = build(*given, **settings)
        parameters = [parameter.flatten() for parameter in network.parameters()]
        found.started[found.name] = torch.cat(parameters).detach().clone()
        return network

    monkeypatch.setattr(classifier, "apply_affine", watch)
    monkeypatch.setattr(classifier, "build", watch_build)
    return found


def test_arms_are_paired(make_dataset: MakeDataset, tmp_path: Path, watched: Watched) -> None:
    """Networks start from the same weights and see the real images in the same relative order, with the same draws."""
    for dose, synthetic in (("0", 0), ("100", 8)):
        data = make_dataset(tmp_path / f"data{dose}", synthetic=synthetic, splits=("train", "valid"))
        watched.train(data, tmp_path / dose)
    shown, started = watched.shown, watched.started
    reals = {image for image, _ in shown["0"]}
    assert torch.equal(started["0"], started["100"])
    assert (len(shown["0"]), len(shown["100"])) == (2 * 16, 2 * 24)
    assert [each for each in shown["100"] if each[0] in reals] == shown["0"]


@pytest.fixture(scope="module")
def arms(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A baseline of 16 real images, an arm of 100 percent and its controls, over synthetic images of both labels."""
    home = tmp_path_factory.mktemp("arms")
    rows = [row(label=label, patient="", study="", synthetic=True) for label in LABELS] * 4
    pixels = np.random.default_rng(1).integers(0, 256, (8, 16, 16), np.uint8)  # smaller than the real ones
    real, synthetic = make_dataset(home / "real"), write_dataset(home / "synthetic", rows, pixels=pixels)
    for name in ("baseline", "arm", *OF_ALL_REAL):
        control: Any = name if name in OF_ALL_REAL else None
        percent = 0 if name == "baseline" else 100
        augment.run(Augment(real=real, synthetic=(synthetic,), percent=percent, control=control, out=home / name))
    normal: dict[str, Any] = {"label": "normal", "control": "reweight", "out": home / "normal"}
    augment.run(Augment(real=real, percent=100, **normal))
    return {path.name: path for path in home.iterdir()}


@pytest.mark.parametrize("budget", ["epochs", "steps"])
def test_an_arm_and_its_controls_are_paired(
    arms: dict[str, Path], tmp_path: Path, watched: Watched, budget: str
) -> None:
    for name in ("baseline", "arm", *OF_ALL_REAL):
        watched.train(arms[name], tmp_path / name, budget=budget, epochs=3)
    baseline = watched.shown["baseline"]
    for name in ("arm", *OF_ALL_REAL):
        assert torch.equal(watched.started[name], watched.started["baseline"])
        real = [each for each in watched.shown[name] if each in set(baseline)]  # copies have draws of their own
        assert real == baseline[: len(real)], name
        assert len(real) == len(baseline) if budget == "epochs" or name == "reweight" else len(real) > 16
    if budget == "steps":
        assert {len(shown) for shown in watched.shown.values()} == {3 * 16}


def test_copies_are_counted_separately(arms: dict[str, Path], tmp_path: Path) -> None:
    result = train_classifier.plan(options(arms["classical"], tmp_path / "run"))
    assert result["train"] == {
        "real": {"normal": 8, "abnormal": 8},
        "synthetic": {"normal": 0, "abnormal": 0},
        "copies": {"normal": 4, "abnormal": 4},
    }
    assert result["arm"]["control"] == "classical"


def test_a_reweighted_control_has_the_class_counts_of_its_arm_in_the_loss(
    arms: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its arm has 16 normal and 8 abnormal images, it 8 of each."""
    weights: list[tuple[float, float]] = []
    loss = losses.weighted_bce

    def watch(logits: Tensor, labels: Tensor, w0: float, w1: float) -> Tensor:
        weights.append((w0, w1))
        return loss(logits, labels, w0, w1)

    monkeypatch.setattr(classifier_training, "weighted_bce", watch)
    result = train_classifier.run(options(arms["normal"], tmp_path / "run", epochs=1))
    assert result["class_weights"] == pytest.approx({"normal": 1 / 3, "abnormal": 2 / 3})
    assert result["importance_weights"] == pytest.approx({"normal": 4 / 3, "abnormal": 2 / 3})
    assert result["train"]["real"] == {"normal": 8, "abnormal": 8}
    *training, judging = weights
    assert training == [pytest.approx((4 / 9, 4 / 9))] * 2, "as balanced as without the control"
    assert judging == pytest.approx((1 / 3, 2 / 3)), "as the arm is judged"


def test_a_budget_of_steps_is_equal_in_all_arms(arms: dict[str, Path], tmp_path: Path) -> None:
    """The arm takes the baseline's steps: two of 8 images an epoch, where a pass over its own takes three."""
    given = options(arms["arm"], tmp_path / "run", budget="steps", epochs=4)
    planned, result = train_classifier.plan(given), train_classifier.run(given)
    assert (planned["steps_per_epoch"], planned["steps"], result["steps"]) == (2, 8, 8)
    log = log_of(tmp_path / "run")
    assert [(line["epoch"], line["images"]) for line in log] == [(1, 16), (2, 32), (3, 48), (4, 64)]
    assert artifacts.open_artifact(tmp_path / "run").options["budget"] == "steps"


def test_without_added_images_budgets_of_steps_and_epochs_are_equal(arms: dict[str, Path], tmp_path: Path) -> None:
    for budget in ("epochs", "steps"):
        train_classifier.run(options(arms["baseline"], tmp_path / budget, budget=budget))
    (weights, log, *_), (other_weights, other_log, *_) = (finished(tmp_path / name) for name in ("epochs", "steps"))
    assert (weights, log) == (other_weights, other_log)
    assert artifacts.open_artifact(tmp_path / "epochs").options["budget"] == "epochs"


@pytest.mark.parametrize("after", [1, 3, 4, 7])
def test_a_budget_of_steps_continues_after_a_stop(
    arms: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    given: dict[str, Any] = {"budget": "steps", "epochs": 4, "checkpoint_every": Interval(images=10**9)}
    train_classifier.run(options(arms["arm"], tmp_path / "whole", **given))
    steps, step = count(1), classifier_training.ClassifierTrainer._step

    def interrupted(self: Any, *of: Tensor) -> Tensor:
        if next(steps) == after:
            signal.raise_signal(signal.SIGTERM)
        return step(self, *of)

    monkeypatch.setattr(classifier_training.ClassifierTrainer, "_step", interrupted)
    with pytest.raises(stopping.Stopped), stopping.handle_signals():
        train_classifier.run(options(arms["arm"], tmp_path / "run", **given))
    train_classifier.run(options(arms["arm"], tmp_path / "run", **given))
    assert finished(tmp_path / "run") == finished(tmp_path / "whole")
    assert next(steps) == 9  # none was taken twice


def test_the_learning_rate_falls_on_a_plateau_of_the_validation_loss(
    arm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = classifier_training.ValidationMetrics(1.0, 0.5, 0.5)
    monkeypatch.setattr(classifier_training.ClassifierTrainer, "_validate", lambda self: flat)
    result = train_classifier.run(options(arm, tmp_path / "run", epochs=4, patience=1))
    assert [line["lr"] for line in log_of(tmp_path / "run")] == pytest.approx([1e-3, 1e-3, 1e-3, 1e-4])
    assert result["best_epoch"] == 1  # the first of equals


def test_a_nan_loss_stops_training(arm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(logits: Tensor, *_: Any) -> Tensor:
        return logits.sum() * math.nan

    monkeypatch.setattr(classifier_training, "weighted_bce", broken)
    with pytest.raises(TrainingError, match="training loss became nan in epoch 1"):
        train_classifier.run(options(arm, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_set_without_validation_images_is_refused(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", splits=("train", "test"))
    with pytest.raises(DataError, match="no validation images") as caught:
        train_classifier.run(options(data, tmp_path / "run"))
    assert "--holdout 0.1" in caught.value.hint


def test_a_set_of_one_class_is_refused(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", labels=("normal",))
    with pytest.raises(DataError, match="normal training images only"):
        train_classifier.run(options(data, tmp_path / "run"))


def test_images_without_label_are_refused(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", synthetic=2, synthetic_label="")
    with pytest.raises(DataError, match=r"2 training images .* no label"):
        train_classifier.run(options(data, tmp_path / "run"))


def test_batch_norm_needs_two_images(arm: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--batch-size is 1"):
        train_classifier.run(options(arm, tmp_path / "run", arch="resnet18", batch_size=1))


def test_a_plan_writes_nothing_and_counts_the_steps(arm: Path, tmp_path: Path) -> None:
    planned = train_classifier.plan(
        options(arm, tmp_path / "run", arch="densenet169", weights="imagenet", batch_size=6)
    )
    assert not (tmp_path / "run").exists()
    assert planned["parameters"] == 12_486_145
    assert (planned["steps_per_epoch"], planned["steps"]) == (3, 6)  # the last image joins the third batch
    shown = train_classifier.tables(json.loads(json.dumps(planned)))
    assert shown[0].title == "densenet169, one output"
    assert shown[0].rows[-1][-1] == "12,486,145"
    assert ("train, synthetic", "3", "0", "3") in shown[1].rows


def test_the_table_of_a_run(arm: Path, tmp_path: Path) -> None:
    shown = train_classifier.tables(train_classifier.run(options(arm, tmp_path / "run", epochs=1)))
    names = [row[0] for table in shown for row in table.rows]
    assert {"train, real", "arch", "class weights", "best epoch", "valid auroc"} <= set(names)
    assert all(isinstance(cell, str) for table in shown for row in table.rows for cell in row)


def test_a_dataset_that_is_no_arm_is_the_baseline(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", result={"split_by": "image"})
    result = train_classifier.run(options(data, tmp_path / "run", epochs=1))
    assert result["arm"] == {"percent": 0.0, "real_fraction": 1.0, "label": None, "added": 0, "control": None}
    assert "patients leak" in train_classifier.tables(result)[-1].notes[0]


def test_it_starts_from_a_weights_file(arm: Path, tmp_path: Path) -> None:
    train_classifier.run(options(arm, tmp_path / "first", epochs=1))
    weights = tmp_path / "first" / "weights.safetensors"
    train_classifier.run(options(arm, tmp_path / "second", epochs=1, weights=str(weights), lr=1e-12))
    first, second = (
        classifier.restore(tmp_path / name / "weights.safetensors", "squeezenet1_1", size=32).network.state_dict()
        for name in ("first", "second")
    )
    assert np.allclose(first["features.0.weight"], second["features.0.weight"], atol=1e-6)
    recorded = artifacts.open_artifact(tmp_path / "second").manifest["inputs"]
    assert set(recorded) == {"data", "weights"}


def plain_losses(arm: Path, given: TrainClassifier) -> list[float]:
    """Return the losses of a plain loop over the same batches, as the reference."""
    training_data = SeedGroup(given, torch.device("cpu"), lambda *_: {}).training_data
    training = classifier_training.ClassifierTrainer(given, torch.device("cpu"), arm.parent / "plain", training_data)
    network = training.network.to(memory_format=torch.contiguous_format).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=given.recipe.lr)
    draws = classifier_training._draw_augmentations(19, given.seed, 1)
    found = []
    for batch in classifier_training.split_batches(draws[:, 0].argsort(stable=True), given.batch_size):
        shown = training_data.train.pixels[batch][:, None].float() / 255
        theta = classifier.random_affine(draws[batch, 1:], flip=True, rotation=given.rotation)
        labels = training_data.train.labels[batch]
        weight = labels * training_data.w1 + (1 - labels) * training_data.w0
        logits = network(classifier.apply_affine(shown, theta))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, weight)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize(("precision", "lr", "tolerance"), [("fp32", 1e-4, 1e-4), ("bf16", 1e-6, 0.05)])
def test_training_equals_a_plain_loop(arm: Path, tmp_path: Path, precision: str, lr: float, tolerance: float) -> None:
    """In bf16 the steps are small, as what processors round differently would grow from step to step."""
    given = options(arm, tmp_path / "run", epochs=1, arch="resnet18", batch_size=8, precision=precision, lr=lr)
    train_classifier.run(given)
    found = log_of(tmp_path / "run")[0]["train_loss"]
    first, second, last = plain_losses(arm, given)
    assert found == pytest.approx((8 * first + 8 * second + 3 * last) / 19, rel=tolerance)
    assert artifacts.open_artifact(tmp_path / "run").options["precision"] == precision


def test_a_trace_is_written(arm: Path, tmp_path: Path) -> None:
    train_classifier.run(options(arm, tmp_path / "run", epochs=3, profile=tmp_path / "trace.json"))
    assert (tmp_path / "trace.json").exists()


def finished(run: Path) -> tuple[bytes, list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """Its weights, its log apart from times, its numbers and its options."""
    log = [{k: v for k, v in line.items() if k not in ("seconds", "images_per_second")} for line in log_of(run)]
    made = artifacts.open_artifact(run)
    return (run / "weights.safetensors").read_bytes(), log, made.result, made.options


@pytest.fixture(scope="module")
def alone(arm: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Runs of three seeds, each trained by a command of its own."""
    home = tmp_path_factory.mktemp("alone")
    for seed in range(3):
        train_classifier.run(options(arm, home / f"run-{seed}", seed=seed))
    return {seed: home / f"run-{seed}" for seed in range(3)}


def together(arm: Path, home: Path, **changes: Any) -> TrainClassifier:
    return options(arm, home / "run-{seed}", seeds=3, **changes)


def test_interleaved_seeds_equal_single_runs(arm: Path, tmp_path: Path, alone: dict[int, Path]) -> None:
    result = train_classifier.run(together(arm, tmp_path))
    assert {seed: finished(tmp_path / f"run-{seed}") for seed in alone} == {
        s: finished(run) for s, run in alone.items()
    }
    assert [run["seed"] for run in result["runs"]] == [0, 1, 2]
    assert [row[0] for row in train_classifier.tables(result)[1].rows] == ["0", "1", "2"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["run-0", "run-1", "run-2"]


@pytest.mark.parametrize("after", [2, 7])
def test_interleaved_seeds_stop_and_continue(
    arm: Path, tmp_path: Path, alone: dict[int, Path], monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    steps = count()
    step = classifier_training.ClassifierTrainer._step

    def interrupted(self: Any, *given: Tensor) -> Tensor:
        if next(steps) == after:
            signal.raise_signal(signal.SIGTERM)
        return step(self, *given)

    monkeypatch.setattr(classifier_training.ClassifierTrainer, "_step", interrupted)
    given = together(arm, tmp_path, checkpoint_every=Interval(images=10**9))
    with pytest.raises(stopping.Stopped), stopping.handle_signals():
        train_classifier.run(given)
    saved = [sum(1 for _ in tmp_path.glob(f"run-{seed}.partial/resume/checkpoints/*")) for seed in alone]
    assert saved == [1, 1, 1]
    train_classifier.run(given)
    assert {seed: finished(tmp_path / f"run-{seed}") for seed in alone} == {
        s: finished(run) for s, run in alone.items()
    }
    assert next(steps) == 3 * 3 * 2  # none was taken twice


def test_a_failed_seed_does_not_stop_the_others(
    arm: Path,
    tmp_path: Path,
    alone: dict[int, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    step = classifier_training.ClassifierTrainer._step
    monkeypatch.setattr(
        classifier_training.ClassifierTrainer,
        "_step",
        lambda self, *given: step(self, *given) * (math.nan if self.options.seed == 1 else 1),
    )
    with pytest.raises(TrainingError, match="training loss became nan"):
        train_classifier.run(together(arm, tmp_path))
    assert "seed 1: the training loss became nan" in capsys.readouterr().err
    assert [finished(tmp_path / f"run-{seed}") for seed in (0, 2)] == [finished(alone[seed]) for seed in (0, 2)]
    assert not (tmp_path / "run-1").exists()


def test_complete_seeds_are_kept(arm: Path, tmp_path: Path, alone: dict[int, Path]) -> None:
    train_classifier.run(options(arm, tmp_path / "run-1", seed=1))
    before = (tmp_path / "run-1" / "manifest.json").stat().st_mtime_ns
    result = train_classifier.run(together(arm, tmp_path))
    assert (tmp_path / "run-1" / "manifest.json").stat().st_mtime_ns == before
    assert [run["seed"] for run in result["runs"]] == [0, 1, 2]
    assert {seed: finished(tmp_path / f"run-{seed}") for seed in alone} == {
        s: finished(run) for s, run in alone.items()
    }


def test_no_seed_begins_if_one_is_refused(arm: Path, tmp_path: Path) -> None:
    train_classifier.run(options(arm, tmp_path / "run-2", seed=2, epochs=1))
    with pytest.raises(OutputError, match="epochs was 1, is now 2"):
        train_classifier.run(together(arm, tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["run-2"]


def test_each_seed_needs_an_out(arm: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs an --out for each"):
        train_classifier.run(options(arm, tmp_path / "run", seeds=2))
