"""Judge predictions from elsewhere as `evaluate` judges runs, and from Python: `xrayaug.judge`."""

import itertools
import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np

from xrayaug.errors import DataError, UsageError
from xrayaug.evaluation import baselines, pairing, prediction_checks, prediction_columns, prediction_table, predictions
from xrayaug.evaluation import judge as judging
from xrayaug.evaluation.findings import check_against, find_baseline
from xrayaug.evaluation.judge import SetPredictions
from xrayaug.evaluation.planted import gains, results
from xrayaug.evaluation.prediction_table import PredictionTable, TableBuilder
from xrayaug.evaluation.predictions import RunInfo, RunPredictions
from xrayaug.evaluation.results import EvaluatedArm, Evaluation, TestSet
from xrayaug.options import Against, Case, Evaluate, Metric
from xrayaug.runtime import console

CHUNK_ROWS = 65536
NOTHING = np.empty(0)
CHANCE = 0.5  # AUROC of a guess
Calibration = Literal["none", "temperature"]


@dataclass(frozen=True)
class JudgedPredictions:
    """Predictions as runs of arms, with what they are judged by."""

    tested: SetPredictions
    baseline: str | None  # None: each arm has the one that its settings say
    generators: Mapping[str, int | None]  # that arms are about, as far as they are known
    controls: Mapping[str, Sequence[str]]  # of arms that name them


def arrange(
    options: Evaluate,
    table: PredictionTable,
    hint: str = "--baseline NAME says it",
    controls: Mapping[str, Sequence[str]] | None = None,
    controls_hint: str = "--controls ARM=CONTROL,... names them",
) -> JudgedPredictions:
    """Find the baseline, pair the runs and check what can be checked.

    Args:
        options: of the evaluation: the baseline, the calibration, the column of the subgroups.
        table: the predictions.
        hint: how the user names the baseline.
        controls: names of the controls of arms; by default those of the options.
        controls_hint: how the user names controls.

    Raises:
        UsageError: it is not clear which arm is the baseline, or there is nothing to calibrate on, or no control to
            judge against.
        DataError: runs cannot be paired, or `--by` makes too many groups.
    """
    for note in table.notes:
        console.info(note)
    names = list(dict.fromkeys(arm for arm, _ in table.test.probabilities))
    seeds = {arm: sorted(seed for of, seed in table.test.probabilities if of == arm) for arm in names}
    baseline: str | None = None
    if options.baseline is not None or not table.arms:
        baseline, guessed = baselines.choose_baseline(names, options.baseline, hint)
        names.sort(key=lambda name: name != baseline)
        if guessed:
            console.info(guessed)
    named = parse_controls(options.controls) if controls is None else controls
    arms = [
        EvaluatedArm(
            name,
            table.arms.get(name),
            table.shares_normal.get(name),
            baseline,
            controls=named.get(name),
            is_named_control=any(name in of for of in named.values()),
        )
        for name in names
    ]
    _check_controls(named, arms)
    check_against(arms, options.against, controls_hint)
    found = {arm.name: find_baseline(arm, arms) for arm in arms}
    paired = pairing.pair_runs(seeds, {name: each.name for name, each in found.items() if each is not None})
    if options.calibrate != "none" and table.valid is None:
        raise UsageError(
            f"--calibrate {options.calibrate} needs predictions of validation cases",
            "give them with valid in a column 'split', or leave it out",
        )
    if table.valid is None:
        console.info("there are no predictions of validation cases, so no thresholds are chosen: scores are at 0.5")
    for level, is_known in (("patient", table.patients_known), ("study", table.studies_known)):
        if options.per == level and not is_known:
            raise UsageError(
                f"--per {level}: the predictions do not name the {level} of a case", f"add a column {level}"
            )
    valid_rows = table.valid.rows if table.valid else []
    predicted = [
        RunPredictions(
            RunInfo(f"{arm.name}, seed {seed}", arm.settings, arm.name, seed, arm.share_normal, paired[arm.name][seed]),
            table.test.rows,
            valid_rows,
            table.test.probabilities[arm.name, seed],
            table.valid.probabilities[arm.name, seed] if table.valid else NOTHING,
        )
        for arm in arms
        for seed in seeds[arm.name]
    ]
    if options.calibrate == "temperature":
        predicted = [predictions.calibrate(each) for each in predicted]
    tested = SetPredictions(
        "predictions",
        predicted,
        prediction_checks.check_predictions(table, seeds, paired),
        TestSet(**cast(Any, prediction_table.count_test_set(table))),
        predictions.group_values(table.test.groups, options.by) if options.by else {},
    )
    return JudgedPredictions(tested, baseline, table.generators, named)


def parse_controls(words: Sequence[str] | None) -> dict[str, list[str]]:
    """Return the names of the controls of each arm, from words such as `gan=duplicate`.

    Raises:
        UsageError: a word is no such pair.
    """
    named: dict[str, list[str]] = {}
    for word in words or ():
        arm, sign, control = (part.strip() for part in word.partition("="))
        if not (arm and sign and control):
            raise UsageError(
                f"--controls: '{word}' names no control of an arm",
                "give pairs such as --controls gan=duplicate,gan=classical; names with a comma or an equals sign can "
                "be given in Python only, by xrayaug.judge(..., controls={...})",
            )
        named.setdefault(arm, []).append(control)
    return named


def _check_controls(named: Mapping[str, Sequence[str]], arms: Sequence[EvaluatedArm]) -> None:
    """Check that arms and controls that are named are there, and that none is its own control or the baseline.

    Raises:
        DataError: one is not.
    """
    names = [arm.name for arm in arms]
    baselines_found = {each.name for arm in arms if (each := find_baseline(arm, arms)) is not None}
    for arm, controls in named.items():
        for name in (arm, *controls):
            if name not in names:
                raise DataError(f"there is no arm '{name}' with or to be a control", f"arms are {', '.join(names)}")
            if name in baselines_found:
                raise DataError(f"arm '{name}' is a baseline, and neither has controls nor is one", "name other arms")
        if arm in controls:
            raise DataError(f"arm '{arm}' is named as its own control", "name another arm")
        if any(control in named for control in controls):
            raise DataError(f"the controls of arm '{arm}' are themselves arms with controls", "name other arms")


def judge_predictions(options: Evaluate, judged: JudgedPredictions) -> Evaluation:
    """Judge predictions that were arranged; warn if they look like those of the other class."""
    evaluation = judging.judge(
        options,
        judged.tested,
        audits=[],
        split_by=None,
        baseline=judged.baseline,
        generators=judged.generators,
        controls=judged.controls,
    )
    areas = [run.scores[options.per].auroc for run in evaluation.runs]
    if all(area is not None and area < CHANCE for area in areas):
        console.warning(
            "every run has an AUROC below 0.5: are the probabilities those of being normal, or are labels the other "
            "way round? 1 is abnormal"
        )
    return evaluation


def judge(
    data: Any,
    *,
    baseline: str | None = None,
    controls: Mapping[str, str | Sequence[str]] | None = None,
    columns: Mapping[str, str] | None = None,
    metric: Metric = "auroc",
    per: Case = "image",
    margin: float = 0.02,
    against: Against = "baseline",
    by: str | None = None,
    calibrate: Calibration = "none",
    resamples: int = 1000,
    seed: int = 0,
    planted: bool = False,
) -> Evaluation:
    """Judge whether arms differ from a baseline, from predictions of any classifier.

    There is one row for each case and run. Columns are `arm`, `case`, `label` (0 or 1, normal or abnormal, ...) and
    `probability` (of being abnormal); and, where there are any, `seed` (of the run), `patient`, `study`, `split`
    (`test`, or `valid` for cases to choose thresholds on) and others to group by. All runs must have the same cases.

    Args:
        data: a pandas frame, a mapping of columns, or rows that are mappings.
        baseline: name of the arm that the others are compared with; not needed if it is called 0, baseline or real.
        controls: names of the controls of arms, such as `{"gan": ["duplicate", "classical"]}`: arms of as many images
            without synthetic ones.
        columns: names of columns by what they hold, such as `{"case": "image_id", "probability": "y_score"}`; others
            are found by their names.
        metric: score that decides.
        per: what counts as one case.
        margin: smallest difference of the score that matters.
        against: what an arm must be told from: the `baseline`, every `control`, or `both`.
        by: a column; the cases with each of its values are also scored on their own.
        calibrate: how probabilities are calibrated on the validation cases.
        resamples: number of bootstrap resamples of the patients.
        seed: random seed of the resamples.
        planted: also plant known gains in copies of the predictions, and say how often such studies would tell them.

    Returns:
        All results; `.verdict.arms` has the verdict on every arm but the baseline, and `.planted.gains` how often
        planted gains are told.

    Raises:
        DataError: the data cannot be judged: a case is there twice, is missing in a run, has two labels, ...
        UsageError: an argument is not valid.
    """
    words = (("metric", metric, Metric), ("per", per, Case), ("calibrate", calibrate, Calibration),
             ("against", against, Against))  # fmt: skip
    for name, value, allowed in words:
        if value not in get_args(allowed):
            raise UsageError(f"{name} is {value}", f"it must be one of {', '.join(get_args(allowed))}")
    for name, text in (("baseline", baseline), ("by", by)):
        if text is not None and not isinstance(text, str):
            raise UsageError(_describe_type(name, text), f"give text, such as {name}='{text}'")
    if not isinstance(planted, bool):
        raise UsageError(_describe_type("planted", planted), "it must be True or False")
    given = {} if columns is None else columns
    if not isinstance(given, Mapping) or not all(isinstance(word, str) for pair in given.items() for word in pair):
        raise UsageError(
            _describe_type("columns", given), "give names by content, such as columns={'case': 'image_id'}"
        )
    options = Evaluate(
        out=Path("unused"), metric=metric, per=per, margin=_to_number("margin", margin), by=by, calibrate=calibrate,
        resamples=_to_integer("resamples", resamples), seed=_to_integer("seed", seed), baseline=baseline,
        against=against,
    )  # fmt: skip
    builder = TableBuilder()
    rows = 0
    for start, part in _iterate_parts(data):
        names = prediction_columns.find_columns(
            [str(name) for name in part], given, by, "the data", "columns={...} names them"
        )
        # mypy infers no type for the default, which binds the value of this pass
        builder.add(names, part, lambda place, start=start: f"row {start + place}")  # type: ignore[misc]
        rows += len(next(iter(part.values())))
    if not rows:
        raise DataError("the data have no rows", "give one row for each case and run")
    arranged = arrange(
        options,
        builder.build(),
        "baseline=... says it",
        _list_controls(controls),
        "controls={...} names them",
    )
    evaluation = judge_predictions(options, arranged)
    if not planted:
        return evaluation
    study = gains.arrange_study(evaluation, arranged.tested.predicted)
    found, unknown = gains.plant_gains(study)
    return replace(evaluation, planted=results.group([*found, *unknown, *results.WITHOUT_IMAGES]))


def _list_controls(controls: object) -> dict[str, list[str]]:
    """Return the names of the controls of each arm as lists.

    Raises:
        UsageError: they are no mapping from names to names.
    """
    if controls is None:
        return {}
    listed: dict[str, list[str]] = {}
    given: Mapping[Any, Any] = controls if isinstance(controls, Mapping) else {None: None}
    for arm, of in given.items():
        names: list[Any] = [of] if isinstance(of, str) else list(of) if isinstance(of, Sequence) else [None]
        if not all(isinstance(name, str) for name in (arm, *names)):
            raise UsageError(
                _describe_type("controls", controls), "give names by arm, such as controls={'gan': ['duplicate']}"
            )
        listed[arm] = names
    return listed


def _to_number(name: str, value: object) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise UsageError(_describe_type(name, value), "give a number")
    return float(value)


def _to_integer(name: str, value: object) -> int:
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise UsageError(_describe_type(name, value), "give a whole number")
    return int(value)


def _describe_type(name: str, value: object) -> str:
    return f"{name} is {value!r}, of type {type(value).__name__}"


def _iterate_parts(data: Any) -> Iterator[tuple[int, dict[str, list[object]]]]:
    """Yield the columns of some rows at a time, with the number of the first.

    Raises:
        UsageError: the data are of another kind, or columns have different lengths.
    """
    if hasattr(data, "columns") and hasattr(data, "iloc"):  # a frame of pandas, which is not a dependency
        names = [str(name) for name in data.columns]
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise UsageError(f"the data have {len(repeated)} columns called '{repeated[0]}'", "rename all but one")
        data = {str(name): data[name] for name in data.columns}
    if isinstance(data, Mapping):
        # A slice of a series goes by its index, which may hold other numbers than places.
        data = {name: _to_sequence(str(name), column) for name, column in data.items()}
        lengths = {str(name): len(column) for name, column in data.items()}
        if len(set(lengths.values())) > 1:
            described = ", ".join(f"{name}: {count}" for name, count in lengths.items())
            raise UsageError(f"columns have different lengths ({described})", "give one value for each row in each")
        for start in range(0, next(iter(lengths.values()), 0), CHUNK_ROWS):
            yield start, {str(name): _list_values(column[start : start + CHUNK_ROWS]) for name, column in data.items()}
        return
    if isinstance(data, str | bytes) or not isinstance(data, Iterable):
        raise UsageError(f"data of type {type(data).__name__} cannot be judged", "give a frame, columns or rows")
    rows = iter(data)
    start = 0
    while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
        if not all(isinstance(row, Mapping) for row in chunk):
            raise UsageError("a row is no mapping from columns to values", "such as {'arm': ..., 'case': ..., ...}")
        names = list(dict.fromkeys(itertools.chain.from_iterable(chunk)))
        yield start, {str(name): [row.get(name) for row in chunk] for name in names}
        start += len(chunk)


def _to_sequence(name: str, column: Any) -> Any:
    """Return a column as something that can be cut into parts.

    Raises:
        UsageError: it has no order of rows.
    """
    if not hasattr(column, "__len__") or isinstance(column, str | bytes | Mapping | Set):
        raise UsageError(f"column '{name}' is no sequence", "give one value for each row in each column")
    if hasattr(column, "to_numpy"):
        return column.to_numpy()
    return column if hasattr(column, "tolist") or isinstance(column, list | tuple) else list(column)


def _list_values(part: Any) -> list[object]:
    """Return the values of an array or a sequence; an array of both text and NaN would have the text 'nan'."""
    return list(part.tolist()) if hasattr(part, "tolist") else list(part)
