"""Test the score of categories: what it finds, what it does not, and that patients are kept apart."""

import itertools

import numpy as np
import pytest

from xrayaug.stats import category_score
from xrayaug.stats.category_score import CategoryScore, score_categories
from xrayaug.stats.classification import Labels


def simulate(share: float, seed: int, patients: int = 200, images: int = 2) -> tuple[list[str], Labels, list[str]]:
    """Return scanners, labels and patients; the scanner agrees with the label in `share` of the patients."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, patients)
    scanners = np.where(random.random(patients) < share, labels, 1 - labels)
    names = [f"p{number}" for number in range(patients) for _ in range(images)]
    return [f"s{code}" for code in np.repeat(scanners, images)], np.repeat(labels, images), names


def score(kind: list[str], labels: Labels, patients: list[str]) -> CategoryScore:
    (found,) = score_categories([kind], labels, patients, 0)
    return found


def test_a_scanner_that_tells_the_label_is_found() -> None:
    found = score(*simulate(0.9, 0))
    assert 0.85 < found.auroc < 0.95
    assert found.p_value == 1 / (1 + category_score.PERMUTATIONS)
    assert (found.images, found.patients) == (400, 200)


@pytest.mark.parametrize(("patients", "images", "kinds"), [(60, 1, 1), (60, 2, 3)])
def test_p_values_without_an_effect_are_small_as_often_as_they_say(
    patients: int, images: int, kinds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(category_score, "PERMUTATIONS", 19)
    smallest = []
    for seed in range(120):
        _, labels, names = simulate(0.5, seed, patients, images)
        random = np.random.default_rng([seed, 1])
        codes = [np.repeat(random.integers(0, 8, patients), images).astype(str).tolist() for _ in range(kinds)]
        smallest += [
            min(each.p_value for each in found) for found in [score_categories(codes, labels, names, 0)] if found
        ]
    assert len(smallest) > 100
    assert np.mean(np.array(smallest) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(smallest))
    assert 0.3 < np.mean(np.array(smallest) <= 0.5) < 0.65


def test_the_p_value_is_that_of_all_permutations_where_there_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(category_score, "MIN_PATIENTS", 2)
    labels, scanners = np.array([0, 0, 0, 0, 1, 1, 1, 1]), ["a", "a", "a", "b", "a", "b", "b", "b"]
    codes, groups = [np.array([each == "b" for each in scanners], np.int64)], np.arange(8)
    areas = []
    for ones in itertools.combinations(range(8), 4):
        permuted = np.isin(groups, ones).astype(np.int64)
        areas.append(category_score._areas(codes, permuted, groups, 0))
    observed = category_score._areas(codes, labels, groups, 0)
    exact = np.mean(np.array(areas) >= observed - 1e-12)
    assert 0.05 < exact < 0.9
    assert score(scanners, labels, list("12345678")).p_value == pytest.approx(exact, abs=0.06)


def test_a_category_for_each_patient_tells_nothing_because_patients_are_kept_apart() -> None:
    _, labels, patients = simulate(0.5, 1, images=5)
    found = score(patients, labels, patients)
    assert (found.auroc, found.p_value) == (0.5, 1.0)


def test_more_images_of_abnormal_patients_hide_no_scanner() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 120)
    images = np.where(truth == 1, 3, 1)
    scanners = np.where(random.random(120) < 0.85, truth, 1 - truth)
    names = np.repeat(np.arange(120), images).astype(str).tolist()
    found = score(np.repeat(scanners, images).astype(str).tolist(), np.repeat(truth, images), names)
    assert found.p_value == 0.001


def test_labels_move_with_their_patients() -> None:
    labels, groups = np.array([0, 1, 1, 0, 1, 0]), np.array([0, 1, 1, 0, 2, 1])
    moved = category_score._move_labels(labels, groups, np.array([1, 2, 0]))
    assert moved[groups == 2].tolist() == [0]
    assert moved[groups == 1].tolist() == [1, 1, 1]
    assert moved[groups == 0].tolist() == [1, 1]
    assert category_score._move_labels(labels, groups, np.arange(3)).tolist() == labels.tolist()


def test_several_kinds_together_tell_more() -> None:
    one, labels, patients = simulate(0.75, 2)
    random = np.random.default_rng(3)
    other = [
        f"k{label if keep else 1 - label}"
        for label, keep in zip(labels, random.random(len(labels)) < 0.75, strict=True)
    ]
    alone, _, together = score_categories([one, other], labels, patients, 0)
    assert together.auroc > alone.auroc + 0.03


def test_more_kinds_make_p_values_larger() -> None:
    one, labels, patients = simulate(0.6, 0, patients=80)
    random = np.random.default_rng(3)
    others = [random.integers(0, 4, len(labels)).astype(str).tolist() for _ in range(5)]
    alone, among = score(one, labels, patients), score_categories([one, *others], labels, patients, 0)[0]
    assert alone.auroc == among.auroc
    assert alone.p_value < among.p_value


def test_too_little_is_no_score() -> None:
    scanners, labels, patients = simulate(0.9, 0, patients=20)
    assert score_categories([scanners], labels, patients, 0) == []
    scanners, labels, patients = simulate(0.9, 0)
    assert score_categories([["same"] * len(labels)], labels, patients, 0) == []
    assert score_categories([scanners], np.zeros(len(labels), np.int64), patients, 0) == []
    assert score_categories([], labels, patients, 0) == []


def test_large_sets_are_sampled_by_patient() -> None:
    found = score(*simulate(0.9, 0, patients=3000, images=3))
    assert 4990 < found.images <= 5000
    assert found.images == 3 * found.patients
