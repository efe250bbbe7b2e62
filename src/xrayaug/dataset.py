"""The dataset on disk: `images.npy`, `index.csv` and the manifest. Sole reader and writer.

`images.npy` is uint8 `[N, H, W]`, 0 black to 255 white. `index.csv` has one row per image; its column `image` names
the array: `images.npy` for the dataset's own, `real/images.npy` for that of the input which the manifest calls `real`
(an arm copies no pixels), `real/real/images.npy` for an arm made from an arm.
"""

import csv
import hashlib
import io
import json
import math
import os
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from xrayaug import artifacts, console, csvfile, files, production, stopping
from xrayaug.artifacts import Artifact
from xrayaug.command import Interval
from xrayaug.errors import ArtifactError, DataError
from xrayaug.stopping import Pace

IMAGES = "images.npy"
INDEX = "index.csv"
SPLITS = ("train", "valid", "test")
LABELS = ("normal", "abnormal")
JOURNAL = "images.jsonl"  # beside what else a stopped run needs
FREQUENT = Interval(seconds=60)  # between lines of the journal
CHUNK_BYTES = 1 << 26  # pixels of one line, at most
LARGEST = 4096  # pixels of a picture's side, as `prepare --size` allows
MOST_PERCENT = 1e6  # added to an arm: more no figure can show
ROW_NUMBER = re.compile(r"[0-9]{1,40}")
UNLABELLED = ""  # synthetic images of a generator that learnt both labels without telling them apart

Pixels = npt.NDArray[np.uint8]


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
    extra: Mapping[str, str] = field(default_factory=dict)  # further columns, as the raw set has them


COLUMNS = tuple(column.name for column in fields(Row) if column.name != "extra")
REQUIRED = COLUMNS[: COLUMNS.index("synthetic") + 1]


class Dataset:
    """A finished dataset, its index read and checked, its arrays mapped and not yet read."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.path = artifact.path
        found = _read_index(artifact.file(INDEX))
        self.rows = list(found.values())
        self.arrays = {name: _map_array(artifact, name) for name in sorted({row.image for row in self.rows})}
        self._check_rows(found)

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
        """The pictures of `rows`, uint8 `[N, S, S]`, resized to `size` where they have another.

        Raises:
            DataError: no size is given and the pictures have different ones.
        """
        shapes = {self.arrays[row.image].shape[1:] for row in rows}
        if size is None and len(shapes) > 1:
            raise DataError(f"{self.path} holds images of different sizes: {sorted(shapes)}", "ask for one size")
        shape = (size, size) if size is not None else next(iter(shapes), (0, 0))
        gathered = np.empty((len(rows), *shape), np.uint8)
        for place, row in enumerate(rows):
            picture = self.arrays[row.image][row.row]
            gathered[place] = picture if picture.shape == shape else _resized(picture, shape)
        return gathered

    def _check_rows(self, found: Mapping[int, Row]) -> None:
        for number, row in found.items():
            if not 0 <= row.row < len(self.arrays[row.image]):
                raise ArtifactError(
                    f"{self.path / INDEX} line {number}: row {row.row} is outside {row.image}, "
                    f"which holds {len(self.arrays[row.image])} images"
                )
        check_splits(self.rows, split_by=self.split_by)


def open_dataset(path: Path) -> Dataset:
    """Open and check the dataset or arm at `path`.

    Raises:
        ArtifactError: it is none, or damaged.
        DataError: its rows cannot stand (a synthetic image outside `train`, a patient in two splits, ...).
    """
    return Dataset(artifacts.open_artifact(path, "dataset"))


def write_index(directory: Path, rows: Sequence[Row], *, split_by: str = "patient") -> None:
    """Write `index.csv`, after checking that the rows can stand.

    Raises:
        DataError: a synthetic row outside `train`, a patient in two splits without `split_by="image"`, or a picture
            that is there twice.
    """
    check_splits(rows, split_by=split_by)
    _check_unique(enumerate(rows, start=2), directory / INDEX)
    extras = sorted({name for row in rows for name in row.extra})
    lines: list[list[object]] = [[*COLUMNS, *extras]]
    for row in rows:
        cells = [getattr(row, name) for name in COLUMNS]
        lines.append([int(cell) if isinstance(cell, bool) else cell for cell in cells]
                     + [row.extra.get(name, "") for name in extras])  # fmt: skip
    files.write_text(directory / INDEX, csvfile.dump(lines))


@contextmanager
def writing_images(directory: Path, size: int, every: Interval = FREQUENT) -> Iterator["ImageWriter"]:
    """Write `images.npy` picture by picture; how many there are need not be known before the end.

    Yields:
        The writer, which has already what a stopped run wrote into this directory.

    Raises:
        Stopped: the run was asked to stop; what was written is kept.
    """
    writer = ImageWriter(directory, size, every)
    try:
        with stopping.deferred():
            yield writer
            writer.finish()
    finally:
        writer.close()


class ImageWriter:
    """`images.npy` as it grows, with a journal beside it: what a killed run wrote since its last line is cut off.

    Each line of the journal stands for the pictures since the line before and holds the notes that came with them,
    and a hash of both.
    """

    def __init__(self, directory: Path, size: int, every: Interval) -> None:
        self.size = size
        self.count = 0  # pictures written
        self.notes: list[Any] = []  # what was noted of them, in order
        self._pace = Pace(every)
        self._journal = directory / production.RESUME / JOURNAL
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        self._file = (directory / IMAGES).open("r+b" if (directory / IMAGES).exists() else "w+b")
        self._file.seek(len(_header(0, size)))
        self._take_up()
        self._begin_chunk()

    def write(self, pictures: Pixels, *notes: Any) -> None:
        """Append pictures uint8 `[N, size, size]` and what is to be known of them, as JSON; a stop waits for this.

        Raises:
            Stopped: the run was asked to stop, and everything up to here is kept.
        """
        content = np.ascontiguousarray(pictures).data
        self._file.write(content)
        self._hash.update(content)
        self._added += len(pictures)
        self._new_notes += notes
        full = self._added * self.size**2 >= CHUNK_BYTES
        if full or stopping.requested() or self._pace.due(self.count + self._added):
            self._commit()
        stopping.check()

    def finish(self) -> None:
        """Commit what is left, and have the array's header say how many pictures there are."""
        self._commit()
        self._file.seek(0)
        self._file.write(_header(self.count, self.size))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _take_up(self) -> None:
        """Read the journal and cut off what it does not vouch for."""
        lines = self._journal.read_bytes().splitlines(keepends=True) if self._journal.exists() else []
        vouched = 0
        for line in lines:
            if not self._holds(line):
                break
            vouched += len(line)
        if lines:
            os.truncate(self._journal, vouched)
            console.say(f"going on after {self.count:,} images")
        self._file.seek(len(_header(0, self.size)) + self.count * self.size**2)
        self._file.truncate()

    def _holds(self, line: bytes) -> bool:
        """Whether the next pictures are those that the line is of; if so, they are taken."""
        if not line.endswith(b"\n"):  # the run was killed while it wrote the line
            return False
        try:
            entry = json.loads(line)
            pixels = self._file.read(entry["images"] * self.size**2)
            holds = bool(_chunk_hash(hashlib.sha256(pixels), entry["notes"]) == entry["sha256"])
        except (ValueError, KeyError, TypeError):
            return False
        if holds:
            self.count += entry["images"]
            self.notes += entry["notes"]
        else:
            console.warn(f"{self._file.name} is damaged after {self.count} images, and is made again from there")
        return holds

    def _commit(self) -> None:
        if self._added or self._new_notes:
            self._file.flush()
            os.fsync(self._file.fileno())
            line = {"images": self._added, "notes": self._new_notes, "sha256": _chunk_hash(self._hash, self._new_notes)}
            with self._journal.open("ab") as journal:
                journal.write(json.dumps(line).encode() + b"\n")
                journal.flush()
                os.fsync(journal.fileno())
            self.count += self._added
            self.notes += self._new_notes
        self._begin_chunk()

    def _begin_chunk(self) -> None:
        self._hash = hashlib.sha256()
        self._added = 0
        self._new_notes: list[Any] = []
        self._pace.restart(self.count)


def borrowed(row: Row, input_name: str, **changes: Any) -> Row:
    """The row as an arm refers to it: its pixels stay in the input of that name."""
    return replace(row, image=f"{input_name}/{row.image}", **changes)


def check_splits(rows: Iterable[Row], *, split_by: str) -> None:
    """Hold the rows to what makes an evaluation honest.

    Raises:
        DataError: a synthetic row outside `train`, an unlabelled real row, or a patient in two splits.
    """
    splits_of: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.synthetic and row.split != "train":
            raise DataError(f"a synthetic image stands in '{row.split}'", "synthetic images may only be trained on")
        if not row.synthetic and row.label not in LABELS:
            raise DataError(f"the image {row.file or row.row} has no label", "labels are normal and abnormal")
        if row.patient:
            splits_of[row.patient].add(row.split)
    leaking = sorted(patient for patient, splits in splits_of.items() if len(splits) > 1)
    if leaking and split_by == "patient":
        raise DataError(
            f"{len(leaking)} patients are in more than one split, {leaking[0]} the first",
            "split by patient; or --split-by image, knowing that scores then flatter",
        )


def patients_in_two_splits(rows: Iterable[Row]) -> int:
    """How many patients have images in more than one split."""
    splits_of: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.patient:
            splits_of[row.patient].add(row.split)
    return sum(len(splits) > 1 for splits in splits_of.values())


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

    Raises:
        ArtifactError: it does not say so, or something absurd.
    """
    where = ("result", "arm")
    arm = artifact.said(dict, *where)
    added = artifact.said(int, *where, "added", minimum=0)
    return arm | {
        "percent": float(artifact.said(float, *where, "percent", minimum=0, maximum=MOST_PERCENT)),
        "real_fraction": float(artifact.said(float, *where, "real_fraction", minimum=0, maximum=1)),
        "label": artifact.said(str, *where, "label", among=LABELS) if added else None,
        "added": added,
    }


def _read_index(path: Path) -> dict[int, Row]:
    """Every row by the number of its line.

    Raises:
        ArtifactError: it is no index.
        DataError: a split or label that is none, or a picture that is there twice.
    """
    try:
        lines = dict(_numbered_lines(path))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise ArtifactError(f"{path} cannot be read: {problem}") from None
    header = lines.pop(next(iter(lines), 0), [])
    _check_header(header, path)
    rows = {number: _parse_row(header, cells, f"{path} line {number}") for number, cells in lines.items()}
    if not rows:
        raise ArtifactError(f"{path} lists no images")
    _check_unique(rows.items(), path)
    return rows


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


def _parse_row(header: Sequence[str], cells: Sequence[str], where: str) -> Row:
    if len(cells) != len(header):
        raise ArtifactError(f"{where} has {len(cells)} cells, not {len(header)}")
    given = dict(zip(header, cells, strict=True))
    known = {name: given.pop(name, "") for name in COLUMNS}
    if known["split"] not in SPLITS:
        raise DataError(f"{where}: the split is '{known['split']}'", f"splits are {', '.join(SPLITS)}")
    if known["label"] not in (*LABELS, UNLABELLED):
        raise DataError(f"{where}: the label is '{known['label']}'", f"labels are {' and '.join(LABELS)}")
    if not ROW_NUMBER.fullmatch(known["row"]) or known["synthetic"] not in ("0", "1"):
        raise ArtifactError(f"{where}: row must be a number, synthetic 0 or 1")
    texts = {name: value for name, value in known.items() if name not in ("row", "synthetic")}
    return Row(**texts, row=int(known["row"]), synthetic=known["synthetic"] == "1", extra=given)


def _check_unique(rows: Iterable[tuple[int, Row]], path: Path) -> None:
    """Hold each picture to one row; `rows` come with the numbers of their lines.

    Raises:
        DataError: one is there twice.
    """
    first: dict[tuple[str, int], int] = {}
    for number, row in rows:
        before = first.setdefault((row.image, row.row), number)
        if before != number:
            raise DataError(
                f"{path} lines {before} and {number} are both picture {row.row} of {row.image}",
                "a picture that is there twice would count twice",
            )


def _map_array(artifact: Artifact, name: str) -> Pixels:
    """Map the array called `name`, through the inputs it is borrowed from.

    Raises:
        ArtifactError: there is none of that name, or it is not what it should be.
    """
    *borrowed_from, file = name.split("/")
    if file != IMAGES or any(part not in artifact.manifest["inputs"] for part in borrowed_from[:1]):
        raise ArtifactError(f"{artifact.path / INDEX} names '{name}', which is no array of its own or of an input")
    if borrowed_from:
        return _map_array(artifact.open_input(borrowed_from[0], "dataset"), name.partition("/")[2])
    path = artifact.file(IMAGES)
    try:
        shape, start = _read_header(path)
        return np.memmap(path, np.uint8, "r", start, shape)
    except Exception as problem:  # NumPy's parser of damaged headers raises whatever it trips over
        raise ArtifactError(f"{path} cannot be read: {problem}", f"make {artifact.path} again") from None


def _read_header(path: Path) -> tuple[tuple[int, ...], int]:
    """Shape of the array and where its pixels begin.

    Raises:
        ValueError: it is no array of pictures, or the file has not the size that its header says.
    """
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy mends headers that Python 2 wrote; ours it did not
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, in_columns, dtype = read(file)
        start = file.tell()
    if dtype != np.uint8 or len(shape) != 3 or in_columns:
        raise ValueError(f"it holds {dtype} {list(shape)}, must be uint8 [N, H, W] in rows")
    if min(shape) < 1 or max(shape[1:]) > LARGEST:
        raise ValueError(f"its shape is {list(shape)}, and a picture's sides are from 1 to {LARGEST} pixels")
    if path.stat().st_size != start + math.prod(shape):
        raise ValueError(f"its header says {list(shape)}, which is not the file's size")
    return shape, start


def _header(count: int, size: int) -> bytes:
    """The first bytes of `images.npy`; their length does not depend on the count: NumPy leaves room for it to grow."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (count, size, size)})
    return header.getvalue()


def _chunk_hash(pixels: "hashlib._Hash", notes: list[Any]) -> str:
    pixels.update(json.dumps(notes).encode())
    return pixels.hexdigest()


def _resized(picture: Pixels, shape: tuple[int, ...]) -> Pixels:
    height, width = shape
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))
