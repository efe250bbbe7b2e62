"""dataset or arm -> files for other programs: PNG files in directories or beside a list, or tar files."""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from xrayaug.data import dataset, exporters
from xrayaug.data.arms import REWEIGHT, Arm, read_arm
from xrayaug.data.dataset import Dataset, Row, open_dataset
from xrayaug.data.exporters import Example, Exporter, Part
from xrayaug.data.images import contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import UsageError
from xrayaug.options import Export
from xrayaug.options.export import SHARDED
from xrayaug.runtime import console, parallel
from xrayaug.runtime.console import Table
from xrayaug.storage import builder, files
from xrayaug.storage.artifacts import Result

MAX_FILES = 200_000  # that a manifest lists; its size is limited
JOURNAL = "parts.jsonl"  # in the directory with the state to resume a stopped run


def run(options: Export) -> Result:
    """Write the images of a dataset, and lists of what is known of them."""
    return builder.build_artifact(options, "export", partial(_export, options))


def plan(options: Export) -> Result:
    """Return what would be written."""
    data = open_dataset(options.data, options.local_cache)
    return _summary(options, data, _plan_parts(options, data.rows))


def tables(result: Result) -> list[Table]:
    """Return the table of the images of each split and label."""
    rows = [
        (split, label, f"{number:,}") for split, counts in result["counts"].items() for label, number in counts.items()
    ]
    kind = "tar files" if result["format"] == SHARDED else "PNG files"
    sizes = ", ".join(f"{number:,} of {size} px" for size, number in result["sizes"].items())
    notes = [f"{result['files']:,} {kind}; images: {sizes}"]
    if result["synthetic"]:
        notes.append(f"synthetic images: {result['synthetic']:,}, marked in the list and in their names")
    if result["copies"]:
        notes.append(f"images that a control adds once more: {result['copies']:,}, each with a file of its own")
    return [Table("Exported images", ("Split", "Label", "Images"), rows, notes)]


class Journal:
    """A file with one line for each part that was written: the names of its files, and a hash of their content."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / builder.RESUME / JOURNAL

    def restore(self, parts: Sequence[Part]) -> int:
        """Return how many parts, from the first on, a stopped run has written; forget those after them."""
        lines = self._path.read_bytes().splitlines(keepends=True) if self._path.exists() else []
        intact = list(itertools.takewhile(self._is_intact, lines[: len(parts)]))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(b"".join(intact))
        return len(intact)

    def append(self, names: Sequence[str], sha256: str) -> None:
        """Add a part that was written."""
        with self._path.open("ab") as journal:
            journal.write(json.dumps({"files": names, "sha256": sha256}).encode() + b"\n")

    def _is_intact(self, line: bytes) -> bool:
        """Return whether the files of a line have the content that was written."""
        content = hashlib.sha256()
        try:
            entry = json.loads(line)
            for name in entry["files"]:
                with (self._directory / name).open("rb") as file:
                    while piece := file.read(1 << 20):
                        content.update(piece)
            return bool(content.hexdigest() == entry["sha256"])
        except (OSError, ValueError, KeyError, TypeError):  # the run was killed, or the machine lost power
            return False


def _export(options: Export, directory: Path) -> Result:
    data = open_dataset(options.data, options.local_cache)
    parts = _plan_parts(options, data.rows)
    summary = _summary(options, data, parts)
    exporter, journal = exporters.load(options.format), Journal(directory)
    written = journal.restore(parts)
    left = parts[written:]
    done = sum(len(part.places) for part in parts[:written])
    if done:
        console.info(f"going on after {done:,} images")
    with (
        console.progress(len(data.rows), "export", done=done) as advance,
        closing(_encode(data, left)) as examples,
    ):
        for part in left:
            journal.append(*_write_part(exporter, part, itertools.islice(examples, len(part.places)), directory))
            advance(len(part.places))
    exporter.write_lists(directory, data.rows)
    return summary


def _write_part(exporter: Exporter, part: Part, examples: Iterable[Example], directory: Path) -> tuple[list[str], str]:
    """Write the files of a part; return their names, and the sha256 of their content.

    They are not flushed to disk one by one: a resumed run reads them and compares the hash.
    """
    content, names = hashlib.sha256(), []
    for name, pieces in exporter.part_files(part, examples):
        files.write_pieces(directory / name, _hashed(pieces, content), durable=False)
        names.append(name)
    return names, content.hexdigest()


def _hashed(pieces: Iterable[bytes], content: "hashlib._Hash") -> Iterator[bytes]:
    for piece in pieces:
        content.update(piece)
        yield piece


def _encode(data: Dataset, parts: Iterable[Part]) -> Generator[Example]:
    """Yield the images of all parts in order, encoded by threads."""
    stack = data.stack(data.rows, data.size)

    def encode(image: tuple[int, Pixels]) -> Example:
        place, picture = image
        row = data.rows[place]
        return Example(exporters.image_name(place, row, len(data.rows)), row, contact_sheets.encode_png(picture))

    places = itertools.chain.from_iterable(part.places for part in parts)
    return parallel.map_in_threads(encode, ((place, stack.picture(place)) for place in places))


def _plan_parts(options: Export, rows: Sequence[Row]) -> list[Part]:
    """Return the parts of the export.

    Raises:
        UsageError: they have more files than a manifest lists.
    """
    parts = exporters.load(options.format).plan_parts(rows, options)
    count = sum(part.file_count for part in parts)
    if count > MAX_FILES:
        raise UsageError(
            f"--format {options.format} would write {count:,} files for {len(rows):,} images, at most {MAX_FILES:,} "
            "are possible",
            "a larger --shard-size" if options.format == SHARDED else f"--format {SHARDED} packs them into tar files",
        )
    return parts


def _summary(options: Export, data: Dataset, parts: Sequence[Part]) -> Result:
    """Return the result, and warn of what no file can hold."""
    arm = read_arm(data.artifact) if "arm" in data.artifact.result else None
    if arm is not None and arm.settings.control == REWEIGHT:
        _warn_of_weights(data.path, arm)
    sizes = Counter(data.size_of(row) for row in data.rows)
    return {
        "format": options.format,
        "images": len(data.rows),
        "files": sum(part.file_count for part in parts),
        "counts": dataset.count_images(data.rows),
        "synthetic": sum(row.synthetic for row in data.rows),
        "copies": sum(row.copy > 0 for row in data.rows),
        "sizes": {str(size): number for size, number in sorted(sizes.items())},
        "split_by": data.split_by,
        **({} if arm is None else {"arm": dict(arm.record)}),
    }


def _warn_of_weights(path: Path, arm: Arm) -> None:
    counts = " and ".join(f"{number:,} {label}" for label, number in (arm.prior or {}).items())
    console.warning(
        f"{path} is a control that only weights the loss, which no file can say: weigh the classes as if there were "
        f"{counts} images"
    )
