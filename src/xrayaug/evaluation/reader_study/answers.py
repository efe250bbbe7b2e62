"""Parse the file that a reader saves. It is not trusted: every invalid value raises an error of one line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrayaug.errors import DataError

KIND = "xrayaug-reader-results"
FORMAT = 1  # of the files of a reader study: the key and the answers of each reader
DEFECTS = {
    "digit": "Extra, missing or fused digit",
    "outline": "Broken or doubled bone outline",
    "joint": "Impossible joint or alignment",
    "texture": "Odd texture, noise or blur",
    "letters": "Garbled marker or letters",
    "other": "Something else",
}
SYNTHETIC = {"real": False, "synthetic": True, None: None}  # by the word in the file
MAX_CONFIDENCE = 5
MAX_COMMENT_LENGTH = 1000  # characters
MAX_NAME_LENGTH = 80

HINT = "use the file exactly as the reader's page saved it"


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


def parse(content: Any, path: Path, sha256: str) -> ReaderAnswers:
    """Parse the file of one reader.

    Args:
        content: of the file, parsed as JSON.
        path: of the file.
        sha256: of the file.

    Raises:
        DataError: it was not saved by a reader's page, or has another format.
    """
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise DataError(f"{path} was not saved by the page of a reader study", HINT)
    if content.get("format") != FORMAT:
        raise DataError(f"{path} has format {content.get('format')}, this xrayaug reads format {FORMAT}", HINT)
    reader = _get_text(content, "reader", path, MAX_NAME_LENGTH).strip()
    answers = content.get("answers")
    if not reader or not isinstance(answers, list):
        raise DataError(f"{path} has no {'list of answers' if reader else 'name of the reader'}", HINT)
    study = _get_text(content, "study", path, MAX_NAME_LENGTH)
    return ReaderAnswers(path, sha256, reader, study, _parse_answers(answers, path))


def _parse_answers(entries: Sequence[Any], path: Path) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for number, entry in enumerate(entries, start=1):
        location = f"{path}, answer {number}"
        if not isinstance(entry, dict):
            raise DataError(f"{location} is not a JSON object", HINT)
        image = _get_text(entry, "image", location, MAX_NAME_LENGTH)
        if image in answers:
            raise DataError(f"{location} is a second answer for image {image}", HINT)
        answers[image] = _parse_answer(entry, location)
    return answers


def _parse_answer(entry: Mapping[str, Any], location: str) -> Answer:
    word, confidence, seconds = entry.get("answer"), entry.get("confidence"), entry.get("seconds")
    if not (word is None or isinstance(word, str)) or word not in SYNTHETIC:
        raise DataError(f"{location} is '{word}', must be 'real' or 'synthetic'", HINT)
    if confidence is not None and (type(confidence) is not int or not 1 <= confidence <= MAX_CONFIDENCE):
        raise DataError(f"{location} has confidence {confidence}, must be an integer from 1 to {MAX_CONFIDENCE}", HINT)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise DataError(f"{location} has seconds {seconds}, must be a number from 0", HINT)
    names = entry.get("defects")
    if not isinstance(names, list) or not all(isinstance(name, str) and name in DEFECTS for name in names):
        raise DataError(f"{location} names an unknown defect", HINT)
    defects = tuple(name for name in DEFECTS if name in names)
    comment = _get_text(entry, "comment", location, MAX_COMMENT_LENGTH)
    return Answer(SYNTHETIC[word], confidence, float(seconds), defects, comment)


def _get_text(entry: Mapping[str, Any], name: str, location: Path | str, max_length: int) -> str:
    text = entry.get(name)
    if not isinstance(text, str) or len(text) > max_length:
        raise DataError(f"{location}: '{name}' must be a text of at most {max_length} characters", HINT)
    return text
