"""raw images + labels -> dataset: decode, make grey and square, split, check."""

import math
import statistics
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from xrayaug.data import (
    acquisition,
    dataset,
    dataset_summary,
    duplicates,
    near_duplicates,
    pseudonyms,
    raw_rows,
    source_selection,
    splits,
)
from xrayaug.data.acquisition import ColumnScore
from xrayaug.data.dataset import Row, open_dataset
from xrayaug.data.images import arrays, bit_depth, content_checks, decoding
from xrayaug.data.images.decoding import DecodeOptions, ImageMetadata
from xrayaug.data.images.dicom import reading as dicom_reading
from xrayaug.data.images.intensity import IntensityScale
from xrayaug.data.images.value_ranges import ABOVE_BIT_DEPTH
from xrayaug.data.parsing import columns
from xrayaug.data.parsing.skip_reasons import AMBIGUOUS, BROKEN_LINK, MISSING, UNREAD_SUFFIX
from xrayaug.data.pseudonyms import Names
from xrayaug.data.sources import Listing, Record
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.options import Prepare
from xrayaug.options.base import flag_name
from xrayaug.options.prepare import MAX_GENERATOR_NAME, is_generator_name
from xrayaug.runtime import console, malloc
from xrayaug.runtime.console import Table
from xrayaug.storage import artifacts, builder, csvfile, files, raw_inputs
from xrayaug.storage.artifacts import Result
from xrayaug.storage.files import Stamp
from xrayaug.storage.raw_inputs import DecodedImage, RawInput

FOR_REAL_IMAGES = ("test", "holdout", "split_by", "patient_column", "patient_pattern", "study_column")  # options
SMALL_IMAGE_FACTOR = 16  # an image of fewer pixels than the median divided by this may be an icon or a preview

Skipped = tuple[str, str]  # file and reason


@dataclass
class DecodingSummary:
    """Facts about the images decoded so far, and the rows of the index for them."""

    options: Prepare
    source: str
    skipped: list[Skipped]
    lost: list[Skipped]  # skipped images that were listed or found, and cannot be read
    names: Names = field(default_factory=Names)  # of files, in everything but `rows`
    rows: list[Row] = field(default_factory=list)
    patients_unknown: int = 0  # images whose patient is not known
    depths: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)  # of DICOM images: what was applied
    scale: IntensityScale | None = None  # scale of files with more than eight bits
    blank: set[str] = field(default_factory=set)  # sha256 of images of one grey level: equal, but not duplicates
    areas: "array[int]" = field(default_factory=lambda: array("q"))  # pixels of each usable image
    suspects: defaultdict[str, list[str]] = field(
        default_factory=lambda: defaultdict(list)
    )  # suspect trait -> files (see `Decoded.seems`)
    stamps: "array[int]" = field(default_factory=lambda: array("q"))  # three numbers for each record: `files.Stamp`

    def add(self, record: Record, note: ImageMetadata) -> None:
        """Add a record whose file was decoded: a row of the index if its image is usable, else a skipped file."""
        self.stamps.extend(note.stamp or (0, 0, 0))
        if note.unusable:
            self.skipped.append((self.names.file(record.file), note.unusable))
            self.lost.append((self.names.file(record.file), note.unusable))
            return
        self.rows.append(raw_rows.make_row(self.options, record, self.source, len(self.rows), note.sha256))
        self.patients_unknown += not record.patient_known
        self.depths[note.depth] += 1
        self.windows.update([note.window] if note.window else [])
        if note.blank:
            self.blank.add(note.sha256)
        self.areas.append(note.area)
        for trait in note.seems:
            self.suspects[trait].append(self.names.file(record.file))


def run(options: Prepare) -> Result:
    """Prepare a dataset; writes `images.npy`, `index.csv` and `skipped.csv`."""
    _check_synthetic_options(options)
    listed = cache(partial(source_selection.list_images, options))
    build = partial(_build, options, listed)
    return builder.build_artifact(options, "dataset", build, raw=lambda: {"input": _raw_input(options, listed()[1])})


def plan(options: Prepare) -> Result:
    """Return which images would be read and how they would be split, without opening one."""
    _check_synthetic_options(options)
    _check_declared(options)
    name, listing = source_selection.list_images(options)
    names = pseudonyms.draw() if _needs_pseudonyms(options, listing) else Names()
    rows = [names.row(row) for row in raw_rows.plan_rows(options, name, listing)]
    listing = names.listing(listing)
    _check_lost(options, listing.lost(), len(listing.records) + len(listing.lost()))
    for warning in listing.warnings:
        console.warning(warning)
    unknown = sum(not record.patient_known for record in listing.records)
    return (
        dataset_summary.summarize(options, name, rows, unknown)
        | _label_fields(listing)
        | _dicom_fields(options, listing)
        | {"skipped": len(listing.skipped)}
    )


def tables(result: Result) -> list[Table]:
    """Return tables of a result: the label words, and the thesis's Tables 1 to 3 for this dataset."""
    return dataset_summary.tables(result)


def _build(options: Prepare, listed: Callable[[], tuple[str, Listing]], directory: Path) -> Result:
    malloc.keep_freed()
    _check_declared(options)
    name, listing = listed()
    lists = _raw_input(options, listing).lists_by_name()
    names = Names()
    if _needs_pseudonyms(options, listing):
        names = pseudonyms.restore_or_draw(directory / builder.RESUME / builder.SALT)
    listing = names.listing(listing)
    reading = _decode_images(options, name, listing, directory, names)
    suspects = _count_suspects(reading)
    near = near_duplicates.find(reading.rows, arrays.map_images(directory / arrays.IMAGES), options)
    rows = splits.assign(reading.rows, options, frozenset(reading.blank), near.groups)
    shortcuts = acquisition.score_columns(rows, options.seed) if listing.dicom.images else []
    rows = [names.row(row) for row in rows]  # what is drawn does not depend on the pseudonyms
    equal = duplicates.report(rows, options, reading.blank)
    nearly_equal = near_duplicates.report(rows, near, options)
    dataset.write_index(directory, rows, split_by=options.split_by)
    files.write_text(directory / "skipped.csv", csvfile.dump([("file", "reason"), *reading.skipped]))
    images = _decoded_images(listing, reading)
    raw_inputs.write(directory, "input", lists, images, has_pseudonyms=bool(names.fingerprint))
    for warning in acquisition.describe_shortcuts(shortcuts):
        console.warning(warning)
    _warn_of_skipped(reading.skipped)
    if mixture := bit_depth.describe_mixture(reading.depths, reading.scale):
        console.warning(mixture)
    return (
        dataset_summary.summarize(options, name, rows, reading.patients_unknown)
        | _label_fields(listing)
        | _dicom_fields(options, listing, reading.windows, names, shortcuts)
        | {
            "bits": None if reading.scale is None else reading.scale.bits,
            "bit_depths": dict(sorted(reading.depths.items())),
            "blank": sum(row.sha256 in reading.blank for row in rows),
            "duplicates": equal,
            "near_copies": nearly_equal,
            "doubtful": suspects,
            "skipped": len(reading.skipped),
            "lost": len(reading.lost),
        }
    )


def _check_synthetic_options(options: Prepare) -> None:
    """Check the options of synthetic images: those that are only for them, and those that do not apply to them.

    Raises:
        UsageError: an option does not apply, or its value is not valid.
        InputError: there is no artifact at the path of `--learnt-from`.
    """
    if not options.synthetic:
        for flag, value in (("--generator", options.generator), ("--learnt-from", options.learnt_from)):
            if value is not None:
                raise UsageError(
                    f"{flag} describes synthetic images, and --synthetic is not given", "add it, or leave this out"
                )
        return
    for name in FOR_REAL_IMAGES:
        if getattr(options, name) not in (Prepare.__dataclass_fields__[name].default, 0, columns.NONE):
            raise UsageError(
                f"{flag_name(name)} does not apply to synthetic images: all are for training, and none has a patient",
                "leave it out",
            )
    if not is_generator_name(options.generator_name):
        raise UsageError(
            f"--generator {options.generator_name!r} is no name",
            f"give 1 to {MAX_GENERATOR_NAME} printable characters without commas",
        )
    declared = options.inputs().get("learnt_from")
    if declared is not None and not artifacts.is_artifact(declared):
        raise InputError(
            f"--learnt-from {declared} is no prepared dataset: {artifacts.describe_path(declared)}",
            "prepare what the generator was trained on, or say none or unknown",
        )


def _check_declared(options: Prepare) -> None:
    """Check the dataset that the generator of synthetic images was trained on, as the user declares.

    Raises:
        ArtifactError: it is no dataset.
        DataError: it is no dataset of real images with a training split.
    """
    path = options.inputs().get("learnt_from")
    if path is None:
        return
    data = open_dataset(path)
    hint = "give the prepared dataset of real images"
    if "arm" in data.artifact.result:
        raise DataError(f"--learnt-from {path} is an arm, which xrayaug augment made", hint)
    if any(row.synthetic for row in data.rows):
        raise DataError(f"--learnt-from {path} holds synthetic images", hint)
    if not data.select(split="train"):
        raise DataError(f"--learnt-from {path} has no training images", hint)


def _label_fields(listing: Listing) -> Result:
    """Return the meanings of the raw set's words and columns, for the manifest."""
    return {
        "columns": dict(listing.columns),
        "labels": [word.to_dict() for word in listing.words],
        "notes": listing.notes,
        "warnings": listing.warnings,
    }


def _needs_pseudonyms(options: Prepare, listing: Listing) -> bool:
    return listing.dicom.files > 0 and not options.keep_identifiers


def _dicom_fields(
    options: Prepare,
    listing: Listing,
    windows: Mapping[str, int] | None = None,
    names: Names | None = None,
    shortcuts: Sequence[ColumnScore] = (),
) -> Result:
    """Return the facts about DICOM images, for the manifest; nothing for a set without any."""
    facts = listing.dicom
    if not facts.files:
        return {}
    return {
        "dicom": {
            "images": facts.images,
            "window": options.window,
            "windows": dict(sorted((windows or {}).items())),
            "for_processing": facts.for_processing,
            "burned_in": facts.burned_in,
            "refused": dict(facts.refused),
            "columns": list(facts.columns),
            "identifiers": "kept" if options.keep_identifiers else "pseudonyms",
            "fingerprint": names.fingerprint if names else "",
            "label_by_column": [score.to_dict() for score in shortcuts],
            "packages": dicom_reading.package_versions(),
        }
    }


def _raw_input(options: Prepare, listing: Listing) -> RawInput:
    """Return the files of `--input` that are read; the file of `--table` is an input of its own."""
    named = options.inputs().get("table")
    lists = [path for path in listing.lists if named is None or not path.samefile(named)]
    files_read = [record.file for record in listing.records]
    return RawInput(listing.root, files_read, partial(_hash_images, options, listing), lists)


def _hash_images(options: Prepare, listing: Listing, image_files: Sequence[str]) -> Iterator[str]:
    """Yield the sha256 of each of these images, as decoded."""
    decode_options = _decode_options(options, _find_scale(options, listing))
    with closing(decoding.decode_all(listing.root, image_files, decode_options, options.workers)) as images:
        for image in images:
            yield raw_inputs.UNUSABLE if image.note.unusable else image.note.sha256


def _decoded_images(listing: Listing, reading: DecodingSummary) -> Iterator[DecodedImage]:
    """Yield each image with its file's stamp and its hash, in the order in which they were read."""
    usable = iter(reading.rows)
    row = next(usable, None)
    for place, record in enumerate(listing.records):
        sha256 = raw_inputs.UNUSABLE
        if row is not None and row.file == record.file:
            sha256, row = row.sha256, next(usable, None)
        yield DecodedImage(reading.names.file(record.file), Stamp(*reading.stamps[3 * place : 3 * place + 3]), sha256)


def _find_scale(options: Prepare, listing: Listing) -> IntensityScale | None:
    return bit_depth.find_scale(
        listing.root, [record.file for record in listing.records], options.bits, options.workers
    )


def _decode_options(options: Prepare, scale: IntensityScale | None) -> DecodeOptions:
    return DecodeOptions(scale, options.invert, options.size, options.fit, options.resample, options.window)


def _are_current(
    listing: Listing, names: Names, scale: IntensityScale | None, first: int, notes: Sequence[Any]
) -> bool:
    """Return whether the notes of a stopped run, from record `first` on, match the records and their files as they are.

    Notes on images that were scaled by another bit depth do not match.
    """
    current_scale = [] if scale is None else list(astuple(scale))
    records = listing.records[first : first + len(notes)]
    return len(records) == len(notes) and all(
        note.get("file") == names.file(record.file)
        and note.get("scale") in ([], current_scale)
        and _is_unchanged(listing.root / record.file, note.get("stamp"))
        for record, note in zip(records, notes, strict=True)
    )


def _is_unchanged(file: Path, noted: Any) -> bool:
    """Return whether a file still has the stamp that was noted."""
    stamp = files.try_stamp(file)
    return stamp is not None and isinstance(noted, list) and len(noted) == len(stamp) and stamp.matches(Stamp(*noted))


def _decode_images(options: Prepare, source: str, listing: Listing, directory: Path, names: Names) -> DecodingSummary:
    """Decode the file of each record and write `images.npy`; a stopped run is continued.

    Raises:
        DataError: a file is unusable and the user asked for `--strict`.
        InputError: no file is usable, or more are lost than `--max-lost` allows.
    """
    console.info(f"reading {len(listing.records)} images of a '{source}' set under {listing.root}")
    for note in listing.notes:
        console.info(note)
    for warning in listing.warnings:
        console.warning(warning)
    reading = DecodingSummary(options, source, list(listing.skipped), listing.lost(), names)
    total = len(listing.records) + len(reading.lost)
    _check_strict(options, reading.skipped)
    _check_lost(options, reading.lost, total)
    reading.scale = _find_scale(options, listing)
    if reading.scale is not None:
        console.info(bit_depth.describe(reading.scale))
    decode_options = _decode_options(options, reading.scale)
    are_current = partial(_are_current, listing, names, reading.scale)
    with arrays.writing_images(directory, options.size, options.checkpoint_every, are_current) as writer:
        for record, note in zip(listing.records, writer.notes, strict=False):  # notes of a stopped run
            reading.add(record, ImageMetadata(**note))
        remaining = listing.records[len(writer.notes) :]
        decoded = decoding.decode_all(
            listing.root, [record.file for record in remaining], decode_options, options.workers
        )
        progress = console.progress(len(listing.records), "prepare", done=len(writer.notes))
        with closing(decoded) as images, progress as advance:
            for record, image in zip(remaining, images, strict=True):
                advance(1)
                reading.add(record, image.note)
                _check_strict(options, reading.skipped)
                writer.write(image.square, vars(image.note) | {"file": names.file(record.file)})
    if not reading.rows:
        file, reason = reading.skipped[0]
        hint = "check --input and --source"
        if options.bits != "auto" and ABOVE_BIT_DEPTH in reason:
            hint = f"--bits {options.bits} is too few; --bits auto finds how many there are"
        raise InputError(f"no usable image under {listing.root}; the first: {file}: {reason}", hint)
    _check_lost(options, reading.lost, total)
    if reading.lost:
        console.warning(f"{_describe_losses(reading.lost, total)}; they are listed in skipped.csv")
    return reading


def _count_suspects(reading: DecodingSummary) -> dict[str, int]:
    """Return the number of images with each trait that is unusual in radiographs, and warn of them with an example.

    They are kept: such a trait does not prove that an image is not a radiograph.
    """
    median = statistics.median(reading.areas)
    small = [
        reading.names.file(row.file)
        for row, area in zip(reading.rows, reading.areas, strict=True)
        if area * SMALL_IMAGE_FACTOR < median
    ]
    suspects = {"small": small, **{name: reading.suspects[name] for name in content_checks.SUSPECT_TRAITS}}
    descriptions = {
        "small": f"have less than 1/{SMALL_IMAGE_FACTOR} of the median's pixels, as icons and previews do",
        content_checks.FEW_GREYS: (
            f"have {content_checks.MAX_FEW_GREYS} grey levels or fewer, or nearly two alone, as masks do"
        ),
        content_checks.COLOURED: "are coloured, as overlays, photographs and logos are",
        content_checks.FRAMES: "are of files with several pages or frames, of which the first alone is read",
    }
    for name, names in suspects.items():
        if names:
            console.warning(f"{len(names)} of {len(reading.rows)} images {descriptions[name]}, such as {names[0]}")
    return {name: len(names) for name, names in suspects.items()}


def _check_lost(options: Prepare, lost: list[Skipped], total: int) -> None:
    """Check that no larger share of the images is lost than `--max-lost` allows.

    Raises:
        InputError: more are lost.
    """
    share = len(lost) / max(total, 1)
    if share > options.max_lost:
        sufficient = math.ceil(100 * share) / 100
        raise InputError(
            _describe_losses(lost, total), f"mend that, or go on without them: prepare --max-lost {sufficient:g}"
        )


def _describe_losses(lost: list[Skipped], total: int) -> str:
    """Return a sentence on the number and share of the images that are lost, the reasons, and the first of them."""
    descriptions = {
        MISSING: "not on disk",
        BROKEN_LINK: "broken links",
        AMBIGUOUS: AMBIGUOUS,
        UNREAD_SUFFIX: "of other suffixes",
    }
    counts = [
        (sum(reason.startswith(start) for _, reason in lost), description)
        for start, description in descriptions.items()
    ]
    counts.append((len(lost) - sum(count for count, _ in counts), "unusable"))
    reasons = ", ".join(f"{description}: {count:,}" for count, description in counts if count)
    share = f"{100 * len(lost) / total:.2g} %"
    return f"{len(lost):,} of {total:,} images are lost ({share}; {reasons}), such as {lost[0][0]}: {lost[0][1]}"


def _check_strict(options: Prepare, skipped: list[Skipped]) -> None:
    if options.strict and skipped:
        file, reason = skipped[0]
        raise DataError(f"{file}: {reason}", "without --strict it would be skipped")


def _warn_of_skipped(skipped: list[Skipped]) -> None:
    if skipped:
        file, reason = skipped[0]
        more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
        console.warning(f"skipped {file}: {reason}{more}; all are listed in skipped.csv")
