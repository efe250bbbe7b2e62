"""The architectures that `train-gan --arch` knows: one module each, found by listing this folder.

To add one, write `gans/<arch>.py` with the members of `Architecture` below, its paper in the module's docstring.
Nothing else has to be told: the flag, the manifest and the contract tests read the listing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast

from xrayaug.options import Augmentation, Loss
from xrayaug.runtime import plugins

if TYPE_CHECKING:
    from torch import nn

CLASSES = ("normal", "abnormal")  # what a label's number means where networks are told labels


@dataclass(frozen=True)
class Shape:
    """What the networks must fit: square images of `size` pixels from a `latent`-vector."""

    size: int
    latent: int
    classes: int = 0  # how many labels the networks are told apart by; 0 where they are told none
    width: float = 1.0  # factor of the layers' usual channels


@dataclass(frozen=True)
class Recipe:
    """How an architecture is trained unless the user says otherwise: every field is an option of `train-gan`."""

    latent: int = 100
    batch_size: int = 100
    lr: float = 3.4e-4
    beta1: float = 0.5
    beta2: float = 0.999
    loss: Loss = "nonsaturating"
    r1: float = 0.0  # gamma of the gradient penalty on real images; 0 leaves it out
    r2: float = 0.0  # gamma of the same on generated images
    gradient_penalty: float = 0.0  # lambda of WGAN-GP's
    path_length: float = 0.0  # weight of the generator's own penalty
    penalty_every: int = 1  # steps between penalties, which then count as often
    ema: int = 0  # images after which half of the averaged generator is new; 0 averages nothing
    d_augment: Augmentation = "none"


class Architecture(Protocol):
    """What a module in this folder offers.

    Images are `[N, 1, size, size]` in [-1, 1], latent vectors `[N, latent]`, labels int64 `[N]`, places in `CLASSES`.
    """

    PAPER: str
    SIZES: tuple[int, ...]
    CONDITIONAL: Literal["never", "optional", "always"]  # whether the networks are told labels
    OUTPUT: Literal["probability", "logit"]  # what the discriminator gives

    def recipe(self, size: int) -> Recipe:
        """How it is trained at that size."""

    def generator(self, shape: Shape) -> "nn.Module":
        """A freshly initialised network, called as `network(z, labels)`; labels are None where `shape.classes` is 0.

        It may offer `truncated(z, labels, psi)`, which is its forward pass with truncation; and `penalty(z, labels)`,
        a regulariser of its own as a scalar, weighted by `Recipe.path_length`.
        """

    def discriminator(self, shape: Shape) -> "nn.Module":
        """A freshly initialised network, called as `network(images, labels)`: `OUTPUT` of being real, `[N]`.

        Or `[N, 1 + classes]` where further columns are logits of the classes, which an auxiliary classifier learns.

        Both networks may offer `grow(progress)`, called before each step with the share of the training that is done,
        in [0, 1]: it returns whether the layers in use have changed. What it sets must be in the `state_dict`.
        """


def names() -> tuple[str, ...]:
    """Every architecture's name, sorted; imports none of them."""
    return plugins.names("networks.gans")


def load(name: str) -> Architecture:
    """The module of that name (imports torch)."""
    return cast(Architecture, plugins.load("networks.gans", name))
