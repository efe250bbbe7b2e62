"""Collect the images that a reader study can be drawn from, and read the pixels of those that were drawn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xrayaug.data import generators
from xrayaug.data.dataset import Dataset, Row, split_array_name
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import DataError, InputError
from xrayaug.evaluation.gather.runs import Run, open_runs
from xrayaug.evaluation.reader_study.study import StudyImage, StudyPools, shown_size
from xrayaug.options import Evaluate
from xrayaug.storage import artifacts


@dataclass(frozen=True)
class ReaderImages:
    """The images that a reader study can be drawn from, and the datasets that hold them."""

    pools: StudyPools
    datasets: Mapping[Path, Dataset]  # by directory

    def read_pixels(self, drawn: Sequence[StudyImage]) -> Pixels:
        """Read the pictures of images, resized to the smallest of them, `[N, S, S]`."""
        size = shown_size(drawn)
        return np.concatenate([self.datasets[image.data].pixels([image.row], size) for image in drawn])


def open_images(options: Evaluate) -> ReaderImages:
    """Open the runs of an evaluation and collect the images that its reader study can show.

    Raises:
        InputError: a run cannot be opened.
        DataError: what the generator learnt from cannot be found.
    """
    return gather_images(open_runs(options.runs, options.local_cache), options.reader_reals)


def gather_images(runs: Sequence[Run], reals: str) -> ReaderImages:
    """Collect the images that a reader study can show.

    Args:
        runs: sorted by arm; those of controls are left out.
        reals: `generator` for real images that the generator learnt from, `arm` for those that the arms train on.

    Raises:
        DataError: what the generator learnt from cannot be found.
    """
    arms = _list_arms(runs)
    synthetic = [(data, row) for data in arms for row in data.select(split="train", synthetic=True)]
    real = list(_list_real_images(arms, reals))
    pools = StudyPools(_drop_repeated(synthetic), _drop_repeated(real), reals)
    return ReaderImages(pools, {data.path: data for data, _ in (*synthetic, *real)})


def _list_arms(runs: Sequence[Run]) -> list[Dataset]:
    """Return the datasets of the arms with synthetic images, each once."""
    added = [run.dose_data for run in runs if run.arm.control is None]
    arms = [data for data in added if data.select(split="train", synthetic=True)]
    return list({artifacts.digest(data.path): data for data in arms}.values())


def _list_real_images(arms: Sequence[Dataset], reals: str) -> Iterable[tuple[Dataset, Row]]:
    if reals == "arm":
        return [(arm, row) for arm in arms for row in arm.select(split="train", synthetic=False) if not row.copy]
    try:
        sets = [synthetic for arm in arms for synthetic in generators.open_synthetic_sets(arm.artifact)]
        learnt_from = [generators.open_training_images(synthetic)[:1] for synthetic in sets]
    except InputError as problem:
        raise DataError(
            f"what the generator learnt from cannot be found: {problem.message}",
            "--reader-reals arm takes the arms' own real images",
        ) from None
    real = [(images.data, row) for found in learnt_from for images in found for row in images.rows]
    if arms and not real:
        raise DataError(
            "the generator saw none of the images of this study, as declared by the user",
            "--reader-reals arm takes the arms' own real images",
        )
    return real


def _drop_repeated(images: Iterable[tuple[Dataset, Row]]) -> list[StudyImage]:
    """Return each picture once: the doses of the arms are nested."""
    return list({_identify(data, row): _to_study_image(data, row) for data, row in images}.values())


def _to_study_image(data: Dataset, row: Row) -> StudyImage:
    return StudyImage(data.path, row, int(max(data.arrays[row.image].shape[1:])))


def _identify(data: Dataset, row: Row) -> tuple[str, str, int]:
    """Return the key of a picture: the artifact that holds the array, the array and the place in it."""
    owner, array = split_array_name(data.artifact, row.image)
    digest = data.artifact.manifest["inputs"][owner]["sha256"] if owner else artifacts.digest(data.path)
    return str(digest), array, row.row
