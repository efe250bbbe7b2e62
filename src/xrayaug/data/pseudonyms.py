"""Pseudonyms of the patients, studies and files of a set with DICOM images.

A pseudonym is a keyed hash (HMAC-SHA256, RFC 2104) of what it stands for. The key, the salt of one prepared study, is
drawn at random. It lies in the working directory of `prepare`, so that a stopped run goes on with it, and is deleted
with it: without the salt, nobody can compute which patient a pseudonym stands for, nor test a guess. What is kept is
the salt's fingerprint, which tells whether the pseudonyms of two studies can be compared.
"""

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import replace
from pathlib import Path, PurePosixPath

from xrayaug.data.dataset import Row
from xrayaug.data.images.formats import DICOM_SUFFIXES, IMAGE_SUFFIXES
from xrayaug.data.parsing import image_files
from xrayaug.data.parsing.non_images import NO_RADIOGRAPH
from xrayaug.data.parsing.skip_reasons import AMBIGUOUS, BROKEN_LINK
from xrayaug.data.sources import Listing
from xrayaug.errors import ArtifactError, InputError
from xrayaug.options import Prepare

SALT_BYTES = 32
DIGITS = 16  # hexadecimal ones of a pseudonym: 64 bits, so that two of a million are equal by a chance of 3 in 10^8
BY_STUDY = "study:"  # beginning of the name of a patient who is not known, before that of the study
EXAMPLE = re.compile(r"(?:,? such as |(?<= are one): |: (?=.* the first\b)).*?(?=$|; (?=[a-z])|: (?=--))")
MIN_REPLACED, MIN_DIGITS = 3, 6  # characters of an identifier that is looked for in a message, and of a number
LIST_LINE = re.compile(r"line [0-9]+")
LINE = re.compile(r"line \d+")  # a line of a list, in place of a file


class Names:
    """The names of patients, studies and files as the set has them."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the salt of pseudonyms; empty for real names."""
        return ""

    def file(self, path: str) -> str:
        """Return the name of a file by its path in the set."""
        return path

    def row(self, row: Row) -> Row:
        """Return a row of the index with these names."""
        return row

    def listing(self, listing: Listing) -> Listing:
        """Return a listing with these names in its messages and skipped files; its records are as they were."""
        return listing


class Pseudonyms(Names):
    """The pseudonyms of one study.

    Args:
        salt: the key, `SALT_BYTES` of it.
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self._known: dict[str, str] = {}  # identifier or path -> its pseudonym, of those that messages may name

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the salt, equal for equal salts."""
        return self._hash("fingerprint", "")

    def patient(self, identifier: str) -> str:
        """Return the pseudonym of a patient; that of the study where the patient is not known and called by it."""
        if identifier.startswith(BY_STUDY):
            return BY_STUDY + self.study(identifier.removeprefix(BY_STUDY))
        return f"patient-{self._hash('patient', identifier)}"

    def study(self, identifier: str) -> str:
        """Return the pseudonym of a study."""
        return f"study-{self._hash('study', identifier)}"

    def file(self, path: str) -> str:
        """Return the pseudonym of a file by its path in the set; a usual suffix stays."""
        suffix = PurePosixPath(path).suffix.lower()
        return self._hash("file", path) + (suffix if suffix in IMAGE_SUFFIXES | DICOM_SUFFIXES else "")

    def row(self, row: Row) -> Row:
        """Return a row of the index with pseudonyms.

        A patient or study that is not known is called by the image's file, and stays so.
        """
        file, own_id = self.file(row.file), image_files.strip_suffix(row.file)
        return replace(
            row,
            file=file,
            patient=image_files.strip_suffix(file)
            if row.patient == own_id
            else row.patient and self.patient(row.patient),
            study=image_files.strip_suffix(file) if row.study == own_id else row.study and self.study(row.study),
        )

    def _learn(self, listing: Listing) -> None:
        """Take in the identifiers of a set, which `text` replaces."""
        for record in listing.records:
            self._known[record.patient] = self.patient(record.patient)
            self._known[record.study] = self.study(record.study)
        paths = [record.file for record in listing.records] + [file for file, _ in listing.skipped]
        for path in paths:
            self._known[path] = self.file(path)
            self._known[PurePosixPath(path).name] = self.file(path)

    def text(self, message: str) -> str:
        """Return a message about the set without its examples, and with pseudonyms in place of identifiers."""
        message = EXAMPLE.sub("", message)
        named = [each for each in self._known if _is_identifying(each) and each in message]
        for identifier in sorted(named, key=len, reverse=True):
            pattern = rf"(?<![\w.]){re.escape(identifier)}(?![\w])"
            message = re.sub(pattern, self._known[identifier], message)
        return message

    def listing(self, listing: Listing) -> Listing:
        """Return a listing whose messages and skipped files have pseudonyms; its records are still the real ones."""
        self._learn(listing)
        return replace(
            listing,
            skipped=[
                (file if LINE.fullmatch(file) else self.file(file), self._reason(reason))
                for file, reason in listing.skipped
            ],
            notes=[self.text(note) for note in listing.notes],
            warnings=[self.text(warning) for warning in listing.warnings],
        )

    def _reason(self, reason: str) -> str:
        start = next((each for each in (BROKEN_LINK, AMBIGUOUS, NO_RADIOGRAPH) if reason.startswith(each)), "")
        return start or self.text(reason)  # the rest is a link's target, files of that name, or a directory

    def _hash(self, kind: str, identifier: str) -> str:
        return hmac.new(self._salt, f"{kind}\0{identifier}".encode(), hashlib.sha256).hexdigest()[:DIGITS]


def _is_identifying(name: str) -> bool:
    """Return whether a name is looked for in messages; any message may hold a number or a plain word."""
    return (
        len(name) >= MIN_REPLACED
        and not (name.isalpha() and name.islower())
        and not (name.isdigit() and len(name) < MIN_DIGITS)
    )


def are_needed(options: Prepare, listing: Listing) -> bool:
    """Return whether the names of a set must be replaced: it has DICOM files, and nobody asked to keep them."""
    return listing.dicom.files > 0 and not options.keep_identifiers


def hide(problem: InputError) -> InputError:
    """Return an error about a set that only says in which line of which list it is, as the rest may name a patient."""
    place = LIST_LINE.search(problem.message)
    where = f", see {place[0]}" if place else ""
    return InputError(
        f"a list or file of the set is not valid{where}: why is not written to a log, as it may name a patient",
        "run the command in a terminal to see it, or with --keep-identifiers --dry-run",
    )


def draw() -> Pseudonyms:
    """Return pseudonyms by a salt that is used once."""
    return Pseudonyms(secrets.token_bytes(SALT_BYTES))


def restore_or_draw(file: Path) -> Pseudonyms:
    """Return the pseudonyms by the salt in a file, which is drawn and written if it does not exist.

    Raises:
        ArtifactError: the file holds something else.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f"{file.name}.new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(SALT_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(file)
    salt = file.read_bytes()
    if len(salt) != SALT_BYTES:
        raise ArtifactError(f"{file} is damaged", f"delete {file.parent.parent} to start again")
    return Pseudonyms(salt)
