"""DCGAN is the thesis's, layer by layer: Figures 4 and 5."""

import math

import pytest
import torch
from torch import nn

from xrayaug.networks.gans import Recipe, Shape, dcgan
from xrayaug.stages.train_gan import summarize_layers
from xrayaug.training.losses import cross_entropy, discriminator_loss, generator_loss

AT_128 = Shape(128, 100)

# Platin's thesis, Figure 4, for a batch of 100; its "2,097,1" is 2,097,152 cut short
FIGURE_4 = [
    ("Input", [100, 1, 128, 128], 0),
    ("Conv2d", [100, 32, 64, 64], 512),
    ("LeakyReLU", [100, 32, 64, 64], 0),
    ("Conv2d", [100, 64, 32, 32], 32_768),
    ("LeakyReLU", [100, 64, 32, 32], 0),
    ("Conv2d", [100, 128, 16, 16], 131_072),
    ("BatchNorm2d", [100, 128, 16, 16], 256),
    ("LeakyReLU", [100, 128, 16, 16], 0),
    ("Conv2d", [100, 256, 8, 8], 524_288),
    ("BatchNorm2d", [100, 256, 8, 8], 512),
    ("LeakyReLU", [100, 256, 8, 8], 0),
    ("Conv2d", [100, 512, 4, 4], 2_097_152),
    ("BatchNorm2d", [100, 512, 4, 4], 1_024),
    ("LeakyReLU", [100, 512, 4, 4], 0),
    ("Conv2d", [100, 1, 1, 1], 8_192),
    ("Sigmoid", [100, 1, 1, 1], 0),
]

# Figure 5, likewise
FIGURE_5 = [
    ("Input", [100, 100, 1, 1], 0),
    ("ConvTranspose2d", [100, 1024, 4, 4], 1_638_400),
    ("BatchNorm2d", [100, 1024, 4, 4], 2_048),
    ("ReLU", [100, 1024, 4, 4], 0),
    ("ConvTranspose2d", [100, 512, 8, 8], 8_388_608),
    ("BatchNorm2d", [100, 512, 8, 8], 1_024),
    ("ReLU", [100, 512, 8, 8], 0),
    ("ConvTranspose2d", [100, 256, 16, 16], 2_097_152),
    ("BatchNorm2d", [100, 256, 16, 16], 512),
    ("ReLU", [100, 256, 16, 16], 0),
    ("ConvTranspose2d", [100, 128, 32, 32], 524_288),
    ("BatchNorm2d", [100, 128, 32, 32], 256),
    ("ReLU", [100, 128, 32, 32], 0),
    ("ConvTranspose2d", [100, 64, 64, 64], 131_072),
    ("BatchNorm2d", [100, 64, 64, 64], 128),
    ("ReLU", [100, 64, 64, 64], 0),
    ("ConvTranspose2d", [100, 1, 128, 128], 1_024),
    ("Tanh", [100, 1, 128, 128], 0),
]


def rows(found: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(entry["layer"], entry["output"], entry["parameters"]) for entry in found]


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_the_discriminator_is_figure_4() -> None:
    assert rows(summarize_layers(dcgan.discriminator, AT_128, (100, 1, 128, 128))) == FIGURE_4


def test_the_generator_is_figure_5() -> None:
    assert rows(summarize_layers(dcgan.generator, AT_128, (100, 100))) == FIGURE_5


def test_parameters_in_total() -> None:
    with torch.device("meta"):
        assert parameters(dcgan.generator(AT_128)) == 12_784_512
        assert parameters(dcgan.discriminator(AT_128)) == 2_795_776


@pytest.mark.parametrize("size", dcgan.SIZES)
def test_the_recipe_is_the_thesiss(size: int) -> None:
    assert dcgan.recipe(size) == Recipe(
        latent=100, batch_size=100, lr=3.4e-4, beta1=0.5, beta2=0.999, loss="bce",
        r1=0, r2=0, gradient_penalty=0, path_length=0, penalty_every=1, ema=0, d_augment="none",
    )  # fmt: skip


@pytest.mark.parametrize("size", dcgan.SIZES)
def test_other_sizes_follow_the_same_rule(size: int) -> None:
    with torch.device("meta"):
        shape = Shape(size, 100)
        g, d = dcgan.generator(shape), dcgan.discriminator(shape)
    g_widths = [layer.in_channels for layer in g.modules() if isinstance(layer, nn.ConvTranspose2d)]
    d_widths = [layer.out_channels for layer in d.modules() if isinstance(layer, nn.Conv2d)]
    assert g_widths == [100, *(size * 8 // 2**i for i in range(len(g_widths) - 1))]
    assert g_widths[-1] == 64
    assert d_widths == [*(32 * 2**i for i in range(len(d_widths) - 1)), 1]


@pytest.mark.parametrize("size", dcgan.SIZES)
def test_convolutions_have_no_bias(size: int) -> None:
    with torch.device("meta"):
        networks = nn.ModuleList([dcgan.generator(Shape(size, 100)), dcgan.discriminator(Shape(size, 100))])
    assert all(layer.bias is None for layer in networks.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d))


@pytest.mark.parametrize("size", dcgan.SIZES)
def test_the_first_two_layers_of_the_discriminator_are_not_normalised(size: int) -> None:
    with torch.device("meta"):
        kinds = [type(layer).__name__ for layer in dcgan.Discriminator(Shape(size, 100)).layers]
    assert kinds[:5] == ["Conv2d", "LeakyReLU", "Conv2d", "LeakyReLU", "Conv2d"]
    convolutions = kinds.count("Conv2d")
    assert kinds.count("BatchNorm2d") == convolutions - 3  # nor is the last


def test_images_are_in_range() -> None:
    torch.manual_seed(0)
    assert dcgan.generator(Shape(32, 100, width=0.25))(100 * torch.randn(3, 100)).abs().max() <= 1


def test_the_leaky_slope_is_radfords() -> None:
    with torch.device("meta"):
        slopes = {
            layer.negative_slope for layer in dcgan.discriminator(AT_128).modules() if isinstance(layer, nn.LeakyReLU)
        }
    assert slopes == {0.2}


def test_the_discriminators_loss_is_binary_cross_entropy() -> None:
    loss = discriminator_loss("bce", torch.tensor([0.9, 0.5]), torch.tensor([0.2, 0.75]))
    real = -(math.log(0.9) + math.log(0.5)) / 2
    fake = -(math.log(0.8) + math.log(0.25)) / 2
    assert loss.item() == pytest.approx(real + fake, rel=1e-6)


def test_the_generators_loss_does_not_saturate() -> None:
    loss = generator_loss("bce", None, torch.tensor([0.2, 0.75]))
    assert loss.item() == pytest.approx(-(math.log(0.2) + math.log(0.75)) / 2, rel=1e-6)


def test_an_uninformed_discriminator_has_a_loss_of_two_bits() -> None:
    half = torch.full((4,), 0.5)
    assert discriminator_loss("bce", half, half).item() == pytest.approx(2 * math.log(2))


def test_losses_and_gradients_are_those_of_pytorch() -> None:
    torch.manual_seed(0)
    logits = torch.randn(50)
    for target in (0.0, 1.0):
        gradients = []
        for measure in (cross_entropy, lambda d, t: nn.functional.binary_cross_entropy(d, 0 * d + t)):
            given = logits.clone().requires_grad_()
            loss = measure(given.sigmoid(), target)
            gradients.append((loss, *torch.autograd.grad(loss, given)))
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(*gradients, strict=True))


def test_initial_weights_are_radfords() -> None:
    torch.manual_seed(0)
    for network in (dcgan.generator(Shape(64, 100)), dcgan.discriminator(Shape(64, 100))):
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                error = 5 * 0.02 / math.sqrt(layer.weight.numel())  # five standard errors of the mean
                assert layer.weight.mean().item() == pytest.approx(0, abs=error)
                assert layer.weight.std().item() == pytest.approx(0.02, abs=error)
            elif isinstance(layer, nn.BatchNorm2d):
                assert layer.weight.mean().item() == pytest.approx(1, abs=5 * 0.02 / math.sqrt(layer.num_features))
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.5)
                assert not layer.bias.any()
