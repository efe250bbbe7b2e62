"""Read predictions from CSV files of any length, of any program or of `evaluate` and `predict`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from xrayaug.data.arms import WITH_SYNTHETIC, ArmSettings
from xrayaug.errors import DataError, UsageError, XrayaugError
from xrayaug.evaluation import predictions, serialization
from xrayaug.evaluation.gather import origins
from xrayaug.evaluation.gather.runs import list_differing
from xrayaug.evaluation.prediction_columns import ColumnNames, find_columns
from xrayaug.evaluation.prediction_table import PredictionTable, TableBuilder
from xrayaug.evaluation.results import ArmResult, Verdict
from xrayaug.options import Evaluate
from xrayaug.runtime import console
from xrayaug.storage import artifacts, csvfile
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.files import PREDICTIONS_FILE, VALIDATION_FILE

CHUNK_LINES = 65536
KINDS = ("evaluation", "predictions")
SPLITS = {PREDICTIONS_FILE: "test", VALIDATION_FILE: "valid"}  # of the files of these artifacts


@dataclass(frozen=True)
class _Source:
    """The artifact that an arm is of, and what the trainings of its runs have in common; None if it does not say so."""

    path: Path
    training: Mapping[str, str] | None


@dataclass(frozen=True)
class _TestedData:
    """The dataset whose images predictions are of."""

    path: Path  # of the predictions
    digest: str | None = None  # of the dataset; None if it is unknown
    origin: str | None = None  # digest of the raw set behind it; None if that cannot be read


def read_predictions(options: Evaluate) -> PredictionTable:
    """Read the files of `--predictions`, and how their arms were made where an artifact of xrayaug says so.

    Raises:
        InputError: a file cannot be read.
        DataError: a column is missing, a value is impossible, runs do not have the same cases, or two artifacts have
            arms of one name that may differ.
    """
    builder = TableBuilder()
    sources: dict[str, _Source] = {}
    tested: list[_TestedData] = []
    given = parse_columns(options.columns)
    for path in options.predictions or ():
        listed = _list_files(path)
        before = builder.test_rows
        has_validation = any(file.name == VALIDATION_FILE and artifact is not None for file, _, artifact in listed)
        for file, split, artifact in listed:
            _read(file, split, given, options.by, builder, without="valid" if has_validation else None)
            if artifact is not None:
                _add_arms(artifact, sources, builder)
        if builder.test_rows > before:
            tested.append(_find_tested(path, listed[0][2]))
    unknown = _check_tested(tested)
    builder.unknown_images = unknown if builder.is_own else []  # other names of cases are those that the user gave
    return builder.build()


def parse_columns(words: Sequence[str] | None) -> dict[str, str]:
    """Return the names of columns by what they hold, from words such as `case=image_id`.

    Raises:
        UsageError: a word is no such pair.
    """
    given = {}
    for word in words or ():
        content, sign, name = word.partition("=")
        if not (content.strip() and sign and name.strip()):
            raise UsageError(
                f"--columns: '{word}' names no column", "such as --columns case=image_id,probability=score"
            )
        given[content.strip()] = name.strip()
    return given


def _list_files(path: Path) -> list[tuple[Path, str | None, Artifact | None]]:
    """Return the files to read, each with its split and the artifact that it is of; None where these are unknown."""
    if path.is_dir():
        artifact = artifacts.open_artifact(path, *KINDS)
        names = [name for name in SPLITS if name in artifact.manifest["files"]]
        return [(path / name, _split_of(artifact, name), artifact) for name in names]
    parent = path.parent
    if path.name in SPLITS and artifacts.is_artifact(parent):
        artifact = artifacts.open_artifact(parent)
        if artifact.kind in KINDS and path.name in artifact.manifest["files"]:
            return [(path, _split_of(artifact, path.name), artifact)]
    return [(path, None, None)]


def _split_of(artifact: Artifact, name: str) -> str | None:
    """Return the split of a file of ours; None if a column says so."""
    return None if artifact.kind == "predictions" and name == PREDICTIONS_FILE else SPLITS[name]


def _read(
    path: Path,
    split: str | None,
    given: Mapping[str, str],
    by: str | None,
    builder: TableBuilder,
    *,
    without: str | None,
) -> None:
    """Add a file to the table.

    Rows of the split `without` are left out where a column names splits: `predict --split all` writes the validation
    images of the predicted dataset, and `validation.csv` has those of the runs, on which thresholds are chosen.
    """
    chunks = csvfile.iterate(path, CHUNK_LINES)
    _, (header,) = next(chunks)
    titles = [title.strip() for title in header]
    columns = find_columns(titles, given, by, str(path), "--columns CONTENT=COLUMN,... names them")
    if columns.guessed:
        console.info(f"{path}: columns are taken as follows: {columns.guessed}")
    wanted = _wanted_columns(columns)
    rows = 0
    split_place = titles.index("split") if without is not None and split is None and "split" in titles else None
    for numbers, lines in chunks:
        if split_place is not None:
            kept = [place for place, line in enumerate(lines) if line[split_place] != without]
            numbers, lines = [numbers[place] for place in kept], [lines[place] for place in kept]  # noqa: PLW2901
            if not lines:
                continue
        cells = list(zip(*lines, strict=True))
        part = {title: cells[place] for place, title in enumerate(titles) if title in wanted}
        builder.add(columns, part, partial(_name_line, path, numbers), split)
        rows += len(lines)
    if not rows:
        raise DataError(f"{path} has no rows below its first line", "give one row for each case and run")
    console.info(f"{path}: {rows:,} predictions")


def _name_line(path: Path, numbers: Sequence[int], place: int) -> str:
    return f"{path} line {numbers[place]}"


def _wanted_columns(columns: ColumnNames) -> set[str]:
    named = {name for name in columns.by_content.values() if name is not None}
    return named | ({"image", "row", "file"} if columns.is_own else set()) | ({columns.by} if columns.by else set())


def _add_arms(artifact: Artifact, sources: dict[str, _Source], builder: TableBuilder) -> None:
    """Add the settings and the class priors of the arms in an artifact's result.

    Raises:
        DataError: another artifact has an arm of that name that is not surely the same.
    """
    if artifact.kind == "predictions":
        runs = artifact.get(list, "result", "runs")
        _add_generators(artifact.result.get("generators", {}), runs, builder)
        for run in runs:
            settings = serialization.from_dict(ArmSettings, run["arm"])
            source = _Source(artifact.path, run.get("training"))
            _check_source(run["arm_name"], source, builder.settings.setdefault(run["arm_name"], settings) == settings,
                          sources)  # fmt: skip
        shares: dict[str, list[float]] = {}
        for run in runs:
            if run["share_normal"] is not None:
                shares.setdefault(run["arm_name"], []).append(run["share_normal"])
        builder.shares_normal |= {name: predictions.average_shares(of) for name, of in shares.items()}
        return
    for arm in artifact.get(list, "result", "arms"):
        result = serialization.from_dict(ArmResult, arm)
        if result.settings is not None:
            is_same = builder.settings.setdefault(result.name, result.settings) == result.settings
            _check_source(result.name, _Source(artifact.path, None), is_same, sources)
    for judged in serialization.from_dict(Verdict, artifact.get(dict, "result", "verdict")).arms:
        builder.generators[judged.arm] = judged.generators
        if judged.prior_shift is not None and judged.baseline is not None:
            builder.shares_normal[judged.arm] = judged.prior_shift.share_normal
            builder.shares_normal[judged.baseline] = judged.prior_shift.share_normal_baseline


def _add_generators(several: Mapping[str, int | None], runs: Sequence[Any], builder: TableBuilder) -> None:
    """Add the numbers of generators of the arms of `predict`.

    Args:
        several: of arms whose runs have images of different generators, which are recorded.
        runs: of all arms, which record the digest of the generator; an empty one without synthetic images.
        builder: of the table.
    """
    digests: dict[str, set[str | None]] = {}
    for run in runs:
        training = run.get("training") or {}
        has_images = run["arm"].get("control") in WITH_SYNTHETIC
        digests.setdefault(run["arm_name"], set()).add(training.get("generator") if has_images else "")
    for name, of in digests.items():
        (digest,) = of if len(of) == 1 else (None,)
        number = several[name] if name in several else None if digest is None else int(bool(digest))
        builder.generators[name] = number if builder.generators.get(name, number) == number else None


def _find_tested(path: Path, artifact: Artifact | None) -> _TestedData:
    """Find the dataset whose test images predictions are of, as far as artifacts record it."""
    predicting = artifact
    if artifact is not None and artifact.kind == "evaluation":
        predicting = origins.read_input(artifact, "runs/0")  # all runs have the same test images
    if predicting is None or "data" not in predicting.manifest["inputs"]:
        return _TestedData(path)
    data = origins.read_input(predicting, "data")
    try:
        origin = None if data is None else origins.find_origin(data)
    except (XrayaugError, OSError):
        origin = None
    return _TestedData(path, str(predicting.manifest["inputs"]["data"]["sha256"]), origin)


def _check_tested(tested: Sequence[_TestedData]) -> list[str]:
    """Check that predictions of several commands are of the same images; return those of which this is unknown.

    Files of equal names in two datasets may be different images, so datasets must be the same or come from one raw set.

    Raises:
        DataError: they are of different datasets, or may be.
    """
    if len(tested) < 2:
        return []
    known = [each for each in tested if each.digest is not None]
    for each in known[1:]:
        is_same = each.digest == known[0].digest or (each.origin is not None and each.origin == known[0].origin)
        if not is_same:
            raise DataError(
                f"{known[0].path} and {each.path} were predicted on different datasets, whose images may differ under "
                "the same names",
                "predict with all runs on one dataset",
            )
    return [str(each.path) for each in tested if each.digest is None]


def _check_source(name: str, source: _Source, has_same_settings: bool, sources: dict[str, _Source]) -> None:
    """Check that an arm is surely the one of that name in another artifact, if another has one.

    Raises:
        DataError: it was made or trained otherwise, or it is not recorded how it was trained.
    """
    other = sources.setdefault(name, source)
    if other.path.resolve() == source.path.resolve():
        return
    arm = f"arm '{name}' of {source.path}"
    hint = "predict with all runs at once"
    if not has_same_settings:
        raise DataError(f"{arm} was made otherwise than the arm of that name of {other.path}", hint)
    if source.training is None or other.training is None:
        raise DataError(f"{arm} and the arm of that name of {other.path} may have been trained differently", hint)
    differing = list_differing(other.training, source.training)
    if differing:
        raise DataError(f"arm '{name}' of {other.path} and of {source.path}: {'; '.join(differing)}", hint)
