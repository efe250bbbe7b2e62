"""A step of both networks does what the recipe says."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xrayaug.networks import gans
from xrayaug.networks.gans import Recipe, Shape
from xrayaug.runtime import devices
from xrayaug.training import augmentation, losses, steps
from xrayaug.training.gan_model import (
    AUGMENTATION_COLUMN,
    AUGMENTED_VIEWS,
    EXTRA_METRICS,
    METRICS,
    GanModel,
    StepRandomness,
)

LATENT = 4
CPU = torch.device("cpu")
LOGIT_RECIPE = Recipe(loss="nonsaturating")  # for discriminators that return logits


def build_model(recipe: Recipe, *, arch: str = "dcgan-plus", classes: int = 0) -> GanModel:
    torch.manual_seed(0)
    shape = Shape(32, LATENT, classes, 0.125)
    g, d = gans.load(arch).generator(shape), gans.load(arch).discriminator(shape)
    of_g, of_d = (steps.adam(network.parameters(), CPU, lr=1e-3, betas=(0.5, 0.9)) for network in (g, d))
    return GanModel(recipe, g, d, of_g, of_d)


def given(count: int = 4) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(1)
    return torch.rand(count, 1, 32, 32, generator=source) * 2 - 1, torch.randn(count, LATENT, generator=source)


def metrics(found: Tensor) -> dict[str, float]:
    return dict(zip((*METRICS, *EXTRA_METRICS), found.tolist(), strict=True))


def test_a_lazy_penalty_is_multiplied_by_its_interval() -> None:
    every, sixteenth = (
        metrics(build_model(replace(LOGIT_RECIPE, r1=1.0, penalty_every=every)).step(*given(), penalised=True))[
            "penalty"
        ]
        for every in (1, 16)
    )
    assert sixteenth == pytest.approx(16 * every, rel=1e-5)
    assert metrics(build_model(replace(LOGIT_RECIPE, r1=1.0)).step(*given()))["penalty"] == 0


def test_r1_is_of_real_and_r2_of_generated_images() -> None:
    real, z = given()
    found = [metrics(build_model(weights).step(real, z, penalised=True))["penalty"]
             for weights in (replace(LOGIT_RECIPE, r1=1), replace(LOGIT_RECIPE, r2=1),
                             replace(LOGIT_RECIPE, r1=1, r2=1))]  # fmt: skip
    assert found[2] == pytest.approx(found[0] + found[1], rel=1e-5)
    assert found[0] != pytest.approx(found[1], rel=1e-3)


def test_a_penalty_makes_the_discriminator_flatter() -> None:
    steep, flat = (build_model(replace(LOGIT_RECIPE, r1=weight)) for weight in (0.0, 100.0))
    for each in (steep, flat):
        for _ in range(20):
            each.step(*given(), penalised=True)
    real = given()[0]
    slopes = [losses.r1_penalty(each.d, real).item() for each in (steep, flat)]
    assert slopes[1] < slopes[0] / 2


def test_generated_images_get_the_labels_of_the_real_ones() -> None:
    seen_labels: list[Tensor] = []

    class Listening(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor, labels: Tensor) -> Tensor:
            seen_labels.append(labels)
            found: Tensor = self.network(x, labels)
            return found

    made = build_model(Recipe(loss="relativistic"), arch="cgan", classes=2)
    made.g, made.d = Listening(made.g), Listening(made.d)
    labels = torch.tensor([0, 1, 1, 0])
    made.step(*given(), labels)
    assert len(seen_labels) == 5  # G; D of real, of generated; G's step, beside real ones
    assert all(torch.equal(each, labels) for each in seen_labels)


def test_an_auxiliary_classifier_learns_from_real_and_generated_images() -> None:
    made = build_model(LOGIT_RECIPE, arch="acgan", classes=2)
    labels = torch.tensor([0, 1, 1, 0])
    found = [metrics(made.step(*given(), labels))["class_loss"] for _ in range(30)]
    assert found[-1] < found[0] / 2


def test_geometric_augmentation_leaves_the_exposure() -> None:
    seen: list[Tensor] = []
    model = build_model(Recipe(loss="hinge", d_augment="geometric"))
    model.d.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    uniforms = torch.rand(4, AUGMENTATION_COLUMN + AUGMENTED_VIEWS * augmentation.DRAWS_PER_IMAGE)
    real, z = given()
    constant = torch.full_like(real, 0.25)
    model.step(constant, z, randomness=StepRandomness(uniforms))
    assert torch.allclose(seen[0], constant)


def test_each_view_of_a_step_is_augmented_independently(monkeypatch: pytest.MonkeyPatch) -> None:
    views: list[Tensor] = []
    augment = augmentation.augment

    def seen(images: Tensor, draws: Tensor, strength: Tensor | float, **named: bool) -> Tensor:
        views.append(draws)
        return augment(images, draws, strength, **named)

    monkeypatch.setattr(augmentation, "augment", seen)
    random_columns = AUGMENTATION_COLUMN + AUGMENTED_VIEWS * augmentation.DRAWS_PER_IMAGE
    uniforms = torch.rand(4, random_columns, generator=torch.Generator().manual_seed(0))
    build_model(Recipe(loss="relativistic", d_augment="diffaugment")).step(
        *given(), randomness=StepRandomness(uniforms)
    )
    assert [view.shape for view in views] == [(4, augmentation.DRAWS_PER_IMAGE)] * 4
    assert len({view.numpy().tobytes() for view in views}) == 4


def test_penalties_are_computed_and_differentiated_in_fp32_where_steps_are_in_tf32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[str] = []
    backward, penalty = torch.autograd.backward, losses.r1_penalty

    def differentiated(*arguments: Any) -> None:
        found.append(f"gradients {torch.backends.cuda.matmul.fp32_precision}")
        backward(*arguments)

    def penalised(*arguments: Any) -> Tensor:
        found.append(f"penalty {torch.backends.cuda.matmul.fp32_precision}")
        return penalty(*arguments)

    monkeypatch.setattr(torch.autograd, "backward", differentiated)
    monkeypatch.setattr(losses, "r1_penalty", penalised)
    both = [build_model(replace(LOGIT_RECIPE, r1=1.0)), build_model(replace(LOGIT_RECIPE, r1=1.0))]
    both[1].uses_tf32 = True
    with devices.matmul_precision("tf32"):
        for each in both:
            each.step(*given(), penalised=True)
    together = ["penalty ieee", "gradients tf32", "gradients tf32"]
    apart = ["penalty ieee", "gradients tf32", "gradients ieee", "gradients tf32"]
    assert found == together + apart
    for one, other in zip(both[0].d.parameters(), both[1].d.parameters(), strict=True):
        torch.testing.assert_close(one, other)
