"""A trained generator as it draws images: every one by its number alone, in passes of one size."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from xrayaug.data.images import tensors
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import ArtifactError
from xrayaug.networks import gans
from xrayaug.networks.gans import CLASSES, Architecture, Shape
from xrayaug.runtime import devices
from xrayaug.runtime.distributed.leader_worker import Stream
from xrayaug.storage import weights
from xrayaug.storage.artifacts import Artifact

BATCH_SIZE = 64  # images per pass through the generator: fixed, since rounding may differ between batch sizes
INTERPOLATION_STRIDE = 9  # of a pass of images on the way from one to another: 8 of 64, both ends among them
MAX_LATENT = 1 << 20  # a generator for it has a thousand times the usual weights
MAX_WIDTH = 16  # as `train-gan --width` allows
SNAPSHOTS = {"last": "generator.safetensors", "best": "best-generator.safetensors"}
BALANCED = "balanced"


@dataclass(frozen=True)
class TrainedGan:
    """What a run can draw, by what its manifest says."""

    run: Artifact

    @cached_property
    def arch(self) -> Architecture:
        """What the run trained.

        Raises:
            ArtifactError: it names an architecture that is not there, or a size that it does not make.
        """
        arch = gans.load(self.run.get(str, "result", "arch", among=gans.names()))
        self.run.get(int, "result", "size", among=arch.SIZES)
        return arch

    @cached_property
    def shape(self) -> Shape:
        """What its networks fit; the first runs did not say of labels and width, having neither."""
        said, result = self.run.get, self.run.result
        arch = self.arch
        classes = said(int, "result", "classes", among=(0, len(CLASSES))) if "classes" in result else 0
        if bool(classes) not in {"never": (False,), "always": (True,), "optional": (False, True)}[arch.CONDITIONAL]:
            raise ArtifactError(f"{self.run.path} says what {result['arch']} cannot be", f"make {self.run.path} again")
        return Shape(
            size=said(int, "result", "size"),
            latent=said(int, "result", "latent", minimum=1, maximum=MAX_LATENT),
            classes=classes,
            width=said(float, "result", "width", minimum=1e-3, maximum=MAX_WIDTH) if "width" in result else 1.0,
        )

    def generator(self, snapshot: str = "last") -> nn.Module:
        """The generator with its weights; built only once a sketch of it, which takes no memory, fits them."""
        file = self.run.file(SNAPSHOTS[snapshot])
        state = weights.read(file)
        weights.check_finite(state, file)
        weights.check_shapes(state, self.sketch, file)
        network = self.arch.generator(self.shape)
        weights.assign(state, network, file)
        return network

    @cached_property
    def sketch(self) -> nn.Module:
        """The generator without numbers."""
        with torch.device("meta"):
            return self.arch.generator(self.shape)


@dataclass(frozen=True)
class ImageSampler:
    """How images are drawn; every image by its number alone."""

    g: nn.Module
    shape: Shape
    seed: int
    device: torch.device
    label: str = BALANCED
    psi: float | None = None

    def images(self, z: Tensor, labels: Sequence[int] | None) -> Pixels:
        """Generate uint8 images `[BATCH_SIZE, H, W]` from latents `[BATCH_SIZE, latent]` and as many labels."""
        told = torch.tensor(labels, device=self.device) if labels is not None else None
        given = z.to(self.device)
        if self.psi is None:
            return tensors.from_unit(self.g(given, told))
        return tensors.from_unit(self.g.truncated(given, told, self.psi))  # type: ignore[operator] # as was checked

    def labels(self, indices: Sequence[int]) -> list[int] | None:
        """The places in `CLASSES` of those images; None where the network is told none."""
        if not self.shape.classes:
            return None
        return [CLASSES.index(label_of(index, self.label)) for index in indices]

    def draw(self, start: int) -> Pixels:
        """A whole pass of images from index `start` on, uint8 `[BATCH_SIZE, H, W]`."""
        indices = range(start, start + BATCH_SIZE)
        with torch.inference_mode():
            return self.images(latents(self.seed, indices, self.shape.latent), self.labels(indices))

    def some(self, passes: Sequence[tuple[int, list[int]]]) -> Stream:
        """Of each pass, by where it begins, the images at some places within it."""
        for start, within in passes:
            yield self.draw(start)[within]

    def way(self, ends: tuple[int, int]) -> Pixels:
        """The way from one image to another, a row for each label that is drawn: uint8 `[8 or 16, H, W]`."""
        z = slerp(*(latents(self.seed, range(end, end + 1), self.shape.latent)[0] for end in ends))
        drawn = CLASSES if self.label == BALANCED else (self.label,)
        told = [[CLASSES.index(label)] * BATCH_SIZE for label in drawn] if self.shape.classes else [None]
        return np.concatenate([self.images(z, each)[::INTERPOLATION_STRIDE] for each in told])


def latents(seed: int, indices: range, length: int) -> Tensor:
    """Latent vectors `[N, length]`: that of image i depends on (seed, i) alone."""
    return torch.stack([torch.randn(length, generator=devices.seeded_generator(seed, index)) for index in indices])


def slerp(first: Tensor, last: Tensor) -> Tensor:
    """Latent vectors `[BATCH_SIZE, latent]` on the way from one `[latent]` to another, as long as normal ones are.

    Spherical interpolation: White 2016, arXiv:1609.04468, section 2.1.
    """
    share = torch.linspace(0, 1, BATCH_SIZE)[:, None]
    cosine = torch.nn.functional.cosine_similarity(first, last, dim=0).clamp(-1, 1)
    angle = cosine.acos()
    if angle.sin() < 1e-4:  # they point the same way, or opposite ways, where no way is the shortest
        return torch.lerp(first[None], last[None], share)
    return (((1 - share) * angle).sin() * first + (share * angle).sin() * last) / angle.sin()


def label_of(index: int, label: str) -> str:
    """The label of image `index`: the one asked for, or by turns."""
    return CLASSES[index % len(CLASSES)] if label == BALANCED else label
