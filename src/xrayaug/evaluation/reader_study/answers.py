"""Parse the file that a reader saves; it is not trusted, and each fault is reported in one line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrayaug.errors import DataError

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
MAX_CONFIDENCE = 5
MAX_COMMENT_LENGTH = 1000  # characters
MAX_NAME_LENGTH = 80

HINT = "take the file as the reader's page saved it"


@dataclass(frozen=True)
class Answer:
    """The answer of a reader for one image; None where nothing was answered."""

    synthetic: bool | None
    confidence: int | None  # 1 a guess, 5 certain
    seconds: float  # that the image was on screen
    defects: tuple[str, ...]
    comment: str


@dataclass(frozen=True)
class ReaderAnswers:
    """All answers of one reader, by the image's opaque name."""

    path: Path
    sha256: str
    reader: str
    study: str
    answers: Mapping[str, Answer]


def parse(found: Any, path: Path, sha256: str) -> ReaderAnswers:
    """Parse what the file of one reader holds.

    Args:
        found: the content of the file, parsed as JSON.
        path: of the file.
        sha256: of the file.

    Raises:
        DataError: it was not saved by a reader's page, or has another format.
    """
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise DataError(f"{path} is not what a reader's page saves", HINT)
    if found.get("format") != FORMAT:
        raise DataError(f"{path} has format {found.get('format')}, this xrayaug reads format {FORMAT}", HINT)
    reader = _get_text(found, "reader", path, MAX_NAME_LENGTH).strip()
    answers = found.get("answers")
    if not reader or not isinstance(answers, list):
        raise DataError(f"{path} lacks {'its answers' if reader else 'the name of its reader'}", HINT)
    study = _get_text(found, "study", path, MAX_NAME_LENGTH)
    return ReaderAnswers(path, sha256, reader, study, _parse_answers(answers, path))


def _parse_answers(given: Sequence[Any], path: Path) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for number, each in enumerate(given, start=1):
        where = f"{path}, answer {number}"
        if not isinstance(each, dict):
            raise DataError(f"{where} is no answer", HINT)
        image = _get_text(each, "image", where, MAX_NAME_LENGTH)
        if image in found:
            raise DataError(f"{where} is the second one of image {image}", HINT)
        found[image] = _parse_answer(each, where)
    return found


def _parse_answer(given: Mapping[str, Any], where: str) -> Answer:
    said, sure, seconds = given.get("answer"), given.get("confidence"), given.get("seconds")
    if not (said is None or isinstance(said, str)) or said not in SYNTHETIC:
        raise DataError(f"{where} is '{said}', neither real nor synthetic", HINT)
    if sure is not None and (type(sure) is not int or not 1 <= sure <= MAX_CONFIDENCE):
        raise DataError(f"{where} has confidence {sure}, which is none of 1 to {MAX_CONFIDENCE}", HINT)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise DataError(f"{where} took {seconds} seconds", HINT)
    defects = given.get("defects")
    if not isinstance(defects, list) or not all(isinstance(each, str) and each in DEFECTS for each in defects):
        raise DataError(f"{where} names defects that are none", HINT)
    named = tuple(name for name in DEFECTS if name in defects)
    return Answer(SYNTHETIC[said], sure, float(seconds), named, _get_text(given, "comment", where, MAX_COMMENT_LENGTH))


def _get_text(given: Mapping[str, Any], name: str, where: Path | str, longest: int) -> str:
    text = given.get(name)
    if not isinstance(text, str) or len(text) > longest:
        raise DataError(f"{where}: '{name}' is no text of at most {longest} characters", HINT)
    return text
