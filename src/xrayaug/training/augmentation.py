"""Differentiable augmentation of a discriminator's inputs, real and generated, against overfitting to few images.

Zhao et al. 2020 (arXiv:2006.10738, DiffAugment): every image is augmented, and the generator's gradient passes through
the augmentation. Karras et al. 2020 (arXiv:2006.06676, ADA): each kind of augmentation is applied to an image with a
probability that adapts to how far the discriminator overfits. Here both are one function with a strength.

The augmentations give what another exposure of the same hand could give: translation, small rotation and scaling, other
brightness and contrast. Colour, rotation by 90 degrees and mirroring are left out; mirroring would turn left hands into
right hands.

Section 2.2 of the second paper says when augmentations do not leak into the generated images: when the distribution of
the images can be recovered from that of the augmented ones. Each kind is skipped with probability 1 - strength, and its
amount is uniform over an interval, so that below strength 1 the unchanged image is the only outcome with a probability
of its own. A uniform interval of translations, rotations or brightnesses multiplies frequency f of the distribution by
1 - strength + strength sinc(f). Since sinc is never below -0.218, no frequency is lost up to strength 0.82. Cutout only
removes content, and loses nothing below strength 1. `MAX_STRENGTH` is below both limits.
"""

import math

import torch
from torch import Tensor

from xrayaug.storage.checkpoints import State

# Largest amounts, in both directions.
GEOMETRIC_SHARE = 1 / 2  # of translation, scale and rotation, where they are the only kinds
TRANSLATION = 1 / 8  # of the image size: both papers
SCALE = 0.2  # exponent of two: the standard deviation of Karras et al.
ROTATION = math.radians(10)  # how far hands on a plate are rotated
BRIGHTNESS = 0.5  # added to pixels in [-1, 1]: Zhao et al.
CONTRAST = 0.5  # added to the factor 1: Zhao et al.
CUTOUT = 1 / 2  # side of the square, as a fraction of the image size: both papers

# Random numbers that each kind needs: one that decides whether it is applied, the others its amounts.
DRAWS_PER_KIND = {"translation": 3, "scale": 2, "rotation": 2, "brightness": 2, "contrast": 2, "cutout": 3}
DRAWS_PER_IMAGE = sum(DRAWS_PER_KIND.values())

ADA_TARGET = 0.6  # of r_t, the measure of overfitting: Karras et al. section 3
ADA_SPEED = 500_000  # images in which the strength can rise from 0 to 1: Karras et al. section 3.1
ADJUST_EVERY = 4  # steps between changes of the strength: Karras et al. section 3.1
MAX_STRENGTH = 0.8  # beyond which augmentations leak: Karras et al. section 2.2


def augment(images: Tensor, draws: Tensor, strength: Tensor | float, *, geometric: bool = False) -> Tensor:
    """Augment each image independently; `draws` are the only random numbers, and control flow does not depend on them.

    Penalties on the discriminator's gradient are computed at the augmented images, which the discriminator sees.

    Args:
        images: `[N, 1, H, H]` in [-1, 1].
        draws: `[N, DRAWS_PER_IMAGE]`, uniform in [0, 1).
        strength: probability of each kind of augmentation; 0 returns exactly the same images.
        geometric: translate, scale and rotate only, by up to half as much. A network that learns from few images takes
            moderate changes of the exposure for a property of the images, and cutout for their frame.

    Returns:
        Float `[N, 1, H, H]`, possibly outside [-1, 1]: clipping would make different images equal.
    """
    numbers = torch.split(draws.float()[:, :, None, None, None], list(DRAWS_PER_KIND.values()), dim=1)
    is_applied = {
        kind: uniforms[:, 0] < strength for kind, uniforms in zip(DRAWS_PER_KIND, numbers, strict=True)
    }  # [N, 1, 1, 1]
    amounts = {
        kind: 2 * uniforms[:, 1:] - 1 for kind, uniforms in zip(DRAWS_PER_KIND, numbers, strict=True)
    }  # [N, ., 1, 1, 1]
    if geometric:
        return _transform_geometry(
            images.float(), is_applied, {kind: GEOMETRIC_SHARE * amount for kind, amount in amounts.items()}
        )
    moved = _transform_geometry(images.float(), is_applied, amounts)
    exposed = _adjust_exposure(moved, is_applied, amounts)
    return exposed * _cutout_mask(images, is_applied["cutout"], amounts["cutout"])


class Ada:
    """Adaptive strength that keeps the discriminator from overfitting: Karras et al. 2020, section 3.

    Overfitting is measured by r_t, equation 1: the mean sign of D's logits of real images. It is 0 for a discriminator
    that cannot tell real images from generated ones, and 1 for one that recognises every real image. The state is
    tensors that are changed in place, so that a CUDA graph can record it.

    Args:
        device: of the state.
        target: value of r_t that the strength is adapted to.
        speed: number of images in which the strength can rise from 0 to 1.
    """

    def __init__(self, device: torch.device, *, target: float = ADA_TARGET, speed: int = ADA_SPEED) -> None:
        self.target = target
        self.speed = speed
        self.p = torch.zeros((), device=device)  # the strength, in [0, MAX_STRENGTH]
        self.overfitting = torch.zeros((), device=device)  # r_t when the strength was last changed
        # Since the strength was last changed:
        self._signs = torch.zeros((), device=device)  # sum of signs
        self._images = torch.zeros((), device=device)  # number of images
        self._steps = torch.zeros((), device=device)

    def observe(self, signs: Tensor, images: int) -> None:
        """Count a step, and change the strength every `ADJUST_EVERY` steps.

        Args:
            signs: sum of the signs of D's logits of the real images, a scalar.
            images: number of these images.
        """
        self._signs += signs
        self._images += images
        self._steps += 1
        due = self._steps >= ADJUST_EVERY
        measured = self._signs / self._images
        change = (measured - self.target).sign() * self._images / self.speed
        self.p.copy_(torch.where(due, (self.p + change).clamp(0, MAX_STRENGTH), self.p))
        self.overfitting.copy_(torch.where(due, measured, self.overfitting))
        for tally in (self._signs, self._images, self._steps):
            tally.mul_(~due)

    def state_dict(self) -> State:
        """Return the strength and all that it is adapted from."""
        return {"p": self.p, "overfitting": self.overfitting, "tallies": [self._signs, self._images, self._steps]}

    def load_state_dict(self, state: State) -> None:
        """Restore a state that `state_dict` returned; the tensors keep their addresses."""
        self.p.copy_(state["p"])
        self.overfitting.copy_(state["overfitting"])
        for tally, before in zip((self._signs, self._images, self._steps), state["tallies"], strict=True):
            tally.copy_(before)


def _transform_geometry(images: Tensor, is_applied: dict[str, Tensor], amounts: dict[str, Tensor]) -> Tensor:
    """Translate, scale and rotate images about their centre in one resampling."""
    size = images.shape[-1]
    pixels = (TRANSLATION * size * amounts["translation"]).round()  # whole pixels, which do not blur
    shift = pixels * is_applied["translation"][:, None]
    scale = torch.exp2(SCALE * amounts["scale"][:, 0] * is_applied["scale"])
    angle = ROTATION * amounts["rotation"][:, 0] * is_applied["rotation"]
    cos, sin = angle.cos() / scale, angle.sin() / scale
    x, y = _pixel_coordinates(images)
    middle = (size - 1) / 2
    return _resample(images, cos * x + sin * y + shift[:, 0] + middle, cos * y - sin * x + shift[:, 1] + middle)


def _resample(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sample images bilinearly at pixel coordinates x and y, each `[N, 1, H, H]`.

    Unlike `grid_sample`, this is twice differentiable, and its gradient is deterministic if PyTorch is asked for
    deterministic algorithms.
    """
    size = images.shape[-1]
    pixels = images.flatten(1)
    (left, right, to_right), (top, bottom, to_bottom) = _neighbours(x, size), _neighbours(y, size)

    def at(column: Tensor, row: Tensor) -> Tensor:
        return pixels.gather(1, (row * size + column).flatten(1)).view_as(images)

    above = torch.lerp(at(left, top), at(right, top), to_right)
    below = torch.lerp(at(left, bottom), at(right, bottom), to_right)
    return torch.lerp(above, below, to_bottom)


def _neighbours(coordinates: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels before and after each coordinate, and its fractional distance from the first.

    Outside the image, up to one image size away, coordinates are reflected, as in Karras et al. Black borders would
    look like a collimated exposure: the discriminator could not tell a generator's black borders from a translation.
    """
    within = size - (size - (coordinates + 0.5).abs()).abs() - 0.5
    within = within.clamp(0, size - 1)
    before = within.long()  # rounds down
    return before, (before + 1).clamp(max=size - 1), within - before


def _pixel_coordinates(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return each pixel's x `[1, 1, 1, H]` and y `[1, 1, H, 1]`, measured from the centre of the image."""
    size = images.shape[-1]
    offsets = torch.arange(size, device=images.device, dtype=torch.float32) - (size - 1) / 2
    return offsets[None, None, None, :], offsets[None, None, :, None]


def _adjust_exposure(images: Tensor, is_applied: dict[str, Tensor], amounts: dict[str, Tensor]) -> Tensor:
    """Scale each image's contrast about its mean, and shift its brightness."""
    contrast = 1 + CONTRAST * amounts["contrast"][:, 0] * is_applied["contrast"]
    brightness = BRIGHTNESS * amounts["brightness"][:, 0] * is_applied["brightness"]
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return images * contrast + (mean * (1 - contrast) + brightness)  # exact if the contrast is 1


def _cutout_mask(images: Tensor, is_applied: Tensor, amounts: Tensor) -> Tensor:
    """Return a mask `[N, 1, H, H]`: 0 in a square centred anywhere in the image, 1 elsewhere."""
    half = images.shape[-1] / 2
    x, y = _pixel_coordinates(images)
    outside = ((x - half * amounts[:, 0]).abs() >= CUTOUT * half) | ((y - half * amounts[:, 1]).abs() >= CUTOUT * half)
    return (outside | ~is_applied).float()
