"""Shares, intervals and agreement against closed forms, scikit-learn, SciPy and statsmodels."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation.reader_study.evaluations import answer, saved
from scipy.stats import binom, norm
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

from xrayaug.errors import DataError
from xrayaug.evaluation.reader_study import scoring
from xrayaug.evaluation.reader_study.answers import SYNTHETIC, Answer, ReaderAnswers

STUDY = "5" * 16


def key_of(truths: list[bool], labels: list[str] | None = None) -> dict[str, Any]:
    given = labels or ["normal"] * len(truths)
    told = [{"synthetic": truth, "label": label, "data": "d", "image": "images.npy", "row": number}
            for number, (truth, label) in enumerate(zip(truths, given, strict=True))]  # fmt: skip
    return {"study": STUDY, "answers": {f"i{number}": each for number, each in enumerate(told)}}


def reading(said: list[bool | None], reader: str = "AB", study: str = STUDY, **changes: list[Any]) -> ReaderAnswers:
    """A reading whose answers are `said`; of changes one for each."""
    words = {value: word for word, value in SYNTHETIC.items()}
    given = {f"i{number}": answer(words[each], **{name: values[number] for name, values in changes.items()})
             for number, each in enumerate(said)}  # fmt: skip
    answers = {
        each["image"]: Answer(SYNTHETIC[each["answer"]], each["confidence"], each["seconds"],
                              tuple(each["defects"]), each["comment"])
        for each in saved(given)["answers"]
    }  # fmt: skip
    return ReaderAnswers(Path(f"{reader}.json"), "0" * 64, reader, study, answers)


@pytest.mark.parametrize(("right", "cases"), [(0, 10), (10, 10), (13, 20), (27, 40), (1, 3)])
def test_shares_have_the_exact_interval(right: int, cases: int) -> None:
    told = scoring.share(right, cases)
    assert told.value == right / cases
    assert (told.low, told.high) == pytest.approx(proportion_confint(right, cases, method="beta"), abs=1e-9)


def test_of_nothing_there_is_no_share() -> None:
    assert scoring.share(0, 0) == scoring.Share(0, 0, None, None, None)


def test_the_interval_leaves_out_one_half_exactly_where_guessing_is_rejected() -> None:
    for cases in (5, 12, 40):
        for right in range(cases + 1):
            said = [number < right for number in range(cases)]
            found = scoring.score(key_of([True] * cases), [reading(list(said))], 0).readers[0]
            low, high = found.accuracy.low, found.accuracy.high
            assert low is not None and high is not None
            assert (found.p_guessing < 0.05) == (not low <= 0.5 <= high)


def test_a_reader_by_hand() -> None:
    """3 of 4 synthetic ones found, 2 of 3 real ones, one not answered."""
    truths = [True] * 4 + [False] * 4
    said: list[bool | None] = [True, True, True, False, False, False, True, None]
    labels = ["normal"] * 6 + ["abnormal"] * 2
    found = scoring.score(key_of(truths, labels), [reading(said, seconds=[1, 2, 3, 4, 5, 6, 7, 99])], 0)
    (told,) = found.readers
    assert (told.answered, told.unanswered) == (7, 1)
    assert (told.accuracy.right, told.accuracy.cases) == (5, 7)
    assert (told.sensitivity.value, told.specificity.value) == (3 / 4, 2 / 3)
    assert told.p_guessing == pytest.approx(2 * binom.sf(4, 7, 0.5))
    assert told.index is not None
    assert told.index.d_prime == pytest.approx(norm.ppf(3.5 / 5) - norm.ppf(1.5 / 4))
    assert told.index.criterion == pytest.approx(-(norm.ppf(3.5 / 5) + norm.ppf(1.5 / 4)) / 2)
    assert told.median_seconds == 4
    assert (told.labels["normal"].cases, told.labels["abnormal"].right) == (6, 0)
    assert (found.agreement, found.mean_accuracy) == ([], None)
    assert [each.called_synthetic for each in found.image_scores] == [1, 1, 1, 0, 0, 0, 1, 0]


def test_who_answers_perfectly_has_a_finite_index() -> None:
    (told,) = scoring.score(key_of([True, False]), [reading([True, False])], 0).readers
    assert told.index is not None
    assert math.isfinite(told.index.d_prime)
    assert scoring.sensitivity_index(1, 1, 0, 0) is None


def test_confidence_makes_a_curve() -> None:
    random = np.random.default_rng(0)
    truths = [bool(each) for each in random.integers(0, 2, 30)]
    said = [truth if random.random() < 0.7 else not truth for truth in truths]
    sure = [int(each) for each in random.integers(1, 6, 30)]
    (told,) = scoring.score(key_of(truths), [reading(list(said), confidence=sure)], 0).readers
    towards = [number if each else -number for each, number in zip(said, sure, strict=True)]
    assert told.auroc == pytest.approx(metrics.roc_auc_score(truths, towards))
    sure_once = [None, *sure[1:]]
    (told,) = scoring.score(key_of(truths), [reading(list(said), confidence=sure_once)], 0).readers
    assert told.auroc is None


def test_readers_agree_beyond_chance() -> None:
    random = np.random.default_rng(1)
    truths = [True, False] * 20
    said = {name: [bool(each) for each in random.integers(0, 2, 40)] for name in "ABC"}
    found = scoring.score(key_of(truths), [reading(list(each), name) for name, each in said.items()], 0)
    assert [each.readers for each in found.agreement] == [list(pair) for pair in itertools.combinations("ABC", 2)]
    for each in found.agreement:
        one, other = each.readers
        assert each.kappa == pytest.approx(metrics.cohen_kappa_score(said[one], said[other]))


def test_what_one_reader_left_out_is_no_agreement() -> None:
    one, other = reading([True, False, None, True], "A"), reading([True, True, False, None], "B")
    (told,) = scoring.score(key_of([True] * 4), [one, other], 0).agreement
    assert (told.images, told.kappa) == (2, 0.0)


def test_readers_together_are_the_mean_of_both_samples() -> None:
    random = np.random.default_rng(2)
    truths = [True, False] * 30
    said = [[truth if random.random() < 0.7 else not truth for truth in truths] for _ in range(4)]
    found = scoring.score(key_of(truths), [reading(list(each), str(at)) for at, each in enumerate(said)], 0)
    mean = found.mean_accuracy
    assert mean is not None
    assert mean.accuracy == pytest.approx(np.mean([each.accuracy.value for each in found.readers]))
    assert 0 <= mean.low < mean.accuracy < mean.high <= 1
    alone = found.readers[0].accuracy
    assert alone.low is not None and alone.high is not None
    assert mean.high - mean.low < alone.high - alone.low
    assert any("mean accuracy of 4 readers" in note for note in scoring.tables(found)[0].notes)


def test_readers_who_all_agree_have_an_interval_of_the_images_alone() -> None:
    truths = [True, False] * 20
    said = [number % 4 != 0 for number in range(40)]
    of_one = [truth if right else not truth for truth, right in zip(truths, said, strict=True)]
    mean = scoring.score(key_of(truths), [reading(list(of_one), name) for name in "AB"], 0).mean_accuracy
    half = 1.96 * math.sqrt(0.75 * 0.25 / 40)
    assert mean is not None
    assert mean.high - mean.accuracy == pytest.approx(half, rel=0.15)


def test_defects_are_counted_by_what_the_image_is() -> None:
    marked = [["digit"], ["digit", "texture"], ["texture"], []]
    found = scoring.score(key_of([True, True, False, False]), [reading([True] * 4, defects=marked)], 0)
    assert found.defects["digit"] == {"synthetic": 2, "real": 0}
    assert found.defects["texture"] == {"synthetic": 1, "real": 1}
    assert found.image_scores[1].defects == {"digit": 1, "texture": 1}
    table = scoring.tables(found)[1]
    assert ("Extra, missing or fused digit", "2", "0") in table.rows


def test_comments_are_listed_and_command_no_terminal() -> None:
    comments = ["", "<script>alert(1)</script>\x1b[2J\n=1+1", "  "]
    found = scoring.score(key_of([True, False, True]), [reading([True] * 3, "A\x1b[31m", comment=comments)], 0)
    (told,) = found.comments
    assert (told.truth, told.answer, told.comment) == ("real", "synthetic", comments[1])
    shown = [cell for table in scoring.tables(found) for line in table.rows for cell in line]
    notes = [note for table in scoring.tables(found) for note in table.notes]
    assert not any("\x1b" in text or "\n" in text for text in [*shown, *notes])
    assert any("<script>alert(1)</script> [2J =1+1" in cell for cell in shown)


def test_what_is_not_of_the_study_is_refused() -> None:
    key = key_of([True, False])
    with pytest.raises(DataError, match=r"AB\.json answers the reader study other, and the key is of 5{16}"):
        scoring.score(key, [reading([True, False], study="other")], 0)
    with pytest.raises(DataError, match="answers the image i2, which is not in the study"):
        scoring.score(key, [reading([True, False, True])], 0)
    with pytest.raises(DataError, match="holds no answer"):
        scoring.score(key, [reading([None, None])], 0)


def test_a_partial_file_counts_what_it_lacks() -> None:
    (told,) = scoring.score(key_of([True, False, True]), [reading([True])], 0).readers
    assert (told.answered, told.unanswered, told.specificity.value) == (1, 2, None)
    found = scoring.score(key_of([True, False, True]), [reading([True])], 0)
    assert "AB left 2 of 3 images unanswered" in scoring.tables(found)[0].notes
    assert scoring.tables(found)[0].rows[0][4] == "--"
