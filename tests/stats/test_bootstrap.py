from functools import partial

import numpy as np
import pytest
from peak import peak_of

from xrayaug.stats import bootstrap, classification


def test_groups_are_numbered_and_empty_names_are_groups_of_their_own() -> None:
    assert bootstrap.encode_groups(["b", "", "a", "b", ""]).tolist() == [0, 1, 2, 0, 3]
    assert bootstrap.encode_groups([]).tolist() == []


def test_a_patient_is_drawn_with_all_its_cases() -> None:
    patients = np.array([0, 0, 1, 2, 2, 2])
    counts = bootstrap.draw_resamples(patients, 500, seed=1)
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, 3] == counts[:, 5]).all()
    assert (counts[:, [0, 2, 3]].sum(axis=1) == 3).all()
    assert counts.mean() == pytest.approx(1, abs=0.1)
    assert (counts == bootstrap.draw_resamples(patients, 500, seed=1)).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_resample_scores_as_its_cases_repeated(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.permutation([0, 1, *random.integers(0, 2, 28)])
    probabilities = random.integers(0, 11, 30) / 10  # with ties
    counts = random.integers(0, 3, (20, 30)).astype(float)
    found = bootstrap.resampled_scores(labels, probabilities, 0.3, counts)
    for place, times in enumerate(counts.astype(int)):
        repeated = classification.score(np.repeat(labels, times), np.repeat(probabilities, times), 0.3)
        for metric in classification.METRICS:
            expected = getattr(repeated, metric)
            assert found[metric][place] == pytest.approx(np.nan if expected is None else expected, nan_ok=True), metric


def test_a_resample_without_a_class_has_undefined_scores() -> None:
    found = bootstrap.resampled_scores(np.array([0, 1]), np.array([0.2, 0.9]), 0.5, np.array([[2.0, 0.0], [1.0, 1.0]]))
    assert np.isnan(found["auroc"]).tolist() == [True, False]
    assert found["accuracy"].tolist() == [1, 1]


def test_many_resamples_are_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    labels, probabilities = np.arange(20) % 2, random.random(20)
    counts = bootstrap.draw_resamples(np.arange(20), 50, seed=0)
    whole = bootstrap.resampled_scores(labels, probabilities, 0.5, counts)
    monkeypatch.setattr(bootstrap, "CHUNK_ENTRIES", 20 * 7)
    assert (bootstrap.resampled_scores(labels, probabilities, 0.5, counts)["auroc"] == whole["auroc"]).all()


def test_resamples_are_drawn_in_parts_as_they_would_be_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    patients = np.array([3, 0, 0, 1, 2, 2, 2])
    whole = np.random.default_rng([7, 4]).multinomial(4, np.full(4, 0.25), size=50)[:, patients]
    monkeypatch.setattr(bootstrap, "CHUNK_ENTRIES", 7 * 9)
    assert (bootstrap.draw_resamples(patients, 50, seed=7) == whole).all()


def test_scores_are_to_the_bit_those_of_counts_in_double_precision() -> None:
    random = np.random.default_rng(1)
    labels, probabilities = random.integers(0, 2, 300), random.random(300)
    patients = np.arange(300) // 2
    drawn = np.random.default_rng([1, 150]).multinomial(150, np.full(150, 1 / 150), size=100)
    doubles = drawn[:, patients].astype(np.float64)  # in columns, as NumPy gives it
    counts = bootstrap.draw_resamples(patients, 100, seed=1)
    found, expected = (bootstrap.resampled_scores(labels, probabilities, 0.4, each) for each in (counts, doubles))
    for metric in classification.METRICS:
        assert found[metric].tobytes() == expected[metric].tobytes(), metric
    areas = [bootstrap.auroc(labels, probabilities, each) for each in (counts, doubles)]
    assert areas[0].tobytes() == areas[1].tobytes()


def test_resamples_use_one_byte_per_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of a block of resamples is bounded, whatever their number."""
    monkeypatch.setattr(bootstrap, "CHUNK_ENTRIES", 1 << 14)
    cases = 1000
    labels, probabilities = np.arange(cases) % 2, np.random.default_rng(0).random(cases)

    def work(resamples: int) -> None:
        bootstrap.resampled_scores(
            labels, probabilities, 0.5, bootstrap.draw_resamples(np.arange(cases) // 2, resamples, seed=0)
        )

    for resamples in (500, 2000):
        assert peak_of(partial(work, resamples)) < resamples * cases + 16 * 8 * bootstrap.CHUNK_ENTRIES


def test_min_class_patients() -> None:
    labels, patients = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 3, 3])
    assert bootstrap.min_class_patients(labels, patients) == 1
    assert bootstrap.min_class_patients(labels[:3], patients[:3]) == 3  # a class that is not there is not few
    assert bootstrap.min_class_patients(labels[:0], patients[:0]) == 0
