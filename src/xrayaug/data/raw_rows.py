"""Rows of the index of a raw set, before or after its images are opened."""

from collections.abc import Sequence
from dataclasses import replace

from xrayaug.data import near_duplicates, splits
from xrayaug.data.dataset import Row
from xrayaug.data.images import arrays
from xrayaug.data.sources import Listing, Record
from xrayaug.errors import DataError
from xrayaug.options import Prepare


def make_row(options: Prepare, record: Record, source: str, index: int, sha256: str) -> Row:
    """Return the row of an image; a synthetic one has no patient, and is for training.

    Args:
        options: options of the command.
        record: the image as the raw set describes it.
        source: name of the source.
        index: position of the image in `images.npy`.
        sha256: hash of the decoded image; empty if it is not opened.
    """
    row = Row(
        image=arrays.IMAGES,
        row=index,
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
    if not options.synthetic:
        return row
    return replace(row, split="train", patient="", study="", source=options.generator_name, synthetic=True)


def check_synthetic_splits(records: Sequence[Record], source: str) -> None:
    """Check that a set of synthetic images has no images of other splits than training.

    Raises:
        DataError: it has some.
    """
    held_out = [record for record in records if record.split not in ("", "train")]
    if held_out:
        file, split = held_out[0].file, held_out[0].split
        remedy = "; or --split-column none, if the column is not of splits" if source == "table" else ""
        raise DataError(
            f"{len(held_out):,} of {len(records):,} images are in test or valid, such as {file} ({split}): synthetic "
            "images may only be in train",
            f"point --input at the synthetic images for training{remedy}",
        )


def plan_rows(options: Prepare, source: str, listing: Listing) -> list[Row]:
    """Return a row for each record, in order, with the split that `prepare` would assign, without opening an image.

    Images that prove to be duplicates when they are opened may change splits that are drawn by patient.

    Raises:
        DataError: a share of a split is asked for that the set has already.
    """
    rows = [make_row(options, record, source, index, "") for index, record in enumerate(listing.records)]
    return splits.assign(rows, options, near_copies=near_duplicates.find_by_name(rows, options).groups)
