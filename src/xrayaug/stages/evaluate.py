"""classifier runs -> metrics, tables, Figure 7: judge every run on the test split, per image and per study.

A study's probability is the mean over its images, abnormal above 0.5 (Rajpurkar et al. 2018, section 3.1). Runs are
gathered into arms: the same share of real images, dose and label; a score of an arm is the mean over its seeds.
"""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from xrayaug import artifacts, classifier, console, csvfile, device, files, plots, production, scores
from xrayaug.arrays import LARGEST
from xrayaug.artifacts import Artifact, Result
from xrayaug.checkpoints import Checkpoints
from xrayaug.command import Interval
from xrayaug.console import Table
from xrayaug.dataset import LABELS, Dataset, Row, arm_of
from xrayaug.errors import DataError, UsageError
from xrayaug.options import Evaluate
from xrayaug.scores import Probabilities

REPORTED = {0: 0.831, 10: 0.826, 50: 0.800, 100: 0.775}  # the thesis's Table 5: percent added -> accuracy
REPORTED_NOTE = (
    "thesis (reported): Table 5 of Platin's thesis, means of 5 runs, not measured here; "
    "whether per image or per study it does not say"
)
LEVELS = ("image", "study")
TITLES = {"accuracy": "Accuracy", "kappa": "Kappa", "auroc": "AUROC", "sensitivity": "Sensitivity",
          "specificity": "Specificity"}  # fmt: skip
UNDEFINED = "--"
WEIGHTS = "weights.safetensors"
AFTER_EACH_RUN = Interval(images=1)  # predictions are kept

ArmKey = tuple[float, float, str]  # share of real images, percent added, label of what was added


def run(options: Evaluate) -> Result:
    """Judge; leaves predictions, metrics, Table 5 and Figure 7 in the output directory."""
    where = device.resolve(options.device, deterministic=options.deterministic)
    return production.produce(
        options, "evaluation", partial(_evaluate, options, where), computing=device.describe(where)
    )


def plan(options: Evaluate) -> Result:
    """The runs, arm by arm, and what they would be judged on."""
    runs = _open_runs(options)
    planned = [{"arm": each.arm_name, "seed": each.seed, "run": each.name} for each in runs]
    return {"test": _test_counts(runs[0].test), "split_by": _split_by(runs), "planned": planned}


def tables(result: Result) -> list[Table]:
    """Table 5 per image and per study; or the dry run's runs."""
    if "planned" in result:
        rows = [(each["arm"], str(each["seed"]), each["run"]) for each in result["planned"]]
        return [Table("Runs to judge", ("Percent added", "Seed", "Run"), rows, _notes(result))]
    return [_table5(result, level) for level in LEVELS]


@dataclass(frozen=True)
class Run:
    """One trained classifier and the data it was trained with."""

    name: str  # the path, as it was given
    artifact: Artifact
    data: Dataset
    test: list[Row]

    @property
    def seed(self) -> int:
        """The seed it was trained with."""
        return self.artifact.said(int, "options", "seed", minimum=0)

    @property
    def arm(self) -> dict[str, Any]:
        """Percent, share of real images, label and number of the images added."""
        arm = arm_of(self.artifact)
        return {name: arm[name] for name in ("real_fraction", "percent", "label", "added")}

    @property
    def settings(self) -> dict[str, Any]:
        """How it was trained, but for the seed; a weights file by its content, not its path."""
        settings = {name: value for name, value in self.artifact.options.items() if name != "seed"}
        started_from = self.artifact.manifest["inputs"].get("weights")
        return settings | ({"weights": f"a file with sha256 {started_from['sha256'][:8]}"} if started_from else {})

    @property
    def arm_key(self) -> ArmKey:
        """What makes runs belong to one arm, in sorting order."""
        return self.arm["real_fraction"], self.arm["percent"], self.arm["label"] or ""

    @property
    def arm_name(self) -> str:
        """`10`, `10 abnormal`, `10, of 50% of the real images`: normal ones and all real images go without saying."""
        label = f" {self.arm['label']}" if self.arm["label"] not in (None, "normal") else ""
        kept = f", of {100 * self.arm['real_fraction']:g}% of the real images" if self.arm["real_fraction"] != 1 else ""
        return f"{self.arm['percent']:g}{label}{kept}"


def _evaluate(options: Evaluate, where: torch.device, directory: Path) -> Result:
    runs = _open_runs(options)
    _warn(runs)
    kept = Checkpoints(directory / production.RESUME / "predictions", AFTER_EACH_RUN)
    with device.naming_limits(options.batch_size, deterministic=options.deterministic):
        predictions = _predict(runs, options.batch_size, where, kept)
    judged = [_judge(each, found) for each, found in zip(runs, predictions, strict=True)]
    result = {
        "threshold": scores.THRESHOLD,
        "test": _test_counts(runs[0].test),
        "split_by": _split_by(runs),
        "arms": _arms(judged),
        "runs": judged,
        "thesis": {"accuracy": {str(percent): value for percent, value in REPORTED.items()}, "note": REPORTED_NOTE},
    }
    _write_predictions(directory / "predictions.csv", runs, predictions)
    files.write_json(directory / "metrics.json", result)
    _write_table5(directory, result)
    _draw_figure7(directory / "figure7", result)
    return result


def _open_runs(options: Evaluate) -> list[Run]:
    """Every run with its data, sorted by arm and seed.

    Raises:
        UsageError: no run is given, or one twice.
        DataError: there are no test images, or runs cannot be compared.
    """
    if not options.runs:
        raise UsageError("no runs are given", "xrayaug evaluate RUN... --out DIR")
    opened: dict[tuple[Path, str], Dataset] = {}
    runs = [_open_run(path, opened) for path in options.runs]
    _check_tests(runs)
    runs.sort(key=lambda each: (each.arm_key, each.seed))
    for one, other in itertools.pairwise(runs):
        _check_neighbours(one, other)
    return runs


def _open_run(path: Path, opened: dict[tuple[Path, str], Dataset]) -> Run:
    """One run; `opened` are the datasets that earlier ones were trained on, by path and digest."""
    artifact = artifacts.open_artifact(path, "classifier-run")
    key = artifact.input("data").resolve(), str(artifact.manifest["inputs"]["data"]["sha256"])
    if key not in opened:
        opened[key] = Dataset(artifact.open_input("data", "dataset"))
    test = opened[key].select(split="test")
    if not test:
        raise DataError(
            f"{opened[key].path}, which {path} was trained on, has no test images",
            "xrayaug prepare --test 0.2; of MURA, the valid directory is the test set",
        )
    return Run(path.as_posix(), artifact, opened[key], test)


def _check_tests(runs: Sequence[Run]) -> None:
    """Hold the runs to one and the same test set, image by image."""
    expected = _identities(runs[0].test)
    for each in runs[1:]:
        found = _identities(each.test)
        if found != expected:
            raise DataError(
                f"{each.name} and {runs[0].name} have different test images: "
                f"{len(set(found) ^ set(expected))} are in one alone or labelled otherwise",
                "compare runs whose arms come from one prepared dataset",
            )


def _identities(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [(row.file, row.sha256, row.label, row.patient, row.study) for row in rows]


def _check_neighbours(one: Run, other: Run) -> None:
    """Hold runs that follow each other in arm and seed to being repetitions; warn where arms were trained otherwise."""
    same_arm = one.arm_key == other.arm_key
    if same_arm and one.seed == other.seed:
        raise DataError(
            f"{one.name} and {other.name} are of the same arm and seed {one.seed}", "give each run once, one per seed"
        )
    differing = [
        f"{name} is {value} and {other.settings.get(name)}"
        for name, value in one.settings.items()
        if value != other.settings.get(name)
    ]
    if differing and same_arm:
        raise DataError(
            f"{one.name} and {other.name} are of one arm, but trained differently: {'; '.join(differing)}",
            "evaluate them apart",
        )
    if differing:
        console.warn(f"{one.name} and {other.name} were trained differently: {'; '.join(differing)}")


def _warn(runs: Sequence[Run]) -> None:
    for name, repeated in itertools.groupby(runs, lambda each: each.arm_name):
        if len(list(repeated)) < 2:
            console.warn(f"arm {name} has one seed: without repetition its spread is unknown")
    if _split_by(runs) == "image":
        console.warn("split by image: patients leak between train and validation")


def _predict(runs: Sequence[Run], batch_size: int, where: torch.device, kept: Checkpoints) -> list[Probabilities]:
    """The probability of every test image `[N]`, for each run, on the pictures of its own dataset.

    Of a run that was stopped the networks that it had judged are not asked again.
    """
    found: list[torch.Tensor] = kept.restore() or []
    count = len(runs[0].test)
    with console.progress(len(runs) * count, "evaluate", done=len(found) * count) as advance:
        for each in runs[len(found) :]:
            arch = each.artifact.said(str, "options", "arch")
            size = each.artifact.said(int, "options", "size", minimum=1, maximum=LARGEST)
            network = classifier.restore(each.artifact.file(WEIGHTS), arch, size=size)
            pixels = torch.from_numpy(each.data.pixels(each.test, size))
            predicted = classifier.predict(network.to(where), pixels, batch_size=batch_size, device=where)
            found.append(torch.from_numpy(predicted))
            advance(count, each.name)
            kept.visit(len(found) * count, lambda: found)
    return [predicted.numpy() for predicted in found]


def _judge(each: Run, probabilities: Probabilities) -> dict[str, Any]:
    """A run's scores per image and per study."""
    labels = [_is_abnormal(row) for row in each.test]
    _, study_labels, study_probabilities = scores.by_study(_studies(each.test), labels, probabilities)
    return {
        "run": each.name,
        "arm": each.arm,
        "arm_name": each.arm_name,
        "seed": each.seed,
        "image": asdict(scores.score(labels, probabilities)),
        "study": asdict(scores.score(study_labels, study_probabilities)),
    }


def _is_abnormal(row: Row) -> int:
    return int(row.label == "abnormal")


def _studies(rows: Sequence[Row]) -> list[str]:
    """The study of each image; an image that names none is one of its own."""
    return [row.study or f"image {place}" for place, row in enumerate(rows)]


def _arms(judged: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard deviation of every score, arm by arm; the runs are sorted by arm."""
    return [_arm(name, list(repeated)) for name, repeated in itertools.groupby(judged, lambda each: each["arm_name"])]


def _arm(name: str, repeated: list[dict[str, Any]]) -> dict[str, Any]:
    first = repeated[0]["arm"]
    return {
        "name": name,
        **first,
        "seeds": [each["seed"] for each in repeated],
        **{level: scores.summaries([each[level] for each in repeated]) for level in LEVELS},
        "thesis_accuracy": _reported(first),
    }


def _reported(arm: dict[str, Any]) -> float | None:
    """What the thesis reports for that arm, if it has it: it added normal images to all real ones."""
    same_kind = arm["real_fraction"] == 1 and arm["label"] in (None, "normal")
    return REPORTED.get(arm["percent"]) if same_kind else None


def _test_counts(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "images": len(rows),
        "studies": len(set(_studies(rows))),
        **{label: sum(row.label == label for row in rows) for label in LABELS},
    }


def _split_by(runs: Sequence[Run]) -> str:
    return "image" if any(each.data.split_by == "image" for each in runs) else "patient"


def _write_predictions(path: Path, runs: Sequence[Run], predictions: Sequence[Probabilities]) -> None:
    lines: list[tuple[object, ...]] = [
        ("run", "arm", "seed", "image", "row", "file", "patient", "study", "label", "probability")
    ]
    for each, probabilities in zip(runs, predictions, strict=True):
        for row, probability in zip(each.test, probabilities.tolist(), strict=True):
            known = (row.image, row.row, row.file, row.patient, row.study, row.label)
            lines.append((each.name, each.arm_name, each.seed, *known, probability))
    files.write_text(path, csvfile.dump(lines))


def _write_table5(directory: Path, result: Result) -> None:
    """Table 5 as CSV, one line per level and arm, and as Markdown, one table per level."""
    spread = [f"{metric}_{part}" for metric in scores.METRICS for part in ("mean", "sd")]
    about = ("level", "percent_added", "real_fraction", "label", "images_added", "runs")
    lines: list[tuple[object, ...]] = [(*about, *spread, "thesis_accuracy_reported")]
    for level, arm in itertools.product(LEVELS, result["arms"]):
        numbers = [arm[level][metric][part] for metric in scores.METRICS for part in ("mean", "sd")]
        told = (f"{arm['percent']:g}", f"{arm['real_fraction']:g}", arm["label"], arm["added"], len(arm["seeds"]))
        lines.append((level, *told, *numbers, arm["thesis_accuracy"]))
    files.write_text(directory / "table5.csv", csvfile.dump(lines))
    files.write_text(directory / "table5.md", "\n".join(_markdown(table) for table in tables(result)))


def _table5(result: Result, level: str) -> Table:
    columns = ("Percent added", "Images added", "Runs", *TITLES.values(), "Accuracy, thesis (reported)")
    rows = [
        (
            arm["name"],
            f"{arm['added']:,}",
            str(len(arm["seeds"])),
            *(_spread(arm[level][metric]) for metric in TITLES),
            UNDEFINED if arm["thesis_accuracy"] is None else f"{arm['thesis_accuracy']:.3f}",
        )
        for arm in result["arms"]
    ]
    return Table(f"Table 5, per {level}: mean ± standard deviation over runs", columns, rows, _notes(result))


def _spread(summary: dict[str, Any]) -> str:
    if summary["mean"] is None:
        return UNDEFINED
    return f"{summary['mean']:.3f}" + ("" if summary["sd"] is None else f" ± {summary['sd']:.3f}")


def _notes(result: Result) -> list[str]:
    test = result["test"]
    counted = f"test: {test['images']:,} images of {test['studies']:,} studies"
    notes = [f"{counted}; {test['normal']:,} images normal, {test['abnormal']:,} abnormal"]
    if result["split_by"] == "image":
        notes.append("warning: split by image: patients leak between train and validation")
    return notes if "planned" in result else [*notes, REPORTED_NOTE]


def _markdown(table: Table) -> str:
    lines = [table.columns, ["---", *["---:"] * (len(table.columns) - 1)], *table.rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {table.title}\n\n{body}\n\n" + "".join(f"- {note}\n" for note in table.notes)


def _draw_figure7(stem: Path, result: Result) -> None:
    kinds = itertools.groupby(_by_kind(result["arms"]), _kind)
    series = [plots.Series(_kind_name(kind), [_dose(result, arm) for arm in arms]) for kind, arms in kinds]
    subtitle = f"per image, {result['test']['images']:,} test images"
    plots.figure7(stem, series, {float(percent): value for percent, value in REPORTED.items()}, subtitle)


def _by_kind(arms: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The arms sorted into lines of the figure; an arm without synthetic images begins every line of its fraction."""
    labels = sorted({arm["label"] for arm in arms if arm["label"]}) or ["normal"]
    spread = [{**arm, "line": label} for arm in arms for label in ([arm["label"]] if arm["label"] else labels)]
    return sorted(spread, key=lambda arm: (*_kind(arm), arm["percent"]))


def _kind(arm: dict[str, Any]) -> tuple[float, str]:
    return -arm["real_fraction"], arm["line"]


def _kind_name(kind: tuple[float, str]) -> str:
    fraction, label = -kind[0], kind[1]
    return f"{label} images added" + (f" to {100 * fraction:g}% of the real ones" if fraction != 1 else "")


def _dose(result: Result, arm: dict[str, Any]) -> plots.Dose:
    of_seed = [each["image"]["accuracy"] for each in result["runs"] if each["arm_name"] == arm["name"]]
    accuracy = arm["image"]["accuracy"]
    return plots.Dose(arm["percent"], of_seed, accuracy["mean"], accuracy["sd"])
