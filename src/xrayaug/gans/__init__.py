"""The architectures that `train-gan --arch` knows: one module each, found by listing this folder.

To add one, write `gans/<arch>.py` with the members of `Architecture` below, its paper in the module's docstring.
Nothing else has to be told: the flag, the manifest and the contract tests read the listing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from xrayaug import listing

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """What the networks must fit: square images of `size` pixels from a `latent`-vector."""

    size: int
    latent: int


class Architecture(Protocol):
    """What a module in this folder offers.

    Images are `[N, 1, size, size]` in [-1, 1], latent vectors `[N, latent]`.
    """

    PAPER: str
    SIZES: tuple[int, ...]

    def generator(self, shape: Shape) -> "nn.Module":
        """A freshly initialised network, latent vectors -> images."""

    def discriminator(self, shape: Shape) -> "nn.Module":
        """A freshly initialised network, images -> probability of being real, `[N]`."""

    def discriminator_loss(self, d_real: "Tensor", d_fake: "Tensor") -> "Tensor":
        """What the discriminator minimises, from its outputs `[N]` on real and on generated images."""

    def generator_loss(self, d_fake: "Tensor") -> "Tensor":
        """What the generator minimises, from the discriminator's outputs `[N]` on generated images."""


def names() -> tuple[str, ...]:
    """Every architecture's name, sorted; imports none of them."""
    return listing.names("gans")


def load(name: str) -> Architecture:
    """The module of that name (imports torch)."""
    return cast(Architecture, listing.load("gans", name))
