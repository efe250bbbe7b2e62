"""Checks of a fair comparison: no leakage, equal training, and a generator that was not trained on test images.

Pure functions from facts, which `gather.facts` collects, to checks. If a critical check fails there is no verdict:
a generator that was trained on test images, for example, passes them on to the arms with its images.
"""

from collections.abc import Mapping, Sequence

from xrayaug.data import acquisition
from xrayaug.data.acquisition import ColumnScore
from xrayaug.data.arms import FREE_OPTIONS
from xrayaug.evaluation import generator_design
from xrayaug.evaluation.prior_shift import MIN_PRIOR_SHIFT
from xrayaug.evaluation.results import Audit, Check, SharedImages
from xrayaug.evaluation.study_facts import (
    ArmFacts,
    ArmResolution,
    GeneratorFacts,
    Overlap,
    RealImageDifference,
    ScreeningFacts,
    StudyFacts,
    TestCopiesFacts,
)
from xrayaug.stats import classification, two_sample

UNKNOWN_PATIENTS = (
    "whether patients are in both is unknown, because the sets' pseudonyms have different salts (prepare them in one "
    "command, or with --keep-identifiers)"
)
MIN_SEEDS = 3  # of an arm, to estimate the variation between trainings
MAX_STEP_RATIO = 1.05  # of optimiser steps between arms of equal budget


def check_study(facts: StudyFacts, *, is_sequential: bool = False) -> list[Check]:
    """Return every check of a study; in a sequential one, arms that have ended may have fewer seeds."""
    return [
        check_patients(facts.leaked, patients_known=facts.patients_known),
        _check_held_out(facts.synthetic_held_out),
        _check_test_classes(facts.test_labels),
        *check_generators(facts.generators, patients_known=facts.patients_known),
        *check_test_copies(facts.test_copies),
        *_check_acquisition(facts.acquisition),
        *generator_design.check_designs(facts.arms),
        _check_recipe(facts),
        _check_real_images(facts.real_image_differences, facts.arms),
        _check_copies(facts.screening, facts.generators),
        *_check_resolutions(facts.resolutions),
        _check_prior(facts.arms),
        _check_budget(facts.arms),
        _check_seeds(facts.arms),
        _check_pairing(facts.arms, is_sequential=is_sequential),
    ]


def check_audits(audits: Sequence[Audit]) -> list[Check]:
    """Return one check over the audits of all arms; none without audits."""
    if not audits:
        return []
    applicable = [each for each in audits if each.reason is None]
    shortcuts = [each.two_sample_test.has_shortcut if each.two_sample_test else None for each in applicable]
    passed = False if True in shortcuts else None if None in shortcuts or not shortcuts else True
    described = "; ".join(_describe_audit(each) for each in audits)
    meaning = (
        f". Above {two_sample.SHORTCUT_AUROC:g} a network could learn what is synthetic instead of what is abnormal; "
        "this is a warning, not a proof that it did"
        if True in shortcuts
        else ""
    )
    sentence = f"separability of real and synthetic training images with the same label: {described}{meaning}"
    return [Check("shortcut", passed, sentence)]


def check_temperatures(temperatures: Mapping[str, float]) -> Check:
    """Return the check that validation images determine the temperature of every run, by the name of the run."""
    bounded = [f"{name} ({each:.3g})" for name, each in temperatures.items() if classification.is_at_bound(each)]
    if not bounded:
        lowest, highest = min(temperatures.values()), max(temperatures.values())
        return Check(
            "temperature", True, f"temperatures that calibrate probabilities are {lowest:.3g} to {highest:.3g}"
        )
    sentence = (
        "the temperature is at an end of the range that is searched, so validation images do not determine it and "
        f"probabilities are not calibrated: {', '.join(bounded)}"
    )
    return Check("temperature", False, sentence)


def find_critical_failure(checks: Sequence[Check]) -> Check | None:
    """Return the first critical check that fails; None if there is none."""
    return next((check for check in checks if check.critical and check.passed is False), None)


def describe_same_names(patients: int) -> str:
    """Return the end of a sentence on patients of different raw sets with equal names; empty if there are none."""
    if not patients:
        return ""
    return (
        f" ({patients} of the patients have equal names in different raw sets: if these name patients independently, "
        "they are others, and other names in one of the sets, such as A-7 for 7, tell them apart)"
    )


def describe_unknown_patients(overlap: Overlap | SharedImages) -> str:
    """Return why it is unknown whether two sets have patients in common; empty if it is known."""
    if overlap.is_unknown:
        return UNKNOWN_PATIENTS
    if not overlap.elsewhere:
        return ""
    number = f"{overlap.elsewhere} patient{'s have' if overlap.elsewhere > 1 else ' has'} equal names"
    return (
        f"whether patients are in both is unknown, because {number} in sets that were read in different layouts "
        "(prepare both with one --source)"
    )


def check_patients(leaked: Overlap, *, patients_known: bool) -> Check:
    """Check that no patient and no image of the test set is in training or validation."""
    images, patients = leaked.images, leaked.patients
    if images or patients:
        sentence = (
            f"{patients} test patients and {images} test images are also in training or validation"
            f"{describe_same_names(leaked.same_names)}"
        )
        return Check("patients", False, sentence, critical=True)
    if not patients_known:
        sentence = "the dataset does not name patients, so each image counts as a patient of its own"
        return Check("patients", None, sentence)
    unknown = describe_unknown_patients(leaked)
    if unknown:
        return Check("patients", None, f"no test image is in training or validation; {unknown}")
    return Check("patients", True, "no test patient or test image is in training or validation")


def _check_acquisition(scores: Sequence[ColumnScore]) -> list[Check]:
    """Check that how DICOM images were taken does not tell their label; nothing for a set without DICOM."""
    if not scores:
        return []
    telling = [each for each in scores if each.tells_label]
    described = "; ".join(acquisition.describe_score(each) for each in (telling or scores))
    sentence = (
        f"how the images were taken tells their label without a look at a pixel: AUROC by {described}. A classifier "
        "may learn the scanner instead of the finding; this is a warning, not a proof that it did"
        if telling
        else f"how the images were taken was not found to tell their label: AUROC by {described}"
    )
    return [Check("acquisition", not telling, sentence)]


def _check_held_out(synthetic: int) -> Check:
    sentence = (
        f"{synthetic} synthetic images are in validation or test"
        if synthetic
        else "validation and test images are real"
    )
    return Check("synthetic in test", not synthetic, sentence, critical=True)


def _check_test_classes(labels: Sequence[str]) -> Check:
    """Check that both classes are in the test set: with only one, a constant prediction would be right."""
    if len(labels) == 1:
        sentence = f"all test images are {labels[0]}, so how well the classes are discriminated cannot be measured"
        return Check("test classes", False, sentence, critical=True)
    return Check("test classes", True, "the test set has both classes", critical=True)


def check_generators(facts: GeneratorFacts, *, patients_known: bool) -> list[Check]:
    """Check that no generator was trained on images or patients of the test or validation split.

    If the training data of any are unknown, only a leak of another can be told; without patients, only that of an image
    with the same pixels.
    """
    checks = []
    reasons = [*facts.errors[:1], *([_describe_unknown(facts)] if facts.unknown else [])]
    if reasons:
        checks.append(Check("generator", None, f"the training data of a generator are unknown: {'; '.join(reasons)}"))
    for split, overlap in facts.overlaps.items():
        images, patients = overlap.images, overlap.patients
        generator = "the generator" if not reasons else "every generator whose training data are known"
        leaking = (
            f"the generator was trained on {images} {split} images and {patients} {split} patients"
            f"{describe_same_names(overlap.same_names)}"
        )
        without = (
            f"{split} images and {split} patients"
            if patients_known
            else f"images that equal {split} images; the dataset does not name patients"
        )
        clean = f"{generator} was trained without {without}"
        is_clean = not (images or patients)
        unknown = describe_unknown_patients(overlap)
        if unknown and patients_known:
            clean = f"{generator} was trained without images that equal {split} images; {unknown}"
        passed = None if is_clean and (reasons or not patients_known or unknown) else is_clean
        sentence = (clean if is_clean else leaking) + _describe_declared(facts)
        checks.append(Check(f"generator, {split}", passed, sentence, critical=split == "test"))
    return checks


def _describe_unknown(facts: GeneratorFacts) -> str:
    return f"nothing was declared of {', '.join(facts.unknown)} (prepare --learnt-from)"


def _describe_declared(facts: GeneratorFacts) -> str:
    """Return the end of a sentence that holds for some generators only as the user declared; else an empty string."""
    return f" (as declared by the user for {', '.join(facts.declared)})" if facts.declared else ""


def check_test_copies(facts: TestCopiesFacts | None) -> list[Check]:
    """Check that no synthetic image from elsewhere is a copy of a test image; no check if there are none."""
    if facts is None:
        return []
    compared = f"{facts.images:,} synthetic images of {', '.join(facts.generators)}"
    if facts.identical or facts.near:
        near = f" and {facts.near:,} are near duplicates of one" if facts.near else ""
        sentence = f"of {compared}, {facts.identical:,} equal a test image{near}"
        return [Check("copies of test images", False, sentence, critical=True)]
    if facts.near is None:
        sentence = f"none of {compared} equals a test image; they are too small to find near duplicates"
        return [Check("copies of test images", None, sentence, critical=True)]
    sentence = f"none of {compared} equals a test image or is a near duplicate of one"
    return [Check("copies of test images", True, sentence, critical=True)]


def _check_recipe(facts: StudyFacts) -> Check:
    """Check that all runs have the same settings except for those that arms may differ in, and all first phases too."""
    differing = "; ".join(
        [
            *_list_differing(facts.settings),
            *(f"in the first phase, {each}" for each in _list_differing(facts.first_settings)),
        ]
    )
    same = "all runs were trained with the same settings"
    sentence = f"runs were trained with different settings: {differing}" if differing else same
    return Check("recipe", not differing, sentence, critical=True)


def _list_differing(settings: Sequence[Mapping[str, str]]) -> list[str]:
    names = dict.fromkeys(name for each in settings for name in each if name not in FREE_OPTIONS)
    values = {name: list(dict.fromkeys(each.get(name, "missing") for each in settings)) for name in names}
    return [f"{name} is {' and '.join(each)}" for name, each in values.items() if len(each) > 1]


def _check_real_images(differences: Sequence[RealImageDifference], arms: Sequence[ArmFacts]) -> Check:
    """Check that arms with the same share of the real images have the same ones in training and validation."""
    if not differences:
        sentence = "all arms have the same real images for training and validation, not counting what they add"
        drawn = {each.name: each.draws for each in arms if each.draws is not None and each.draws > 1}
        if drawn:
            each_seed = "those of every arm" if len(drawn) == len(arms) else f"those of arms {', '.join(drawn)}"
            sentence += f"; {each_seed} were drawn anew for each seed ({max(drawn.values())} draws)"
        return Check("real images", True, sentence, critical=True)
    pairs = [f"{each.arm} and {each.other} ({each.images:,} images are in only one of them)" for each in differences]
    sentence = "real images for training or validation differ between arms " + "; ".join(pairs)
    return Check("real images", False, sentence, critical=True)


def _check_copies(facts: ScreeningFacts, generators: GeneratorFacts) -> Check:
    if not facts.datasets:
        return Check("copies", True, "there are no synthetic images")
    if facts.kept:
        sentence = f"{facts.kept} synthetic images that screening flagged as copies were used (augment --keep-copies)"
        return Check("copies", False, sentence)
    if facts.used:
        sentence = (
            f"{facts.used} synthetic images that the screening of --copies flagged as copies were used, because the "
            "arms were made without it (augment --copies)"
        )
        return Check("copies", False, sentence)
    return _check_is_screened(facts, generators)


def _check_is_screened(facts: ScreeningFacts, generators: GeneratorFacts) -> Check:
    """Check that the synthetic images, none of which was flagged, were all screened."""
    if not facts.screened:
        return Check("copies", None, "synthetic images were not screened for copies of training images")
    if facts.screened < facts.datasets:
        sentence = f"only {facts.screened} of {facts.datasets} synthetic datasets of the arms were screened for copies"
        return Check("copies", None, sentence)
    screened = "synthetic images were screened for copies of training images"
    if generators.unknown:
        return Check("copies", None, f"{screened}, but which those are is unknown: {_describe_unknown(generators)}")
    if facts.elsewhere:
        sentence = (
            f"{facts.elsewhere} of {facts.datasets} synthetic datasets of the arms were screened for copies of another "
            "dataset than the one that their generator was trained on"
        )
        return Check("copies", None, sentence)
    if facts.unverified:
        sentence = (
            f"{facts.unverified} of {facts.datasets} synthetic datasets of the arms were screened for copies, but "
            "whether of the images that their generator was trained on is unknown: its run or the screening is not "
            "there any more"
        )
        return Check("copies", None, sentence)
    return Check("copies", True, screened + _describe_declared(generators))


def _check_resolutions(resolutions: Sequence[ArmResolution]) -> list[Check]:
    """Check that networks read synthetic and real images at one resolution; no check if all have the same size."""
    seen = [each for each in resolutions if each.is_seen]
    listed = "; ".join(
        f"{each.arm}: {each.images:,} synthetic images of {each.synthetic} px, real ones of {each.real} px, all read "
        f"at {each.network} px"
        for each in seen or resolutions
    )
    if not seen:
        sentence = f"the sizes of synthetic and real images differ, but not the resolution that is read ({listed})"
        return [Check("resolution", True, sentence)] if resolutions else []
    control = (
        "; the controls low-resolution and duplicate show together what resolution alone does"
        if any(each.synthetic < each.real for each in seen)
        else ""
    )
    sentence = f"synthetic images have another resolution than the real ones ({listed}){control}"
    return [Check("resolution", False, sentence)]


def _check_prior(arms: Sequence[ArmFacts]) -> Check:
    shares = {arm.name: arm.share_normal for arm in arms}
    has_shifted = max(shares.values()) - min(shares.values()) >= MIN_PRIOR_SHIFT
    listed = ", ".join(f"{name}: {100 * share:.1f} %" for name, share in shares.items())
    return Check("label shift", not has_shifted, f"normal training images, by arm: {listed}")


def _check_budget(arms: Sequence[ArmFacts]) -> Check:
    totals = [sum(arm.steps) for arm in arms]
    is_unequal = max(totals) > MAX_STEP_RATIO * min(totals)
    listed = ", ".join(f"{arm.name}: {_format_steps(arm.steps)}" for arm in arms)
    return Check("budget", not is_unequal, f"optimiser steps, by arm: {listed}")


def _format_steps(phases: Sequence[int]) -> str:
    """Return the number of steps in all, with those of every phase if there are several."""
    several = f" ({' and then '.join(f'{each:,}' for each in phases)})" if len(phases) > 1 else ""
    return f"{sum(phases):,}{several}"


def _check_seeds(arms: Sequence[ArmFacts]) -> Check:
    fewest = min(len(arm.seeds) for arm in arms)
    counted = f"{fewest} {'seed' if fewest == 1 else 'seeds'} or more"
    return Check("seeds", fewest >= MIN_SEEDS, f"every arm has {counted}; {MIN_SEEDS} or more are needed")


def _check_pairing(arms: Sequence[ArmFacts], *, is_sequential: bool) -> Check:
    seeds = {tuple(arm.seeds) for arm in arms}
    is_paired = len(seeds) == 1
    sentence = (
        "all arms have the same seeds" if is_paired else "arms have different seeds; only common ones are compared"
    )
    longest = max(seeds, key=len)
    if not is_paired and is_sequential and all(longest[: len(each)] == each for each in seeds):
        is_paired, sentence = (
            True,
            "arms have the same seeds, and those that ended at an earlier look the first of them",
        )
    others = [arm.name for arm in arms if not arm.is_seed_kept]
    if others:
        sentence += f"; runs start from runs of other seeds: {'; '.join(others)}"
    return Check("pairing", is_paired and not others, sentence)


def _describe_audit(audit: Audit) -> str:
    test = audit.two_sample_test
    name = audit.arm if audit.images is None else f"{audit.arm}, {audit.images}"
    if audit.reason is not None:
        return f"{name}: not computed, because {audit.reason}"
    if test is None:
        return f"{name}: not tested, fewer than {two_sample.MIN_GROUPS} real patients or synthetic images"
    one_label = f", all synthetic ones {audit.labels[0]}" if len(audit.labels) == 1 else ""
    return (
        f"{name}: AUROC {test.auroc:.2f} ({test.low:.2f} to {test.high:.2f}; {test.real} real and "
        f"{test.synthetic} synthetic images, {audit.dims} features of the arm's classifier{one_label})"
    )
