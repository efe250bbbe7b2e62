"""Test pseudonyms: keyed, stable within a study, and in place of every name."""

import hashlib
import hmac
from dataclasses import replace
from pathlib import Path

import pytest
from builders import row

from xrayaug.data import pseudonyms
from xrayaug.data.pseudonyms import Names, Pseudonyms
from xrayaug.data.sources import Listing, Record
from xrayaug.errors import ArtifactError

SALT = bytes(range(32))


def test_a_pseudonym_is_a_keyed_hash() -> None:
    expected = hmac.new(SALT, b"patient\0MRN7", hashlib.sha256).hexdigest()[:16]
    assert Pseudonyms(SALT).patient("MRN7") == f"patient-{expected}"
    assert Pseudonyms(bytes(32)).patient("MRN7") != f"patient-{expected}"
    assert Pseudonyms(SALT).study("MRN7") != Pseudonyms(SALT).patient("MRN7")
    assert Pseudonyms(SALT).fingerprint == Pseudonyms(SALT).fingerprint != Pseudonyms(bytes(32)).fingerprint
    assert Names().fingerprint == ""


def test_files_keep_a_usual_suffix_alone() -> None:
    names = Pseudonyms(SALT)
    assert names.file("a/DOE.DCM").endswith(".dcm")
    assert "." not in names.file("a/1.2.3.DOE")
    assert len({names.file(path) for path in ("a/1", "a/2", "b/1")}) == 3


def test_what_is_not_known_is_still_named_after_its_file() -> None:
    names = Pseudonyms(SALT)
    known = names.row(row(file="x/a.dcm", patient="P1", study="S1"))
    assert (known.patient, known.study) == (names.patient("P1"), names.study("S1"))
    unknown = names.row(row(file="x/a.dcm", patient="x/a", study="x/a"))
    assert unknown.patient == unknown.study == unknown.file.removesuffix(".dcm")
    assert names.row(row(file="x/a.dcm", patient="", study="")).patient == ""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("3 files are odd, such as DOE/1.dcm", "3 files are odd"),
        ("2 paths seem to name 1, such as DOE1: --patient-pattern x", "2 paths seem to name 1: --patient-pattern x"),
        ("2 identifiers differ in case alone, and are one: 'Doe'", "2 identifiers differ in case alone, and are one"),
        ("a structured report is no image", "a structured report is no image"),
    ],
)  # fmt: skip
def test_messages_lose_their_examples(message: str, expected: str) -> None:
    assert Pseudonyms(SALT).text(message) == expected


def test_messages_and_skipped_files_have_pseudonyms() -> None:
    names = Pseudonyms(SALT)
    record = Record("DOE_JANE/IM1", "normal", "MRN12345", "1.2.3.4")
    listing = Listing(
        Path("raw"),
        [record],
        skipped=[("DOE_JANE/IM2", "in several places: DOE_JANE/IM1"), ("line 7", "listed but not on disk")],
        notes=["MRN12345 has 2 images in 1.2.3.4"],
    )
    shown = names.listing(listing)
    assert shown.records == [record]
    assert shown.skipped == [
        (names.file("DOE_JANE/IM2"), "in several places"),
        ("line 7", "listed but not on disk"),
    ]
    assert shown.notes == [f"{names.patient('MRN12345')} has 2 images in {names.study('1.2.3.4')}"]
    assert Names().listing(listing) == listing == replace(listing)


def test_a_salt_is_drawn_once_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "resume" / "salt"
    first = pseudonyms.restore_or_draw(file)
    assert pseudonyms.restore_or_draw(file).fingerprint == first.fingerprint
    assert pseudonyms.draw().fingerprint != first.fingerprint
    file.write_bytes(b"short")
    with pytest.raises(ArtifactError, match="salt is damaged"):
        pseudonyms.restore_or_draw(file)


def test_the_target_of_a_broken_link_is_left_out() -> None:
    listing = Listing(Path("raw"), [], skipped=[("a.dcm", "a broken link to /archive/DOE_JANE/1.dcm")])
    assert Pseudonyms(SALT).listing(listing).skipped == [(Pseudonyms(SALT).file("a.dcm"), "a broken link")]
