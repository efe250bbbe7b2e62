"""The readers' part of an evaluation: added to it when it is finished, so that nothing is judged again for it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from xrayaug.evaluation.reader_study import answers, scoring, study
from xrayaug.evaluation.reader_study.answers import Reading
from xrayaug.evaluation.runs import Run, open_runs
from xrayaug.options import Evaluate
from xrayaug.runtime import console
from xrayaug.runtime.console import Table
from xrayaug.storage import artifacts, builder, files, manifests
from xrayaug.storage.artifacts import Artifact, Result

SCORES = "reader.json"
STUDY_FIELD, READERS_FIELD = "reader_study", "readers"  # of the result


def readings(options: Evaluate) -> list[Reading]:
    """The readers' files, read before anything is judged: so that a wrong one is known at once.

    Raises:
        InputError: one is missing, damaged or foreign, or there is no study that it could be of.
    """
    paths = options.reader_results or ()
    kept = artifacts.is_artifact(options.out) and not options.overwrite and (options.out / study.KEY).is_file()
    if paths and options.reader_study is None and not kept:
        raise study.no_study(options.out)
    return answers.open_all(paths)


def to_be_replaced(options: Evaluate) -> str | None:
    """The name of the reader study in the evaluation that `--overwrite` makes anew, if there is one."""
    if not (options.overwrite and artifacts.is_artifact(options.out)):
        return None
    return _name(manifests.read(options.out / manifests.MANIFEST)["result"])


def add(options: Evaluate, given: Sequence[Reading], result: Result, before: str | None = None) -> Result:
    """Add the study that is asked for and the scores of the readings to the finished evaluation.

    Args:
        options: of the evaluation.
        given: the readings.
        result: its numbers.
        before: the study that it held before it was made anew; one that is lost is warned of.

    Returns:
        Its numbers, `result` where nothing is to be added.

    Raises:
        DataError: there are too few images, or the readings are of another study.
        OutputError: another study is there.
    """
    if options.reader_study is not None:
        result = builder.grow(options, partial(_study, options))
        console.say(f"{options.out / study.PAGE} is for readers; {options.out / study.KEY} is not")
    if before is not None and before != _name(result):
        console.warn(
            f"{options.out} was made anew without the reader study {before} that it held: to score answers to that, "
            "make it again, in another --out, of the runs that it was of"
        )
    if given:
        result = builder.grow(options, partial(_scores, options, given))
        console.say(f"scored {len(given)} readers into {options.out / SCORES}")
    return result


def planned(options: Evaluate, runs: Sequence[Run]) -> Result:
    """What the study that is asked for would hold, as a part of the plan."""
    if options.reader_study is None:
        return {}
    drawn = study.draw(runs, options.reader_study, options.seed, options.reader_reals)
    return {STUDY_FIELD: study.counts(drawn, options.reader_reals)}


def tables(result: Result) -> list[Table]:
    """The study, and how readers did in it."""
    found = [_table(result[STUDY_FIELD])] if STUDY_FIELD in result else []
    return [*found, *(scoring.tables(result[READERS_FIELD]) if READERS_FIELD in result else [])]


def _study(options: Evaluate, evaluation: Artifact) -> tuple[dict[str, str], Result]:
    count, reals = options.reader_study or 0, options.reader_reals
    if STUDY_FIELD in evaluation.result:
        study.check_same(evaluation.said(dict, "result", STUDY_FIELD), count, reals)
        return {}, {}
    drawn = study.draw(open_runs(options.runs, options.local_cache), count, options.seed, reals)
    texts, told = study.make(drawn, reals)
    return texts, {STUDY_FIELD: told}


def _scores(options: Evaluate, given: Sequence[Reading], evaluation: Artifact) -> tuple[dict[str, str], Result]:
    found = scoring.score(study.read_key(evaluation), given, options.seed)
    before: list[dict[str, Any]] = evaluation.result.get(READERS_FIELD, {}).get("readers", [])
    now = {each["reader"] for each in found["readers"]}
    for lost in (each for each in before if each["reader"] not in now):
        console.warn(
            f"{lost['reader']} ({lost['file']}) was scored before and is not given now: name all files at once"
        )
    return {SCORES: files.json_text(found)}, {READERS_FIELD: found}


def _name(result: Result) -> str | None:
    """The reader study's, of an evaluation's numbers."""
    told = result.get(STUDY_FIELD)
    return str(told.get("study")) if isinstance(told, dict) else None


def _table(told: Result) -> Table:
    labels = ", ".join(f"{number:,} {label}" for label, number in told["labels"].items() if number)
    row = (str(told["images"]), str(told["synthetic"]), str(told["real"]), labels, f"{told['size']} px", told["reals"])
    columns = ("Images", "Synthetic", "Real", "Labels", "Shown at", "Real ones of")
    note = (
        f"study {told['study']}: give readers {study.PAGE}, and keep {study.KEY} from them" if "study" in told else ""
    )
    return Table("Reader study: real or synthetic?", columns, [row], [note] if note else [])
