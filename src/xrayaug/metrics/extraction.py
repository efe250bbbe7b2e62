"""Features of several sets of images that are compared: resumable, shared by several processes, on one scale."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from xrayaug.data.image_sets import ImageSet
from xrayaug.metrics import features
from xrayaug.metrics.feature_scaling import FeatureScaler
from xrayaug.metrics.features import FeatureExtractor
from xrayaug.runtime.distributed.leader_worker import Work
from xrayaug.runtime.stopping import Interval
from xrayaug.stats.array_types import FeatureArray
from xrayaug.storage import builder
from xrayaug.storage.checkpoints import Checkpoints


def extract_sets(
    network: FeatureExtractor,
    sets: Mapping[str, ImageSet],
    directory: Path,
    *,
    batch_size: int,
    checkpoint_every: Interval,
    reference: str,
) -> dict[str, FeatureArray]:
    """Extract the features of sets of images, `[N, D]` by name, on the scale of one of them.

    Args:
        network: the feature extractor.
        sets: the images by the name of their set.
        directory: of the result that is made; a stopped run goes on from the checkpoints in it.
        batch_size: images per pass.
        checkpoint_every: time or images between checkpoints.
        reference: name of the set whose mean and deviation give the scale, for features that have none of their own.
    """
    extracted = {}
    for name, images in sets.items():
        checkpoints = Checkpoints(directory / builder.RESUME / name.replace(" ", "-"), checkpoint_every)
        state = checkpoints.restore()
        extracted[name] = features.extract_features(
            network, images, batch_size, state, checkpoints.save_if_due, name=name
        )
        checkpoints.save(images.count, [images.count, torch.from_numpy(extracted[name])])
    scaler = FeatureScaler.fit(network.origin["features"], extracted[reference])
    return {name: scaler.transform(each) for name, each in extracted.items()}


def works(network: Callable[[], FeatureExtractor], sets: Mapping[str, ImageSet], batch_size: int) -> dict[str, Work]:
    """Return the work of `extract_sets` that other processes share, by name."""
    return {name: features.extraction_work(network, images, batch_size) for name, images in sets.items()}
