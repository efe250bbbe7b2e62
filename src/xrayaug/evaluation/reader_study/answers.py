"""The file that a reader saves: read as what anyone may have written, each fault one clear line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrayaug.errors import ArtifactError, DataError, InputError
from xrayaug.storage import files, manifests

KIND = "xrayaug-reader-results"
FORMAT = 1
DEFECTS = {
    "digit": "Extra, missing or fused digit",
    "outline": "Broken or doubled bone outline",
    "joint": "Impossible joint or alignment",
    "texture": "Odd texture, noise or blur",
    "letters": "Garbled marker or letters",
    "other": "Something else",
}
SYNTHETIC = {"real": False, "synthetic": True, None: None}  # what an answer says
SUREST = 5
MOST_BYTES = 4 << 20  # a thousand images with a long comment each are smaller
LONGEST_COMMENT = 1000  # characters
LONGEST_NAME = 80

HINT = "take the file as the reader's page saved it"


@dataclass(frozen=True)
class Answer:
    """What a reader says of one image; None where nothing is said."""

    synthetic: bool | None
    confidence: int | None  # 1 a guess, 5 certain
    seconds: float  # that the image was on screen
    defects: tuple[str, ...]
    comment: str


@dataclass(frozen=True)
class Reading:
    """All answers of one reader, by the image's opaque name."""

    path: Path
    sha256: str
    reader: str
    study: str
    answers: Mapping[str, Answer]


def open_all(paths: Sequence[Path]) -> list[Reading]:
    """Every reader's file, in the order given.

    Raises:
        InputError: a file cannot be read.
        DataError: one is no reader's file, or two are of one reader.
    """
    readings = [open_one(path) for path in paths]
    first: dict[str, Path] = {}
    for each in readings:
        if each.reader in first:
            both = f"{first[each.reader]} and {each.path}"
            raise DataError(f"{both} are both of reader '{each.reader}'", "give one file a reader")
        first[each.reader] = each.path
    return readings


def open_one(path: Path) -> Reading:
    """One reader's file.

    Raises:
        InputError: it cannot be read.
        DataError: it is no reader's file, damaged, or of another format.
    """
    content = _content(path)
    try:
        found = manifests.parsed(content, path)
    except ArtifactError as problem:
        raise DataError(problem.message, HINT) from None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise DataError(f"{path} is not what a reader's page saves", HINT)
    if found.get("format") != FORMAT:
        raise DataError(f"{path} has format {found.get('format')}, this xrayaug reads format {FORMAT}", HINT)
    reader = _text(found, "reader", path, LONGEST_NAME).strip()
    answers = found.get("answers")
    if not reader or not isinstance(answers, list):
        raise DataError(f"{path} lacks {'its answers' if reader else 'the name of its reader'}", HINT)
    study = _text(found, "study", path, LONGEST_NAME)
    return Reading(path, files.sha256_of(content), reader, study, _answers(answers, path))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}", "check the path for a typing error") from None
    if len(content) > MOST_BYTES:
        raise DataError(f"{path} has more than {MOST_BYTES:,} bytes", HINT)
    return content


def _answers(given: Sequence[Any], path: Path) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for number, each in enumerate(given, start=1):
        where = f"{path}, answer {number}"
        if not isinstance(each, dict):
            raise DataError(f"{where} is no answer", HINT)
        image = _text(each, "image", where, LONGEST_NAME)
        if image in found:
            raise DataError(f"{where} is the second one of image {image}", HINT)
        found[image] = _answer(each, where)
    return found


def _answer(given: Mapping[str, Any], where: str) -> Answer:
    said, sure, seconds = given.get("answer"), given.get("confidence"), given.get("seconds")
    if not (said is None or isinstance(said, str)) or said not in SYNTHETIC:
        raise DataError(f"{where} is '{said}', neither real nor synthetic", HINT)
    if sure is not None and (type(sure) is not int or not 1 <= sure <= SUREST):
        raise DataError(f"{where} has confidence {sure}, which is none of 1 to {SUREST}", HINT)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise DataError(f"{where} took {seconds} seconds", HINT)
    defects = given.get("defects")
    if not isinstance(defects, list) or not all(isinstance(each, str) and each in DEFECTS for each in defects):
        raise DataError(f"{where} names defects that are none", HINT)
    named = tuple(name for name in DEFECTS if name in defects)
    return Answer(SYNTHETIC[said], sure, float(seconds), named, _text(given, "comment", where, LONGEST_COMMENT))


def _text(given: Mapping[str, Any], name: str, where: Path | str, longest: int) -> str:
    text = given.get(name)
    if not isinstance(text, str) or len(text) > longest:
        raise DataError(f"{where}: '{name}' is no text of at most {longest} characters", HINT)
    return text
