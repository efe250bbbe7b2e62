"""Proportions, intervals and agreement against closed forms, scikit-learn, SciPy and statsmodels."""

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

from xrayaug.errors import DataError
from xrayaug.evaluation.reader_study import scoring, tables
from xrayaug.evaluation.reader_study.answers import DEFECTS, Answer, ReaderAnswers
from xrayaug.evaluation.reader_study.results import Proportion, StudyScores
from xrayaug.evaluation.reader_study.study import KeyEntry, StudyKey, StudySummary
from xrayaug.runtime.console import UNDEFINED

STUDY = "5" * 16


def make_key(truths: list[bool], labels: list[str] | None = None) -> StudyKey:
    summary = StudySummary(STUDY, len(truths), sum(truths), len(truths) - sum(truths), {}, 8, "arm")
    entries = {
        f"i{number}": KeyEntry(synthetic, label, "mura", f"{number}.png", "d", "images.npy", number)
        for number, (synthetic, label) in enumerate(zip(truths, labels or ["normal"] * len(truths), strict=True))
    }
    return StudyKey(1, summary, entries)


def make_reader(
    calls: Sequence[bool | None], name: str = "AB", study: str = STUDY, **changes: Sequence[Any]
) -> ReaderAnswers:
    """The answers of a reader: for each image whether it was called synthetic, and one value of each change."""
    answers = {
        f"i{number}": Answer(
            **{"synthetic": call, "confidence": None, "seconds": 1.5, "defects": (), "comment": ""}
            | {field: values[number] for field, values in changes.items()}
        )
        for number, call in enumerate(calls)
    }
    return ReaderAnswers(Path(f"{name}.json"), "0" * 64, name, study, answers)


@pytest.mark.parametrize(("correct", "cases"), [(0, 10), (10, 10), (13, 20), (27, 40), (1, 3)])
def test_proportions_have_the_exact_interval(correct: int, cases: int) -> None:
    proportion = scoring.estimate_proportion(correct, cases)
    assert proportion.value == correct / cases
    expected = proportion_confint(correct, cases, method="beta")
    assert (proportion.low, proportion.high) == pytest.approx(expected, abs=1e-9)


def test_a_proportion_of_no_cases_is_undefined() -> None:
    assert scoring.estimate_proportion(0, 0) == Proportion(0, 0, None, None, None)


def test_the_interval_leaves_out_one_half_exactly_where_guessing_is_rejected() -> None:
    for cases in (5, 12, 40):
        for correct in range(cases + 1):
            calls = [number < correct for number in range(cases)]
            (reader,) = scoring.score(make_key([True] * cases), [make_reader(calls)]).readers
            low, high = reader.accuracy.low, reader.accuracy.high
            assert low is not None and high is not None
            assert (reader.p_value < 0.05) == (not low <= 0.5 <= high)


def test_a_reader_by_hand() -> None:
    """3 of 4 synthetic ones found, 2 of 3 real ones, one not answered."""
    truths = [True] * 4 + [False] * 4
    calls = [True, True, True, False, False, False, True, None]
    key = make_key(truths, ["normal"] * 6 + ["abnormal"] * 2)
    scores = scoring.score(key, [make_reader(calls, seconds=[1, 2, 3, 4, 5, 6, 7, 99])])
    (reader,) = scores.readers
    assert (reader.answered, reader.unanswered) == (7, 1)
    assert (reader.accuracy.correct, reader.accuracy.cases) == (5, 7)
    assert (reader.sensitivity.value, reader.specificity.value) == (3 / 4, 2 / 3)
    assert reader.p_value == pytest.approx(2 * binom.sf(4, 7, 0.5))
    assert reader.index is not None
    assert reader.index.d_prime == pytest.approx(norm.ppf(3.5 / 5) - norm.ppf(1.5 / 4))
    assert reader.index.criterion == pytest.approx(-(norm.ppf(3.5 / 5) + norm.ppf(1.5 / 4)) / 2)
    assert reader.median_seconds == 4
    assert (reader.labels["normal"].cases, reader.labels["abnormal"].correct) == (6, 0)
    assert (scores.agreement, scores.mean_accuracy) == ([], None)
    assert [image.called_synthetic for image in scores.image_scores] == [1, 1, 1, 0, 0, 0, 1, 0]


def test_scores_survive_json() -> None:
    readers = [make_reader([True, None, False], name, comment=["odd", "", ""]) for name in "AB"]
    scores = scoring.score(make_key([True, False, False]), readers)
    data = json.loads(json.dumps(scores.to_dict()))
    assert StudyScores.from_dict(data).to_dict() == scores.to_dict()
    assert data.keys() == {
        "study", "images", "readers", "agreement", "mean_accuracy", "defects", "image_scores", "comments",
    }  # fmt: skip


def test_the_sensitivity_index_of_perfect_answers_is_finite() -> None:
    (reader,) = scoring.score(make_key([True, False]), [make_reader([True, False])]).readers
    assert reader.index is not None
    assert math.isfinite(reader.index.d_prime)
    assert scoring.sensitivity_index(1, 1, 0, 0) is None


def test_the_auroc_is_that_of_the_signed_confidence() -> None:
    random = np.random.default_rng(0)
    truths = [bool(each) for each in random.integers(0, 2, 30)]
    calls = [truth if random.random() < 0.7 else not truth for truth in truths]
    confidences = [int(each) for each in random.integers(1, 6, 30)]
    (reader,) = scoring.score(make_key(truths), [make_reader(calls, confidence=confidences)]).readers
    signed = [number if call else -number for call, number in zip(calls, confidences, strict=True)]
    assert reader.auroc == pytest.approx(metrics.roc_auc_score(truths, signed))
    incomplete = [None, *confidences[1:]]
    (reader,) = scoring.score(make_key(truths), [make_reader(calls, confidence=incomplete)]).readers
    assert reader.auroc is None


def test_agreement_is_cohens_kappa() -> None:
    random = np.random.default_rng(1)
    calls = {name: [bool(each) for each in random.integers(0, 2, 40)] for name in "ABC"}
    readers = [make_reader(each, name) for name, each in calls.items()]
    scores = scoring.score(make_key([True, False] * 20), readers)
    assert [each.readers for each in scores.agreement] == [list(pair) for pair in itertools.combinations("ABC", 2)]
    for each in scores.agreement:
        one, other = each.readers
        assert each.kappa == pytest.approx(metrics.cohen_kappa_score(calls[one], calls[other]))


def test_agreement_is_over_the_images_that_both_answered() -> None:
    one, other = make_reader([True, False, None, True], "A"), make_reader([True, True, False, None], "B")
    (agreement,) = scoring.score(make_key([True] * 4), [one, other]).agreement
    assert (agreement.images, agreement.kappa) == (2, 0.0)


def test_the_mean_accuracy_has_an_interval_over_readers_and_images() -> None:
    random = np.random.default_rng(2)
    truths = [True, False] * 30
    calls = [[truth if random.random() < 0.7 else not truth for truth in truths] for _ in range(4)]
    readers = [make_reader(each, str(number)) for number, each in enumerate(calls)]
    scores = scoring.score(make_key(truths), readers)
    mean = scores.mean_accuracy
    assert mean is not None
    assert mean.accuracy == pytest.approx(np.mean([each.accuracy.value for each in scores.readers]))
    assert 0 <= mean.low < mean.accuracy < mean.high <= 1
    alone = scores.readers[0].accuracy
    assert alone.low is not None and alone.high is not None
    assert mean.high - mean.low < alone.high - alone.low
    assert any("4 readers" in note for note in tables.score_tables(scores)[0].notes)


def test_readers_who_all_agree_have_an_interval_of_the_images_alone() -> None:
    truths = [True, False] * 20
    calls = [truth if number % 4 else not truth for number, truth in enumerate(truths)]
    mean = scoring.score(make_key(truths), [make_reader(calls, name) for name in "AB"]).mean_accuracy
    half = 1.96 * math.sqrt(0.75 * 0.25 / 40)
    assert mean is not None
    assert (mean.high - mean.low) / 2 == pytest.approx(half, rel=0.15)


def test_defects_are_counted_by_kind_of_image() -> None:
    defects = [("digit",), ("digit", "texture"), ("texture",), ()]
    scores = scoring.score(make_key([True, True, False, False]), [make_reader([True] * 4, defects=defects)])
    assert scores.defects["digit"] == {"synthetic": 2, "real": 0}
    assert scores.defects["texture"] == {"synthetic": 1, "real": 1}
    assert scores.image_scores[1].defects == {"digit": 1, "texture": 1}
    assert (DEFECTS["digit"], "2", "0") in tables.score_tables(scores)[1].rows


def test_comments_are_listed_without_control_characters() -> None:
    comments = ["", "<script>alert(1)</script>\x1b[2J\n=1+1", "  "]
    reader = make_reader([True] * 3, "A\x1b[31m", comment=comments)
    scores = scoring.score(make_key([True, False, True]), [reader])
    (comment,) = scores.comments
    assert (comment.truth, comment.answer, comment.comment) == ("real", "synthetic", comments[1])
    cells = [cell for table in tables.score_tables(scores) for line in table.rows for cell in line]
    notes = [note for table in tables.score_tables(scores) for note in table.notes]
    assert not any("\x1b" in text or "\n" in text for text in [*cells, *notes])
    assert any("<script>alert(1)</script> [2J =1+1" in cell for cell in cells)


def test_answers_to_another_study_are_refused() -> None:
    key = make_key([True, False])
    with pytest.raises(DataError, match=r"AB\.json .* other.* 5{16}"):
        scoring.score(key, [make_reader([True, False], study="other")])
    with pytest.raises(DataError, match=r"AB\.json .* i2"):
        scoring.score(key, [make_reader([True, False, True])])


def test_a_file_without_any_answer_is_refused() -> None:
    with pytest.raises(DataError, match=r"AB\.json .*no answer"):
        scoring.score(make_key([True, False]), [make_reader([None, None])])


def test_images_that_a_file_lacks_are_unanswered() -> None:
    scores = scoring.score(make_key([True, False, True]), [make_reader([True])])
    (reader,) = scores.readers
    assert (reader.answered, reader.unanswered, reader.specificity.value) == (1, 2, None)
    (table,) = tables.score_tables(scores)
    assert any("2 of 3 images" in note for note in table.notes)
    assert table.rows[0][4] == UNDEFINED
