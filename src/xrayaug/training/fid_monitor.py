"""Fréchet distance of a generator's images to the training images, measured during training."""

from collections.abc import Callable

import torch
from torch import Tensor

from xrayaug.data.images.arrays import Pixels
from xrayaug.metrics import frechet
from xrayaug.metrics.feature_scaling import FeatureScaler
from xrayaug.metrics.frechet import RunningMoments, Statistics
from xrayaug.options.choices import RANDOM_DIMS
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks

MAX_IMAGES = 5000  # real and generated ones each; more images hardly change which snapshot is the best
BATCH_SIZE = 50

Draw = Callable[[int, int], Pixels]  # (start, count) -> images uint8 [count, H, W]
Visit = Callable[[], None]


class FidMonitor:
    """Measures the distance of generated images to as many training images.

    Args:
        name: of the features: `inception`, `random` or the directory of a classifier run, as `--features` takes them.
        reals: training images uint8 `[N, H, W]`, of which the first `MAX_IMAGES` are used.
        device: where to compute.

    Raises:
        UsageError: there are no such features.
        WeightsError: their weights cannot be loaded.
    """

    def __init__(self, name: str, reals: Pixels, device: torch.device) -> None:
        from xrayaug.metrics import features
        from xrayaug.networks import inception

        self.reals = reals[:MAX_IMAGES]
        self.network = features.load_extractor(
            name, device, dims=RANDOM_DIMS if name == "random" else inception.FID_DIMS
        )
        self._real_statistics: Statistics | None = None  # computed when first needed

    def distance(self, draw: Draw, after_each: Visit) -> float:
        """Return the Fréchet distance of the images that `draw` returns; `after_each` is called after each batch."""
        if self._real_statistics is None:
            self._real_statistics = self._statistics(lambda start, count: self.reals[start : start + count], after_each)
        scaler = FeatureScaler.fit(self.network.origin["features"], self._real_statistics)
        generated = self._statistics(draw, after_each)
        return frechet.distance(*(scaler.transform_statistics(side) for side in (generated, self._real_statistics)))

    def _statistics(self, draw: Draw, after_each: Visit) -> Statistics:
        """Return the feature statistics of the images that `draw` returns.

        Processes take batches in turn, and all of them accumulate the features of every batch in the same order.
        """
        moments = RunningMoments(self.network.dims)
        rank = ranks.current_rank()
        for begin in range(0, len(self.reals), BATCH_SIZE * rank.count):
            start = begin + BATCH_SIZE * rank.number
            for features in process_group.all_gather(
                self._features(draw, start, min(start + BATCH_SIZE, len(self.reals)))
            ):
                moments.add(features.numpy())
            after_each()
        return moments.statistics()

    def _features(self, draw: Draw, start: int, stop: int) -> Tensor:
        """Return the features of the images from `start` up to `stop`, `[N, D]`; N is 0 if none are left."""
        if start >= stop:
            return torch.empty(0, self.network.dims)
        return torch.from_numpy(self.network.features(list(draw(start, stop - start))))
