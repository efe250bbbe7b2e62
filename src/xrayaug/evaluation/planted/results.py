"""How often planted gains, leaks and copies were found; frozen dataclasses whose fields are the keys of the JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from scipy.stats import binomtest

from xrayaug.stats.intervals import ALPHA

PLANTED_FIELD, PLANTED_FILE = "planted", "planted.json"

Kind = Literal["gain", "leak", "copy"]


@dataclass(frozen=True)
class PlantedRate:
    """How often one thing that was planted was found; an amount of 0 counts false alarms."""

    kind: Kind
    # Of a gain, in units of the score, such as 0.03; of a leak, the share of the test patients, such as 0.05, who are
    # also in training; of a copy, the share of the synthetic images that copy a training image
    amount: float
    what: str  # what it was planted in, as it is displayed: the name of an arm, of a test set or of a synthetic set
    found: int
    trials: int
    low: float  # 95 % interval of found / trials (Wilson 1927, JASA 22:209)
    high: float
    # Probability of being found by a formula, where there is one: of a gain, by the power analysis
    expected: float | None = field(default=None, metadata={"optional": True})
    note: str | None = field(default=None, metadata={"optional": True})  # such as why a share is not 1; no full stop
    # Of a leak or a copy, in which form it was planted, such as `the same images under other names`, or `mirrored`
    form: str | None = field(default=None, metadata={"optional": True})
    # Of a leak or a copy, the mean share of the planted patients or images that the check counts
    counted: float | None = field(default=None, metadata={"optional": True})

    @property
    def share(self) -> float:
        """Share of the trials in which it was found."""
        return self.found / self.trials


@dataclass(frozen=True)
class Unknown:
    """Something that could not be planted, and why, in one sentence without a full stop."""

    kind: Kind
    what: str  # as in `PlantedRate`
    reason: str


@dataclass(frozen=True)
class Planted:
    """Everything that was planted in a study; the amounts of each kind and place rise, from 0 where that was tried."""

    gains: Sequence[PlantedRate] = ()
    leaks: Sequence[PlantedRate] = ()
    copies: Sequence[PlantedRate] = ()
    unknown: Sequence[Unknown] = ()


def count_found(
    kind: Kind,
    amount: float,
    what: str,
    found: int,
    trials: int,
    *,
    expected: float | None = None,
    note: str | None = None,
    form: str | None = None,
    counted: float | None = None,
) -> PlantedRate:
    """Return the rate of `found` in `trials` repetitions with its 95 % interval."""
    bounds = binomtest(found, trials).proportion_ci(1 - ALPHA, method="wilson")
    low, high = float(bounds.low), float(bounds.high)
    return PlantedRate(
        kind, amount, what, found, trials, low, high, expected=expected, note=note, form=form, counted=counted
    )


def name_unknown_images(reason: str) -> tuple[Unknown, Unknown]:
    """Return that neither leaks nor copies could be planted, and why, in one sentence without a full stop."""
    return Unknown("leak", "the study", reason), Unknown("copy", "the study", reason)


WITHOUT_IMAGES = name_unknown_images("predictions were judged, and the images behind them are not known")


def group(results: Iterable[PlantedRate | Unknown]) -> Planted:
    """Group the results by what was planted."""
    rates: dict[Kind, list[PlantedRate]] = {"gain": [], "leak": [], "copy": []}
    unknown = []
    for each in results:
        if isinstance(each, Unknown):
            unknown.append(each)
        else:
            rates[each.kind].append(each)
    return Planted(rates["gain"], rates["leak"], rates["copy"], unknown)
