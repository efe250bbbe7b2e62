"""Checks of what makes a comparison fair: no leakage, equal training, and a generator that never saw the test images.

Pure functions from facts, which `gather.facts` collects, to checks. A check that fails and is critical forbids any
verdict: a generator that learnt from the test images passes them on to the arms it feeds, and to no other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xrayaug.evaluation.results import Audit, Check
from xrayaug.evaluation.verdict import MIN_PRIOR_SHIFT
from xrayaug.stats import two_sample

MIN_SEEDS = 3  # of an arm, for a spread to mean something
MAX_STEP_RATIO = 1.05  # of optimiser steps between arms of equal budget
DURATION_OPTIONS = ("epochs", "budget")  # checked as the budget, not as the recipe


@dataclass(frozen=True)
class Overlap:
    """Images and patients that two sets have in common."""

    images: int
    patients: int


@dataclass(frozen=True)
class GeneratorFacts:
    """Facts about the data that the arms' generators were trained on."""

    datasets: int  # arms with synthetic images
    errors: Sequence[str]  # one for each arm whose generator's data cannot be opened
    overlaps: Mapping[str, Overlap]  # with the images of a split, `test` and `validation`; empty if nothing is known


@dataclass(frozen=True)
class RealImageDifference:
    """Two arms of the same share of the real images whose real images differ, by `images`."""

    arm: str
    other: str
    images: int


@dataclass(frozen=True)
class ScreeningFacts:
    """Facts about the screening of the synthetic images for copies of training images."""

    datasets: int  # arms with synthetic images
    screened: int  # of these
    kept: int  # synthetic images set aside as copies that an arm could use all the same, at most


@dataclass(frozen=True)
class ArmFacts:
    """The training of an arm."""

    name: str
    share_normal: float
    steps: int
    seeds: Sequence[int]


@dataclass(frozen=True)
class StudyFacts:
    """Facts about the runs of a study that its checks are made from."""

    leaked: Overlap  # test images and patients that are in training or validation too
    patients_known: bool
    synthetic_held_out: int  # synthetic images in validation or test
    test_labels: Sequence[str]  # sorted
    generators: GeneratorFacts
    settings: Sequence[Mapping[str, Any]]  # of each run's training
    real_image_differences: Sequence[RealImageDifference]
    screening: ScreeningFacts
    arms: Sequence[ArmFacts]


def check_study(facts: StudyFacts) -> list[Check]:
    """Return every check of a study."""
    return [
        _check_patients(facts),
        _check_held_out(facts.synthetic_held_out),
        _check_test_classes(facts.test_labels),
        *_check_generators(facts.generators),
        _check_recipe(facts.settings),
        _check_real_images(facts.real_image_differences),
        _check_copies(facts.screening),
        _check_prior(facts.arms),
        _check_budget(facts.arms),
        _check_seeds(facts.arms),
        _check_pairing(facts.arms),
    ]


def check_audits(audits: Sequence[Audit]) -> list[Check]:
    """Return one check over the audits of all arms; none without audits."""
    if not audits:
        return []
    offered = [each.apart.offered if each.apart else None for each in audits]
    passed = False if True in offered else None if None in offered else True
    described = "; ".join(_describe_audit(each) for each in audits)
    meaning = (
        f": above {two_sample.SHORTCUT_AUROC:g} a network could learn what is synthetic instead of what is abnormal, "
        "which is a warning and no proof that it did"
        if True in offered
        else ""
    )
    sentence = f"real against synthetic training images of one label, by features: {described}{meaning}"
    return [Check("shortcut", passed, sentence)]


def find_critical_failure(checks: Sequence[Check]) -> Check | None:
    """Return the first critical check that fails; None if there is none."""
    return next((check for check in checks if check.critical and check.passed is False), None)


def _check_patients(facts: StudyFacts) -> Check:
    """Check that no patient and no picture of the test set is in training or validation."""
    images, patients = facts.leaked.images, facts.leaked.patients
    if images or patients:
        sentence = f"{patients} test patients and {images} test images are in training or validation too"
        return Check("patients", False, sentence, critical=True)
    if not facts.patients_known:
        sentence = "the dataset does not say which images are of one patient: each counts as one of its own"
        return Check("patients", None, sentence)
    return Check("patients", True, "no test patient or test image is in training or validation")


def _check_held_out(synthetic: int) -> Check:
    sentence = (
        f"{synthetic} synthetic images are in validation or test" if synthetic else "validation and test are real"
    )
    return Check("synthetic in test", not synthetic, sentence, critical=True)


def _check_test_classes(labels: Sequence[str]) -> Check:
    """Check that both classes are tested: with one alone, a constant answer would be right."""
    if len(labels) == 1:
        sentence = f"all test images are {labels[0]}: whether the classes are told apart is not tested"
        return Check("test classes", False, sentence, critical=True)
    return Check("test classes", True, "test images are of both classes", critical=True)


def _check_generators(facts: GeneratorFacts) -> list[Check]:
    """Check that no generator learnt from images or patients of the test or validation split."""
    checks = []
    if facts.errors:
        sentence = f"what the generator learnt from cannot be told: {facts.errors[0]}"
        checks.append(Check("generator", None, sentence))
    for split, overlap in facts.overlaps.items():
        images, patients = overlap.images, overlap.patients
        known = "the generator" if not facts.errors else "as far as it can be told, the generator"
        leaking = f"the generator learnt from {images} {split} images and {patients} {split} patients"
        clean = f"{known} learnt from no {split} image or {split} patient"
        is_clean = not (images or patients)
        sentence = clean if is_clean else leaking
        checks.append(Check(f"generator, {split}", is_clean, sentence, critical=split == "test"))
    return checks


def _check_recipe(settings: Sequence[Mapping[str, Any]]) -> Check:
    """Check that all runs have the same settings but for their duration; an option that a run lacks is left open."""
    names = dict.fromkeys(name for each in settings for name in each if name not in DURATION_OPTIONS)
    values = {name: list(dict.fromkeys(str(each[name]) for each in settings if name in each)) for name in names}
    differing = "; ".join(f"{name} is {' and '.join(each)}" for name, each in values.items() if len(each) > 1)
    same = "every run was trained by the same settings"
    sentence = f"runs were trained differently: {differing}" if differing else same
    return Check("recipe", not differing, sentence, critical=True)


def _check_real_images(differences: Sequence[RealImageDifference]) -> Check:
    """Check that arms with the same share of the real images have the same ones in training and validation."""
    if not differences:
        return Check("real images", True, "arms have the same real images, for training and for validation", True)
    pairs = [f"{each.arm} and {each.other} ({each.images:,} images are in one alone)" for each in differences]
    sentence = "training and validation have other real images in arms " + "; ".join(pairs)
    return Check("real images", False, sentence, critical=True)


def _check_copies(facts: ScreeningFacts) -> Check:
    if not facts.datasets:
        return Check("copies", True, "no synthetic images, no copies")
    if facts.kept:
        sentence = f"{facts.kept} synthetic images that screening set aside as copies were kept (augment --keep-copies)"
        return Check("copies", False, sentence)
    if facts.screened == facts.datasets:
        return Check("copies", True, "synthetic images were screened for copies of training images")
    return Check("copies", None, "not screened for copies")


def _check_prior(arms: Sequence[ArmFacts]) -> Check:
    shares = {arm.name: arm.share_normal for arm in arms}
    has_moved = max(shares.values()) - min(shares.values()) >= MIN_PRIOR_SHIFT
    listed = ", ".join(f"{name}: {share:.1%}" for name, share in shares.items())
    return Check("label shift", not has_moved, f"normal training images, by arm: {listed}")


def _check_budget(arms: Sequence[ArmFacts]) -> Check:
    steps = {arm.name: arm.steps for arm in arms}
    is_unequal = max(steps.values()) > MAX_STEP_RATIO * min(steps.values())
    listed = ", ".join(f"{name}: {number:,}" for name, number in steps.items())
    return Check("budget", not is_unequal, f"optimiser steps, by arm: {listed}")


def _check_seeds(arms: Sequence[ArmFacts]) -> Check:
    fewest = min(len(arm.seeds) for arm in arms)
    return Check("seeds", fewest >= MIN_SEEDS, f"at least {fewest} in every arm; {MIN_SEEDS} or more are needed")


def _check_pairing(arms: Sequence[ArmFacts]) -> Check:
    is_paired = len({tuple(arm.seeds) for arm in arms}) == 1
    unpaired = "arms have different seeds: only common ones compare"
    return Check("pairing", is_paired, "every arm has the same seeds" if is_paired else unpaired)


def _describe_audit(audit: Audit) -> str:
    if audit.apart is None:
        return f"{audit.arm}: fewer than {two_sample.MIN_GROUPS} images or patients of either kind"
    one_label = f", all synthetic ones {audit.labels[0]}" if len(audit.labels) == 1 else ""
    return (
        f"{audit.arm}: AUROC {audit.apart.auroc:.2f} ({audit.apart.low:.2f} to {audit.apart.high:.2f}; "
        f"{audit.apart.real} and {audit.apart.synthetic} images, {audit.dims} features of the arm's classifier"
        f"{one_label})"
    )
