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
from xrayaug.networks import gans, inception
from xrayaug.options import Sample
from xrayaug.runtime.distributed.group import Array
from xrayaug.runtime.distributed.leader_worker import Stream, Work
from xrayaug.sampling.sampler import BATCH_SIZE, DISCRIMINATOR_FILE, ImageSampler, TrainedGan
from xrayaug.storage import builder, weights
from xrayaug.storage.checkpoints import Checkpoints

REAL_FEATURES = "real features"  # name of the work that several processes share


def discriminator_work(gan: TrainedGan, sampler: ImageSampler) -> Work:
    """Return work that yields the discriminator's probability or logit for each image of a pass, `[BATCH_SIZE]`."""
    file = gan.run.file(DISCRIMINATOR_FILE)
    state = weights.read(file)
    weights.check_finite(state, file)
    with torch.device("meta"):
        weights.check_shapes(state, gan.arch.discriminator(gan.shape), file)
    d = gan.arch.discriminator(gan.shape)
    weights.assign(state, d, file)
    d = d.to(sampler.device).to(memory_format=torch.channels_last).eval()

    def score(start: int) -> Array:
        labels = sampler.labels(range(start, start + BATCH_SIZE))
        classes = torch.tensor(labels, device=sampler.device) if labels is not None else None
        with torch.inference_mode():
            images = tensors.to_unit(torch.from_numpy(sampler.draw(start)).to(sampler.device))
            output = gans.mean_score(gans.realness_score(d(images, classes)))
            scores: Array = output.double().cpu().numpy()
        return scores

    def stream(starts: Sequence[int]) -> Stream:
        for start in starts:
            yield score(start)

    return stream


@dataclass(frozen=True)
class RealismScorer:
    """Features of candidates and of the run's training images, for `rejection.realism_scores`."""

    options: Sample
    gan: TrainedGan
    sampler: ImageSampler

    @cached_property
    def network(self) -> FeatureExtractor:
        """The feature extractor."""
        options = self.options
        return features.load_extractor(
            options.reject_by, self.sampler.device, dims=inception.FID_DIMS, seed=options.seed
        )

    @cached_property
    def training_images(self) -> ImageSet:
        """The run's training images.

        Raises:
            ArtifactError: there is none.
        """
        run = self.gan.run
        cache = self.options.local_cache
        data = Dataset(run.open_input("data", "dataset", hash_later=cached_files(cache)), cache)
        rows = data.select(split="train", label=run.options.get("only_label"))
        if not rows:
            raise ArtifactError(f"no image of {data.path} is a training image of {run.path}", "train it again")
        return image_sets.from_rows(data, rows)

    def stream_real_features(self, starts: Sequence[int]) -> Stream:
        """Yield the features of the training images, `[n, D]` per pass."""
        return features.extraction_work(lambda: self.network, self.training_images, BATCH_SIZE)(starts)

    def stream_candidate_features(self, starts: Sequence[int]) -> Stream:
        """Yield the features of candidates, `[BATCH_SIZE, D]` per pass."""
        for start in starts:
            yield self.network.features(list(self.sampler.draw(start)))

    def extract_real_features(self, directory: Path) -> Array:
        """Return the features of all training images, `[N, D]`, with checkpoints for a run that is stopped."""
        checkpoints = Checkpoints(directory / builder.RESUME / "real-features", self.options.checkpoint_every)
        state = checkpoints.restore()
        real = features.extract_features(
            self.network, self.training_images, BATCH_SIZE, state, checkpoints.save_if_due, name=REAL_FEATURES
        )
        checkpoints.save(len(real), [len(real), torch.from_numpy(real)])
        return real
