"""GAN architectures that `train-gan --arch` offers: one module each, found by listing this folder.

To add one, write `gans/<arch>.py` with the members of `Architecture` below, its paper in the module's docstring.
Nothing else needs to change: the flag, the manifest and the contract tests read the listing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast

from xrayaug.options import Augmentation, Loss
from xrayaug.runtime import plugins

if TYPE_CHECKING:
    from torch import nn

CLASSES = ("normal", "abnormal")  # class names; an integer label is an index into this tuple


@dataclass(frozen=True)
class Shape:
    """Sizes that the networks must fit: square images of `size` pixels, latent vectors of `latent` numbers."""

    size: int
    latent: int
    classes: int = 0  # number of classes of a conditional network; 0 if unconditional
    width: float = 1.0  # multiplier of the default number of channels


@dataclass(frozen=True)
class Recipe:
    """Default hyperparameters of an architecture's training: every field is an option of `train-gan`."""

    latent: int = 100
    batch_size: int = 100
    lr: float = 3.4e-4
    beta1: float = 0.5
    beta2: float = 0.999
    loss: Loss = "nonsaturating"
    r1: float = 0.0  # gamma of the R1 gradient penalty on real images; 0 disables it
    r2: float = 0.0  # gamma of the R2 gradient penalty on generated images; 0 disables it
    gradient_penalty: float = 0.0  # lambda of WGAN-GP's gradient penalty
    path_length: float = 0.0  # weight of the generator's own `penalty`
    penalty_every: int = 1  # steps between penalties; each is multiplied by this number
    ema: int = 0  # half-life, in images, of the averaged generator's weights; 0 disables averaging
    d_augment: Augmentation = "none"


class Architecture(Protocol):
    """Interface of the modules in this folder.

    Images are `[N, 1, size, size]` in [-1, 1], latent vectors `[N, latent]`, labels int64 `[N]` indices into `CLASSES`.
    """

    PAPER: str
    SIZES: tuple[int, ...]
    CONDITIONAL: Literal["never", "optional", "always"]  # whether the networks take labels
    OUTPUT: Literal["probability", "logit"]  # what the discriminator returns

    def recipe(self, size: int) -> Recipe:
        """Return the default hyperparameters at that image size."""

    def generator(self, shape: Shape) -> "nn.Module":
        """Return a fresh generator, called as `network(z, labels)`; labels are None if `shape.classes` is 0.

        It may have two more methods: `truncated(z, labels, psi)`, the forward pass with truncation, and
        `penalty(z, labels)`, a scalar regulariser that `Recipe.path_length` weights.
        """

    def discriminator(self, shape: Shape) -> "nn.Module":
        """Return a fresh discriminator, called as `network(images, labels)`.

        It returns the probability or the logit (see `OUTPUT`) of being real, `[N]`; or `[N, 1 + classes]`, where the
        further columns are an auxiliary classifier's logits of the classes.

        Both networks may have `grow(progress)`, called before each step with the share of the training that is done,
        in [0, 1]: it returns whether the layers in use have changed. What it sets must be in the `state_dict`.
        """


def names() -> tuple[str, ...]:
    """Return the names of all architectures, sorted; imports none of them."""
    return plugins.names("networks.gans")


def load(name: str) -> Architecture:
    """Return the module of that name (imports torch)."""
    return cast(Architecture, plugins.load("networks.gans", name))
