"""The formats of `export`: one module each, found by listing this folder.

To add one, write `exporters/<name>.py` with the members of `Exporter` below. It only names files and puts bytes into
them; reading, encoding, resuming and sealing are the same for all formats and lie in `stages/export.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from xrayaug.data.dataset import COLUMNS, Row
from xrayaug.data.parsing import image_files
from xrayaug.options import Export
from xrayaug.runtime import plugins

UNLABELLED_NAME = "unlabelled"  # of images without a label, where a name is needed
MIN_DIGITS = 6  # of the number in the name of an image
NAMED_BY_NUMBER = ("rsna",)  # sources whose files are called by the number of their patient
PART_IMAGES = 256  # in a part of a format without shards


@dataclass(frozen=True)
class Part:
    """Images that are written together. A stopped run writes at most one part again."""

    places: Sequence[int]  # of the rows in the index
    file: str = ""  # the file that holds them all; empty if each has a file of its own

    @property
    def file_count(self) -> int:
        """The number of files of the part."""
        return 1 if self.file else len(self.places)


@dataclass(frozen=True, slots=True)
class Example:
    """An image as it is exported."""

    name: str  # of its file, without the suffix; no other image has it
    row: Row
    png: bytes


class Exporter(Protocol):
    """The functions that each module in this folder has."""

    def plan_parts(self, rows: Sequence[Row], options: Export) -> list[Part]:
        """Return the parts in which the images of a dataset are written; each image is in exactly one."""

    def part_files(self, part: Part, examples: Iterable[Example]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Yield the files of a part: each relative path, and the content in pieces, to be read before the next."""

    def write_lists(self, directory: Path, rows: Sequence[Row]) -> None:
        """Write what describes all images beside them."""


def names() -> tuple[str, ...]:
    """Return the names of all formats, sorted, without importing them."""
    return plugins.names("data.exporters")


def load(name: str) -> Exporter:
    """Return the format of that name."""
    return cast(Exporter, plugins.load("data.exporters", name))


def image_name(place: int, row: Row, count: int) -> str:
    """Return the name of an image: its number in the index, and whether it is synthetic.

    Args:
        place: number of the image in the index.
        row: its row.
        count: number of images, which decides the number of digits.
    """
    digits = max(MIN_DIGITS, len(str(count - 1)))
    return f"{place:0{digits}}{'-synthetic' if row.synthetic else ''}"


def consecutive_parts(rows: Sequence[Row]) -> list[Part]:
    """Return parts of `PART_IMAGES` consecutive images, each with a file of its own."""
    return [Part(range(len(rows))[first : first + PART_IMAGES]) for first in range(0, len(rows), PART_IMAGES)]


def extra_columns(rows: Sequence[Row]) -> list[str]:
    """Return the names of the further columns that any row has, sorted."""
    return sorted({name for row in rows for name in row.extra})


def describe_row(row: Row, extras: Sequence[str]) -> dict[str, str | int | bool]:
    """Return what is known of an image, by column: label, patient and so on, then the further columns.

    The raw file is in the column `original_file`, since a column called `file` would be taken for the exported one. A
    patient or study that is not known is empty; the index calls it by the image's file, or a patient by the study.
    """
    own_id = "" if row.source in NAMED_BY_NUMBER else image_files.strip_suffix(row.file)
    is_unknown = row.patient == own_id or row.patient.startswith("study:")
    known: dict[str, str | int | bool] = {
        "label": row.label,
        "split": row.split,
        "patient": "" if is_unknown else row.patient,
        "study": "" if row.study == own_id else row.study,
        "synthetic": row.synthetic,
        "copy": row.copy,
        "source": row.source,
        "original_file": row.file,
    }
    taken = {*COLUMNS, *known, "file_name"}
    return known | {_free_name(name, taken): row.extra.get(name, "") for name in extras}


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name for a further column that none of ours has, and reserve it.

    Hugging Face `datasets` takes every column whose name ends in `file_name` or `file_names` for further images.
    """
    free = name if name.casefold() not in taken else f"list_{name}"
    while free in taken or free.endswith(("file_name", "file_names")):
        free += "_"
    taken.add(free)
    return free
