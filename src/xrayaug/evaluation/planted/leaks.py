"""How often would a leak of test patients into training have been found? They are planted in copies of the audits.

In a form, a share of the test patients is put among the training images that the checks read, `PLANTINGS` times, with
other patients each time. What is reported is what the study's own checks say. Where no test patient is planted, as many
patients who are not tested take their place, and what is found is a false alarm.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from xrayaug.data.images import similarity
from xrayaug.data.images.stack import Stack
from xrayaug.evaluation.checks import describe_unknown_patients
from xrayaug.evaluation.planted import pictures
from xrayaug.evaluation.planted.results import PlantedRate, Unknown
from xrayaug.evaluation.results import Check
from xrayaug.evaluation.seen_images import ImageKeys, PatientKey, SeenImages
from xrayaug.evaluation.study_facts import Overlap
from xrayaug.stats.array_types import IndexArray

SHARES = (0.01, 0.05, 0.2)  # of the test patients
FALSE_ALARM_SHARE = SHARES[-1]  # patients who are not tested and planted instead, of the number of test patients
SAME, RENAMED, OTHER = "the same images", "the same images under other names", "other images of the patients"
STREAM = 2  # number of the random stream of the plantings


@dataclass(frozen=True)
class LeakAudit:
    """What a check of leaks reads: the images that networks have seen, and those that they are tested on."""

    what: str  # that a leak is planted in, such as `training images`
    seen: SeenImages
    tested: ImageKeys
    untested: ImageKeys  # of the study, in training or validation
    check: Callable[[Overlap], Check]
    patients_known: bool
    note: str | None = None  # on what was found


@dataclass(frozen=True)
class PictureAudit:
    """What the comparison of all pictures of a dataset reads, by which `prepare` finds changed copies."""

    what: str
    tested: Stack  # full size
    compared: Stack  # the same, as small as they are compared
    patients: Sequence[PatientKey | None]  # of the tested images
    untested: Stack
    note: str | None = None  # on what was found


def plant_leaks(audit: LeakAudit, seed: int) -> list[PlantedRate | Unknown]:
    """Return how often each share of the test patients was found in training, by names and by equal pixels."""
    found: list[PlantedRate | Unknown] = []
    overlap = audit.seen.overlap(audit.tested)
    if audit.check(overlap).passed is False:
        reason = "a leak is reported without one that is planted, so a planted one cannot be told from it"
        return [Unknown("leak", audit.what, reason)]
    tested, untested = (pictures.group_places(each.patients) for each in (audit.tested, audit.untested))
    for at, form in enumerate((SAME, RENAMED, OTHER)):
        unnamed = _describe_unnamed(audit, overlap) if form == OTHER else ""
        if unnamed:
            reason = f"{form}, planted in training, would not have been seen: {unnamed}"
            found.append(Unknown("leak", audit.what, reason))
            continue
        for share in (0.0, *SHARES) if untested else SHARES:
            random = np.random.default_rng([seed, STREAM, at, round(1000 * share)])
            source, patients = (audit.tested, tested) if share else (audit.untested, untested)
            outcomes = [
                _check_planted(audit, _rename(source, patients, chosen, form, audit.untested), len(chosen))
                for chosen in pictures.draw_plantings(len(patients), share or FALSE_ALARM_SHARE, len(tested), random)
            ]
            found.append(pictures.count_outcomes("leak", share, audit.what, form, outcomes, note=audit.note))
    return found


def plant_changed(audit: PictureAudit, seed: int) -> list[PlantedRate]:
    """Return how often each share of the test patients was found in training by pictures that have been changed."""
    size = audit.compared.shape[1]
    random = np.random.default_rng([seed, STREAM])
    all_patients = pictures.group_places(audit.patients)
    patients = pictures.choose_patients(all_patients, random)
    starts = np.cumsum([0, *map(len, patients)])[:-1]
    tested, untested = np.concatenate(patients), pictures.choose_pool(len(audit.untested), random)
    found = []
    for at, form in enumerate(pictures.FORMS):
        is_found, is_alarm = (
            similarity.has_near_duplicate(
                pictures.hold(pictures.change_all(stack, places, form, size, seed)), audit.compared
            )
            for stack, places in ((audit.tested, tested), (audit.untested, untested))
        )
        by_patient = np.logical_or.reduceat(is_found, starts)
        for share in (0.0, *SHARES) if len(untested) else SHARES:
            flags = by_patient if share else is_alarm
            random = np.random.default_rng([seed, STREAM, at + 3, round(1000 * share)])
            number = len(all_patients)
            outcomes = [
                (bool(flags[chosen].any()), float(flags[chosen].mean()))
                for chosen in pictures.draw_plantings(len(flags), share or FALSE_ALARM_SHARE, number, random)
            ]
            found.append(pictures.count_outcomes("leak", share, audit.what, form, outcomes, note=audit.note))
    return found


def _check_planted(audit: LeakAudit, planted: ImageKeys, patients: int) -> tuple[bool, float]:
    """Return whether a check reports planted images of so many patients, and which share of either it counts."""
    overlap = audit.seen.with_images(planted).overlap(audit.tested)
    counted = max(overlap.images / len(planted.pictures), overlap.patients / patients)
    return audit.check(overlap).passed is False, counted


def _describe_unnamed(audit: LeakAudit, overlap: Overlap) -> str:
    """Return why patients cannot be found by their names; empty if they can."""
    if not audit.patients_known:
        return "the dataset does not name patients"
    return describe_unknown_patients(overlap)


def _rename(
    source: ImageKeys, patients: Sequence[IndexArray], chosen: IndexArray, form: str, among: ImageKeys
) -> ImageKeys:
    """Return what the images of chosen patients are known by in this form, among others in whose set they then are.

    Names that mean nothing outside the raw set that they come from, and pseudonyms of another salt, are not kept.
    """
    has_names = source.fingerprint == among.fingerprint
    places = [place for number in chosen for place in patients[number].tolist()]
    renamed: list[PatientKey | None] = [("planted", "", str(place)) for place in places]
    if form != RENAMED:
        for number, place in enumerate(places):
            key = source.patients[place]
            if key and has_names and (not key[1] or source.origin == among.origin):
                renamed[number] = key
    equal = [f"planted {place}" if form == OTHER else source.pictures[place] for place in places]
    return replace(among, pictures=equal, patients=renamed, is_blank=lambda _: False)
