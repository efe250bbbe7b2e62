"""One directory for each split and label, as torchvision's `ImageFolder`, timm and Hugging Face `datasets` read.

train/normal/000000.png  train/abnormal/000007-synthetic.png  train/metadata.jsonl  test/...

Each split has a list `metadata.jsonl` with one JSON object per image, as Hugging Face `datasets` reads it
(https://huggingface.co/docs/datasets/image_dataset#imagefolder). It would also read `metadata.csv`, but guesses the
types of its columns for each split: identifiers of digits lose their leading zeros, and an arm is refused because the
patients of its synthetic images are empty.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from xrayaug.data import exporters
from xrayaug.data.dataset import SPLITS, Row
from xrayaug.data.exporters import UNLABELLED_NAME, Example, Part
from xrayaug.options import Export
from xrayaug.storage import files

LIST = "metadata.jsonl"


def plan_parts(rows: Sequence[Row], options: Export) -> list[Part]:
    """Return parts of consecutive images."""
    return exporters.consecutive_parts(rows)


def part_files(part: Part, examples: Iterable[Example]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the PNG file of each image."""
    for example in examples:
        yield f"{example.row.split}/{_file_name(example.name, example.row)}", [example.png]


def write_lists(directory: Path, rows: Sequence[Row]) -> None:
    """Write the list of each split, and make the directory of each label in each split.

    `ImageFolder` numbers the classes of a split by the directories there. A directory that is empty makes it raise an
    error; without it, the classes of this split would have other numbers.
    """
    extras = exporters.extra_columns(rows)
    labels = {row.label or UNLABELLED_NAME for row in rows}
    for split in SPLITS:
        if any(row.split == split for row in rows):
            for label in labels:
                (directory / split / label).mkdir(parents=True, exist_ok=True)
            files.write_lines(directory / split / LIST, _lines(rows, split, extras), durable=False)


def _lines(rows: Sequence[Row], split: str, extras: Sequence[str]) -> Iterator[str]:
    """Yield the line of each image of the split."""
    for place, row in enumerate(rows):
        if row.split == split:
            file = {"file_name": _file_name(exporters.image_name(place, row, len(rows)), row)}
            yield json.dumps(file | exporters.describe_row(row, extras), ensure_ascii=False) + "\n"


def _file_name(name: str, row: Row) -> str:
    """Return the path of an image relative to the directory of its split."""
    return f"{row.label or UNLABELLED_NAME}/{name}.png"
