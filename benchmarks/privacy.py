"""How often does the privacy audit fail where nothing is to be found, and what does it find? On real images.

    python benchmarks/privacy.py --data DATASET [--features imagenet] [--studies 200] [--seed 0]

In each study the patients of the dataset are divided at random into three parts: training patients, held-out ones, and
those whose images take the place of synthetic images. Such a set tells nothing about the training patients. Then copies
of training images, disturbed by known amounts, replace a part of it.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch

from xrayaug.data import image_sets
from xrayaug.data.dataset import open_dataset
from xrayaug.data.image_sets import ImageSet
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.disturbances import DISTURBANCES, disturb
from xrayaug.data.images.stack import resize_bicubic
from xrayaug.metrics import features, memorization, privacy
from xrayaug.metrics.privacy import Attacks, Patients, Space
from xrayaug.stats.array_types import FeatureArray, FloatArray, IndexArray

Distances = dict[str, FloatArray]  # of every image to every disturbed one, [N, N], by the name of the disturbance

LEVEL = 0.05
BATCH_SIZE = 32


def main() -> None:
    """Print the shares of studies that fail."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", default="imagenet")
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data = open_dataset(options.data)
    rows = data.select(synthetic=False)
    names = [row.patient or str(place) for place, row in enumerate(rows)]
    patient = np.unique(names, return_inverse=True)[1]
    originals = image_sets.from_rows(data, rows)

    def disturbed(kind: str, place: int) -> Pixels:
        return disturb(originals.read(place), DISTURBANCES[kind], (options.seed, place))

    kinds = {kind: ImageSet(data.path, kind, len(rows), partial(disturbed, kind)) for kind in DISTURBANCES}
    by_space = [_pixel_distances(originals, kinds), _feature_distances(options.features, originals, kinds)]
    shares = (0.0, *privacy.PLANTED_SHARES)
    found: Counter[tuple[str, float]] = Counter()
    for study in range(options.studies):
        random = np.random.default_rng([options.seed, study])
        divided = Division.draw(patient, random)
        for kind in kinds:
            for share in shares if kind == "unchanged" else shares[1:]:
                copies = random.choice(divided.members, round(share * len(divided.synthetic)), replace=False)
                found[kind, share] += divided.fails(by_space, kind, copies, study)
    print(f"{len(rows)} images of {patient.max() + 1} patients, {options.studies} studies, level {LEVEL:g}")
    for (kind, share), count in found.items():
        print(f"{kind:18} {share:5.0%} of the synthetic images: fails in {count / options.studies:.1%}")


@dataclass(frozen=True)
class Division:
    """Patients divided into three parts at random: the places of their images."""

    patient: IndexArray  # [N], of each image
    members: IndexArray
    held_out: IndexArray
    synthetic: IndexArray  # images that take the place of synthetic ones

    @classmethod
    def draw(cls, patient: IndexArray, random: np.random.Generator) -> Self:
        """Divide the patients."""
        third = random.permutation(patient.max() + 1) % 3
        return cls(patient, *(np.flatnonzero(third[patient] == part) for part in range(3)))

    def fails(self, by_space: Sequence[Distances], kind: str, copies: IndexArray, seed: int) -> bool:
        """Return whether the audit fails if copies replace some of the synthetic images."""
        real, kept = np.concatenate([self.members, self.held_out]), self.synthetic[: len(self.synthetic) - len(copies)]
        number: dict[int, int] = {}
        of_real = np.array([number.setdefault(name, len(number)) for name in self.patient[real].tolist()])
        spaces = {}
        for name, distances in enumerate(by_space):
            parts = distances["unchanged"][np.ix_(real, kept)], distances[kind][np.ix_(real, copies)]
            shown = np.concatenate(parts, axis=1)
            spaces[str(name)] = Space(shown.min(axis=1), of_real[shown.argmin(axis=0)], {})
        patients = Patients(of_real, len(np.unique(self.patient[self.members])))
        results = Attacks(patients, spaces, seed).run().values()
        p_values = [p_value for each in results for p_value in each.p_values]
        return min(p_values) * len(p_values) <= LEVEL or any(each.duplicates for each in results)


def _pixel_distances(originals: ImageSet, kinds: dict[str, ImageSet]) -> Distances:
    size = memorization.IMAGE_SIZE

    def pixels(images: ImageSet) -> Pixels:
        return np.stack([resize_bicubic(images.read(place), (size, size)) for place in range(images.count)])

    real = pixels(originals)
    return {kind: memorization.image_distances(real, pixels(images)) for kind, images in kinds.items()}


def _feature_distances(name: str, originals: ImageSet, kinds: dict[str, ImageSet]) -> Distances:
    network = features.load_extractor(name, torch.device("cpu"))

    def extract(images: ImageSet) -> FeatureArray:
        return features.extract_features(network, images, BATCH_SIZE, None, lambda *_: None)

    real = extract(originals)
    return {kind: memorization.feature_distances(real, extract(images), real) for kind, images in kinds.items()}


if __name__ == "__main__":
    main()
