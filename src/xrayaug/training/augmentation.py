"""Augmentation of what a discriminator sees, real and generated alike, so that few images teach it less by heart.

Zhao et al. 2020 (arXiv:2006.10738, DiffAugment): every image is augmented, and the generator is taught through the
augmentation. Karras et al. 2020 (arXiv:2006.06676, ADA): each kind of augmentation befalls an image with a
probability, adapted to how far the discriminator overfits. Both are here one function and its strength.

Kept is what another exposure of the same hand could be: moved, a little turned or scaled, brighter, flatter. Left out
are colour, quarter turns, and mirroring, which would make right hands of left ones.

Section 2.2 of the second paper says when a generator cannot learn the augmentation instead of the images: when the
images' distribution can be told from the augmented one's. Each kind here is skipped with probability 1 - strength, and
all else that it does is spread evenly over an interval, so that below strength 1 the image as it is is the one outcome
that has a probability of its own. An interval of movements, turns or brightnesses, mixed in so, multiplies frequency f
of the distribution by 1 - strength + strength sinc(f), and sinc never falls below -0.218: up to strength 0.82 none is
lost. A cut only ever takes away, and loses nothing below strength 1. `CAP` is below both.
"""

import math

import torch
from torch import Tensor

from xrayaug.storage.checkpoints import State

TRANSLATION = 1 / 8  # of the size, either way: Zhao et al.'s and Karras et al.'s
SCALE = 0.2  # powers of two, either way: the standard deviation of Karras et al.
ROTATION = math.radians(10)  # either way: how a hand lies on the plate; beyond that it lies otherwise
BRIGHTNESS = 0.5  # either way, of a range of 2: Zhao et al.'s
CONTRAST = 0.5  # of a factor 1, either way: Zhao et al.'s
CUTOUT = 1 / 2  # of the size: both papers'

KINDS = {"translation": 3, "scale": 2, "rotation": 2, "brightness": 2, "contrast": 2, "cutout": 3}
"""How many numbers each needs: whether it befalls the image, and how."""
DRAWS = sum(KINDS.values())  # numbers that one image needs

TARGET = 0.6  # of the measure of overfitting: Karras et al. section 3
SPEED = 500_000  # images in which the strength can rise from 0 to 1: Karras et al. section 3.1
EVERY = 4  # steps between changes of the strength: Karras et al. section 3.1
CAP = 0.8  # of the strength, beyond which augmentations leak: Karras et al. section 2.2


def augment(images: Tensor, draws: Tensor, strength: Tensor | float) -> Tensor:
    """Augment each image by itself; nothing is random but `draws`, nothing depends on what the numbers are.

    A penalty on the discriminator's gradients is best put on what this gives, which is what the discriminator sees.

    Args:
        images: `[N, 1, H, H]` in [-1, 1].
        draws: `[N, DRAWS]`, uniform in [0, 1).
        strength: probability of each kind of augmentation; 0 gives the images as they are, to the bit.

    Returns:
        Float `[N, 1, H, H]`, which may leave [-1, 1]: clipped, an image could not be told from others.
    """
    numbers = torch.split(draws.float()[:, :, None, None, None], list(KINDS.values()), dim=1)
    befallen = {kind: drawn[:, 0] < strength for kind, drawn in zip(KINDS, numbers, strict=True)}  # [N, 1, 1, 1]
    signed = {kind: 2 * drawn[:, 1:] - 1 for kind, drawn in zip(KINDS, numbers, strict=True)}  # [N, ., 1, 1, 1]
    moved = _moved(images.float(), befallen, signed)
    exposed = _exposed(moved, befallen, signed)
    return exposed * _uncut(images, befallen["cutout"], signed["cutout"])


class Ada:
    """The strength that keeps the discriminator from overfitting: Karras et al. 2020, section 3.

    The measure is r_t, equation 1: the mean sign of what D says of real images. It is 0 for one that cannot tell and 1
    for one that knows each by heart. All of it is tensors changed in place, so that it can be part of a CUDA graph.
    """

    def __init__(self, device: torch.device, *, target: float = TARGET, speed: int = SPEED) -> None:
        self.target = target
        self.speed = speed
        self.p = torch.zeros((), device=device)  # the strength, in [0, CAP]
        self.overfitting = torch.zeros((), device=device)  # r_t when the strength was last changed
        self._signs = torch.zeros((), device=device)  # their sum since then
        self._images = torch.zeros((), device=device)  # their number
        self._steps = torch.zeros((), device=device)

    def observe(self, signs: Tensor, images: int) -> None:
        """Take note of a step, and change the strength when it is time.

        Args:
            signs: the sum of the signs of what D said of the real images, logits: positive where it took them for real.
            images: how many there were.
        """
        self._signs += signs
        self._images += images
        self._steps += 1
        due = self._steps >= EVERY
        measured = self._signs / self._images
        change = (measured - self.target).sign() * self._images / self.speed
        self.p.copy_(torch.where(due, (self.p + change).clamp(0, CAP), self.p))
        self.overfitting.copy_(torch.where(due, measured, self.overfitting))
        for tally in (self._signs, self._images, self._steps):
            tally.mul_(~due)

    def state(self) -> State:
        """All that it goes by."""
        return {"p": self.p, "overfitting": self.overfitting, "tallies": [self._signs, self._images, self._steps]}

    def load(self, state: State) -> None:
        """Be what `state` was, in the same place in memory."""
        self.p.copy_(state["p"])
        self.overfitting.copy_(state["overfitting"])
        for tally, before in zip((self._signs, self._images, self._steps), state["tallies"], strict=True):
            tally.copy_(before)


def _moved(images: Tensor, befallen: dict[str, Tensor], signed: dict[str, Tensor]) -> Tensor:
    """Translated, scaled and turned about the centre in one resampling; the same images where none befalls them."""
    size = images.shape[-1]
    pixels = (TRANSLATION * size * signed["translation"]).round()  # whole ones, which do not blur
    shift = pixels * befallen["translation"][:, None]
    scale = torch.exp2(SCALE * signed["scale"][:, 0] * befallen["scale"])
    angle = ROTATION * signed["rotation"][:, 0] * befallen["rotation"]
    cos, sin = angle.cos() / scale, angle.sin() / scale
    x, y = _places(images)
    middle = (size - 1) / 2
    return _sampled(images, cos * x + sin * y + shift[:, 0] + middle, cos * y - sin * x + shift[:, 1] + middle)


def _sampled(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The images at places `[N, 1, H, H]`, in pixels, between four of which they are interpolated.

    Unlike `grid_sample` this sums its gradient in a fixed order where PyTorch is asked for it, and is differentiable
    twice.
    """
    size = images.shape[-1]
    pixels = images.flatten(1)
    (left, right, to_right), (top, bottom, to_bottom) = _neighbours(x, size), _neighbours(y, size)

    def at(column: Tensor, row: Tensor) -> Tensor:
        return pixels.gather(1, (row * size + column).flatten(1)).view_as(images)

    above = torch.lerp(at(left, top), at(right, top), to_right)
    below = torch.lerp(at(left, bottom), at(right, bottom), to_right)
    return torch.lerp(above, below, to_bottom)


def _neighbours(places: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The pixels before and after each place, and how far it is from the one to the other.

    What comes in at the edges mirrors what is there, up to once the size, as in Karras et al. Black would look like a
    collimated exposure: a generator that drew black margins could not be told from one whose images were moved.
    """
    within = size - (size - (places + 0.5).abs()).abs() - 0.5
    within = within.clamp(0, size - 1)
    before = within.long()  # rounds down
    return before, (before + 1).clamp(max=size - 1), within - before


def _places(images: Tensor) -> tuple[Tensor, Tensor]:
    """How far each pixel is from the centre, across `[1, 1, 1, H]` and down `[1, 1, H, 1]`."""
    size = images.shape[-1]
    places = torch.arange(size, device=images.device, dtype=torch.float32) - (size - 1) / 2
    return places[None, None, None, :], places[None, None, :, None]


def _exposed(images: Tensor, befallen: dict[str, Tensor], signed: dict[str, Tensor]) -> Tensor:
    """Of another contrast about its mean, and of another brightness."""
    contrast = 1 + CONTRAST * signed["contrast"][:, 0] * befallen["contrast"]
    brightness = BRIGHTNESS * signed["brightness"][:, 0] * befallen["brightness"]
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return images * contrast + (mean * (1 - contrast) + brightness)  # exact where the contrast is 1


def _uncut(images: Tensor, befallen: Tensor, signed: Tensor) -> Tensor:
    """1, but 0 in a square whose centre is anywhere in the image: `[N, 1, H, H]`."""
    half = images.shape[-1] / 2
    x, y = _places(images)
    outside = ((x - half * signed[:, 0]).abs() >= CUTOUT * half) | ((y - half * signed[:, 1]).abs() >= CUTOUT * half)
    return (outside | ~befallen).float()
