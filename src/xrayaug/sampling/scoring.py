"""The discriminator's output for generated images, and their features beside those of real images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from xrayaug.data import image_sets
from xrayaug.data.dataset import Dataset, Row, cached_files
from xrayaug.data.image_sets import ImageSet
from xrayaug.data.images import tensors
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.stack import Stack
from xrayaug.errors import ArtifactError, DataError
from xrayaug.metrics import features
from xrayaug.metrics.features import FeatureExtractor
from xrayaug.networks import gans, inception
from xrayaug.options import Sample
from xrayaug.options.choices import LABELS
from xrayaug.runtime import console, stopping
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.group import Array
from xrayaug.runtime.distributed.leader_worker import Stream, Work
from xrayaug.sampling.sampler import BATCH_SIZE, DISCRIMINATOR_FILE, ImageSampler, TrainedGan
from xrayaug.stats.array_types import FeatureArray, FloatArray
from xrayaug.storage import weights
from xrayaug.storage.checkpoints import Checkpoints


def score_real_images(
    gan: TrainedGan, images: Stack, labels: Sequence[str], batch_size: int, device: torch.device
) -> FloatArray:
    """Return the discriminator's probability or logit for real images of the size of the GAN's, `[N]`.

    Args:
        gan: the run.
        images: `[N, S, S]`.
        labels: `[N]`, which count if the networks are conditional.
        batch_size: images per pass.
        device: the device to compute on.

    Raises:
        WeightsError: the weights are damaged.
    """
    d = _load_discriminator(gan, device)
    classes = torch.tensor([LABELS.index(label) for label in labels]) if gan.shape.classes else None
    scores = np.empty(len(images))
    with console.progress(len(images), "discriminator") as advance:
        for start in range(0, len(images), batch_size):
            batch = slice(start, start + batch_size)
            pixels = images.read(batch)
            scores[batch] = _score(d, pixels, None if classes is None else classes[batch].to(device), device)
            advance(len(pixels))
    return scores


def discriminator_work(gan: TrainedGan, sampler: ImageSampler) -> Work:
    """Return work that yields the discriminator's probability or logit for each image of a pass, `[BATCH_SIZE]`."""
    d = _load_discriminator(gan, sampler.device)

    def score(start: int) -> Array:
        labels = sampler.labels(range(start, start + BATCH_SIZE))
        classes = torch.tensor(labels, device=sampler.device) if labels is not None else None
        return _score(d, sampler.draw(start), classes, sampler.device)

    def stream(starts: Sequence[int]) -> Stream:
        for start in starts:
            yield score(start)

    return stream


def _load_discriminator(gan: TrainedGan, device: torch.device) -> nn.Module:
    file = gan.run.file(DISCRIMINATOR_FILE)
    state = weights.read(file)
    weights.check_finite(state, file)
    with torch.device("meta"):
        weights.check_shapes(state, gan.arch.discriminator(gan.shape), file)
    d = gan.arch.discriminator(gan.shape)
    weights.assign(state, d, file)
    return d.to(device).to(memory_format=torch.channels_last).eval()


def _score(d: nn.Module, pixels: Pixels, classes: Tensor | None, device: torch.device) -> Array:
    """Return the discriminator's mean output for each image of a batch, `[B]`."""
    with torch.inference_mode():
        images = tensors.to_unit(torch.from_numpy(pixels).to(device))
        output = gans.mean_score(gans.realness_score(d(images, classes)))
        scores: Array = output.double().cpu().numpy()
    return scores


@dataclass(frozen=True)
class RealismScorer:
    """Features of generated images and of the run's training images, whose distances say how realistic they are.

    Args:
        name: of the features, or the directory of a classifier run.
        options: of `sample`.
        gan: the run.
        sampler: of the images.
    """

    name: str
    options: Sample
    gan: TrainedGan
    sampler: ImageSampler

    @cached_property
    def network(self) -> FeatureExtractor:
        """The feature extractor."""
        return features.load_extractor(self.name, self.sampler.device, dims=inception.FID_DIMS, seed=self.options.seed)

    @cached_property
    def training_rows(self) -> list[Row]:
        """The index rows of the run's training images.

        Raises:
            ArtifactError: there is none.
        """
        run = self.gan.run
        rows = self.data.select(split="train", label=run.options.get("only_label"))
        if not rows:
            raise ArtifactError(f"no image of {self.data.path} is a training image of {run.path}", "train it again")
        return rows

    @cached_property
    def data(self) -> Dataset:
        """The dataset that the run was trained on."""
        cache = self.options.local_cache
        return Dataset(self.gan.run.open_input("data", "dataset", hash_later=cached_files(cache)), cache)

    def stream_real_features(self, starts: Sequence[int]) -> Stream:
        """Yield the features of the training images, `[n, D]` per pass."""
        return features.extraction_work(lambda: self.network, self._training_images, BATCH_SIZE)(starts)

    def stream_candidate_features(self, starts: Sequence[int]) -> Stream:
        """Yield the features of candidates, `[BATCH_SIZE, D]` per pass."""
        for start in starts:
            yield self.network.features(list(self.sampler.draw(start)))

    def stream_selected_features(self, passes: Sequence[tuple[int, list[int]]]) -> Stream:
        """Yield the features of the selected images of each pass, `[n, D]`; see `ImageSampler.draw_selected`."""
        for images in self.sampler.draw_selected(passes):
            yield self.network.features(list(images))

    @property
    def works(self) -> dict[str, Work]:
        """Extraction from the real images and from the selected images of passes, by the names of `ordered_map`."""
        return {self._real_work: self.stream_real_features, self._selected_work: self.stream_selected_features}

    def extract_real_features(self, directory: Path) -> FeatureArray:
        """Return the features of all training images, `[N, D]`; `directory` has the checkpoints."""
        checkpoints = Checkpoints(directory, self.options.checkpoint_every)
        state = checkpoints.restore()
        real = features.extract_features(
            self.network, self._training_images, BATCH_SIZE, state, checkpoints.save_if_due, name=self._real_work
        )
        checkpoints.save(len(real), [len(real), torch.from_numpy(real)])
        return real

    def extract_selected_features(self, passes: Sequence[tuple[int, list[int]]], directory: Path) -> FeatureArray:
        """Return the features `[N, D]` of the selected images of all passes, drawn again; for checkpoints, `directory`.

        Raises:
            DataError: some are not finite.
        """
        checkpoints = Checkpoints(directory, self.options.checkpoint_every)
        done: list[torch.Tensor] = checkpoints.restore() or []
        with stopping.deferred(), console.progress(len(passes), "features, passes", done=len(done)) as advance:
            for batch in leader_worker.ordered_map(
                self._selected_work, self.stream_selected_features, passes[len(done) :]
            ):
                done.append(torch.from_numpy(batch))
                advance(1)
                checkpoints.save_if_due(len(done), partial(list, done))
        checkpoints.save(len(done), done)
        extracted: FeatureArray = torch.cat(done).numpy()
        if not np.isfinite(extracted).all():
            raise DataError("some features are NaN or infinite", "the network's weights may be damaged")
        return extracted

    @property
    def _training_images(self) -> ImageSet:
        return image_sets.from_rows(self.data, self.training_rows)

    @property
    def _real_work(self) -> str:
        return f"real features, {self.name}"

    @property
    def _selected_work(self) -> str:
        return f"sample features, {self.name}"
