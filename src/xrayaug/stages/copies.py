"""The `copies` stage: screen a synthetic dataset for images too near to a training image of the real dataset.

The rule, in pixels and in features alike: an image is set aside when its nearest training image is nearer than the
`alpha` quantile of the same distance of real images not used in training (see `metrics/memorization.py`). The set fails
when more images are set aside than fresh real images would be with probability `level`. It is a screening, not a proof:
a set that passes may hold copies that neither comparison detects, and an image that is set aside may be no copy.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from xrayaug.data import generators, image_sets
from xrayaug.data.dataset import Dataset, Row, open_dataset
from xrayaug.data.image_sets import ImageSet
from xrayaug.data.images import contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import DataError
from xrayaug.metrics import extraction, features, memorization
from xrayaug.metrics.features import FeatureExtractor
from xrayaug.metrics.memorization import SPACES, Nearest, Threshold
from xrayaug.options import Copies
from xrayaug.runtime import console
from xrayaug.runtime.console import Table
from xrayaug.stats.array_types import FloatArray, IndexArray
from xrayaug.storage import csvfile, files
from xrayaug.storage.artifacts import Artifact, Result
from xrayaug.storage.files import COPIES_FILE, NEAREST_PAIRS_FILE

Flags = npt.NDArray[np.bool_]

PAIRS = 10  # on the sheet of nearest pairs
PAIR_SIZE = 128  # pixels
COLUMNS = ("image", "quarantined", "nearest_in_pixels", "distance_in_pixels",
           "nearest_in_features", "distance_in_features")  # fmt: skip


@dataclass(frozen=True)
class ScreenedSets:
    """The sets of images that are compared."""

    synthetic: Dataset
    real: Dataset
    judged: list[Row]  # synthetic images
    training: list[Row]  # real images that may have been copied
    reference: list[Row]  # real images that the threshold is computed from
    is_held_out: bool  # False if the reference is the training images, each compared with those of other patients

    def distinct(self) -> dict[str, ImageSet]:
        """Return the distinct sets of images by name."""
        sets = {"judged": (self.synthetic, self.judged), "training": (self.real, self.training)}
        if self.is_held_out:
            sets["reference"] = self.real, self.reference
        return {name: image_sets.from_rows(data, rows) for name, (data, rows) in sets.items()}

    def patient_numbers(self) -> tuple[IndexArray, IndexArray]:
        """Return patient numbers of the reference and of the training images; images of one are not compared."""
        numbers: dict[str, int] = {}
        groups = []
        for rows in (self.reference, self.training):
            patients = [row.patient or f"\0{row.image} {row.row}" for row in rows]  # unknown patients are distinct
            groups.append(np.array([numbers.setdefault(name, len(numbers)) for name in patients], np.int64))
        return groups[0], groups[1]


@dataclass(frozen=True)
class SpaceComparison:
    """Distances of the judged images and of the reference to the training images, in pixels or in features."""

    indices: IndexArray  # the nearest training image of each judged one
    distances: FloatArray
    threshold: Threshold
    reference: FloatArray
    identical: int  # reference images that equal a training image, and are left out

    @property
    def is_set_aside(self) -> Flags:
        """True for each judged image that is set aside; duplicates always are."""
        return self.threshold.is_above(self.distances)

    def to_dict(self) -> Result:
        """Return the comparison's entry in the result."""
        set_aside = int(self.is_set_aside.sum())
        return {
            "set_aside": set_aside,
            "threshold": self.threshold.value,
            "rate": self.threshold.rate,
            "chance": self.threshold.tail_probability(set_aside, len(self.distances)),
            "reference": self.threshold.n,
            "reference_identical": self.identical,
            "smallest": float(self.distances.min()),
            "median": float(np.median(self.distances)),
            "reference_median": float(np.median(self.reference)),
        }


def run(options: Copies) -> Result:
    """Screen for copies; write `copies.csv` and the sheet of nearest pairs."""
    return extraction.run(options, "copies", partial(_screen, options), lambda: _open_sets(options).distinct())


def plan(options: Copies) -> Result:
    """Return what would be compared."""
    features.check_features_options(options.features, int(options.dims))
    return _counts(_open_sets(options)) | {"features": options.features}


def tables(result: Result) -> list[Table]:
    """Return the tables of the verdict and the comparisons, or of the plan."""
    counts = [(name, str(result[name])) for name in ("judged", "training", "reference", "features")]
    if "verdict" not in result:
        return [Table("Would screen", ("", "value"), counts)]
    columns = ("", "set aside", "expected of real images at most", "probability of as many", "threshold", "smallest",
               "median", "median of the reference")  # fmt: skip
    rows = [_space_row(name, result["spaces"][name], result["judged"]) for name in SPACES]
    verdict = f"{result['verdict']}: {len(result['quarantined']):,} of {result['judged']:,} images are set aside"
    notes = [verdict, result["rule"], *(f"warning: {line}" for line in result["warnings"])]
    if result.get("generator", {}).get("learnt_from") == generators.DECLARED:
        notes.insert(1, f"what {result['generator']['name']} was trained on is as declared by the user")
    return [Table("Compared images", ("", "value"), counts), Table("Nearest training images", columns, rows, notes)]


def _space_row(name: str, space: Result, judged: int) -> tuple[str, ...]:
    numbers = (f"{space[key]:.4g}" for key in ("chance", "threshold", "smallest", "median", "reference_median"))
    expected = f"{100 * space['rate']:.2f} %, {space['rate'] * judged:.1f} images"
    return (name, f"{space['set_aside']:,}", expected, *numbers)


def _screen(options: Copies, device: torch.device, directory: Path) -> Result:
    sets = _open_sets(options)
    network = extraction.load_extractor(options, device)
    comparisons = {
        "features": _compare_features(sets, network, options, directory),
        "pixels": _compare_pixels(sets, options),
    }
    set_aside = comparisons["pixels"].is_set_aside | comparisons["features"].is_set_aside
    _write_csv(directory / COPIES_FILE, sets, comparisons, set_aside)
    contact_sheets.save_png(directory / NEAREST_PAIRS_FILE, _nearest_pairs(sets, comparisons))
    result = _result(options, sets, network, comparisons, [int(index) for index in np.flatnonzero(set_aside)])
    if result["verdict"] == "fail":
        console.warning(f"{options.synthetic} fails the screening for copies: see {options.out / NEAREST_PAIRS_FILE}")
    return result


def _open_sets(options: Copies) -> ScreenedSets:
    """Open the images that are judged, the training images, and the reference.

    Held-out images are the reference if there are enough for `alpha`; else training images, each against those of
    other patients.

    Raises:
        DataError: there are no synthetic images, or training images of fewer than two patients.
    """
    synthetic, real = (open_dataset(path, options.local_cache) for path in (options.synthetic, options.real))
    judged = synthetic.select(synthetic=True)
    training = real.select(split="train", synthetic=False)
    if not judged:
        raise DataError(
            f"{options.synthetic} holds no synthetic images", "give one of xrayaug sample or prepare --synthetic"
        )
    if len({row.patient or str(place) for place, row in enumerate(training)}) < 2:
        raise DataError(f"{options.real} has training images of fewer than two patients", "give the real dataset")
    held_out = [row for row in real.rows if row.split != "train"]
    has_enough = len(held_out) >= memorization.min_reference_size(options.alpha)
    return ScreenedSets(synthetic, real, judged, training, held_out if has_enough else training, has_enough)


def _compare_pixels(sets: ScreenedSets, options: Copies) -> SpaceComparison:
    judged, training, reference = (
        data.pixels(rows, memorization.IMAGE_SIZE)
        for data, rows in (
            (sets.synthetic, sets.judged),
            (sets.real, sets.training),
            (sets.real, sets.reference),
        )
    )
    with console.progress(2 * memorization.N_VARIANTS, "nearest in pixels", "comparisons") as advance:
        nearest = memorization.nearest_images(judged, training, after_each=lambda: advance(1))
        _, fresh = memorization.nearest_images(
            reference, training, sets.patient_numbers(), after_each=lambda: advance(1)
        )
    return _compare_space(nearest, fresh, options.alpha)


def _compare_features(
    sets: ScreenedSets, network: FeatureExtractor, options: Copies, directory: Path
) -> SpaceComparison:
    extracted = extraction.extract_sets(network, sets.distinct(), directory, options, reference="training")
    training = extracted["training"]
    reference = extracted.get("reference", training)
    _, fresh = memorization.nearest_features(reference, training, sets.patient_numbers())
    return _compare_space(memorization.nearest_features(extracted["judged"], training), fresh, options.alpha)


def _compare_space(nearest: Nearest, fresh: FloatArray, alpha: float) -> SpaceComparison:
    """Return the comparison of the judged images' nearest training images with a threshold from the reference's.

    Raises:
        DataError: every reference image is a training image.
    """
    distinct = fresh[fresh >= memorization.DUPLICATE_DISTANCE]
    if not len(distinct):
        raise DataError("every held-out image is a training image too", "prepare the real dataset again")
    return SpaceComparison(*nearest, memorization.find_threshold(distinct, alpha), distinct, len(fresh) - len(distinct))


def _result(
    options: Copies,
    sets: ScreenedSets,
    network: FeatureExtractor,
    comparisons: dict[str, SpaceComparison],
    set_aside: list[int],
) -> Result:
    spaces = {name: comparisons[name].to_dict() for name in SPACES}
    fails = any(
        each.threshold.is_exceeded(int(each.is_set_aside.sum()), len(each.distances), options.level)
        for each in comparisons.values()
    )
    return {
        **_counts(sets),
        "verdict": "fail" if fails else "pass",
        "rule": _rule(options),
        **_describe_generator(sets.synthetic.artifact),
        "quarantined": set_aside,
        "spaces": spaces,
        "features": network.origin["features"],
        "network": network.origin["network_name"],
        "network_sha256": network.origin["network"],
        **({"learnt_from": network.learnt_from.to_dict()} if network.learnt_from else {}),
        "warnings": _warnings(options, sets, comparisons),
    }


def _describe_generator(synthetic: Artifact) -> Result:
    """Return the name of a generator from elsewhere and what is known of its training data; else nothing."""
    if not generators.is_external(synthetic):
        return {}
    generator = generators.read_generator(synthetic)
    return {"generator": {"name": generator.name, "learnt_from": generator.learnt_from}}


def _rule(options: Copies) -> str:
    return (
        f"an image is set aside when its nearest training image, in pixels or in features, is nearer than the "
        f"{options.alpha:g} quantile of what real images have that were not trained on; the set fails when either "
        f"comparison sets aside more than fresh real images would with probability {options.level / len(SPACES):g}. "
        "A screening, no proof"
    )


def _counts(sets: ScreenedSets) -> Result:
    kind = "held-out images" if sets.is_held_out else "training images, each against those of other patients"
    return {
        "judged": len(sets.judged),
        "training": len(sets.training),
        "reference": f"{len(sets.reference):,} {kind}",
    }


def _warnings(options: Copies, sets: ScreenedSets, comparisons: dict[str, SpaceComparison]) -> list[str]:
    lines = []
    few = [name for name in SPACES if comparisons[name].threshold.rate > options.alpha]
    if few:
        lines.append(
            f"too few reference images for --alpha {options.alpha:g}: their smallest distance is the threshold, below "
            f"which {100 * comparisons[few[0]].threshold.rate:.2f} % of fresh real images lie"
        )
    identical = max(comparison.identical for comparison in comparisons.values())
    if identical:
        lines.append(f"{identical:,} reference images are training images too, and are left out of the reference")
    return lines + generators.warn_of_other_training_data(sets.synthetic.artifact, options.real)


def _write_csv(path: Path, sets: ScreenedSets, comparisons: dict[str, SpaceComparison], set_aside: Flags) -> None:
    lines: list[list[object]] = [list(COLUMNS)]
    for image in range(len(sets.judged)):
        cells: list[object] = [image, int(set_aside[image])]
        for name in SPACES:
            nearest = sets.training[comparisons[name].indices[image]]
            cells += [nearest.file or f"{nearest.image} {nearest.row}", f"{comparisons[name].distances[image]:.6g}"]
        lines.append(cells)
    files.write_text(path, csvfile.dump(lines))


def _nearest_pairs(sets: ScreenedSets, comparisons: dict[str, SpaceComparison]) -> Pixels:
    """Return pairs of the images farthest below a threshold (or nearest to it) and their nearest training images."""
    relative = np.stack([comparisons[name].distances / comparisons[name].threshold.value for name in SPACES])
    order = np.argsort(relative.min(axis=0), kind="stable")[:PAIRS]
    shown = []
    for image in order:
        index = comparisons[SPACES[int(relative[:, image].argmin())]].indices[image]
        shown += [(sets.synthetic, sets.judged[image]), (sets.real, sets.training[index])]
    return contact_sheets.make_grid(np.concatenate([data.pixels([row], PAIR_SIZE) for data, row in shown]), columns=4)
