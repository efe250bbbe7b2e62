"""The images of the datasets of a study, before they are prepared, and the power that they give the study."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xrayaug.data import raw_rows, source_selection
from xrayaug.data.dataset import Row, open_dataset
from xrayaug.data.phantoms import layouts
from xrayaug.data.sources import Listing
from xrayaug.errors import XrayaugError
from xrayaug.options import Evaluate, Phantom, Prepare
from xrayaug.runtime import console
from xrayaug.stats import power
from xrayaug.stats.power import PowerAnalysis
from xrayaug.storage import artifacts
from xrayaug.studies.planning import Study
from xrayaug.studies.study_settings import Settings


@dataclass(frozen=True)
class PlannedImage:
    """An image of a dataset, which may not be prepared yet."""

    row: Row
    is_patient_known: bool


def list_images(study: Study, settings: Settings) -> list[PlannedImage]:
    """Return the images of the classifiers' dataset, without opening one; empty if they cannot be known yet.

    They are those of the prepared set, of the list of the raw one (whose splits may change if images prove to be
    duplicates), or of phantoms that are still to be drawn.
    """
    return _list_images(study, settings.classifier_data, settings.mura)


def list_gan_images(study: Study, settings: Settings) -> list[PlannedImage]:
    """Return the images of the GANs' dataset in the same way; empty without a GAN."""
    return _list_images(study, settings.gan_data, settings.rsna) if settings.gan_arch else []


def _list_images(study: Study, data: Path, raw: Path) -> list[PlannedImage]:
    """Return the images of the dataset `data` that is prepared from a raw set."""
    prepare = next((each for each in study.commands if isinstance(each, Prepare) and each.out == data), None)
    phantom = next((each for each in study.commands if isinstance(each, Phantom) and each.out == raw), None)
    try:
        if prepare is None or artifacts.is_artifact(data):
            prepared = open_dataset(data)
            known = prepared.artifact.result.get("patients_unknown", 0) < len(prepared.rows)
            return [PlannedImage(row, known) for row in prepared.rows]
        if phantom is None or artifacts.is_artifact(raw):
            source, listing = source_selection.list_images(prepare)
        elif phantom.layout == "mura":
            source, listing = "mura", Listing(raw, layouts.list_records(phantom))
        else:
            return []
        rows = raw_rows.plan_rows(prepare, source, listing)
    except XrayaugError:  # the message may name a patient of a DICOM set, and this goes to logs
        if prepare is not None:
            command = replace(prepare, dry_run=True).command_line()
            console.warning(f"{raw} cannot be prepared like this, so its images are unknown; this says why: {command}")
        return []
    return [PlannedImage(row, record.patient_known) for record, row in zip(listing.records, rows, strict=True)]


def estimate_power(study: Study, settings: Settings, images: Sequence[PlannedImage]) -> PowerAnalysis | None:
    """Return the power analysis of a study on these images; None if none is for testing, or no arm is compared."""
    comparisons = study.count_comparisons()
    test = [image for image in images if image.row.split == "test"]
    if not (test and comparisons):
        return None
    patients = [image.row.patient if image.is_patient_known else "" for image in test]
    question = next(command for command in study.commands if isinstance(command, Evaluate))
    return power.analyze_power(
        patients,
        [image.row.study for image in test],
        [int(image.row.label == "abnormal") for image in test],
        metric=question.metric.replace("-", "_"),
        margin=question.margin,
        seeds=settings.seeds,
        comparisons=comparisons,
    )
