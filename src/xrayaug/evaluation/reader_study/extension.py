"""Add a reader study and the scores of its readers to a finished evaluation; nothing is judged again."""

from collections.abc import Mapping, Sequence
from typing import Any

from xrayaug.evaluation.gather import reader_files, reader_images
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.reader_study import scoring, study
from xrayaug.evaluation.reader_study.answers import ReaderAnswers
from xrayaug.evaluation.reader_study.scoring import StudyScores
from xrayaug.options import Evaluate
from xrayaug.runtime import console
from xrayaug.runtime.console import Table
from xrayaug.storage import builder, files

Result = dict[str, Any]  # JSON
SCORES_FILE = "reader.json"
READERS_FIELD = "readers"  # of the result


def add(options: Evaluate, readers: Sequence[ReaderAnswers], result: Result, before: str | None = None) -> Result:
    """Add the study that is asked for and the scores of the readings to the finished evaluation.

    Args:
        options: of the evaluation.
        readers: answers to score.
        result: its numbers.
        before: the study that it held before it was made anew; one that is lost is warned of.

    Returns:
        Its numbers, `result` where nothing is to be added.

    Raises:
        DataError: there are too few images, or the readings are of another study.
        OutputError: another study is there.
    """
    if options.reader_study is not None:
        result = builder.extend(options, lambda made: _add_study(options, reader_files.read_study(made)))
        console.info(f"{options.out / study.PAGE_FILE} is for readers; {options.out / study.KEY_FILE} is not")
    if before is not None and before != study.find_name(result):
        console.warning(
            f"{options.out} was made anew without the reader study {before} that it held: to score answers to that, "
            "make it again, in another --out, of the runs that it was of"
        )
    if readers:
        result = builder.extend(
            options, lambda made: _add_scores(options, readers, reader_files.read_key(made), made.result)
        )
        console.info(f"scored {len(readers)} readers into {options.out / SCORES_FILE}")
    return result


def planned(options: Evaluate, runs: Sequence[Run]) -> Result:
    """Return the counts of the study that is asked for, as a part of the plan; empty if none is asked for."""
    if options.reader_study is None:
        return {}
    pools = reader_images.gather_pools(runs, options.reader_reals)
    drawn = study.draw(pools, options.reader_study, options.seed)
    return {study.STUDY_FIELD: study.count_images(drawn, options.reader_reals)}


def tables(result: Result) -> list[Table]:
    """Return the table of the study and the tables of its readers' scores."""
    found = [_study_table(result[study.STUDY_FIELD])] if study.STUDY_FIELD in result else []
    if READERS_FIELD in result:
        found += scoring.tables(StudyScores.from_dict(result[READERS_FIELD]))
    return found


def _add_study(options: Evaluate, there: Mapping[str, Any] | None) -> tuple[dict[str, str], Result]:
    """Return the files and the result of a new study; nothing if the same one is there."""
    count, reals = options.reader_study or 0, options.reader_reals
    if there is not None:
        study.check_same(there, count, reals)
        return {}, {}
    texts, summary = study.make(study.draw(reader_images.open_pools(options), count, options.seed), reals)
    return texts, {study.STUDY_FIELD: summary}


def _add_scores(
    options: Evaluate, readers: Sequence[ReaderAnswers], key: Mapping[str, Any], before: Result
) -> tuple[dict[str, str], Result]:
    """Return the file and the result with the scores of the readers; warn of readers that are no longer given."""
    scores = scoring.score(key, readers, options.seed)
    scored: list[dict[str, Any]] = before.get(READERS_FIELD, {}).get("readers", [])
    now = {reader.reader for reader in scores.readers}
    for lost in (each for each in scored if each["reader"] not in now):
        console.warning(
            f"{lost['reader']} ({lost['file']}) was scored before and is not given now: name all files at once"
        )
    result = scores.to_dict()
    return {SCORES_FILE: files.format_json(result)}, {READERS_FIELD: result}


def _study_table(summary: Result) -> Table:
    labels = ", ".join(f"{number:,} {label}" for label, number in summary["labels"].items() if number)
    row = (
        str(summary["images"]),
        str(summary["synthetic"]),
        str(summary["real"]),
        labels,
        f"{summary['size']} px",
        summary["reals"],
    )
    columns = ("Images", "Synthetic", "Real", "Labels", "Shown at", "Real ones of")
    note = (
        f"study {summary['study']}: give readers {study.PAGE_FILE}, and keep {study.KEY_FILE} from them"
        if "study" in summary
        else ""
    )
    return Table("Reader study: real or synthetic?", columns, [row], [note] if note else [])
