"""Files that are images by their suffix or by their first bytes."""

from pathlib import Path, PurePosixPath

from xrayaug.data.images.formats import DICOM_SUFFIXES, IMAGE_SUFFIXES, START_BYTES, kind_of
from xrayaug.data.parsing.skip_reasons import UNREAD_SUFFIX


def has_image_suffix(file: str) -> bool:
    """Return whether a file name has the suffix of an image (DICOM too)."""
    return PurePosixPath(file).suffix.lower() in IMAGE_SUFFIXES | DICOM_SUFFIXES


def non_image_reason(root: Path, file: str) -> str:
    """Return the reason to skip a file without an image suffix; it begins with UNREAD_SUFFIX for an image."""
    kind = detect_file_format(root / file)
    return f"{UNREAD_SUFFIX}, of kind {kind}" if kind else "not an image"


def detect_file_format(path: Path) -> str:
    """Return the image format of a file by its first bytes; empty if it is not an image or cannot be read."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as stream:
            return kind_of(stream.read(START_BYTES))
    except OSError:
        return ""
