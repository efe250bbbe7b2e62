"""Score readers' answers against the key: how well they tell synthetic images from real ones, and by which defects.

Shares have Clopper and Pearson's exact 95 % interval (1934, Biometrika 26:404), which leaves out one half exactly if
the exact binomial test against guessing, two-sided, is below 5 %. docs/explanation/verdict.md has the formulas.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import binomtest, norm

from xrayaug.data.dataset import LABELS
from xrayaug.errors import DataError, one_line
from xrayaug.evaluation import serialization
from xrayaug.evaluation.reader_study.answers import DEFECTS, MAX_CONFIDENCE, Answer, ReaderAnswers
from xrayaug.runtime.console import Table
from xrayaug.stats import bootstrap, classification, intervals
from xrayaug.stats.classification import Labels

UNDEFINED = "--"
RESAMPLES = 2000  # of the images, for the mean over readers
NAMES = {True: "synthetic", False: "real", None: "nothing"}
UNANSWERED = Answer(None, None, 0.0, (), "")


@dataclass(frozen=True)
class Case:
    """An image with the truth about it and the answer of one reader."""

    image: str
    synthetic: bool
    label: str
    answer: Answer

    @property
    def is_right(self) -> bool:
        """True if the answer is the truth."""
        return self.answer.synthetic == self.synthetic


@dataclass(frozen=True)
class Share:
    """The share of right answers with its exact 95 % interval; None if there are no cases."""

    right: int
    cases: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class SensitivityIndex:
    """Sensitivity index d' and criterion c of signal detection theory."""

    d_prime: float
    criterion: float


@dataclass(frozen=True)
class ReaderScores:
    """The scores of one reader over the images that the reader answered."""

    reader: str
    file: str
    sha256: str  # of the file
    answered: int
    unanswered: int
    accuracy: Share
    p_guessing: float  # of the exact binomial test against one half, two-sided
    sensitivity: Share  # of the synthetic images
    specificity: Share  # of the real images
    index: SensitivityIndex | None
    auroc: float | None
    median_seconds: float
    labels: Mapping[str, Share]  # accuracy by label


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of two readers over the images that both answered; None if it is undefined."""

    readers: Sequence[str]
    images: int
    kappa: float | None


@dataclass(frozen=True)
class MeanAccuracy:
    """The mean accuracy over readers with its 95 % interval, over readers and images."""

    readers: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class ImageScores:
    """The truth about an image and the number of readers that gave each answer and each defect."""

    image: str
    truth: str
    label: str
    data: str  # name of the dataset
    array: str
    row: int
    called_synthetic: int
    called_real: int
    defects: Mapping[str, int]


@dataclass(frozen=True)
class Comment:
    """A reader's comment on an image, with the truth and the reader's answer."""

    reader: str
    image: str
    truth: str
    answer: str = field(metadata={"key": "said"})
    comment: str


@dataclass(frozen=True)
class StudyScores:
    """All scores of a reader study."""

    study: str
    images: int
    readers: Sequence[ReaderScores]
    agreement: Sequence[Agreement]
    mean_accuracy: MeanAccuracy | None = field(metadata={"key": "together"})
    defects: Mapping[str, Mapping[str, int]]  # number of answers by defect and kind of image
    image_scores: Sequence[ImageScores] = field(metadata={"key": "of_images"})
    comments: Sequence[Comment]

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as a JSON object."""
        return serialization.to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "StudyScores":
        """Return the scores that `to_dict` made `data` from."""
        return serialization.from_dict(cls, data)


def score(key: Mapping[str, Any], readings: Sequence[ReaderAnswers], seed: int) -> StudyScores:
    """Score every reader, the agreement between readers, the defects that they saw, and every image.

    Args:
        key: as `gather.reader_files.read_key` returns it.
        readings: the answers of different readers.
        seed: of the resamples of images, for the mean over readers.

    Raises:
        DataError: a file is of another study, names an image that is not in it, or answers nothing.
    """
    cases = {reading.reader: _match_answers(key, reading) for reading in readings}
    return StudyScores(
        study=key["study"],
        images=len(key["answers"]),
        readers=[_score_reader(reading, cases[reading.reader], len(key["answers"])) for reading in readings],
        agreement=[_measure_agreement(*pair) for pair in itertools.combinations(cases.items(), 2)],
        mean_accuracy=_average_readers(list(key["answers"]), list(cases.values()), seed),
        defects=_count_defects(list(cases.values())),
        image_scores=[_score_image(name, truth, cases) for name, truth in key["answers"].items()],
        comments=[
            Comment(
                one_line(reader),
                case.image,
                NAMES[case.synthetic],
                NAMES[case.answer.synthetic],
                case.answer.comment,
            )
            for reader, cases_of_reader in cases.items()
            for case in cases_of_reader
            if case.answer.comment.strip()
        ],
    )


def share(right: int, cases: int) -> Share:
    """Return `right` of `cases` as a share with its exact 95 % interval; undefined if there are no cases."""
    if not cases:
        return Share(0, 0, None, None, None)
    bounds = binomtest(right, cases).proportion_ci(1 - intervals.ALPHA, method="exact")
    return Share(right, cases, right / cases, float(bounds.low), float(bounds.high))


def sensitivity_index(hits: int, synthetic: int, false_alarms: int, real: int) -> SensitivityIndex | None:
    """d' = z(hit rate) - z(false alarm rate), and the criterion c, minus the mean of the two; synthetic is the signal.

    One half is added to each count and one to the number of its cases, so that neither rate is 0 or 1: Hautus 1995,
    Behavior Research Methods, Instruments, & Computers 27:46. None if there is no answer for one of the two kinds.
    """
    if not synthetic or not real:
        return None
    z_hits = float(norm.ppf((hits + 0.5) / (synthetic + 1)))
    z_false_alarms = float(norm.ppf((false_alarms + 0.5) / (real + 1)))
    return SensitivityIndex(z_hits - z_false_alarms, -(z_hits + z_false_alarms) / 2)


def tables(scores: StudyScores) -> list[Table]:
    """Return the table of readers, with the agreement between them in its notes, and those of defects and comments."""
    rows = [
        (
            reader.reader,
            f"{reader.answered}/{scores.images}",
            *(_format_share(each) for each in (reader.accuracy, reader.sensitivity, reader.specificity)),
            _format_number(reader.p_guessing, ".3g"),
            _format_number(reader.index.d_prime if reader.index else None, ".2f"),
            _format_number(reader.auroc, ".3f"),
            _format_number(reader.median_seconds, ".1f"),
        )
        for reader in scores.readers
    ]
    columns = ("Reader", "Answered", "Accuracy (95 %)", "Synthetic found (95 %)", "Real found (95 %)", "p, guessing",
               "d'", "AUROC", "Seconds")  # fmt: skip
    found = [Table("Real or synthetic: what readers tell apart", columns, rows, _notes(scores))]
    if any(count for counts in scores.defects.values() for count in counts.values()):
        cells = [(DEFECTS[name], str(counts["synthetic"]), str(counts["real"]))
                 for name, counts in scores.defects.items()]  # fmt: skip
        found.append(Table("What looked wrong, in answers", ("Defect", "Synthetic images", "Real images"), cells))
    if scores.comments:
        lines = [(one_line(each.comment), each.reader, each.image, each.truth, each.answer) for each in scores.comments]
        found.append(Table("Comments", ("Comment", "Reader", "Image", "Is", "Called"), lines))
    return found


def _match_answers(key: Mapping[str, Any], reading: ReaderAnswers) -> list[Case]:
    """Return one case for each image of the key; an image that the file lacks is not answered."""
    if reading.study != key["study"]:
        raise DataError(
            f"{reading.path} answers the reader study {one_line(reading.study)}, and the key is of {key['study']}",
            "score it in the evaluation whose reader.html was answered",
        )
    foreign = [name for name in reading.answers if name not in key["answers"]]
    if foreign:
        raise DataError(f"{reading.path} answers the image {one_line(foreign[0])}, which is not in the study")
    cases = [
        Case(name, truth["synthetic"], truth["label"], reading.answers.get(name, UNANSWERED))
        for name, truth in key["answers"].items()
    ]
    if all(case.answer.synthetic is None for case in cases):
        raise DataError(f"{reading.path} holds no answer", "its reader has not called any image real or synthetic")
    return cases


def _score_reader(reading: ReaderAnswers, cases: Sequence[Case], images: int) -> ReaderScores:
    answered = [case for case in cases if case.answer.synthetic is not None]
    synthetic, real = ([case for case in answered if case.synthetic == kind] for kind in (True, False))
    right = sum(case.is_right for case in answered)
    hits, false_alarms = sum(case.is_right for case in synthetic), sum(not case.is_right for case in real)
    return ReaderScores(
        reader=one_line(reading.reader),
        file=one_line(reading.path.name),
        sha256=reading.sha256,
        answered=len(answered),
        unanswered=images - len(answered),
        accuracy=share(right, len(answered)),
        p_guessing=float(binomtest(right, len(answered), 0.5).pvalue),
        sensitivity=_share_right(synthetic),
        specificity=_share_right(real),
        index=sensitivity_index(hits, len(synthetic), false_alarms, len(real)),
        auroc=_auroc(answered),
        median_seconds=float(np.median([case.answer.seconds for case in answered])),
        labels={label: _share_right([case for case in answered if case.label == label]) for label in LABELS},
    )


def _share_right(cases: Sequence[Case]) -> Share:
    return share(sum(case.is_right for case in cases), len(cases))


def _auroc(answered: Sequence[Case]) -> float | None:
    """Area under the ROC curve of the confidence, from certainly real to certainly synthetic; None if one lacks."""
    confidences = [case.answer.confidence for case in answered]
    if any(confidence is None for confidence in confidences):
        return None
    signed = [
        (confidence or 0) * (1 if case.answer.synthetic else -1)
        for case, confidence in zip(answered, confidences, strict=True)
    ]
    return classification.auroc(
        [int(case.synthetic) for case in answered], [0.5 + value / (2 * MAX_CONFIDENCE) for value in signed]
    )


def _measure_agreement(one: tuple[str, Sequence[Case]], other: tuple[str, Sequence[Case]]) -> Agreement:
    """Return Cohen's kappa of two readers over the images that both answered; None if chance alone agrees always."""
    pairs = [(a.answer.synthetic, b.answer.synthetic) for a, b in zip(one[1], other[1], strict=True)]
    both = {(a, b): pairs.count((a, b)) for a, b in itertools.product((True, False), repeat=2)}
    kappa = classification.kappa(both[True, True], both[True, False], both[False, False], both[False, True])
    return Agreement([one_line(one[0]), one_line(other[0])], sum(both.values()), kappa)


def _average_readers(names: Sequence[str], cases: Sequence[Sequence[Case]], seed: int) -> MeanAccuracy | None:
    """Estimate the mean accuracy over readers, with both readers and images as samples, by `intervals.estimate`.

    None with one reader, or if it is undefined.
    """
    if len(cases) < 2:
        return None
    answered = np.array([[case.answer.synthetic is not None for case in of_reader] for of_reader in cases], float)
    right = np.array([[case.is_right for case in of_reader] for of_reader in cases], float) * answered  # [S, N]
    images: Labels = np.arange(len(names))
    drawn = bootstrap.draw_resamples(images, RESAMPLES, seed).astype(np.float64)
    accuracies = right.sum(axis=1) / answered.sum(axis=1)
    counts = drawn @ answered.T
    resampled = np.divide(drawn @ right.T, counts, out=np.full_like(counts, np.nan), where=counts > 0)
    estimate = intervals.estimate(accuracies, resampled, len(names), len(names))  # an image stands for a patient
    if estimate is None:
        return None
    low, high = estimate.interval()
    return MeanAccuracy(len(cases), estimate.value, max(low, 0.0), min(high, 1.0))


def _count_defects(cases: Sequence[Sequence[Case]]) -> dict[str, dict[str, int]]:
    """Count the answers that name each defect, by kind of image."""
    all_cases = list(itertools.chain.from_iterable(cases))
    return {
        name: {NAMES[kind]: sum(name in case.answer.defects for case in all_cases if case.synthetic == kind)
               for kind in (True, False)}
        for name in DEFECTS
    }  # fmt: skip


def _score_image(name: str, truth: Mapping[str, Any], cases: Mapping[str, Sequence[Case]]) -> ImageScores:
    answers = [case.answer for of_reader in cases.values() for case in of_reader if case.image == name]
    defects = [defect for answer in answers for defect in answer.defects]
    return ImageScores(
        image=name,
        truth=NAMES[truth["synthetic"]],
        label=truth["label"],
        data=truth["data"],
        array=truth["image"],
        row=truth["row"],
        called_synthetic=sum(answer.synthetic is True for answer in answers),
        called_real=sum(answer.synthetic is False for answer in answers),
        defects={defect: defects.count(defect) for defect in DEFECTS if defect in defects},
    )


def _notes(scores: StudyScores) -> list[str]:
    notes = [
        "intervals: exact (Clopper-Pearson); p: exact binomial test against one half, two-sided; of what was answered"
    ]
    for reader in scores.readers:
        by_label = [f"{label} {_format_share(each)}" for label, each in reader.labels.items() if each.cases]
        notes.append(f"{reader.reader}, accuracy by label: {', '.join(by_label)}")
        if reader.unanswered:
            notes.append(f"{reader.reader} left {reader.unanswered} of {scores.images} images unanswered")
    if scores.mean_accuracy is not None:
        mean = scores.mean_accuracy
        interval = f"{mean.accuracy:.3f} ({mean.low:.3f} to {mean.high:.3f})"
        notes.append(f"mean accuracy of {mean.readers} readers, readers and images being samples: {interval}")
    notes += [
        f"kappa of {' and '.join(each.readers)}: {_format_number(each.kappa, '.3f')} over {each.images} images"
        for each in scores.agreement
    ]
    return notes


def _format_share(found: Share) -> str:
    if found.value is None:
        return UNDEFINED
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _format_number(value: float | None, form: str) -> str:
    return UNDEFINED if value is None else f"{value:{form}}"
