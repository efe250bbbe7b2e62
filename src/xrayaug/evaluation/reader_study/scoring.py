"""Readers' answers held to the key: how well they tell synthetic images from real ones, and by what.

Shares have Clopper and Pearson's exact 95 % interval (1934, Biometrika 26:404), which leaves out one half exactly where
the exact binomial test against guessing, two-sided, is below 5 %. docs/explanation/verdict.md has the formulas.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, norm

from xrayaug.data.dataset import LABELS
from xrayaug.errors import DataError, one_line
from xrayaug.evaluation.reader_study.answers import DEFECTS, MAX_CONFIDENCE, Answer, ReaderAnswers
from xrayaug.runtime.console import Table
from xrayaug.stats import bootstrap, classification, intervals
from xrayaug.stats.classification import Labels

Result = dict[str, Any]  # JSON

UNDEFINED = "--"
RESAMPLES = 2000  # of the images, for the mean over readers
NAMES = {True: "synthetic", False: "real", None: "nothing"}


@dataclass(frozen=True)
class Case:
    """An image, what it is and what was said of it."""

    image: str
    synthetic: bool
    label: str
    answer: Answer

    @property
    def right(self) -> bool:
        """Whether the answer, which is one, is the truth."""
        return self.answer.synthetic == self.synthetic


def score(key: Mapping[str, Any], readings: Sequence[ReaderAnswers], seed: int) -> Result:
    """Every reader's scores, how readers agree, what they took for a defect, and each image with what was said of it.

    Args:
        key: as `study.read_key` gives it.
        readings: of different readers.
        seed: of the resamples of images, for the mean over readers.

    Raises:
        DataError: a file is of another study, names an image that is not in it, or answers nothing.
    """
    cases = {each.reader: _cases(key, each) for each in readings}
    return {
        "study": key["study"],
        "images": len(key["answers"]),
        "readers": [_reader(each, cases[each.reader], len(key["answers"])) for each in readings],
        "agreement": [_agreement(*pair) for pair in itertools.combinations(cases.items(), 2)],
        "together": _together(list(key["answers"]), list(cases.values()), seed),
        "defects": _defects(list(cases.values())),
        "of_images": [_of_image(name, told, cases) for name, told in key["answers"].items()],
        "comments": [
            {"reader": one_line(reader), **_said(case), "comment": case.answer.comment}
            for reader, own in cases.items()
            for case in own
            if case.answer.comment.strip()
        ],
    }


def share(right: int, cases: int) -> dict[str, Any]:
    """`right` of `cases` as a share with its exact interval; None, with the counts, where there are no cases."""
    if not cases:
        return {"right": 0, "cases": 0, "value": None, "low": None, "high": None}
    bounds = binomtest(right, cases).proportion_ci(1 - intervals.ALPHA, method="exact")
    return {
        "right": right,
        "cases": cases,
        "value": right / cases,
        "low": float(bounds.low),
        "high": float(bounds.high),
    }


def sensitivity_index(hits: int, synthetic: int, false_alarms: int, real: int) -> dict[str, float] | None:
    """d' = z(hit rate) - z(false alarm rate), and the criterion c, minus the mean of the two; synthetic is the signal.

    Each count plus one half, of its cases plus one, so that neither rate is 0 or 1: Hautus 1995, Behavior Research
    Methods, Instruments, & Computers 27:46. None where a kind has no answers.
    """
    if not synthetic or not real:
        return None
    of_hits = float(norm.ppf((hits + 0.5) / (synthetic + 1)))
    of_alarms = float(norm.ppf((false_alarms + 0.5) / (real + 1)))
    return {"d_prime": of_hits - of_alarms, "criterion": -(of_hits + of_alarms) / 2}


def tables(found: Result) -> list[Table]:
    """A reader a line; then defects, how readers agree, and comments."""
    rows = [
        (
            each["reader"],
            f"{each['answered']}/{found['images']}",
            *(_bounded(each[name]) for name in ("accuracy", "sensitivity", "specificity")),
            _number(each["p_guessing"], ".3g"),
            _number((each["index"] or {}).get("d_prime"), ".2f"),
            _number(each["auroc"], ".3f"),
            _number(each["median_seconds"], ".1f"),
        )
        for each in found["readers"]
    ]
    columns = ("Reader", "Answered", "Accuracy (95 %)", "Synthetic found (95 %)", "Real found (95 %)", "p, guessing",
               "d'", "AUROC", "Seconds")  # fmt: skip
    said = [Table("Real or synthetic: what readers tell apart", columns, rows, _notes(found))]
    ticked = [(DEFECTS[name], str(of["synthetic"]), str(of["real"])) for name, of in found["defects"].items()]
    if any(of[kind] for of in found["defects"].values() for kind in of):
        said.append(Table("What looked wrong, in answers", ("Defect", "Synthetic images", "Real images"), ticked))
    if found["comments"]:
        cells = [(one_line(each["comment"]), each["reader"], each["image"], each["truth"], each["said"])
                 for each in found["comments"]]  # fmt: skip
        said.append(Table("Comments", ("Comment", "Reader", "Image", "Is", "Called"), cells))
    return said


def _cases(key: Mapping[str, Any], reading: ReaderAnswers) -> list[Case]:
    """A reader's answers beside the truth; an image that the file lacks is not answered."""
    if reading.study != key["study"]:
        raise DataError(
            f"{reading.path} answers the reader study {one_line(reading.study)}, and the key is of {key['study']}",
            "score it in the evaluation whose reader.html was answered",
        )
    foreign = [name for name in reading.answers if name not in key["answers"]]
    if foreign:
        raise DataError(f"{reading.path} answers the image {one_line(foreign[0])}, which is not in the study")
    nothing = Answer(None, None, 0.0, (), "")
    cases = [
        Case(name, told["synthetic"], told["label"], reading.answers.get(name, nothing))
        for name, told in key["answers"].items()
    ]
    if all(case.answer.synthetic is None for case in cases):
        raise DataError(f"{reading.path} holds no answer", "its reader has said of no image what it is")
    return cases


def _reader(reading: ReaderAnswers, cases: Sequence[Case], images: int) -> dict[str, Any]:
    given = _answered(cases)
    synthetic, real = ([case for case in given if case.synthetic == kind] for kind in (True, False))
    right = sum(case.right for case in given)
    seconds = [case.answer.seconds for case in given]
    return {
        "reader": one_line(reading.reader),
        "file": one_line(reading.path.name),
        "sha256": reading.sha256,
        "answered": len(given),
        "unanswered": images - len(given),
        "accuracy": share(right, len(given)),
        "p_guessing": float(binomtest(right, len(given), 0.5).pvalue),
        "sensitivity": _share_of(synthetic),
        "specificity": _share_of(real),
        "index": sensitivity_index(
            sum(case.right for case in synthetic), len(synthetic), sum(not case.right for case in real), len(real)
        ),
        "auroc": _auroc(given),
        "median_seconds": float(np.median(seconds)),
        "labels": {label: _share_of([case for case in given if case.label == label]) for label in LABELS},
    }


def _answered(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if case.answer.synthetic is not None]


def _share_of(given: Sequence[Case]) -> dict[str, Any]:
    return share(sum(case.right for case in given), len(given))


def _auroc(given: Sequence[Case]) -> float | None:
    """By how sure the reader was, from surely real to surely synthetic; None unless that was always said."""
    sure = [case.answer.confidence for case in given]
    if any(each is None for each in sure):
        return None
    towards = [(each or 0) * (1 if case.answer.synthetic else -1) for case, each in zip(given, sure, strict=True)]
    return classification.auroc(
        [int(case.synthetic) for case in given], [0.5 + each / (2 * MAX_CONFIDENCE) for each in towards]
    )


def _agreement(one: tuple[str, Sequence[Case]], other: tuple[str, Sequence[Case]]) -> dict[str, Any]:
    """Cohen's kappa of two readers over the images that both answered; None where chance alone agrees always."""
    pairs = [(a.answer.synthetic, b.answer.synthetic) for a, b in zip(one[1], other[1], strict=True)]
    both = {(a, b): pairs.count((a, b)) for a, b in itertools.product((True, False), repeat=2)}
    return {
        "readers": [one_line(one[0]), one_line(other[0])],
        "images": sum(both.values()),
        "kappa": classification.kappa(both[True, True], both[True, False], both[False, False], both[False, True]),
    }


def _together(names: Sequence[str], cases: Sequence[Sequence[Case]], seed: int) -> dict[str, Any] | None:
    """The mean accuracy over readers, both readers and images being samples; None with one reader, or where undefined.

    The model of `intervals.estimate`, which was made for readers in the first place.
    """
    if len(cases) < 2:
        return None
    answered = np.array([[case.answer.synthetic is not None for case in own] for own in cases], float)  # [S, N]
    right = np.array([[case.right for case in own] for own in cases], float) * answered
    images: Labels = np.arange(len(names))
    drawn = bootstrap.draw_resamples(images, RESAMPLES, seed).astype(np.float64)
    of_readers = right.sum(axis=1) / answered.sum(axis=1)
    shown = drawn @ answered.T
    resampled = np.divide(drawn @ right.T, shown, out=np.full_like(shown, np.nan), where=shown > 0)
    found = intervals.estimate(of_readers, resampled, len(names), len(names))  # an image stands for a patient
    if found is None:
        return None
    low, high = found.interval()
    return {"readers": len(cases), "accuracy": found.value, "low": max(low, 0.0), "high": min(high, 1.0)}


def _defects(cases: Sequence[Sequence[Case]]) -> dict[str, dict[str, int]]:
    """How often each was ticked, on synthetic and on real images."""
    every = [case for own in cases for case in own]
    return {
        name: {NAMES[kind]: sum(name in case.answer.defects for case in every if case.synthetic == kind)
               for kind in (True, False)}
        for name in DEFECTS
    }  # fmt: skip


def _of_image(name: str, told: Mapping[str, Any], cases: Mapping[str, Sequence[Case]]) -> dict[str, Any]:
    """What an image is, and how many readers called it what, with what defects."""
    own = [case.answer for of in cases.values() for case in of if case.image == name]
    defects = [defect for each in own for defect in each.defects]
    return {
        "image": name,
        "truth": NAMES[told["synthetic"]],
        "label": told["label"],
        "data": told["data"],
        "array": told["image"],
        "row": told["row"],
        "called_synthetic": sum(each.synthetic is True for each in own),
        "called_real": sum(each.synthetic is False for each in own),
        "defects": {defect: defects.count(defect) for defect in DEFECTS if defect in defects},
    }


def _said(case: Case) -> dict[str, str]:
    return {"image": case.image, "truth": NAMES[case.synthetic], "said": NAMES[case.answer.synthetic]}


def _notes(found: Result) -> list[str]:
    notes = [
        "intervals: exact (Clopper-Pearson); p: exact binomial test against one half, two-sided; of what was answered"
    ]
    for each in found["readers"]:
        by = [f"{label} {_bounded(told)}" for label, told in each["labels"].items() if told["cases"]]
        notes.append(f"{each['reader']}, accuracy by label: {', '.join(by)}")
        if each["unanswered"]:
            notes.append(f"{each['reader']} left {each['unanswered']} of {found['images']} images unanswered")
    if found["together"] is not None:
        mean = found["together"]
        told = f"{mean['accuracy']:.3f} ({mean['low']:.3f} to {mean['high']:.3f})"
        notes.append(f"mean accuracy of {mean['readers']} readers, readers and images being samples: {told}")
    notes += [
        f"kappa of {' and '.join(each['readers'])}: {_number(each['kappa'], '.3f')} over {each['images']} images"
        for each in found["agreement"]
    ]
    return notes


def _bounded(told: Mapping[str, Any]) -> str:
    if told["value"] is None:
        return UNDEFINED
    return f"{told['value']:.3f} ({told['low']:.3f} to {told['high']:.3f})"


def _number(value: float | None, form: str) -> str:
    return UNDEFINED if value is None else f"{value:{form}}"
