"""Augmentation leaves most images as they are, the others in its bounds, and the measure of overfitting steers it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from xrayaug.training import augmentation
from xrayaug.training.augmentation import DRAWS_PER_IMAGE, DRAWS_PER_KIND, MAX_STRENGTH, Ada, augment

SIZE = 32
NEVER = 0.999  # a draw that no strength below it reaches
ALWAYS = 0.0


def images(count: int) -> Tensor:
    torch.manual_seed(0)
    return torch.rand(count, 1, SIZE, SIZE) * 2 - 1


def draws_of(kind: str, how: Tensor) -> Tensor:
    """Return draws `[N, DRAWS_PER_IMAGE]` that apply a single kind to each image, by the amounts `how`."""
    draws = torch.full((len(how), DRAWS_PER_IMAGE), NEVER)
    first = sum(DRAWS_PER_KIND[name] for name in list(DRAWS_PER_KIND)[: list(DRAWS_PER_KIND).index(kind)])
    draws[:, first] = ALWAYS
    draws[:, first + 1 : first + DRAWS_PER_KIND[kind]] = how
    return draws


def shifted(count: int) -> Tensor:
    return draws_of("translation", torch.rand(count, 2))


def test_strength_0_changes_no_bit() -> None:
    given = images(16)
    assert torch.equal(augment(given, torch.rand(16, DRAWS_PER_IMAGE), 0.0), given)
    assert torch.equal(augment(given, torch.rand(16, DRAWS_PER_IMAGE), torch.zeros(())), given)


@pytest.mark.parametrize("kind", DRAWS_PER_KIND)
def test_each_kind_is_applied_with_the_probability_of_the_strength(kind: str) -> None:
    given = images(1).expand(2000, -1, -1, -1)
    draws = draws_of(kind, torch.rand(2000, DRAWS_PER_KIND[kind] - 1))
    first = int((draws[0] == ALWAYS).nonzero()[0])
    draws[:, first] = torch.rand(2000)
    changed = (augment(given, draws, torch.tensor(0.3)) != given).flatten(1).any(1)
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.04)


def test_strength_1_changes_every_image() -> None:
    given = images(200)
    assert (augment(given, torch.rand(200, DRAWS_PER_IMAGE), 1.0) != given).flatten(1).any(1).all()


def test_below_strength_1_only_the_unchanged_image_has_a_positive_probability() -> None:
    """Karras et al. section 2.2: the distribution of images can be recovered from that of augmented ones."""
    torch.manual_seed(1)
    given = images(1).expand(1000, -1, -1, -1)
    outcomes, counts = torch.unique(
        augment(given, torch.rand(1000, DRAWS_PER_IMAGE), 0.3).flatten(1), dim=0, return_counts=True
    )
    again = outcomes[counts.argmax()]
    assert torch.equal(again, given[0].flatten())
    assert counts.max().item() / 1000 == pytest.approx(0.7 ** len(DRAWS_PER_KIND), abs=0.03)
    assert counts.sort().values[-2] <= 5  # whole pixels of translation, alone, may come again


@pytest.mark.parametrize("strength", [0.3, MAX_STRENGTH])
def test_positions_can_be_recovered_from_translated_images(strength: float) -> None:
    """The moved images' mean as a matrix times the images' mean: invertible up to the cap, and not at all at 1."""
    dots = torch.zeros(SIZE, 1, SIZE, SIZE)
    dots[torch.arange(SIZE), 0, :, torch.arange(SIZE)] = 1.0
    places = torch.linspace(0, 0.999, 101)
    moved = sum(
        augment(dots, draws_of("translation", torch.tensor([[place, 0.5]]).expand(SIZE, 2)), 0.9)[:, 0, 0]
        for place in places.tolist()
    ) / len(places)

    def smallest(share: float) -> float:
        singular: Tensor = torch.linalg.svdvals((1 - share) * torch.eye(SIZE) + share * moved)
        return singular.min().item()

    assert smallest(strength) > 0.01
    assert smallest(1.0) < smallest(strength)


@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_gradients_reach_the_images(strength: float) -> None:
    given = images(8).requires_grad_()
    torch.autograd.backward(augment(given, torch.rand(8, DRAWS_PER_IMAGE), strength).square().sum())
    assert given.grad is not None
    assert given.grad.isfinite().all()
    assert given.grad.flatten(1).abs().sum(1).gt(0).all()


def test_resampling_is_that_of_grid_sample() -> None:
    given = images(20)
    x, y = (SIZE * 1.5 * torch.rand(20, 1, SIZE, SIZE) - SIZE / 4 for _ in range(2))
    grid = torch.stack([(2 * x[:, 0] + 1) / SIZE - 1, (2 * y[:, 0] + 1) / SIZE - 1], dim=-1)
    expected = F.grid_sample(given, grid, padding_mode="reflection", align_corners=False)
    assert torch.allclose(augmentation._resample(given, x, y), expected, atol=1e-4)


def test_augmentation_is_twice_differentiable() -> None:
    given = images(4).requires_grad_()
    augmented = augment(given, torch.rand(4, DRAWS_PER_IMAGE), 1.0)
    (gradients,) = torch.autograd.grad(augmented.square().sum(), given, create_graph=True)
    torch.autograd.backward(gradients.square().sum())
    assert given.grad is not None
    assert given.grad.isfinite().all()


def test_an_image_is_augmented_by_its_own_draws_alone() -> None:
    given, draws = images(6), torch.rand(6, DRAWS_PER_IMAGE)
    whole = augment(given, draws, 0.9)
    assert torch.allclose(whole[2:3], augment(given[2:3], draws[2:3], 0.9), atol=1e-6)


def test_translation_is_by_whole_pixels_which_do_not_blur() -> None:
    given = images(50)
    moved = augment(given, shifted(50), 0.9)
    inner = slice(SIZE // 4, -SIZE // 4)
    steps = range(-SIZE // 8, SIZE // 8 + 1)
    candidates = [given.roll((down, right), (2, 3))[..., inner, inner] for down in steps for right in steps]
    errors = torch.stack([(moved[..., inner, inner] - there).abs().amax((1, 2, 3)) for there in candidates])
    assert errors.amin(0).max() < 1e-3
    assert len(set(errors.argmin(0).tolist())) > 20


@pytest.mark.parametrize(
    ("kind", "how", "expected"),
    [
        ("brightness", 0.0, lambda given: given - 0.5),
        ("contrast", 0.0, lambda given: (given + given.mean()) / 2),
        ("rotation", 0.5, lambda given: given),
        ("scale", 0.5, lambda given: given),
    ],
)
def test_a_draw_has_the_expected_effect(kind: str, how: float, expected: Callable[[Tensor], Tensor]) -> None:
    given = images(1)
    assert torch.allclose(augment(given, draws_of(kind, torch.tensor([[how]])), 0.9), expected(given), atol=1e-5)


def test_cutout_is_a_grey_square_of_half_the_size() -> None:
    given = images(1)
    cut = augment(given, draws_of("cutout", torch.tensor([[0.5, 0.5]])), 0.9)
    middle = slice(SIZE // 4, -SIZE // 4)
    assert not cut[..., middle, middle].any()
    cut[..., middle, middle] = given[..., middle, middle]
    assert torch.equal(cut, given)


def test_rotation_is_at_most_ten_degrees_without_mirroring() -> None:
    line = torch.full((1, 1, 65, 65), -1.0)
    line[..., 32, 32:] = 1.0  # from the centre to the right
    for how in (0.0, 0.999):
        turned = augment(line, draws_of("rotation", torch.tensor([[how]])), 0.999)[0, 0]
        rows = turned[:, 60].argmax().item() - 32
        assert abs(rows) == pytest.approx(28 * torch.tan(torch.tensor(augmentation.ROTATION)).item(), abs=1.5)
        assert turned[:, :25].max() < -0.5


def test_edges_are_reflected_and_not_black() -> None:
    bright = torch.full((20, 1, SIZE, SIZE), 0.5)
    assert torch.allclose(augment(bright, shifted(20), 0.9), bright, atol=1e-6)


def test_augmentation_works_under_autocast() -> None:
    given, draws = images(8), torch.rand(8, DRAWS_PER_IMAGE)
    with torch.autocast("cpu", torch.bfloat16):
        there = augment(given, draws, 1.0)
    assert there.dtype == torch.float32
    assert torch.equal(there, augment(given, draws, 1.0))


def test_nan_stays_nan() -> None:
    given = images(2)
    given[0, 0, 3, 3] = torch.nan
    assert augment(given, torch.rand(2, DRAWS_PER_IMAGE), 0.0)[0].isnan().any()


def ada_after(d_real: Tensor, steps: int, ada: Ada | None = None) -> Ada:
    ada = ada or Ada(torch.device("cpu"), speed=1000)
    for _ in range(steps):
        ada.observe(d_real.sign().sum(), len(d_real))
    return ada


def test_ada_rises_while_the_discriminator_overfits_and_falls_when_it_does_not() -> None:
    ada = ada_after(torch.ones(25), 8)
    assert ada.p.item() == pytest.approx(0.2)
    assert ada.overfitting.item() == 1.0
    ada_after(torch.tensor([1.0, -1.0]), 12, ada)
    assert ada.p.item() == pytest.approx(0.2 - 24 / 1000)
    assert ada.overfitting.item() == 0.0
    assert ada_after(-torch.ones(25), 40, ada).p.item() == 0.0


def test_ada_changes_every_fourth_step_only() -> None:
    assert [ada_after(torch.ones(10), steps).p.item() > 0 for steps in range(1, 6)] == [False, False, False, True, True]


def test_ada_stays_below_the_cap() -> None:
    assert ada_after(torch.ones(100), 100).p.item() == pytest.approx(MAX_STRENGTH)


def test_ada_continues_from_its_state_with_the_same_bits_at_the_same_addresses() -> None:
    ada = ada_after(torch.ones(7), 6)
    other = Ada(torch.device("cpu"), speed=1000)
    place = other.p.data_ptr()
    other.load_state_dict(ada.state_dict())
    for steps in range(1, 6):
        a, b = (ada_after(torch.ones(9) * (-1) ** steps, 1, one) for one in (ada, other))
        assert torch.equal(a.p, b.p)
        assert torch.equal(a.overfitting, b.overfitting)
    assert other.p.data_ptr() == place


def test_geometric_augmentation_moves_half_as_far_and_no_more() -> None:
    given = images(1).expand(200, -1, -1, -1)
    draws = draws_of("translation", torch.rand(200, 2))
    half = 0.5 + (draws[:, 1:3] - 0.5) / 2
    assert torch.equal(augment(given, draws, 0.9, geometric=True), augment(given, draws_of("translation", half), 0.9))
    for kind in ("brightness", "contrast", "cutout"):
        unused = draws_of(kind, torch.rand(200, DRAWS_PER_KIND[kind] - 1))
        assert torch.equal(augment(given, unused, 0.9, geometric=True), given)
