"""Files that are images by their suffix or by their first bytes."""

from pathlib import Path, PurePosixPath

from xrayaug.data.images.formats import DICOM, DICOM_SUFFIXES, IMAGE_SUFFIXES, START_BYTES, kind_of
from xrayaug.data.parsing.skip_reasons import UNREAD_SUFFIX


def has_image_suffix(file: str) -> bool:
    """Return whether a file name has the suffix of an image (DICOM too)."""
    return PurePosixPath(file).suffix.lower() in IMAGE_SUFFIXES | DICOM_SUFFIXES


def is_image(root: Path, file: str) -> bool:
    """Return whether a file has the suffix of an image, or is DICOM by its first bytes, whatever its suffix."""
    return has_image_suffix(file) or detect_file_format(root / file) == DICOM


def strip_suffix(file: str) -> str:
    """Return a path without the suffix of an image, as the name of its patient or study where these are not known.

    Names of DICOM files, such as `1.2.840.5`, often have no suffix, and what follows their last dot tells them apart.
    """
    return PurePosixPath(file).with_suffix("").as_posix() if has_image_suffix(file) else file


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
