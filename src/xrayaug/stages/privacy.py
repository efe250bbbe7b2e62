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

from functools import partial
from pathlib import Path

import numpy as np
import torch

from xrayaug.data import generators
from xrayaug.data.images.disturbances import DISTURBANCES
from xrayaug.data.images.stack import resize_bicubic
from xrayaug.metrics import extraction, features, memorization, privacy_sets, privacy_verdict
from xrayaug.metrics.privacy import Attacks, Patients, PlantedCopies, Space
from xrayaug.metrics.privacy_sets import HELD_OUT, MEMBERS, SYNTHETIC, AuditedSets
from xrayaug.metrics.privacy_verdict import DISCRIMINATOR, RULE
from xrayaug.options import Privacy
from xrayaug.runtime import console
from xrayaug.runtime.console import Table
from xrayaug.sampling import scoring
from xrayaug.sampling.sampler import DISCRIMINATOR_FILE, TrainedGan
from xrayaug.stats import membership, paired_tests, two_sample
from xrayaug.stats.array_types import FeatureArray, FloatArray
from xrayaug.stats.membership import MembershipResult
from xrayaug.stats.two_sample import TwoSampleResult
from xrayaug.storage.artifacts import Result

MAX_COMPARED = 2000  # images of either kind in the comparison without synthetic images
NOT_PLANTED = "no copies were planted, as the attacks find something without them"


def run(options: Privacy) -> Result:
    """Attack the synthetic images, and measure what the attacks would have found."""
    return extraction.run(
        options, "privacy", partial(_audit, options), lambda: privacy_sets.open_sets(options).image_sets()
    )


def plan(options: Privacy) -> Result:
    """Return what would be compared."""
    features.check_features_options(options.features, int(options.dims))
    return privacy_sets.open_sets(options).count() | {"features": options.features}


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
        (each["disturbance"], f"{100 * each['share']:.0f} %", f"{each['copies']:,}", f"{100 * each['found']:.0f} %")
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
    shares = (f"{100 * found[key]:.1f} %" for key in ("share", "expected", "high"))
    return name, *shares, _format_p(corrected[f"{name} links"])


def _format_p(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _audit(options: Privacy, device: torch.device, directory: Path) -> Result:
    sets = privacy_sets.open_sets(options)
    network = extraction.load_extractor(options, device)
    patients = sets.patients()
    planted = sets.planted_patients(patients)
    extracted = extraction.extract_sets(network, sets.image_sets(), directory, options, reference=MEMBERS)
    spaces = {"pixels": _compare_pixels(sets, patients), "features": _compare_features(extracted, patients)}
    attacks = Attacks(patients, spaces, options.seed)
    by_space = attacks.run()
    by_discriminator = _ask_discriminator(sets, patients, options.batch_size, device)
    without = _compare_without_synthetic(sets, extracted, options.seed)
    corrected = paired_tests.holm(privacy_verdict.list_p_values(by_space, by_discriminator))
    duplicates = {
        MEMBERS: max(each.duplicates for each in by_space.values()),
        HELD_OUT: max(each.held_out_duplicates for each in by_space.values()),
    }
    is_found = any(duplicates.values()) or min(corrected.values()) <= options.level
    sensitivity = [] if is_found else attacks.measure_sensitivity(options.level)
    verdict, reason = privacy_verdict.conclude(
        corrected,
        options.level,
        duplicates=duplicates,
        without=without,
        sensitivity=sensitivity,
        doubt=generators.find_doubt(sets.synthetic.artifact, options.real),
    )
    asked = {DISCRIMINATOR: by_discriminator} if by_discriminator else {}
    return {
        **sets.count(),
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
            kind: {name: float(np.mean(space.planted[kind].nearest == planted)) for name, space in spaces.items()}
            for kind in DISTURBANCES
        },
        "sensitivity": [each.to_dict() for each in sensitivity],
        "features": network.origin["features"],
        "network": network.origin["network_name"],
        "warnings": generators.warn_of_other_training_data(sets.synthetic.artifact, options.real),
    }


def _describe(found: MembershipResult, members: int) -> Result:
    return {**found.to_dict(), "expected": found.exposed_rate * members}


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


def _ask_discriminator(
    sets: AuditedSets, patients: Patients, batch_size: int, device: torch.device
) -> MembershipResult | None:
    """Return how well the run's discriminator tells training patients; None if there is no run with its weights."""
    run = generators.find_run(sets.synthetic.artifact)
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
    random = np.random.default_rng([seed, privacy_sets.SAMPLE_STREAM])
    sides = []
    for name, rows in ((MEMBERS, sets.members), (HELD_OUT, sets.held_out)):
        places = np.sort(random.permutation(len(rows))[:MAX_COMPARED])
        sides.append((extracted[name][places], [privacy_sets.name_patient(rows[place]) for place in places.tolist()]))
    (members, member_patients), (held_out, other_patients) = sides
    return two_sample.c2st(members, held_out, member_patients, seed, other_patients)
