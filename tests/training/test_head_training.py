"""Training of the output layer on cached features, against a plain loop over the augmented images."""

import json
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from xrayaug.data.dataset import open_dataset
from xrayaug.data.images.loaders import InMemoryLoader
from xrayaug.errors import UsageError
from xrayaug.metrics.backbone_features import list_views
from xrayaug.networks import classifier, pretrained
from xrayaug.options import TrainClassifier
from xrayaug.runtime import devices, stopping
from xrayaug.stages import train_classifier
from xrayaug.training import classifier_training, head_training, losses
from xrayaug.training.classifier_training import AUGMENTATION, INITIAL, ClassifierTrainingData, LabelledImages
from xrayaug.training.head_training import HeadTrainer

ARCH, SIZE = "efficientnet_lite0", 32
ARM = {"percent": 50.0, "real_fraction": 1.0, "label": "normal", "added": 3, "real": 16, "control": None}


@pytest.fixture(scope="module")
def arm(make_dataset: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "arm", synthetic=3, result={"arm": ARM})


def options(arm: Path, out: Path, **changes: Any) -> TrainClassifier:
    settings: dict[str, Any] = {"arch": ARCH, "weights": "imagenet", "size": SIZE, "train": "head", "epochs": 2}
    settings |= {"cache": out.parent / "cache", **changes}
    return TrainClassifier(data=arm, out=out, device="cpu", **settings)


def train_plainly(arm: Path, given: TrainClassifier) -> torch.Tensor:
    """Train the output layer on the whole network, image by image, without a cache; return the last epoch's weights."""
    data = open_dataset(arm)
    rows = sorted(data.select(split="train"), key=lambda row: row.is_added)
    pixels = classifier.to_input(torch.from_numpy(data.stack(rows, SIZE).read(slice(0, len(rows)))))
    labels = torch.tensor([float(row.label == "abnormal") for row in rows])
    w0, w1 = losses.class_weights(int((labels == 0).sum()), int((labels == 1).sum()))
    network = classifier.build(
        ARCH, size=SIZE, weights="imagenet", seed=devices.seeded_generator(given.seed, INITIAL).initial_seed()
    ).eval()
    head = classifier.output_layer(network)
    optimiser = torch.optim.Adam(head.parameters(), lr=given.recipe.lr)
    views = list_views(given.views, flip=given.flip, rotation=given.rotation)
    for number in range(1, given.recipe.epochs + 1):
        draws = torch.rand(
            len(rows), 3, dtype=torch.float64, generator=devices.seeded_generator(given.seed, AUGMENTATION, number)
        )
        chosen = (draws[:, 1:].sum(dim=1).frac() * len(views)).long()
        theta = torch.cat(
            [classifier.fixed_affine(mirrored=views[view].mirrored, angle=views[view].angle) for view in chosen]
        )
        for batch in classifier_training.split_batches(draws[:, 0].argsort(stable=True), given.batch_size):
            logits = network(classifier.apply_affine(pixels[batch], theta[batch]))
            optimiser.zero_grad()
            torch.autograd.backward(losses.weighted_bce(logits, labels[batch], w0, w1))
            optimiser.step()
    return torch.cat([weight.detach().flatten() for weight in head.parameters()])


def test_it_equals_training_on_augmented_images(arm: Path, tmp_path: Path) -> None:
    given = options(arm, tmp_path / "run", seed=4, epochs=1)
    train_classifier.run(given)
    state = load_file(tmp_path / "run" / "weights.safetensors")
    trained = torch.cat([state["classifier.weight"].flatten(), state["classifier.bias"]])
    torch.testing.assert_close(trained, train_plainly(arm, given), atol=2e-6, rtol=1e-4)


def test_the_backbone_is_stored_unchanged(arm: Path, tmp_path: Path) -> None:
    result = train_classifier.run(options(arm, tmp_path / "run"))
    state = load_file(tmp_path / "run" / "weights.safetensors")
    published = pretrained.read_weights(pretrained.imagenet_file(ARCH))
    assert torch.equal(state["conv_head.weight"], published["_conv_head.weight"])
    assert torch.equal(state["bn1.running_mean"], published["_bn0.running_mean"])
    assert result["parameters"] == 3_372_289
    assert (result["trained"], result["trained_parameters"]) == ("head", 1281)
    restored = classifier.restore(tmp_path / "run" / "weights.safetensors", ARCH, size=SIZE)
    assert torch.equal(classifier.output_layer(restored).weight, state["classifier.weight"])  # type: ignore[arg-type]


def test_a_filled_cache_and_several_seeds_change_no_byte(arm: Path, tmp_path: Path) -> None:
    train_classifier.run(options(arm, tmp_path / "alone", seed=1))
    train_classifier.run(options(arm, tmp_path / "seed-{seed}", seeds=2))
    train_classifier.run(options(arm, tmp_path / "elsewhere", seed=1, cache=tmp_path / "other"))
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("alone", "seed-1", "elsewhere")]
    assert weights[0] == weights[1] == weights[2]
    assert weights[0] != (tmp_path / "seed-0" / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("layer", [nn.Linear(5, 1), nn.Linear(5, 1, bias=False), nn.Conv2d(5, 1, 1)], ids=str)
def test_the_gradient_in_closed_form_is_that_of_autograd(
    layer: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = torch.Generator().manual_seed(0)
    features, labels = torch.randn(9, 3, 5, generator=drawn), (torch.arange(9) % 3 == 0).float()
    images = LabelledImages(InMemoryLoader(features), labels)
    data = ClassifierTrainingData(images, images, w0=0.3, w1=0.7, real_count=9, importance_weights=(1.5, 0.5))
    monkeypatch.setattr(HeadTrainer, "_build", lambda *_: layer)
    trainer = HeadTrainer(options(tmp_path, tmp_path / "run"), torch.device("cpu"), tmp_path, data)
    batch, views = torch.tensor([2, 3, 6, 8]), torch.tensor([0, 2, 1, 1])
    expected = losses.weighted_bce(
        classifier.head_logits(layer, features[batch, views]), labels[batch], 1.5 * 0.3, 0.5 * 0.7
    )
    gradients = torch.autograd.grad(expected, list(layer.parameters()))
    loss = trainer._step(batch, batch * 3 + views)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close([weight.grad for weight in layer.parameters()], list(gradients))


def test_a_stopped_run_goes_on(arm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_classifier.run(options(arm, tmp_path / "whole"))
    step, steps = head_training.HeadTrainer._step, count(1)

    def interrupted(self: Any, *inputs: torch.Tensor) -> torch.Tensor:
        if next(steps) == 4:
            signal.raise_signal(signal.SIGTERM)
        return step(self, *inputs)

    monkeypatch.setattr(head_training.HeadTrainer, "_step", interrupted)
    with pytest.raises(stopping.Stopped), stopping.handle_signals():
        train_classifier.run(options(arm, tmp_path / "stopped"))
    train_classifier.run(options(arm, tmp_path / "stopped"))
    one, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert one == other


def test_random_weights_are_refused(arm: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--train head"):
        train_classifier.run(options(arm, tmp_path / "run", weights="none"))


def test_the_last_blocks_alone_are_trained(arm: Path, tmp_path: Path) -> None:
    result = train_classifier.run(options(arm, tmp_path / "run", train="last-3", lr=1e-2, epochs=1))
    state = load_file(tmp_path / "run" / "weights.safetensors")
    published = pretrained.read_weights(pretrained.imagenet_file(ARCH))
    assert torch.equal(state["blocks.6.0.conv_pwl.weight"], published["_blocks.15._project_conv.weight"])
    assert torch.equal(state["blocks.6.0.bn3.running_mean"], published["_blocks.15._bn2.running_mean"])
    assert not torch.equal(state["conv_head.weight"], published["_conv_head.weight"])
    assert not torch.equal(state["bn2.running_mean"], published["_bn1.running_mean"])
    assert result["trained_parameters"] == 1280 * 320 + 2 * 1280 + 1281


def test_more_blocks_than_there_are_is_one_line(arm: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="last-99") as caught:
        train_classifier.run(options(arm, tmp_path / "run", train="last-99"))
    assert "--train all" in caught.value.hint


def test_the_default_adds_nothing_to_a_manifest(arm: Path, tmp_path: Path) -> None:
    train_classifier.run(options(arm, tmp_path / "run", arch="squeezenet1_1", weights="none", train="all"))
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["options"]["lr"] == 1e-4
    assert not {"train", "views"} & manifest["options"].keys()
    assert not {"trained", "trained_parameters", "backbone_sha256"} & manifest["result"].keys()
