import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from xrayaug.errors import UsageError, WeightsError
from xrayaug.networks import architectures, classifier
from xrayaug.stats import classification
from xrayaug.storage import weights

ANANDA = (  # the eleven of Ananda et al. 2021 that torchvision has, and MURA's
    "googlenet", "vgg19", "alexnet", "squeezenet1_0", "resnet18", "inception_v3", "resnet50", "vgg16", "resnet101",
    "densenet201", "densenet169",
)  # fmt: skip
OTHER_KINDS = ("vit_b_32", "maxvit_t", "swin_t", "regnet_y_400mf", "mnasnet0_5", "convnext_tiny", "efficientnet_b0")
CPU = torch.device("cpu")


@pytest.mark.parametrize("arch", [*ANANDA, *OTHER_KINDS])
def test_every_network_has_one_output(arch: str) -> None:
    sketch = classifier.build_on_meta(arch, size=224)
    output = classifier.output_layer(sketch)
    assert isinstance(output.weight, Tensor)
    assert output.weight.shape[0] == 1
    with torch.inference_mode():
        assert sketch(torch.empty(3, 1, 224, 224, device="meta")).shape == (3,)


def test_densenet169_has_the_published_number_of_parameters() -> None:
    assert classifier.count_parameters(classifier.build_on_meta("densenet169", size=224)) == 12_484_480 + 1664 + 1
    blocks = classifier.summarize_layers("densenet169", size=224)
    assert blocks[0]["output"] == [1, 224, 224]
    assert blocks[-1] == {"layer": "classifier", "kind": "Linear", "output": [1], "parameters": 1665}
    assert sum(block["parameters"] for block in blocks) == 12_486_145


def test_an_unknown_network_names_its_neighbours() -> None:
    with pytest.raises(UsageError, match="densenet170") as caught:
        classifier.build("densenet170", size=64)
    assert "densenet169" in caught.value.hint
    with pytest.raises(UsageError):
        classifier.build("fasterrcnn_resnet50_fpn", size=64)  # a detector is no classifier


@pytest.mark.parametrize("arch", ["timm:mobilenetv3_small_050", "timm:vit_tiny_patch16_224"])
def test_a_network_of_timm_has_one_output(arch: str) -> None:
    network = classifier.build(arch, size=64, seed=1).eval()
    with torch.inference_mode():
        features = classifier.penultimate_features(network, torch.rand(2, 1, 64, 64))
        assert classifier.head_logits(classifier.output_layer(network), features).shape == (2,)
    assert features.shape == (2, classifier.count_features(network))


def test_an_unknown_network_of_timm_names_its_neighbours() -> None:
    with pytest.raises(UsageError, match="timm:resnet19 is no network of timm") as caught:
        classifier.build("timm:resnet19", size=64)
    assert "resnet18" in caught.value.hint


def test_a_network_of_timm_without_timm_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="timm:NAME needs the package timm"):
        classifier.build("timm:resnet18", size=64)


@pytest.mark.parametrize(("arch", "size"), [("alexnet", 32), ("inception_v3", 64), ("vit_b_16", 60), ("maxvit_t", 64)])
def test_a_size_that_does_not_fit_is_refused(arch: str, size: int) -> None:
    with pytest.raises(UsageError, match=f"{arch} cannot take images of {size} pixels") as caught:
        classifier.build(arch, size=size)
    assert "\n" not in caught.value.message
    assert "--size" in caught.value.hint


def test_grey_is_normalised_and_repeated() -> None:
    network = classifier.build("resnet18", size=32).eval()
    grey = torch.rand(2, 1, 32, 32)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    with torch.inference_mode():
        torch.testing.assert_close(network(grey), network.network((grey.expand(-1, 3, -1, -1) - mean) / std)[:, 0])


def test_squeezenet_can_give_negative_logits() -> None:
    network = classifier.build("squeezenet1_1", size=32, seed=3).eval()
    with torch.inference_mode():
        logits = torch.cat([network(torch.rand(8, 1, 32, 32)) for _ in range(2)])
    torch.nn.init.constant_(network.network.get_submodule("classifier.1").bias, -1)  # type: ignore[arg-type]
    with torch.inference_mode():
        assert bool((network(torch.rand(8, 1, 32, 32)) < 0).all())
    assert logits.shape == (16,)


def test_the_seed_decides_the_initial_weights() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (classifier.build("squeezenet1_1", size=32, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_weights_are_saved_and_restored(tmp_path: Path) -> None:
    network = classifier.build("mnasnet0_5", size=32, seed=9)
    weights.save(tmp_path / "weights.safetensors", classifier.state_of(network))
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 32, 32), np.uint8))
    restored = classifier.restore(tmp_path / "weights.safetensors", "mnasnet0_5", size=32)
    found = [classifier.predict_probabilities(each, pixels, batch_size=2, device=CPU) for each in (network, restored)]
    assert np.array_equal(found[0], found[1])
    assert found[0].dtype == np.dtype(np.float64)
    assert found[0].shape == (5,)
    with pytest.raises(WeightsError, match="does not fit mnasnet1_0"):
        classifier.restore(tmp_path / "weights.safetensors", "mnasnet1_0", size=32)


def test_nan_probabilities_are_an_error() -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(0), torch.nn.Threshold(2.0, math.nan))
    with pytest.raises(WeightsError, match="NaN"):
        classifier.predict_probabilities(network, torch.zeros(2, 1, 1, dtype=torch.uint8), batch_size=2, device=CPU)


def arrow() -> Tensor:
    """One image `[1, 1, 9, 9]`, bright on its left edge's middle."""
    image = torch.zeros(1, 1, 9, 9)
    image[..., 3:6, :3] = 1
    return image


def augment(images: Tensor, draws: Tensor, *, flip: bool, rotation: float) -> Tensor:
    return classifier.apply_affine(images, classifier.random_affine(draws, flip=flip, rotation=rotation))


def test_augmentation_mirrors_by_the_first_draw() -> None:
    images = arrow().repeat(2, 1, 1, 1)
    draws = torch.tensor([[0.2, 0.5], [0.7, 0.5]], dtype=torch.float64)
    found = augment(images, draws, flip=True, rotation=0)
    torch.testing.assert_close(found[0], images[0].flip(-1))
    torch.testing.assert_close(found[1], images[1])
    torch.testing.assert_close(augment(images, draws, flip=False, rotation=10), images)


def test_augmentation_rotates_by_the_second_draw() -> None:
    images = arrow().repeat(2, 1, 1, 1)
    draws = torch.tensor([[0.9, 0.0], [0.9, 1.0]], dtype=torch.float64)
    found = augment(images, draws, flip=True, rotation=90)
    torch.testing.assert_close(found[0, 0], torch.rot90(images[0, 0], -1), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1, 0], torch.rot90(images[1, 0], 1), atol=1e-5, rtol=0)


def test_rotated_corners_are_black_and_augmentation_can_be_off() -> None:
    images, draws = torch.ones(3, 1, 16, 16), torch.rand(3, 2, dtype=torch.float64)
    torch.testing.assert_close(augment(images, draws, flip=False, rotation=0), images)
    turned = augment(images, torch.ones_like(draws), flip=True, rotation=45)
    assert turned[0, 0, 0, 0] == 0
    assert turned[0, 0, 8, 8] == 1


def test_logit_zero_is_not_abnormal() -> None:
    probabilities = classifier.to_probabilities(torch.zeros(1, dtype=torch.float64))
    assert classification.score([0], probabilities).tn == 1
