"""StyleGAN2 computes what its papers say, and learns."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils._python_dispatch import TorchDispatchMode

from xrayaug.networks import equalized_lr
from xrayaug.networks.gans import Recipe, Shape, stylegan2
from xrayaug.stages.train_gan import summarize_layers

SMALL = Shape(32, 12, 0, 1 / 64)
TOLD = Shape(32, 12, 2, 1 / 64)


def generator(shape: Shape = SMALL, seed: int = 0) -> stylegan2.Generator:
    torch.manual_seed(seed)
    g = stylegan2.generator(shape)
    assert isinstance(g, stylegan2.Generator)
    for module in g.modules():
        if isinstance(module, stylegan2.Noise):  # as after some training
            nn.init.constant_(module.strength, 0.3)
            nn.init.normal_(module.bias, 0.0, 0.1)
    return g


def discriminator(shape: Shape = SMALL) -> nn.Module:
    torch.manual_seed(0)
    return stylegan2.discriminator(shape)


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def weights_of_its_own(weight: Tensor, style: Tensor) -> Tensor:
    """Equations 1 and 3 for one image: `[O, I, 3, 3]` from weights of that shape and styles `[I]`."""
    modulated = weight * style[None, :, None, None]
    return modulated / (modulated.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()


def test_modulation_equals_separate_weights_for_each_image() -> None:
    torch.manual_seed(0)
    layer, x, styles = stylegan2.ModulatedConv2d(5, 7), torch.randn(4, 5, 8, 8), torch.randn(4, 5)
    expected = [
        F.conv2d(image[None], weights_of_its_own(layer.weight, style), padding=1)
        for image, style in zip(x, styles, strict=True)
    ]
    assert torch.allclose(layer(x, styles), 2**0.5 * torch.cat(expected), atol=1e-5)


def test_upsampling_modulation_equals_separate_weights_for_each_image() -> None:
    torch.manual_seed(0)
    layer, x, styles = stylegan2.ModulatedConv2d(5, 7, up=True), torch.randn(4, 5, 8, 8), torch.randn(4, 5)
    expected = [
        F.conv_transpose2d(
            image[None], weights_of_its_own(layer.weight.transpose(0, 1), style).transpose(0, 1), stride=2
        )
        for image, style in zip(x, styles, strict=True)
    ]
    assert torch.allclose(layer(x, styles), 2**0.5 * torch.cat(expected), atol=1e-5)


def test_zeros_between_pixels_and_smoothing_is_bilinear_interpolation() -> None:
    x = torch.randn(2, 3, 8, 8)
    spread = torch.zeros(2, 3, 17, 17)
    spread[..., 1:16:2, 1:16:2] = x
    smoothed = stylegan2.Smooth(gain=4, padding=1)(spread)
    inner = (..., slice(1, -1), slice(1, -1))  # beyond the edge there is nothing, where interpolation repeats it
    assert torch.allclose(smoothed[inner], F.interpolate(x, scale_factor=2, mode="bilinear")[inner], atol=1e-5)


def test_smoothing_keeps_constant_images() -> None:
    halved = stylegan2.Smooth(padding=1, stride=2)(torch.ones(1, 2, 16, 16))
    assert halved.shape == (1, 2, 8, 8)
    assert torch.allclose(halved[..., 1:-1, 1:-1], torch.ones(1, 2, 6, 6))


@pytest.mark.parametrize(("count", "group"), [(8, 4), (4, 4), (6, 3), (10, 2), (5, 5), (1, 1)])
def test_the_deviation_of_a_minibatch(count: int, group: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(count, 3, 4, 4)
    found = equalized_lr.minibatch_stddev(x)
    assert torch.equal(found[:, :3], x)
    for place in range(count):
        members = x[place % (count // group) :: count // group]
        assert len(members) == group
        expected = (members.var(dim=0, correction=0) + 1e-8).sqrt().mean()
        assert torch.allclose(found[place, 3], expected.expand(4, 4), atol=1e-6)


def test_layers_begin_with_unit_variance() -> None:
    """Equalised: whatever the layer's size and rate; `GAIN` makes up for the half that a leaky ReLU takes."""
    torch.manual_seed(0)
    plain = equalized_lr.Linear(200, 300, rate=0.01)(torch.randn(100, 200))
    assert plain.std().item() == pytest.approx(1, rel=0.05)
    x = equalized_lr.leaky_relu(equalized_lr.Conv2d(64, 64, 3)(torch.randn(4, 64, 8, 8))[..., 1:-1, 1:-1])
    assert x.square().mean().item() == pytest.approx(1.04, rel=0.1)  # 1 + slope²


def test_truncation_0_gives_one_image_and_1_gives_them_all() -> None:
    g = generator()
    g(torch.randn(64, 12))  # an average to draw towards
    g.eval()
    z = torch.randn(3, 12)
    assert torch.equal(g.truncated(z, None, 1.0), g(z))
    alike = g.truncated(z, None, 0.0)
    assert torch.allclose(alike, alike[:1].expand_as(alike), atol=1e-6)
    spreads = [g.truncated(z, None, psi).std(dim=0).mean().item() for psi in (0.3, 0.6, 1.0)]
    assert spreads == sorted(spreads)


def test_truncation_keeps_the_class() -> None:
    g = generator(TOLD)
    g(torch.randn(64, 12), torch.arange(64) % 2)
    g.eval()
    z, y = torch.randn(4, 12), torch.tensor([0, 1, 0, 1])
    images = g.truncated(z, y, 0.0)
    assert torch.allclose(images[:2], images[2:], atol=1e-6)
    assert not torch.allclose(images[0], images[1])


def test_the_average_style_follows_in_training_only_and_by_class() -> None:
    g = generator(TOLD)
    z, y = torch.randn(8, 12), torch.ones(8, dtype=torch.int64)
    for part in (z[:4], z[4:]):
        g(part, y[:4])
    assert torch.allclose(g.average[1], g.mapping(z, y).mean(dim=0), atol=1e-5)
    assert not g.average[0].any()
    before = g.average.clone()
    g.eval()(z, 0 * y)
    assert torch.equal(g.average, before)


def test_the_average_style_forgets_early_styles() -> None:
    g = generator()
    with torch.no_grad():
        for step in range(1500):
            g._note(torch.full((2, 12), float(step >= 1000)), None)
    assert g.average.mean().item() == pytest.approx(1 - stylegan2.AVERAGING**500, abs=1e-3)


def test_noise_is_redrawn_in_training_by_seed() -> None:
    g, z = generator(), torch.randn(2, 12)

    def uniforms(seed: int) -> Tensor:
        torch.manual_seed(seed)
        images: Tensor = g(z)
        return images

    assert torch.equal(uniforms(1), uniforms(1))
    assert not torch.allclose(uniforms(1), uniforms(2), atol=1e-3)


def test_noise_is_fixed_in_evaluation_for_any_batch() -> None:
    g, z = generator().eval(), torch.randn(5, 12)
    together = g(z)
    assert torch.equal(g(z), together)
    assert torch.allclose(g(z[3:4]), together[3:4], atol=1e-5)


def test_the_penalty_on_path_lengths_has_gradients_and_a_running_mean() -> None:
    g = generator()
    penalty = g.penalty(torch.randn(4, 12))
    assert penalty.isfinite()
    assert g.path_length > 0
    torch.autograd.backward(penalty)
    gradients = [weight.grad for weight in g.parameters() if weight.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert any(gradient.any() for gradient in gradients)


def test_path_lengths_are_those_of_the_jacobian() -> None:
    """Equation 4: the expectation of |J^T y|² is the sum of J's squares, y being of unit variance over all pixels."""
    g = generator(Shape(32, 3, 0, 1 / 128)).eval()
    z = torch.randn(1, 3)
    w, step = g.mapping(z, None), 1e-2
    random_columns = [
        (g.synthesised(w + step * way) - g.synthesised(w - step * way)) / (2 * step) for way in torch.eye(3)
    ]
    expected = torch.stack(random_columns).square().sum().item() / 32**2

    penalty = g.penalty(z.expand(500, -1)).item()
    mean = g.path_length.item()
    mean_length = mean / (1 - stylegan2.LENGTH_AVERAGING)  # it began at 0
    mean_square = penalty + 2 * mean * mean_length - mean**2  # penalty is that of (length - mean)²
    assert mean_square == pytest.approx(expected, rel=0.15)


def test_labels_change_images_and_logits() -> None:
    g, d = generator(TOLD).eval(), discriminator(TOLD)
    z, normal = torch.randn(4, 12), torch.zeros(4, dtype=torch.int64)
    images = g(z, normal)
    assert not torch.allclose(images, g(z, normal + 1))
    assert not torch.allclose(d(images, normal), d(images, normal + 1))


def test_parameters_at_full_width() -> None:
    """Expected counts were computed by hand, layer by layer, for 64 px: 512 channels up to 32 px, and 256 at 64."""
    c, top, w = 512, 256, 512
    styles = 8 * (w * c + c) + (w * top + top)  # of 9 convolutions, all but the last of 512 channels
    convolutions = 7 * c * c * 9 + c * top * 9 + top * top * 9
    noises = 7 * (1 + c) + 2 * (1 + top)
    to_grey = 4 * (w * c + c + c + 1) + (w * top + top + top + 1)
    mapping = 2 * (w * w + w)
    with torch.device("meta"):
        g, d = stylegan2.generator(Shape(64, 512)), stylegan2.discriminator(Shape(64, 512))
    assert parameters(g) == c * 16 + styles + convolutions + noises + to_grey + mapping

    first = (top * top * 9 + top) + (top * c * 9 + c) + top * c
    blocks = 3 * (2 * (c * c * 9 + c) + c * c)
    end = ((c + 1) * c * 9 + c) + (c * 16 * c + c) + (c + 1)
    assert parameters(d) == 2 * top + first + blocks + end


def test_the_dry_run_counts_every_parameter() -> None:
    shape = Shape(64, 512, 0, 0.25)
    for build, given in ((stylegan2.generator, (4, 512)), (stylegan2.discriminator, (4, 1, 64, 64))):
        with torch.device("meta"):
            total = parameters(build(shape))
        assert sum(entry["parameters"] for entry in summarize_layers(build, shape, given)) == total


@pytest.mark.parametrize("size", stylegan2.SIZES)
def test_the_recipe_is_that_of_the_papers(size: int) -> None:
    recipe = stylegan2.recipe(size)
    assert recipe.r1 == pytest.approx(0.0002 * size**2 / recipe.batch_size)
    assert (recipe.beta1, recipe.beta2) == (0.0, 0.99)
    assert isinstance(recipe, Recipe)


def test_autocast_changes_little() -> None:
    g, d, z = generator().eval(), discriminator(), torch.randn(8, 12)
    images = g(z)
    with torch.autocast("cpu", torch.bfloat16):
        rough, judged = g(z), d(images)
    assert rough.dtype == judged.dtype == torch.float32
    assert (rough - images).abs().mean() < 0.02
    assert (judged - d(images)).abs().max() < 0.05


def blobs(count: int, source: torch.Generator) -> Tensor:
    """Two bright spots, each somewhere near its place: `[N, 1, 32, 32]`."""
    places = torch.linspace(-1, 1, 32)
    centres = torch.tensor([[-0.4, -0.4], [0.4, 0.4]]) + 0.3 * (torch.rand(count, 2, 2, generator=source) - 0.5)
    x, y = (
        places[None, None, None, :] - centres[..., 0, None, None],
        places[None, None, :, None] - centres[..., 1, None, None],
    )
    return 2 * torch.exp(-(x**2 + y**2) / 0.05).sum(dim=1, keepdim=True).clamp(max=1) - 1


def test_the_networks_learn() -> None:
    """Non-saturating loss and lazy R1: the mean image comes nearer to that of the real images."""
    g, d = generator(Shape(32, 12, 0, 1 / 32)), discriminator(Shape(32, 12, 0, 1 / 32))
    source = torch.Generator().manual_seed(0)
    g_optimiser, d_optimiser = (torch.optim.Adam(n.parameters(), lr=0.005, betas=(0.0, 0.99)) for n in (g, d))

    def distance() -> float:
        with torch.no_grad():
            difference: Tensor = g(torch.randn(64, 12)).mean(dim=0) - blobs(64, source).mean(dim=0)
            return difference.square().mean().item()

    before = distance()
    for step in range(40):
        fake, real = g(torch.randn(8, 12)), blobs(8, source).requires_grad_(step % 4 == 0)
        judged = d(real)
        loss = F.softplus(-judged).mean() + F.softplus(d(fake.detach())).mean()
        if real.requires_grad:
            loss += 0.2 * torch.autograd.grad(judged.sum(), real, create_graph=True)[0].square().sum() / 8
        d_optimiser.zero_grad()
        torch.autograd.backward(loss)
        d_optimiser.step()
        g_optimiser.zero_grad()
        torch.autograd.backward(F.softplus(-d(fake)).mean())
        g_optimiser.step()
    assert distance() < before / 4


@pytest.mark.parametrize(("padding", "stride", "size"), [(1, 1, 5), (2, 1, 4), (1, 2, 6), (1, 2, 5)])
def test_filters_have_the_gradients_of_a_convolution_in_groups(padding: int, stride: int, size: int) -> None:
    smooth = stylegan2.Smooth(padding=padding, stride=stride).double()
    x = torch.randn(2, 3, size, size, dtype=torch.float64, requires_grad=True)
    expected = F.conv2d(x, smooth.kernel.expand(3, 1, -1, -1), stride=stride, padding=padding, groups=3)
    torch.testing.assert_close(smooth(x), expected)
    assert torch.autograd.gradcheck(smooth, (x,))
    assert torch.autograd.gradgradcheck(smooth, (x,))


class Convolutions(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts convolutions and their gradients."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += "convolution" in func.name()
        return func(*args, **(kwargs or {}))


def test_the_gradient_of_a_filter_takes_few_convolutions_for_any_channels() -> None:
    """PyTorch differentiates the gradient of a convolution in groups group by group."""
    x = torch.randn(2, 32, 8, 8, requires_grad=True)
    with Convolutions() as counted:
        (gradient,) = torch.autograd.grad(stylegan2.Smooth(padding=2)(x).square().sum(), x, create_graph=True)
        gradient.square().sum().backward()  # type: ignore[no-untyped-call]
    assert counted.count == 4  # there, back, and the same of the gradient
