"""Image sampling from a trained generator: each image depends on its index alone, in passes of one size."""

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
from xrayaug.networks.gans import Architecture, Shape
from xrayaug.options.choices import LABELS
from xrayaug.runtime import devices
from xrayaug.runtime.distributed.leader_worker import Stream
from xrayaug.storage import weights
from xrayaug.storage.artifacts import Artifact

BATCH_SIZE = 64  # images per pass through the generator: fixed, since rounding may differ between batch sizes
INTERPOLATION_STRIDE = 9  # every 9th of 64 interpolated images: 8, with both ends
MAX_LATENT = 1 << 20  # sanity limit: a thousand times the usual number of weights
MAX_WIDTH = 16  # the limit of `train-gan --width`
NOT_AVERAGED = "generator-raw.safetensors"
DISCRIMINATOR_FILE = "discriminator.safetensors"
SNAPSHOTS = {"last": "generator.safetensors", "best": "best-generator.safetensors"}
BALANCED = "balanced"


@dataclass(frozen=True)
class TrainedGan:
    """A GAN run and the networks that its manifest describes."""

    run: Artifact

    @cached_property
    def arch(self) -> Architecture:
        """The run's architecture.

        Raises:
            ArtifactError: the manifest names an unknown architecture, or a size that it does not support.
        """
        arch = gans.load(self.run.get(str, "result", "arch", among=gans.names()))
        self.run.get(int, "result", "size", among=arch.SIZES)
        return arch

    @cached_property
    def shape(self) -> Shape:
        """The sizes of the networks."""
        get, arch = self.run.get, self.arch
        classes = get(int, "result", "classes", among=(0, len(LABELS)))
        if bool(classes) not in {"never": (False,), "always": (True,), "optional": (False, True)}[arch.CONDITIONAL]:
            name, kind = self.run.result["arch"], "conditional" if classes else "not conditional"
            raise ArtifactError(f"{self.run.path}: {name} cannot be {kind}", f"make {self.run.path} again")
        return Shape(
            size=get(int, "result", "size"),
            latent=get(int, "result", "latent", minimum=1, maximum=MAX_LATENT),
            classes=classes,
            width=float(get(float, "result", "width", minimum=1e-3, maximum=MAX_WIDTH)),
        )

    def generator(self, snapshot: str = "last") -> nn.Module:
        """Return the generator with its weights; it is built only after its `sketch` fits them."""
        file = self.run.file(SNAPSHOTS[snapshot])
        state = weights.read(file)
        weights.check_finite(state, file)
        weights.check_shapes(state, self.sketch, file)
        network = self.arch.generator(self.shape)
        weights.assign(state, network, file)
        return network

    def initial_weights(self, shape: Shape, seed: int) -> dict[str, dict[str, Tensor]]:
        """Return weights that another training can start from, by the names of `GanModel.networks`.

        Where its architecture has `adapt_weights`, a run without labels can be the start of a conditional one, and a
        run of smaller images that of one of larger images.

        Args:
            shape: of the networks that are to have them.
            seed: for the weights that only these networks have.

        Raises:
            ArtifactError: the run's networks have another shape.
            WeightsError: a file is damaged.
        """
        misfits = gans.find_misfits(self.arch, self.shape, shape)
        if misfits:
            pairs = (f"{name} {getattr(self.shape, name):g} instead of {getattr(shape, name):g}" for name in misfits)
            smaller = " or a smaller" if hasattr(self.arch, "adapt_weights") else ""
            raise ArtifactError(
                f"{self.run.path} cannot be the start of this training: it has {' and '.join(pairs)}",
                f"train it with the same options, on images of the same{smaller} size",
            )
        averaged = SNAPSHOTS["last"]
        names = {
            "generator": NOT_AVERAGED if NOT_AVERAGED in self.run.manifest["files"] else averaged,
            "discriminator": DISCRIMINATOR_FILE,
            "averaged generator": averaged,
        }
        states = {name: weights.read(self.run.file(file)) for name, file in names.items()}
        for name, state in states.items():
            weights.check_finite(state, self.run.file(names[name]))
        adapt = getattr(self.arch, "adapt_weights", None)
        if adapt is None or self.shape == shape:
            return states
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            adapted: dict[str, dict[str, Tensor]] = adapt(states, self.shape, shape)
        return adapted

    @cached_property
    def sketch(self) -> nn.Module:
        """The generator on the meta device, without memory."""
        with torch.device("meta"):
            return self.arch.generator(self.shape)


@dataclass(frozen=True)
class ImageSampler:
    """Sampler of a generator's images; each depends on its index alone."""

    g: nn.Module
    shape: Shape
    seed: int
    device: torch.device
    label: str = BALANCED
    psi: float | None = None

    def images(self, z: Tensor, labels: Sequence[int] | None) -> Pixels:
        """Generate uint8 images `[BATCH_SIZE, H, W]` from latents `[BATCH_SIZE, latent]` and as many labels."""
        classes = torch.tensor(labels, device=self.device) if labels is not None else None
        z = z.to(self.device)
        if self.psi is None:
            return tensors.from_unit(self.g(z, classes))
        return tensors.from_unit(self.g.truncated(z, classes, self.psi))  # type: ignore[operator] # stages.sample checks it

    def labels(self, indices: Sequence[int]) -> list[int] | None:
        """Return the class indices of those images; None if the network takes no labels."""
        if not self.shape.classes:
            return None
        return [LABELS.index(label_of(index, self.label)) for index in indices]

    def draw(self, start: int) -> Pixels:
        """Generate one pass of images from index `start` on, uint8 `[BATCH_SIZE, H, W]`."""
        indices = range(start, start + BATCH_SIZE)
        with torch.inference_mode():
            return self.images(latents(self.seed, indices, self.shape.latent), self.labels(indices))

    def draw_selected(self, passes: Sequence[tuple[int, list[int]]]) -> Stream:
        """Yield the selected images of each pass, which is given by its first index and the images' offsets in it."""
        for start, offsets in passes:
            yield self.draw(start)[offsets]

    def interpolate(self, ends: tuple[int, int]) -> Pixels:
        """Interpolate between two images, one row for each label: uint8 `[8 or 16, H, W]`."""
        z = slerp(*(latents(self.seed, range(end, end + 1), self.shape.latent)[0] for end in ends))
        names = LABELS if self.label == BALANCED else (self.label,)
        rows = [[LABELS.index(label)] * BATCH_SIZE for label in names] if self.shape.classes else [None]
        return np.concatenate([self.images(z, labels)[::INTERPOLATION_STRIDE] for labels in rows])


def latents(seed: int, indices: range, length: int) -> Tensor:
    """Return latent vectors `[N, length]`; that of image i depends on (seed, i) alone."""
    return torch.stack([torch.randn(length, generator=devices.seeded_generator(seed, index)) for index in indices])


def slerp(first: Tensor, last: Tensor) -> Tensor:
    """Interpolate from one latent vector `[latent]` to another, `[BATCH_SIZE, latent]`, keeping their typical length.

    Spherical interpolation: White 2016, arXiv:1609.04468, section 2.1.
    """
    share = torch.linspace(0, 1, BATCH_SIZE)[:, None]
    cosine = torch.nn.functional.cosine_similarity(first, last, dim=0).clamp(-1, 1)
    angle = cosine.acos()
    if angle.sin() < 1e-4:  # (nearly) parallel, or opposite, where no path is shortest
        return torch.lerp(first[None], last[None], share)
    return (((1 - share) * angle).sin() * first + (share * angle).sin() * last) / angle.sin()


def label_of(index: int, label: str) -> str:
    """Return the label of image `index`: `label`, or alternating classes for `BALANCED`."""
    return LABELS[index % len(LABELS)] if label == BALANCED else label
