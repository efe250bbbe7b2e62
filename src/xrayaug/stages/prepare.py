"""raw images + labels -> dataset: decode, make grey and square, split, check."""

import math
import statistics
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from xrayaug.data import dataset, duplicates, near_duplicates, sources, splits
from xrayaug.data.dataset import LABELS, Row
from xrayaug.data.images import arrays, bit_depth, decoding, pixels
from xrayaug.data.images.decoding import Manner, Note
from xrayaug.data.images.pixels import Scale
from xrayaug.data.parsing import non_images
from xrayaug.data.sources import BROKEN_LINK, MISSING, OTHER_SUFFIX, SEVERAL, Listing, Record
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.options import Prepare
from xrayaug.runtime import console, malloc
from xrayaug.runtime.console import Table
from xrayaug.storage import builder, csvfile, files, raw_inputs
from xrayaug.storage.artifacts import Result
from xrayaug.storage.files import Stamp
from xrayaug.storage.raw_inputs import RawInput, Read

OF_TABLES = ("table", "image_column", "label_column", "patient_column", "study_column", "split_column", "only",
             "empty_label", "unsure_label", "encoding", "keep_columns")  # fmt: skip
NAME_PATIENTS = ("rsna", "mura")
DETECTION_ORDER = ("rsna", "mura", "table", "folder")  # the most particular first

SMALL = 16  # times as many pixels has the median of a set than what is taken for an icon or a preview
MOST_WORDS = 20  # of a label column, shown

Skipped = tuple[str, str]  # file and reason


@dataclass
class Reading:
    """What has been read so far."""

    source: str
    skipped: list[Skipped]
    lost: list[Skipped]  # those of the skipped that were listed or found, and cannot be read
    rows: list[Row] = field(default_factory=list)
    patients_unknown: int = 0  # images whose patient is not known
    depths: Counter[str] = field(default_factory=Counter)
    scale: Scale | None = None  # of files of more than eight bits
    blank: set[str] = field(default_factory=set)  # sha256 of pictures of one grey level: equal, but no copies
    areas: "array[int]" = field(default_factory=lambda: array("q"))  # pixels of each usable image
    seeming: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # see `Decoded.seems`
    stamps: "array[int]" = field(default_factory=lambda: array("q"))  # three numbers of each record: `files.Stamp`

    def add(self, record: Record, note: Note) -> None:
        """Take a record that has just been read, its picture written if it has a usable one."""
        self.stamps.extend(note.stamp or (0, 0, 0))
        if note.unusable:
            self.skipped.append((record.file, note.unusable))
            self.lost.append((record.file, note.unusable))
            return
        self.rows.append(_row(record, self.source, len(self.rows), note.sha256))
        self.patients_unknown += not record.patient_known
        self.depths[note.depth] += 1
        if note.blank:
            self.blank.add(note.sha256)
        self.areas.append(note.area)
        for seeming in note.seems:
            self.seeming[seeming].append(record.file)


def run(options: Prepare) -> Result:
    """Prepare; leaves `images.npy`, `index.csv` and `skipped.csv`."""
    listed = cache(partial(_listing, options))
    build = partial(_prepare, options, listed)
    return builder.produce(options, "dataset", build, raw=lambda: {"input": _raw_input(options, listed()[1])})


def plan(options: Prepare) -> Result:
    """What would be read and how it would be split, without opening an image."""
    name, listing = _listing(options)
    _check_lost(options, listing.lost(), len(listing.records) + len(listing.lost()))
    rows = [_row(record, name, place, "") for place, record in enumerate(listing.records)]
    rows = splits.assign(rows, options, near_copies=near_duplicates.by_name(rows, options).groups)
    for warning in listing.warnings:
        console.warn(warning)
    unknown = sum(not record.patient_known for record in listing.records)
    return _summary(options, name, rows, unknown) | _read_as(listing) | {"skipped": len(listing.skipped)}


def tables(result: Result) -> list[Table]:
    """The words that were read as labels, the thesis's Tables 1 to 3 for this set, and what was left out."""
    return [
        *([_table_of_words(result)] if result["labels"] else []),
        _table_by_part("Table 1: studies", result["studies_by_part"]),
        _table_by_part("Table 2: images", result["images_by_part"]),
        _table_of_splits(result),
    ]


def _prepare(options: Prepare, listed: Callable[[], tuple[str, Listing]], directory: Path) -> Result:
    malloc.keep_freed()
    name, listing = listed()
    lists = _raw_input(options, listing).lists_by_name()
    reading = _read(options, name, listing, directory)
    doubtful = _on_doubtful(reading)
    near = near_duplicates.find(reading.rows, arrays.map_images(directory / arrays.IMAGES), options)
    rows = splits.assign(reading.rows, options, frozenset(reading.blank), near.groups)
    equal = duplicates.report(rows, options, reading.blank)
    nearly_equal = near_duplicates.report(rows, near, options)
    dataset.write_index(directory, rows, split_by=options.split_by)
    files.write_text(directory / "skipped.csv", csvfile.dump([("file", "reason"), *reading.skipped]))
    raw_inputs.write(directory, "input", lists, _as_read(listing, reading))
    _say_what_was_left_out(reading.skipped)
    if mixture := bit_depth.mixture(reading.depths, reading.scale):
        console.warn(mixture)
    return (
        _summary(options, name, rows, reading.patients_unknown)
        | _read_as(listing)
        | {
            "bits": None if reading.scale is None else reading.scale.bits,
            "bit_depths": dict(sorted(reading.depths.items())),
            "blank": sum(row.sha256 in reading.blank for row in rows),
            "duplicates": equal,
            "near_copies": nearly_equal,
            "doubtful": doubtful,
            "skipped": len(reading.skipped),
            "lost": len(reading.lost),
        }
    )


def _read_as(listing: Listing) -> Result:
    """Return what the raw set's words and columns were read as, for the manifest."""
    return {
        "columns": dict(listing.columns),
        "labels": [each.to_dict() for each in listing.words],
        "notes": listing.notes,
        "warnings": listing.warnings,
    }


def _raw_input(options: Prepare, listing: Listing) -> RawInput:
    """The files that are read of `--input`; a table that is given as `--table` is an input of its own."""
    named = options.inputs().get("table")
    lists = [path for path in listing.lists if named is None or not path.samefile(named)]
    pictures = [record.file for record in listing.records]
    return RawInput(listing.root, pictures, partial(_hashes, options, listing), lists)


def _hashes(options: Prepare, listing: Listing, pictures: Sequence[str]) -> Iterator[str]:
    """The sha256 of each of these pictures as it is decoded."""
    manner = _manner(options, _scale(options, listing))
    with closing(decoding.decode_all(listing.root, pictures, manner, options.workers)) as found:
        for picture in found:
            yield raw_inputs.UNUSABLE if picture.note.unusable else picture.note.sha256


def _as_read(listing: Listing, reading: Reading) -> Iterator[Read]:
    """Every picture with what was decoded of it, in the order in which they were read."""
    usable = iter(reading.rows)
    row = next(usable, None)
    for place, record in enumerate(listing.records):
        sha256 = raw_inputs.UNUSABLE
        if row is not None and row.file == record.file:
            sha256, row = row.sha256, next(usable, None)
        yield Read(record.file, Stamp(*reading.stamps[3 * place : 3 * place + 3]), sha256)


def _scale(options: Prepare, listing: Listing) -> Scale | None:
    return bit_depth.find(listing.root, [record.file for record in listing.records], options.bits, options.workers)


def _manner(options: Prepare, scale: Scale | None) -> Manner:
    return Manner(scale, options.invert, options.size, options.fit, options.resample)


def _are_current(listing: Listing, scale: Scale | None, first: int, notes: Sequence[Any]) -> bool:
    """Whether what a stopped run noted, from record `first` on, is of the files that these records are now.

    What was scaled by another depth, since a file changed that decides it, is not.
    """
    now = [] if scale is None else list(astuple(scale))
    records = listing.records[first : first + len(notes)]
    return len(records) == len(notes) and all(
        note.get("file") == record.file
        and note.get("scale") in ([], now)
        and _is_as_noted(listing.root / record.file, note.get("stamp"))
        for record, note in zip(records, notes, strict=True)
    )


def _is_as_noted(file: Path, noted: Any) -> bool:
    now = files.stamp_of(file)
    return now is not None and isinstance(noted, list) and len(noted) == len(now) and now.is_as(Stamp(*noted))


def _read(options: Prepare, source: str, listing: Listing, directory: Path) -> Reading:
    """Decode every record, writing `images.npy` as the pictures come.

    Raises:
        DataError: a file is unusable and the user asked for `--strict`.
        InputError: no file is usable, or more are lost than `--max-lost` allows.
    """
    console.say(f"reading {len(listing.records)} images of a '{source}' set under {listing.root}")
    for note in listing.notes:
        console.say(note)
    for warning in listing.warnings:
        console.warn(warning)
    reading = Reading(source, list(listing.skipped), listing.lost())
    total = len(listing.records) + len(reading.lost)
    _check_strict(options, reading.skipped)
    _check_lost(options, reading.lost, total)
    reading.scale = _scale(options, listing)
    if reading.scale is not None:
        console.say(bit_depth.told(reading.scale))
    manner = _manner(options, reading.scale)
    are_current = partial(_are_current, listing, reading.scale)
    with arrays.writing_images(directory, options.size, options.checkpoint_every, are_current) as writer:
        for record, note in zip(listing.records, writer.notes, strict=False):  # of a run that was stopped
            reading.add(record, Note(**note))
        left = listing.records[len(writer.notes) :]
        found = decoding.decode_all(listing.root, [record.file for record in left], manner, options.workers)
        begun = console.progress(len(listing.records), "prepare", done=len(writer.notes))
        with closing(found) as pictures, begun as advance:
            for record, picture in zip(left, pictures, strict=True):
                advance(1)
                reading.add(record, picture.note)
                _check_strict(options, reading.skipped)
                writer.write(picture.square, vars(picture.note))
    if not reading.rows:
        file, reason = reading.skipped[0]
        hint = "check --input and --source"
        if options.bits != "auto" and pixels.BEYOND_DEPTH in reason:
            hint = f"--bits {options.bits} is too few; --bits auto finds how many there are"
        raise InputError(f"no usable image under {listing.root}; the first: {file}: {reason}", hint)
    _check_lost(options, reading.lost, total)
    if reading.lost:
        console.warn(f"{_losses(reading.lost, total)}; they are listed in skipped.csv")
    return reading


def _on_doubtful(reading: Reading) -> dict[str, int]:
    """Count the images that look like no radiographs, and warn of them with an example.

    They are read all the same: a look at their pixels is no proof.
    """
    median = statistics.median(reading.areas)
    small = [row.file for row, area in zip(reading.rows, reading.areas, strict=True) if area * SMALL < median]
    found = {"small": small, **{name: reading.seeming[name] for name in pixels.SEEMING}}
    said = {
        "small": f"have less than 1/{SMALL} of the median's pixels, as icons and previews do",
        pixels.FEW_GREYS: f"have {pixels.FEW} grey levels or fewer, or nearly two alone, as masks do",
        pixels.COLOURED: "are coloured, as overlays, photographs and logos are",
        pixels.FRAMES: "are of files with several pages or frames, of which the first alone is read",
    }
    for name, names in found.items():
        if names:
            console.warn(f"{len(names)} of {len(reading.rows)} images {said[name]}, such as {names[0]}")
    return {name: len(names) for name, names in found.items()}


def _check_lost(options: Prepare, lost: list[Skipped], total: int) -> None:
    """Refuse to go on without more of the images than `--max-lost` allows.

    Raises:
        InputError: more are lost.
    """
    share = len(lost) / max(total, 1)
    if share > options.max_lost:
        enough = math.ceil(100 * share) / 100
        raise InputError(_losses(lost, total), f"mend that, or go on without them: prepare --max-lost {enough:g}")


def _losses(lost: list[Skipped], total: int) -> str:
    """How many of the images that were listed or found are lost, why, and the first of them."""
    said = {MISSING: "not on disk", BROKEN_LINK: "broken links", SEVERAL: SEVERAL, OTHER_SUFFIX: "of other suffixes"}
    counts = [(sum(reason.startswith(why) for _, reason in lost), words) for why, words in said.items()]
    counted = [*counts, (len(lost) - sum(count for count, _ in counts), "unusable")]
    reasons = ", ".join(f"{why}: {count:,}" for count, why in counted if count)
    share = f"{100 * len(lost) / total:.2g} %"
    return f"{len(lost):,} of {total:,} images are lost ({share}; {reasons}), such as {lost[0][0]}: {lost[0][1]}"


def _check_strict(options: Prepare, skipped: list[Skipped]) -> None:
    if options.strict and skipped:
        file, reason = skipped[0]
        raise DataError(f"{file}: {reason}", "without --strict it would be skipped")


def _listing(options: Prepare) -> tuple[str, Listing]:
    if not options.input.exists():
        raise InputError(f"--input {options.input} does not exist", "check the path for a typing error")
    on_lists = _on_broken_lists(options)
    name = _source(options)
    if name == "folder":
        on_lists += sources.on_unused_lists(sources.nearby(options.input))
    listing = sources.reachable(sources.load(name).read(options))
    if not listing.records:
        reason = f"; the first left out: {': '.join(listing.skipped[0])}" if listing.skipped else ""
        raise InputError(f"{options.input} holds no images of a '{name}' set{reason}", "check --input and --source")
    beside = non_images.warnings([record.file for record in listing.records], listing.skipped)
    return name, replace(listing, warnings=[*on_lists, *listing.warnings, *beside])


def _on_broken_lists(options: Prepare) -> list[str]:
    """Return a warning of each list that folders of classes are read without, since it cannot be read or is empty.

    Raises:
        InputError: there is one, and the user did not ask for folders.
    """
    if options.table is not None or not options.input.is_dir():
        return []
    of_table = options.source == "table" or bool(_options_of_tables(options))
    directories = [options.input] if of_table else sources.nearby(options.input)
    broken = sources.broken_lists(directories, options.encoding)
    if broken and options.source != "folder":
        reason, hint = broken[0]
        instead = "mend the list or take it out" + ("" if of_table else "; --source folder goes on without it")
        raise InputError(reason, f"{hint}; {instead}" if hint else instead)
    return [f"{reason}: labels and patients are read without it" for reason, _ in broken]


def _options_of_tables(options: Prepare) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in OF_TABLES if getattr(options, name) is not None]


def _source(options: Prepare) -> str:
    """Which source reads the set: the one that is named, the one whose options are given, or the one that fits.

    Raises:
        UsageError: options of another source are given.
    """
    of_tables = _options_of_tables(options)
    name = options.source
    if name == "auto":
        name = "table" if of_tables else _detect(options.input)
    if of_tables and name != "table":
        raise UsageError(f"{of_tables[0]} is read by --source table alone, not by {name}", "leave it out")
    if options.patient_pattern is not None and name in NAME_PATIENTS:
        raise UsageError(f"--patient-pattern: a set of {name} says itself whose an image is", "leave it out")
    return name


def _detect(path: Path) -> str:
    others = [name for name in sources.names() if name not in DETECTION_ORDER]
    for name in (*DETECTION_ORDER, *others):
        if sources.load(name).detect(path):
            console.say(f"{path} looks like a '{name}' set")
            return name
    raise InputError(
        f"{path} looks like none of {', '.join(sources.names())}",
        "name the layout with --source, of a CSV file its --image-column; for images in one flat folder add --label",
    )


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


def _summary(options: Prepare, source: str, rows: list[Row], patients_unknown: int) -> Result:
    leaking = dataset.patients_in_two_splits(rows)
    if leaking and options.split_by == "image":
        console.warn(f"--split-by image: {leaking} patients are in more than one split, so scores will flatter")
    dataset.check_splits(rows, split_by=options.split_by)
    for split, asked in (("test", options.test), ("valid", options.holdout)):
        if asked and not any(row.split == split for row in rows):
            console.warn(f"no image is in {split}, of which a share of {asked:g} was asked: there are too few patients")
    return {
        "source": source,
        "images": len(rows),
        "patients": len({row.patient for row in rows}),
        "patients_unknown": patients_unknown,
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
        counted[row.extra.get("part", "all") if row.source == "mura" else "all"][f"{where}_{row.label}"] += 1
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
    notes = [f"{_patients(result)}; {result['skipped']:,} files skipped"]
    if result["patients_in_two_splits"]:
        notes.append(f"{result['patients_in_two_splits']} patients are in more than one split")
    if result.get("bits"):
        depths_found = ", ".join(f"{count:,} {name}" for name, count in result["bit_depths"].items())
        notes.append(f"scaled by {result['bits']} bits: {depths_found}")
    return Table("Table 3: images per split", (*columns, "Total"), [(*cells, f"{result['images']:,}")], notes)


def _patients(result: Result) -> str:
    """Return how many patients there are, as far as that is known."""
    unknown = result["patients_unknown"]
    known = f"{result['patients'] - unknown:,} patients"
    if unknown == result["images"]:
        return "patients unknown, split by image"
    return f"{known}{f' and {unknown:,} images of unknown patients' if unknown else ''}, split by {result['split_by']}"


def _table_of_words(result: Result) -> Table:
    """Return the words that stood where labels stand, and what they were read as."""
    rows = [(each["word"] or "(empty)", f"{each['count']:,}", each["label"]) for each in result["labels"][:MOST_WORDS]]
    notes = []
    if len(result["labels"]) > MOST_WORDS:
        notes.append(f"and {len(result['labels']) - MOST_WORDS:,} further words; all are in manifest.json")
    if result["columns"]:
        notes.append("columns: " + ", ".join(f"{what} '{title}'" for what, title in result["columns"].items()))
    return Table("Labels as they were read", ("Word", "Count", "Label"), rows, notes)


def _say_what_was_left_out(skipped: list[Skipped]) -> None:
    if skipped:
        file, reason = skipped[0]
        more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
        console.warn(f"skipped {file}: {reason}{more}; all are listed in skipped.csv")
