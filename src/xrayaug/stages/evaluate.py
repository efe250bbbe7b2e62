"""classifier runs -> scores, verdict, Table 5, Figure 7: judge every run on the test split, and every arm by its runs.

A study's probability is the mean over its images, abnormal above 0.5 (Rajpurkar et al. 2018, section 3.1). Runs are
gathered into arms: the same share of real images, dose, label and control; an arm's score is the mean over its seeds.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xrayaug import (
    classifier,
    comparison,
    console,
    csvfile,
    device,
    files,
    findings,
    plots,
    production,
    resampling,
    scores,
    validity,
    verdict,
)
from xrayaug.arrays import LARGEST
from xrayaug.artifacts import Result
from xrayaug.checkpoints import Checkpoints
from xrayaug.command import Interval
from xrayaug.comparison import Measured
from xrayaug.console import Table
from xrayaug.dataset import COLUMNS, LABELS, Row
from xrayaug.errors import DataError, VerdictError
from xrayaug.feeding import Streamed
from xrayaug.findings import CHOSEN, HALF, Arm, Question
from xrayaug.options import Evaluate
from xrayaug.runs import Run, open_runs, split_by
from xrayaug.scores import Labels, Probabilities

REPORTED = {0: 0.831, 10: 0.826, 50: 0.800, 100: 0.775}  # the thesis's Table 5: percent added -> accuracy
REPORTED_NOTE = (
    "thesis (reported): Table 5 of Platin's thesis, means of 5 runs, not measured here; "
    "whether per image or per study it does not say"
)
LEVELS = ("image", "study", "patient")
IN_TABLE5 = ("image", "study")
TITLES = {"accuracy": "Accuracy", "kappa": "Kappa", "auroc": "AUROC", "sensitivity": "Sensitivity",
          "specificity": "Specificity"}  # fmt: skip
UNDEFINED = "--"
HOLDS = {True: "yes", False: "no", None: "unknown"}
WEIGHTS = "weights.safetensors"
AFTER_EACH_RUN = Interval(images=1)  # predictions are kept
MOST_GROUPS = 20  # values of the column that --by names

Kind = tuple[float, str, str]  # of a line of Figure 7: minus the share of real images, label, control


def run(options: Evaluate) -> Result:
    """Judge; leaves predictions, metrics, verdict, Table 5 and Figure 7 in the output directory."""
    where = device.resolve(options.device, deterministic=options.deterministic)
    return production.produce(
        options, "evaluation", partial(_evaluate, options, where), computing=device.describe(where)
    )


def plan(options: Evaluate) -> Result:
    """The runs, arm by arm, and what they would be judged on."""
    runs = open_runs(options.runs, options.local_cache)
    planned = [{"arm": each.arm_name, "seed": each.seed, "run": each.name} for each in runs]
    return {"test": _test_counts(runs[0].test), "split_by": split_by(runs), "planned": planned}


def tables(result: Result) -> list[Table]:
    """Table 5 per image and per study, the verdict, what it stands on; or the dry run's runs."""
    if "planned" in result:
        rows = [(each["arm"], str(each["seed"]), each["run"]) for each in result["planned"]]
        return [Table("Runs to judge", ("Percent added", "Seed", "Run"), rows, _notes(result))]
    return [*(_table5(result, level) for level in IN_TABLE5), *_subgroup_tables(result), *_verdict_tables(result)]


def demand(options: Evaluate, result: Result) -> None:
    """Hold the verdict to `--fail-unless`.

    Raises:
        VerdictError: no arm does what it says.
    """
    if options.fail_unless is None or "verdict" not in result:
        return
    arms = [each for each in result["verdict"]["arms"] if each["control"] is None]
    if not any(each["verdict"] == options.fail_unless for each in arms):
        said = ", ".join(f"{each['arm']}: {verdict.SAID[each['verdict']]}" for each in arms) or "there is none to judge"
        raise VerdictError(f"no arm {options.fail_unless}: {said}", "the reasons are in verdict.json")


@dataclass(frozen=True)
class Cases:
    """The images of a split gathered into cases: themselves, studies or patients."""

    gathered_by: list[str]  # [N], the case of each image
    labels: Labels  # [M]
    patients: Labels  # [M], numbered

    def probabilities(self, of_images: Probabilities) -> Probabilities:
        """`[M]`, the mean over a case's images `[N]`."""
        return scores.by_study(self.gathered_by, np.zeros(len(of_images), np.int64), of_images)[2]


@dataclass(frozen=True)
class Predicted:
    """What a run says of the test and of the validation images."""

    run: Run
    test: Probabilities
    valid: Probabilities
    temperature: float = 1.0  # its logits were divided by


def _evaluate(options: Evaluate, where: torch.device, directory: Path) -> Result:
    runs = open_runs(options.runs, options.local_cache)
    _warn(runs)
    groups = _groups(runs[0].test, options.by)
    kept = Checkpoints(directory / production.RESUME / "predictions", AFTER_EACH_RUN)
    with device.naming_limits(options.batch_size, deterministic=options.deterministic):
        predicted = _predict(runs, options.batch_size, where, kept)
    if options.calibrate == "temperature":
        predicted = [_cooled(each) for each in predicted]
    result = _result(options, predicted, groups)
    _write(directory, result, predicted)
    return result


def _result(options: Evaluate, predicted: Sequence[Predicted], groups: Mapping[str, list[int]]) -> Result:
    """All numbers: of every run, of every arm, of subgroups, and the verdict."""
    runs = [each.run for each in predicted]
    measurements = _measure(options, predicted)
    judged = [_judged(each, measurements) for each in predicted]
    arms = [_about(list(members)) for _, members in itertools.groupby(runs, lambda each: each.arm_name)]
    question = Question(options.metric.replace("-", "_"), options.per, options.margin, options.seed)
    concluded = findings.conclude(arms, measurements, question, validity.checks(runs))
    return {
        "threshold": scores.THRESHOLD,
        "test": _test_counts(runs[0].test),
        "split_by": split_by(runs),
        "arms": _arms(judged, measurements, arms),
        "runs": judged,
        "verdict": concluded,
        **({"subgroups": _subgroups(options, predicted, arms, groups, question)} if options.by else {}),
        "thesis": {"accuracy": {str(percent): value for percent, value in REPORTED.items()}, "note": REPORTED_NOTE},
    }


def _write(directory: Path, result: Result, predicted: Sequence[Predicted]) -> None:
    runs = [each.run for each in predicted]
    tests, valids = [each.run.test for each in predicted], [each.run.valid for each in predicted]
    _write_predictions(directory / "predictions.csv", runs, tests, [each.test for each in predicted])
    _write_predictions(directory / "validation.csv", runs, valids, [each.valid for each in predicted])
    files.write_json(directory / "metrics.json", result)
    files.write_json(directory / "verdict.json", result["verdict"])
    files.write_text(directory / "verdict.csv", csvfile.dump(_verdict_lines(result)))
    files.write_text(directory / "intervals.csv", csvfile.dump(_interval_lines(result)))
    if "subgroups" in result:
        files.write_text(directory / "subgroups.csv", csvfile.dump(_subgroup_lines(result)))
    _write_table5(directory, result)
    _draw_figure7(directory / "figure7", result)


def _warn(runs: Sequence[Run]) -> None:
    for name, repeated in itertools.groupby(runs, lambda each: each.arm_name):
        if len(list(repeated)) < 2:
            console.warn(f"arm {name} has one seed: without repetition its spread is unknown")
    if split_by(runs) == "image":
        console.warn("split by image: patients leak between train and validation")


def _predict(runs: Sequence[Run], batch_size: int, where: torch.device, kept: Checkpoints) -> list[Predicted]:
    """What each run says of the pictures of its own dataset, those of the test and those of the validation split.

    Of a run that was stopped the networks that it had judged are not asked again.
    """
    found: list[dict[str, torch.Tensor]] = kept.restore() or []
    images = [len(each.test) + len(each.valid) for each in runs]
    with console.progress(sum(images), "evaluate", done=sum(images[: len(found)])) as advance:
        for each in runs[len(found) :]:
            arch = each.artifact.said(str, "options", "arch")
            size = each.artifact.said(int, "options", "size", minimum=1, maximum=LARGEST)
            network = classifier.restore(each.artifact.file(WEIGHTS), arch, size=size).to(where)
            said = {}
            for split, rows in (("test", each.test), ("valid", each.valid)):
                pixels = Streamed(each.data.stack(rows, size), where)
                predicted = classifier.predict(network, pixels, batch_size=batch_size, device=where)
                said[split] = torch.from_numpy(predicted)
                advance(len(rows), each.name)
            found.append(said)
            kept.visit(sum(images[: len(found)]), lambda: found)
    pairs = zip(runs, found, strict=True)
    return [Predicted(run, said["test"].numpy(), said["valid"].numpy()) for run, said in pairs]


def _cooled(each: Predicted) -> Predicted:
    """With probabilities by the temperature that fits the validation images best."""
    divisor = scores.temperature([_is_abnormal(row) for row in each.run.valid], each.valid)
    return Predicted(each.run, scores.cooled(each.test, divisor), scores.cooled(each.valid, divisor), divisor)


def _cases(rows: Sequence[Row], level: str) -> Cases:
    """The images as cases of that level; one is abnormal if any of its images is, and has their first one's patient."""
    gathered_by = {"image": [str(place) for place in range(len(rows))], "study": _studies(rows),
                   "patient": _patients(rows)}[level]  # fmt: skip
    names, labels, _ = scores.by_study(gathered_by, [_is_abnormal(row) for row in rows], np.zeros(len(rows)))
    of_case = dict(zip(reversed(gathered_by), reversed(_patients(rows)), strict=True))
    return Cases(gathered_by, labels, resampling.numbered([of_case[name] for name in names]))


def _measure(options: Evaluate, predicted: Sequence[Predicted]) -> dict[tuple[str, str], dict[str, list[Measured]]]:
    """Every run's scores and those of its resamples, by level and threshold, then by arm."""
    found: dict[tuple[str, str], dict[str, list[Measured]]] = {}
    for level in LEVELS:
        test = _cases(predicted[0].run.test, level)
        counts = resampling.draw(test.patients, options.resamples, options.seed)
        for each in predicted:
            given, valid = test.probabilities(each.test), _cases(each.run.valid, level)
            chosen = scores.best_threshold(valid.labels, valid.probabilities(each.valid))
            for name, threshold in ((HALF, scores.THRESHOLD), (CHOSEN, chosen)):
                measured = comparison.measure(each.run.seed, test.labels, given, threshold, counts)
                found.setdefault((level, name), {}).setdefault(each.run.arm_name, []).append(measured)
    return found


def _judged(each: Predicted, measurements: findings.Measurements) -> dict[str, Any]:
    """A run's scores per image, study and patient, and those at the thresholds chosen on validation."""
    of = {
        place: next(one for one in arms[each.run.arm_name] if one.seed == each.run.seed)
        for place, arms in measurements.items()
    }
    return {
        "run": each.run.name,
        "arm": each.run.arm,
        "arm_name": each.run.arm_name,
        "seed": each.run.seed,
        "temperature": each.temperature,
        **{level: dict(of[level, HALF].scores) for level in LEVELS},
        "chosen": {level: {"threshold": of[level, CHOSEN].threshold, **of[level, CHOSEN].scores} for level in LEVELS},
    }


def _is_abnormal(row: Row) -> int:
    return int(row.label == "abnormal")


def _studies(rows: Sequence[Row]) -> list[str]:
    """The study of each image; an image that names none is one of its own."""
    return [row.study or f"image {place}" for place, row in enumerate(rows)]


def _patients(rows: Sequence[Row]) -> list[str]:
    """The patient of each image; an image that names none is of one of its own."""
    return [row.patient or f"image {place}" for place, row in enumerate(rows)]


def _about(members: Sequence[Run]) -> Arm:
    arm = members[0].arm
    told = {name: arm[name] for name in ("percent", "real_fraction", "label", "control")}
    return Arm(members[0].arm_name, **told, share_normal=members[0].share_normal)


def _arms(
    judged: Sequence[dict[str, Any]], measurements: findings.Measurements, arms: Sequence[Arm]
) -> list[dict[str, Any]]:
    """Mean, standard deviation and interval of every score, and its difference; the runs are sorted by arm."""
    intervals = {place: findings.intervals_of(measured) for place, measured in measurements.items()}
    differences = {place: findings.differences_of(arms, measured) for place, measured in measurements.items()}
    return [
        _arm(name, list(repeated)) | {"intervals": _nested(intervals, name), "differences": _nested(differences, name)}
        for name, repeated in itertools.groupby(judged, lambda each: each["arm_name"])
    ]


def _nested(found: Mapping[tuple[str, str], Mapping[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """An arm's share of what stands by level and threshold."""
    return {level: {threshold: found[level, threshold].get(name) for threshold in (HALF, CHOSEN)} for level in LEVELS}


def _arm(name: str, repeated: list[dict[str, Any]]) -> dict[str, Any]:
    first = repeated[0]["arm"]
    return {
        "name": name,
        **first,
        "seeds": [each["seed"] for each in repeated],
        **{level: scores.summaries([each[level] for each in repeated]) for level in LEVELS},
        "chosen": {level: scores.summaries([each["chosen"][level] for each in repeated]) for level in LEVELS},
        "thesis_accuracy": _reported(first),
    }


def _reported(arm: dict[str, Any]) -> float | None:
    """What the thesis reports for that arm, if it has it: it added normal images to all real ones."""
    same_kind = arm["real_fraction"] == 1 and arm["label"] in (None, "normal") and arm["control"] is None
    return REPORTED.get(arm["percent"]) if same_kind else None


def _test_counts(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "images": len(rows),
        "studies": len(set(_studies(rows))),
        **{label: sum(row.label == label for row in rows) for label in LABELS},
    }


def _groups(rows: Sequence[Row], column: str | None) -> dict[str, list[int]]:
    """The places of the test images by what the index says in that column, values in order; none without one.

    Raises:
        DataError: there is no such column, or its values are too many to be groups.
    """
    if column is None:
        return {}
    offered = [*COLUMNS, *sorted({name for row in rows for name in row.extra})]
    if column not in offered:
        raise DataError(f"the index has no column '{column}'", f"--by one of {', '.join(offered)}")
    values = [str(getattr(row, column) if column in COLUMNS else row.extra.get(column, "")) for row in rows]
    if len(set(values)) > MOST_GROUPS:
        raise DataError(
            f"--by {column} makes {len(set(values))} groups, more than {MOST_GROUPS}", "name a column of few values"
        )
    return {value: [at for at, each in enumerate(values) if each == value] for value in sorted(set(values))}


def _subgroups(
    options: Evaluate,
    predicted: Sequence[Predicted],
    arms: Sequence[Arm],
    groups: Mapping[str, list[int]],
    question: Question,
) -> dict[str, Any]:
    """The arms within each group of test images: scores at 0.5 per image, and the differences, uncorrected."""
    found = []
    for value, places in groups.items():
        cases = _cases([predicted[0].run.test[place] for place in places], "image")
        counts = resampling.draw(cases.patients, options.resamples, options.seed)
        measured: dict[str, list[Measured]] = {}
        for each in predicted:
            one = comparison.measure(each.run.seed, cases.labels, each.test[places], scores.THRESHOLD, counts)
            measured.setdefault(each.run.arm_name, []).append(one)
        about = {"value": value, "images": len(places), "abnormal": int(cases.labels.sum())}
        told = {"intervals": findings.intervals_of(measured), "differences": findings.differences_of(arms, measured)}
        found.append(about | told)
    return {"column": options.by, "metric": question.metric, "groups": found}


def _write_predictions(
    path: Path, runs: Sequence[Run], shown: Sequence[Sequence[Row]], predictions: Sequence[Probabilities]
) -> None:
    lines: list[tuple[object, ...]] = [
        ("run", "arm", "seed", "image", "row", "file", "patient", "study", "label", "probability")
    ]
    for each, rows, probabilities in zip(runs, shown, predictions, strict=True):
        for row, probability in zip(rows, probabilities.tolist(), strict=True):
            known = (row.image, row.row, row.file, row.patient, row.study, row.label)
            lines.append((each.name, each.arm_name, each.seed, *known, probability))
    files.write_text(path, csvfile.dump(lines))


def _write_table5(directory: Path, result: Result) -> None:
    """Table 5 as CSV, one line per level and arm, and as Markdown, one table per level."""
    spread = [f"{metric}_{part}" for metric in TITLES for part in ("mean", "sd")]
    about = ("level", "percent_added", "real_fraction", "label", "images_added", "runs")
    lines: list[tuple[object, ...]] = [(*about, *spread, "thesis_accuracy_reported")]
    for level, arm in itertools.product(IN_TABLE5, result["arms"]):
        numbers = [arm[level][metric][part] for metric in TITLES for part in ("mean", "sd")]
        told = (f"{arm['percent']:g}", f"{arm['real_fraction']:g}", arm["label"], arm["added"], len(arm["seeds"]))
        lines.append((level, *told, *numbers, arm["thesis_accuracy"]))
    files.write_text(directory / "table5.csv", csvfile.dump(lines))
    files.write_text(directory / "table5.md", "\n".join(_markdown(_table5(result, level)) for level in IN_TABLE5))


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


def _verdict_tables(result: Result) -> list[Table]:
    """The verdict arm by arm with its reasons, and the checks that it stands on."""
    found = result["verdict"]
    title = f"Verdict by {_plain(found['metric'])} per {found['level']}, margin {found['margin']:g}"
    said = [verdict.SAID[each["verdict"]] for each in found["arms"]]
    cells = [_difference_cells(each["difference"]) for each in found["arms"]]
    rows = [(each["arm"], word, *told) for each, word, told in zip(found["arms"], said, cells, strict=True)]
    columns = ("Percent added", "Verdict", "Difference to 0 (95 %)", "p (Holm)", "p equivalent (Holm)")
    notes = [f"{each['arm']}: {word}: {each['reason']}" for each, word in zip(found["arms"], said, strict=True)]
    checks = [(each["name"], HOLDS[each["holds"]], each["sentence"]) for each in found["checks"]]
    return [
        Table("What the verdict stands on", ("Check", "Holds", "What was found"), checks),
        *([Table(title, columns, rows, notes)] if rows else []),
    ]


def _difference_cells(difference: dict[str, Any] | None) -> tuple[str, str, str]:
    if difference is None:
        return UNDEFINED, UNDEFINED, UNDEFINED
    different, equivalent = (_p_cell(difference[name]) for name in ("p_holm", "p_equivalent_holm"))
    return _bounded(difference, "+.3f"), different, equivalent


def _p_cell(p_value: float | None) -> str:
    return UNDEFINED if p_value is None else f"{p_value:.3f}"


def _bounded(told: dict[str, Any] | None, form: str) -> str:
    """`0.831 (0.790 to 0.872)`."""
    if told is None:
        return UNDEFINED
    return f"{told['value']:{form}} ({told['low']:{form}} to {told['high']:{form}})"


def _subgroup_tables(result: Result) -> list[Table]:
    """Of every group and arm the score that decides and its difference."""
    if "subgroups" not in result:
        return []
    column, metric = result["subgroups"]["column"], result["subgroups"]["metric"]
    rows = [
        (group["value"], f"{group['images']:,}", arm, _bounded(told[metric], ".3f"),
         _bounded(group["differences"].get(arm, {}).get(metric), "+.3f"))
        for group in result["subgroups"]["groups"] for arm, told in group["intervals"].items()
    ]  # fmt: skip
    columns = (column, "Images", "Percent added", _plain(metric).capitalize(), "Difference to 0")
    return [Table(f"By {column}, per image: 95 % intervals, uncorrected", columns, rows)]


def _verdict_lines(result: Result) -> list[tuple[object, ...]]:
    found = result["verdict"]
    names = ("value", "low", "high", "seeds", "p", "p_holm", "p_equivalent", "p_equivalent_holm")
    lines: list[tuple[object, ...]] = [("arm", "control", "baseline", "verdict", "metric", "level", *names, "reason")]
    for each in found["arms"]:
        numbers = [(each["difference"] or {}).get(name) for name in names]
        said = (each["arm"], each["control"], each["baseline"], each["verdict"], found["metric"], found["level"])
        lines.append((*said, *numbers, each["reason"]))
    return lines


def _interval_lines(result: Result) -> list[tuple[object, ...]]:
    """Every score and every difference with its interval."""
    lines: list[tuple[object, ...]] = [("level", "threshold", "arm", "of", "metric", "value", "low", "high", "seeds")]
    for level, threshold, arm in itertools.product(LEVELS, (HALF, CHOSEN), result["arms"]):
        for of in ("intervals", "differences"):
            for metric, told in (arm[of][level][threshold] or {}).items():
                where = (level, threshold, arm["name"], "score" if of == "intervals" else "difference", metric)
                lines.append((*where, *_numbers(told)))
    return lines


def _subgroup_lines(result: Result) -> list[tuple[object, ...]]:
    column = result["subgroups"]["column"]
    lines: list[tuple[object, ...]] = [
        ("column", "value", "images", "abnormal", "arm", "of", "metric", "estimate", "low", "high", "seeds")
    ]
    for group in result["subgroups"]["groups"]:
        for of in ("intervals", "differences"):
            for arm, told in group[of].items():
                where = (column, group["value"], group["images"], group["abnormal"], arm)
                what = "score" if of == "intervals" else "difference"
                lines += [(*where, what, metric, *_numbers(each)) for metric, each in told.items()]
    return lines


def _numbers(told: dict[str, Any] | None) -> tuple[object, ...]:
    return tuple((told or {}).get(name) for name in ("value", "low", "high", "seeds"))


def _plain(metric: str) -> str:
    return {"auroc": "AUROC", "f1": "F1"}.get(metric, metric.replace("_", " "))


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


def _kind(arm: dict[str, Any]) -> Kind:
    return -arm["real_fraction"], arm["line"], arm["control"] or ""


def _kind_name(kind: Kind) -> str:
    fraction, label, control = -kind[0], *kind[1:]
    added = f"{label} images added" if not control else f"{control}, a control"
    return added + (f" to {100 * fraction:g}% of the real ones" if fraction != 1 else "")


def _dose(result: Result, arm: dict[str, Any]) -> plots.Dose:
    of_seed = [each["image"]["accuracy"] for each in result["runs"] if each["arm_name"] == arm["name"]]
    accuracy = arm["image"]["accuracy"]
    return plots.Dose(arm["percent"], of_seed, accuracy["mean"], accuracy["sd"])
