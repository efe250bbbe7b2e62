"""Checks of predictions from elsewhere: what can be seen from them is checked, and all else is unknown."""

from collections.abc import Mapping, Sequence

from xrayaug.evaluation import generator_design
from xrayaug.evaluation.checks import MIN_SEEDS
from xrayaug.evaluation.prediction_table import PredictionTable
from xrayaug.evaluation.results import Check

UNKNOWN = {  # what predictions do not show, by the name of the check
    "synthetic in test": "whether all test cases are real cannot be seen from predictions",
    "generator, test": "what a generator of synthetic images was trained on cannot be seen from predictions",
    "recipe": "whether all runs were trained with the same settings cannot be seen from predictions",
    "real images": "whether arms have the same real images cannot be seen from predictions",
    "copies": "whether synthetic images were screened for copies cannot be seen from predictions",
    "budget": "the optimiser steps of the arms cannot be seen from predictions",
    "shortcut": "whether real and synthetic training images can be told apart cannot be seen from predictions",
}


def check_predictions(
    table: PredictionTable, seeds: Mapping[str, Sequence[int]], paired: Mapping[str, Mapping[int, int]]
) -> list[Check]:
    """Return every check.

    Args:
        table: the predictions.
        seeds: of every arm.
        paired: the number by which each run is paired with one of the baseline, by arm and seed.
    """
    fewest = min(map(len, seeds.values()))
    counted = f"{fewest} {'seed' if fewest == 1 else 'seeds'} or more"
    return [
        _check_patients(table),
        Check("test classes", True, "the test set has both classes", critical=True),
        *_check_images(table.unknown_images),
        *(Check(name, None, sentence) for name, sentence in UNKNOWN.items()),
        *_check_generators([name for name in seeds if table.generators.get(name) is None]),
        _check_prior(table),
        Check("seeds", fewest >= MIN_SEEDS, f"every arm has {counted}; {MIN_SEEDS} or more are needed"),
        _check_pairing(paired, seeds_known=table.seeds_known),
    ]


def _check_patients(table: PredictionTable) -> Check:
    """Check that no test case or patient is among those of validation, if these are known."""
    if table.valid is not None and not table.is_own:
        cases = {row.file for row in table.test.rows} & {row.file for row in table.valid.rows}
        patients = {row.patient for row in table.test.rows} & {row.patient for row in table.valid.rows} - {""}
        if cases or patients:
            sentence = f"{len(patients)} test patients and {len(cases)} test cases are also in validation"
            return Check("patients", False, sentence, critical=True)
    sentence = "whether test cases and patients are in training cannot be seen from predictions"
    unnamed = sum(not row.patient for row in table.test.rows)
    if unnamed == len(table.test.rows):
        sentence += ", which do not name patients, so each case counts as a patient of its own"
    elif unnamed:
        sentence += (
            f"; {unnamed:,} of {len(table.test.rows):,} test cases name no patient and count as one of their own"
        )
    return Check("patients", None, sentence)


def _check_generators(unknown: Sequence[str]) -> list[Check]:
    """Name the arms of which it is unknown how many generators they are about; no check if there are none."""
    if not unknown:
        return []
    sentence = (
        "whether runs of one arm have images of one generator, or each of a generator of its own, cannot be seen from "
        "predictions"
    )
    return [Check(generator_design.CHECK, None, sentence)]


def _check_images(unknown: Sequence[str]) -> list[Check]:
    """Name the sources whose cases may be other images than those of the same names; no check if there are none."""
    if not unknown:
        return []
    sentence = f"whether cases of the same names are the same images cannot be seen from {', '.join(unknown)}"
    return [Check("same images", None, sentence)]


def _check_prior(table: PredictionTable) -> Check:
    """Return the shares of normal training images as far as they are known."""
    if not table.shares_normal:
        return Check("label shift", None, "the class priors of training cannot be seen from predictions")
    listed = ", ".join(f"{name}: {100 * share:.1f} %" for name, share in table.shares_normal.items())
    return Check("label shift", None, f"normal training images, by arm, as the runs record them: {listed}")


def _check_pairing(paired: Mapping[str, Mapping[int, int]], *, seeds_known: bool) -> Check:
    if not seeds_known:
        return Check("pairing", None, "whether arms have the same seeds is unknown, as the predictions name none")
    unpaired = [arm for arm, pairs in paired.items() if any(seed != other for seed, other in pairs.items())]
    if not unpaired:
        return Check("pairing", True, "all arms have the same seeds")
    sentence = (
        f"not paired by seed: {', '.join(unpaired)} and the baseline have no common seed, so their runs count as "
        "independent and are paired in the order of their seeds"
    )
    return Check("pairing", False, sentence)
