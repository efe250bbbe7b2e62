"""Tests of membership hold their level where patients are exchangeable, and agree with scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy.stats import hypergeom
from sklearn.metrics import roc_auc_score

from xrayaug.stats import membership
from xrayaug.stats.membership import LinkTest


def scores(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, count)


def test_the_area_is_that_of_scikit_learn_also_with_ties() -> None:
    members, others = np.round(scores(40, 0, 0.5), 1), np.round(scores(30, 1), 1)
    found = membership.infer_membership(members, others)
    assert found.auroc == pytest.approx(roc_auc_score([1] * 40 + [0] * 30, np.concatenate([members, others])))
    assert found.low < found.auroc < found.high


def test_false_alarms_keep_their_level_and_intervals_cover() -> None:
    runs = [membership.infer_membership(scores(60, 2 * n), scores(40, 2 * n + 1)) for n in range(400)]
    for p_values in ([each.p_auroc for each in runs], [each.p_exposed for each in runs]):
        assert np.mean(np.array(p_values) <= 0.05) < 0.08  # 5 % of 400 and three standard errors
    assert np.mean([each.low <= 0.5 <= each.high for each in runs]) > 0.92


def test_the_detectable_area_is_found_with_80_percent_power() -> None:
    found = membership.infer_membership(scores(60, 0), scores(40, 1))
    shift = np.sqrt(2) * float(
        np.abs(np.percentile(np.random.default_rng(0).normal(size=100000), 100 * found.detectable))
    )
    hits = [
        membership.infer_membership(scores(60, 2 * n, shift), scores(40, 2 * n + 1)).p_auroc <= 0.05 for n in range(300)
    ]
    assert 0.72 < np.mean(hits) < 0.9


def test_a_few_exposed_patients_are_seen_where_the_area_sees_nothing() -> None:
    members, others = scores(300, 0), scores(300, 1)
    members[:20] += 8
    found = membership.infer_membership(members, others)
    assert found.exposed >= 20
    assert found.p_exposed < 1e-4
    assert found.p_exposed < found.p_auroc


def test_areas_at_the_bounds_have_honest_intervals() -> None:
    certain = membership.infer_membership(np.arange(10.0) + 100, np.arange(20.0))
    assert (certain.auroc, certain.high) == (1.0, 1.0)
    assert certain.low == pytest.approx(0.025 ** (1 / 10))
    reversed_ = membership.infer_membership(np.arange(20.0), np.arange(10.0) + 100)
    assert (reversed_.auroc, reversed_.low) == (0.0, 0.0)
    assert reversed_.p_auroc > 0.99  # a one-sided test


def test_links_of_equal_weight_have_the_hypergeometric_distribution() -> None:
    is_member = np.repeat([1, 0], [30, 20])
    nearest = np.r_[np.arange(9), 30]  # ten patients with an image each, nine of them trained on
    found = LinkTest(is_member, 0).test(nearest)
    assert found.share == 0.9
    assert found.expected == pytest.approx(0.6)
    assert found.p_value == pytest.approx(hypergeom.sf(8, 50, 30, 10), abs=0.015)


def test_a_hub_is_no_link() -> None:
    """A single patient who is nearest to all images is a training patient by chance."""
    is_member = np.repeat([1, 0], [30, 20])
    found = LinkTest(is_member, 0).test(np.zeros(1000, np.int64))
    assert found.share == 1.0
    assert found.p_value == pytest.approx(0.6, abs=0.05)


def test_the_largest_score_of_each_group() -> None:
    largest = membership.max_by_group(np.array([1.0, 5.0, 2.0, 3.0]), np.array([1, 0, 1, 0]))
    assert largest.tolist() == [5.0, 2.0]
