"""The raw sets that `prepare --source` reads: one module each, found by listing this folder.

To add one, write `sources/<name>.py` with the members of `Source` below. It only finds files and describes them;
decoding, splitting and checking are the same for all sources and lie elsewhere. No registration is needed: the flag
and the contract tests read the folder's listing.

A public set has a `SIGNATURE` in place of `detect`, which tells it from all others, and leaves labels, votes, patients
and splits to `parsing.public_sets`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from xrayaug.data.parsing import directories, set_signatures
from xrayaug.data.parsing.labels import WordCount
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.parsing.skip_reasons import LOST, MISSING
from xrayaug.options import Prepare
from xrayaug.runtime import plugins

if TYPE_CHECKING:
    from xrayaug.data.images.dicom.headers import Header


@dataclass(frozen=True, slots=True)
class Record:
    """One image as the raw set describes it, not yet opened."""

    file: str  # relative to the root, with forward slashes
    label: str  # normal or abnormal
    patient: str
    study: str
    split: str = ""  # train, valid or test; empty where the set does not say
    extra: Mapping[str, str] = field(default_factory=dict)  # further columns of the index
    patient_known: bool = True  # if not, `patient` is unique to the image (or its study)


@dataclass(frozen=True)
class DicomFacts:
    """Facts about the DICOM files of a set."""

    files: int = 0
    images: int = 0  # of these, radiographs
    for_processing: int = 0  # of these, images of the detector's own values, which no viewer shows as they are
    burned_in: int = 0  # of these, images whose header says that text is part of the picture
    columns: tuple[str, ...] = ()  # columns of the index that come from headers
    refused: Mapping[str, int] = field(default_factory=dict)  # reason why a file is no radiograph -> number of files


@dataclass(frozen=True)
class Listing:
    """The images of a raw set: records to decode under `root`, and skipped files with their reasons."""

    root: Path
    records: list[Record]
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (file, reason)
    notes: list[str] = field(default_factory=list)  # facts for the user's information
    warnings: list[str] = field(default_factory=list)  # facts that the user should check
    words: list[WordCount] = field(default_factory=list)  # words in place of labels, and their meanings
    columns: Mapping[str, str] = field(default_factory=dict)  # role of a list's column -> its title
    lists: list[Path] = field(default_factory=list)  # the tables that were read
    dicom: DicomFacts = field(default_factory=DicomFacts)
    headers: Mapping[str, "Header | None"] = field(default_factory=dict)  # DICOM headers by file, if they were read
    header_patients: bool = True  # False: DICOM headers hold identifiers of images or views in place of patients

    def lost(self) -> list[tuple[str, str]]:
        """Return the skipped entries that are images which cannot be read, as (file, reason)."""
        return [(file, reason) for file, reason in self.skipped if reason.startswith(LOST)]


class Source(Protocol):
    """The functions that each module in this folder has; that of a public set has `SIGNATURE` in place of `detect`."""

    def detect(self, path: Path) -> bool:
        """Return whether `path` looks like this set; fast, and False for anything unknown."""

    def read(self, options: Prepare) -> Listing:
        """Return the images of the set at `options.input`.

        Raises:
            InputError: there is no such set.
        """


def names() -> tuple[str, ...]:
    """Return the names of all sources, sorted, without importing them."""
    return plugins.names("data.sources")


def load(name: str) -> Source:
    """Return the source of that name."""
    return cast(Source, plugins.load("data.sources", name))


def signature(name: str) -> Signature | None:
    """Return what tells a public set from others; None for the sources that are no such set."""
    return getattr(load(name), "SIGNATURE", None)


def detect(name: str, path: Path) -> bool:
    """Return whether `path` looks like a set of that name.

    Raises:
        InputError: a directory cannot be read.
    """
    known = signature(name)
    return known.fits(set_signatures.survey(path)) if known else load(name).detect(path)


def find_public_sets(path: Path) -> list[str]:
    """Return the names of the public sets that `path` looks like, by one look at its lists and images.

    Raises:
        InputError: a directory cannot be read.
    """
    seen = set_signatures.survey(path)
    return [name for name in names() if (known := signature(name)) and known.fits(seen)]


def drop_missing_files(listing: Listing) -> Listing:
    """Return the listing with missing files moved from its records to its skipped files, each with the reason.

    Raises:
        InputError: a folder cannot be searched, so its files only seem to be missing.
    """
    for file, reason in listing.skipped:
        if reason.startswith(MISSING):
            directories.missing_reason(listing.root / file)
    missing = {
        record.file: reason
        for record in listing.records
        if (reason := directories.missing_reason(listing.root / record.file))
    }
    records = [record for record in listing.records if record.file not in missing] if missing else listing.records
    return replace(listing, records=records, skipped=[*listing.skipped, *missing.items()])
