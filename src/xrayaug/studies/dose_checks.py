"""Check, before a study runs, that there will be enough images, with labels, for the doses of its arms and controls.

The images of the classifiers' set are those of the prepared dataset, of the list of the raw one, or of the phantoms to
be drawn. The labels of synthetic images that do not exist yet are those that their generator will draw.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from xrayaug.data import arms, controls, generators, synthetic_sets
from xrayaug.data.arms import BALANCE, MORE_REAL
from xrayaug.data.dataset import LABELS, Row
from xrayaug.errors import DataError
from xrayaug.options import Augment
from xrayaug.studies.planning import Study
from xrayaug.studies.study_generators import ExternalGenerator, Generator, TrainedGenerator


def check_doses(study: Study, rows: Sequence[Row]) -> None:
    """Check that every arm of a study can have its dose.

    Only what is certain is refused: copies that a screening will leave out are not known yet.

    Args:
        study: the commands.
        rows: all images of the dataset that the classifiers are to be trained and tested on.

    Raises:
        DataError: an arm asks for more synthetic images than there will be, or a control for more real images than are
            left out.
    """
    for arm, generator in _list_doses(study):
        _check_arm(arm, rows, generator)


def check_labels(study: Study, rows: Sequence[Row]) -> None:
    """Check that the images of every generator will have the labels that arms need.

    Args:
        study: the commands.
        rows: all images of the dataset that the GANs are to be trained on; none if they are not known yet.

    Raises:
        DataError: a conditional GAN would be trained on images of one label, or images without a label would be added.
    """
    labels_of = {each.synthetic: _find_labels_of_training(each, rows) for each in study.generators}
    for each in study.generators:
        labels = labels_of[each.synthetic]
        if isinstance(each, TrainedGenerator) and len(labels) == 1 and each.draws_both:
            only = "" if each.gan.only_label is None else " with --gan-label"
            raise DataError(
                f"{each.name} needs images of both labels, and the training images of {each.gan.data}{only} are all "
                f"{labels[0]}",
                "an architecture that takes no labels, such as --gan-arch dcgan; or images of both labels",
            )
    for arm, generator in _list_doses(study):
        if arm.label is not None:
            continue
        if isinstance(generator, ExternalGenerator):
            if "" in generator.labels:
                raise DataError(
                    f"{arm.out.name} needs labels, and images of {generator.synthetic} bear none",
                    "--labels normal or abnormal says what they are",
                )
        elif len(labels_of[generator.synthetic]) > 1 and not generator.draws_both:
            has_conditional = any(isinstance(each, TrainedGenerator) and each.draws_both for each in study.generators)
            takes_labels = generator.can_draw_both
            draws = "--conditional to draw them" if takes_labels else "a --gan-arch that draws them, such as cgan"
            other_label = "" if has_conditional else "--gan-label normal to train it on these alone; "
            raise DataError(
                f"{generator.name} draws images without labels, as it learns normal and abnormal ones, and "
                f"{arm.out.name} needs labels",
                f"{draws}; {other_label}or --labels normal",
            )


def _list_doses(study: Study) -> list[tuple[Augment, Generator]]:
    """Return the arms and controls that draw synthetic images, or count them, with their generators."""
    generator_of = {each.synthetic: each for each in study.generators}
    return [
        (arm, generator_of[path])
        for arm in study.commands
        if isinstance(arm, Augment) and arm.percent
        for path in arm.synthetic or ()
    ]


def _find_labels_of_training(generator: Generator, rows: Sequence[Row]) -> list[str]:
    """Return the labels of the images that a GAN will be trained on; empty if they are not known."""
    if isinstance(generator, ExternalGenerator):
        return []
    chosen = [row.label for row in rows if row.split == "train" and generator.gan.only_label in (None, row.label)]
    return list(dict.fromkeys(chosen))


def _check_arm(arm: Augment, rows: Sequence[Row], generator: Generator) -> None:
    kept = arms.keep_real(rows, arm.baseline_fraction, arm.seed)
    label, wanted = arms.find_dose(arm.percent, arm.label, [row for row in kept if row.split == "train"])
    candidates = _list_candidates(arm, label, generator)
    if wanted > len(candidates):
        raise _make_dose_error(arm, label, wanted, len(candidates), generator)
    if arm.control == MORE_REAL:
        left_out = arms.list_left_out(rows, kept)
        if wanted > len(left_out):
            raise controls.too_few_left_out(wanted, "", len(left_out))
        counts = Counter(row.label for row in left_out)
        if wanted > min(counts[name] for name in LABELS):  # or else the labels do not matter
            controls.draw_more_real(left_out, _count_labels(arm, label, wanted, candidates), arm.seed)


def _list_candidates(arm: Augment, label: str | None, generator: Generator) -> Sequence[str]:
    """Return the labels of the images that an arm draws from, in order; empty words where they are not known yet."""
    labels = generator.labels
    if labels is None:
        assert isinstance(generator, TrainedGenerator)
        return [""] * generator.samples
    must_match = arm.label == BALANCE or _keeps_labels(generator)
    if label is not None and synthetic_sets.is_selected_by_label(labels, must_match=must_match):
        return [each for each in labels if each == label]
    return labels


def _keeps_labels(generator: Generator) -> bool:
    """Return whether images of a generator cannot be given another label than they bear."""
    return isinstance(generator, ExternalGenerator) and generators.is_external(generator.artifact)


def _make_dose_error(arm: Augment, label: str | None, wanted: int, offered: int, generator: Generator) -> DataError:
    """Return the error that an arm needs more images than a generator offers."""
    if isinstance(generator, ExternalGenerator):
        of_label = f" {label}" if offered < len(generator.labels) else ""
        return DataError(
            f"{arm.out.name} needs {wanted}{of_label} synthetic images, and {generator.synthetic} holds {offered}",
            "a dataset with more images, or smaller --percents",
        )
    of_label, factor = (f" {label}", len(LABELS)) if offered < generator.samples else ("", 1)
    return DataError(
        f"{arm.out.name} needs {wanted}{of_label} synthetic images, and --samples {generator.samples} draws {offered}",
        f"--samples {wanted * factor} or more, or smaller --percents",
    )


def _count_labels(arm: Augment, label: str | None, wanted: int, candidates: Sequence[str]) -> Mapping[str, int]:
    """Return how many images of each label the arm will draw; empty if only the drawing or a screening decides."""
    if label is not None:
        return {label: wanted}
    if len(set(candidates)) > 1 and arm.copies is not None and wanted < len(candidates):
        return {}
    order = arms.draw_order(len(candidates), arm.seed)
    counts = Counter(candidates[place] for place in order[:wanted])
    return {} if "" in counts else counts
