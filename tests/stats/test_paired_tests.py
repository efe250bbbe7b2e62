import itertools

import numpy as np
import pytest
from scipy import stats

from xrayaug.stats import classification, paired_tests


@pytest.mark.parametrize(
    ("first", "second", "expected"), [(0, 0, 1.0), (5, 5, 1.0), (1, 9, 0.021484375), (0, 6, 0.03125)]
)
def test_mcnemar_by_hand(first: int, second: int, expected: float) -> None:
    assert paired_tests.mcnemar(first, second) == pytest.approx(expected)


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
    found = paired_tests.delong(labels, given[0], given[1])
    assert found is not None
    difference, error, p_value = found
    areas = [classification.auroc(labels, each / 2) for each in given]
    assert difference == pytest.approx((areas[0] or 0) - (areas[1] or 0))
    assert error == pytest.approx(np.sqrt(variance))
    assert p_value == pytest.approx(2 * stats.norm.sf(abs(difference) / np.sqrt(variance)))


# Poor outcome, WFNS grade, S100B and NDKA of 113 patients after a haemorrhage (Turck et al. 2010, Intensive Care
# Medicine 36:107), as the R package pROC has them (Robin et al. 2011, BMC Bioinformatics 12:77)
ASAH = """
    0 1 0.13 3.01  0 1 0.14 8.54  0 1 0.1 8.09  0 1 0.04 10.42  1 3 0.13 17.4  1 2 0.1 12.75  0 5 0.47 6.0
    1 4 0.16 13.2  0 1 0.18 15.54  0 2 0.1 6.01  1 5 0.12 15.96  0 2 0.1 17.86  1 5 0.44 5.18  1 5 0.71 8.9
    0 1 0.04 13.41  0 2 0.08 20.75  1 5 0.49 11.6  0 2 0.04 16.11  1 2 0.07 32.37  1 5 0.33 54.82  1 2 0.09 32.41
    0 1 0.09 49.94  1 1 0.07 40.34  0 1 0.11 9.47  0 1 0.07 6.29  0 2 0.17 12.53  0 1 0.07 6.54  0 2 0.11 6.3
    0 1 0.13 80.3  0 1 0.19 12.8  0 3 0.05 9.8  0 4 0.16 9.81  1 2 0.41 9.85  0 1 0.14 18.21  0 4 0.34 5.03
    1 5 0.35 14.04  1 4 0.48 21.93  0 1 0.09 8.02  1 4 0.96 7.42  1 2 0.25 8.38  0 5 0.5 6.59  0 5 0.46 9.63
    0 1 0.16 13.12  0 1 0.07 7.96  0 2 0.43 14.34  0 4 0.45 41.43  0 1 0.11 7.63  0 1 0.08 7.06  0 2 0.09 12.59
    1 5 0.86 13.56  1 5 0.52 3.87  0 2 0.08 9.44  0 1 0.06 7.66  0 2 0.13 12.98  1 5 2.07 419.19  0 1 0.1 27.19
    0 2 0.14 22.27  0 2 0.15 9.95  1 2 0.07 21.22  0 1 0.06 11.73  1 5 0.77 10.4  0 1 0.05 58.83  0 1 0.09 6.39
    1 2 0.3 11.09  1 5 0.03 12.22  1 2 0.09 13.67  0 1 0.04 17.21  1 4 0.23 22.63  1 5 0.7 12.9  0 2 0.09 9.7
    1 4 0.27 21.57  1 4 0.71 8.23  1 1 0.08 72.57  1 4 0.26 15.54  0 1 0.08 10.51  0 2 0.16 10.6  0 1 0.09 14.57
    1 4 0.13 5.19  1 2 0.1 9.63  0 1 0.08 4.61  1 2 0.11 21.48  0 3 0.33 17.3  0 2 0.11 12.71  0 4 0.28 9.44
    0 2 0.07 11.07  0 1 0.1 19.46  0 4 0.32 10.83  1 5 0.22 5.37  0 1 0.07 11.97  0 1 0.05 7.75  0 5 0.24 9.83
    0 4 0.38 10.55  0 2 0.1 28.49  0 2 0.15 8.53  0 1 0.08 12.57  0 1 0.14 12.9  0 1 0.1 46.83  0 3 0.07 11.68
    0 1 0.04 12.67  0 2 0.19 9.01  1 5 0.56 9.57  1 2 0.14 34.06  1 2 0.58 11.72  1 5 0.32 14.26  1 5 0.82 47.61
    1 5 0.74 11.67  0 2 0.15 24.58  0 4 0.47 10.33  0 4 0.17 13.87  1 5 0.44 15.89  0 1 0.15 22.43  0 1 0.5 6.79
    0 1 0.48 13.45
"""


@pytest.mark.parametrize(
    ("columns", "z", "p_value", "interval"),
    [
        ((1, 2), 2.20898359144091, 0.0271757822291882, (0.0104061769564846, 0.174214419249478)),
        ((1, 3), 2.79777591868904, 0.00514557970691098, (0.0634011709339876, 0.3600405634833566)),
        ((3, 2), -1.39077002573558, 0.164295175223054, (-0.2876917446341914, 0.0488706064228094)),
    ],
    ids=["wfns-s100b", "wfns-ndka", "ndka-s100b"],
)
def test_delong_of_the_published_example(
    columns: tuple[int, int], z: float, p_value: float, interval: tuple[float, float]
) -> None:
    """The expected values are those of pROC's own tests of `roc.test`."""
    patients = np.array(ASAH.split(), np.float64).reshape(-1, 4)
    labels = patients[:, 0].astype(np.int64)
    assert (len(labels), labels.sum()) == (113, 41)
    found = paired_tests.delong(labels, patients[:, columns[0]], patients[:, columns[1]])
    assert found is not None
    difference, error, p = found
    assert (difference / error, p) == pytest.approx((z, p_value), rel=1e-9)
    quantile = stats.norm.ppf(0.975)
    assert (difference - quantile * error, difference + quantile * error) == pytest.approx(interval, rel=1e-9)


def test_delong_of_equal_rankings_and_of_one_class() -> None:
    labels, given = np.array([0, 1, 0, 1]), np.array([0.1, 0.3, 0.2, 0.4])
    assert paired_tests.delong(labels, given, given * 2) == (0, 0, 1)
    assert paired_tests.delong(np.array([0, 0, 0, 1]), given, given) is None


@pytest.mark.parametrize("seed", range(5))
def test_sign_flip_agrees_with_scipy(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.5, 1, 6)
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=10**6)
    p_value, smallest = paired_tests.sign_flip(differences)
    assert p_value == pytest.approx(expected.pvalue)
    assert smallest == 2 / 2**6


def test_the_sign_flip_of_five_seeds_cannot_reach_5_percent() -> None:
    assert paired_tests.sign_flip(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == (0.0625, 0.0625)
    assert paired_tests.sign_flip(np.array([0.0]))[0] == 1


def test_many_seeds_are_flipped_at_random() -> None:
    p_value, smallest = paired_tests.sign_flip(np.ones(20))
    assert p_value == smallest == 1 / paired_tests.RANDOM_FLIPS


def test_holm_by_hand() -> None:
    # Holm 1979: the smallest times 4, the next times 3, ..., never falling, never above 1
    assert paired_tests.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    assert paired_tests.holm({}) == {}


def test_holm_agrees_with_the_closed_testing_procedure() -> None:
    """It is the closure of Bonferroni: rejected if every set that holds it has its smallest p below level / size."""
    random = np.random.default_rng(0)
    for _ in range(50):
        p_values = {name: float(value) for name, value in zip("abcd", random.random(4) * 0.1, strict=True)}
        found = paired_tests.holm(p_values)
        for name in p_values:
            sets = [
                chosen for size in range(1, 5) for chosen in itertools.combinations(p_values, size) if name in chosen
            ]
            largest = max(min(p_values[each] for each in chosen) * len(chosen) for chosen in sets)
            assert found[name] == pytest.approx(min(1, largest))
