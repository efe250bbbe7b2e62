"""The sets of images that the `privacy` command compares: synthetic, training and held-out ones, and planted copies."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from xrayaug.data import generators, image_sets
from xrayaug.data.dataset import Dataset, Row, open_dataset
from xrayaug.data.image_sets import ImageSet
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.disturbances import DISTURBANCES, disturb
from xrayaug.errors import DataError
from xrayaug.metrics.privacy import Patients
from xrayaug.options import Privacy
from xrayaug.stats.array_types import IndexArray
from xrayaug.storage.artifacts import Result

MIN_PATIENTS = 20  # of either kind
MAX_PLANTED = 200  # training images that are disturbed and planted, of as many patients as possible
SAMPLE_STREAM, DISTURBANCE_STREAM = 10, 11  # numbers of random streams
SYNTHETIC, MEMBERS, HELD_OUT = "synthetic", "training", "held-out"


@dataclass(frozen=True)
class AuditedSets:
    """The images that are compared."""

    synthetic: Dataset
    real: Dataset
    judged: list[Row]  # synthetic images
    members: list[Row]  # real images that the generator was trained on
    held_out: list[Row]  # real images of other patients
    planted: list[Row]  # training images whose copies are planted
    seed: int

    def image_sets(self) -> dict[str, ImageSet]:
        """Return all sets of images by name, those of planted copies by the name of their disturbance."""
        sets = {SYNTHETIC: (self.synthetic, self.judged), MEMBERS: (self.real, self.members)}
        sets[HELD_OUT] = self.real, self.held_out
        originals = image_sets.from_rows(self.real, self.planted)

        def read(kind: str, place: int) -> Pixels:
            seed = (self.seed, DISTURBANCE_STREAM, place)
            return disturb(originals.read(place), DISTURBANCES[kind], seed)

        planted = {
            kind: ImageSet(self.real.path, "dataset", len(self.planted), partial(read, kind)) for kind in DISTURBANCES
        }
        return {name: image_sets.from_rows(data, rows) for name, (data, rows) in sets.items()} | planted

    def patients(self) -> Patients:
        """Return the patients of the training images, followed by those of the held-out ones."""
        numbers: dict[str, int] = {}
        found = [numbers.setdefault(name_patient(row), len(numbers)) for row in (*self.members, *self.held_out)]
        return Patients(np.array(found, np.int64), len({name_patient(row) for row in self.members}))

    def planted_patients(self, patients: Patients) -> IndexArray:
        """Return the number of the patient of each planted copy, `[K]`."""
        numbers = {name_patient(row): int(number) for row, number in zip(self.members, patients.numbers, strict=False)}
        return np.array([numbers[name_patient(row)] for row in self.planted], np.int64)

    def count(self) -> Result:
        """Return the numbers of images and patients, as they are in the result."""
        patients = self.patients()
        return {
            "images": {
                "synthetic_images": len(self.judged),
                "training_images": len(self.members),
                "training_patients": patients.members,
                "held_out_images": len(self.held_out),
                "held_out_patients": len(patients.is_member) - patients.members,
            }
        }


def open_sets(options: Privacy) -> AuditedSets:
    """Open the synthetic images, those that the generator was trained on, and held-out ones with the same labels.

    Raises:
        DataError: there are no synthetic images, or too few patients of a kind.
    """
    synthetic, real = (open_dataset(path, options.local_cache) for path in (options.synthetic, options.real))
    judged = synthetic.select(synthetic=True)
    if not judged:
        raise DataError(
            f"{options.synthetic} holds no synthetic images", "give one of xrayaug sample or prepare --synthetic"
        )
    gan = generators.find_run(synthetic.artifact)
    members = real.select(split="train", synthetic=False, label=gan.options.get("only_label") if gan else None)
    labels = {row.label for row in members}
    trained_on = {name_patient(row) for row in members}
    held_out = [
        row
        for row in real.rows
        if row.split != "train" and row.label in labels and not row.synthetic and name_patient(row) not in trained_on
    ]
    for rows, kind in ((members, "training"), (held_out, "validation and test")):
        patients = len({name_patient(row) for row in rows})
        if patients < MIN_PATIENTS:
            raise DataError(
                f"{options.real} has {kind} images of {patients} patients with these labels; {MIN_PATIENTS} are needed",
                "prepare it with a larger share for testing: prepare --test",
            )
    return AuditedSets(synthetic, real, judged, members, held_out, _draw_planted(members, options.seed), options.seed)


def name_patient(row: Row) -> str:
    """Return the name of an image's patient, which is its own if the patient is unknown."""
    return row.patient or f"\0{row.image} {row.row}"


def _draw_planted(members: Sequence[Row], seed: int) -> list[Row]:
    """Draw training images, one of each patient."""
    order = np.random.default_rng([seed, SAMPLE_STREAM]).permutation(len(members))
    by_patient: dict[str, Row] = {}
    for place in order.tolist():
        by_patient.setdefault(name_patient(members[place]), members[place])
    return list(by_patient.values())[:MAX_PLANTED]
