"""Features of several sets of images that are compared: resumable, shared by several processes, on one scale."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

import torch

from xrayaug.data.image_sets import ImageSet
from xrayaug.metrics import features
from xrayaug.metrics.feature_scaling import FeatureScaler
from xrayaug.metrics.features import FeatureExtractor
from xrayaug.options import Copies, Privacy
from xrayaug.runtime import devices
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.leader_worker import Work
from xrayaug.stats.array_types import FeatureArray
from xrayaug.storage import builder
from xrayaug.storage.artifacts import Result
from xrayaug.storage.checkpoints import Checkpoints

Options = Copies | Privacy  # of the commands that compare features of several sets of images


def run(
    options: Options,
    kind: str,
    build: Callable[[torch.device, Path], Result],
    sets: Callable[[], Mapping[str, ImageSet]],
) -> Result:
    """Build the artifact of a command that calls `extract_sets`, whose features all processes of the run extract.

    Args:
        options: of the command.
        kind: of the artifact.
        build: fills a directory, computing on the device, and returns the result.
        sets: returns the sets of images that `build` extracts, by name; called by the other processes.
    """
    features.check_features_options(options.features, int(options.dims))
    device = devices.resolve(options.device, deterministic=options.deterministic)
    lead = partial(
        builder.build_artifact, options, kind, partial(build, device), device_name=devices.describe_one(device)
    )
    with devices.translate_device_errors(options.batch_size, deterministic=options.deterministic):
        return leader_worker.run(lead, lambda: _works(options, device, sets()), device)


def load_extractor(options: Options, device: torch.device) -> FeatureExtractor:
    """Load the feature extractor that the options name."""
    return features.load_extractor(
        options.features, device, dims=int(options.dims), weights=options.weights, seed=options.seed
    )


def extract_sets(
    network: FeatureExtractor, sets: Mapping[str, ImageSet], directory: Path, options: Options, *, reference: str
) -> dict[str, FeatureArray]:
    """Extract the features of sets of images, `[N, D]` by name, on the scale of one of them.

    Args:
        network: the feature extractor.
        sets: the images by the name of their set.
        directory: of the result that is made; a stopped run goes on from the checkpoints in it.
        options: of the command, with the images per pass and the time or images between checkpoints.
        reference: name of the set whose mean and deviation give the scale, for features that have none of their own.
    """
    extracted = {}
    for name, images in sets.items():
        checkpoints = Checkpoints(directory / builder.RESUME / name.replace(" ", "-"), options.checkpoint_every)
        state = checkpoints.restore()
        extracted[name] = features.extract_features(
            network, images, options.batch_size, state, checkpoints.save_if_due, name=name
        )
        checkpoints.save(images.count, [images.count, torch.from_numpy(extracted[name])])
    scaler = FeatureScaler.fit(network.origin["features"], extracted[reference])
    return {name: scaler.transform(each) for name, each in extracted.items()}


def _works(options: Options, device: torch.device, sets: Mapping[str, ImageSet]) -> dict[str, Work]:
    """Return the work of `extract_sets` that other processes share, by name."""
    network = cache(partial(load_extractor, options, device))
    return {name: features.extraction_work(network, images, options.batch_size) for name, images in sets.items()}
