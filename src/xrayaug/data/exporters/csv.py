"""All images in one directory, and a list of them with labels, splits and patients, which `prepare` reads again.

images.csv  images/000000.png  images/000007-synthetic.png
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from xrayaug.data import exporters
from xrayaug.data.dataset import Row
from xrayaug.data.exporters import Example, Part
from xrayaug.options import Export
from xrayaug.storage import csvfile, files

LIST, DIRECTORY = "images.csv", "images"


def plan_parts(rows: Sequence[Row], options: Export) -> list[Part]:
    """Return parts of consecutive images."""
    return exporters.consecutive_parts(rows)


def part_files(part: Part, examples: Iterable[Example]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the PNG file of each image."""
    for example in examples:
        yield f"{DIRECTORY}/{example.name}.png", [example.png]


def write_lists(directory: Path, rows: Sequence[Row]) -> None:
    """Write the list of all images, in the order of the dataset."""
    files.write_lines(directory / LIST, csvfile.format_lines(_cells(rows)), durable=False)


def _cells(rows: Sequence[Row]) -> Iterator[Sequence[object]]:
    """Yield the names of the columns, and the cells of each row."""
    extras = exporters.extra_columns(rows)
    yield ["file_name", *exporters.describe_row(rows[0], extras)]
    for place, row in enumerate(rows):
        file = f"{DIRECTORY}/{exporters.image_name(place, row, len(rows))}.png"
        cells = exporters.describe_row(row, extras) | {"synthetic": int(row.synthetic)}
        yield [file, *cells.values()]
