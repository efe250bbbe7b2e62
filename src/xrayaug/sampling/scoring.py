"""Scores for rejection: the discriminator's output, or the distance to real images in feature space."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from xrayaug.data import image_sets
from xrayaug.data.dataset import Dataset, cached_files
from xrayaug.data.image_sets import ImageSet
from xrayaug.data.images import tensors
from xrayaug.errors import ArtifactError
from xrayaug.metrics import features
from xrayaug.metrics.features import FeatureExtractor
from xrayaug.options import Sample
from xrayaug.runtime.distributed.leader_worker import Array, Stream, Work
from xrayaug.sampling import rejection
from xrayaug.sampling.sampler import BATCH_SIZE, ImageSampler, TrainedGan
from xrayaug.storage import builder, weights
from xrayaug.storage.checkpoints import Checkpoints

DISCRIMINATOR_FILE = "discriminator.safetensors"
REAL_FEATURES = "learnt"  # name of the work that several processes share


def discriminator_work(source: TrainedGan, drawing: ImageSampler) -> Work:
    """Return work that yields the discriminator's probability or logit for each image of a pass, `[BATCH_SIZE]`."""
    file = source.run.file(DISCRIMINATOR_FILE)
    state = weights.read(file)
    weights.check_finite(state, file)
    with torch.device("meta"):
        weights.check_shapes(state, source.arch.discriminator(source.shape), file)
    d = source.arch.discriminator(source.shape)
    weights.assign(state, d, file)
    d = d.to(drawing.device).to(memory_format=torch.channels_last).eval()

    def judged(start: int) -> Array:
        labels = drawing.labels(range(start, start + BATCH_SIZE))
        told = torch.tensor(labels, device=drawing.device) if labels is not None else None
        with torch.inference_mode():
            images = tensors.to_unit(torch.from_numpy(drawing.draw(start)).to(drawing.device))
            found: Array = d(images, told).reshape(BATCH_SIZE, -1)[:, 0].double().cpu().numpy()
        return found

    def stream(starts: Sequence[int]) -> Stream:
        for start in starts:
            yield judged(start)

    return stream


@dataclass(frozen=True)
class RealismScorer:
    """Features of candidates and of the run's training images, for `rejection.realism_scores`."""

    options: Sample
    source: TrainedGan
    drawing: ImageSampler

    @cached_property
    def network(self) -> FeatureExtractor:
        """The feature extractor."""
        given = self.options
        return features.load_extractor(given.reject_by, self.drawing.device, dims=rejection.DIMS, seed=given.seed)

    @cached_property
    def learnt(self) -> ImageSet:
        """The run's training images.

        Raises:
            ArtifactError: there is none.
        """
        run = self.source.run
        cache = self.options.local_cache
        data = Dataset(run.open_input("data", "dataset", hash_later=cached_files(cache)), cache)
        rows = data.select(split="train", label=run.options.get("only_label"))
        if not rows:
            raise ArtifactError(f"{run.path} learnt no image of {data.path}", "train it again")
        return image_sets.from_rows(data, rows)

    def learning(self, starts: Sequence[int]) -> Stream:
        """Yield the features of the training images, `[n, D]` per pass."""
        return features.extraction_work(lambda: self.network, self.learnt, BATCH_SIZE)(starts)

    def looking(self, starts: Sequence[int]) -> Stream:
        """Yield the features of candidates, `[BATCH_SIZE, D]` per pass."""
        for start in starts:
            yield self.network.features(list(self.drawing.draw(start)))

    def gathered(self, directory: Path) -> Array:
        """Return the features of all training images, `[N, D]`, with checkpoints for a run that stops."""
        kept = Checkpoints(directory / builder.RESUME / "real-features", self.options.checkpoint_every)
        state = kept.restore()
        real = features.extract_features(
            self.network, self.learnt, BATCH_SIZE, state, kept.save_if_due, name=REAL_FEATURES
        )
        kept.save(len(real), [len(real), torch.from_numpy(real)])
        return real
