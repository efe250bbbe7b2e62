"""How far a generator's images are from the training images while it learns, in the features of a network."""

from collections.abc import Callable

import torch
from torch import Tensor

from xrayaug.data.images.arrays import Pixels
from xrayaug.metrics import frechet
from xrayaug.metrics.frechet import Moments, Statistics
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks

MOST = 5000  # images of either side: more tell little more of which snapshot is the best
PASS = 50  # images at a time
DIMS = {"inception": 2048, "random": 64}  # random features need few; a classifier has what it has

Draw = Callable[[int, int], Pixels]  # (start, count) -> images uint8 [count, H, W]
Visit = Callable[[], None]


class Yardstick:
    """Measures against these pictures uint8 `[N, H, W]`, all or the first `MOST`, and as many generated ones.

    Args:
        name: `inception`, `random` or the directory of a classifier run, as `--features` takes them.
        reals: the training images.
        where: where to compute.

    Raises:
        UsageError: no such features.
        WeightsError: their weights are not to be had.
    """

    def __init__(self, name: str, reals: Pixels, device: torch.device) -> None:
        from xrayaug.metrics import features

        self.reals = reals[:MOST]
        self.network = features.load(name, device, dims=DIMS.get(name, DIMS["inception"]))
        self._of_reals: Statistics | None = None  # which are measured when they are first needed

    def distance(self, draw: Draw, after_each: Visit) -> float:
        """The Fréchet distance of the images that `draw` gives; `after_each` is called after each pass of images."""
        if self._of_reals is None:
            self._of_reals = self._statistics(lambda start, count: self.reals[start : start + count], after_each)
        return frechet.distance(self._statistics(draw, after_each), self._of_reals)

    def _statistics(self, draw: Draw, after_each: Visit) -> Statistics:
        """Of the images that `draw` gives; processes take passes in turn, and all take in what each found."""
        moments = Moments(self.network.dims)
        rank = ranks.own()
        for begin in range(0, len(self.reals), PASS * rank.count):
            start = begin + PASS * rank.number
            for features in process_group.gathered(self._features(draw, start, min(start + PASS, len(self.reals)))):
                moments.add(features.numpy())
            after_each()
        return moments.statistics()

    def _features(self, draw: Draw, start: int, stop: int) -> Tensor:
        """Of the images from `start` up to `stop`, of which there may be none left: `[N, D]`."""
        if start >= stop:
            return torch.empty(0, self.network.dims)
        return torch.from_numpy(self.network.features(list(draw(start, stop - start))))
