import itertools

import numpy as np
import pytest
from scipy import stats

from xrayaug import paired, scores


@pytest.mark.parametrize(
    ("first", "second", "expected"), [(0, 0, 1.0), (5, 5, 1.0), (1, 9, 0.021484375), (0, 6, 0.03125)]
)
def test_mcnemar_by_hand(first: int, second: int, expected: float) -> None:
    assert paired.mcnemar(first, second) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(8))
def test_delong_agrees_with_its_definition(seed: int) -> None:
    """DeLong et al. 1988, eq. 4 to 8: the structural components as loops over every pair of cases."""
    random = np.random.default_rng(seed)
    labels = random.permutation([0, 0, 1, 1, *random.integers(0, 2, 26)])
    given = [random.integers(0, 8, 30) / 8 + 0.2 * labels for _ in range(2)]

    def wins(above: float, below: float) -> float:
        return float(above > below) + 0.5 * float(above == below)

    abnormal = [[x for x, y in zip(each, labels, strict=True) if y] for each in given]
    normal = [[x for x, y in zip(each, labels, strict=True) if not y] for each in given]
    v10 = [[np.mean([wins(x, y) for y in normal[k]]) for x in abnormal[k]] for k in range(2)]
    v01 = [[np.mean([wins(x, y) for x in abnormal[k]]) for y in normal[k]] for k in range(2)]
    contrast = np.array([1, -1])
    variance = contrast @ (np.cov(v10) / len(v10[0]) + np.cov(v01) / len(v01[0])) @ contrast
    found = paired.delong(labels, given[0], given[1])
    assert found is not None
    difference, error, p_value = found
    areas = [scores.auroc(labels, each / 2) for each in given]
    assert difference == pytest.approx((areas[0] or 0) - (areas[1] or 0))
    assert error == pytest.approx(np.sqrt(variance))
    assert p_value == pytest.approx(2 * stats.norm.sf(abs(difference) / np.sqrt(variance)))


# Albumin, total protein, Krebs-Goplerud score and outcome of the 43 of DeLong et al.'s 49 patients who had all three,
# as printed in the SAS/STAT User's Guide, LOGISTIC procedure, "Comparing Receiver Operating Characteristic Curves"
# (data read there; the results below recalled from its table, which could not be opened again)
OVARIAN = """
    3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
    3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
    4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
    4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
    2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


@pytest.mark.parametrize(
    ("column", "expected"), [(0, (0.0108, 0.0953, 0.9102)), (1, (-0.0780, 0.1046, 0.4561))], ids=["albumin", "protein"]
)
def test_delong_of_the_published_example(column: int, expected: tuple[float, float, float]) -> None:
    """Against the score (higher is worse, so its sign is turned): difference, standard error and p to four digits."""
    patients = np.array(OVARIAN.split(), np.float64).reshape(-1, 4)
    labels = patients[:, 3].astype(np.int64)
    assert (len(labels), labels.sum()) == (43, 31)
    found = paired.delong(labels, patients[:, column], 10 - patients[:, 2])
    assert found == pytest.approx(expected, abs=5e-5)


def test_delong_of_equal_rankings_and_of_one_class() -> None:
    labels, given = np.array([0, 1, 0, 1]), np.array([0.1, 0.3, 0.2, 0.4])
    assert paired.delong(labels, given, given * 2) == (0, 0, 1)
    assert paired.delong(np.array([0, 0, 0, 1]), given, given) is None


@pytest.mark.parametrize("seed", range(5))
def test_sign_flip_agrees_with_scipy(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.5, 1, 6)
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=10**6)
    p_value, smallest = paired.sign_flip(differences)
    assert p_value == pytest.approx(expected.pvalue)
    assert smallest == 2 / 2**6


def test_five_seeds_cannot_reach_one_in_twenty() -> None:
    assert paired.sign_flip(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == (0.0625, 0.0625)
    assert paired.sign_flip(np.array([0.0]))[0] == 1


def test_many_seeds_are_flipped_at_random() -> None:
    p_value, smallest = paired.sign_flip(np.ones(20))
    assert p_value == smallest == 1 / paired.RANDOM_FLIPS


def test_holm_by_hand() -> None:
    # Holm 1979: the smallest times 4, the next times 3, ..., never falling, never above 1
    assert paired.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    assert paired.holm({}) == {}


def test_holm_holds_every_closed_test() -> None:
    """It is the closure of Bonferroni: rejected if every set that holds it has its smallest p below level / size."""
    random = np.random.default_rng(0)
    for _ in range(50):
        p_values = {name: float(value) for name, value in zip("abcd", random.random(4) * 0.1, strict=True)}
        found = paired.holm(p_values)
        for name in p_values:
            sets = [
                chosen for size in range(1, 5) for chosen in itertools.combinations(p_values, size) if name in chosen
            ]
            largest = max(min(p_values[each] for each in chosen) * len(chosen) for chosen in sets)
            assert found[name] == pytest.approx(min(1, largest))
