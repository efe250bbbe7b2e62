"""What every architecture in `gans/` must offer; the listing says which there are."""

import pytest
import torch
from torch import Tensor

from xrayaug import gans
from xrayaug.gans import Shape

LATENT = 12
BATCH = 3
BUILDS = [(name, size) for name in gans.names() for size in gans.load(name).SIZES]
SMALL = [(name, min(gans.load(name).SIZES)) for name in gans.names()]


def networks(name: str, size: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    arch, shape = gans.load(name), Shape(size, LATENT)
    return arch.generator(shape), arch.discriminator(shape)


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


@pytest.mark.parametrize(("name", "size"), BUILDS)
def test_networks_fit_together_at_every_size(name: str, size: int) -> None:
    with torch.device("cpu" if size <= 64 else "meta"):
        g, d = networks(name, size)
        images = g(torch.randn(BATCH, LATENT))
        assert images.shape == (BATCH, 1, size, size)
        assert images.dtype == torch.float32
        assert d(images).shape == (BATCH,)


@pytest.mark.parametrize(("name", "size"), SMALL)
def test_images_are_in_range_and_judgements_probabilities(name: str, size: int) -> None:
    torch.manual_seed(0)
    g, d = networks(name, size)
    images = g(100 * torch.randn(BATCH, LATENT))
    judged = d(100 * images)
    assert images.abs().max() <= 1
    assert judged.min() >= 0
    assert judged.max() <= 1


@pytest.mark.parametrize(("name", "size"), SMALL)
def test_initial_weights_follow_the_seed(name: str, size: int) -> None:
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(torch.nn.utils.parameters_to_vector(networks(name, size)[0].parameters()))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("name", gans.names())
@pytest.mark.parametrize("fill", [0.0, 0.5, 1.0])
def test_losses_are_finite_scalars_with_gradients(name: str, fill: float) -> None:
    """Even where the discriminator is certain, rightly or wrongly."""
    arch = gans.load(name)
    for real, fake in ((fill, fill), (1 - fill, fill)):
        d_real, d_fake = (torch.full((BATCH,), value, requires_grad=True) for value in (real, fake))
        for loss in (arch.discriminator_loss(d_real, d_fake), arch.generator_loss(d_fake)):
            assert loss.shape == ()
            assert loss.isfinite()
            torch.autograd.backward(loss)
        assert d_real.grad is not None
        assert d_fake.grad is not None
        assert d_real.grad.isfinite().all()
        assert d_fake.grad.isfinite().all()


@pytest.mark.parametrize("name", gans.names())
def test_losses_pass_nan_on(name: str) -> None:
    """So that training can stop and say when; PyTorch's own cross entropy would raise."""
    arch = gans.load(name)
    fine, broken = torch.full((BATCH,), 0.5), torch.tensor([0.5, float("nan"), 0.5])
    assert arch.discriminator_loss(broken, fine).isnan()
    assert arch.discriminator_loss(fine, broken).isnan()
    assert arch.generator_loss(broken).isnan()


@pytest.mark.parametrize("name", gans.names())
def test_losses_pull_in_opposite_directions(name: str) -> None:
    arch = gans.load(name)

    def losses(real: float, fake: float) -> tuple[Tensor, Tensor]:
        d_real, d_fake = torch.full((BATCH,), real), torch.full((BATCH,), fake)
        return arch.discriminator_loss(d_real, d_fake), arch.generator_loss(d_fake)

    told_apart, fooled = losses(0.9, 0.1), losses(0.9, 0.8)
    assert told_apart[0] < fooled[0]
    assert told_apart[1] > fooled[1]


@pytest.mark.parametrize(("name", "size"), SMALL)
def test_a_training_step_moves_every_weight_tensor_of_both_networks(name: str, size: int) -> None:
    from functools import partial

    from xrayaug.stages.train_gan import Adversaries

    torch.manual_seed(0)
    g, d = networks(name, size)
    before = [[weight.detach().clone() for weight in network.parameters()] for network in (g, d)]
    adam = partial(torch.optim.Adam, lr=1e-3)
    adversaries = Adversaries(gans.load(name), g, d, adam(g.parameters()), adam(d.parameters()))
    real, z = torch.rand(BATCH, 1, size, size) * 2 - 1, torch.randn(BATCH, LATENT)
    metrics = adversaries.step(real, z)
    assert metrics.isfinite().all()
    for network, weights in zip((g, d), before, strict=True):
        assert all(not torch.equal(old, new) for old, new in zip(weights, network.parameters(), strict=True))
