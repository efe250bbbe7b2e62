"""Read and write datasets: `index.csv`, which lists the images of `images.npy`, and the manifest.

`index.csv` has one row per image; its column `image` names the array: `images.npy` for the dataset's own,
`real/images.npy` for that of the input which the manifest calls `real` (an arm copies no pixels),
`real/real/images.npy` for an arm made from an arm, `synthetic/1/images.npy` for the second of several inputs.
"""

import csv
import itertools
import re
import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from xrayaug.data.images import local_cache
from xrayaug.data.images.arrays import IMAGES, Pixels, map_images
from xrayaug.data.images.stack import Stack
from xrayaug.errors import ArtifactError, DataError
from xrayaug.options import choices
from xrayaug.storage import artifacts, csvfile, files
from xrayaug.storage.artifacts import Artifact

INDEX = "index.csv"
SPLITS: tuple[str, ...] = get_args(choices.Split)
LABELS: tuple[str, ...] = choices.LABELS
NUMBER_PATTERN = re.compile(r"[0-9]{1,40}")
UNLABELLED = ""  # label of synthetic images of an unconditional generator trained on both labels


@dataclass(frozen=True)
class Row:
    """One image: the location of its pixels, and its metadata."""

    image: str  # name of the array
    row: int  # index of the image in the array
    split: str
    label: str
    patient: str
    study: str
    source: str
    synthetic: bool
    file: str = ""  # the raw file it came from, relative to the raw set's root
    sha256: str = ""  # of the decoded picture before resizing: equal for equal pixels
    copy: int = 0  # number of the copy of a real training image, repeated or augmented; 0 if it is no copy
    extra: Mapping[str, str] = field(default_factory=dict)  # further columns of the raw set

    @property
    def is_added(self) -> bool:
        """True if `augment` added the image to the training split."""
        return self.synthetic or self.copy > 0


COLUMNS = tuple(column.name for column in fields(Row) if column.name != "extra")
SHARED_COLUMNS = ("image", "split", "label", "patient", "study", "source")  # columns with few distinct values
REQUIRED = COLUMNS[: COLUMNS.index("synthetic") + 1]


class Dataset:
    """A finished dataset: its index is read and checked, its arrays are memory-mapped.

    Args:
        artifact: the opened artifact of the dataset.
        cache: directory on the local disk for copies of the arrays, which are read instead; None for no copies.
    """

    def __init__(self, artifact: Artifact, cache: Path | None = None) -> None:
        self.artifact = artifact
        self.path = artifact.path
        lines, self.rows = _read_index(artifact.file(INDEX))
        self.arrays = {name: _map_array(artifact, name, cache) for name in sorted({row.image for row in self.rows})}
        self._check_rows(lines)

    @property
    def split_by(self) -> str:
        """The unit of the split: "patient", or "image" as in the thesis, which can put a patient into two splits.

        Raises:
            ArtifactError: the manifest has another value.
        """
        if "split_by" not in self.artifact.result:
            return "patient"
        return self.artifact.get(str, "result", "split_by", among=("patient", "image"))

    @property
    def size(self) -> int:
        """The height of the first image in pixels; in an arm, that of the real ones."""
        return self.size_of(self.rows[0])

    def size_of(self, row: Row) -> int:
        """Return the height of the image of a row, in pixels."""
        return int(self.arrays[row.image].shape[1])

    def select(self, *, split: str | None = None, label: str | None = None, synthetic: bool | None = None) -> list[Row]:
        """Return the rows of this split, label and origin; None means any."""
        return [
            row
            for row in self.rows
            if (split is None or row.split == split)
            and (label is None or row.label == label)
            and (synthetic is None or row.synthetic == synthetic)
        ]

    def pixels(self, rows: Sequence[Row], size: int | None = None) -> Pixels:
        """Return the images of `rows` in memory, uint8 `[N, S, S]`, resized to `size` if they differ from it.

        Raises:
            DataError: no size is given and the pictures have different ones.
        """
        return self.stack(rows, size).read(slice(None))

    def stack(self, rows: Sequence[Row], size: int | None = None) -> Stack:
        """Return the images of `rows` as a stack that reads them on demand.

        Raises:
            DataError: no size is given and the pictures have different ones.
        """
        names = list(dict.fromkeys(row.image for row in rows))
        arrays = [self.arrays[name] for name in names]
        shapes = {array.shape[1:] for array in arrays}
        if size is None and len(shapes) > 1:
            raise DataError(f"{self.path} holds images of different sizes: {sorted(shapes)}", "ask for one size")
        shape = (size, size) if size is not None else next(iter(shapes), (0, 0))
        number = {name: place for place, name in enumerate(names)}
        which = np.fromiter((number[row.image] for row in rows), np.int32, len(rows))
        return Stack(arrays, which, np.fromiter((row.row for row in rows), np.int64, len(rows)), shape)

    def _check_rows(self, lines: Sequence[int]) -> None:
        for number, row in zip(lines, self.rows, strict=True):
            if not 0 <= row.row < len(self.arrays[row.image]):
                raise ArtifactError(
                    f"{self.path / INDEX} line {number}: row {row.row} is outside {row.image}, "
                    f"which holds {len(self.arrays[row.image])} images"
                )
        check_splits(self.rows, split_by=self.split_by)


def open_dataset(path: Path, cache: Path | None = None) -> Dataset:
    """Open and check the dataset or arm at `path`; its pixels are read from `cache` if it is given.

    Raises:
        ArtifactError: it is no dataset, or it is damaged.
        DataError: its rows are invalid (a synthetic image outside `train`, a patient in two splits, ...).
    """
    return Dataset(artifacts.open_artifact(path, "dataset", hash_later=cached_files(cache)), cache)


def cached_files(cache: Path | None) -> Collection[str]:
    """Return the files of a dataset that are read from `cache`, where their hash is checked."""
    return () if cache is None else (IMAGES,)


def write_index(directory: Path, rows: Sequence[Row], *, split_by: str = "patient") -> None:
    """Check the rows and write `index.csv`.

    The column `copy` is written only if some row is a copy.

    Raises:
        DataError: an added row outside `train`, a patient in two splits without `split_by="image"`, or a picture that
            is there twice without being a copy.
    """
    check_splits(rows, split_by=split_by)
    _check_unique(enumerate(rows, start=2), directory / INDEX)
    extras = sorted({name for row in rows for name in row.extra})
    columns = [name for name in COLUMNS if name != "copy" or any(row.copy for row in rows)]
    lines = (_cells(row, columns, extras) for row in rows)
    header = [*columns, *_free_names(extras)]
    files.write_lines(directory / INDEX, csvfile.format_lines(itertools.chain([header], lines)))


def _free_names(extras: Sequence[str]) -> list[str]:
    """Return the names of further columns, those of our own columns as `list_NAME`."""
    used = set(COLUMNS) | {name for name in extras if name.casefold() not in COLUMNS}
    names = []
    for name in extras:
        free = name
        if name.casefold() in COLUMNS:
            free = f"list_{name}"
            while free in used:
                free += "_"
            used.add(free)
        names.append(free)
    return names


def _cells(row: Row, columns: Sequence[str], extras: Sequence[str]) -> list[object]:
    """Return the cells of a row of the index."""
    cells = [getattr(row, name) for name in columns]
    return [int(cell) if isinstance(cell, bool) else cell for cell in cells] + [
        row.extra.get(name, "") for name in extras
    ]


def reference_row(row: Row, input_name: str, **changes: Any) -> Row:
    """Return the row of an arm that refers to `row` of the input `input_name`, which keeps the pixels."""
    return replace(row, image=sys.intern(f"{input_name}/{row.image}"), **changes)  # share one string among all rows


def split_array_name(artifact: Artifact, name: str) -> tuple[str, str]:
    """Return the input of a dataset that the array of this name belongs to, and the name of the array in that input.

    `synthetic/images.npy` gives `("synthetic", "images.npy")`, `synthetic/1/images.npy` of an arm with several such
    inputs `("synthetic/1", "images.npy")`. The first is empty for an array of the dataset's own.
    """
    if "/" not in name:
        return "", name
    owner, _, rest = name.partition("/")
    if owner not in artifact.manifest["inputs"] and "/" in rest:
        number, _, rest = rest.partition("/")
        owner = f"{owner}/{number}"
    return owner, rest


def check_splits(rows: Iterable[Row], *, split_by: str) -> None:
    """Check that the splits allow a valid evaluation.

    Raises:
        DataError: a synthetic row or a copy outside `train`, an unlabelled real row, or a patient in two splits.
    """
    split_of: dict[str, str] = {}
    leaking: set[str] = set()
    for row in rows:
        if row.is_added and row.split != "train":
            kind = "synthetic image" if row.synthetic else "copy"
            raise DataError(f"a {kind} is in the split '{row.split}'", "added images may only be in train")
        if not row.synthetic and row.label not in LABELS:
            raise DataError(f"the image {row.file or row.row} has no label", "labels are normal and abnormal")
        if row.patient and split_of.setdefault(row.patient, row.split) != row.split:
            leaking.add(row.patient)
    if leaking and split_by == "patient":
        raise DataError(
            f"{len(leaking)} patients are in more than one split, {min(leaking)} the first",
            "split by patient; or --split-by image, knowing that scores are then too high",
        )


def count_leaking_patients(rows: Iterable[Row]) -> int:
    """Return the number of patients with images in more than one split."""
    split_of: dict[str, str] = {}
    return len(
        {row.patient for row in rows if row.patient and split_of.setdefault(row.patient, row.split) != row.split}
    )


def count_images(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Return the number of images by split and label: `{"train": {"normal": 3653, "abnormal": 1336}, ...}`."""
    counts = Counter((row.split, row.label or "unlabelled") for row in rows)
    return {
        split: {
            label: number
            for (counted_split, label), number in sorted(counts.items(), reverse=True)
            if counted_split == split
        }
        for split in SPLITS
        if any(counted_split == split for counted_split, _ in counts)
    }


def _read_index(path: Path) -> tuple[Sequence[int], list[Row]]:
    """Return the line number of every row, and the rows.

    Raises:
        ArtifactError: it is no index.
        DataError: an unknown split or label, or an image that is listed twice.
    """
    numbers, rows = array("q"), []
    try:
        lines = _numbered_lines(path)
        header = next(lines, (0, []))[1]
        _check_header(header, path)
        shared: dict[Any, Any] = {}
        extras = {name: place for place, name in enumerate(name for name in header if name not in COLUMNS)}
        for number, cells in lines:
            numbers.append(number)
            rows.append(_parse_row(header, cells, f"{path} line {number}", extras, shared))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise ArtifactError(f"{path} cannot be read: {problem}") from None
    if not rows:
        raise ArtifactError(f"{path} lists no images")
    _check_unique(zip(numbers, rows, strict=True), path)
    return numbers, rows


def _numbered_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8", newline="") as text:
        reader = csv.reader(text, strict=True)
        for cells in reader:
            if any("\0" in cell for cell in cells):
                raise csv.Error("it holds NUL bytes")
            if cells:
                yield reader.line_num, [csvfile.unescape_formula(cell) for cell in cells]


def _check_header(header: Sequence[str], path: Path) -> None:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise ArtifactError(f"{path} lacks the columns {', '.join(missing)}", "its first line names the columns")
    if len(set(header)) < len(header):
        raise ArtifactError(f"{path} has two columns of one name", "its first line names the columns")


def _parse_row(
    header: Sequence[str], cells: Sequence[str], location: str, extras: Mapping[str, int], shared: dict[Any, Any]
) -> Row:
    """Parse a line; equal values of different rows are kept once, in `shared`."""
    if len(cells) != len(header):
        raise ArtifactError(f"{location} has {len(cells)} cells, not {len(header)}")
    cells_by_name = dict(zip(header, cells, strict=True))
    known = {name: cells_by_name.pop(name, "") for name in COLUMNS}
    known["copy"] = known["copy"] or "0"
    if known["split"] not in SPLITS:
        raise DataError(f"{location}: the split is '{known['split']}'", f"splits are {', '.join(SPLITS)}")
    if known["label"] not in (*LABELS, UNLABELLED):
        raise DataError(f"{location}: the label is '{known['label']}'", f"labels are {' and '.join(LABELS)}")
    if not NUMBER_PATTERN.fullmatch(known["row"]) or known["synthetic"] not in ("0", "1"):
        raise ArtifactError(f"{location}: row must be a number, synthetic 0 or 1")
    if not NUMBER_PATTERN.fullmatch(known["copy"]):
        raise ArtifactError(f"{location}: copy must be a number")
    texts = {name: shared.setdefault(value, value) for name, value in known.items() if name in SHARED_COLUMNS}
    values = tuple(cells_by_name.values())
    row, copy, extra = int(known["row"]), int(known["copy"]), shared.setdefault(values, csvfile.Cells(extras, values))
    own = {"file": known["file"], "sha256": known["sha256"]}
    return Row(**texts, **own, row=row, copy=copy, synthetic=known["synthetic"] == "1", extra=extra)


def _check_unique(rows: Iterable[tuple[int, Row]], path: Path) -> None:
    """Check that no image, and no copy of one, is listed twice; `rows` come with their line numbers.

    Raises:
        DataError: one is listed twice.
    """
    first: defaultdict[tuple[str, int], dict[int, int]] = defaultdict(dict)
    for number, row in rows:
        before = first[row.image, row.copy].setdefault(row.row, number)
        if before != number:
            raise DataError(
                f"{path} lines {before} and {number} are both picture {row.row} of {row.image}",
                "a picture that is there twice would count twice",
            )


def _map_array(artifact: Artifact, name: str, cache: Path | None) -> Pixels:
    """Memory-map the array `name`, which may belong to an input of an input.

    Raises:
        ArtifactError: there is no such array, or it changed.
    """
    owner, rest = split_array_name(artifact, name)
    if name.rpartition("/")[2] != IMAGES or (owner and owner not in artifact.manifest["inputs"]):
        raise ArtifactError(f"{artifact.path / INDEX} names '{name}', which is no array of its own or of an input")
    if owner:
        return _map_array(artifact.open_input(owner, "dataset", hash_later=cached_files(cache)), rest, cache)
    return map_images(local_cache.cached_path(artifact, IMAGES, cache))
