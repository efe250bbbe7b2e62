"""classifier runs -> scores, verdict, tables, figure, report: judge every run on the test split, every arm by its runs.

Four steps, one after the other: gather (open everything), measure (run the networks), judge (decide), render (write).
A reader study, the scores of its readers, the files for a paper, and what was planted are added to a finished
evaluation in the same way, without networks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from xrayaug.errors import InputError
from xrayaug.evaluation import (
    answer,
    checks,
    conclusions,
    generator_design,
    prediction_judge,
    predictions,
    result_files,
    serialization,
)
from xrayaug.evaluation import tables as score_tables
from xrayaug.evaluation.evidence import Evidence
from xrayaug.evaluation.gather import (
    inputs,
    judged_predictions,
    judgements,
    paper_facts,
    planted_images,
    reader_files,
    reader_images,
    report_sources,
    test_sets,
)
from xrayaug.evaluation.gather.reader_files import ReaderInputs
from xrayaug.evaluation.gather.runs import Run, open_runs, split_by
from xrayaug.evaluation.judge import SetPredictions, judge
from xrayaug.evaluation.measure import measure
from xrayaug.evaluation.paper import documents
from xrayaug.evaluation.paper.files import CHECKLISTS_FIELD, DIRECTORY
from xrayaug.evaluation.planted import gains, images
from xrayaug.evaluation.planted import results as planted_results
from xrayaug.evaluation.planted import tables as planted_tables
from xrayaug.evaluation.planted.results import PLANTED_FIELD, PLANTED_FILE, PlantedRate, Unknown
from xrayaug.evaluation.predictions import RunPredictions
from xrayaug.evaluation.reader_study import scoring, study
from xrayaug.evaluation.reader_study import tables as reader_tables
from xrayaug.evaluation.reader_study.answers import ReaderAnswers
from xrayaug.evaluation.reader_study.results import SCORES_FIELD, SCORES_FILE, StudyScores
from xrayaug.evaluation.reader_study.study import STUDY_FIELD, StudySummary
from xrayaug.evaluation.report import page
from xrayaug.evaluation.results import Evaluation, TestSet, Verdict
from xrayaug.options import Evaluate
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Section, Table
from xrayaug.runtime.stopping import Interval
from xrayaug.storage import builder, files
from xrayaug.storage.artifacts import Artifact, Result
from xrayaug.storage.checkpoints import Checkpoints

EVERY_RUN = Interval(images=1)  # predictions are saved after each run

Addition = tuple[Mapping[str, str | bytes], Result]  # to a finished evaluation: contents by file name, and numbers


def run(options: Evaluate) -> Result:
    """Judge the runs; write predictions, metrics, verdict, Table 5, Figure 7 and the report to `--out`."""
    inputs.check_options(options)
    if options.plan is None:
        judgements.record(options.out)  # before it may be replaced
    if options.predictions is not None:
        result = builder.build_artifact(options, "evaluation", partial(_evaluate_predictions, options))
        judgements.record(options.out)
        result = add_planted(options, add_checklists(options, result))
        return result | {"look_at": [str(options.out / name) for name in (files.REPORT_FILE, files.TABLE5_FILE)]}
    device = devices.resolve(options.device, deterministic=options.deterministic)
    readers = reader_files.gather_readers(options)  # first, so that a wrong file is known before anything is judged
    build = partial(_evaluate, options, device)
    result = builder.build_artifact(options, "evaluation", build, device_name=devices.describe(device))
    if options.plan is None:
        judgements.record(options.out)
    result = add_planted(options, add_checklists(options, extend(options, readers, result)))
    page_for_readers = [files.READER_PAGE_FILE] if STUDY_FIELD in result else []
    look_at = [files.REPORT_FILE, *page_for_readers, files.TABLE5_FILE]
    return result | {"look_at": [str(options.out / name) for name in look_at]}


def plan(options: Evaluate) -> Result:
    """List the runs arm by arm, and the test set that they would be judged on."""
    inputs.check_options(options)
    if options.predictions is not None:
        return plan_predictions(options)
    runs = open_runs(options.runs, options.local_cache)
    inputs.check_controls(options, runs)
    report_sources.open_requested(options)
    planned = [{"arm": run.arm_name, "seed": run.seed, "run": run.name} for run in runs]
    own, *others = sorted(test_sets.open_test_sets(options, runs), key=lambda each: each.name != test_sets.OWN)
    also = {each.name: serialization.to_dict(each.test) for each in others}
    result = {"test": serialization.to_dict(own.test), "split_by": split_by(runs), "planned": planned}
    return result | ({"also": also} if also else {}) | plan_reader_study(options, runs)


def plan_predictions(options: Evaluate) -> Result:
    """List the runs whose predictions would be judged, arm by arm, and the test set."""
    tested = inputs.read_predictions(options).tested
    report_sources.open_requested(options)
    planned = [{"arm": each.run.arm_name, "seed": each.run.seed, "run": each.run.name} for each in tested.predicted]
    return {"test": serialization.to_dict(tested.test), "split_by": None, "planned": planned}


def tables(result: Result) -> list[Table | Section | str]:
    """Return short tables of the scores, of the subgroups and of readers, and the answer; for a dry run the runs."""
    if "planned" in result:
        rows = [(each["arm"], str(each["seed"]), each["run"]) for each in result["planned"]]
        notes = score_tables.describe_test_set(serialization.from_dict(TestSet, result["test"]), result["split_by"])
        for name, sizes in result.get("also", {}).items():
            other = score_tables.describe_test_set(serialization.from_dict(TestSet, sizes), None)
            notes += [f"also {name}, {line}" for line in other]
        heading = score_tables.ARM if result["split_by"] is None else score_tables.PERCENT_ADDED
        return [Table("Runs to judge", (heading, "Seed", "Run"), rows, notes), *list_reader_tables(result)]
    evaluation = serialization.from_dict(Evaluation, result)
    scores = score_tables.score_table(evaluation.arms, evaluation.verdict.question)
    return [
        replace(scores, notes=score_tables.describe_test_set(evaluation.test, evaluation.split_by)),
        *score_tables.subgroup_tables(evaluation),
        *score_tables.difference_tables(evaluation.arms, evaluation.verdict),
        *score_tables.test_set_tables(evaluation),
        *list_reader_tables(result),
        *([documents.summary_table(result[CHECKLISTS_FIELD])] if CHECKLISTS_FIELD in result else []),
        *list_planted(evaluation),
        *answer.summarize_test_sets(evaluation.others, evaluation.verdict.question),
        *answer.summarize(evaluation.verdict, result.get("look_at", ())),
    ]


def extend(options: Evaluate, readers: ReaderInputs, result: Result) -> Result:
    """Add the reader study that is asked for and the scores of the readers to the finished evaluation.

    Nothing is judged again.

    Args:
        options: of the evaluation.
        readers: answers to score, and the study that was replaced; a warning is given if that is lost.
        result: the numbers of the evaluation.

    Returns:
        The numbers with the added ones.

    Raises:
        DataError: there are too few images, or the answers are of another study.
        OutputError: the evaluation has another reader study.
    """
    if options.reader_study is not None:
        result = builder.extend(options, partial(_add_reader_study, options, options.reader_study))
        console.info(f"{options.out / study.PAGE_FILE} is for readers; {options.out / study.KEY_FILE} is not")
    if readers.replaced_study is not None and readers.replaced_study != study.find_name(result):
        console.warning(
            f"{options.out} was made anew without the reader study {readers.replaced_study} that it held: to score "
            "answers to that, make it again, in another --out, of the runs that it was of"
        )
    if readers.answers:
        result = builder.extend(options, partial(_add_reader_scores, options, readers.answers))
        counted = "1 reader" if len(readers.answers) == 1 else f"{len(readers.answers)} readers"
        console.info(f"scored {counted} into {options.out / SCORES_FILE}")
    return result


def add_checklists(options: Evaluate, result: Result) -> Result:
    """Add the files for a paper to the finished evaluation if they are asked for; nothing is judged again.

    Raises:
        InputError: a run, or something behind it, cannot be opened.
    """
    if not options.checklist:
        return result
    result = builder.extend(options, partial(_add_checklists, options))
    where = options.out / DIRECTORY
    console.info(f"{where} has what a paper needs: copy it elsewhere before you fill in the rest")
    return result


def add_planted(options: Evaluate, result: Result) -> Result:
    """Plant gains, leaks and copies for the finished evaluation if that is asked for, and show how many were found.

    They are planted in copies of the predictions and of what the checks read; nothing is judged again. Gains need the
    predictions alone, so they are planted even if the images are gone.

    Raises:
        InputError: a file of the evaluation cannot be read.
    """
    if not options.planted or PLANTED_FIELD in result:
        return complete_report(options, result)
    console.info("planting gains, leaks and copies in copies of what was judged")
    return builder.extend(options, partial(_add_planted, options))


def complete_report(options: Evaluate, result: Result) -> Result:
    """Mend an evaluation whose report was being changed by `add_planted` when that was killed.

    Its manifest does not list the report, which may have a section of numbers that the evaluation does not have, and
    there may be a file of them.
    """
    if not judged_predictions.is_report_interrupted(options.out):
        return result
    console.info(f"{options.out} was left while its report was written; what was planted is left out of it")
    return builder.extend(options, _complete_report)


def list_planted(evaluation: Evaluation) -> list[Table | Section]:
    """Return the tables of what was planted, and what this study would have seen; nothing if nothing was planted."""
    if evaluation.planted is None:
        return []
    metric = evaluation.verdict.question.metric
    made = planted_tables.make_tables(evaluation.planted, metric)
    return [*made, planted_tables.summarize(evaluation.planted, metric)]


def plan_reader_study(options: Evaluate, runs: Sequence[Run]) -> Result:
    """Return the numbers of images of the reader study that is asked for; empty if none is asked for."""
    if options.reader_study is None:
        return {}
    images = reader_images.gather_images(runs, options.reader_reals)
    drawn = study.draw(images.pools, options.reader_study, options.seed)
    return {STUDY_FIELD: study.summarize(drawn, options.reader_reals).to_dict()}


def list_reader_tables(result: Result) -> list[Table]:
    """Return the table of the reader study and the tables of its readers' scores, where the result has them."""
    found: list[Table] = []
    if STUDY_FIELD in result:
        found.append(reader_tables.study_table(StudySummary.from_dict(result[STUDY_FIELD])))
    if SCORES_FIELD in result:
        found += reader_tables.score_tables(StudyScores.from_dict(result[SCORES_FIELD]))
    return found


def demand(options: Evaluate, result: Result) -> None:
    """Check the verdict against `--fail-unless`.

    Raises:
        VerdictError: no arm has the verdict that is wanted.
    """
    if "verdict" in result:
        conclusions.demand(serialization.from_dict(Verdict, result["verdict"]), options.fail_unless)


def _evaluate(options: Evaluate, device: torch.device, directory: Path) -> Result:
    """Gather, measure, judge, render."""
    gathered = inputs.gather(options, builder.describe_environment(devices.describe(device)))
    checkpoints = Checkpoints(directory / builder.RESUME / "predictions", EVERY_RUN)
    to_predict = [images for each in gathered.sets for images in each.opened.to_predict]
    measured = measure(options, gathered.runs, device, checkpoints, to_predict)
    primary, *others = (
        SetPredictions(
            each.opened.name,
            measured.others.get(each.opened.name, measured.predictions),
            checks.check_study(each.facts, is_sequential=gathered.look is not None),
            each.opened.test,
            each.groups,
            each.no_groups,
        )
        for each in gathered.sets
    )
    evaluation = judge(
        options,
        primary,
        audits=measured.audits,
        split_by=gathered.split_by,
        generators=generator_design.count_generators(gathered.sets[0].facts.arms),
        draws={each.name: each.draws for each in gathered.sets[0].facts.arms},
        others=others,
        shared=gathered.shared,
        look=gathered.look,
    )
    evaluation = _note_earlier(options, evaluation)
    _render(directory, evaluation, primary.predicted, gathered.evidence)
    for other in others:
        name = f"predictions-{other.name}.csv"
        files.write_lines(directory / name, predictions.format_csv(other.predicted, "test"))
    return serialization.to_dict(evaluation)


def _evaluate_predictions(options: Evaluate, directory: Path) -> Result:
    """Gather predictions, judge, render."""
    gathered = inputs.gather_predictions(options, builder.describe_environment("cpu"))
    evaluation = _note_earlier(options, prediction_judge.judge_predictions(options, gathered.judged))
    _render(directory, evaluation, gathered.judged.tested.predicted, gathered.evidence)
    return serialization.to_dict(evaluation)


def _note_earlier(options: Evaluate, evaluation: Evaluation) -> Evaluation:
    """Return an evaluation whose verdict says when its runs were judged before without a plan for it."""
    earlier = [] if options.plan is not None else judgements.find_earlier(options, evaluation)
    return replace(evaluation, verdict=replace(evaluation.verdict, earlier=earlier)) if earlier else evaluation


def _render(directory: Path, evaluation: Evaluation, predicted: Sequence[RunPredictions], shown: Evidence) -> None:
    """Write every file of the evaluation."""
    files.write_lines(directory / files.PREDICTIONS_FILE, predictions.format_csv(predicted, "test"))
    if any(len(each.valid_rows) for each in predicted):
        files.write_lines(directory / files.VALIDATION_FILE, predictions.format_csv(predicted, "valid"))
    result_files.write(directory, evaluation)
    size = (directory / files.PREDICTIONS_FILE).stat().st_size
    files.write_text(directory / files.REPORT_FILE, page.render(evaluation, predicted, shown, size))


def _add_reader_study(options: Evaluate, count: int, evaluation: Artifact) -> Addition:
    """Draw the study, gather its pixels and render it; add nothing if the evaluation has this study already."""
    existing = reader_files.read_study(evaluation)
    if existing is not None:
        study.check_same(existing, count, options.reader_reals)
        return {}, {}
    images = reader_images.open_images(options)
    drawn = study.draw(images.pools, count, options.seed)
    made = study.make(drawn, images.read_pixels(drawn), options.reader_reals)
    return made.files(), {STUDY_FIELD: made.key.summary.to_dict()}


def _add_checklists(options: Evaluate, evaluation: Artifact) -> Addition:
    """Gather the facts, fill the checklists, and render everything for a paper."""
    gathered = paper_facts.gather_paper(options, evaluation)
    filled = documents.fill_checklists(gathered.facts)
    contents = documents.make_documents(gathered.facts, filled, gathered.failed, gathered.baselines, gathered.pictures)
    return contents, {CHECKLISTS_FIELD: {each.checklist.name: dict(each.count()) for each in filled}}


def _add_planted(options: Evaluate, artifact: Artifact) -> Addition:
    """Gather what was judged and what the checks read, plant in copies of it, and add the results to the report."""
    judged_predictions.delete_unfinished(artifact)
    evaluation = serialization.from_dict(Evaluation, artifact.result)
    are_predictions = options.predictions is not None
    predicted = judged_predictions.read_judged(artifact, evaluation, are_from_elsewhere=are_predictions)
    found, unknown = gains.plant_gains(gains.arrange_study(evaluation, predicted))
    of_images = planted_results.WITHOUT_IMAGES if are_predictions else _plant_images(options)
    planted = planted_results.group([*found, *unknown, *of_images])
    result = serialization.to_dict(planted)
    report = judged_predictions.read_report(artifact)
    contents = {
        PLANTED_FILE: files.format_json(result),
        files.REPORT_FILE: page.add_planted(report, planted, evaluation.verdict.question.metric),
    }
    return contents, {PLANTED_FIELD: result}


def _complete_report(artifact: Artifact) -> Addition:
    """Return the report without what was planted, and delete what else was written for it."""
    judged_predictions.delete_unfinished(artifact)
    return {files.REPORT_FILE: page.remove_planted(judged_predictions.read_report(artifact))}, {}


def _plant_images(options: Evaluate) -> Sequence[PlantedRate | Unknown]:
    """Gather what the checks of leaks and of copies read, and plant in copies of it; if it is gone, say so."""
    screenings = report_sources.open_requested(options).screenings
    try:
        runs = open_runs(options.runs, options.local_cache)
        sets = test_sets.gather_test_sets(test_sets.open_test_sets(options, runs), runs, screenings, None)
        gathered = planted_images.gather_image_audits(runs, sets, screenings)
    except InputError as problem:
        return planted_results.name_unknown_images(
            f"the images behind the runs cannot be read any more: {problem.message}; if they can be again, evaluate "
            "with --overwrite"
        )
    return [*images.plant_images(gathered.audits, options.seed), *gathered.unknown]


def _add_reader_scores(options: Evaluate, answers: Sequence[ReaderAnswers], evaluation: Artifact) -> Addition:
    """Gather the key, score the readers and render their scores; warn of readers whose scores are lost."""
    key, scores_before = reader_files.read_key(evaluation), reader_files.read_scores(evaluation)
    scores = scoring.score(key, answers)
    readers = {reader.reader for reader in scores.readers}
    for reader in scores_before.readers if scores_before else ():
        if reader.reader not in readers:
            console.warning(
                f"{reader.reader} ({reader.file}) was scored before and is not given now: name all files at once"
            )
    result = scores.to_dict()
    return {SCORES_FILE: files.format_json(result)}, {SCORES_FIELD: result}
