"""Losses and penalties give hand-computed values; NaN is passed on, and confident outputs give finite losses."""

import math
from typing import Literal, get_args

import pytest
import torch
from torch import Tensor, nn

from xrayaug.errors import UsageError
from xrayaug.options import Loss
from xrayaug.training import losses
from xrayaug.training.losses import discriminator_loss, generator_loss, r1_penalty, wgan_gp_penalty

LOSSES: tuple[Loss, ...] = get_args(Loss)
REAL, FAKE = torch.tensor([2.0, -1.0]), torch.tensor([-3.0, 0.5])


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def of(name: Loss, values: list[float]) -> Tensor:
    """Return outputs that a discriminator could give for that loss."""
    logits = torch.tensor(values)
    return logits.sigmoid() if name == "bce" else logits


EXPECTED: dict[Loss, tuple[float, float]] = {
    "nonsaturating": (
        (softplus(-2) + softplus(1)) / 2 + (softplus(-3) + softplus(0.5)) / 2,
        (softplus(3) + softplus(-0.5)) / 2,
    ),
    "hinge": ((0 + 2) / 2 + (0 + 1.5) / 2, (3 - 0.5) / 2),
    "wgan": (-1.25 - 0.5, 1.25),
    "relativistic": ((softplus(-5) + softplus(1.5)) / 2, (softplus(5) + softplus(-1.5)) / 2),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_losses_are_the_papers(name: Loss) -> None:
    expected = EXPECTED[name]
    assert discriminator_loss(name, REAL, FAKE).item() == pytest.approx(expected[0], rel=1e-6)
    assert generator_loss(name, REAL, FAKE).item() == pytest.approx(expected[1], rel=1e-6)


def test_bce_is_the_nonsaturating_loss_of_probabilities() -> None:
    d_real, d_fake = REAL.sigmoid(), FAKE.sigmoid()
    torch.testing.assert_close(
        discriminator_loss("bce", d_real, d_fake), discriminator_loss("nonsaturating", REAL, FAKE)
    )
    torch.testing.assert_close(generator_loss("bce", None, d_fake), generator_loss("nonsaturating", None, FAKE))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("fill", [-200.0, 0.0, 200.0])
def test_losses_are_finite_scalars_with_finite_gradients(name: Loss, fill: float) -> None:
    """Even where the discriminator is certain, rightly or wrongly."""
    for other in (fill, -fill):
        d_real, d_fake = of(name, [fill] * 3).requires_grad_(), of(name, [other] * 3).requires_grad_()
        for loss in (discriminator_loss(name, d_real, d_fake), generator_loss(name, d_real, d_fake)):
            assert loss.shape == ()
            assert loss.isfinite()
            torch.autograd.backward(loss)
        assert d_real.grad is not None and d_real.grad.isfinite().all()
        assert d_fake.grad is not None and d_fake.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_losses_pass_nan_on(name: Loss) -> None:
    """Training can then stop and report the epoch; PyTorch's own cross entropy would raise."""
    fine, broken = torch.full((3,), 0.5), torch.tensor([0.5, float("nan"), 0.5])
    assert discriminator_loss(name, broken, fine).isnan()
    assert discriminator_loss(name, fine, broken).isnan()
    assert generator_loss(name, fine, broken).isnan()


@pytest.mark.parametrize("name", LOSSES)
def test_losses_pull_in_opposite_directions(name: Loss) -> None:
    def both(real: float, fake: float) -> tuple[Tensor, Tensor]:
        given = of(name, [real] * 3), of(name, [fake] * 3)
        return discriminator_loss(name, *given), generator_loss(name, *given)

    told_apart, fooled = both(0.9, -0.9), both(0.9, 0.8)
    assert told_apart[0] < fooled[0]
    assert told_apart[1] > fooled[1]


class Quadratic(nn.Module):
    """D(x) = a |x|² / 2, whose gradient at x is a x."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(3.0))

    def forward(self, images: Tensor) -> Tensor:
        """`[N]`."""
        return self.a * images.flatten(1).square().sum(1) / 2


def test_r1_is_half_the_mean_squared_gradient_and_can_be_lowered() -> None:
    d, images = Quadratic(), torch.randn(4, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    squares = images.square().sum() / 4
    penalty = r1_penalty(d, images)
    torch.testing.assert_close(penalty, 9 * squares / 2)
    torch.autograd.backward(penalty)
    torch.testing.assert_close(d.a.grad, 3 * squares)  # of a² squares / 2
    assert images.grad is None


def test_the_gradient_penalty_is_zero_where_gradients_have_length_one() -> None:
    d, unit = Quadratic(), torch.zeros(2, 1, 3, 3)
    unit[:, 0, 1, 1] = 1 / 3
    assert wgan_gp_penalty(d, unit, torch.zeros_like(unit), torch.zeros(2)).item() == pytest.approx(0, abs=1e-10)
    half = wgan_gp_penalty(d, unit, torch.zeros_like(unit), torch.tensor([0.0, 0.5]))
    assert half.item() == pytest.approx((0 + 0.25) / 2)
    torch.autograd.backward(half)
    assert d.a.grad is not None and d.a.grad.isfinite()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("output", ["probability", "logit"])
def test_bce_is_of_probabilities_and_no_other_loss_is(name: Loss, output: Literal["probability", "logit"]) -> None:
    if (name == "bce") == (output == "probability"):
        losses.check_loss(name, output, "some-gan")
    else:
        with pytest.raises(UsageError, match=f"--loss {name} .*some-gan.* {output}"):
            losses.check_loss(name, output, "some-gan")


def test_class_weights_of_the_thesis() -> None:
    w0, w1 = losses.class_weights(3653, 1336)
    assert (w0, w1) == (1336 / 4989, 3653 / 4989)


def test_weighted_bce_by_hand() -> None:
    p = torch.tensor([0.8, 0.3, 0.6])
    loss = losses.weighted_bce(torch.logit(p), torch.tensor([1.0, 0.0, 1.0]), w0=0.25, w1=0.75)
    expected = -(0.75 * math.log(0.8) + 0.25 * math.log(0.7) + 0.75 * math.log(0.6)) / 3
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_importance_weights_turn_one_share_into_another() -> None:
    e0, e1 = losses.importance_weights((8, 8), (16, 8))
    assert (e0, e1) == pytest.approx((4 / 3, 2 / 3))
    assert (8 * e0 + 8 * e1) / 16 == pytest.approx(1)
    assert losses.importance_weights((30, 10), (30, 10)) == pytest.approx((1, 1))
