"""Rows of the index of a raw set, before or after its images are opened."""

from xrayaug.data import near_duplicates, splits
from xrayaug.data.dataset import Row
from xrayaug.data.images import arrays
from xrayaug.data.sources import Listing, Record
from xrayaug.options import Prepare


def make_row(record: Record, source: str, index: int, sha256: str) -> Row:
    """Return the row of an image.

    Args:
        record: the image as the raw set describes it.
        source: name of the source.
        index: position of the image in `images.npy`.
        sha256: hash of the decoded image; empty if it is not opened.
    """
    return Row(
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


def plan_rows(options: Prepare, source: str, listing: Listing) -> list[Row]:
    """Return a row for each record, in order, with the split that `prepare` would assign, without opening an image.

    Images that prove to be duplicates when they are opened may change splits that are drawn by patient.

    Raises:
        DataError: a share of a split is asked for that the set has already.
    """
    rows = [make_row(record, source, index, "") for index, record in enumerate(listing.records)]
    return splits.assign(rows, options, near_copies=near_duplicates.find_by_name(rows, options).groups)
