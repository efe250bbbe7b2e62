"""raw images + labels -> dataset: decode, make grey and square, split, check."""

import errno
import os
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from xrayaug import console, csvfile, dataset, files, memory, production, sources, splits
from xrayaug.artifacts import Result
from xrayaug.console import Table
from xrayaug.dataset import LABELS, Row
from xrayaug.errors import DataError, InputError
from xrayaug.images import arrays, pixels, png, prefetching
from xrayaug.images.arrays import Pixels
from xrayaug.options import Prepare
from xrayaug.sources import Listing, Record

DETECTION_ORDER = ("rsna", "mura", "table", "folder")  # the most particular first
DEFAULT_HOLDOUT = 0.1  # the thesis, where there are two classes to validate a classifier on
LOST = {  # what a disk or a mount that fails says of a file that was there when the set was listed
    errno.EIO, errno.ENOENT, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.EHOSTDOWN, errno.ETIMEDOUT,
    errno.EMFILE, errno.ENFILE,
}  # fmt: skip
TEST, VALID = range(2)  # what a random split is for

Skipped = tuple[str, str]  # file and reason


@dataclass(frozen=True)
class Picture:
    """One usable image, ready to be written."""

    square: Pixels  # uint8 [1, size, size]
    note: "Note"


@dataclass(frozen=True)
class Note:
    """What is to be known of a record once it was read: of a usable image, or why it is none."""

    sha256: str = ""
    depth: str = ""
    blank: bool = False
    unusable: str = ""


@dataclass
class Reading:
    """What has been read so far."""

    source: str
    skipped: list[Skipped]
    rows: list[Row] = field(default_factory=list)
    depths: Counter[str] = field(default_factory=Counter)
    blank: set[str] = field(default_factory=set)  # sha256 of pictures of one grey level: equal, but no copies

    def add(self, record: Record, note: Note) -> None:
        """Take a record that has just been read, its picture written if it has a usable one."""
        if note.unusable:
            self.skipped.append((record.file, note.unusable))
            return
        self.rows.append(_row(record, self.source, len(self.rows), note.sha256))
        self.depths[note.depth] += 1
        if note.blank:
            self.blank.add(note.sha256)


def run(options: Prepare) -> Result:
    """Prepare; leaves `images.npy`, `index.csv` and `skipped.csv`."""
    return production.produce(options, "dataset", partial(_prepare, options))


def plan(options: Prepare) -> Result:
    """What would be read and how it would be split, without opening an image."""
    name, listing = _listing(options)
    rows = _split([_row(record, name, place, "") for place, record in enumerate(listing.records)], options)
    return _summary(options, name, rows) | {"skipped": len(listing.skipped), "notes": listing.notes}


def tables(result: Result) -> list[Table]:
    """The thesis's Tables 1 to 3 for this set, and what was left out."""
    return [
        _table_by_part("Table 1: studies", result["studies_by_part"]),
        _table_by_part("Table 2: images", result["images_by_part"]),
        _table_of_splits(result),
    ]


def _prepare(options: Prepare, directory: Path) -> Result:
    memory.keep_freed()
    name, listing = _listing(options)
    reading = _read(options, name, listing, directory)
    rows = _split(reading.rows, options, frozenset(reading.blank))
    duplicates = _report_duplicates(rows, options, reading.blank)
    dataset.write_index(directory, rows, split_by=options.split_by)
    files.write_text(directory / "skipped.csv", csvfile.dump([("file", "reason"), *reading.skipped]))
    _say_what_was_left_out(reading.skipped)
    return _summary(options, name, rows) | {
        "bit_depths": dict(sorted(reading.depths.items())),
        "blank": sum(row.sha256 in reading.blank for row in rows),
        "duplicates": duplicates,
        "skipped": len(reading.skipped),
        "notes": listing.notes,
    }


def _read(options: Prepare, source: str, listing: Listing, directory: Path) -> Reading:
    """Decode every record, writing `images.npy` as the pictures come.

    Raises:
        DataError: a file is unusable and the user asked for `--strict`.
        InputError: no file is usable.
    """
    console.say(f"reading {len(listing.records)} images of a '{source}' set under {listing.root}")
    for note in listing.notes:
        console.say(note)
    reading = Reading(source, list(listing.skipped))
    _check_strict(options, reading.skipped)
    with arrays.writing_images(directory, options.size, options.checkpoint_every) as writer:
        for record, note in zip(listing.records, writer.notes, strict=False):  # of a run that was stopped
            reading.add(record, Note(**note))
        left = listing.records[len(writer.notes) :]
        for record, picture in zip(left, _decode_all(options, listing, left), strict=True):
            reading.add(record, picture.note)
            _check_strict(options, reading.skipped)
            writer.write(picture.square, vars(picture.note))
    if not reading.rows:
        file, reason = reading.skipped[0]
        raise InputError(
            f"no usable image under {listing.root}; the first: {file}: {reason}", "check --input and --source"
        )
    return reading


def _check_strict(options: Prepare, skipped: list[Skipped]) -> None:
    if options.strict and skipped:
        file, reason = skipped[0]
        raise DataError(f"{file}: {reason}", "without --strict it would be skipped")


def _listing(options: Prepare) -> tuple[str, Listing]:
    if not options.input.exists():
        raise InputError(f"--input {options.input} does not exist", "check the path for a typing error")
    name = options.source if options.source != "auto" else _detect(options.input)
    listing = sources.load(name).read(options)
    if not listing.records:
        reason = f"; the first left out: {': '.join(listing.skipped[0])}" if listing.skipped else ""
        raise InputError(f"{options.input} holds no images of a '{name}' set{reason}", "check --input and --source")
    return name, listing


def _detect(path: Path) -> str:
    others = [name for name in sources.names() if name not in DETECTION_ORDER]
    for name in (*DETECTION_ORDER, *others):
        if sources.load(name).detect(path):
            console.say(f"{path} looks like a '{name}' set")
            return name
    raise InputError(
        f"{path} looks like none of {', '.join(sources.names())}",
        "name the layout with --source; for images in one flat folder add --label",
    )


def _decode_all(options: Prepare, listing: Listing, records: Sequence[Record]) -> Iterator[Picture]:
    """Decode in parallel, in the order given. Threads do: Pillow lets go of the interpreter while it works."""
    workers = options.workers or os.cpu_count() or 1
    count = len(listing.records)
    decode = partial(_decode, options, listing.root, workers <= png.MOST_THREADS)
    ahead = workers + prefetching.AHEAD  # so that all are busy while one picture takes long
    with console.progress(count, "prepare", done=count - len(records)) as advance:
        for picture in prefetching.in_threads(decode, records, ahead, workers):
            advance(1)
            yield picture


def _decode(options: Prepare, root: Path, quick: bool, record: Record) -> Picture:
    try:
        decoded = pixels.decode(root / record.file, bits=options.bits, invert=options.invert, quick=quick)
    except pixels.Unusable as reason:
        _raise_if_lost(reason, root / record.file)
        return Picture(np.empty((0, options.size, options.size), np.uint8), Note(unusable=str(reason)))
    square = pixels.square(decoded.grey, options.size, fit=options.fit, resample=options.resample)
    note = Note(pixels.checksum(decoded.grey), decoded.depth, pixels.is_blank(decoded.grey))
    return Picture(square[None], note)


def _raise_if_lost(reason: pixels.Unusable, file: Path) -> None:
    """Stop where storage or memory fails: without the pictures that it hides it would be another dataset.

    Raises:
        OSError: it does.
        MemoryError: there is none left for the picture.
    """
    problem = reason.__context__
    if isinstance(problem, MemoryError):
        raise MemoryError(f"decoding {file}") from None
    if isinstance(problem, OSError) and problem.errno in LOST:
        raise OSError(problem.errno, problem.strerror, str(file)) from None


def _row(record: Record, source: str, place: int, sha256: str) -> Row:
    return Row(
        image=arrays.IMAGES,
        row=place,
        split=record.split,
        label=record.label,
        patient=record.patient,
        study=record.study,
        source=source,
        synthetic=False,
        file=record.file,
        sha256=sha256,
        extra=record.extra,
    )


def _split(rows: list[Row], options: Prepare, blank: frozenset[str] = frozenset()) -> list[Row]:
    """Give every row its split: what the set says, then `--test` and `--holdout` drawn from the rest."""
    groups = _groups(rows, options.split_by, blank)
    given = {row.split for row in rows}
    for name, wanted in (("test", options.test), ("valid", options.holdout)):
        if wanted and name in given:
            flag = "--test" if name == "test" else "--holdout"
            raise DataError(f"the set has {name} images of its own; {flag} {wanted:g} would add to them", f"{flag} 0")
    holdout = options.holdout
    if holdout is None:
        holdout = DEFAULT_HOLDOUT if len({row.label for row in rows}) > 1 and "valid" not in given else 0.0
    rows = [row if row.split else replace(row, split="train") for row in rows]
    rows = _move(rows, groups, "test", options.test, (options.seed, TEST))
    return _move(rows, groups, "valid", holdout, (options.seed, VALID))


def _move(rows: list[Row], groups: list[Hashable], split: str, fraction: float, seed: tuple[int, int]) -> list[Row]:
    """Move a share of the training rows, in whole groups, to another split."""
    training = [place for place, row in enumerate(rows) if row.split == "train"]
    drawn = splits.draw([groups[p] for p in training], [rows[p].label for p in training], fraction, seed)
    moved = {training[index] for index in drawn}
    return [replace(row, split=split) if place in moved else row for place, row in enumerate(rows)]


def _groups(rows: list[Row], split_by: str, blank: frozenset[str]) -> list[Hashable]:
    """What must stay together: a patient's images, and those of patients who share a picture; or single images."""
    if split_by == "image":
        return list(range(len(rows)))
    parent: dict[Hashable, Hashable] = {}

    def root(node: Hashable) -> Hashable:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    repeated = _repeated(rows) - blank
    for row in rows:
        if row.sha256 in repeated:
            parent[root(("patient", row.patient))] = root(("pixels", row.sha256))
    return [root(("patient", row.patient)) for row in rows]


def _repeated(rows: Iterable[Row]) -> set[str]:
    """The pictures that more than one row has, by sha256."""
    seen: set[str] = set()
    repeated: set[str] = set()
    for row in rows:
        (repeated if row.sha256 in seen else seen).add(row.sha256)
    return repeated - {""}


def _report_duplicates(rows: list[Row], options: Prepare, blank: set[str]) -> dict[str, int]:
    """Count equal pictures; across splits they are an error, unless the user chose otherwise."""
    repeated = _repeated(rows) - blank
    copies: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.sha256 in repeated:
            copies[row.sha256].append(row)
    equal = list(copies.values())
    across = [group for group in equal if len({row.split for row in group}) > 1]
    contradicting = sum(len({row.label for row in group}) > 1 for group in equal)
    if equal:
        first, second = equal[0][:2]
        console.warn(f"{len(equal)} pictures occur more than once, such as {first.file} and {second.file}")
    if contradicting:
        console.warn(f"{contradicting} of them bear both labels")
    if across:
        _judge_copies_across_splits(across, options)
    return {"pictures": len(equal), "across_splits": len(across), "with_both_labels": contradicting}


def _judge_copies_across_splits(across: list[list[Row]], options: Prepare) -> None:
    first = across[0][0]
    second = next(row for row in across[0] if row.split != first.split)
    line = f"{len(across)} pictures are in two splits: {first.file} ({first.split}) is {second.file} ({second.split})"
    only_held_out = all("test" not in {row.split for row in group} for group in across)
    if options.duplicates == "warn" or (options.split_by == "image" and only_held_out):
        console.warn(f"{line}; scores will flatter")
    else:
        raise DataError(line, "remove the copies, or go on with --duplicates warn")


def _summary(options: Prepare, source: str, rows: list[Row]) -> Result:
    leaking = dataset.patients_in_two_splits(rows)
    if leaking and options.split_by == "image":
        console.warn(f"--split-by image: {leaking} patients are in more than one split, so scores will flatter")
    dataset.check_splits(rows, split_by=options.split_by)
    return {
        "source": source,
        "images": len(rows),
        "patients": len({row.patient for row in rows}),
        "size": options.size,
        "split_by": options.split_by,
        "patients_in_two_splits": leaking,
        "counts": dataset.counts(rows),
        "images_by_part": _by_part(rows),
        "studies_by_part": _by_part(_studies(rows)),
    }


def _studies(rows: Iterable[Row]) -> list[Row]:
    """One row per study: abnormal if any of its images is."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row.split if row.split == "test" else "train", row.study)
        if key not in found or row.label == "abnormal":
            found[key] = row
    return list(found.values())


def _by_part(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Counts as in the thesis's Tables 1 and 2: before the hold-out, so train means train and validation."""
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        where = "test" if row.split == "test" else "train"
        counted[row.extra.get("part", "all")][f"{where}_{row.label}"] += 1
    keys = [f"{where}_{label}" for where in ("train", "test") for label in LABELS]
    return {part: {key: numbers[key] for key in keys} for part, numbers in sorted(counted.items())}


def _table_by_part(title: str, parts: dict[str, dict[str, int]]) -> Table:
    lines = {**parts}
    if len(parts) > 1:
        lines["total"] = {key: sum(part[key] for part in parts.values()) for key in next(iter(parts.values()))}
    rows = [(name, *(f"{n:,}" for n in line.values()), f"{sum(line.values()):,}") for name, line in lines.items()]
    columns = ("Part", "Train normal", "Train abnormal", "Test normal", "Test abnormal", "Total")
    return Table(f"{title} (train before the hold-out)", columns, rows)


def _table_of_splits(result: Result) -> Table:
    columns, cells = [], []
    for split in dataset.SPLITS:
        for label in LABELS:
            columns.append(f"{split} {label}")
            cells.append(f"{result['counts'].get(split, {}).get(label, 0):,}")
    notes = [f"{result['patients']:,} patients, split by {result['split_by']}; {result['skipped']:,} files skipped"]
    if result["patients_in_two_splits"]:
        notes.append(f"{result['patients_in_two_splits']} patients are in more than one split")
    return Table("Table 3: images per split", (*columns, "Total"), [(*cells, f"{result['images']:,}")], notes)


def _say_what_was_left_out(skipped: list[Skipped]) -> None:
    if skipped:
        file, reason = skipped[0]
        more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
        console.warn(f"skipped {file}: {reason}{more}; all are listed in skipped.csv")
