"""The test images that classifiers get wrong: with the mean probability of each arm, and what each arm changes.

No name of a patient, study or file is kept: an image is found again by its array and row in the index.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xrayaug.data.dataset import LABELS
from xrayaug.storage import csvfile

MAX_SHOWN = 24  # pictures
BOTH_RIGHT, CORRECTED, SPOILED, BOTH_WRONG = "right in both", "corrected", "spoiled", "wrong in both"
OUTCOMES = {(True, True): BOTH_RIGHT, (False, True): CORRECTED, (True, False): SPOILED, (False, False): BOTH_WRONG}


@dataclass(frozen=True)
class ScoredImage:
    """A test image: its place among them, its array and row, its label, and the mean probability of each arm."""

    place: int
    array: str
    row: int
    label: str
    probabilities: Mapping[str, float]  # of being abnormal, the mean over the runs of each arm

    def is_right(self, arm: str, threshold: float) -> bool:
        """Return whether an arm calls the image by its label."""
        return LABELS[int(self.probabilities[arm] > threshold)] == self.label

    def error(self, arms: Sequence[str]) -> float:
        """Return the mean over arms of the distance between probability and label."""
        target = float(self.label == LABELS[1])
        return sum(abs(self.probabilities[arm] - target) for arm in arms) / len(arms)


@dataclass(frozen=True)
class FailedImage:
    """An image that some arm gets wrong, with what each arm changes in comparison with the baseline."""

    image: ScoredImage
    error: float
    outcomes: Mapping[str, str]  # by arm; one of OUTCOMES


def list_failures(images: Sequence[ScoredImage], arms: Mapping[str, str | None], threshold: float) -> list[FailedImage]:
    """Return the images that the baseline or an arm gets wrong, those with the greatest mean error first.

    Args:
        images: of the test set.
        arms: the baseline of each arm by its name; None for a baseline. Controls are left out by the caller.
        threshold: an image is called abnormal above it.
    """
    failed = []
    for image in images:
        right = {arm: image.is_right(arm, threshold) for arm in arms}
        if all(right.values()):
            continue
        outcomes = {
            arm: OUTCOMES[right[baseline], right[arm]]
            for arm, baseline in arms.items()
            if baseline is not None and baseline in right
        }
        failed.append(FailedImage(image, image.error(list(arms)), outcomes))
    return sorted(failed, key=lambda each: (-each.error, each.image.place))


def format_csv(failed: Sequence[FailedImage], arms: Mapping[str, str | None]) -> str:
    """Return the failures as CSV: one line for each image."""
    compared = [arm for arm, baseline in arms.items() if baseline is not None]
    header = ("number", "array", "row", "label", "mean_error", *(f"probability: {arm}" for arm in arms),
              *(f"outcome: {arm}" for arm in compared))  # fmt: skip
    lines = [
        (number, each.image.array, each.image.row, each.image.label, f"{each.error:.4f}",
         *(f"{each.image.probabilities[arm]:.4f}" for arm in arms), *(each.outcomes.get(arm, "") for arm in compared))
        for number, each in enumerate(failed, start=1)
    ]  # fmt: skip
    return csvfile.dump([header, *lines])
