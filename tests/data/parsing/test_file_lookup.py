import unicodedata
from pathlib import Path, PurePosixPath

import pytest

from xrayaug.data.parsing.file_lookup import FileLookup, Match, Spelling


def lookup(root: Path, *files: str) -> FileLookup:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return FileLookup(root, lambda: files)


@pytest.mark.parametrize(
    ("path", "file", "spelling"),
    [
        ("a/one.png", "a/one.png", Spelling.EXACT),
        ("a/one", "a/one.png", Spelling.EXACT),
        ("one.png", "a/one.png", Spelling.EXACT),
        ("two", "a/two.jpg", Spelling.EXACT),
        ("A/One.PNG", "a/one.png", Spelling.CASE),
        ("a/two.png", "a/two.jpg", Spelling.SUFFIX),
        ("TWO.dcm", "a/two.jpg", Spelling.SUFFIX),
        ("1.2.840.7", "b/1.2.840.7.png", Spelling.EXACT),
    ],
)
def test_a_lookup_reports_how_the_name_differs(tmp_path: Path, path: str, file: str, spelling: Spelling) -> None:
    found = lookup(tmp_path, "a/one.png", "a/two.jpg", "b/1.2.840.7.png").find(PurePosixPath(path))
    assert found == Match((file,), spelling)


def test_unicode_forms_are_one_name(tmp_path: Path) -> None:
    there, listed = (unicodedata.normalize(form, "é/Müller.png") for form in ("NFD", "NFC"))
    assert lookup(tmp_path, there).find(PurePosixPath(listed)) == Match((there,), Spelling.UNICODE)


def test_a_lookup_returns_all_matching_files(tmp_path: Path) -> None:
    found = lookup(tmp_path, "a/x.png", "b/x.png")
    assert found.find(PurePosixPath("x.png")).files == ("a/x.png", "b/x.png")
    assert found.find(PurePosixPath("c/x.png")) == Match(())
    assert found.find(PurePosixPath("n" * 400)) == Match(())
