"""classifier runs -> scores, verdict, tables, figure, report: judge every run on the test split, every arm by its runs.

A study's probability is the mean over its images, abnormal above 0.5 (Rajpurkar et al. 2018, section 3.1). Runs are
gathered into arms: the same share of real images, dose, label and control; an arm's score is the mean over its seeds.
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from xrayaug.data.dataset import COLUMNS, LABELS, Row
from xrayaug.data.images.arrays import LARGEST
from xrayaug.data.images.loaders import Streamed
from xrayaug.errors import DataError
from xrayaug.evaluation import audits, comparison, findings, predictions, scorecard, validity
from xrayaug.evaluation.audits import Audit
from xrayaug.evaluation.comparison import Measured
from xrayaug.evaluation.findings import CHOSEN, HALF, Arm, Question
from xrayaug.evaluation.predictions import LEVELS, Predicted
from xrayaug.evaluation.reader_study import part
from xrayaug.evaluation.report import evidence, page
from xrayaug.evaluation.runs import Run, open_runs, split_by
from xrayaug.networks import classifier
from xrayaug.options import Evaluate
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.stopping import Interval
from xrayaug.stats import bootstrap, classification
from xrayaug.storage import builder, files
from xrayaug.storage.artifacts import Result
from xrayaug.storage.checkpoints import Checkpoints

REPORTED = {0: 0.831, 10: 0.826, 50: 0.800, 100: 0.775}  # the thesis's Table 5: percent added -> accuracy
REPORTED_NOTE = (
    "thesis (reported): Table 5 of Platin's thesis, means of 5 runs, not measured here; "
    "whether per image or per study it does not say"
)
WEIGHTS = "weights.safetensors"
AFTER_EACH_RUN = Interval(images=1)  # predictions are kept
MOST_GROUPS = 20  # values of the column that --by names


def run(options: Evaluate) -> Result:
    """Judge; leaves predictions, metrics, verdict, Table 5, Figure 7 and the report in the output directory."""
    device = devices.resolve(options.device, deterministic=options.deterministic)
    readings, before = part.readings(options), part.to_be_replaced(options)
    build = partial(_evaluate, options, device)
    result = builder.produce(options, "evaluation", build, computing=devices.describe(device))
    return part.add(options, readings, result, before)


def plan(options: Evaluate) -> Result:
    """The runs, arm by arm, and what they would be judged on."""
    runs = open_runs(options.runs, options.local_cache)
    evidence.given(options.fid or (), options.copies)
    planned = [{"arm": each.arm_name, "seed": each.seed, "run": each.name} for each in runs]
    about = {"test": _test_counts(runs[0].test), "split_by": split_by(runs), "planned": planned}
    return about | part.planned(options, runs)


def tables(result: Result) -> list[Table]:
    """Table 5 per image and per study, the verdict, what it stands on; or the dry run's runs."""
    if "planned" in result:
        rows = [(each["arm"], str(each["seed"]), each["run"]) for each in result["planned"]]
        return [
            Table("Runs to judge", ("Percent added", "Seed", "Run"), rows, scorecard.notes(result)),
            *part.tables(result),
        ]
    return [*scorecard.tables(result), *part.tables(result)]


def demand(options: Evaluate, result: Result) -> None:
    """Hold the verdict to `--fail-unless`.

    Raises:
        VerdictError: no arm does what it says.
    """
    if "verdict" in result:
        findings.demand(result["verdict"], options.fail_unless)


def _evaluate(options: Evaluate, device: torch.device, directory: Path) -> Result:
    runs = open_runs(options.runs, options.local_cache)
    given = evidence.given(options.fid or (), options.copies)
    _warn(runs)
    groups = _groups(runs[0].test, options.by)
    kept = Checkpoints(directory / builder.RESUME / "predictions", AFTER_EACH_RUN)
    with devices.naming_limits(options.batch_size, deterministic=options.deterministic):
        predicted = _predict(runs, options.batch_size, device, kept)
        audited = _audit(options, runs, device)
    if options.calibrate == "temperature":
        predicted = [predictions.cooled(each) for each in predicted]
    result = _result(options, predicted, groups, audited)
    _write(directory, result, predicted)
    made_with = builder.environment(devices.describe(device))
    files.write_text(directory / "report.html", page.render(options, result, predicted, given, made_with))
    return result


def _audit(options: Evaluate, runs: Sequence[Run], device: torch.device) -> list[Audit]:
    """Of every arm whether its synthetic images are told from real ones; nothing where that is not asked for."""
    if not options.audit_images:
        return []
    return audits.audits(runs, options.audit_images, options.batch_size, device, options.seed)


def _result(
    options: Evaluate, predicted: Sequence[Predicted], groups: Mapping[str, list[int]], audited: Sequence[Audit]
) -> Result:
    """All numbers: of every run, of every arm, of subgroups, and the verdict."""
    runs = [each.run for each in predicted]
    measurements = _measure(options, predicted)
    judged = [_judged(each, measurements) for each in predicted]
    arms = [_about(list(members)) for _, members in itertools.groupby(runs, lambda each: each.arm_name)]
    question = Question(options.metric.replace("-", "_"), options.per, options.margin, options.seed)
    normals = findings.specificity_check(arms, measurements, question)
    checks = [*validity.checks(runs), *audits.check_of(audited), *normals]
    concluded = findings.conclude(arms, measurements, question, checks)
    return {
        "threshold": classification.THRESHOLD,
        "test": _test_counts(runs[0].test),
        "split_by": split_by(runs),
        "arms": _arms(judged, measurements, arms),
        "runs": judged,
        "verdict": concluded,
        "shortcuts": [each.told() for each in audited],
        **({"subgroups": _subgroups(options, predicted, arms, groups, question)} if options.by else {}),
        "thesis": {"accuracy": {str(percent): value for percent, value in REPORTED.items()}, "note": REPORTED_NOTE},
    }


def _write(directory: Path, result: Result, predicted: Sequence[Predicted]) -> None:
    files.write_lines(directory / "predictions.csv", predictions.lines(predicted, "test"))
    files.write_lines(directory / "validation.csv", predictions.lines(predicted, "valid"))
    scorecard.write(directory, result)


def _warn(runs: Sequence[Run]) -> None:
    for name, repeated in itertools.groupby(runs, lambda each: each.arm_name):
        if len(list(repeated)) < 2:
            console.warn(f"arm {name} has one seed: without repetition its spread is unknown")
    if split_by(runs) == "image":
        console.warn("split by image: patients leak between train and validation")


def _predict(runs: Sequence[Run], batch_size: int, device: torch.device, kept: Checkpoints) -> list[Predicted]:
    """What each run says of the pictures of its own dataset, those of the test and those of the validation split.

    Of a run that was stopped the networks that it had judged are not asked again.
    """
    found: list[dict[str, torch.Tensor]] = kept.restore() or []
    images = [len(each.test) + len(each.valid) for each in runs]
    with console.progress(sum(images), "evaluate", done=sum(images[: len(found)])) as advance:
        for each in runs[len(found) :]:
            arch = each.artifact.said(str, "options", "arch")
            size = each.artifact.said(int, "options", "size", minimum=1, maximum=LARGEST)
            network = classifier.restore(each.artifact.file(WEIGHTS), arch, size=size).to(device)
            said = {}
            for split, rows in (("test", each.test), ("valid", each.valid)):
                pixels = Streamed(each.data.stack(rows, size), device)
                predicted = classifier.predict(network, pixels, batch_size=batch_size, device=device)
                said[split] = torch.from_numpy(predicted)
                advance(len(rows), each.name)
            found.append(said)
            kept.visit(sum(images[: len(found)]), lambda: found)
    pairs = zip(runs, found, strict=True)
    return [Predicted(run, said["test"].numpy(), said["valid"].numpy()) for run, said in pairs]


def _measure(options: Evaluate, predicted: Sequence[Predicted]) -> dict[tuple[str, str], dict[str, list[Measured]]]:
    """Every run's scores and those of its resamples, by level and threshold, then by arm."""
    found: dict[tuple[str, str], dict[str, list[Measured]]] = {}
    for level in LEVELS:
        test = predictions.cases(predicted[0].run.test, level)
        counts = bootstrap.draw(test.patients, options.resamples, options.seed)
        for each in predicted:
            given, valid = test.probabilities(each.test), predictions.cases(each.run.valid, level)
            chosen = classification.best_threshold(valid.labels, valid.probabilities(each.valid))
            for name, threshold in ((HALF, classification.THRESHOLD), (CHOSEN, chosen)):
                measured = comparison.measure(
                    each.run.seed, test.labels, given, threshold, counts, patients=test.patients
                )
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
        **{level: classification.summaries([each[level] for each in repeated]) for level in LEVELS},
        "chosen": {level: classification.summaries([each["chosen"][level] for each in repeated]) for level in LEVELS},
        "thesis_accuracy": _reported(first),
    }


def _reported(arm: dict[str, Any]) -> float | None:
    """What the thesis reports for that arm, if it has it: it added normal images to all real ones."""
    of_thesis = "normal" if arm["percent"] else None
    same_kind = arm["real_fraction"] == 1 and arm["label"] == of_thesis and arm["control"] is None
    return REPORTED.get(arm["percent"]) if same_kind else None


def _test_counts(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "images": len(rows),
        "studies": len(set(predictions.studies(rows))),
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
        cases = predictions.cases([predicted[0].run.test[place] for place in places], "image")
        counts = bootstrap.draw(cases.patients, options.resamples, options.seed)
        measured: dict[str, list[Measured]] = {}
        for each in predicted:
            given = each.test[places]
            one = comparison.measure(
                each.run.seed, cases.labels, given, classification.THRESHOLD, counts, patients=cases.patients
            )
            measured.setdefault(each.run.arm_name, []).append(one)
        about = {"value": value, "images": len(places), "abnormal": int(cases.labels.sum())}
        told = {"intervals": findings.intervals_of(measured), "differences": findings.differences_of(arms, measured)}
        found.append(about | told)
    return {"column": options.by, "metric": question.metric, "groups": found}
