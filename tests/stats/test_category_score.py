"""Test the score of categories: what it finds, what it does not, and that patients are kept apart."""

import numpy as np

from xrayaug.stats.category_score import score_categories
from xrayaug.stats.classification import Labels


def simulate(share: float, seed: int, patients: int = 200, images: int = 2) -> tuple[list[str], Labels, list[str]]:
    """Return scanners, labels and patients; the scanner agrees with the label in `share` of the patients."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, patients)
    scanners = np.where(random.random(patients) < share, labels, 1 - labels)
    names = [f"p{number}" for number in range(patients) for _ in range(images)]
    return [f"s{code}" for code in np.repeat(scanners, images)], np.repeat(labels, images), names


def test_a_scanner_that_tells_the_label_is_found() -> None:
    scanners, labels, patients = simulate(0.9, 0)
    score = score_categories([scanners], labels, patients, 0)
    assert score is not None
    assert 0.85 < score.auroc < 0.95
    assert 0.5 < score.low < score.auroc < score.high < 1
    assert (score.images, score.patients) == (400, 200)


def test_intervals_without_an_effect_include_one_half_as_often_as_they_say() -> None:
    scores = [
        score_categories([kinds], labels, patients, 0)
        for kinds, labels, patients in (simulate(0.5, s) for s in range(60))
    ]
    known = [score for score in scores if score is not None]
    assert abs(np.mean([score.auroc for score in known]) - 0.5) < 0.02
    assert np.mean([score.low > 0.5 for score in known]) <= 0.1


def test_a_category_for_each_patient_tells_nothing_because_patients_are_kept_apart() -> None:
    _, labels, patients = simulate(0.5, 1, images=5)
    score = score_categories([patients], labels, patients, 0)
    assert score is not None
    assert score.auroc == 0.5


def test_several_kinds_together_tell_more() -> None:
    one, labels, patients = simulate(0.75, 2)
    random = np.random.default_rng(3)
    other = [
        f"k{label if keep else 1 - label}"
        for label, keep in zip(labels, random.random(len(labels)) < 0.75, strict=True)
    ]
    alone, together = (score_categories(kinds, labels, patients, 0) for kinds in ([one], [one, other]))
    assert alone is not None
    assert together is not None
    assert together.auroc > alone.auroc + 0.03


def test_too_little_is_no_score() -> None:
    scanners, labels, patients = simulate(0.9, 0, patients=20)
    assert score_categories([scanners], labels, patients, 0) is None
    scanners, labels, patients = simulate(0.9, 0)
    assert score_categories([["same"] * len(labels)], labels, patients, 0) is None
    assert score_categories([scanners], np.zeros(len(labels), np.int64), patients, 0) is None


def test_large_sets_are_sampled_by_patient() -> None:
    scanners, labels, patients = simulate(0.9, 0, patients=3000, images=3)
    score = score_categories([scanners], labels, patients, 0)
    assert score is not None
    assert 4990 < score.images <= 5000
    assert score.images == 3 * score.patients


def test_more_comparisons_widen_the_interval() -> None:
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 80)
    categories, patients = [[str(each) for each in random.integers(0, 4, 80)]], [str(each) for each in range(80)]
    one, seven = (score_categories(categories, labels, patients, 0, comparisons=n) for n in (1, 7))
    assert one is not None
    assert seven is not None
    assert one.auroc == seven.auroc
    assert seven.low < one.low < one.high < seven.high
