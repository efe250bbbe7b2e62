"""Score readers' answers against the key: how well they tell synthetic images from real ones, and by which defects.

Proportions have Clopper and Pearson's exact 95 % interval (1934, Biometrika 26:404), which leaves out one half exactly
if the exact binomial test against guessing, two-sided, is below 5 %. docs/explanation/verdict.md has the formulas.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm

from xrayaug.data.dataset import LABELS
from xrayaug.errors import DataError, one_line
from xrayaug.evaluation.reader_study.answers import DEFECTS, MAX_CONFIDENCE, Answer, ReaderAnswers
from xrayaug.evaluation.reader_study.results import (
    Agreement,
    Comment,
    ImageScores,
    MeanAccuracy,
    Proportion,
    ReaderScores,
    SensitivityIndex,
    StudyScores,
)
from xrayaug.evaluation.reader_study.study import KeyEntry, StudyKey
from xrayaug.stats import classification, intervals, proportions
from xrayaug.stats.intervals import ScoreEstimate

NAMES = {True: "synthetic", False: "real", None: "nothing"}
UNANSWERED = Answer(None, None, 0.0, (), "")


@dataclass(frozen=True)
class Trial:
    """An image with the truth about it and the answer of one reader."""

    image: str
    synthetic: bool
    label: str
    answer: Answer

    @property
    def is_correct(self) -> bool:
        """True if the answer is the truth."""
        return self.answer.synthetic == self.synthetic


def score(key: StudyKey, readers: Sequence[ReaderAnswers]) -> StudyScores:
    """Score every reader, the agreement between readers, the defects that they saw, and every image.

    Args:
        key: the truth about the images of the study.
        readers: the answers of different readers.

    Raises:
        DataError: a file is of another study, names an image that is not in it, or answers nothing.
    """
    trials = {each.reader: _match_answers(key, each) for each in readers}
    return StudyScores(
        study=key.name,
        images=len(key.truth),
        readers=[_score_reader(each, trials[each.reader], len(key.truth)) for each in readers],
        agreement=[_measure_agreement(*pair) for pair in itertools.combinations(trials.items(), 2)],
        mean_accuracy=_average_readers(list(key.truth), list(trials.values())),
        defects=_count_defects(list(trials.values())),
        image_scores=[_score_image(name, truth, trials) for name, truth in key.truth.items()],
        comments=[
            Comment(
                one_line(reader),
                trial.image,
                NAMES[trial.synthetic],
                NAMES[trial.answer.synthetic],
                trial.answer.comment,
            )
            for reader, reader_trials in trials.items()
            for trial in reader_trials
            if trial.answer.comment.strip()
        ],
    )


def estimate_proportion(correct: int, cases: int) -> Proportion:
    """Return the proportion of correct cases with its exact 95 % interval; undefined if there are no cases."""
    if not cases:
        return Proportion(0, 0, None, None, None)
    return Proportion(correct, cases, correct / cases, *proportions.exact_interval(correct, cases))


def sensitivity_index(hits: int, synthetic: int, false_alarms: int, real: int) -> SensitivityIndex | None:
    """Estimate d' = z(hit rate) - z(false alarm rate), and the criterion c, minus the mean of the two z.

    Synthetic images are the signal. One half is added to each count and one to the number of its cases, so that neither
    rate is 0 or 1: Hautus 1995, Behavior Research Methods, Instruments, & Computers 27:46. None if there is no answer
    for one of the two kinds.
    """
    if not synthetic or not real:
        return None
    z_hits = float(norm.ppf((hits + 0.5) / (synthetic + 1)))
    z_false_alarms = float(norm.ppf((false_alarms + 0.5) / (real + 1)))
    return SensitivityIndex(z_hits - z_false_alarms, -(z_hits + z_false_alarms) / 2)


def _match_answers(key: StudyKey, reader: ReaderAnswers) -> list[Trial]:
    """Return one trial for each image of the key; an image that the file lacks is not answered."""
    if reader.study != key.name:
        raise DataError(
            f"{reader.path} answers the reader study {one_line(reader.study)}, and the key is of {key.name}",
            "score it in the evaluation whose reader.html was answered",
        )
    foreign = [name for name in reader.answers if name not in key.truth]
    if foreign:
        raise DataError(f"{reader.path} answers the image {one_line(foreign[0])}, which is not in the study")
    trials = [
        Trial(name, truth.synthetic, truth.label, reader.answers.get(name, UNANSWERED))
        for name, truth in key.truth.items()
    ]
    if all(trial.answer.synthetic is None for trial in trials):
        raise DataError(f"{reader.path} holds no answer", "its reader has not called any image real or synthetic")
    return trials


def _score_reader(reader: ReaderAnswers, trials: Sequence[Trial], images: int) -> ReaderScores:
    answered = [trial for trial in trials if trial.answer.synthetic is not None]
    synthetic, real = ([trial for trial in answered if trial.synthetic == kind] for kind in (True, False))
    correct = sum(trial.is_correct for trial in answered)
    hits, false_alarms = sum(trial.is_correct for trial in synthetic), sum(not trial.is_correct for trial in real)
    return ReaderScores(
        reader=one_line(reader.reader),
        file=one_line(reader.path.name),
        sha256=reader.sha256,
        answered=len(answered),
        unanswered=images - len(answered),
        accuracy=estimate_proportion(correct, len(answered)),
        p_value=float(binomtest(correct, len(answered), 0.5).pvalue),
        sensitivity=_estimate_correct(synthetic),
        specificity=_estimate_correct(real),
        index=sensitivity_index(hits, len(synthetic), false_alarms, len(real)),
        auroc=_auroc(answered),
        median_seconds=float(np.median([trial.answer.seconds for trial in answered])),
        labels={label: _estimate_correct([trial for trial in answered if trial.label == label]) for label in LABELS},
    )


def _estimate_correct(trials: Sequence[Trial]) -> Proportion:
    return estimate_proportion(sum(trial.is_correct for trial in trials), len(trials))


def _auroc(answered: Sequence[Trial]) -> float | None:
    """Return the area under the ROC curve of the confidence, from certainly real to certainly synthetic.

    None if an answer lacks its confidence, or if it is undefined.
    """
    confidences = [trial.answer.confidence for trial in answered]
    if any(confidence is None for confidence in confidences):
        return None
    signed = [
        (confidence or 0) * (1 if trial.answer.synthetic else -1)
        for trial, confidence in zip(answered, confidences, strict=True)
    ]
    return classification.auroc(
        [int(trial.synthetic) for trial in answered], [0.5 + value / (2 * MAX_CONFIDENCE) for value in signed]
    )


def _measure_agreement(one: tuple[str, Sequence[Trial]], other: tuple[str, Sequence[Trial]]) -> Agreement:
    """Return Cohen's kappa of two readers over the images that both answered; None if chance alone agrees always."""
    pairs = [(a.answer.synthetic, b.answer.synthetic) for a, b in zip(one[1], other[1], strict=True)]
    both = {(a, b): pairs.count((a, b)) for a, b in itertools.product((True, False), repeat=2)}
    kappa = classification.kappa(both[True, True], both[True, False], both[False, False], both[False, True])
    return Agreement([one_line(one[0]), one_line(other[0])], sum(both.values()), kappa)


def _average_readers(names: Sequence[str], trials: Sequence[Sequence[Trial]]) -> MeanAccuracy | None:
    """Estimate the mean accuracy over readers, with both readers and images as samples, by `intervals.estimate`.

    None with one reader, or if it is undefined.
    """
    if len(trials) < 2:
        return None
    answered = np.array([[trial.answer.synthetic is not None for trial in by_reader] for by_reader in trials], float)
    correct = np.array([[trial.is_correct for trial in by_reader] for by_reader in trials], float)
    correct *= answered  # [S, N]
    answers = answered.sum(axis=1)
    accuracies = np.divide(correct.sum(axis=1), answers, out=np.full(len(answers), np.nan), where=answers > 0)
    influence = (correct - accuracies[:, None] * answered) / np.maximum(answers, 1)[:, None]
    estimate = intervals.estimate(accuracies, influence.T, len(names))  # an image stands for a patient
    if estimate is None:
        return None
    return MeanAccuracy(
        len(trials), estimate.value, *ScoreEstimate(**dataclasses.asdict(estimate), is_rate=True).interval()
    )


def _count_defects(trials: Sequence[Sequence[Trial]]) -> dict[str, dict[str, int]]:
    """Count the answers that name each defect, by kind of image."""
    all_trials = list(itertools.chain.from_iterable(trials))
    return {
        name: {NAMES[kind]: sum(name in trial.answer.defects for trial in all_trials if trial.synthetic == kind)
               for kind in (True, False)}
        for name in DEFECTS
    }  # fmt: skip


def _score_image(name: str, truth: KeyEntry, trials: Mapping[str, Sequence[Trial]]) -> ImageScores:
    answers = [trial.answer for reader_trials in trials.values() for trial in reader_trials if trial.image == name]
    defects = [defect for answer in answers for defect in answer.defects]
    return ImageScores(
        image=name,
        truth=NAMES[truth.synthetic],
        label=truth.label,
        data=truth.data,
        array=truth.array,
        row=truth.row,
        called_synthetic=sum(answer.synthetic is True for answer in answers),
        called_real=sum(answer.synthetic is False for answer in answers),
        defects={defect: defects.count(defect) for defect in DEFECTS if defect in defects},
    )
