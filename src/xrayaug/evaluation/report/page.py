"""Render an evaluation as one self-contained page, `report.html`. The only importer of jinja2.

The dataclasses here are the view models of the template. The template escapes all text, since names of files and labels
are untrusted; only figures, which `figures` makes from escaped text, are inserted as markup.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from xrayaug.data.arms import BALANCE, MIXED_PRETRAIN, PRETRAIN, SYNTHETIC_ONLY, TOGETHER
from xrayaug.errors import ArtifactError
from xrayaug.evaluation import answer, generator_design, looks, predictions, sheets, tables, verdict
from xrayaug.evaluation.evidence import Evidence
from xrayaug.evaluation.planted import tables as planted_tables
from xrayaug.evaluation.planted.results import Planted
from xrayaug.evaluation.predictions import RunPredictions
from xrayaug.evaluation.report import figures, synthetic_images
from xrayaug.evaluation.report.figures import Figure
from xrayaug.evaluation.results import ArmVerdict, ControlComparison, Evaluation
from xrayaug.runtime.console import Table, format_number
from xrayaug.stats import classification
from xrayaug.storage import files

PLANTED_LINK = '<li><a href="#planted">Planted controls</a></li>\n'
AFTER_PLANTED_LINK, AFTER_PLANTED = '<li><a href="#scores">', '<section id="scores" '  # what is after them on the page
PLANTED_SECTION = re.compile(r'<section id="planted".*?</section>\n\n', re.DOTALL)
MAX_CSV_BYTES = 1 << 20  # of a file that is embedded for download
USES = {  # of the images of an arm, by schedule
    TOGETHER: "added",
    SYNTHETIC_ONLY: "in place of the real ones",
    PRETRAIN: "alone, and then the real ones",
    MIXED_PRETRAIN: "added, and then the real ones alone",
}
SIGNS = {verdict.HELPS: "▲", verdict.HURTS: "▼", verdict.EQUIVALENT: "=", verdict.UNCLEAR: "?"}


@dataclass(frozen=True)
class Download:
    """A file that can be saved from the page; without an address if it is too large for that."""

    name: str
    address: str | None
    size: str


@dataclass(frozen=True)
class Drawing:
    """A figure as markup that is not escaped again."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class ArmView:
    """The verdict on an arm, as text."""

    arm: str
    verdict: str  # CSS class
    sign: str
    verdict_text: str
    description: str
    reason: str
    reach: Sequence[str]  # what the design could have shown, beside "cannot tell"
    controls: Sequence[ControlComparison]


@dataclass(frozen=True)
class TableViews:
    """The tables of the page."""

    checks: Table
    scores: Sequence[Table]
    notes: Sequence[str]  # under the tables of scores
    differences: Sequence[Table]
    pairs: Table
    confusion: Table
    subgroups: Sequence[Table]
    test_sets: Sequence[Table]


@dataclass(frozen=True)
class FigureViews:
    """The figures of the page; None where there is nothing to draw."""

    accuracy: Drawing | None
    differences: Drawing | None
    roc: Drawing | None
    calibration: Drawing | None
    losses: Drawing | None
    gans: Sequence[Drawing]


def render(
    evaluation: Evaluation, predicted: Sequence[RunPredictions], evidence: Evidence, predictions_size: int
) -> str:
    """Return the page as HTML.

    Args:
        evaluation: the numbers and the verdict.
        predicted: the predictions they come from, for curves and downloads.
        evidence: images, logs, distances, screenings and provenance to show with them.
        predictions_size: bytes of the file of predictions.
    """
    verdicts = evaluation.verdict
    return _template("page.html.j2").render(
        test=evaluation.test,
        split_by=evaluation.split_by,
        title=_title(evaluation),
        primary=evaluation.others and evaluation.others.primary,
        question=verdicts.question,
        metric=classification.display_name(verdicts.question.metric),
        answer=answer.headline(verdicts),
        against=answer.AGAINST[verdicts.question.against],
        format_p=verdict.format_p_values,
        looks=looks.list_notes(verdicts),
        arms=[_view_arm(arm, evaluation) for arm in sorted(verdicts.arms, key=lambda each: each.control is not None)],
        tables=_view_tables(evaluation, evidence),
        figures=_view_figures(evaluation, predicted, evidence),
        grids=[synthetic_images.view_grid(grid) for grid in evidence.grids],
        distances=[synthetic_images.view_distance(distance) for distance in evidence.distances],
        screenings=[synthetic_images.view_screening(screening) for screening in evidence.screenings],
        privacy=[synthetic_images.view_privacy(each) for each in evidence.privacy],
        missing={**evidence.missing, "provenance": evidence.provenance.missing},
        commands=evidence.provenance.commands,
        environments=evidence.provenance.environments,
        downloads=_downloads(evaluation, predicted, predictions_size),
        max_csv_size=_format_size(MAX_CSV_BYTES),
    )


def add_planted(page: str, planted: Planted, metric: str) -> str:
    """Return a finished page with the section of what was planted, in place of one that it has.

    Args:
        page: as `render` made it.
        planted: what was planted, and how much of it was found.
        metric: the score that decides.

    Raises:
        ArtifactError: another version made the page.
    """
    page = remove_planted(page)
    if page.count(AFTER_PLANTED_LINK) != 1 or page.count(AFTER_PLANTED) != 1:
        raise ArtifactError(
            f"{files.REPORT_FILE} was made by another version of xrayaug, and takes no section on what was planted",
            "evaluate again, with another --out or with --overwrite",
        )
    made = planted_tables.make_tables(planted, metric)
    section = _template("planted.html.j2").render(
        title=planted_tables.TITLE,
        lines=planted_tables.summarize(planted, metric).paragraphs,
        tables=made,
    )
    page = page.replace(AFTER_PLANTED_LINK, PLANTED_LINK + AFTER_PLANTED_LINK)
    return page.replace(AFTER_PLANTED, section + AFTER_PLANTED)


def remove_planted(page: str) -> str:
    """Return a finished page without the section of what was planted."""
    return PLANTED_SECTION.sub("", page.replace(PLANTED_LINK, ""))


def _title(evaluation: Evaluation) -> str:
    if tables.have_doses(evaluation.arms):
        return "Did the synthetic images help?"
    return "Do the arms differ from the baseline?"


@cache
def _template(name: str) -> Template:
    loader = PackageLoader("xrayaug.evaluation.report", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True, keep_trailing_newline=True)  # fmt: skip
    return environment.get_template(name)


def _view_arm(arm: ArmVerdict, evaluation: Evaluation) -> ArmView:
    settings = next(each.settings for each in evaluation.arms if each.name == arm.arm)
    reach = answer.describe_reach(arm, evaluation.verdict)
    has_reasons = (
        evaluation.verdict.question.against != "baseline" and arm.control is None
    )  # of the controls that count
    controls = [each for each in arm.controls if not (has_reasons and each.is_asked)]
    if settings is None:
        return ArmView(arm.arm, arm.verdict, SIGNS[arm.verdict], verdict.DISPLAY_NAMES[arm.verdict],
                       f"control of equal size, compared with {arm.baseline}" if arm.control
                       else f"compared with {arm.baseline}", arm.reason, reach, controls)  # fmt: skip
    whole = "the difference in class size" if settings.label == BALANCE else "the real normal images"
    use = USES[settings.schedule]
    dose = f"{settings.percent:g} % of {whole}: {settings.added:,} images {use}"
    dose = ", ".join(filter(None, [dose, generator_design.describe_scope(arm.generators, arm.draws)]))
    return ArmView(
        arm=arm.arm,
        verdict=arm.verdict,
        sign=SIGNS[arm.verdict],
        verdict_text=verdict.DISPLAY_NAMES[arm.verdict],
        description=f"control ({arm.control}: {answer.CONTROL_MEANINGS.get(arm.control, answer.NAMED_CONTROL)}), {dose}"
        if arm.control
        else dose,
        reason=arm.reason,
        reach=reach,
        controls=controls,
    )


def _view_tables(evaluation: Evaluation, evidence: Evidence) -> TableViews:
    return TableViews(
        checks=replace(tables.checks_table(evaluation), title="Checks"),
        scores=[
            replace(tables.interval_table(evaluation, level), notes=()) for level in tables.table5_levels(evaluation)
        ],
        notes=[*tables.notes(evaluation), *_note_single_runs(evaluation), *evidence.cautions],
        differences=tables.difference_tables(evaluation.arms, evaluation.verdict),
        pairs=_pairs_table(evaluation),
        confusion=_confusion_table(evaluation),
        subgroups=tables.subgroup_tables(evaluation),
        test_sets=tables.test_set_tables(evaluation),
    )


def _note_single_runs(evaluation: Evaluation) -> list[str]:
    """Return a note on the intervals of arms with one run, which leave out the variation between seeds."""
    names = [f"arm {arm.name}" for arm in evaluation.arms if len(arm.seeds) == 1]
    return [f"single run: {', '.join(names)}; the interval is over patients, not over seeds"] if names else []


def _pairs_table(evaluation: Evaluation) -> Table:
    """Return the table of the paired tests of two networks with the same seed."""
    rows = [
        (arm.arm, str(pair.seed), str(pair.only_arm_right), str(pair.only_baseline_right),
         tables.format_p_cell(pair.mcnemar_p), format_number(pair.auroc_difference, "+.3f"),
         tables.format_p_cell(pair.delong_p))
        for arm in evaluation.verdict.arms for pair in arm.pairs
    ]  # fmt: skip
    columns = (tables.name_heading(evaluation.arms), "Seed", "Only arm correct", "Only baseline correct", "McNemar p",
               "AUROC difference", "DeLong p")  # fmt: skip
    return Table("Paired tests by seed, each of two networks: exact McNemar test and DeLong test", columns, rows)


def _confusion_table(evaluation: Evaluation) -> Table:
    """Return the table of the confusion matrix of every run."""
    level = evaluation.verdict.question.level
    rows = []
    for run in evaluation.runs:
        scores = run.scores[level]
        counts = (f"{count:,}" for count in (scores.tp, scores.fp, scores.tn, scores.fn))
        others = (format_number(value) for value in (scores.auroc, scores.brier, scores.calibration_error))
        rows.append((run.arm_name, str(run.seed), *counts, *others))
    columns = (tables.name_heading(evaluation.arms), "Seed", "True positives", "False positives", "True negatives",
               "False negatives", "AUROC", "Brier score", "Calibration error")  # fmt: skip
    title = (
        f"Confusion matrix of every run, per {level}, at the threshold {evaluation.threshold:g}; positive is abnormal"
    )
    return Table(title, columns, rows, ["the calibration error is biased: it is above 0 even for a calibrated network"])


def _view_figures(evaluation: Evaluation, predicted: Sequence[RunPredictions], evidence: Evidence) -> FigureViews:
    level = evaluation.verdict.question.level
    gans = [_view_figure(figures.gan(log, number)) for number, log in enumerate(evidence.gans)]
    return FigureViews(
        accuracy=_view_figure(figures.accuracy(evaluation)),
        differences=_view_figure(figures.differences(evaluation)),
        roc=_view_figure(figures.roc(predicted, level)),
        calibration=_view_figure(figures.calibration(predicted, level)),
        losses=_view_figure(figures.losses(evidence.logs)),
        gans=[drawing for drawing in gans if drawing],
    )


def _view_figure(figure: Figure | None) -> Drawing | None:
    return None if figure is None else Drawing(Markup(figure.svg), figure.caption)


def _downloads(evaluation: Evaluation, predicted: Sequence[RunPredictions], predictions_size: int) -> list[Download]:
    found = [
        _download(name, [content], len(content.encode())) for name, content in sheets.make_sheets(evaluation).items()
    ]
    return [*found, _download("predictions.csv", predictions.format_csv(predicted, "test"), predictions_size)]


def _download(name: str, lines: Iterable[str], size: int) -> Download:
    """Encode a file of so many bytes for download; one that is too large for the page is not read."""
    fits = size <= MAX_CSV_BYTES
    address = synthetic_images.data_url("text/csv;charset=utf-8", "".join(lines).encode()) if fits else None
    return Download(name, address, _format_size(size))


def _format_size(count: int) -> str:
    return f"{count / 1024:,.0f} KB" if count >= 1024 else f"{count} bytes"
