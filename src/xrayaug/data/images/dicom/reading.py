"""Open DICOM files with pydicom, which is imported where the first such file is met.

pydicom's own messages quote values of the header. None of them leaves this module: what is wrong with a file is said in
words of our own.
"""

import logging
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from importlib import metadata
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

from xrayaug.data.images import formats
from xrayaug.data.images.opening import UnusableImage, open_regular_file, silence_warnings

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset
    from pydicom.tag import BaseTag
    from pydicom.uid import UID

PACKAGES = ("pydicom", "imagecodecs")  # of the extra
INSTALL = "pip install 'xrayaug[dicom]'"
MAX_FILE_BYTES = 1 << 28  # a radiograph of 64 megapixels in 16 bits has half as much
MAX_READS = 100_000  # parts of a header, each at least one element; radiographs have hundreds
MAX_SEQUENCE_BYTES = 1 << 21  # sixteen tables of 65,536 entries
MAX_ITEMS = 100  # of a sequence
ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # by the order of bytes
NOTHING_DEFLATED = zlib.compress(b"", wbits=-zlib.MAX_WBITS)
TOO_MANY = "its header has too many elements"
OVERLAY_ROWS = 0x60000010  # element of the first overlay
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"


class NotDicom(UnusableImage):
    """A file that only begins like DICOM."""


@cache
def is_installed() -> bool:
    """Return whether pydicom, of the extra `dicom`, is installed."""
    return find_spec("pydicom") is not None


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that decode DICOM, without those that are not installed."""
    return {name: metadata.version(name) for name in PACKAGES if find_spec(name)}


@contextmanager
def translating_errors() -> Iterator[None]:
    """Silence pydicom inside, and raise `UnusableImage` in words of our own for its errors, which quote the header."""
    try:
        with silence_warnings():
            yield
    except (UnusableImage, MemoryError):
        raise
    except Exception:  # pydicom raises many types, also when a value is asked for, and its messages quote values
        raise UnusableImage("damaged: its DICOM header cannot be read") from None


def is_dicom(path: Path) -> bool:
    """Return whether a file is DICOM, by its first bytes or its suffix; False if it cannot be read."""
    try:
        with open_regular_file(path) as stream:
            kind = formats.kind_of(stream.read(formats.START_BYTES))
    except (OSError, UnusableImage):
        return False
    return kind == formats.DICOM or (not kind and path.suffix.lower() in formats.DICOM_SUFFIXES)


def read_dataset(path: Path, keywords: Sequence[str], *, with_pixels: bool = False) -> "FileDataset":
    """Read elements of a DICOM file inside `translating_errors`; all other elements are passed over.

    Args:
        path: the file.
        keywords: keywords of the elements.
        with_pixels: read the pixels too, as they are stored.

    Raises:
        NotDicom: the file is not DICOM after all.
        UnusableImage: the file is damaged, too large, or pydicom is not installed.
        OSError: it cannot be opened.
    """
    if not is_installed():
        raise UnusableImage(f"DICOM needs pydicom: {INSTALL}")
    with open_regular_file(path) as stream:
        size = path.stat().st_size
        if with_pixels and size > MAX_FILE_BYTES:
            raise UnusableImage(f"too large: {size >> 20:,} MiB, more than {MAX_FILE_BYTES >> 20}")
        return _parse(stream, size, keywords, with_pixels=with_pixels)


def transfer_syntax(dataset: "Dataset") -> "UID":
    """Return how the pixels are encoded; of a file that does not say so, how its elements are."""
    from pydicom.uid import UID

    named = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    if named:
        return UID(str(named))
    is_implicit, is_little = dataset.original_encoding
    if is_implicit:
        return UID(IMPLICIT_LITTLE)
    return UID(EXPLICIT_LITTLE if is_little else EXPLICIT_BIG)


def _parse(stream: IO[bytes], size: int, keywords: Sequence[str], *, with_pixels: bool) -> "FileDataset":
    from pydicom import dcmread
    from pydicom.tag import Tag

    logging.getLogger("pydicom").propagate = False  # its lines quote the header
    tags = [Tag(name) for name in (*keywords, *(["PixelData"] if with_pixels else []))]
    parse = partial(dcmread, force=True, stop_before_pixels=not with_pixels, specific_tags=[*tags, Tag(OVERLAY_ROWS)])
    file = _BoundedFile(stream, size)
    dataset = parse(file)
    if file.inflated is not None:
        file_meta = dataset.file_meta
        dataset = parse(_BoundedFile(BytesIO(file.inflated), len(file.inflated)))
        dataset.file_meta = file_meta
    _check_sequences(dataset, tags)
    if not (dataset.get("SOPClassUID") or dataset.get("Rows") or dataset.file_meta):
        raise NotDicom("not an image")
    return dataset


def _check_sequences(dataset: "Dataset", tags: Sequence["BaseTag"]) -> None:
    """Check that sequences, which pydicom parses when they are asked for, have no more elements than can be of use.

    Raises:
        UnusableImage: one has.
    """
    from pydicom.datadict import dictionary_VR

    for tag in tags:
        content = dataset.get_item(tag).value if tag in dataset and dictionary_VR(tag) == "SQ" else b""
        if not isinstance(content, bytes):  # it was parsed already, from the file
            continue
        if len(content) > MAX_SEQUENCE_BYTES or max(map(content.count, ITEM_TAGS)) > MAX_ITEMS:
            raise UnusableImage(TOO_MANY)


class _BoundedFile:
    """A file that is asked for no more bytes than it has left, nor more often than a header needs.

    A damaged length would otherwise have Python allocate gigabytes before it finds that the file ends, and a file of
    tiny elements would be parsed for minutes.
    """

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._size, self._reads = stream, size, 0
        self.seek, self.tell = stream.seek, stream.tell
        self.inflated: bytes | None = None  # the data set of a deflated file

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes, at most so many.

        pydicom reads to the end what it then inflates, and nothing else. It is given nothing to inflate: the elements
        are in `inflated`, to be parsed under the same limits.

        Raises:
            UnusableImage: what is left is larger than the limit, or inflates to more, or there were too many parts.
        """
        self._reads += 1
        if self._reads > MAX_READS:
            raise UnusableImage(TOO_MANY)
        remaining = max(self._size - self.tell(), 0)
        if count >= 0:
            return self._stream.read(min(count, remaining))
        if remaining > MAX_FILE_BYTES:
            raise UnusableImage(f"too large: {remaining >> 20:,} MiB, more than {MAX_FILE_BYTES >> 20}")
        self.inflated = _inflate(self._stream.read(remaining))
        return NOTHING_DEFLATED


def _inflate(content: bytes) -> bytes:
    """Return what deflated content inflates to.

    Raises:
        UnusableImage: it grows beyond the limit, or it is damaged.
    """
    try:
        inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, MAX_FILE_BYTES)
    except zlib.error:
        raise UnusableImage("damaged: its deflated data cannot be read") from None
    if len(inflated) >= MAX_FILE_BYTES:
        raise UnusableImage(f"too large: it inflates to more than {MAX_FILE_BYTES >> 20} MiB")
    return inflated
