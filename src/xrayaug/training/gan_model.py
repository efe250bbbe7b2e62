"""A GAN's two networks with their optimisers, and one training step of both.

Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, Algorithm 1 with one discriminator step per generator
step. Networks come from `networks/gans/`, losses and penalties from `losses.py`; the architecture's recipe and the
user's options choose among them.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from xrayaug.errors import UsageError
from xrayaug.networks.gans import Architecture, Recipe, Shape, mean_score, realness_score
from xrayaug.options import TrainGan
from xrayaug.runtime import devices
from xrayaug.runtime.distributed import sharing
from xrayaug.storage import weights
from xrayaug.storage.checkpoints import State
from xrayaug.training import augmentation, losses, steps
from xrayaug.training.augmentation import Ada
from xrayaug.training.ema import Ema

INITIAL = 0  # random stream of the initial weights; gan_training.py numbers the other streams
METRICS = ("d_loss", "g_loss", "d_real", "d_fake")  # d_real is D(x), d_fake D(G(z)), averaged over the epoch
EXTRA_METRICS = ("penalty", "class_loss")  # logged if the recipe or the architecture has them
SIGN_LOSSES = ("nonsaturating", "hinge")  # losses that push the logits of real images above 0
# Batches that a step augments: D's step has real and generated images, and so has G's step.
AUGMENTED_VIEWS = 4
# Columns of a step's random numbers. The augmentations use the third column and all that follow.
MIRROR_COLUMN, INTERPOLATION_COLUMN, AUGMENTATION_COLUMN = range(3)


@dataclass(frozen=True)
class StepRandomness:
    """Random numbers of a training step, uniform in [0, 1): `[N, random_columns]`."""

    uniforms: Tensor

    @property
    def mirror_mask(self) -> Tensor:
        """True for each image that is to be mirrored, `[N, 1, 1, 1]`."""
        return self.uniforms[:, MIRROR_COLUMN, None, None, None] < 0.5

    @property
    def interpolation_weights(self) -> Tensor:
        """Weight of the generated image in the interpolation of the gradient penalty, `[N]`."""
        return self.uniforms[:, INTERPOLATION_COLUMN]

    def view(self, number: int) -> Tensor:
        """Return the random numbers that augment one of the step's views, `[N, DRAWS_PER_IMAGE]`."""
        first = AUGMENTATION_COLUMN + number * augmentation.DRAWS_PER_IMAGE
        return self.uniforms[:, first : first + augmentation.DRAWS_PER_IMAGE]


@dataclass(frozen=True)
class Batch:
    """Inputs of a training step; see `GanModel.step`."""

    real: Tensor
    z: Tensor
    labels: Tensor | None = None
    randomness: StepRandomness | None = None


@dataclass(frozen=True)
class GanConfig:
    """Architecture, network shape and training recipe, with every default filled in."""

    arch: Architecture
    shape: Shape
    recipe: Recipe
    has_auxiliary_classifier: bool = False  # of the discriminator

    @property
    def has_penalties(self) -> bool:
        """True if some steps have penalties."""
        recipe = self.recipe
        return bool(recipe.r1 or recipe.r2 or recipe.gradient_penalty or recipe.path_length)

    def extra_metrics(self) -> list[str]:
        """Return those of `EXTRA_METRICS` that training logs."""
        is_logged = (self.has_penalties, self.has_auxiliary_classifier)
        return [name for name, logged in zip(EXTRA_METRICS, is_logged, strict=True) if logged]


@dataclass
class GanModel:
    """Generator and discriminator with their optimisers, recipe and numerical precision."""

    recipe: Recipe
    g: nn.Module
    d: nn.Module
    g_optimiser: torch.optim.Adam
    d_optimiser: torch.optim.Adam
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext
    uses_tf32: bool = False  # True if steps multiply matrices in tf32; penalties always use fp32
    ema: Ema | None = None
    ada: Ada | None = None

    @property
    def sampling_generator(self) -> nn.Module:
        """The generator that samples are drawn from: the averaged one if there is one."""
        return self.ema.network if self.ema else self.g

    @property
    def networks(self) -> dict[str, nn.Module]:
        """All networks by the names used in messages and checkpoints."""
        by_name = {"generator": self.g, "discriminator": self.d}
        return by_name | ({"averaged generator": self.ema.network} if self.ema else {})

    def step(
        self,
        real: Tensor,
        z: Tensor,
        labels: Tensor | None = None,
        randomness: StepRandomness | None = None,
        update_rate: Tensor | None = None,
        *,
        penalised: bool = False,
    ) -> Tensor:
        """Take one optimiser step of D, then one of G, on this process's shard of the batch if `sharing` has set one.

        Args:
            real: `[N, 1, H, W]` in [-1, 1].
            z: `[N, latent]`.
            labels: of the real images, which condition the generated images too; int64 `[N]`.
            randomness: needed if the step augments images or has a gradient penalty.
            update_rate: weight of the new generator in the averaged one, a scalar.
            penalised: add the penalties of the recipe, multiplied by `penalty_every`.

        Returns:
            `METRICS` and `EXTRA_METRICS` of the whole batch in this step, float32 `[6]`, still on the device.
        """
        batch = Batch(real, z, labels, randomness)
        with self.autocast():
            fake = self.g(z, labels)
        d_metrics = self._discriminator_step(batch, fake.detach(), penalised=penalised)
        g_loss = self._generator_step(batch, fake, penalised=penalised)
        if self.ema and update_rate is not None:
            self.ema.update(update_rate)
        metrics = {"g_loss": g_loss} | d_metrics
        return torch.stack([metrics[name].detach() for name in (*METRICS, *EXTRA_METRICS)])

    def _discriminator_step(self, batch: Batch, fake: Tensor, *, penalised: bool) -> dict[str, Tensor]:
        """Take the discriminator's optimiser step and return its metrics."""
        self.d.requires_grad_(True)
        self.d_optimiser.zero_grad(set_to_none=True)
        views = self._augment(batch.real, batch, 0), self._augment(fake, batch, 1)
        with self.autocast():
            on_real, on_fake = self.d(views[0], batch.labels), self.d(views[1], batch.labels)
        d_real, d_fake = realness_score(on_real), realness_score(on_fake)
        loss = losses.discriminator_loss(self.recipe.loss, d_real, d_fake)
        class_losses = [class_loss(output, batch.labels) for output in (on_real, on_fake)]
        with devices.matmul_precision("ieee"):
            penalty = self._gradient_penalties(*views, batch) if penalised else None
        self._backward(_add_terms(loss, *class_losses), penalty)
        zero = loss.new_zeros(())
        metrics = {
            "d_loss": loss,
            "d_real": d_real.mean(),
            "d_fake": d_fake.mean(),
            "penalty": _add_terms(zero, penalty),
            "class_loss": _add_terms(zero, *class_losses),
        }
        signs = mean_score(d_real.detach().float().sign())
        *means, sign_sum = sharing.reduce_gradients(self.d, means=list(metrics.values()), sums=[signs.sum()])
        self.d_optimiser.step()
        if self.ada:
            self.ada.observe(sign_sum, sharing.full_batch_size(len(signs)))
        return dict(zip(metrics, means, strict=True))

    def _generator_step(self, batch: Batch, fake: Tensor, *, penalised: bool) -> Tensor:
        """Take the generator's optimiser step and return its loss."""
        self.d.requires_grad_(False)  # G's step needs no gradients of D's weights
        self.g_optimiser.zero_grad(set_to_none=True)
        with self.autocast():
            on_fake = self.d(self._augment(fake, batch, 2), batch.labels)
            d_real = self._real_scores(batch)
        loss = losses.generator_loss(self.recipe.loss, d_real, realness_score(on_fake))
        with devices.matmul_precision("ieee"):
            penalty = self._path_length_penalty(batch) if penalised else None
        self._backward(_add_terms(loss, class_loss(on_fake, batch.labels)), penalty)
        (mean_loss,) = sharing.reduce_gradients(self.g, self.d, means=[loss])
        self.g_optimiser.step()
        return mean_loss

    def _backward(self, loss: Tensor, penalty: Tensor | None) -> None:
        """Accumulate the gradients of loss and penalty, in one pass unless the penalty needs another precision."""
        if penalty is None or not self.uses_tf32:
            torch.autograd.backward(sharing.scale_loss(_add_terms(loss, penalty)))
            return
        torch.autograd.backward(sharing.scale_loss(loss))
        with devices.matmul_precision("ieee"):
            torch.autograd.backward(sharing.scale_loss(penalty))

    def grow(self, progress: float) -> bool:
        """Grow the networks that grow with training, and return whether any layers have changed.

        Args:
            progress: fraction of the training that is done, in [0, 1].
        """
        grow_functions: list[Callable[[float], bool]] = [
            network.grow  # type: ignore[misc] # only some architectures have this method
            for network in self.networks.values()
            if hasattr(network, "grow")
        ]
        changed = [grow(progress) for grow in grow_functions]  # every network must grow, so `any` comes after
        return any(changed)

    def state_dict(self) -> State:
        """Return the state of the networks, the optimisers and the adaptive augmentation."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "g_optimiser": self.g_optimiser.state_dict(),
            "d_optimiser": self.d_optimiser.state_dict(),
            "ada": self.ada.state_dict() if self.ada else None,
        }

    def load_weights(self, states: Mapping[str, Mapping[str, Tensor]], origin: str) -> None:
        """Load the weights of all networks from state dicts by the names of `networks`; errors name `origin`."""
        for name, network in self.networks.items():
            weights.assign(states[name], network, origin)

    def load_state_dict(self, state: State) -> None:
        """Restore a state that `state_dict` returned."""
        self.load_weights(state["networks"], "the checkpoint")
        steps.load_optimiser_state(state["g_optimiser"], self.g_optimiser)
        steps.load_optimiser_state(state["d_optimiser"], self.d_optimiser)
        if self.ada:
            self.ada.load_state_dict(state["ada"])

    def max_abs_weights(self) -> dict[str, float]:
        """Return each network's largest absolute weight or statistic: NaN or infinite if any weight is."""
        largest = {}
        for name, network in self.networks.items():
            tensors = [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
            largest[f"the {name}'s weights"] = torch.stack([tensor.abs().max() for tensor in tensors]).max().item()
        return largest

    def _augment(self, images: Tensor, batch: Batch, view: int) -> Tensor:
        """Return the images `[N, 1, H, W]` as D sees them: augmented if the recipe says so."""
        if self.recipe.d_augment == "none" or batch.randomness is None:
            return images
        strength = self.ada.p if self.ada else augmentation.MAX_STRENGTH
        draws = batch.randomness.view(view)
        return augmentation.augment(images, draws, strength, geometric=self.recipe.d_augment == "geometric")

    def _real_scores(self, batch: Batch) -> Tensor | None:
        """Return D's scores of the real images in G's step; None if the loss doesn't compare with them."""
        if self.recipe.loss != "relativistic":
            return None
        with torch.no_grad():
            return realness_score(self.d(self._augment(batch.real, batch, 3), batch.labels))

    def _gradient_penalties(self, real: Tensor, fake: Tensor, batch: Batch) -> Tensor | None:
        """Return the penalty on D's gradients at the images that it saw; None if the recipe has none."""

        def score(images: Tensor) -> Tensor:
            return mean_score(realness_score(self.d(images, batch.labels)))

        recipe = self.recipe
        penalties = []
        if recipe.r1:
            penalties.append(recipe.r1 * losses.r1_penalty(score, real))
        if recipe.r2:
            penalties.append(recipe.r2 * losses.r1_penalty(score, fake))
        if recipe.gradient_penalty:
            assert batch.randomness is not None
            penalties.append(
                recipe.gradient_penalty
                * losses.wgan_gp_penalty(score, real, fake, batch.randomness.interpolation_weights)
            )
        return recipe.penalty_every * _add_terms(*penalties) if penalties else None

    def _path_length_penalty(self, batch: Batch) -> Tensor | None:
        """Return G's path length penalty; None if the recipe has none."""
        if not self.recipe.path_length:
            return None
        penalty: Tensor = self.g.penalty(batch.z, batch.labels)  # type: ignore[operator] # checked before training
        return self.recipe.path_length * self.recipe.penalty_every * penalty


def resolve_recipe(options: TrainGan, arch: Architecture, size: int) -> Recipe:
    """Return the architecture's recipe with the values that the user gave instead.

    Raises:
        UsageError: the loss does not fit the discriminator's output; gradient penalties without logits; ADA with a
            loss that gives the sign of logits no meaning.
    """
    values = {field.name: getattr(options, field.name) for field in fields(Recipe)}
    recipe = replace(arch.recipe(size), **{name: value for name, value in values.items() if value is not None})
    losses.check_loss(recipe.loss, arch.OUTPUT, options.arch)
    penalties = {"--r1": recipe.r1, "--r2": recipe.r2, "--gradient-penalty": recipe.gradient_penalty}
    used_flags = [flag for flag, weight in penalties.items() if weight]
    if used_flags and arch.OUTPUT != "logit":
        raise UsageError(f"{used_flags[0]} is for logits, and {options.arch} gives probabilities", "--arch dcgan-plus")
    if recipe.d_augment == "ada" and recipe.loss not in SIGN_LOSSES:
        raise UsageError(
            f"--d-augment ada needs a loss that gives the sign of logits a meaning, and --loss {recipe.loss} does not",
            f"--d-augment diffaugment, or --loss {' or '.join(SIGN_LOSSES)}",
        )
    return recipe


def build(options: TrainGan, config: GanConfig, device: torch.device) -> GanModel:
    """Build both networks with the seed's initial weights, their optimisers, and the average and ADA if asked for."""
    arch, shape, recipe = config.arch, config.shape, config.recipe
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(devices.seeded_generator(options.seed, INITIAL).initial_seed())
        g, d = arch.generator(shape), arch.discriminator(shape)
    if options.sync_bn:
        g, d = sharing.convert_sync_batchnorm(g), sharing.convert_sync_batchnorm(d)
    g, d = (network.to(device).to(memory_format=torch.channels_last) for network in (g, d))
    adam = partial(steps.adam, device=device, lr=recipe.lr, betas=(recipe.beta1, recipe.beta2))
    return GanModel(
        recipe,
        g,
        d,
        adam(g.parameters()),
        adam(d.parameters()),
        autocast=partial(devices.autocast, device, options.precision),
        uses_tf32=options.precision == "tf32",
        ema=Ema(g) if recipe.ema else None,
        ada=Ada(device) if recipe.d_augment == "ada" else None,
    )


def random_columns(recipe: Recipe, *, mirror: bool) -> int:
    """Return how many random numbers a step needs for each image."""
    if recipe.d_augment != "none":
        return AUGMENTATION_COLUMN + AUGMENTED_VIEWS * augmentation.DRAWS_PER_IMAGE
    return AUGMENTATION_COLUMN if mirror or recipe.gradient_penalty else 0


def class_loss(output: Tensor, labels: Tensor | None) -> Tensor | None:
    """Return the auxiliary classifier's cross-entropy (Odena et al. 2017, equation 3); None if there is none."""
    if output.ndim != 2 or labels is None:
        return None
    return F.cross_entropy(output[:, 1:], labels)


def _add_terms(*terms: Tensor | None) -> Tensor:
    """Return the sum of the terms that are not None, of which there is at least one."""
    first, *others = [term for term in terms if term is not None]
    return sum(others, first)
