"""Draw the images of a reader study, half of them synthetic and in random order, and make its page and key.

Nothing but the pictures tells the two kinds apart: both have the same number of images of each label, one size in
pixels, the same resampling, the same PNG encoder, and random names.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from xrayaug.data.dataset import LABELS, Row
from xrayaug.data.images import contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import DataError, OutputError
from xrayaug.evaluation import serialization
from xrayaug.evaluation.reader_study import page
from xrayaug.evaluation.reader_study.answers import FORMAT
from xrayaug.evaluation.reader_study.page import PageImage
from xrayaug.storage import files

PAGE_FILE, KEY_FILE = files.READER_PAGE_FILE, "reader-key.json"
STUDY_FIELD = "reader_study"  # of the result of an evaluation
STREAM = 7  # of random numbers, beside the seed, that only the draws of a reader study use
STUDY_DIGITS = 16  # hexadecimal digits of a sha256, which are the name of a study


@dataclass(frozen=True)
class StudyImage:
    """An image of the study: its dataset, its row there, its size, and its name on the page."""

    data: Path  # directory of the dataset
    row: Row
    side: int  # height or width, the larger of the two, in pixels
    name: str = ""


@dataclass(frozen=True)
class StudyPools:
    """The images that a study can be drawn from, each once; the real ones come from `reals`: generator or arm."""

    synthetic: Sequence[StudyImage]
    real: Sequence[StudyImage]
    reals: str


@dataclass(frozen=True)
class StudySummary:
    """The numbers of images of a study, for the result of the evaluation."""

    study: str | None = field(metadata={"optional": True})  # name of the study; None before its images are encoded
    images: int
    synthetic: int
    real: int
    labels: Mapping[str, int]  # number of images by label
    size: int  # at which all are shown, in pixels
    reals: str  # origin of the real images: `generator` or `arm`

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as a JSON object."""
        return serialization.to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "StudySummary":
        """Return the summary that `to_dict` made `data` from."""
        return serialization.from_dict(cls, data)


@dataclass(frozen=True)
class KeyEntry:
    """The truth about an image, and the place where it is found again."""

    synthetic: bool
    label: str
    source: str
    file: str
    data: str  # name of the dataset
    array: str  # of the dataset
    row: int  # in the array


@dataclass(frozen=True)
class StudyKey:
    """The key of a study: the truth about each image by its name on the page."""

    format: int
    summary: StudySummary = field(metadata={"inline": True})
    truth: Mapping[str, KeyEntry]

    @property
    def name(self) -> str:
        """Name of the study."""
        return str(self.summary.study)


@dataclass(frozen=True)
class ReaderStudy:
    """A study that is ready to be written: the page for readers and its key."""

    page: str  # HTML
    key: StudyKey

    def files(self) -> dict[str, str]:
        """Return the text of each file of the study by its name."""
        return {PAGE_FILE: self.page, KEY_FILE: files.format_json(serialization.to_dict(self.key))}


def draw(pools: StudyPools, count: int, seed: int) -> list[StudyImage]:
    """Draw the images of a study in the order in which they are shown: half of them synthetic, rounded down.

    Args:
        pools: to draw from.
        count: of images.
        seed: of the draws, the order and the names.

    Raises:
        DataError: there are too few images of a kind.
    """
    random = np.random.default_rng([seed, STREAM])
    synthetic = _draw_synthetic(pools.synthetic, count, random)
    wanted = Counter(image.row.label for image in synthetic)
    if count % 2:
        wanted[max(wanted, key=lambda label: wanted[label])] += 1
    real = _draw_real(pools, wanted, random)
    shown = [*synthetic, *real]
    order = random.permutation(len(shown))
    names = random.choice(1 << 32, len(shown), replace=False)
    return [replace(shown[place], name=f"{name:08x}") for place, name in zip(order, names, strict=True)]


def shown_size(drawn: Sequence[StudyImage]) -> int:
    """Return the size at which all images are shown: the smallest, so that none is enlarged or has more detail."""
    return min(image.side for image in drawn)


def summarize(drawn: Sequence[StudyImage], reals: str) -> StudySummary:
    """Count the images of a study that has no name yet."""
    return StudySummary(
        study=None,
        images=len(drawn),
        synthetic=sum(each.row.synthetic for each in drawn),
        real=sum(not each.row.synthetic for each in drawn),
        labels={label: sum(each.row.label == label for each in drawn) for label in LABELS},
        size=shown_size(drawn),
        reals=reals,
    )


def make(drawn: Sequence[StudyImage], pixels: Pixels, reals: str) -> ReaderStudy:
    """Make the page that shows the images in this order, and its key.

    Args:
        drawn: the images, in the order in which they are shown.
        pixels: their pictures at `shown_size`, `[N, S, S]`.
        reals: origin of the real images: `generator` or `arm`.
    """
    shown = [
        PageImage(image.name, contact_sheets.encode_png(picture)) for image, picture in zip(drawn, pixels, strict=True)
    ]
    lines = [f"{image.name} {files.sha256_bytes(image.png)}" for image in shown]
    name = files.sha256_bytes("\n".join(lines).encode())[:STUDY_DIGITS]
    summary = replace(summarize(drawn, reals), study=name)
    key = StudyKey(FORMAT, summary, {image.name: _describe_image(image) for image in drawn})
    return ReaderStudy(page.render(name, shown), key)


def check_same(existing: StudySummary, count: int, reals: str) -> None:
    """Check that the existing study, which readers may be answering, is the one that is asked for.

    Raises:
        OutputError: it has another number of images or other real ones.
    """
    changes = (("images", existing.images, count), ("reals", existing.reals, reals))
    differing = [f"{name} was {before}, is now {now}" for name, before, now in changes if before != now]
    if differing:
        raise OutputError(
            f"there is another reader study already, which readers may be answering: {'; '.join(differing)}",
            "choose another --out, or --overwrite to do without it",
        )


def no_study(out: object) -> DataError:
    """Return the error that there is no study to score answers against."""
    return DataError(
        f"{out} has no reader study to score these answers against", "xrayaug evaluate ... --reader-study 40"
    )


def find_name(result: Mapping[str, Any]) -> str | None:
    """Return the name of the reader study in the result of an evaluation; None if there is none."""
    summary = result.get(STUDY_FIELD)
    return str(summary.get("study")) if isinstance(summary, dict) else None


def _draw_synthetic(pool: Sequence[StudyImage], count: int, random: np.random.Generator) -> list[StudyImage]:
    wanted = count // 2
    if wanted > len(pool):
        raise DataError(
            f"--reader-study {count} shows {wanted} synthetic images, and the arms of these runs hold {len(pool)}",
            f"ask for at most {2 * len(pool) + 1}" if pool else "judge a run on an arm that has some",
        )
    return [pool[place] for place in random.permutation(len(pool))[:wanted]]


def _draw_real(pools: StudyPools, wanted: Mapping[str, int], random: np.random.Generator) -> list[StudyImage]:
    """Draw the wanted number of real images of each label."""
    drawn: list[StudyImage] = []
    for label in sorted(wanted):
        of_label = [image for image in pools.real if image.row.label == label]
        if wanted[label] > len(of_label):
            users = "the generator learnt from" if pools.reals == "generator" else "the arms train on"
            raise DataError(
                f"the reader study needs {wanted[label]} real images labelled {label}, and {users} {len(of_label)}",
                "ask for fewer, or choose others with --reader-reals",
            )
        drawn += [of_label[place] for place in random.permutation(len(of_label))[: wanted[label]]]
    return drawn


def _describe_image(image: StudyImage) -> KeyEntry:
    row = image.row
    return KeyEntry(row.synthetic, row.label, row.source, row.file, image.data.name, row.image, row.row)
