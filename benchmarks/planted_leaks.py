"""Are leaks and copies found as often as `evaluate --planted` says? Simulated studies in which they are really there.

    python benchmarks/planted_leaks.py [--data DATASET] [--studies 200] [--seed 0] [--save planted_leaks.json]

Each study divides the patients of a dataset of real images at random into training patients, test patients, and those
whose images take the place of synthetic ones. Without a dataset, phantoms are drawn and prepared.

- **Said**: the study as it is, without a leak or a copy, is given to `plant_images`, which says for each form and
  amount how often a leak or a copy would be found.
- **Found**: in the same study one leak or one set of copies of each form and amount is made for good, with patients and
  images that are drawn anew. Training and test datasets are written and compared, all images are searched for near
  duplicates as `prepare` does, and all synthetic images are screened as `copies` does.

Both are means over the studies, and should agree. The rows of amount 0 are the studies as they are.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xrayaug.data import dataset, near_duplicates
from xrayaug.data.dataset import Row, open_dataset
from xrayaug.data.images import arrays, similarity
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.stack import Stack
from xrayaug.evaluation import checks
from xrayaug.evaluation.gather import facts
from xrayaug.evaluation.gather.facts import TestedImages
from xrayaug.evaluation.planted import leaks, pictures
from xrayaug.evaluation.planted.copies import ComparisonAudit, ScreeningAudit, TrainingCopies
from xrayaug.evaluation.planted.images import plant_images
from xrayaug.evaluation.planted.leaks import LeakAudit, PictureAudit
from xrayaug.evaluation.planted.results import PlantedRate, count_found
from xrayaug.evaluation.results import Check
from xrayaug.evaluation.study_facts import Overlap, TestCopiesFacts
from xrayaug.metrics import memorization
from xrayaug.options import Phantom, Prepare
from xrayaug.stages import phantom, prepare
from xrayaug.stats.array_types import FloatArray, IndexArray
from xrayaug.storage import builder

ALPHA, LEVEL = 0.01, 0.01  # of the screening, the defaults of `copies`
TRUTH = 7  # number of the random stream of the leaks and copies that are made for good
KEY_SIZE = 16  # pixels, of the datasets that are written to compare names and hashes

NAMES, CHANGED, SCREENING, TEST_COPIES = (
    "leak by names and equal pixels", "leak of changed images", "copies of training images", "copies of test images"
)  # fmt: skip
Key = tuple[str, str, float]  # what, form, amount
Said = tuple[float, float]  # the share of plantings that were found, and of the planted that was counted
Found = tuple[bool, float]  # whether it was found, and the share of the planted that was counted


@dataclass(frozen=True)
class Collection:
    """Real images with their patients."""

    rows: Sequence[Row]
    pixels: Pixels  # [N, S, S]
    home: Path  # for datasets that are written

    @property
    def size(self) -> int:
        """Height and width in pixels."""
        return int(self.pixels.shape[1])

    def keep(
        self, places: IndexArray, name: str, change: Callable[[Row, int], Row] = lambda row, _: row
    ) -> TestedImages:
        """Write the index of these images, with small pixels, as a dataset of their own, and open it."""
        rows = [change(self.rows[place], place) for place in places.tolist()]
        rows = [replace(each, image=arrays.IMAGES, row=number) for number, each in enumerate(rows)]
        pixels = np.stack([pictures.fit(self.pixels[place], KEY_SIZE) for place in places])

        def build(directory: Path) -> dict[str, Any]:
            with arrays.writing_images(directory, KEY_SIZE) as writer:
                writer.write(pixels)
            dataset.write_index(directory, rows, split_by="image")
            return {"split_by": "image"}

        builder.build_artifact(Prepare(input=self.home / "raw", out=self.home / name, overwrite=True), "dataset", build)
        data = open_dataset(self.home / name)
        return TestedImages(data, data.rows)


class SimulatedStudy:
    """Patients divided at random: those trained on, those tested, and those whose images stand for synthetic ones."""

    def __init__(self, images: Collection, distances: dict[str, FloatArray], number: int, seed: int) -> None:
        self._images, self._distances = images, distances
        self._random = np.random.default_rng([seed, TRUTH, number])
        patients = np.unique([row.patient for row in images.rows], return_inverse=True)[1]
        part = self._random.permutation(int(patients.max()) + 1) % 3
        self._training, self._tested, self._drawn = (np.flatnonzero(part[patients] == each) for each in range(3))
        self._number, self._patients = number, patients
        self._has_near_duplicates: bool | None = None  # as it is
        self._trained_on = images.keep(self._training, "training")
        self._tested_on = images.keep(self._tested, "tested")

    def audits(self) -> list[LeakAudit | PictureAudit | ScreeningAudit | ComparisonAudit]:
        """Return what leaks and copies are planted in; it has none."""
        trained, tested = (facts.find_keys(each.data, each.rows) for each in (self._trained_on, self._tested_on))
        training, held_out, drawn = (self._stack(each) for each in (self._training, self._tested, self._drawn))
        near, fresh = (self._nearest("unchanged", each) for each in (self._drawn, self._tested))
        size = self._images.size
        small = pictures.hold(held_out.read(slice(None)))
        return [
            LeakAudit(NAMES, facts.see_training_images([self._trained_on.data]), tested, trained, _check, True),
            PictureAudit(CHANGED, held_out, small, tested.patients, training),
            ScreeningAudit(
                SCREENING,
                near,
                memorization.find_threshold(fresh, ALPHA),
                LEVEL,
                TrainingCopies(size, training, held_out),
            ),
            ComparisonAudit(TEST_COPIES, size, len(drawn), held_out, small, training),
        ]

    def find(self, said: PlantedRate) -> Found:
        """Make one leak or one set of copies of this form and amount for good; return whether it is found, and how far.

        How far is the share of the patients or copies that the check counts; 0 if there are none.
        """
        finders: dict[str, Callable[[str, float], Found]] = {
            NAMES: self._finds_keys,
            CHANGED: self._finds_pictures,
            SCREENING: self._screens,
            TEST_COPIES: self._compares,
        }
        return finders[said.what](said.form or "", said.amount)

    def _finds_keys(self, form: str, share: float) -> Found:
        places = self._draw_patients(share)

        def change(row: Row, place: int) -> Row:
            leaked = replace(row, split="train")
            if place in places and form == leaks.RENAMED:
                return replace(leaked, patient=f"another {place}")
            return replace(leaked, sha256=f"another {place}") if place in places and form == leaks.OTHER else leaked

        leaked = self._images.keep(np.concatenate([self._training, places]), "leaked", change)
        overlap = facts.count_shared(leaked, self._tested_on)
        counted = max(overlap.images / max(1, len(places)), overlap.patients / max(1, len(set(self._patients[places]))))
        return _check(overlap).passed is False, counted

    def _finds_pictures(self, form: str, share: float) -> Found:
        """Search all images for near duplicates, as `prepare` does, and return whether any are in both splits."""
        if not share and self._has_near_duplicates is not None:  # without a leak, every form is the same
            return self._has_near_duplicates, 0.0
        places = self._draw_patients(share)
        planted = [pictures.change(self._images.pixels[place], form, (TRUTH, self._number, place)) for place in places]
        kept = np.concatenate([self._training, self._tested])
        pixels = np.concatenate([self._images.pixels[kept], *(each[None] for each in planted)])
        rows = [replace(self._images.rows[place], file=f"{number}.png") for number, place in enumerate(kept)]
        rows += [replace(rows[0], file=f"{len(rows) + number}.png") for number in range(len(places))]
        options = Prepare(input=self._images.home / "raw", out=self._images.home / "prepared", size=self._images.size)
        groups = near_duplicates.find(rows, pixels, options).groups
        is_tested = np.zeros(len(rows), bool)
        is_tested[len(self._training) : len(kept)] = True
        is_parted = any(len(set(is_tested[group].tolist())) > 1 for group in groups)
        if not share:
            self._has_near_duplicates = is_parted
        parted = {member for group in groups if is_tested[group].any() for member in group}
        told = {self._patients[place] for number, place in enumerate(places) if len(kept) + number in parted}
        return is_parted, len(told) / max(1, len(set(self._patients[places])))

    def _screens(self, form: str, share: float) -> Found:
        """Screen all synthetic images in pixels, a part of which copy training images."""
        number = pictures.count_planted(share, len(self._drawn)) if share else 0
        copied = self._random.choice(self._training, number, replace=number > len(self._training))
        kept = self._random.permutation(self._drawn)[number:]
        near = np.concatenate([self._nearest("unchanged", kept), self._nearest(form, copied)])
        threshold = memorization.find_threshold(self._nearest("unchanged", self._tested), ALPHA)
        is_near = threshold.is_above(near)
        fails = threshold.is_exceeded(int(is_near.sum()), len(near), LEVEL)
        return fails, float(is_near[len(kept) :].mean()) if number else 0.0

    def _compares(self, form: str, share: float) -> Found:
        """Compare all synthetic images with the test images, of which a part of them are copies."""
        number = pictures.count_planted(share, len(self._drawn)) if share else 0
        copied = self._random.choice(self._tested, number, replace=number > len(self._tested))
        kept = self._random.permutation(self._drawn)[number:]
        made = [pictures.change(self._images.pixels[place], form, (TRUTH, self._number, place)) for place in copied]
        synthetic = np.concatenate([self._images.pixels[kept], *(each[None] for each in made)])
        tested = pictures.hold(self._images.pixels[self._tested])
        is_near = similarity.has_near_duplicate(pictures.hold(synthetic), tested)
        known = TestCopiesFacts(["simulated"], len(synthetic), identical=0, near=int(is_near.sum()))
        (check,) = checks.check_test_copies(known)
        return check.passed is False, float(is_near[len(kept) :].mean()) if number else 0.0

    def _draw_patients(self, share: float) -> IndexArray:
        """Return the places of the images of a share of the test patients; none for a share of 0."""
        groups = pictures.group_places(self._patients[self._tested].tolist())
        number = pictures.count_planted(share, len(groups)) if share else 0
        chosen = self._random.permutation(len(groups))[:number]
        places = np.concatenate([np.zeros(0, np.int64), *(groups[each] for each in chosen)])
        return np.asarray(self._tested[places])

    def _nearest(self, form: str, places: IndexArray) -> FloatArray:
        """Return the distance in pixels of each image in this form to the nearest training image."""
        return np.asarray(self._distances[form][np.ix_(places, self._training)].min(axis=1, initial=np.inf))

    def _stack(self, places: IndexArray) -> Stack:
        return pictures.hold(self._images.pixels[places])


def _check(overlap: Overlap) -> Check:
    return checks.check_patients(overlap, patients_known=True)


def measure_distances(images: Collection, seed: int) -> dict[str, FloatArray]:
    """Return the distances of every image in each form to every image as it is, `[N, N]`."""
    side = memorization.IMAGE_SIZE
    real = np.stack([pictures.fit(each, side) for each in images.pixels])
    found = {}
    for form in (pictures.UNCHANGED, *pictures.FORMS):
        changed = [pictures.change(each, form, (seed, TRUTH, place)) for place, each in enumerate(images.pixels)]
        found[form] = memorization.image_distances(np.stack([pictures.fit(each, side) for each in changed]), real)
    return found


def open_images(options: argparse.Namespace, home: Path) -> Collection:
    """Open the dataset, or draw phantoms and prepare them."""
    path = options.data
    if path is None:
        phantom.run(Phantom(layout="mura", count=options.count, seed=options.seed, out=home / "phantoms"))
        path = home / "data"
        prepare.run(Prepare(input=home / "phantoms", size=options.size, out=path))
    data = open_dataset(path)
    rows = data.select(synthetic=False)
    (home / "raw").touch()
    return Collection(rows, data.pixels(rows), home)


def main() -> None:
    """Print how often leaks and copies are found, and how often that is said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a dataset of real images; phantoms if it is not given")
    parser.add_argument("--count", type=int, default=480, help="phantoms to draw")
    parser.add_argument("--size", type=int, default=64, help="of the phantoms, in pixels")
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    started = time.perf_counter()
    said: defaultdict[Key, list[Said]] = defaultdict(list)
    found: defaultdict[Key, list[Found]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as home:
        images = open_images(options, Path(home))
        distances = measure_distances(images, options.seed)
        for number in range(options.studies):
            study = SimulatedStudy(images, distances, number, options.seed)
            for rate in plant_images(study.audits(), number):
                if not isinstance(rate, PlantedRate):
                    raise SystemExit(f"study {number}: {rate.what}: {rate.reason}")
                key = rate.what, rate.form or "", rate.amount
                said[key].append((rate.share, rate.counted or 0.0))
                found[key].append(study.find(rate))
    print_table(said, found)
    patients = len({row.patient for row in images.rows})
    print(f"\n{len(images.rows)} images of {patients} patients, {options.studies} studies, ", end="")
    print(f"{time.perf_counter() - started:.0f} s")
    if options.save:
        figures = [{"key": key, "said": said[key], "found": found[key]} for key in said]
        options.save.write_text(json.dumps(figures) + "\n", encoding="utf-8")


def print_table(said: dict[Key, list[Said]], found: dict[Key, list[Found]]) -> None:
    """Print a Markdown table: the mean of what is said, and in which share of the studies it is found, with 95 %."""
    print("| what | form | amount | said | found | 95 % interval | counted, said | counted |\n" + "|---" * 8 + "|")
    for key, shares in said.items():
        what, form, amount = key
        truth = count_found("leak", amount, what, sum(is_found for is_found, _ in found[key]), len(found[key]))
        told, told_counted = np.mean(shares, axis=0)
        numbers = f"{told:.1%} | {truth.share:.1%} | {truth.low:.1%} to {truth.high:.1%}"
        counted = float(np.mean([each for _, each in found[key]]))
        print(f"| {what} | {form} | {amount:.0%} | {numbers} | {told_counted:.1%} | {counted:.1%} |")


if __name__ == "__main__":
    main()
