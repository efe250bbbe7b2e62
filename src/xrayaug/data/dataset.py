"""The dataset on disk: `index.csv` over `images.npy`, and the manifest. Sole reader and writer.

`index.csv` has one row per image; its column `image` names
the array: `images.npy` for the dataset's own, `real/images.npy` for that of the input which the manifest calls `real`
(an arm copies no pixels), `real/real/images.npy` for an arm made from an arm.
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
from typing import Any

import numpy as np

from xrayaug.data.images import local_cache
from xrayaug.data.images.arrays import IMAGES, Pixels, map_images
from xrayaug.data.images.stack import Stack
from xrayaug.errors import ArtifactError, DataError
from xrayaug.storage import artifacts, csvfile, files
from xrayaug.storage.artifacts import Artifact

INDEX = "index.csv"
SPLITS = ("train", "valid", "test")
LABELS = ("normal", "abnormal")
CONTROLS = ("duplicate", "classical", "reweight", "shuffle")  # arms without what is to be judged, of the same size
REWEIGHT = "reweight"  # the one that adds nothing
MOST_PERCENT = 1e6  # added to an arm: more no figure can show
MOST_IMAGES = 1 << 40  # of a class: so that what is divided by them is a number
ROW_NUMBER = re.compile(r"[0-9]{1,40}")
MIXED = "mixed"  # of an arm whose added images have either label
BALANCE = "balance"  # of an arm whose added images even out the classes
UNLABELLED = ""  # synthetic images of a generator that learnt both labels without telling them apart


@dataclass(frozen=True)
class Row:
    """One image: where its pixels are and what is known of it."""

    image: str  # which array
    row: int  # which picture of it
    split: str
    label: str
    patient: str
    study: str
    source: str
    synthetic: bool
    file: str = ""  # the raw file it came from, relative to the raw set's root
    sha256: str = ""  # of the decoded picture before resizing: equal for equal pixels
    copy: int = 0  # which copy of a real training image, repeated or changed classically; 0 for what is none
    extra: Mapping[str, str] = field(default_factory=dict)  # further columns, as the raw set has them

    @property
    def added(self) -> bool:
        """Whether it is in training because `augment` put it there."""
        return self.synthetic or self.copy > 0


COLUMNS = tuple(column.name for column in fields(Row) if column.name != "extra")
SHARED = ("image", "split", "label", "patient", "study", "source")  # columns in which many rows say the same
REQUIRED = COLUMNS[: COLUMNS.index("synthetic") + 1]


class Dataset:
    """A finished dataset, its index read and checked, its arrays mapped and not yet read.

    Args:
        artifact: it, opened.
        cache: where copies of its arrays are kept on the machine's own disk, to be read in their place.
    """

    def __init__(self, artifact: Artifact, cache: Path | None = None) -> None:
        self.artifact = artifact
        self.path = artifact.path
        lines, self.rows = _read_index(artifact.file(INDEX))
        self.arrays = {name: _map_array(artifact, name, cache) for name in sorted({row.image for row in self.rows})}
        self._check_rows(lines)

    @property
    def split_by(self) -> str:
        """`patient`, or `image` where the user asked for the thesis's split, which lets patients leak.

        Raises:
            ArtifactError: the manifest says something else.
        """
        if "split_by" not in self.artifact.result:
            return "patient"
        return self.artifact.said(str, "result", "split_by", among=("patient", "image"))

    @property
    def size(self) -> int:
        """Height of the first array's images, in pixels."""
        return int(next(iter(self.arrays.values())).shape[1])

    def select(self, *, split: str | None = None, label: str | None = None, synthetic: bool | None = None) -> list[Row]:
        """The rows of that split, label and origin; None means any."""
        return [
            row
            for row in self.rows
            if (split is None or row.split == split)
            and (label is None or row.label == label)
            and (synthetic is None or row.synthetic == synthetic)
        ]

    def pixels(self, rows: Sequence[Row], size: int | None = None) -> Pixels:
        """The pictures of `rows`, uint8 `[N, S, S]`, resized to `size` where they have another; all in memory.

        Raises:
            DataError: no size is given and the pictures have different ones.
        """
        return self.stack(rows, size).at(slice(None))

    def stack(self, rows: Sequence[Row], size: int | None = None) -> Stack:
        """The pictures of `rows` as `pixels` gives them, to be read when they are asked for.

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
    """Open and check the dataset or arm at `path`, its pixels to be read from `cache` where that is given.

    Raises:
        ArtifactError: it is none, or damaged.
        DataError: its rows cannot stand (a synthetic image outside `train`, a patient in two splits, ...).
    """
    return Dataset(artifacts.open_artifact(path, "dataset", later=copied(cache)), cache)


def copied(cache: Path | None) -> Collection[str]:
    """The files of a dataset that are read from `cache`, where their hash is checked."""
    return () if cache is None else (IMAGES,)


def write_index(directory: Path, rows: Sequence[Row], *, split_by: str = "patient") -> None:
    """Write `index.csv`, after checking that the rows can stand.

    The column `copy` is there only where something is one.

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
    files.write_lines(directory / INDEX, csvfile.lines(itertools.chain([header], lines)))


def _free_names(extras: Sequence[str]) -> list[str]:
    """Return the names of further columns, those of our own columns as `list_NAME`."""
    taken = set(COLUMNS) | {name for name in extras if name.casefold() not in COLUMNS}
    names = []
    for name in extras:
        free = name
        if name.casefold() in COLUMNS:
            free = f"list_{name}"
            while free in taken:
                free += "_"
            taken.add(free)
        names.append(free)
    return names


def _cells(row: Row, columns: Sequence[str], extras: Sequence[str]) -> list[object]:
    """A row as a line of the index."""
    cells = [getattr(row, name) for name in columns]
    return [int(cell) if isinstance(cell, bool) else cell for cell in cells] + [
        row.extra.get(name, "") for name in extras
    ]


def borrowed(row: Row, input_name: str, **changes: Any) -> Row:
    """The row as an arm refers to it: its pixels stay in the input of that name."""
    return replace(row, image=sys.intern(f"{input_name}/{row.image}"), **changes)  # one name for all rows


def check_splits(rows: Iterable[Row], *, split_by: str) -> None:
    """Hold the rows to what makes an evaluation honest.

    Raises:
        DataError: a synthetic row or a copy outside `train`, an unlabelled real row, or a patient in two splits.
    """
    split_of: dict[str, str] = {}
    leaking: set[str] = set()
    for row in rows:
        if row.added and row.split != "train":
            what = "synthetic image" if row.synthetic else "copy"
            raise DataError(f"a {what} stands in '{row.split}'", "what is added may only be trained on")
        if not row.synthetic and row.label not in LABELS:
            raise DataError(f"the image {row.file or row.row} has no label", "labels are normal and abnormal")
        if row.patient and split_of.setdefault(row.patient, row.split) != row.split:
            leaking.add(row.patient)
    if leaking and split_by == "patient":
        raise DataError(
            f"{len(leaking)} patients are in more than one split, {min(leaking)} the first",
            "split by patient; or --split-by image, knowing that scores then flatter",
        )


def patients_in_two_splits(rows: Iterable[Row]) -> int:
    """How many patients have images in more than one split."""
    split_of: dict[str, str] = {}
    return len(
        {row.patient for row in rows if row.patient and split_of.setdefault(row.patient, row.split) != row.split}
    )


def counts(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Images per split and label: `{"train": {"normal": 3653, "abnormal": 1336}, ...}`."""
    found = Counter((row.split, row.label or "unlabelled") for row in rows)
    return {
        split: {label: number for (where, label), number in sorted(found.items(), reverse=True) if where == split}
        for split in SPLITS
        if any(where == split for where, _ in found)
    }


def arm_of(artifact: Artifact) -> dict[str, Any]:
    """What the manifest of an arm, or of a run on it, says was added: `percent`, `real_fraction`, `label`, `added`.

    `control` is what it is a control of, if it is one, and None otherwise, as in every arm from before there were any;
    one that is reweighted says by which class counts, its `prior`.

    Raises:
        ArtifactError: it does not say so, or something absurd.
    """
    where = ("result", "arm")
    arm = artifact.said(dict, *where)
    added = artifact.said(int, *where, "added", minimum=0)
    named = arm.get("control") is not None
    control = artifact.said(str, *where, "control", among=CONTROLS) if named else None
    counted = (artifact.said(int, *where, "prior", label, minimum=1, maximum=MOST_IMAGES) for label in LABELS)
    return arm | {
        "percent": float(artifact.said(float, *where, "percent", minimum=0, maximum=MOST_PERCENT)),
        "real_fraction": float(artifact.said(float, *where, "real_fraction", minimum=0, maximum=1)),
        "label": artifact.said(str, *where, "label", among=(*LABELS, MIXED, BALANCE)) if added or named else None,
        "added": added,
        "control": control,
        **({"prior": dict(zip(LABELS, counted, strict=True))} if control == REWEIGHT else {}),
    }


def _read_index(path: Path) -> tuple[Sequence[int], list[Row]]:
    """The number of every row's line, and the rows.

    Raises:
        ArtifactError: it is no index.
        DataError: a split or label that is none, or a picture that is there twice.
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
                yield reader.line_num, [csvfile.unguarded(cell) for cell in cells]


def _check_header(header: Sequence[str], path: Path) -> None:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise ArtifactError(f"{path} lacks the columns {', '.join(missing)}", "its first line names the columns")
    if len(set(header)) < len(header):
        raise ArtifactError(f"{path} has two columns of one name", "its first line names the columns")


def _parse_row(
    header: Sequence[str], cells: Sequence[str], where: str, extras: Mapping[str, int], shared: dict[Any, Any]
) -> Row:
    """A line as a row; values that rows have in common are kept in `shared`, once."""
    if len(cells) != len(header):
        raise ArtifactError(f"{where} has {len(cells)} cells, not {len(header)}")
    given = dict(zip(header, cells, strict=True))
    known = {name: given.pop(name, "") for name in COLUMNS}
    known["copy"] = known["copy"] or "0"
    if known["split"] not in SPLITS:
        raise DataError(f"{where}: the split is '{known['split']}'", f"splits are {', '.join(SPLITS)}")
    if known["label"] not in (*LABELS, UNLABELLED):
        raise DataError(f"{where}: the label is '{known['label']}'", f"labels are {' and '.join(LABELS)}")
    if not ROW_NUMBER.fullmatch(known["row"]) or known["synthetic"] not in ("0", "1"):
        raise ArtifactError(f"{where}: row must be a number, synthetic 0 or 1")
    if not ROW_NUMBER.fullmatch(known["copy"]):
        raise ArtifactError(f"{where}: copy must be a number")
    texts = {name: shared.setdefault(value, value) for name, value in known.items() if name in SHARED}
    values = tuple(given.values())
    row, copy, extra = int(known["row"]), int(known["copy"]), shared.setdefault(values, csvfile.Cells(extras, values))
    own = {"file": known["file"], "sha256": known["sha256"]}
    return Row(**texts, **own, row=row, copy=copy, synthetic=known["synthetic"] == "1", extra=extra)


def _check_unique(rows: Iterable[tuple[int, Row]], path: Path) -> None:
    """Hold each picture to one row, and to one more for each of its copies; `rows` come with their lines' numbers.

    Raises:
        DataError: one is there twice.
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
    """Map the array called `name`, through the inputs it is borrowed from.

    Raises:
        ArtifactError: there is none of that name, or it is not what it should be.
    """
    *borrowed_from, file = name.split("/")
    if file != IMAGES or any(part not in artifact.manifest["inputs"] for part in borrowed_from[:1]):
        raise ArtifactError(f"{artifact.path / INDEX} names '{name}', which is no array of its own or of an input")
    if borrowed_from:
        borrowed_of = artifact.open_input(borrowed_from[0], "dataset", later=copied(cache))
        return _map_array(borrowed_of, name.partition("/")[2], cache)
    return map_images(local_cache.local(artifact, IMAGES, cache))
