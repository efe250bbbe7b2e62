"""GAN architectures that `train-gan --arch` offers: one module each, found by listing this folder.

To add one, write `gans/<arch>.py` with the members of `Architecture` below, its paper in the module's docstring.
Nothing else needs to change: the flag, the manifest and the contract tests read the listing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast

from xrayaug.options.recipes import Recipe as Recipe  # re-exported for the architectures
from xrayaug.runtime import plugins

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """Sizes that the networks must fit: square images of `size` pixels, latent vectors of `latent` numbers."""

    size: int
    latent: int
    classes: int = 0  # number of classes of a conditional network; 0 if unconditional
    width: float = 1.0  # multiplier of the default number of channels


class Architecture(Protocol):
    """Interface of the modules in this folder.

    Images are `[N, 1, size, size]` in [-1, 1], latent vectors `[N, latent]`, labels int64 `[N]` indices into `LABELS`.
    """

    PAPER: str
    SIZES: tuple[int, ...]
    CONDITIONAL: Literal["never", "optional", "always"]  # whether the networks take labels
    OUTPUT: Literal["probability", "logit"]  # what the discriminator returns

    def recipe(self, size: int) -> Recipe:
        """Return the default hyperparameters at that image size."""

    def generator(self, shape: Shape) -> "nn.Module":
        """Return a fresh generator, called as `network(z, labels)`; labels are None if `shape.classes` is 0.

        It may have two more methods: `truncated(z, labels, psi)`, the forward pass with truncation, psi in [0, 2], and
        `penalty(z, labels)`, a scalar regulariser that `Recipe.path_length` weights.
        """

    def discriminator(self, shape: Shape) -> "nn.Module":
        """Return a fresh discriminator, called as `network(images, labels)`.

        It returns the probability or the logit (see `OUTPUT`) of being real, `[N]`; or `[N, 1 + classes]`, where the
        further columns are an auxiliary classifier's logits of the classes; or `[N, scales, positions]`, several logits
        of being real, over which losses are averaged. Whatever is not trained in it must be a buffer.

        Both networks may have `grow(progress)`, called before each step with the share of the training that is done,
        in [0, 1]: it returns whether the layers in use have changed. What it sets must be in the `state_dict`.

        The module may have `adapt_weights(states, before, shape)`, which turns the weights of networks of shape
        `before`, state dicts by the names of `GanModel.networks`, into those of networks of `shape`. `before` may have
        no labels where `shape` has, smaller images, or both.
        """


def names() -> tuple[str, ...]:
    """Return the names of all architectures, sorted; imports none of them."""
    return plugins.names("networks.gans")


def load(name: str) -> Architecture:
    """Return the module of that name (imports torch)."""
    return cast(Architecture, plugins.load("networks.gans", name))


def find_misfits(arch: Architecture, before: Shape, shape: Shape) -> list[str]:
    """Return in which fields weights of `before` cannot be the start of networks of `shape`; empty if they can."""
    differing = [name for name, value in vars(shape).items() if value != getattr(before, name)]
    if not hasattr(arch, "adapt_weights"):
        return differing
    adaptable = {"classes": not before.classes, "size": before.size < shape.size}
    return [name for name in differing if not adaptable.get(name, False)]


def realness_score(output: "Tensor") -> "Tensor":
    """Return the real-or-generated scores of a discriminator's output: `[N]`, or `[N, K]` if it has several."""
    if output.ndim == 3:
        return output.flatten(1)
    return output if output.ndim == 1 else output[:, 0]


def mean_score(scores: "Tensor") -> "Tensor":
    """Return each image's mean score, `[N]`, of scores `[N]` or `[N, K]`."""
    return scores if scores.ndim == 1 else scores.mean(dim=1)
