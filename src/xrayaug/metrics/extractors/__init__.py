"""Features that `--features` offers: one module each, found by listing this folder.

To add one, write `extractors/<name>.py` with the members of `FeatureModule` below, its source in the docstring.
Nothing else needs to change. A directory given to `--features` is a classifier run; see `xrayaug.metrics.features`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from xrayaug.runtime import plugins

if TYPE_CHECKING:
    import torch

    from xrayaug.metrics.features import FeatureExtractor


class FeatureModule(Protocol):
    """Interface of the modules in this folder."""

    HAS_WEIGHTS_FILE: bool  # whether --weights names a file
    IS_SCALED: bool  # whether features have scales of their own, and sets are compared after `metrics.feature_scaling`
    DIMS: int | None  # features per image; None if --dims selects a layer

    def describe(self, weights: Path | None, seed: int) -> str:
        """Return the network and its weights for `--dry-run`, without downloading any.

        Raises:
            UsageError: a package that the features need is not installed.
            WeightsError: the weights are missing or damaged, and would not be downloaded.
        """

    def load(self, device: "torch.device", dims: int, weights: Path | None, seed: int) -> "FeatureExtractor":
        """Return the extractor.

        Args:
            device: the device to compute on.
            dims: number of features, where `--dims` selects a layer.
            weights: the file of `--weights`.
            seed: of random weights.

        Raises:
            WeightsError: the weights are missing or damaged.
        """


def names() -> tuple[str, ...]:
    """Return the names of all modules, sorted; imports none of them."""
    return plugins.names("metrics.extractors")


def is_scaled(kind: str) -> bool:
    """Return whether features of that kind are compared after `metrics.feature_scaling`."""
    return kind in names() and load(kind).IS_SCALED


def load(name: str) -> FeatureModule:
    """Return the module of that name (imports torch)."""
    return cast(FeatureModule, plugins.load("metrics.extractors", name))
