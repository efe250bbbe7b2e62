"""Tests of the projected GAN: what is frozen, what is stored, and that the faster forms give the same numbers."""

import pytest
import torch
from torch import Tensor, nn

from xrayaug.networks import efficientnet_lite, pretrained
from xrayaug.networks.efficientnet_lite import GreyStages, SameConv2d
from xrayaug.networks.gans import Shape, projected
from xrayaug.networks.gans.projected import Discriminator, GatedLinearUnit, ProjectedFeatures

SHAPE = Shape(32, 8, width=0.25)


def test_the_stages_of_grey_images_are_those_of_the_whole_network() -> None:
    network = efficientnet_lite.build("efficientnet_lite0", num_classes=1)
    pretrained.load_pretrained(network, "efficientnet_lite0", 64, None)
    images = torch.rand(2, 1, 64, 64) * 2 - 1
    with torch.inference_mode():
        expected = network.eval().forward_stages(images.expand(-1, 3, -1, -1))
        actual = GreyStages(network)(images)
    assert [tuple(maps.shape[1:]) for maps in actual] == [
        (16, 32, 32), (24, 16, 16), (40, 8, 8), (80, 4, 4), (112, 4, 4), (192, 2, 2), (320, 2, 2),
    ]  # fmt: skip
    for a, b in zip(actual, expected, strict=True):
        assert float((a - b).abs().max()) < 1e-4 * float(b.abs().max())


@pytest.mark.parametrize(("kernel", "side"), [(3, 8), (5, 9)])
def test_strided_depthwise_convolutions_in_bfloat16_have_the_same_values(kernel: int, side: int) -> None:
    torch.manual_seed(0)
    convolution = SameConv2d(6, 6, kernel, stride=2, groups=6).requires_grad_(False)
    images = torch.randn(2, 6, side, side)
    with torch.autocast("cpu", torch.bfloat16):
        expected = convolution(images.bfloat16())
        inputs = images.bfloat16().requires_grad_()
        actual = convolution(inputs)
    assert torch.equal(actual, expected)
    upstream = torch.randn_like(actual)
    (gradient,) = torch.autograd.grad(actual, inputs, upstream)
    whole = images.clone().requires_grad_()
    (precise,) = torch.autograd.grad(convolution(whole), whole, upstream.float())
    torch.testing.assert_close(gradient.float(), precise, rtol=0.05, atol=0.05)


def test_only_the_discriminators_are_trained() -> None:
    torch.manual_seed(0)
    d = projected.discriminator(SHAPE)
    assert isinstance(d, Discriminator)
    assert not list(d.features.parameters())
    before = [buffer.clone() for buffer in d.features.buffers()]
    d.train().requires_grad_(True)
    images = torch.randn(3, 1, 32, 32, requires_grad=True)
    logits: Tensor = d(images)
    assert logits.shape == (3, 4, 16)
    logits.sum().backward()  # type: ignore[no-untyped-call] # torch leaves it so
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    for buffer, was in zip(d.features.buffers(), before, strict=True):
        assert torch.equal(buffer, was)


def test_the_mixing_is_stored_and_the_feature_network_is_not() -> None:
    d = projected.discriminator(SHAPE)
    names = [name for name in d.state_dict() if name.startswith("features.")]
    assert len(names) == 4 + 3
    assert all(name.startswith("features.mix_") for name in names)


def test_the_feature_network_has_the_published_weights_and_the_mixing_is_random() -> None:
    features = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        features.append(ProjectedFeatures(SHAPE))
    states = [dict(each.network.named_buffers()) for each in features]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    mixing = [each.mix_channels.get_buffer("0.weight") for each in features]
    assert not torch.equal(*mixing)


@pytest.mark.parametrize(("size", "sides"), [(32, [32, 16, 8, 4]), (128, [32, 16, 8, 4]), (256, [64, 32, 16, 8])])
def test_small_images_are_enlarged(size: int, sides: list[int]) -> None:
    with torch.device("meta"):
        maps = ProjectedFeatures(Shape(size, 8))(torch.empty(1, 1, size, size))
    assert [each.shape[-1] for each in maps] == sides
    assert [each.shape[1] for each in maps] == list(projected.MIXED_CHANNELS)


def test_the_gated_linear_unit_is_pytorchs_and_keeps_the_memory_format() -> None:
    maps = torch.randn(2, 6, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    actual, expected = GatedLinearUnit()(maps), nn.GLU(dim=1)(maps)
    torch.testing.assert_close(actual, expected)
    upstream = torch.randn_like(actual)
    gradients = [torch.autograd.grad(output, maps, upstream)[0] for output in (actual, expected)]
    torch.testing.assert_close(*gradients)
    assert gradients[0].is_contiguous(memory_format=torch.channels_last)


def test_images_are_enlarged_as_pytorch_does() -> None:
    images = torch.randn(2, 1, 32, 32)
    (matrix,) = [buffer for name, buffer in ProjectedFeatures(SHAPE).named_buffers() if name == "enlarging"]
    expected = nn.functional.interpolate(images, (128, 128), mode="bilinear", align_corners=False)
    torch.testing.assert_close(matrix @ images @ matrix.T, expected)


def test_a_label_alone_draws_nothing() -> None:
    torch.manual_seed(0)
    g = projected.generator(Shape(32, 8, width=0.25, classes=2)).eval()
    z, labels = torch.randn(2, 8), torch.tensor([0, 1])
    with torch.no_grad():
        without_codes, drawn = g(torch.zeros(2, 8), labels), g(z[:1].expand(2, -1), labels)
    assert torch.equal(without_codes[0], without_codes[1])
    assert not torch.allclose(drawn[0], drawn[1])


@pytest.mark.parametrize("classes", [0, 2])
def test_truncation_scales_the_variety(classes: int) -> None:
    torch.manual_seed(0)
    g = projected.Generator(Shape(32, 8, width=0.25, classes=classes)).eval()
    z, labels = torch.randn(8, 8), torch.tensor(4 * [0, 1]) if classes else None
    with torch.no_grad():
        assert torch.equal(g.truncated(z, labels, 1.0), g(z, labels))
        average = g.truncated(z, labels, 0.0)
        torch.testing.assert_close(average[2:], average[:2].repeat(3, 1, 1, 1))
        assert torch.allclose(average[0], average[1]) == (not classes), "one image for each class"
        spreads = [g.truncated(z, labels, psi).std(dim=0).mean().item() for psi in (0.5, 1.0, 1.2)]
    assert spreads == sorted(spreads)


def test_networks_without_labels_are_the_start_of_networks_with_labels() -> None:
    plain, labelled = Shape(size=32, latent=8, width=0.25), Shape(size=32, latent=8, classes=2, width=0.25)
    torch.manual_seed(0)
    before = {"generator": projected.generator(plain), "discriminator": projected.discriminator(plain)}
    after = {"generator": projected.generator(labelled), "discriminator": projected.discriminator(labelled)}
    states = {name: network.state_dict() for name, network in before.items()}
    states = projected.adapt_weights(states, plain, labelled)
    for name, network in after.items():
        network.load_state_dict(states[name])
        network.eval()
        before[name].eval()
    z = torch.randn(4, 8)
    images = before["generator"](z)
    for label in (0, 1):
        torch.testing.assert_close(after["generator"](z, torch.full((4,), label)), images)
    labels = torch.tensor([0, 1, 0, 1])
    given, other = after["discriminator"](images, labels), after["discriminator"](images, 1 - labels)
    assert not torch.allclose(given, other)  # embeddings of labels are new
    for scale in after["discriminator"].get_submodule("scales").children():
        scale.register_module("embedding", None)
    torch.testing.assert_close(after["discriminator"](images, labels), before["discriminator"](images))
