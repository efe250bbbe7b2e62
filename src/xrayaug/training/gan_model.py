"""Two networks that learn against each other: what a step of theirs is, by an architecture's recipe.

Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, Algorithm 1 with one discriminator step per generator
step; networks come from `gans/`, losses and penalties from `losses.py`, as the architecture's recipe or the user
says.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from xrayaug.errors import UsageError
from xrayaug.networks.gans import Architecture, Recipe, Shape
from xrayaug.options import TrainGan
from xrayaug.runtime import devices
from xrayaug.runtime.distributed import sharing
from xrayaug.storage import weights
from xrayaug.storage.checkpoints import State
from xrayaug.training import augmentation, losses, steps
from xrayaug.training.augmentation import Ada
from xrayaug.training.ema import Average

INITIAL = 0  # what a random stream is for: the initial weights; those of the run follow in gan_training.py
METRICS = ("d_loss", "g_loss", "d_real", "d_fake")  # d_real is D(x), d_fake D(G(z)), averaged over the epoch
FURTHER = ("penalty", "class_loss")  # logged where there are any
VIEWS = 4  # of a step that are augmented: D's of real and of generated images, G's of generated and of real ones
WITH_SIGN = ("nonsaturating", "hinge")  # losses by which logits of real images come to be above 0
MIRRORED, BETWEEN, AUGMENTED = range(3)  # columns of a step's chances: the last is the first of many


@dataclass(frozen=True)
class Chances:
    """What a step leaves to chance: uniform numbers in [0, 1), `[N, columns]`."""

    drawn: Tensor

    @property
    def mirrored(self) -> Tensor:
        """Whether each image is, `[N, 1, 1, 1]`."""
        return self.drawn[:, MIRRORED, None, None, None] < 0.5

    @property
    def between(self) -> Tensor:
        """Where between a real and a generated image the gradient is looked at, `[N]`."""
        return self.drawn[:, BETWEEN]

    def view(self, number: int) -> Tensor:
        """How one of the step's views is augmented, `[N, DRAWS]`."""
        first = AUGMENTED + number * augmentation.DRAWS
        return self.drawn[:, first : first + augmentation.DRAWS]


@dataclass(frozen=True)
class Batch:
    """What a step is taken on; see `Adversaries.step`."""

    real: Tensor
    z: Tensor
    labels: Tensor | None = None
    chances: Chances | None = None


@dataclass(frozen=True)
class Design:
    """What is trained and how, every default filled in."""

    arch: Architecture
    shape: Shape
    recipe: Recipe
    classifies: bool = False  # whether the discriminator has an auxiliary classifier

    @property
    def penalises(self) -> bool:
        """Whether some steps have penalties."""
        recipe = self.recipe
        return bool(recipe.r1 or recipe.r2 or recipe.gradient_penalty or recipe.path_length)

    def further(self) -> list[str]:
        """Which of `FURTHER` there are."""
        return [name for name, there in zip(FURTHER, (self.penalises, self.classifies), strict=True) if there]


@dataclass
class Adversaries:
    """Both networks with their optimisers, how they are trained, and the context in which networks compute."""

    recipe: Recipe
    g: nn.Module
    d: nn.Module
    g_optimiser: torch.optim.Adam
    d_optimiser: torch.optim.Adam
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext
    by_tf32: bool = False  # whether steps multiply in tf32, all but their penalties
    average: Average | None = None
    ada: Ada | None = None

    @property
    def drawing(self) -> nn.Module:
        """The generator whose images count: the averaged one, where there is one."""
        return self.average.network if self.average else self.g

    @property
    def networks(self) -> dict[str, nn.Module]:
        """All of them by the name that a user reads."""
        named = {"generator": self.g, "discriminator": self.d}
        return named | ({"averaged generator": self.average.network} if self.average else {})

    def step(
        self,
        real: Tensor,
        z: Tensor,
        labels: Tensor | None = None,
        chances: Chances | None = None,
        share: Tensor | None = None,
        *,
        penalised: bool = False,
    ) -> Tensor:
        """One optimiser step of D, then one of G; on this process's share of the batch, if `sharing` has set one.

        Args:
            real: `[N, 1, H, W]` in [-1, 1].
            z: `[N, latent]`.
            labels: of the real images, which the generated ones are to have too; int64 `[N]`.
            chances: where the step augments, or looks between images.
            share: of the averaged generator that becomes new.
            penalised: with the penalties of the recipe, `penalty_every` times as heavy.

        Returns:
            `METRICS` and `FURTHER` of this step and the whole batch, float32 `[6]`, still on the device.
        """
        batch = Batch(real, z, labels, chances)
        with self.autocast():
            fake = self.g(z, labels)
        of_d = self._teach_d(batch, fake.detach(), penalised=penalised)
        g_loss = self._teach_g(batch, fake, penalised=penalised)
        if self.average and share is not None:
            self.average.follow(share)
        found = {"g_loss": g_loss} | of_d
        return torch.stack([found[name].detach() for name in (*METRICS, *FURTHER)])

    def _teach_d(self, batch: Batch, fake: Tensor, *, penalised: bool) -> dict[str, Tensor]:
        """The discriminator's optimiser step, and what it found."""
        self.d.requires_grad_(True)
        self.d_optimiser.zero_grad(set_to_none=True)
        shown = self._shown(batch.real, batch, 0), self._shown(fake, batch, 1)
        with self.autocast():
            on_real, on_fake = self.d(shown[0], batch.labels), self.d(shown[1], batch.labels)
        d_real, d_fake = judgement(on_real), judgement(on_fake)
        loss = losses.discriminator_loss(self.recipe.loss, d_real, d_fake)
        of_classes = [class_loss(output, batch.labels) for output in (on_real, on_fake)]
        with devices.products("ieee"):
            penalty = self._penalty(*shown, batch) if penalised else None
        self._differentiate(_sum(loss, *of_classes), penalty)
        none = loss.new_zeros(())
        found = {
            "d_loss": loss,
            "d_real": d_real.mean(),
            "d_fake": d_fake.mean(),
            "penalty": _sum(none, penalty),
            "class_loss": _sum(none, *of_classes),
        }
        signs = d_real.detach().float().sign()
        *means, seen = sharing.reduced(self.d, means=list(found.values()), sums=[signs.sum()])
        self.d_optimiser.step()
        if self.ada:
            self.ada.observe(seen, sharing.whole(len(signs)))
        return dict(zip(found, means, strict=True))

    def _teach_g(self, batch: Batch, fake: Tensor, *, penalised: bool) -> Tensor:
        """The generator's optimiser step, and its loss."""
        self.d.requires_grad_(False)  # G's step needs no gradient for D's weights
        self.g_optimiser.zero_grad(set_to_none=True)
        with self.autocast():
            on_fake = self.d(self._shown(fake, batch, 2), batch.labels)
            d_real = self._beside(batch)
        loss = losses.generator_loss(self.recipe.loss, d_real, judgement(on_fake))
        with devices.products("ieee"):
            penalty = self._regulariser(batch) if penalised else None
        self._differentiate(_sum(loss, class_loss(on_fake, batch.labels)), penalty)
        (found,) = sharing.reduced(self.g, self.d, means=[loss])
        self.g_optimiser.step()
        return found

    def _differentiate(self, loss: Tensor, penalty: Tensor | None) -> None:
        """Add the gradients of both to the weights', in one pass unless the penalty's are of another precision."""
        if penalty is None or not self.by_tf32:
            torch.autograd.backward(sharing.weighed(_sum(loss, penalty)))
            return
        torch.autograd.backward(sharing.weighed(loss))
        with devices.products("ieee"):
            torch.autograd.backward(sharing.weighed(penalty))

    def grow(self, progress: float) -> bool:
        """Have the networks be as they are after that share of the training; whether their layers have changed."""
        growing: list[Callable[[float], bool]] = [
            network.grow  # type: ignore[misc] # some architectures offer it
            for network in self.networks.values()
            if hasattr(network, "grow")
        ]
        changed = [grow(progress) for grow in growing]
        return any(changed)

    def state(self) -> State:
        """What the networks, the optimisers and what adapts are now."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "g_optimiser": self.g_optimiser.state_dict(),
            "d_optimiser": self.d_optimiser.state_dict(),
            "ada": self.ada.state() if self.ada else None,
        }

    def load(self, state: State) -> None:
        """Be what `state` was."""
        for name, network in self.networks.items():
            weights.put(state["networks"][name], network, "the checkpoint")
        steps.put_optimiser(state["g_optimiser"], self.g_optimiser)
        steps.put_optimiser(state["d_optimiser"], self.d_optimiser)
        if self.ada:
            self.ada.load(state["ada"])

    def largest_weights(self) -> dict[str, float]:
        """Each network's largest weight or statistic; NaN or infinite once a step has broken any."""
        found = {}
        for name, network in self.networks.items():
            tensors = [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
            found[f"the {name}'s weights"] = torch.stack([tensor.abs().max() for tensor in tensors]).max().item()
        return found

    def _shown(self, images: Tensor, batch: Batch, view: int) -> Tensor:
        """The images `[N, 1, H, W]` as D sees them."""
        if self.recipe.d_augment == "none" or batch.chances is None:
            return images
        strength = self.ada.p if self.ada else augmentation.CAP
        return augmentation.augment(images, batch.chances.view(view), strength)

    def _beside(self, batch: Batch) -> Tensor | None:
        """What D says of the real images in G's step, where the loss compares with them."""
        if self.recipe.loss != "relativistic":
            return None
        with torch.no_grad():
            return judgement(self.d(self._shown(batch.real, batch, 3), batch.labels))

    def _penalty(self, real: Tensor, fake: Tensor, batch: Batch) -> Tensor | None:
        """What D's gradients at the images that it saw cost; None where the recipe has no such penalty."""

        def judge(images: Tensor) -> Tensor:
            return judgement(self.d(images, batch.labels))

        recipe, found = self.recipe, []
        if recipe.r1:
            found.append(recipe.r1 * losses.zero_centred(judge, real))
        if recipe.r2:
            found.append(recipe.r2 * losses.zero_centred(judge, fake))
        if recipe.gradient_penalty:
            assert batch.chances is not None
            found.append(recipe.gradient_penalty * losses.one_centred(judge, real, fake, batch.chances.between))
        return recipe.penalty_every * _sum(*found) if found else None

    def _regulariser(self, batch: Batch) -> Tensor | None:
        """G's own penalty; None where the recipe has none."""
        if not self.recipe.path_length:
            return None
        penalty: Tensor = self.g.penalty(batch.z, batch.labels)  # type: ignore[operator] # the architecture offers it
        return self.recipe.path_length * self.recipe.penalty_every * penalty


def resolve_recipe(options: TrainGan, arch: Architecture, size: int) -> Recipe:
    """The architecture's own, and what the user gave instead.

    Raises:
        UsageError: a loss that the discriminator's output does not fit; penalties where it gives no logits; ADA where
            their sign means nothing.
    """
    given = {each.name: getattr(options, each.name) for each in fields(Recipe)}
    recipe = replace(arch.recipe(size), **{name: value for name, value in given.items() if value is not None})
    losses.check_fit(recipe.loss, arch.OUTPUT, options.arch)
    of_logits = {"--r1": recipe.r1, "--r2": recipe.r2, "--gradient-penalty": recipe.gradient_penalty}
    asked = [flag for flag, weight in of_logits.items() if weight]
    if asked and arch.OUTPUT != "logit":
        raise UsageError(f"{asked[0]} is for logits, and {options.arch} gives probabilities", "--arch dcgan-plus")
    if recipe.d_augment == "ada" and recipe.loss not in WITH_SIGN:
        raise UsageError(
            f"--d-augment ada goes by the sign of logits, of which --loss {recipe.loss} makes nothing",
            f"--d-augment diffaugment, or --loss {' or '.join(WITH_SIGN)}",
        )
    return recipe


def build(options: TrainGan, design: Design, device: torch.device) -> Adversaries:
    """Both networks with the initial weights of the seed, their optimisers, and what goes beside them."""
    arch, shape, recipe = design.arch, design.shape, design.recipe
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(devices.generator(options.seed, INITIAL).initial_seed())
        g, d = arch.generator(shape), arch.discriminator(shape)
    if options.sync_bn:
        g, d = sharing.synchronise(g), sharing.synchronise(d)
    g, d = (network.to(device).to(memory_format=torch.channels_last) for network in (g, d))
    adam = partial(steps.adam, device=device, lr=recipe.lr, betas=(recipe.beta1, recipe.beta2))
    return Adversaries(
        recipe,
        g,
        d,
        adam(g.parameters()),
        adam(d.parameters()),
        autocast=partial(devices.autocast, device, options.precision),
        by_tf32=options.precision == "tf32",
        average=Average(g) if recipe.ema else None,
        ada=Ada(device) if recipe.d_augment == "ada" else None,
    )


def columns(recipe: Recipe, *, mirror: bool) -> int:
    """Numbers that chance gives each image of a step: none where none are needed."""
    if recipe.d_augment != "none":
        return AUGMENTED + VIEWS * augmentation.DRAWS
    return AUGMENTED if mirror or recipe.gradient_penalty else 0


def judgement(output: Tensor) -> Tensor:
    """Of what a discriminator gives, what it says of being real: `[N]`."""
    return output if output.ndim == 1 else output[:, 0]


def class_loss(output: Tensor, labels: Tensor | None) -> Tensor | None:
    """Cross-entropy of an auxiliary classifier's columns, Odena et al. 2017, equation 3; None where there are none."""
    if output.ndim == 1 or labels is None:
        return None
    return F.cross_entropy(output[:, 1:], labels)


def _sum(*terms: Tensor | None) -> Tensor:
    """Of those that are there, at least one."""
    first, *others = [term for term in terms if term is not None]
    return sum(others, first)
