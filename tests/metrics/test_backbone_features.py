from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from xrayaug.data.images.stack import Stack
from xrayaug.errors import WeightsError
from xrayaug.metrics import backbone_features
from xrayaug.metrics.backbone_features import IDENTITY, BackboneFeatures, View, list_views
from xrayaug.networks import classifier
from xrayaug.networks.architectures import Normalization
from xrayaug.networks.classifier import Classifier
from xrayaug.storage.files import sha256_bytes

SIZE, COUNT = 32, 40
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> Classifier:
    return classifier.build("efficientnet_lite0", size=SIZE, seed=1).eval()


def stack(order: list[int] | None = None) -> Stack:
    """Return `COUNT` random images, or those at some places."""
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE), np.uint8)
    rows = np.arange(COUNT) if order is None else np.asarray(order)
    return Stack([pixels], np.zeros(len(rows), np.int32), rows, (SIZE, SIZE))


def test_views_cover_the_angles_and_both_sides() -> None:
    views = list_views(4, flip=True, rotation=8.0)
    assert views == [View(False, -6.0), View(True, -2.0), View(False, 2.0), View(True, 6.0)]
    assert list_views(4, flip=False, rotation=0.0) == [IDENTITY]
    assert list_views(4, flip=True, rotation=0.0) == [View(False), View(True)]


def test_features_are_those_of_the_augmented_images(network: Classifier) -> None:
    images = stack()
    extracted = BackboneFeatures(network, CPU, None).extract(images, [IDENTITY, View(True, 0.0)])
    pixels = classifier.to_input(torch.from_numpy(images.read(slice(0, COUNT))))
    with torch.inference_mode():
        plain = classifier.penultimate_features(network, pixels)
        mirrored = classifier.penultimate_features(network, pixels.flip(3))
        logits = classifier.head_logits(classifier.output_layer(network), extracted[:, 0])
        torch.testing.assert_close(logits, network(pixels))
    assert extracted.shape == (COUNT, 2, 1280)
    torch.testing.assert_close(extracted[:, 0], plain)
    torch.testing.assert_close(extracted[:, 1], mirrored, atol=1e-4, rtol=1e-3)


def test_neighbours_and_the_cache_change_no_byte(network: Classifier, tmp_path: Path) -> None:
    uncached = BackboneFeatures(network, CPU, None).extract(stack(), [IDENTITY])
    order = [39, 3, 3, 17]
    first = BackboneFeatures(network, CPU, tmp_path).extract(stack(order), [IDENTITY])
    both = BackboneFeatures(network, CPU, tmp_path).extract(stack(), [IDENTITY])
    assert torch.equal(first, uncached[order])
    assert torch.equal(both, uncached)


def test_what_is_cached_is_not_computed_again(
    network: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = BackboneFeatures(network, CPU, tmp_path)
    extractor.extract(stack([1, 2]), [IDENTITY])
    computed: list[int] = []
    original = classifier.penultimate_features

    def count(network: Classifier, images: torch.Tensor) -> torch.Tensor:
        computed.append(len(images))
        return original(network, images)

    monkeypatch.setattr(classifier, "penultimate_features", count)
    extractor.extract(stack([2, 1, 2]), [IDENTITY])
    assert computed == []
    extractor.extract(stack([2, 1]), [View(True)])  # another view
    other = classifier.build("efficientnet_lite0", size=SIZE, seed=2).eval()
    BackboneFeatures(other, CPU, tmp_path).extract(stack([1, 2]), [IDENTITY])  # other weights
    assert len(computed) == 2


def test_a_damaged_shard_is_reported_and_computed_again(
    network: Classifier, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extractor = BackboneFeatures(network, CPU, tmp_path)
    expected = extractor.extract(stack([1, 2]), [IDENTITY])
    (shard,) = tmp_path.rglob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    assert torch.equal(extractor.extract(stack([1, 2]), [IDENTITY]), expected)
    assert shard.name in capsys.readouterr().err.replace("\n", "")


def test_the_output_layer_does_not_change_the_identity(network: Classifier) -> None:
    other = classifier.build("efficientnet_lite0", size=SIZE, seed=1).eval()
    with torch.no_grad():
        classifier.output_layer(other).weight.add_(1)  # type: ignore[operator]
    assert backbone_features.backbone_identity(other) == backbone_features.backbone_identity(network)
    with torch.no_grad():
        other.network.get_submodule("conv_head").weight.add_(1)  # type: ignore[operator]
    assert backbone_features.backbone_identity(other) != backbone_features.backbone_identity(network)


def test_networks_of_equal_weights_but_other_preprocessing_have_other_identities(network: Classifier) -> None:
    renormalised = Classifier(network.network, network.arch, Normalization())
    renamed = Classifier(network.network, "another", network.normalization)
    identities = {backbone_features.backbone_identity(each) for each in (network, renormalised, renamed)}
    assert len(identities) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"pixels_sha256": np.uint8(1)},
        {"features": np.zeros((2, 1280), np.int32)},
        {"features": np.full((2, 1280), np.nan, np.float32)},
        {"features": np.zeros((1, 1280), np.float32)},
    ],
    ids=["no hashes", "integers", "NaN", "too few"],
)
def test_a_hostile_shard_is_not_used(network: Classifier, tmp_path: Path, changes: dict[str, np.ndarray]) -> None:
    extractor = BackboneFeatures(network, CPU, tmp_path)
    expected = extractor.extract(stack([1, 2]), [IDENTITY])
    (shard,) = tmp_path.rglob("*.safetensors")
    content = safetensors.numpy.load(shard.read_bytes())
    hostile = safetensors.numpy.save({**content, **{name: np.asarray(value) for name, value in changes.items()}})
    shard.with_name(f"{sha256_bytes(hostile)}.safetensors").write_bytes(hostile)
    shard.unlink()
    assert torch.equal(extractor.extract(stack([1, 2]), [IDENTITY]), expected)


def test_infinite_features_are_refused() -> None:
    damaged = classifier.build("efficientnet_lite0", size=SIZE, seed=1).eval()
    with torch.no_grad():
        damaged.network.get_submodule("bn2").weight.fill_(torch.nan)  # type: ignore[operator]
    with pytest.raises(WeightsError, match="NaN"):
        BackboneFeatures(damaged, CPU, None).extract(stack([1]), [IDENTITY])
