"""The `privacy` stage: attacks that ask whether synthetic images tell which patients a generator was trained on.

`metrics/privacy.py` has the attacks on the images, `stats/membership.py` their tests. Where the generator's run is at
hand, its discriminator is asked too, as by someone who has the whole run (Hayes et al. 2019, LOGAN, arXiv:1705.07663).
All p-values are corrected together (Holm); the set fails if one is significant, or if a real image is in it. An attack
that uses no synthetic image shows whether training and held-out patients differ by themselves: if they do, nothing can
be said (Das, Zhang, Tramèr 2024, arXiv:2406.16201). Nor can it where the generator is not known to have been trained on
the real dataset, because then nobody knows whom the attacks have to find.

It is a screening: a set that passes may still tell something to a better attack, and no guarantee such as differential
privacy follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from xrayaug.data import generators, image_sets
from xrayaug.data.dataset import Dataset, Row, open_dataset
from xrayaug.data.image_sets import ImageSet
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.disturbances import DISTURBANCES, disturb
from xrayaug.data.images.stack import resize_bicubic
from xrayaug.errors import ArtifactError, DataError
from xrayaug.metrics import extraction, features, memorization
from xrayaug.metrics.features import FeatureExtractor
from xrayaug.metrics.privacy import Attacks, Patients, PlantedCopies, Sensitivity, Space, SpaceResult
from xrayaug.options import Privacy
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.leader_worker import Work
from xrayaug.sampling import scoring
from xrayaug.sampling.sampler import DISCRIMINATOR_FILE, TrainedGan
from xrayaug.stats import membership, paired_tests, two_sample
from xrayaug.stats.array_types import FeatureArray, FloatArray, IndexArray
from xrayaug.stats.membership import MembershipResult
from xrayaug.stats.power import POWER
from xrayaug.stats.two_sample import TwoSampleResult
from xrayaug.storage import artifacts, builder
from xrayaug.storage.artifacts import Artifact, Result

MIN_PATIENTS = 20  # of either kind
MAX_PLANTED = 200  # training images that are disturbed and planted, of as many patients as possible
MAX_COMPARED = 2000  # images of either kind in the comparison without synthetic images
SAMPLE_STREAM, DISTURBANCE_STREAM = 10, 11  # numbers of random streams
SYNTHETIC, MEMBERS, HELD_OUT = "synthetic", "training", "held-out"
DISCRIMINATOR = "discriminator"
FAIL, PASS, UNCLEAR = "fail", "pass", "cannot tell"
RULE = (
    "it fails if an image of a real patient is among the synthetic ones, or a test is significant after Holm's "
    "correction over all. A screening, no proof: a better attack may find more"
)
NOT_PLANTED = "no copies were planted, as the attacks find something without them"


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
        found = [numbers.setdefault(_patient(row), len(numbers)) for row in (*self.members, *self.held_out)]
        return Patients(np.array(found, np.int64), len({_patient(row) for row in self.members}))


def run(options: Privacy) -> Result:
    """Attack the synthetic images, and measure what the attacks would have found."""
    features.check_features_options(options.features, int(options.dims))
    device = devices.resolve(options.device, deterministic=options.deterministic)
    audit, device_name = partial(_audit, options, device), devices.describe_one(device)
    lead = partial(builder.build_artifact, options, "privacy", audit, device_name=device_name)
    with devices.translate_device_errors(options.batch_size, deterministic=options.deterministic):
        return leader_worker.run(lead, partial(_works, options, device), device)


def plan(options: Privacy) -> Result:
    """Return what would be compared."""
    features.check_features_options(options.features, int(options.dims))
    return _count(_open_sets(options)) | {"features": options.features}


def tables(result: Result) -> list[Table]:
    """Return the tables of the attacks and of their sensitivity, or of the plan."""
    names = {name: name.replace("held_out", "held-out").replace("_", " ") for name in result["images"]}
    counts = [(names[name], f"{value:,}") for name, value in result["images"].items()]
    if "verdict" not in result:
        return [Table("Would examine", ("", "value"), [*counts, ("features", result["features"])])]
    notes = [f"{result['verdict']}: {result['reason']}", RULE, *(f"warning: {line}" for line in result["warnings"])]
    if not result["sensitivity"]:
        notes.insert(0, NOT_PLANTED)
    sensitivity = [
        (each["disturbance"], f"{each['share']:.0%}", f"{each['copies']:,}", f"{each['found']:.0%}")
        for each in result["sensitivity"]
    ]
    return [
        Table("Compared images", ("", "value"), counts),
        Table(
            "Are training patients told from held-out ones?",
            ("attack by", "AUROC (95 %)", "p corrected", "exposed patients", "expected", "p corrected"),
            [_membership_row(name, each, result["p_corrected"]) for name, each in result["membership"].items()],
        ),
        Table(
            "Are synthetic images linked to training patients?",
            ("nearest in", "linked", "expected", "by chance at most (95 %)", "p corrected"),
            [_link_row(name, each, result["p_corrected"]) for name, each in result["links"].items()],
        ),
        Table(
            "What would have been found: copies planted among the synthetic images",
            ("copies of training images", "of the synthetic images", "images", "found"),
            sensitivity,
            notes,
        ),
    ]


def _membership_row(name: str, found: Result, corrected: Result) -> tuple[str, ...]:
    return (
        name,
        f"{found['auroc']:.3f} ({found['low']:.3f} to {found['high']:.3f})",
        _format_p(corrected[f"{name} auroc"]),
        f"{found['exposed']:,}",
        f"{found['expected']:.1f}",
        _format_p(corrected[f"{name} exposed"]),
    )


def _link_row(name: str, found: Result, corrected: Result) -> tuple[str, ...]:
    shares = (f"{found[key]:.1%}" for key in ("share", "expected", "high"))
    return name, *shares, _format_p(corrected[f"{name} links"])


def _format_p(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _open_sets(options: Privacy) -> AuditedSets:
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
    gan = _find_run(synthetic.artifact)
    members = real.select(split="train", synthetic=False, label=gan.options.get("only_label") if gan else None)
    labels = {row.label for row in members}
    trained_on = {_patient(row) for row in members}
    held_out = [
        row
        for row in real.rows
        if row.split != "train" and row.label in labels and not row.synthetic and _patient(row) not in trained_on
    ]
    for rows, kind in ((members, "training"), (held_out, "validation and test")):
        patients = len({_patient(row) for row in rows})
        if patients < MIN_PATIENTS:
            raise DataError(
                f"{options.real} has {kind} images of {patients} patients with these labels; {MIN_PATIENTS} are needed",
                "prepare it with a larger share for testing: prepare --test",
            )
    return AuditedSets(synthetic, real, judged, members, held_out, _draw_planted(members, options.seed), options.seed)


def _find_run(synthetic: Artifact) -> Artifact | None:
    """Return the GAN run of a synthetic dataset; None if it is not there, or has changed, or there was none here."""
    try:
        return synthetic.open_input("run", "gan-run")
    except (ArtifactError, KeyError):
        return None


def _draw_planted(members: Sequence[Row], seed: int) -> list[Row]:
    """Draw training images, one of each patient."""
    order = np.random.default_rng([seed, SAMPLE_STREAM]).permutation(len(members))
    by_patient: dict[str, Row] = {}
    for place in order.tolist():
        by_patient.setdefault(_patient(members[place]), members[place])
    return list(by_patient.values())[:MAX_PLANTED]


def _patient(row: Row) -> str:
    """Return the name of an image's patient, which is its own if the patient is unknown."""
    return row.patient or f"\0{row.image} {row.row}"


def _load_extractor(options: Privacy, device: torch.device) -> FeatureExtractor:
    return features.load_extractor(
        options.features, device, dims=int(options.dims), weights=options.weights, seed=options.seed
    )


def _works(options: Privacy, device: torch.device) -> dict[str, Work]:
    """Return the work that other processes can share: the features of each set of images."""
    load = cache(partial(_load_extractor, options, device))
    return extraction.works(load, _open_sets(options).image_sets(), options.batch_size)


def _audit(options: Privacy, device: torch.device, directory: Path) -> Result:
    sets = _open_sets(options)
    network = _load_extractor(options, device)
    patients = sets.patients()
    extracted = extraction.extract_sets(
        network,
        sets.image_sets(),
        directory,
        batch_size=options.batch_size,
        checkpoint_every=options.checkpoint_every,
        reference=MEMBERS,
    )
    spaces = {"pixels": _compare_pixels(sets, patients), "features": _compare_features(extracted, patients)}
    attacks = Attacks(patients, spaces, options.seed)
    by_space = attacks.run()
    by_discriminator = _ask_discriminator(sets, patients, options.batch_size, device)
    without = _compare_without_synthetic(sets, extracted, options.seed)
    corrected = paired_tests.holm(_p_values(by_space, by_discriminator))
    duplicates = {
        MEMBERS: max(each.duplicates for each in by_space.values()),
        HELD_OUT: max(each.held_out_duplicates for each in by_space.values()),
    }
    is_found = any(duplicates.values()) or min(corrected.values()) <= options.level
    sensitivity = [] if is_found else attacks.measure_sensitivity(options.level)
    verdict, reason = _conclude(options, corrected, duplicates, without, sensitivity)
    warnings = generators.warn_of_other_training_data(sets.synthetic.artifact, options.real)
    doubt = _find_doubt(sets.synthetic.artifact, options.real)
    if verdict == PASS and doubt:
        verdict, reason = UNCLEAR, f"{reason}; but {doubt}"
    asked = {DISCRIMINATOR: by_discriminator} if by_discriminator else {}
    return {
        **_count(sets),
        "verdict": verdict,
        "reason": reason,
        "rule": RULE,
        "membership": {
            name: _describe(each, patients.members)
            for name, each in {**{name: each.membership for name, each in by_space.items()}, **asked}.items()
        },
        "links": {name: each.links.to_dict() for name, each in by_space.items()},
        "duplicates": {name: each.duplicates for name, each in by_space.items()},
        "held_out_duplicates": {name: each.held_out_duplicates for name, each in by_space.items()},
        "p_corrected": corrected,
        "without_synthetic": without and {"auroc": without.auroc, "low": without.low, "high": without.high},
        "recognised": {
            kind: {
                name: float(np.mean(space.planted[kind].nearest == _planted_patients(sets, patients)))
                for name, space in spaces.items()
            }
            for kind in DISTURBANCES
        },
        "sensitivity": [each.to_dict() for each in sensitivity],
        "features": network.origin["features"],
        "network": network.origin["network_name"],
        "warnings": warnings,
    }


def _describe(found: MembershipResult, members: int) -> Result:
    return {**found.to_dict(), "expected": found.exposed_rate * members}


def _count(sets: AuditedSets) -> Result:
    patients = sets.patients()
    return {
        "images": {
            "synthetic_images": len(sets.judged),
            "training_images": len(sets.members),
            "training_patients": patients.members,
            "held_out_images": len(sets.held_out),
            "held_out_patients": len(patients.is_member) - patients.members,
        }
    }


def _compare_pixels(sets: AuditedSets, patients: Patients) -> Space:
    size = memorization.IMAGE_SIZE
    real = np.concatenate([sets.real.pixels(rows, size) for rows in (sets.members, sets.held_out)])
    synthetic = sets.synthetic.pixels(sets.judged, size)
    planted = {}
    with console.progress(2 * memorization.N_VARIANTS, "nearest in pixels", "comparisons") as advance:
        _, distances = memorization.nearest_images(real, synthetic, after_each=lambda: advance(1))
        nearest, _ = memorization.nearest_images(synthetic, real, after_each=lambda: advance(1))
    for kind in DISTURBANCES:
        images = sets.image_sets()[kind]
        pixels = np.stack([resize_bicubic(images.read(place), (size, size)) for place in range(images.count)])
        planted[kind] = _find_planted(memorization.image_distances(real, pixels), patients)
    return Space(distances, patients.numbers[nearest], planted)


def _compare_features(extracted: dict[str, FeatureArray], patients: Patients) -> Space:
    real = np.concatenate([extracted[MEMBERS], extracted[HELD_OUT]])
    _, distances = memorization.nearest_features(real, extracted[SYNTHETIC])
    nearest, _ = memorization.nearest_features(extracted[SYNTHETIC], real)
    planted = {}
    for kind in DISTURBANCES:
        among = memorization.feature_distances(real, extracted[kind], extracted[SYNTHETIC])
        planted[kind] = _find_planted(among, patients)
    return Space(distances, patients.numbers[nearest], planted)


def _find_planted(distances: FloatArray, patients: Patients) -> PlantedCopies:
    return PlantedCopies(distances, patients.numbers[distances.argmin(axis=0)])


def _planted_patients(sets: AuditedSets, patients: Patients) -> IndexArray:
    """Return the number of the patient of each planted copy, `[K]`."""
    numbers = {_patient(row): int(number) for row, number in zip(sets.members, patients.numbers, strict=False)}
    return np.array([numbers[_patient(row)] for row in sets.planted], np.int64)


def _ask_discriminator(
    sets: AuditedSets, patients: Patients, batch_size: int, device: torch.device
) -> MembershipResult | None:
    """Return how well the run's discriminator tells training patients; None if there is no run with its weights."""
    run = _find_run(sets.synthetic.artifact)
    if run is None or DISCRIMINATOR_FILE not in run.manifest["files"]:
        return None
    gan = TrainedGan(run)
    scores = np.concatenate(
        [
            scoring.score_real_images(
                gan, sets.real.stack(rows, gan.shape.size), [row.label for row in rows], batch_size, device
            )
            for rows in (sets.members, sets.held_out)
        ]
    )
    by_patient = membership.max_by_group(scores, patients.numbers)
    return membership.infer_membership(by_patient[: patients.members], by_patient[patients.members :])


def _compare_without_synthetic(
    sets: AuditedSets, extracted: dict[str, FeatureArray], seed: int
) -> TwoSampleResult | None:
    """Return how well training and held-out images are told apart by their features alone."""
    random = np.random.default_rng([seed, SAMPLE_STREAM])
    sides = []
    for name, rows in ((MEMBERS, sets.members), (HELD_OUT, sets.held_out)):
        places = np.sort(random.permutation(len(rows))[:MAX_COMPARED])
        sides.append((extracted[name][places], [_patient(rows[place]) for place in places.tolist()]))
    (members, member_patients), (held_out, other_patients) = sides
    return two_sample.c2st(members, held_out, member_patients, seed, other_patients)


def _p_values(by_space: dict[str, SpaceResult], by_discriminator: MembershipResult | None) -> dict[str, float]:
    p_values: dict[str, float] = {}
    for name, found in by_space.items():
        p_values |= {f"{name} auroc": found.membership.p_auroc, f"{name} exposed": found.membership.p_exposed}
        p_values[f"{name} links"] = found.links.p_value
    if by_discriminator is not None:
        p_values[f"{DISCRIMINATOR} auroc"] = by_discriminator.p_auroc
        p_values[f"{DISCRIMINATOR} exposed"] = by_discriminator.p_exposed
    return p_values


def _conclude(
    options: Privacy,
    corrected: dict[str, float],
    duplicates: dict[str, int],
    without: TwoSampleResult | None,
    sensitivity: Sequence[Sensitivity],
) -> tuple[str, str]:
    """Return the verdict and its reason."""
    among = [f"{number:,} {kind} patient{'' if number == 1 else 's'}" for kind, number in duplicates.items() if number]
    if among:
        saw = " (the generator saw held-out images, or they are in training too)" if duplicates[HELD_OUT] else ""
        return FAIL, f"images of {' and '.join(among)} are among the synthetic ones{saw}"
    significant = [name for name, p_value in corrected.items() if p_value <= options.level]
    if not significant:
        return PASS, f"no attack tells training from held-out patients; {_describe_sensitivity(sensitivity)}"
    by = ", ".join(significant)
    if without is not None and without.low > 0.5:
        return UNCLEAR, (
            f"training patients are told from held-out ones ({by}), but also without the synthetic images (AUROC "
            f"{without.auroc:.2f}, {without.low:.2f} to {without.high:.2f}): the two differ by themselves"
        )
    return FAIL, f"training patients are told from held-out ones: {by}"


def _describe_sensitivity(sensitivity: Sequence[Sensitivity]) -> str:
    """Return in words the smallest share of each kind of copies that is found with the usual power."""
    smallest = {each.disturbance: each for each in reversed(sensitivity) if each.found >= POWER}
    enough = [
        f"{kind} ones if they are {least.share:.0%} of the synthetic images ({least.copies:,})"
        for kind, least in reversed(smallest.items())
    ]
    if not enough:
        return f"no planted copies would have been found with {POWER:.0%} power"
    return f"of copies of training images it would have found, with {POWER:.0%} power, {' and '.join(enough)}"


def _find_doubt(synthetic: Artifact, real: Path) -> str:
    """Return why it is not known that a generator was trained on the real dataset; empty if it is."""
    if generators.is_external(synthetic):
        generator = generators.read_generator(synthetic)
        declared = synthetic.manifest["inputs"].get("learnt_from", {}).get("sha256")
        if generator.learnt_from == generators.DECLARED and declared == artifacts.digest(real):
            return ""
        return f"nobody says that {generator.name}, the generator, was trained on {real}"
    if "run" not in synthetic.manifest["inputs"]:
        return ""
    run = _find_run(synthetic)
    if run is None:
        return f"the run of the generator is gone or has changed, so that it is unknown if it was trained on {real}"
    is_same = run.manifest["inputs"].get("data", {}).get("sha256") == artifacts.digest(real)
    return "" if is_same else f"the generator was trained on another dataset than {real}"
