"""raw images + labels -> dataset: decode, make grey and square, split, check."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import astuple
from functools import cache, partial
from pathlib import Path
from typing import Any

from xrayaug.data import (
    acquisition,
    dataset,
    dataset_summary,
    dicom_listing,
    duplicates,
    losses,
    near_duplicates,
    pseudonyms,
    raw_rows,
    source_selection,
    sources,
    splits,
)
from xrayaug.data.dataset import open_dataset
from xrayaug.data.decoding_summary import DecodingSummary
from xrayaug.data.images import arrays, bit_depth, decoding
from xrayaug.data.images.decoding import DecodeOptions, ImageMetadata
from xrayaug.data.images.intensity import IntensityScale
from xrayaug.data.images.value_ranges import ABOVE_BIT_DEPTH
from xrayaug.data.parsing import columns
from xrayaug.data.pseudonyms import Names
from xrayaug.data.sources import Listing
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


def run(options: Prepare) -> Result:
    """Prepare a dataset; writes `images.npy`, `index.csv` and `skipped.csv`."""
    _check_synthetic_options(options)
    listed = cache(partial(_list_images, options))
    build = partial(_build, options, listed)
    return builder.build_artifact(options, "dataset", build, raw=lambda: {"input": _raw_input(options, listed()[1])})


def plan(options: Prepare) -> Result:
    """Return which images would be read and how they would be split, without opening one."""
    _check_synthetic_options(options)
    _check_declared(options)
    name, listing = _list_images(options)
    names = pseudonyms.draw() if pseudonyms.are_needed(options, listing) else Names()
    rows = [names.row(row) for row in raw_rows.plan_rows(options, name, listing)]
    listing = names.listing(listing)
    losses.check_lost(options, listing.lost(), len(listing.records) + len(listing.lost()))
    for warning in listing.warnings:
        console.warning(warning)
    unknown = sum(not record.patient_known for record in listing.records)
    return (
        dataset_summary.summarize(options, name, rows, unknown)
        | _label_fields(listing)
        | dicom_listing.manifest_fields(options, listing.dicom)
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
    if pseudonyms.are_needed(options, listing):
        names = pseudonyms.restore_or_draw(directory / builder.RESUME / builder.SALT)
    listing = names.listing(listing)
    reading = _decode_images(options, name, listing, directory, names)
    suspects = reading.count_suspects()
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
    losses.warn_of_skipped(reading.skipped)
    if mixture := bit_depth.describe_mixture(reading.depths, reading.scale):
        console.warning(mixture)
    return (
        dataset_summary.summarize(options, name, rows, reading.patients_unknown)
        | _label_fields(listing)
        | dicom_listing.manifest_fields(options, listing.dicom, reading.windows, names, shortcuts)
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


def _list_images(options: Prepare) -> tuple[str, Listing]:
    """Return `source_selection.list_images`, whose errors quote nothing of a set with DICOM images in a log.

    Raises:
        UsageError: options do not fit the source.
        InputError: there is no such set, or it contradicts itself.
    """
    try:
        return source_selection.list_images(options)
    except InputError as problem:
        is_public = options.source in sources.names() and sources.signature(options.source) is not None
        is_shown = is_public or options.keep_identifiers or console.is_terminal()
        if is_shown or not dicom_listing.holds_dicom(options.input):
            raise
        raise pseudonyms.hide(problem) from None


def _label_fields(listing: Listing) -> Result:
    """Return the meanings of the raw set's words and columns, for the manifest."""
    return {
        "columns": dict(listing.columns),
        "labels": [word.to_dict() for word in listing.words],
        "notes": listing.notes,
        "warnings": listing.warnings,
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
    losses.check_strict(options, reading.skipped)
    losses.check_lost(options, reading.lost, total)
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
                losses.check_strict(options, reading.skipped)
                writer.write(image.square, vars(image.note) | {"file": names.file(record.file)})
    if not reading.rows:
        file, reason = reading.skipped[0]
        hint = "check --input and --source"
        if options.bits != "auto" and ABOVE_BIT_DEPTH in reason:
            hint = f"--bits {options.bits} is too few; --bits auto finds how many there are"
        raise InputError(f"no usable image under {listing.root}; the first: {file}: {reason}", hint)
    losses.check_lost(options, reading.lost, total)
    if reading.lost:
        console.warning(f"{losses.describe_lost(reading.lost, total)}; they are listed in skipped.csv")
    return reading
