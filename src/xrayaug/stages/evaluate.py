"""classifier runs -> scores, verdict, tables, figure, report: judge every run on the test split, every arm by its runs.

Four steps, one after the other: gather (open everything), measure (run the networks), judge (decide), render (write).
"""

from functools import partial
from pathlib import Path

import torch

from xrayaug.evaluation import findings, predictions, serialization
from xrayaug.evaluation import tables as score_tables
from xrayaug.evaluation.gather import evidence, inputs, reader_files
from xrayaug.evaluation.gather.runs import open_runs, split_by
from xrayaug.evaluation.judge import judge
from xrayaug.evaluation.measure import Measurement, measure
from xrayaug.evaluation.reader_study import extension
from xrayaug.evaluation.report import page
from xrayaug.evaluation.report.evidence import Evidence
from xrayaug.evaluation.results import Evaluation, TestSet
from xrayaug.options import Evaluate
from xrayaug.runtime import devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.stopping import Interval
from xrayaug.storage import builder, files
from xrayaug.storage.artifacts import Result
from xrayaug.storage.checkpoints import Checkpoints

EVERY_RUN = Interval(images=1)  # predictions are kept after each run
REPORT_FILE = "report.html"


def run(options: Evaluate) -> Result:
    """Judge the runs; write predictions, metrics, verdict, Table 5, Figure 7 and the report to `--out`."""
    device = devices.resolve(options.device, deterministic=options.deterministic)
    readers, replaced = reader_files.read_answers(options), reader_files.find_replaced_study(options)
    build = partial(_evaluate, options, device)
    result = builder.build_artifact(options, "evaluation", build, device_name=devices.describe(device))
    return extension.add(options, readers, result, replaced)


def plan(options: Evaluate) -> Result:
    """List the runs arm by arm, and the test set that they would be judged on."""
    runs = open_runs(options.runs, options.local_cache)
    evidence.open_given(options)
    planned = [{"arm": each.arm_name, "seed": each.seed, "run": each.name} for each in runs]
    test = serialization.to_dict(inputs.count_test_set(runs[0].test))
    return {"test": test, "split_by": split_by(runs), "planned": planned} | extension.planned(options, runs)


def tables(result: Result) -> list[Table]:
    """Return Table 5 per image and per study, the verdict and its checks; for a dry run the runs."""
    if "planned" in result:
        rows = [(each["arm"], str(each["seed"]), each["run"]) for each in result["planned"]]
        notes = score_tables.describe_test_set(serialization.from_dict(TestSet, result["test"]), result["split_by"])
        return [Table("Runs to judge", ("Percent added", "Seed", "Run"), rows, notes), *extension.tables(result)]
    evaluation = serialization.from_dict(Evaluation, result)
    return [*score_tables.tables(evaluation), *extension.tables(result)]


def demand(options: Evaluate, result: Result) -> None:
    """Check the verdict against `--fail-unless`.

    Raises:
        VerdictError: no arm has the verdict that is wanted.
    """
    if "verdict" in result:
        verdicts = {each["arm"]: each["verdict"] for each in result["verdict"]["arms"] if each["control"] is None}
        findings.demand(verdicts, options.fail_unless)


def _evaluate(options: Evaluate, device: torch.device, directory: Path) -> Result:
    """Gather, measure, judge, render."""
    gathered = inputs.gather(options, builder.describe_environment(devices.describe(device)))
    kept = Checkpoints(directory / builder.RESUME / "predictions", EVERY_RUN)
    measured = measure(options, gathered.runs, device, kept)
    evaluation = judge(
        options,
        measured.predictions,
        audits=measured.audits,
        facts=gathered.facts,
        test=gathered.test,
        split_by=gathered.split_by,
        groups=gathered.groups,
    )
    _render(directory, evaluation, measured, gathered.evidence)
    return serialization.to_dict(evaluation)


def _render(directory: Path, evaluation: Evaluation, measured: Measurement, shown: Evidence) -> None:
    """Write every file of the evaluation."""
    files.write_lines(directory / "predictions.csv", predictions.format_csv(measured.predictions, "test"))
    files.write_lines(directory / "validation.csv", predictions.format_csv(measured.predictions, "valid"))
    score_tables.write(directory, evaluation)
    files.write_text(directory / REPORT_FILE, page.render(evaluation, measured.predictions, shown))
