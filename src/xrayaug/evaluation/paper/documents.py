"""All files for a paper, as their contents by name."""

import string
from collections.abc import Mapping, Sequence

from xrayaug.data.images.arrays import Pixels
from xrayaug.evaluation.paper import checklist, failures, flow, methods, rendering
from xrayaug.evaluation.paper.checklist import FilledChecklist
from xrayaug.evaluation.paper.claim import CLAIM
from xrayaug.evaluation.paper.facts import PaperFacts
from xrayaug.evaluation.paper.failures import FailedImage
from xrayaug.evaluation.paper.files import DIRECTORY, FAILURES_CSV, FAILURES_PICTURE, FLOW_FILE, METHODS_FILE
from xrayaug.evaluation.paper.metrics_score import METRICS
from xrayaug.evaluation.paper.tripod_ai import TRIPOD_AI
from xrayaug.plots import captioned_pictures, formats
from xrayaug.plots.captioned_pictures import CaptionedPicture
from xrayaug.runtime.console import Table
from xrayaug.storage import files

CHECKLISTS = (CLAIM, TRIPOD_AI, METRICS)
MARKS = {failures.CORRECTED: " (corrected)", failures.SPOILED: " (spoiled)"}


def fill_checklists(facts: PaperFacts) -> list[FilledChecklist]:
    """Return all checklists with the answers to their items."""
    return [checklist.fill(each, facts) for each in CHECKLISTS]


def make_documents(
    facts: PaperFacts,
    filled: Sequence[FilledChecklist],
    failed: Sequence[FailedImage],
    baselines: Mapping[str, str | None],
    pictures: Pixels | None,
) -> dict[str, str | bytes]:
    """Return the contents of all files by name.

    Args:
        facts: of the study.
        filled: checklists.
        failed: test images that the baseline or an arm gets wrong, the worst first.
        baselines: of the compared arms, None for a baseline.
        pictures: `[N, S, S]` of the first N of these images; None without pictures.
    """
    contents: dict[str, str | bytes] = {}
    for each in filled:
        contents[f"{DIRECTORY}/{each.checklist.file}.md"] = rendering.format_markdown(each, facts)
        contents[f"{DIRECTORY}/{each.checklist.file}.json"] = files.format_json(rendering.to_json(each))
    contents[METHODS_FILE] = methods.format_methods(facts)
    contents[FLOW_FILE] = flow.draw(facts)
    contents[FAILURES_CSV] = failures.format_csv(failed, baselines)
    if pictures is not None:
        contents[FAILURES_PICTURE] = draw_failures(failed, baselines, pictures, facts.evaluation.threshold)
    return contents


def draw_failures(
    failed: Sequence[FailedImage], baselines: Mapping[str, str | None], pictures: Pixels, threshold: float
) -> bytes:
    """Return the pictures of the worst failures with the probabilities of every arm, as PNG."""
    letters = dict(zip(baselines, string.ascii_uppercase, strict=False))
    shown = {arm: letters.get(arm, arm) for arm in baselines}
    captioned = [
        CaptionedPicture(
            pixels,
            [
                f"{number}: {each.image.label}",
                *(
                    f"{shown[arm]} {each.image.probabilities[arm]:.2f}{MARKS.get(each.outcomes.get(arm, ''), '')}"
                    for arm in baselines
                ),
            ],
        )
        for number, (each, pixels) in enumerate(zip(failed, pictures, strict=False), start=1)
    ]
    legend = [
        f"Number in failures.csv, true label, and the mean probability over seeds of being abnormal; an image is "
        f"called abnormal above {threshold:g}. Corrected and spoiled: in comparison with the baseline.",
        "; ".join(f"{shown[arm]}: {arm}{'' if baselines[arm] else ' (baseline)'}" for arm in baselines),
    ]
    title = f"Test images that the arms get wrong most ({len(captioned)} of {len(failed):,})"
    return formats.format_png(lambda: captioned_pictures.draw_captioned_pictures(captioned, title, legend))


def summary_table(counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Return a table of the checklists with the number of items by status, as the result of an evaluation has them."""
    columns = ("Checklist", *(status.value.capitalize() for status in checklist.Status))
    rows = [(name, *(str(found.get(status.value, 0)) for status in checklist.Status)) for name, found in counts.items()]
    return Table("Checklists: items", columns, rows)
