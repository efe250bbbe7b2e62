"""An arm against its controls: what explains an effect, and Holm's correction over the contrasts."""

from collections.abc import Mapping

import pytest

from xrayaug.evaluation import verdict
from xrayaug.evaluation.control_contrasts import compare_with_control
from xrayaug.evaluation.verdict import Contrast
from xrayaug.stats.intervals import Estimate

MARGIN = 0.02


def contrast(value: float | None, error: float = 0.01, tests: int = 1, seeds: int = 5) -> Contrast:
    """Return a contrast that is one of several tests, of which the others show nothing."""
    given = None if value is None else Estimate(value, 0.0, error**2, seeds)
    others: Mapping[str, Estimate | None] = {str(number): Estimate(0.0, 0.0, 1.0, 5) for number in range(tests - 1)}
    return Contrast(given, verdict.decide({"": given, **others}, MARGIN)[""], tests)


def compare(arm: Contrast, control: Contrast, difference: Contrast) -> tuple[str, str]:
    return compare_with_control("duplicate", "mixed", arm=arm, control=control, contrast=difference, margin=MARGIN)


@pytest.mark.parametrize(
    ("arm", "control", "difference", "relation", "said"),
    [
        (
            contrast(0.05),
            contrast(0.045),
            contrast(0.005),
            "explains",
            "duplicates of real images has an effect in the",
        ),
        (contrast(0.05), contrast(0.045), contrast(0.001, 0.005), "explains", "has the same effect, within ±0.02"),
        (contrast(0.05), contrast(0.0), contrast(0.05), "differs", "significantly higher than the control 'duplicate'"),
        (contrast(0.0), contrast(0.05), contrast(-0.05), "differs", "significantly lower than"),
        (
            contrast(0.05),
            contrast(0.04),
            contrast(0.01, 0.004),
            "differs",
            "higher than the control 'duplicate', but by",
        ),
        (contrast(0.05), contrast(0.015, 0.02), contrast(0.035, 0.02), "cannot-tell", "does not differ significantly"),
        (contrast(0.05), contrast(-0.05), contrast(0.0, 0.1), "cannot-tell", "does not differ significantly"),
        (contrast(0.0), contrast(0.0), contrast(0.0, 0.005), "equivalent", "within ±0.02 of the control"),
        (contrast(None), contrast(None), contrast(None), "cannot-tell", "does not differ significantly"),
    ],
)
def test_relations(arm: Contrast, control: Contrast, difference: Contrast, relation: str, said: str) -> None:
    found, sentence = compare(arm, control, difference)
    assert found == relation
    assert said in sentence


def test_everything_is_corrected() -> None:
    """A difference of p = 0.03 is significant on its own, and not as one of two tests."""
    assert compare(contrast(0.0), contrast(0.0), contrast(0.0217))[0] == "differs"
    assert compare(contrast(0.0), contrast(0.0), contrast(0.0217, tests=2))[0] == "cannot-tell"
    same = contrast(0.01, 0.02)
    assert compare(contrast(0.0217), contrast(0.0217), same)[0] == "explains"
    assert compare(contrast(0.0217, tests=2), contrast(0.0217), same)[0] == "cannot-tell"
    assert compare(contrast(0.0217), contrast(0.0217, tests=2), same)[0] == "cannot-tell"


def test_one_seed_explains_nothing() -> None:
    alone = contrast(0.05, seeds=1)
    assert compare(alone, alone, contrast(0.0, seeds=1))[0] == "cannot-tell"
