"""The progressively grown GAN grows without jumps, is where its state says, and leaves alone what is not in use."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from xrayaug.networks.gans import Shape, progan
from xrayaug.networks.gans.progan import GROWING, growth_at
from xrayaug.stages.train_gan import summarize_layers
from xrayaug.storage import weights

SMALL = Shape(32, 12, 0, 1 / 64)
DOUBLINGS = 3  # from 4 pixels to 32
PHASE = GROWING / (2 * DOUBLINGS)
FADES = [(PHASE * (2 * level - 1), level) for level in range(1, DOUBLINGS + 1)]  # where each level begins to fade in


def networks(shape: Shape = SMALL) -> tuple[progan.Generator, progan.Discriminator]:
    torch.manual_seed(0)
    return progan.Generator(shape), progan.Discriminator(shape)


def grown(progress: float) -> tuple[progan.Generator, progan.Discriminator]:
    g, d = networks()
    assert g.grow(progress) == d.grow(progress)
    return g, d


def in_use(network: nn.Module, judged: Tensor) -> set[str]:
    """Return the weights that a gradient reaches."""
    torch.autograd.backward(judged.sum())
    return {name for name, weight in network.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize(
    ("progress", "level", "fade"),
    [
        (0.0, 0, 1.0),
        (0.9, 0, 1.0),
        (1.0, 1, 0.0),
        (1.25, 1, 0.25),
        (2.0, 1, 1.0),
        (3.5, 2, 0.5),
        (5.75, 3, 0.75),
        (6.0, 3, 1.0),
    ],
)
def test_level_and_fade_by_the_phase(progress: float, level: int, fade: float) -> None:
    found = growth_at(progress * PHASE, DOUBLINGS)
    assert found[0] == level
    assert found[1] == pytest.approx(fade)


def test_the_second_half_is_at_full_size() -> None:
    assert {growth_at(progress, 5) for progress in (0.5, 0.7, 1.0)} == {(5, 1.0)}


def test_it_never_shrinks() -> None:
    levels = [growth_at(step / 1000, 5) for step in range(1001)]
    sizes = [level if fade == 1 else level - 1 + fade for level, fade in levels]
    assert sizes == sorted(sizes)


def test_grow_returns_whether_layers_have_changed() -> None:
    g, _ = networks()
    changes = [step for step in range(101) if g.grow(step / 100)]
    borders = [0, *(-(-100 * PHASE * phase // 1) for phase in range(1, 2 * DOUBLINGS + 1))]
    assert changes == borders


@pytest.mark.parametrize("border", range(1, 2 * DOUBLINGS + 1))
def test_outputs_are_continuous_between_phases(border: int) -> None:
    g, d = networks()
    z, images = torch.randn(4, 12), torch.rand(4, 1, 32, 32)
    seen, stages = [], []
    for share in (border * PHASE - 1e-6, border * PHASE + 1e-6):
        g.grow(share)
        d.grow(share)
        stages.append(g.growth.stage())
        seen.append(torch.cat([g(z).flatten(), d(images)]))
    assert stages[0] != stages[1]
    assert torch.allclose(seen[0], seen[1], atol=1e-3)


def test_images_are_of_full_size_and_no_finer_than_the_level() -> None:
    for level in range(DOUBLINGS + 1):
        g, _ = grown(2 * level * PHASE)
        images = g(torch.randn(2, 12))
        assert images.shape == (2, 1, 32, 32)
        coarse = F.avg_pool2d(images, 32 // (4 * 2**level))
        assert torch.allclose(F.interpolate(coarse, size=32), images, atol=1e-6)


def test_the_discriminator_sees_no_finer_than_the_level() -> None:
    _, d = grown(2 * PHASE)  # of 8 pixels
    images = torch.rand(4, 1, 32, 32)
    assert torch.allclose(d(F.interpolate(F.avg_pool2d(images, 4), size=32)), d(images), atol=1e-5)


def test_each_weight_is_in_use_at_some_time_and_those_not_in_use_have_no_gradient() -> None:
    """Otherwise Adam would move them, and count its steps on them."""
    g, d = networks()
    used_g, used_d = set(), set()
    for progress in (0.0, *(start + PHASE / 2 for start, _ in FADES), 1.0):
        g.grow(progress)
        d.grow(progress)
        g.zero_grad()
        d.zero_grad()
        used_g |= in_use(g, g(torch.randn(2, 12)))
        used_d |= in_use(d, d(torch.rand(2, 1, 32, 32)))
        if progress == 0.0:
            assert not any(name.startswith("blocks") for name in used_g | used_d)
    assert used_g == {name for name, _ in g.named_parameters()}
    assert used_d == {name for name, _ in d.named_parameters()}


def test_loading_restores_the_level() -> None:
    g, d = grown(FADES[1][0] + 0.3 * PHASE)
    z, images = torch.randn(4, 12), torch.rand(4, 1, 32, 32)
    fresh = progan.Generator(SMALL), progan.Discriminator(SMALL)
    for network, other in zip((g, d), fresh, strict=True):
        weights.assign(weights.cpu_state_dict(network), other, "here")
        other.eval()
    assert torch.equal(fresh[0](z), g(z))
    assert torch.equal(fresh[1](images), d(images))
    assert fresh[0].growth.stage() == (2, True)


def test_growing_continues_after_loading() -> None:
    g, _ = grown(FADES[1][0] + 0.3 * PHASE)
    other = progan.Generator(SMALL)
    weights.assign(weights.cpu_state_dict(g), other, "here")
    other.grow(FADES[1][0] + 0.3 * PHASE)
    z = torch.randn(4, 12)
    assert torch.equal(other(z), g(z))


def test_an_upsampling_convolution_equals_one_of_doubled_pixels() -> None:
    torch.manual_seed(0)
    layer, x = progan.DoublingConv2d(3, 5), torch.randn(2, 3, 6, 6)
    kernel = layer.weight.transpose(0, 1).flip(2, 3) * layer.scale  # transposed convolution turns it round
    expected = F.conv2d(F.interpolate(x, scale_factor=2), kernel, padding=1)
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_a_downsampling_convolution_equals_a_convolution_and_means() -> None:
    torch.manual_seed(0)
    layer, x = progan.HalvingConv2d(3, 5), torch.randn(2, 3, 6, 6)
    expected = F.avg_pool2d(F.conv2d(x, layer.weight * layer.scale, padding=1), 2)
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_features_are_normalised_at_every_pixel() -> None:
    g, _ = networks()
    hidden = g.blocks[0](g._first(torch.randn(3, 12), None))
    assert torch.allclose(hidden.square().mean(dim=1), torch.ones(3, 8, 8), atol=1e-3)


def test_labels_change_images_and_logits() -> None:
    torch.manual_seed(0)
    g, d = networks(Shape(32, 12, 2, 1 / 64))
    z, normal = torch.randn(4, 12), torch.zeros(4, dtype=torch.int64)
    images = g(z, normal)
    assert not torch.allclose(images, g(z, normal + 1))
    assert not torch.allclose(d(images, normal), d(images, normal + 1))


def test_parameters_at_full_width() -> None:
    """Expected counts were computed by hand, layer by layer, for 64 px: 512 channels up to 32 px, and 256 at 64."""
    c, top = 512, 256
    with torch.device("meta"):
        g, d = networks(Shape(64, 512))
    ends = 4 * (c + 1) + top + 1  # to grey, at each of five sizes
    doublings = 3 * 2 * (c * c * 9 + c) + (c * top * 9 + top) + (top * top * 9 + top)
    assert sum(p.numel() for p in g.parameters()) == (512 * c + c) * 16 + c * c * 9 + c + doublings + ends
    halvings = 3 * 2 * (c * c * 9 + c) + (top * top * 9 + top) + (top * c * 9 + c)
    last = ((c + 1) * c * 9 + c) + (c * 16 * c + c) + c
    assert sum(p.numel() for p in d.parameters()) == 4 * 2 * c + 2 * top + halvings + last


def test_the_dry_run_shows_the_fully_grown_networks() -> None:
    shown = summarize_layers(progan.generator, SMALL, (4, 12))
    assert shown[-1]["output"] == [4, 1, 32, 32]


def test_autocast_changes_little() -> None:
    g, d = networks()
    z = torch.randn(8, 12)
    images = g(z)
    with torch.autocast("cpu", torch.bfloat16):
        rough, judged = g(z), d(images)
    assert rough.dtype == judged.dtype == torch.float32
    assert (rough - images).abs().mean() < 0.02
    assert (judged - d(images)).abs().max() < 0.05


def blobs(source: torch.Generator) -> Iterator[Tensor]:
    """Batches of one bright spot, somewhere near the centre: `[8, 1, 32, 32]`."""
    places = torch.linspace(-1, 1, 32)
    while True:
        x, y = 0.4 * (torch.rand(2, 8, 1, 1, 1, generator=source) - 0.5)
        yield 2 * torch.exp(-((places - x) ** 2 + (places[:, None] - y) ** 2) / 0.1) - 1


def test_the_networks_learn_while_they_grow() -> None:
    """WGAN-GP through all its phases: the mean image comes nearer to that of the real images at each look."""
    g, d = networks(Shape(32, 12, 0, 1 / 32))
    reals = blobs(torch.Generator().manual_seed(0))
    mean = torch.cat([next(reals) for _ in range(16)]).mean(dim=0)
    g_optimiser, d_optimiser = (torch.optim.Adam(n.parameters(), lr=0.003, betas=(0.0, 0.99)) for n in (g, d))
    distances = []
    for step in range(101):
        if step % 50 == 0:
            with torch.no_grad():
                distances.append((g(torch.randn(64, 12)).mean(dim=0) - mean).square().mean().item())
        g.grow(step / 100)
        d.grow(step / 100)
        fake, real = g(torch.randn(8, 12)), next(reals)
        interpolation_weights = torch.lerp(real, fake.detach(), torch.rand(8, 1, 1, 1)).requires_grad_()
        slopes = (
            torch.autograd.grad(d(interpolation_weights).sum(), interpolation_weights, create_graph=True)[0]
            .flatten(1)
            .norm(dim=1)
        )
        d_optimiser.zero_grad()
        torch.autograd.backward(d(fake.detach()).mean() - d(real).mean() + 10 * (slopes - 1).square().mean())
        d_optimiser.step()
        g_optimiser.zero_grad()
        torch.autograd.backward(-d(fake).mean())
        g_optimiser.step()
    assert all(later < earlier / 2 for earlier, later in pairwise(distances))
