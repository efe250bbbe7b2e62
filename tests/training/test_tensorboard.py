"""Events for TensorBoard repeat the log and the previews of a run, and change none of its bytes."""

import importlib.util
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from builders import MakeDataset
from PIL import Image

from xrayaug.errors import UsageError
from xrayaug.options import TrainClassifier, TrainGan
from xrayaug.runtime import stopping
from xrayaug.stages import train_classifier, train_gan
from xrayaug.storage.artifacts import open_artifact
from xrayaug.storage.files import Log
from xrayaug.training import tensorboard

TIMED = ("seconds", "images_per_second")
Command = TrainGan | TrainClassifier


@pytest.fixture(scope="module")
def data(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "hands")


def gan(data: Path, out: Path, **changes: Any) -> TrainGan:
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 8, "latent": 4, "preview_every": 1, "device": "cpu"}
    return TrainGan(data=data, out=out, **(settings | changes))


def classifier(data: Path, out: Path, **changes: Any) -> TrainClassifier:
    settings: dict[str, Any] = {"arch": "squeezenet1_1", "weights": "none", "size": 32, "epochs": 3, "device": "cpu"}
    return TrainClassifier(data=data, out=out, **(settings | changes))


COMMANDS: list[tuple[ModuleType, Callable[..., Command]]] = [(train_gan, gan), (train_classifier, classifier)]
both = pytest.mark.parametrize(("stage", "command"), COMMANDS, ids=["train-gan", "train-classifier"])


def scalars(run: Path) -> dict[str, dict[int, float]]:
    """Return what TensorBoard reads: the value of each name at each step, which must be there once."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator").EventAccumulator
    events = accumulator(str(run.with_name(f"{run.name}.tensorboard")))
    events.Reload()
    found = {name: events.Scalars(name) for name in events.Tags()["scalars"]}
    assert all(len({event.step for event in each}) == len(each) for each in found.values())
    return {name: {event.step: event.value for event in each} for name, each in found.items()}


def logged(run: Path) -> dict[str, dict[int, Any]]:
    """Return what `scalars` must find, by the log."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {
        name: {line["epoch"]: pytest.approx(line[name], rel=1e-6) for line in lines}
        for name in lines[0]
        if name != "epoch"
    }


def content(run: Path) -> dict[str, Any]:
    """Return all that a run left, times left out."""
    found: dict[str, Any] = {
        file.relative_to(run).as_posix(): file.read_bytes()
        for file in sorted(run.rglob("*"))
        if file.is_file() and file.name not in ("manifest.json", "log.jsonl")
    }
    manifest = open_artifact(run).manifest
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return found | {
        "log": [{name: value for name, value in line.items() if name not in TIMED} for line in lines],
        "manifest": {name: manifest[name] for name in ("options", "inputs", "result")},
        "listed": set(manifest["files"]),
    }


@contextmanager
def stopped_at_epoch(epoch: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ask the run within to stop once it has logged an epoch."""
    append = Log.append

    def counted(self: Log, line: dict[str, Any]) -> None:
        append(self, line)
        if line["epoch"] == epoch:
            signal.raise_signal(signal.SIGUSR1)

    with monkeypatch.context() as patch, pytest.raises(stopping.Stopped), stopping.handle_signals():
        patch.setattr(Log, "append", counted)
        yield


@both
def test_events_repeat_the_log_and_change_no_byte(
    data: Path, tmp_path: Path, stage: ModuleType, command: Callable[..., Command]
) -> None:
    pytest.importorskip("tensorboard")
    plain, shown = (command(data, tmp_path / name, tensorboard=name == "shown") for name in ("plain", "shown"))
    stage.run(plain)
    stage.run(shown)
    assert scalars(shown.out) == logged(shown.out)
    assert content(shown.out) == content(plain.out)
    assert not (tmp_path / "plain.tensorboard").exists()
    assert plain.identity() == shown.identity()


@both
def test_after_a_stop_events_are_those_of_the_log(
    data: Path, tmp_path: Path, stage: ModuleType, command: Callable[..., Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Epochs that a stopped run takes again are not there twice, even if the stop lost its last checkpoint."""
    pytest.importorskip("tensorboard")
    whole, stopped = (command(data, tmp_path / name, tensorboard=True) for name in ("whole", "stopped"))
    stage.run(whole)
    with stopped_at_epoch(2, monkeypatch):
        stage.run(stopped)
    for checkpoint in (tmp_path / "stopped.partial" / "resume" / "checkpoints").iterdir():
        checkpoint.unlink()
    stage.run(stopped)
    assert scalars(stopped.out) == logged(stopped.out)
    assert content(stopped.out) == content(whole.out)
    assert len(list((tmp_path / "stopped.tensorboard").iterdir())) == 1


def test_a_resumed_run_shows_the_epochs_before_it(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And their times follow from the log, so that the curves over time are those of the training."""
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    options = gan(data, tmp_path / "gan", tensorboard=True)
    with stopped_at_epoch(2, monkeypatch):
        train_gan.run(options)
    train_gan.run(options)
    assert scalars(options.out) == logged(options.out)
    events = event_accumulator.EventAccumulator(str(tmp_path / "gan.tensorboard"), {"images": 0})
    events.Reload()
    first, second, _ = events.Scalars("d_loss")
    lines = [json.loads(line) for line in (options.out / "log.jsonl").read_text().splitlines()]
    assert second.wall_time - first.wall_time == pytest.approx(lines[1]["seconds"], abs=1e-3)
    for shown in events.Images("preview"):
        with Image.open(options.out / "previews" / f"epoch-{shown.step:04}.png") as preview:
            (tmp_path / "shown.png").write_bytes(shown.encoded_image_string)
            with Image.open(tmp_path / "shown.png") as image:
                np.testing.assert_array_equal(np.asarray(image.convert("L")), np.asarray(preview))
    assert [shown.step for shown in events.Images("preview")] == [1, 2, 3]


@both
def test_a_finished_run_gets_events_afterwards(
    data: Path, tmp_path: Path, stage: ModuleType, command: Callable[..., Command]
) -> None:
    pytest.importorskip("tensorboard")
    options = command(data, tmp_path / "run")
    stage.run(options)
    stage.run(replace(options, tensorboard=True))
    assert scalars(options.out) == logged(options.out)
    (events,) = (tmp_path / "run.tensorboard").iterdir()
    stage.run(replace(options, tensorboard=True))
    assert list((tmp_path / "run.tensorboard").iterdir()) == [events], "they are written once"


def test_events_of_a_run_that_was_replaced_are_replaced(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    options = gan(data, tmp_path / "gan", tensorboard=True, epochs=1)
    train_gan.run(options)
    for file in (tmp_path / "gan.tensorboard").iterdir():
        os.utime(file, (0, 0))
    train_gan.run(replace(options, seed=1, tensorboard=False, overwrite=True))
    train_gan.run(replace(options, seed=1))
    assert scalars(options.out) == logged(options.out)


def test_each_seed_has_events_of_its_own(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    train_classifier.run(classifier(data, tmp_path / "run-{seed}", seeds=2, epochs=1, tensorboard=True))
    for seed in (0, 1):
        assert scalars(tmp_path / f"run-{seed}") == logged(tmp_path / f"run-{seed}")


@both
def test_without_the_package_nothing_is_begun_or_lost(
    data: Path, tmp_path: Path, stage: ModuleType, command: Callable[..., Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check comes before a stopped run is opened, which an error of usage would discard."""
    options = command(data, tmp_path / "run")
    with stopped_at_epoch(2, monkeypatch):
        stage.run(options)
    kept = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for start in (stage.run, stage.plan):
        with pytest.raises(UsageError, match="--tensorboard needs the package tensorboard"):
            start(replace(options, tensorboard=True))
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == kept


def test_a_log_without_events_takes_previews(tmp_path: Path) -> None:
    tensorboard.add_preview(Log(tmp_path / "log.jsonl"), 1, tmp_path / "missing.png")
