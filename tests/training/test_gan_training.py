"""A run that is stopped anywhere ends with the bytes of one that never was; what it measures, logs and keeps."""

import gc
import json
import signal
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import MakeDataset
from torch import Tensor, nn

from xrayaug.errors import XrayaugError
from xrayaug.options import TrainGan
from xrayaug.runtime import stopping
from xrayaug.sampling.sampler import TrainedGan
from xrayaug.stages import train_gan
from xrayaug.storage import artifacts, weights
from xrayaug.storage.artifacts import open_artifact
from xrayaug.training import collapse
from xrayaug.training.fid_monitor import FidMonitor
from xrayaug.training.gan_model import EXTRA_METRICS, METRICS, GanModel
from xrayaug.training.gan_training import GanTrainer
from xrayaug.training.steps import CudaGraphRecorder

LATENT = 4


@pytest.fixture(scope="module")
def data(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 normal and 8 abnormal training images of 32 px."""
    return make_dataset(tmp_path_factory.mktemp("data") / "hands", splits=["train"])


def command(data: Path, out: Path, **changes: Any) -> TrainGan:
    settings: dict[str, Any] = {"arch": "cgan", "epochs": 3, "batch_size": 6, "latent": LATENT, "width": 0.125}
    return TrainGan(data=data, out=out, preview_every=0, device="cpu", **(settings | changes))


MEASURED: dict[str, Any] = {"fid_every": 1, "fid_features": "random"}
EVERYTHING: list[dict[str, Any]] = [
    {"d_augment": "ada", "r1": 1.0, "penalty_every": 2, "ema": 100, "mirror": True, **MEASURED},
    {"arch": "acgan", "d_augment": "ada", "loss": "hinge", "r2": 0.5, "penalty_every": 3},
    {"arch": "projection", "loss": "relativistic", "r2": 0.5, "penalty_every": 1},
    {"arch": "dcgan-plus", "loss": "wgan", "gradient_penalty": 10.0, "penalty_every": 1, "precision": "bf16"},
    {"arch": "stylegan2", "conditional": True, "width": 1 / 64, "r1": 1.0, "path_length": 2.0, "penalty_every": 2},
    {"arch": "progan", "width": 1 / 64, "mirror": True},
    {"arch": "dcgan", "batch_size": 5},
    {"arch": "projected", "width": 0.125, "d_augment": "ada", "batch_size": 8},
]


@contextmanager
def stopped_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ask the run within to stop, after so many steps."""
    step, count = GanModel.step, 0

    def counted(self: GanModel, *given: Any, **named: Any) -> Tensor:
        nonlocal count
        count += 1
        if count == steps:
            signal.raise_signal(signal.SIGUSR1)
        return step(self, *given, **named)

    with monkeypatch.context() as patch, pytest.raises(stopping.Stopped), stopping.handle_signals():
        patch.setattr(GanModel, "step", counted)
        yield


def content(run: Path) -> dict[str, Any]:
    """All that a run left, times left out."""
    timed = ("seconds", "images_per_second")
    found: dict[str, Any] = {
        file.relative_to(run).as_posix(): file.read_bytes()
        for file in sorted(run.rglob("*"))
        if file.is_file() and file.name not in ("manifest.json", "log.jsonl")
    }
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return found | {
        "log": [{name: value for name, value in line.items() if name not in timed} for line in lines],
        "result": open_artifact(run).result,
    }


@pytest.mark.parametrize("changes", EVERYTHING, ids=lambda changes: str(changes.get("arch", "cgan")))
def test_a_run_that_is_stopped_ends_as_if_it_never_was(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    whole = command(data, tmp_path / "whole", **changes)
    train_gan.run(whole)
    stopped = replace(whole, out=tmp_path / "stopped")
    for steps in (2, 3):  # within the first epoch, then within the second
        torch.manual_seed(99 + steps)  # of the process, which must not matter
        with stopped_after(steps, monkeypatch):
            train_gan.run(stopped)
        assert not stopped.out.exists()
    train_gan.run(stopped)
    assert content(stopped.out) == content(whole.out)


def test_the_averaged_generator_is_what_is_kept_for_sampling(data: Path, tmp_path: Path) -> None:
    train_gan.run(command(data, tmp_path / "gan", ema=1000))
    files = open_artifact(tmp_path / "gan").manifest["files"]
    assert files["generator.safetensors"]["sha256"] != files["generator-raw.safetensors"]["sha256"]
    assert files["generator.safetensors"]["bytes"] == files["generator-raw.safetensors"]["bytes"]
    train_gan.run(command(data, tmp_path / "plain", ema=0))
    plain = open_artifact(tmp_path / "plain").manifest["files"]
    assert "generator-raw.safetensors" not in plain
    assert plain["generator.safetensors"]["sha256"] == files["generator-raw.safetensors"]["sha256"]


def test_the_log_says_how_heavy_penalties_and_how_strong_augmentation_was(data: Path, tmp_path: Path) -> None:
    options = command(data, tmp_path / "gan", arch="acgan", d_augment="ada", r1=100.0, penalty_every=2)
    train_gan.run(options)
    lines = [json.loads(line) for line in (options.out / "log.jsonl").read_text().splitlines()]
    for line in lines:
        assert list(line) == ["epoch", "images", *METRICS, *EXTRA_METRICS, "augment_p", "spread", "seconds",
                              "images_per_second"]  # fmt: skip
        assert line["penalty"] > 0
        assert line["class_loss"] > 0
        assert 0 <= line["augment_p"] <= 1


def test_the_best_snapshot_is_kept_beside_the_last(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = iter([5.0, 3.0, 4.0])
    monkeypatch.setattr(FidMonitor, "distance", lambda *_: next(measured))
    options = command(data, tmp_path / "gan", **MEASURED)
    result = train_gan.run(options)
    assert result["best"] == {"epoch": 2, "distance": 3.0}
    lines = [json.loads(line) for line in (options.out / "log.jsonl").read_text().splitlines()]
    assert [line["distance"] for line in lines] == [5.0, 3.0, 4.0]
    files = open_artifact(options.out).manifest["files"]
    assert files["best-generator.safetensors"]["sha256"] != files["generator.safetensors"]["sha256"]
    two = replace(options, epochs=2, fid_every=0, out=tmp_path / "two")
    train_gan.run(two)
    assert files["best-generator.safetensors"] == open_artifact(two.out).manifest["files"]["generator.safetensors"]


def test_a_run_can_start_from_the_weights_of_another(data: Path, tmp_path: Path) -> None:
    before = command(data, tmp_path / "before")
    train_gan.run(before)
    starts = {}
    for name, init in (("fresh", None), ("transferred", before.out)):
        options = command(data, tmp_path / name, init=init, seed=1, epochs=1, lr=1e-9)
        result = train_gan.run(options)
        assert result.get("init") == (str(init) if init else None)
        starts[name] = weights.read(options.out / "discriminator.safetensors")
    learnt = weights.read(before.out / "discriminator.safetensors")
    apart = {
        name: max(float((state[key] - tensor).abs().max()) for key, tensor in learnt.items() if key.endswith("weight"))
        for name, state in starts.items()
    }
    assert apart["transferred"] < 1e-4
    assert apart["fresh"] > 1e-2
    manifest = open_artifact(tmp_path / "transferred").manifest
    assert manifest["inputs"]["init"]["sha256"] == artifacts.digest(before.out)
    assert "init" not in open_artifact(tmp_path / "fresh").manifest["inputs"]


@pytest.mark.parametrize("changes", [{"arch": "dcgan-plus"}, {"width": 0.5}, {"latent": 9}])
def test_a_run_of_another_network_is_no_start(data: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    before = command(data, tmp_path / "before", epochs=1)
    train_gan.run(before)
    with pytest.raises(XrayaugError, match="before"):
        train_gan.plan(command(data, tmp_path / "after", init=before.out, **changes))


def test_a_conditional_run_can_start_from_one_without_labels(data: Path, tmp_path: Path) -> None:
    before = command(data, tmp_path / "before", arch="projected", epochs=1, conditional=False)
    train_gan.run(before)
    labelled = replace(before, out=tmp_path / "one", init=before.out, conditional=True, lr=1e-9)
    train_gan.run(labelled)
    learnt, one = (weights.read(run / "discriminator.safetensors") for run in (before.out, labelled.out))
    assert all(torch.allclose(one[name], tensor, atol=1e-3) for name, tensor in learnt.items() if "_" not in name)
    embeddings = {name for name in one if "embedding" in name}
    assert embeddings == one.keys() - learnt.keys()
    gan = TrainedGan(open_artifact(before.out))
    first, same, other = (gan.initial_weights(replace(gan.shape, classes=2), seed) for seed in (1, 1, 2))
    for name in embeddings:  # the seed decides about these
        assert torch.equal(first["discriminator"][name], same["discriminator"][name])
        assert not torch.allclose(first["discriminator"][name], other["discriminator"][name])
    with pytest.raises(XrayaugError, match="classes 2 instead of 0"):
        train_gan.plan(replace(before, out=tmp_path / "back", init=tmp_path / "one"))


def test_a_projected_gan_can_start_from_one_of_smaller_images(
    data: Path, make_dataset: MakeDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = command(data, tmp_path / "small", arch="projected", epochs=1, conditional=False)
    train_gan.run(small)
    larger = make_dataset(tmp_path / "larger", splits=["train"], size=64)
    options = replace(small, data=larger, out=tmp_path / "large", init=small.out, lr=1e-9)
    train_gan.run(options)
    for name in ("generator", "generator-raw"):
        learnt, grown = (weights.read(run / f"{name}.safetensors") for run in (small.out, options.out))
        assert all(key in learnt or key.startswith(("blocks.64.", "skips.64.")) for key in grown)
        kept = [key for key in learnt if key.endswith("weight") and not key.startswith("to_image")]
        assert all(torch.allclose(grown[key], learnt[key], atol=1e-4) for key in kept)
    gan = TrainedGan(open_artifact(small.out))
    states = gan.initial_weights(replace(gan.shape, size=64, classes=2), seed=1)
    assert all(
        torch.equal(weight, states["averaged generator"][key])
        for key, weight in states["generator"].items()
        if key.startswith("blocks.64") and key.endswith("weight")
    )
    with pytest.raises(XrayaugError, match="size 64 instead of 32"):
        train_gan.plan(replace(small, out=tmp_path / "back", init=options.out))
    assert "the discriminator are new" in capsys.readouterr().err
    other = replace(small, arch="dcgan", out=tmp_path / "dcgan")
    train_gan.run(other)
    with pytest.raises(XrayaugError, match="size 32 instead of 64"):
        train_gan.plan(replace(other, data=larger, out=tmp_path / "no", init=other.out))


def test_the_distance_is_measured_at_the_interval_and_at_the_end(data: Path, tmp_path: Path) -> None:
    options = command(data, tmp_path / "gan", **(MEASURED | {"fid_every": 2}))
    train_gan.run(options)
    lines = [json.loads(line) for line in (options.out / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if "distance" in line] == [2, 3]


def test_measuring_the_distance_does_not_change_training(data: Path, tmp_path: Path) -> None:
    for name, changes in (("measured", MEASURED), ("plain", {})):
        train_gan.run(command(data, tmp_path / name, **changes))
    name = "generator.safetensors"
    assert (tmp_path / "measured" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()


def test_one_picture_for_each_label_is_a_collapse(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def same(self: GanTrainer, z: Tensor, labels: Tensor) -> Tensor:
        return (2 * labels.float() - 1)[:, None, None, None].expand(-1, 1, 32, 32)

    monkeypatch.setattr(GanTrainer, "_generate", same)
    assert train_gan.run(command(data, tmp_path / "gan", epochs=1))["last_epoch"]["spread"] == 0


class Growing(nn.Module):
    """A network that changes half-way, and says so once."""

    grown: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("grown", torch.tensor(False))
        self.asked: list[float] = []

    def grow(self, progress: float) -> bool:
        """Half-way."""
        self.asked.append(progress)
        before = bool(self.grown)
        self.grown.fill_(progress >= 0.5)
        return bool(self.grown) != before


def test_networks_grow_before_each_step_and_recordings_are_then_dropped(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[int] = []
    growing = Growing()
    run = GanTrainer.run

    def watched(self: GanTrainer) -> dict[str, Any]:
        monkeypatch.setattr(type(self.model.g), "grow", lambda _, progress: growing.grow(progress), raising=False)
        monkeypatch.setattr(CudaGraphRecorder, "reset", lambda _: forgotten.append(self.seen))
        return run(self)

    monkeypatch.setattr(GanTrainer, "run", watched)
    train_gan.run(command(data, tmp_path / "gan", arch="dcgan", epochs=2))
    assert growing.asked == [seen / 32 for seen in (0, 6, 12, 16, 22, 28)]
    assert forgotten == [16, 32]  # when they have grown, and at the end


def test_mirroring_flips_about_half_of_the_images(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Tensor] = []
    step = GanModel.step

    def recorded(self: GanModel, real: Tensor, *others: Any, **named: Any) -> Tensor:
        shown.append(real)
        return step(self, real, *others, **named)

    monkeypatch.setattr(GanModel, "step", recorded)
    for mirror in (False, True):
        train_gan.run(command(data, tmp_path / str(mirror), arch="dcgan", epochs=1, batch_size=16, mirror=mirror))
    plain, mirrored = shown
    turned = [not torch.equal(a, b) for a, b in zip(plain, mirrored, strict=True)]
    assert 3 <= sum(turned) <= 13
    for was_turned, a, b in zip(turned, plain, mirrored, strict=True):
        assert torch.equal(a.flip(2) if was_turned else a, b)


class Recorded:
    """Stands in for a recording."""


@pytest.mark.parametrize("ends", [True, False])
def test_recordings_are_freed_at_the_end_of_the_run_without_garbage_collection(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    """A process group cannot be destroyed while a graph that sums over it is there."""
    kept: list[weakref.ref[Any]] = []

    def recorded(self: CudaGraphRecorder, *given: Any, **named: Any) -> Tensor:
        recording = Recorded()
        kept.append(weakref.ref(recording))
        self._recordings[len(kept), ()] = recording  # type: ignore[assignment]
        if not ends:
            signal.raise_signal(signal.SIGUSR1)
        return torch.zeros(len(METRICS) + len(EXTRA_METRICS))

    monkeypatch.setattr(CudaGraphRecorder, "run", recorded)
    monkeypatch.setattr(collapse, "describe_collapse", lambda *_: "")
    problem: BaseException | None = None
    gc.disable()
    try:
        with stopping.handle_signals():
            train_gan.run(command(data, tmp_path / "gan", arch="dcgan", epochs=1))
    except stopping.Stopped as stop:
        problem = stop  # and its traceback, which holds what the run held
    finally:
        gc.enable()
    assert (problem is None) == ends
    assert kept
    assert not any(each() for each in kept)
