"""The flow of images and patients through a study: from raw files to splits, from generators to arms."""

from collections.abc import Sequence

from xrayaug.evaluation.paper import descriptions
from xrayaug.evaluation.paper.descriptions import count
from xrayaug.evaluation.paper.facts import DatasetFacts, GanFacts, PaperFacts, PhaseFacts, StudyFacts, SyntheticFacts
from xrayaug.plots import flow_diagram, formats
from xrayaug.plots.flow_diagram import FlowBox, FlowColumn, FlowTable

MAX_REASONS = 4  # for leaving out files, in a box
NOTHING = "–"


def make_flow(facts: PaperFacts) -> tuple[Sequence[FlowColumn], FlowTable]:
    """Return the columns of the diagram, one for each dataset and each generator, and the table of the arms."""
    evaluation = facts.evaluation
    arms: list[tuple[str, ...]]
    if facts.study is None:
        test = evaluation.test
        lines = [count(test.images, "image"), f"{test.normal:,} normal", f"{test.abnormal:,} abnormal"]
        columns = [FlowColumn([[FlowBox("Test set of the predictions", lines)]])]
        arms = [(arm.name, str(len(arm.seeds)), "unknown", "unknown", "unknown") for arm in evaluation.arms]
    else:
        study = facts.study
        columns = [_make_dataset(data) for data in study.datasets]
        columns += [_make_synthetic(each, study) for each in study.synthetic]
        arms = [
            (
                arm.name,
                str(len(arm.seeds)),
                *(_format_kind(arm.phases, kind) for kind in ("real", "copies", "synthetic")),
            )
            for arm in study.arms
        ]
    headings = ("Arm", "Runs", "Real", "Added real", "Synthetic")
    return columns, FlowTable("Training images by arm (normal + abnormal)", headings, arms)


def draw(facts: PaperFacts) -> str:
    """Return the diagram as SVG."""
    columns, arms = make_flow(facts)
    return formats.format_svg(lambda: flow_diagram.draw_flow(columns, arms))


def _make_dataset(data: DatasetFacts) -> FlowColumn:
    skipped = sum(data.skipped.values())
    left_out = [f"{number:,} {reason}" for reason, number in list(data.skipped.items())[:MAX_REASONS]]
    if (rest := skipped - sum(list(data.skipped.values())[:MAX_REASONS])) > 0:
        left_out.append(f"{rest:,} for other reasons")
    patients = "patients unknown" if data.patients is None else count(data.patients, "patient")
    raw = FlowBox("Raw set", [f"read as {data.source}", *(["drawn practice images"] if data.is_drawn else [])])
    title = f"{data.name} (for the {descriptions.join(data.roles)})"
    included = FlowBox(title, [count(data.images, "image"), patients], is_main=True)
    splits = [
        FlowBox(
            descriptions.SPLIT_NAMES[split.name].capitalize(),
            [
                count(split.images, "image"),
                f"{split.normal:,} normal",
                f"{split.abnormal:,} abnormal",
                *([] if split.patients is None else [count(split.patients, "patient")]),
                *([] if split in data.used_splits else ["not used"]),
            ],
        )
        for split in data.splits
    ]
    excluded = FlowBox("Left out", left_out or ["none"], is_excluded=True)
    return FlowColumn([[raw, excluded], [included], splits])


def _make_synthetic(one: SyntheticFacts, study: StudyFacts) -> FlowColumn:
    run = next((gan for gan in study.gans if gan.path == one.run), None)
    images = "images" if one.images is None else count(one.images, "synthetic image")
    screened = [each for each in study.screenings if each.synthetic == one.path]
    aside = [f"{each.set_aside:,} of {each.judged:,} as possible copies" for each in screened]
    drawn = FlowBox(one.path.rpartition("/")[2], [images], is_main=True)
    excluded = FlowBox("Set aside", aside or ["not screened for copies"], is_excluded=True)
    return FlowColumn([[_make_generator(one, run, study)], [drawn, excluded]])


def _make_generator(one: SyntheticFacts, run: GanFacts | None, study: StudyFacts) -> FlowBox:
    if run is None:
        return FlowBox(
            f"Generator {one.generator}", ["from elsewhere", descriptions.PROVENANCE[one.learnt_from or "unknown"]]
        )
    lines = [f"trained on {run.data.rpartition('/')[2]}"]
    lines += [f"{number:,} {label}" for label, number in run.training_images.items()]
    return FlowBox(f"GAN {run.arch}", [*lines, *_describe_starts(run, study)])


def _describe_starts(run: GanFacts, study: StudyFacts) -> list[str]:
    """Return lines on the runs that a GAN started from, its own first, and on their training images."""
    starts = study.list_starts(run)
    lines: list[str] = []
    for start in starts:
        lines.append(f"after {start.path.rpartition('/')[2]}, trained on {start.data.rpartition('/')[2]}")
        lines += [f"{number:,} {label}" for label, number in start.training_images.items()]
    last = [run, *starts][-1]
    return lines if last.init is None else [*lines, f"after {last.init.rpartition('/')[2]}, of which nothing is known"]


def _format_kind(phases: Sequence[PhaseFacts], kind: str) -> str:
    """Return the training images of a kind in every phase: `63 + 131`, a dash for none."""
    cells = [
        " + ".join(f"{number:,}" for number in phase.train.get(kind, {}).values())
        if any(phase.train.get(kind, {}).values())
        else NOTHING
        for phase in phases
    ]
    return ", then ".join(cells) if any(cell != NOTHING for cell in cells) else NOTHING
