"""Classifier runs -> a reader study: as many synthetic images as real ones, in random order, and the key.

What could tell the two kinds apart without looking is made equal: label by label as many of each, all of one size in
pixels, by the same resampling, as PNG files of the same encoder, under names that say nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from xrayaug.data.dataset import LABELS, Row
from xrayaug.data.images import contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import DataError, OutputError
from xrayaug.evaluation.reader_study.page import Shown, page
from xrayaug.storage import files

Result = dict[str, Any]  # JSON
PAGE_FILE, KEY_FILE = "reader.html", "reader-key.json"
STUDY_FIELD = "reader_study"  # of the result
FORMAT = 1
STREAM = 7  # of the seed: what is drawn for readers
STUDY_DIGITS = 16  # of a sha256, that name a study


class ImageSource(Protocol):
    """An opened dataset, as far as a study needs it."""

    @property
    def path(self) -> Path:
        """Its directory."""

    @property
    def arrays(self) -> Mapping[str, Pixels]:
        """Its arrays by name, `[N, H, W]` each."""

    def pixels(self, rows: Sequence[Row], size: int | None = None) -> Pixels:
        """Return the pictures of rows, resized to `size`, `[N, S, S]`."""


@dataclass(frozen=True)
class StudyImage:
    """An image of the study: its dataset, its row there, and its name on the page."""

    data: ImageSource
    row: Row
    name: str = ""

    @property
    def side(self) -> int:
        """Height and width of its array's pictures, the larger of the two, in pixels."""
        return int(max(self.data.arrays[self.row.image].shape[1:]))


@dataclass(frozen=True)
class StudyPools:
    """The images that a study can be drawn from, each once; `reals` is where the real ones come from."""

    synthetic: Sequence[StudyImage]
    real: Sequence[StudyImage]
    reals: str


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
    wanted = Counter(each.row.label for each in synthetic)
    if count % 2:
        wanted[max(wanted, key=lambda label: wanted[label])] += 1
    real = _draw_real(pools, wanted, random)
    shown = [*synthetic, *real]
    order = random.permutation(len(shown))
    names = random.choice(1 << 32, len(shown), replace=False)
    return [replace(shown[place], name=f"{name:08x}") for place, name in zip(order, names, strict=True)]


def count_images(drawn: Sequence[StudyImage], reals: str) -> Result:
    """Count the images of a study, for the result."""
    return {
        "images": len(drawn),
        "synthetic": sum(each.row.synthetic for each in drawn),
        "real": sum(not each.row.synthetic for each in drawn),
        "labels": {label: sum(each.row.label == label for each in drawn) for label in LABELS},
        "size": _size(drawn),
        "reals": reals,
    }


def make(drawn: Sequence[StudyImage], reals: str) -> tuple[dict[str, str], Result]:
    """Make the page and its key, as files by name, and the entry of the result."""
    size = _size(drawn)
    shown = [Shown(each.name, contact_sheets.encode_png(each.data.pixels([each.row], size)[0])) for each in drawn]
    lines = [f"{each.name} {files.sha256_bytes(each.png)}" for each in shown]
    study = files.sha256_bytes("\n".join(lines).encode())[:STUDY_DIGITS]
    key = {
        "format": FORMAT,
        "study": study,
        **count_images(drawn, reals),
        "answers": {each.name: _told(each) for each in drawn},
    }
    texts = {PAGE_FILE: page(study, shown), KEY_FILE: files.format_json(key)}
    return texts, {"study": study, **count_images(drawn, reals)}


def check_same(there: Mapping[str, Any], count: int, reals: str) -> None:
    """Check that the study that is there already is the one that is asked for: readers may be answering it.

    Raises:
        OutputError: it is another one.
    """
    asked = {"images": count, "reals": reals}
    differing = [f"{name} was {there.get(name)}, is now {now}" for name, now in asked.items() if there.get(name) != now]
    if differing:
        raise OutputError(
            f"there is another reader study already, which readers may be answering: {'; '.join(differing)}",
            "choose another --out, or --overwrite to do without it",
        )


def no_study(out: object) -> DataError:
    """Return the error that there is no study to score answers against."""
    return DataError(f"{out} has no reader study for these answers to be of", "xrayaug evaluate ... --reader-study 40")


def find_name(result: Mapping[str, Any]) -> str | None:
    """Return the name of the reader study in the result of an evaluation; None if there is none."""
    found = result.get(STUDY_FIELD)
    return str(found.get("study")) if isinstance(found, dict) else None


def _draw_synthetic(pool: Sequence[StudyImage], count: int, random: np.random.Generator) -> list[StudyImage]:
    wanted = count // 2
    if wanted > len(pool):
        raise DataError(
            f"--reader-study {count} shows {wanted} synthetic images, and the arms of these runs hold {len(pool)}",
            f"ask for at most {2 * len(pool) + 1}" if pool else "judge a run on an arm that has some",
        )
    return [pool[place] for place in random.permutation(len(pool))[:wanted]]


def _draw_real(pools: StudyPools, wanted: Mapping[str, int], random: np.random.Generator) -> list[StudyImage]:
    """Draw as many real images of each label as are wanted."""
    found: list[StudyImage] = []
    for label in sorted(wanted):
        of_label = [each for each in pools.real if each.row.label == label]
        if wanted[label] > len(of_label):
            whose = "the generator learnt from" if pools.reals == "generator" else "the arms train on"
            raise DataError(
                f"the reader study needs {wanted[label]} real images labelled {label}, and {whose} {len(of_label)}",
                "ask for fewer, or choose others with --reader-reals",
            )
        found += [of_label[place] for place in random.permutation(len(of_label))[: wanted[label]]]
    return found


def _size(drawn: Sequence[StudyImage]) -> int:
    """The size at which all are shown: the smallest, so that none is enlarged and none has more detail."""
    return min(each.side for each in drawn)


def _told(each: StudyImage) -> dict[str, Any]:
    row = each.row
    told = {"synthetic": row.synthetic, "label": row.label, "source": row.source, "file": row.file}
    return told | {"data": each.data.path.name, "image": row.image, "row": row.row}
