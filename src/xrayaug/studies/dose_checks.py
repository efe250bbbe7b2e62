"""Check, before a study runs, that there will be enough images for the doses of its arms and controls.

The images of the classifiers' set are those of the prepared dataset, of the list of the raw one, or of the phantoms to
be drawn. The labels of synthetic images that do not exist yet are those that their generator will draw.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from xrayaug.data import arms, controls
from xrayaug.data.arms import MORE_REAL
from xrayaug.data.dataset import LABELS, Row
from xrayaug.errors import DataError
from xrayaug.options import Augment, Sample, TrainGan
from xrayaug.studies.planning import Study, draws_both


def check_doses(study: Study, rows: Sequence[Row]) -> None:
    """Check that every arm of a study can have its dose.

    Only what is certain is refused: copies that a screening will leave out are not known yet.

    Args:
        study: the commands.
        rows: all images of the dataset that the classifiers are to be trained and tested on.

    Raises:
        DataError: an arm asks for more synthetic images than are drawn, or a control for more real images than are
            left out.
    """
    samples = {command.out: command for command in study.commands if isinstance(command, Sample)}
    gans = {command.out: command for command in study.commands if isinstance(command, TrainGan)}
    for arm in study.commands:
        if isinstance(arm, Augment) and arm.percent and arm.synthetic:
            (synthetic,) = arm.synthetic
            sample = samples[synthetic]
            _check_arm(arm, rows, sample, gans[sample.run])


def _check_arm(arm: Augment, rows: Sequence[Row], sample: Sample, gan: TrainGan) -> None:
    kept = arms.keep_real(rows, arm.baseline_fraction, arm.seed)
    label, wanted = arms.find_dose(arm.percent, arm.label, [row for row in kept if row.split == "train"])
    offered = _count_offered(label, wanted, sample, gan)
    if wanted > offered:
        of_label, factor = (f" {label}", len(LABELS)) if offered < sample.count else ("", 1)
        raise DataError(
            f"{arm.out.name} needs {wanted}{of_label} synthetic images, and --samples {sample.count} draws {offered}",
            f"--samples {wanted * factor} or more, or smaller --percents",
        )
    if arm.control == MORE_REAL:
        left_out = arms.list_left_out(rows, kept)
        if wanted > len(left_out):
            raise controls.too_few_left_out(wanted, "", len(left_out))
        counts = Counter(row.label for row in left_out)
        if wanted > min(counts[name] for name in LABELS):  # or else the labels do not matter
            controls.draw_more_real(left_out, _find_labels(arm, label, wanted, sample, gan), arm.seed)


def _count_offered(label: str | None, wanted: int, sample: Sample, gan: TrainGan) -> int:
    """Return the number of images to draw from: all, or those of the label if the generator draws both in turn."""
    of_label = sum(LABELS[place % len(LABELS)] == label for place in range(sample.count))
    return of_label if label is not None and wanted > of_label and draws_both(gan) else sample.count


def _find_labels(arm: Augment, label: str | None, wanted: int, sample: Sample, gan: TrainGan) -> Mapping[str, int]:
    """Return how many images of each label the arm will draw; empty if only the drawing or a screening decides."""
    if label is not None:
        return {label: wanted}
    if not draws_both(gan):
        return {} if gan.only_label is None else {gan.only_label: wanted}
    if arm.copies is not None and wanted < sample.count:
        return {}
    order = arms.draw_order(sample.count, arm.seed)
    return Counter(LABELS[place % len(LABELS)] for place in order[:wanted])
