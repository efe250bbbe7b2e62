"""Images that a raw set itself marks as synthetic, as `xrayaug export` does: by a column of its list or by their name.

An arm that was exported holds real images and synthetic ones. They are prepared apart, since neither may be taken for
the other.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from xrayaug.errors import DataError
from xrayaug.storage.csvfile import Line, Sheet

COLUMN = "synthetic"
YES, NO = frozenset({"1", "true", "yes"}), frozenset({"0", "false", "no"})
NAME = re.compile(r"\d{6,}-synthetic")  # without the suffix


def check_column(sheet: Sheet, lines: Sequence[Line], *, synthetic: bool) -> None:
    """Check that a list marks no image as something else than what it is read as.

    Args:
        sheet: the list.
        lines: its lines that are read.
        synthetic: whether they are read as synthetic images.

    Raises:
        DataError: a line has the opposite in a column called `synthetic`.
    """
    column = next((index for index, title in enumerate(sheet.header) if title.casefold() == COLUMN), None)
    if column is None:
        return
    opposite = NO if synthetic else YES
    marked = sum(line.cell(column).casefold() in opposite for line in lines)
    if marked:
        raise DataError(
            f"{sheet.path}: {marked:,} of {len(lines):,} images are {'not ' if synthetic else ''}synthetic by its "
            f"column '{sheet.header[column]}'",
            "prepare both apart: --only synthetic=0 reads the real ones, --synthetic --only synthetic=1 the others",
        )


def check_names(root: Path, files: Sequence[str], *, synthetic: bool) -> None:
    """Check that no image that is read as a real one has the name of an exported synthetic one.

    Raises:
        DataError: an image has.
    """
    marked = [] if synthetic else [file for file in files if NAME.fullmatch(PurePosixPath(file).stem)]
    if marked:
        raise DataError(
            f"{root}: {len(marked):,} of {len(files):,} images are synthetic by their names, such as {marked[0]}",
            "prepare both apart: xrayaug export --format csv writes a list of which --only selects one kind",
        )
