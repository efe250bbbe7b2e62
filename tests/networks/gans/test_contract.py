"""Tests of the interface that every architecture in `gans/` implements."""

from dataclasses import fields, replace
from functools import partial
from typing import get_args, get_type_hints

import pytest
import torch
from torch import Tensor, nn

from xrayaug.networks import gans
from xrayaug.networks.gans import Recipe, Shape, mean_score, realness_score
from xrayaug.options.choices import LABELS
from xrayaug.training import augmentation
from xrayaug.training.gan_model import AUGMENTATION_COLUMN, AUGMENTED_VIEWS, GanModel, StepRandomness
from xrayaug.training.losses import check_loss

LATENT = 12
BATCH = 3
STEPS = 12  # in which a growing network comes to use all of its layers
WIDTH = 0.25  # of the usual channels, where only shapes and rules are looked at


def kinds(name: str) -> list[int]:
    """Return the possible numbers of classes of its networks."""
    return {"never": [0], "optional": [0, len(LABELS)], "always": [len(LABELS)]}[gans.load(name).CONDITIONAL]


BUILDS = [(name, size, classes) for name in gans.names() for size in gans.load(name).SIZES for classes in kinds(name)]
SMALL = [(name, min(gans.load(name).SIZES), classes) for name in gans.names() for classes in kinds(name)]


def networks(name: str, size: int, classes: int, width: float = WIDTH) -> tuple[nn.Module, nn.Module]:
    arch, shape = gans.load(name), Shape(size, LATENT, classes, width)
    return arch.generator(shape), arch.discriminator(shape)


def labels(classes: int, count: int = BATCH) -> Tensor | None:
    return torch.arange(count) % classes if classes else None


@pytest.mark.parametrize("name", gans.names())
def test_it_names_its_paper_and_sizes(name: str) -> None:
    arch = gans.load(name)
    assert arch.PAPER
    assert any(character.isdigit() for character in arch.PAPER), "a year"
    assert list(arch.SIZES) == sorted(set(arch.SIZES))
    assert arch.SIZES[0] >= 8


@pytest.mark.parametrize("name", gans.names())
def test_it_has_a_name_fit_for_the_command_line(name: str) -> None:
    assert name == name.lower()
    assert "_" not in name


@pytest.mark.parametrize("name", gans.names())
def test_its_recipe_can_be_trained(name: str) -> None:
    arch = gans.load(name)
    for size in arch.SIZES:
        recipe = arch.recipe(size)
        check_loss(recipe.loss, arch.OUTPUT, name)
        for field in fields(Recipe):
            choices = get_args(get_type_hints(Recipe)[field.name])
            value = getattr(recipe, field.name)
            assert value in choices if choices else value >= 0, field.name


@pytest.mark.parametrize(("name", "size", "classes"), BUILDS)
def test_networks_fit_together_at_every_size(name: str, size: int, classes: int) -> None:
    with torch.device("cpu" if size <= 64 else "meta"):
        g, d = networks(name, size, classes)
        images = g(torch.randn(BATCH, LATENT), labels(classes))
        assert images.shape == (BATCH, 1, size, size)
        assert images.dtype == torch.float32
        judged = d(images, labels(classes))
        assert mean_score(realness_score(judged)).shape == (BATCH,)
        assert judged.ndim in (1, 3) or judged.shape == (BATCH, 1 + classes)
        assert judged.dtype == torch.float32


@pytest.mark.parametrize(("name", "size", "classes"), SMALL)
def test_the_width_is_a_factor_of_the_channels(name: str, size: int, classes: int) -> None:
    def parameters(width: float) -> list[int]:
        with torch.device("meta"):
            return [sum(p.numel() for p in network.parameters()) for network in networks(name, size, classes, width)]

    for narrow, usual in zip(parameters(0.5), parameters(1.0), strict=True):
        assert narrow < 0.6 * usual


@pytest.mark.parametrize(("name", "size", "classes"), SMALL)
def test_images_are_near_their_range_and_outputs_have_their_kind(name: str, size: int, classes: int) -> None:
    torch.manual_seed(0)
    g, d = networks(name, size, classes)
    images = g(torch.randn(BATCH, LATENT), labels(classes))
    judged = realness_score(d(100 * images, labels(classes)))
    assert images.isfinite().all()
    if gans.load(name).OUTPUT == "probability":
        assert judged.min() >= 0
        assert judged.max() <= 1
    assert judged.isfinite().all()


@pytest.mark.parametrize(("name", "size", "classes"), SMALL)
def test_initial_weights_follow_the_seed(name: str, size: int, classes: int) -> None:
    for which in (0, 1):
        weights = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            weights.append(nn.utils.parameters_to_vector(networks(name, size, classes)[which].parameters()))
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(("name", "size", "classes"), SMALL)
def test_a_sampled_image_does_not_depend_on_its_batch(name: str, size: int, classes: int) -> None:
    torch.manual_seed(0)
    g = networks(name, size, classes)[0].eval()
    z, y = torch.randn(4, LATENT), labels(classes, 4)
    swapped = torch.cat([z[:2], torch.randn(2, LATENT)])
    with torch.inference_mode():
        first, second = g(z, y), g(swapped, y)
    torch.testing.assert_close(first[:2], second[:2])
    assert not torch.allclose(first[2:], second[2:])


@pytest.mark.parametrize(("name", "size", "classes"), [build for build in SMALL if build[2]])
def test_a_label_makes_a_difference(name: str, size: int, classes: int) -> None:
    torch.manual_seed(0)
    g, d = (network.eval() for network in networks(name, size, classes))
    z, y = torch.randn(BATCH, LATENT), torch.zeros(BATCH, dtype=torch.int64)
    images = g(z, y)
    assert not torch.equal(images, g(z, y + 1))
    judged = d(images, y)
    assert judged.ndim == 2 or not torch.equal(judged, d(images, y + 1))


@pytest.mark.parametrize(("name", "size", "classes"), SMALL)
def test_a_training_step_moves_every_weight_tensor_of_both_networks(name: str, size: int, classes: int) -> None:
    torch.manual_seed(0)
    g, d = networks(name, size, classes)
    before = [[weight.detach().clone() for weight in network.parameters()] for network in (g, d)]
    adam = partial(torch.optim.Adam, lr=1e-3)
    randomness = StepRandomness(torch.rand(BATCH, AUGMENTATION_COLUMN + AUGMENTED_VIEWS * augmentation.DRAWS_PER_IMAGE))
    recipe = gans.load(name).recipe(size)
    if recipe.loss == "wgan":  # in which a bias of the judgement cancels out
        recipe = replace(recipe, loss="nonsaturating")
    model = GanModel(recipe, g, d, adam(g.parameters()), adam(d.parameters()))
    steps = STEPS if hasattr(g, "grow") else 2  # a weight that stands at zero may hide those behind it for a step
    for step in range(steps):
        model.grow(step / (steps - 1))
        real, z = torch.rand(BATCH, 1, size, size) * 2 - 1, torch.randn(BATCH, LATENT)
        metrics = model.step(real, z, labels(classes), randomness, penalised=True)
    assert metrics.isfinite().all()
    for network, weights in zip((g, d), before, strict=True):
        for (weight_name, new), old in zip(network.named_parameters(), weights, strict=True):
            assert not torch.equal(old, new), weight_name
