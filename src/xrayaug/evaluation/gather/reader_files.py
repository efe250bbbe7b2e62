"""Read the files of readers, and the reader study of a finished evaluation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xrayaug.errors import ArtifactError, DataError, InputError
from xrayaug.evaluation import serialization
from xrayaug.evaluation.reader_study import answers, study
from xrayaug.evaluation.reader_study.answers import FORMAT, HINT, ReaderAnswers
from xrayaug.evaluation.reader_study.results import SCORES_FIELD, StudyScores
from xrayaug.evaluation.reader_study.study import KEY_FILE, STUDY_FIELD, StudyKey, StudySummary
from xrayaug.options import Evaluate
from xrayaug.storage import artifacts, files, manifests
from xrayaug.storage.artifacts import Artifact

MAX_BYTES = 4 << 20  # a thousand images with a long comment each are smaller


@dataclass(frozen=True)
class ReaderInputs:
    """Answers of readers, and the name of the study that the command is about to replace; None if there is none."""

    answers: Sequence[ReaderAnswers] = ()
    replaced_study: str | None = None


def gather_readers(options: Evaluate) -> ReaderInputs:
    """Read all that is needed of readers before the evaluation, so that a wrong file is known before it is made.

    Raises:
        InputError: a file of a reader is missing, damaged or foreign, or there is no study that it could belong to.
    """
    return ReaderInputs(read_answers(options), find_replaced_study(options))


def read_answers(options: Evaluate) -> list[ReaderAnswers]:
    """Read the files of `--reader-results`.

    Raises:
        InputError: one is missing, damaged or foreign, or there is no study that it could belong to.
    """
    readers = read_files(options.reader_results or ())
    is_kept = artifacts.is_artifact(options.out) and not options.overwrite and (options.out / KEY_FILE).is_file()
    if readers and options.reader_study is None and not is_kept:
        raise study.no_study(options.out)
    return readers


def read_files(paths: Sequence[Path]) -> list[ReaderAnswers]:
    """Read the file of every reader, in the order given.

    Raises:
        InputError: a file cannot be read.
        DataError: a file was not saved by a reader's page, or two files are of one reader.
    """
    readers = [read_file(path) for path in paths]
    first: dict[str, Path] = {}
    for each in readers:
        if each.reader in first:
            both = f"{first[each.reader]} and {each.path}"
            raise DataError(f"{both} are both of reader '{each.reader}'", "give one file for each reader")
        first[each.reader] = each.path
    return readers


def read_file(path: Path) -> ReaderAnswers:
    """Read the file of one reader.

    Raises:
        InputError: it cannot be read.
        DataError: it is damaged, of another format, or no file of a reader.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}", "check the path for a typing error") from None
    if len(content) > MAX_BYTES:
        raise DataError(f"{path} has more than {MAX_BYTES:,} bytes", HINT)
    try:
        parsed = manifests.parse_json(content, path)
    except ArtifactError as problem:
        raise DataError(problem.message, HINT) from None
    return answers.parse(parsed, path, files.sha256_bytes(content))


def find_replaced_study(options: Evaluate) -> str | None:
    """Return the name of the reader study in the evaluation that `--overwrite` replaces; None if there is none."""
    if not (options.overwrite and artifacts.is_artifact(options.out)):
        return None
    return study.find_name(manifests.read(options.out / manifests.MANIFEST)["result"])


def read_key(evaluation: Artifact) -> StudyKey:
    """Read the key of the study in an evaluation.

    Raises:
        DataError: the evaluation has no study.
        ArtifactError: the key has another format.
    """
    if KEY_FILE not in evaluation.manifest["files"]:
        raise study.no_study(evaluation.path)
    key = json.loads(evaluation.file(KEY_FILE).read_text(encoding="utf-8"))
    if key.get("format") != FORMAT:
        raise ArtifactError(
            f"{evaluation.path / KEY_FILE} has format {key.get('format')}, not {FORMAT}", "make it again"
        )
    return serialization.from_dict(StudyKey, key)


def read_study(evaluation: Artifact) -> StudySummary | None:
    """Return the numbers of the reader study in the result of an evaluation; None if it has none."""
    if STUDY_FIELD not in evaluation.result:
        return None
    return StudySummary.from_dict(evaluation.get(dict, "result", STUDY_FIELD))


def read_scores(evaluation: Artifact) -> StudyScores | None:
    """Return the scores of readers in the result of an evaluation; None if it has none."""
    if SCORES_FIELD not in evaluation.result:
        return None
    return StudyScores.from_dict(evaluation.get(dict, "result", SCORES_FIELD))
