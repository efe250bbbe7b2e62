"""Training leaves a whole run or none; the same seed gives the same bytes."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import MakeDataset
from PIL import Image
from torch import Tensor

from xrayaug.data.images import loaders
from xrayaug.data.images.loaders import InMemoryLoader
from xrayaug.errors import DataError, TrainingError, UsageError
from xrayaug.networks import gans
from xrayaug.networks.gans import Shape
from xrayaug.options import TrainGan
from xrayaug.stages import train_gan
from xrayaug.storage import artifacts, weights
from xrayaug.storage.artifacts import open_artifact
from xrayaug.training import gan_model
from xrayaug.training.gan_model import METRICS, GanModel
from xrayaug.training.gan_training import GanTrainer

LATENT = 4


@pytest.fixture(scope="module")
def data(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 normal and 8 abnormal training images of 32 px, and as many of validation and test."""
    return make_dataset(tmp_path_factory.mktemp("data") / "hands")


def command(data: Path, out: Path, **changes: Any) -> TrainGan:
    settings: dict[str, Any] = {"epochs": 2, "batch_size": 6, "latent": LATENT, "preview_every": 0, "device": "cpu"}
    return TrainGan(data=data, out=out, **(settings | changes))


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainGan:
    """A finished run of two epochs, a preview after each."""
    options = command(data, tmp_path_factory.mktemp("runs") / "gan", preview_every=1)
    train_gan.run(options)
    return options


def test_a_run_holds_weights_log_previews_and_reals(made: TrainGan) -> None:
    assert set(open_artifact(made.out, "gan-run").manifest["files"]) == {
        "generator.safetensors",
        "discriminator.safetensors",
        "log.jsonl",
        "curves.png",
        "previews/epoch-0001.png",
        "previews/epoch-0002.png",
        "reals.png",
    }


def test_images_in_memory_and_streamed_train_to_the_same_bytes(
    made: TrainGan, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        loaders, "make_loader", lambda stack, device: InMemoryLoader(torch.from_numpy(stack.read(slice(None))))
    )
    train_gan.run(command(data, tmp_path / "held", preview_every=1))
    for name in ("generator.safetensors", "discriminator.safetensors", "reals.png"):
        assert (tmp_path / "held" / name).read_bytes() == (made.out / name).read_bytes()


def test_the_log_has_a_line_per_epoch(made: TrainGan) -> None:
    lines = [json.loads(line) for line in (made.out / "log.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["images"]) for line in lines] == [(1, 16), (2, 32)]
    for line in lines:
        assert list(line) == ["epoch", "images", *METRICS, "spread", "seconds", "images_per_second"]
        assert 0 < line["d_real"] < 1
        assert 0 < line["d_fake"] < 1
        assert min(line["d_loss"], line["g_loss"], line["seconds"], line["images_per_second"]) > 0


def test_the_result_describes_networks_and_training_images(made: TrainGan) -> None:
    run = open_artifact(made.out, "gan-run")
    expected = {
        "arch": "dcgan",
        "size": 32,
        "latent": LATENT,
        "training_images": {"abnormal": 8, "normal": 8},
        "epochs": 2,
        "steps": 6,
        "images_seen": 32,
    }
    assert run.result.items() >= expected.items()
    last = json.loads((made.out / "log.jsonl").read_text().splitlines()[-1])
    assert run.result["last_epoch"] == {name: last[name] for name in (*METRICS, "spread")}


def test_the_manifest_chains_to_the_dataset(made: TrainGan, data: Path) -> None:
    run = open_artifact(made.out, "gan-run")
    assert run.manifest["inputs"]["data"]["sha256"] == artifacts.digest(data)
    assert run.open_input("data", "dataset").path.resolve() == data.resolve()


def test_the_networks_can_be_built_again(made: TrainGan) -> None:
    arch, shape = gans.load("dcgan"), Shape(32, LATENT)
    weights.load_into(arch.generator(shape), made.out / "generator.safetensors")
    weights.load_into(arch.discriminator(shape), made.out / "discriminator.safetensors")


def test_pictures_are_grids(made: TrainGan) -> None:
    for name in ("reals.png", "previews/epoch-0002.png"):
        with Image.open(made.out / name) as image:
            assert image.mode == "L"
            assert len(set(image.tobytes())) > 5


def test_the_same_seed_gives_the_same_bytes(made: TrainGan, tmp_path: Path) -> None:
    torch.manual_seed(99)  # of the process, which must not matter
    train_gan.run(replace(made, out=tmp_path / "again"))
    for name in ("generator.safetensors", "discriminator.safetensors", "previews/epoch-0002.png"):
        assert (tmp_path / "again" / name).read_bytes() == (made.out / name).read_bytes()


def test_another_seed_gives_another_generator(made: TrainGan, tmp_path: Path) -> None:
    train_gan.run(replace(made, out=tmp_path / "other", seed=1))
    name = "generator.safetensors"
    assert (tmp_path / "other" / name).read_bytes() != (made.out / name).read_bytes()


def test_previews_change_nothing(made: TrainGan, tmp_path: Path) -> None:
    train_gan.run(replace(made, out=tmp_path / "fewer", preview_every=0))
    assert [file.name for file in (tmp_path / "fewer" / "previews").iterdir()] == ["epoch-0002.png"]
    name = "generator.safetensors"
    assert (tmp_path / "fewer" / name).read_bytes() == (made.out / name).read_bytes()


def test_only_label_selects_the_training_images(data: Path, tmp_path: Path) -> None:
    result = train_gan.run(command(data, tmp_path / "gan", epochs=1, only_label="normal"))
    assert result["training_images"] == {"normal": 8}
    assert result["images_seen"] == 8


def test_validation_and_test_images_are_not_seen(made: TrainGan, make_dataset: MakeDataset, tmp_path: Path) -> None:
    alone = make_dataset(tmp_path / "train-only", splits=["train"])
    train_gan.run(replace(made, data=alone, out=tmp_path / "gan"))
    name = "generator.safetensors"
    assert (tmp_path / "gan" / name).read_bytes() == (made.out / name).read_bytes()


def test_a_last_batch_of_one_image_trains(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "few", studies=1, labels=["normal"])
    assert train_gan.run(command(data, tmp_path / "gan", epochs=1, batch_size=1))["steps"] == 2


@pytest.mark.parametrize("lr", [1e30, 1e38])
def test_nan_stops_the_training_and_leaves_no_run(data: Path, tmp_path: Path, lr: float) -> None:
    with pytest.raises(TrainingError, match="NaN or infinite in epoch 1"):
        train_gan.run(command(data, tmp_path / "gan", lr=lr))
    assert not (tmp_path / "gan").exists()
    assert not artifacts.is_artifact(tmp_path / "gan.partial")


def test_weights_that_become_nan_in_the_last_step_are_not_saved(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = GanModel.step

    def last_step(self: GanModel, *given: Any, **named: Any) -> Tensor:
        metrics = step(self, *given, **named)
        torch.nn.init.constant_(next(iter(self.g.parameters())), float("nan"))
        return metrics

    monkeypatch.setattr(GanModel, "step", last_step)
    with pytest.raises(TrainingError, match="the generator's weights became NaN or infinite in epoch 1"):
        train_gan.run(command(data, tmp_path / "gan", epochs=1, batch_size=100))
    assert not (tmp_path / "gan").exists()


def test_nan_names_the_epoch_and_what_broke(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch = GanTrainer._run_epoch

    def breaks_in_second(self: GanTrainer, advance: Any) -> None:
        epoch(self, advance)
        if self.progress.epoch == 2:
            self.progress.sums[METRICS.index("g_loss")] = float("nan")

    monkeypatch.setattr(GanTrainer, "_run_epoch", breaks_in_second)
    with pytest.raises(TrainingError, match="g_loss became NaN or infinite in epoch 2"):
        train_gan.run(command(data, tmp_path / "gan"))
    assert len((tmp_path / "gan.partial" / "log.jsonl").read_text().splitlines()) == 1


def test_an_unsupported_size_is_refused(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", studies=1, size=48)
    with pytest.raises(DataError, match="holds images of 48 px; dcgan makes 32, 64, 128, 256 px") as refusal:
        train_gan.run(command(data, tmp_path / "gan"))
    assert "--size" in refusal.value.hint


def test_a_missing_label_is_refused(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", labels=["normal"])
    with pytest.raises(DataError, match="no abnormal images in its train split"):
        train_gan.run(command(data, tmp_path / "gan", only_label="abnormal"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"arch": "dcgan", "loss": "hinge"}, "--loss hinge does not fit dcgan"),
        ({"arch": "cgan", "loss": "bce"}, "--loss bce does not fit cgan"),
        ({"arch": "dcgan", "r1": 1.0}, "--r1 is for logits, and dcgan gives probabilities"),
        ({"arch": "dcgan", "d_augment": "ada"}, "--d-augment ada .* --loss bce"),
        ({"arch": "cgan", "d_augment": "ada", "loss": "relativistic"}, "--d-augment ada .* --loss relativistic"),
        ({"arch": "dcgan-plus", "path_length": 2.0}, "--path-length is not for dcgan-plus"),
        ({"arch": "dcgan", "conditional": True}, "--conditional is not for dcgan"),
        ({"arch": "cgan", "conditional": False}, "--no-conditional is not for cgan"),
    ],
)
def test_options_that_an_architecture_does_not_support_are_refused(
    data: Path, tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    for show in (train_gan.plan, train_gan.run):
        with pytest.raises(UsageError, match=complaint):
            show(command(data, tmp_path / "gan", **changes))
    assert not (tmp_path / "gan").exists()


def test_options_override_the_recipe(data: Path, tmp_path: Path) -> None:
    own = gans.load("cgan").recipe(32)
    options = command(data, tmp_path / "gan", arch="cgan", beta2=0.9, r1=0.0)
    resolved = train_gan.plan(options)["recipe"]
    assert resolved == vars(own) | {"batch_size": 6, "latent": LATENT, "beta2": 0.9, "r1": 0.0}


@pytest.mark.parametrize("arch", gans.names())
def test_a_plan_lists_the_layers_of_every_architecture(data: Path, tmp_path: Path, arch: str) -> None:
    result = train_gan.plan(command(data, tmp_path / "gan", arch=arch))
    for name, layers in result["networks"].items():
        listed = sum(layer["parameters"] for layer in layers)  # a network that grows does not use all at first
        assert listed == result[f"{name}_parameters"] or (arch == "progan" and listed > 0)
        assert not any("arametriz" in layer["layer"] for layer in layers)


def test_a_plan_shows_the_networks_and_writes_nothing(data: Path, tmp_path: Path) -> None:
    result = train_gan.plan(command(data, tmp_path / "gan"))
    assert list(tmp_path.iterdir()) == []
    networks = result["networks"]
    assert networks["generator"][-1]["output"] == [6, 1, 32, 32]
    assert networks["discriminator"][0]["output"] == [6, 1, 32, 32]
    for name, found in networks.items():
        assert sum(entry["parameters"] for entry in found) == result[f"{name}_parameters"]
    shown = train_gan.tables(result)
    assert [table.title for table in shown] == ["Generator", "Discriminator", "GAN"]


@pytest.mark.parametrize("show", [train_gan.run, train_gan.plan])
def test_every_result_can_be_shown(data: Path, tmp_path: Path, show: Callable[[TrainGan], dict[str, Any]]) -> None:
    for table in train_gan.tables(show(command(data, tmp_path / "gan", epochs=1))):
        assert all(len(row) == len(table.columns) for row in table.rows)


def made_of(options: TrainGan) -> GanModel:
    return gan_model.build(options, train_gan.make_config(options, 32), torch.device("cpu"))


def plain_losses(options: TrainGan, real: Tensor, zs: list[Tensor]) -> list[list[float]]:
    """Return the losses of the loop of PyTorch's DCGAN example on the same networks, as the reference."""
    both = made_of(options)
    g, d = (network.to(memory_format=torch.contiguous_format) for network in (both.g, both.d))
    adam = partial(torch.optim.Adam, lr=3.4e-4, betas=(0.5, 0.999))
    of_d, of_g = adam(d.parameters()), adam(g.parameters())
    found, criterion = [], torch.nn.BCELoss()
    for z in zs:
        d.zero_grad()
        error_real = criterion(d(real), torch.ones(len(real)))
        error_real.backward()
        fake = g(z)
        error_fake = criterion(d(fake.detach()), torch.zeros(len(real)))
        error_fake.backward()
        of_d.step()
        g.zero_grad()
        error = criterion(d(fake), torch.ones(len(real)))
        error.backward()
        of_g.step()
        found.append([(error_real + error_fake).item(), error.item()])
    return found


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("bf16", 0.05)])
def test_a_step_equals_that_of_a_plain_loop(data: Path, tmp_path: Path, precision: str, tolerance: float) -> None:
    options = command(data, tmp_path / "gan", precision=precision)
    source = torch.Generator().manual_seed(1)
    real = torch.rand(8, 1, 32, 32, generator=source) * 2 - 1
    zs = [torch.randn(8, LATENT, generator=source) for _ in range(4)]
    both = made_of(options)
    found = [both.step(real, z)[:2].tolist() for z in zs]
    expected = plain_losses(options, real, zs)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=tolerance)
    assert precision == "fp32" or found[-1] != pytest.approx(expected[-1], rel=1e-6)  # it was not in fp32


def test_networks_in_bf16_give_images_and_logits_in_fp32(data: Path, tmp_path: Path) -> None:
    result = train_gan.run(command(data, tmp_path / "gan", precision="bf16"))
    assert all(torch.tensor(value).isfinite() for value in result["last_epoch"].values())
    kept = weights.read(tmp_path / "gan" / "generator.safetensors")
    assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in kept.values())
    assert open_artifact(tmp_path / "gan").options["precision"] == "bf16"
    both = made_of(command(data, tmp_path, precision="bf16"))
    with both.autocast():
        images = both.g(torch.randn(2, LATENT))
        assert (images.dtype, both.d(images).dtype) == (torch.float32, torch.float32)


def test_a_trace_does_not_change_training(made: TrainGan, tmp_path: Path) -> None:
    train_gan.run(replace(made, out=tmp_path / "gan", profile=tmp_path / "trace.json"))
    name = "generator.safetensors"
    assert (tmp_path / "gan" / name).read_bytes() == (made.out / name).read_bytes()
    assert (tmp_path / "trace.json").exists()
