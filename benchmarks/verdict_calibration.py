"""How often is the verdict wrong? Error rates, coverage of intervals and power on simulated studies with known effects.

A network's score of an image is z = shift + separation * label + noise (binormal model), so AUROC and accuracy in the
population of patients and seeds are known exactly. The noise is a sum of parts that networks share and parts of one
network: an image that is hard for one network is hard for all, seeds differ in separation and shift, and images of a
patient are correlated.

    python benchmarks/verdict_calibration.py --images 460 --seeds 5 --studies 300 --worlds effects --save power.json
    python benchmarks/verdict_calibration.py --studies 0 --save power.json --figure power.svg

`--save` keeps the counts of every world, number of images and number of seeds in one file; a run replaces its own.
`--figure` draws the power of all counts in the file.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.figure import Figure
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from xrayaug.evaluation import comparison, verdict
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.stats import bootstrap, classification, intervals, paired_tests
from xrayaug.stats.bootstrap import Counts
from xrayaug.stats.classification import Scores

IMAGES_PER_PATIENT = (1, 2, 3, 4)  # equally often
ABNORMAL = 0.41  # of the test patients: 189 of the thesis's 460 images
SEPARATION = 1.9  # AUROC 0.91 at baseline
MIDDLE = SEPARATION / 2  # the score that becomes the probability 0.5
VALIDATION = 554
RESAMPLES = 300
MARGIN = 0.02
AT_ONCE = 100  # studies between two lines
SHARED = {"patient": 0.25, "image": 0.35}  # variances of what every network finds hard
OF_ARM = {"patient": 0.03, "image": 0.07}  # of what an arm finds hard, whatever the seed
OF_NETWORK = 0.30  # of what one network alone finds hard
SEED_SHIFT, SEED_SEPARATION = 0.20, 0.10  # standard deviations over seeds; half of the variance is shared by the arms

METRICS = {"auroc": "decided by AUROC", "accuracy": "decided by accuracy at 0.5"}
INCHES = (8.0, 4.2)

Arrays = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """True effects and shifts of a study's arms."""

    images: int
    seeds: int
    effects: tuple[float, ...]  # of each arm on the AUROC
    shifts: tuple[float, ...]  # of each arm's scores: what a moved prior does

    @property
    def separations(self) -> list[float]:
        """Return the separation of the baseline and of each arm, from their effects on the AUROC."""
        return [SEPARATION, *(self._separation(effect) for effect in self.effects)]

    def auroc(self, separation: float) -> float:
        """Return the expected AUROC of a random seed's network on random patients."""
        return float(norm.cdf(separation / math.sqrt(2 + SEED_SEPARATION**2)))

    def accuracy(self, separation: float, shift: float) -> float:
        """Return the expected accuracy at threshold 0.5."""
        seeds = SEED_SHIFT**2
        specificity = norm.cdf((MIDDLE - shift) / math.sqrt(1 + seeds))
        spread = math.sqrt(1 + seeds + SEED_SEPARATION**2)
        sensitivity = norm.cdf((separation + shift - MIDDLE) / spread)
        return float(ABNORMAL * sensitivity + (1 - ABNORMAL) * specificity)

    def _separation(self, effect: float) -> float:
        wanted = self.auroc(SEPARATION) + effect
        return float(brentq(lambda separation: self.auroc(separation) - wanted, -5, 9))


@dataclass(frozen=True)
class Effects:
    """Random effects of seeds on the networks of one study, `[arms, seeds]` each."""

    shift: Arrays
    separation: Arrays


def study(world: World, random: np.random.Generator) -> tuple[list[list[ScoredNetwork]], list[list[ScoredNetwork]]]:
    """Return one study's arms, baseline first: scores of each seed's network at 0.5 and at validation thresholds."""
    effects = _effects(world, random)
    (patients, labels), (valid_patients, valid_labels) = _patients(world.images, random), _patients(VALIDATION, random)
    counts = bootstrap.draw_resamples(patients, RESAMPLES, int(random.integers(1 << 30)))
    given = _probabilities(world, effects, patients, labels, random)
    of_valid = _probabilities(world, effects, valid_patients, valid_labels, random)
    cases = _Cases(labels, counts, bootstrap.min_class_patients(labels, patients))
    half = [[cases.measured(seed, each, 0.5) for seed, each in enumerate(arm)] for arm in given]
    chosen = [
        [
            cases.measured(seed, each, classification.find_threshold(valid_labels, on_valid), areas=False)
            for seed, (each, on_valid) in enumerate(zip(arm, of_arm, strict=True))
        ]
        for arm, of_arm in zip(given, of_valid, strict=True)
    ]
    return half, chosen


@dataclass(frozen=True)
class _Cases:
    """A study's test images and their resamples."""

    labels: Numbers
    counts: Counts
    patients: int

    def measured(self, seed: int, given: Arrays, threshold: float, *, areas: bool = True) -> ScoredNetwork:
        """Return only the scores that are used here; `comparison.score_network` spends most of its time on others."""
        called, truth = given > threshold, self.labels == 1
        groups = np.stack([called & truth, truth, ~called & ~truth, ~truth], axis=1).astype(np.float64)
        rates = {name: float(each[0]) for name, each in _rates(groups.sum(axis=0, keepdims=True)).items()}
        resampled = _rates(self.counts @ groups)
        if areas:
            rates["auroc"] = classification.auroc(self.labels, given) or math.nan
            resampled["auroc"] = bootstrap.auroc(self.labels, given, self.counts)
        tp, abnormal, tn, normal = (int(total) for total in groups.sum(axis=0))
        scores = Scores(
            cases=len(given),
            tp=tp,
            fp=normal - tn,
            tn=tn,
            fn=abnormal - tp,
            accuracy=rates["accuracy"],
            kappa=None,
            auroc=rates.get("auroc"),
            sensitivity=rates["sensitivity"],
            specificity=rates["specificity"],
            balanced_accuracy=None,
            average_precision=None,
            f1=None,
            brier=None,
            calibration_error=None,
        )
        return ScoredNetwork(seed, self.labels, given, threshold, self.patients, scores, resampled)


def _rates(sums: Arrays) -> dict[str, Arrays]:
    """Return true positives, positives, true negatives and negatives, `[B, 4]`."""
    tp, abnormal, tn, normal = sums.T
    return {"accuracy": (tp + tn) / (abnormal + normal), "sensitivity": tp / abnormal, "specificity": tn / normal}


def _effects(world: World, random: np.random.Generator) -> Effects:
    """Draw the seeds' effects; half of their variance is common to all arms, which pairing by seed removes."""
    shape = len(world.effects) + 1, world.seeds
    shared = random.normal(size=(2, 1, world.seeds)) + random.normal(size=(2, *shape))
    shift, separation = shared / math.sqrt(2) * np.array([SEED_SHIFT, SEED_SEPARATION])[:, None, None]
    return Effects(shift + np.array([0.0, *world.shifts])[:, None], separation + np.array(world.separations)[:, None])


def _patients(images: int, random: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Draw the patient of each image and its label, which all images of a patient share."""
    sizes = random.choice(IMAGES_PER_PATIENT, images)
    patient = np.repeat(np.arange(images), sizes)[:images]
    return patient, (random.random(images) < ABNORMAL).astype(np.int64)[patient]


def _probabilities(
    world: World, effects: Effects, patients: Numbers, labels: Numbers, random: np.random.Generator
) -> Arrays:
    """Draw the scores of every arm, seed and image, `[arms, seeds, N]`."""
    arms, seeds, images = *effects.shift.shape, len(labels)

    def noise(variance: float, *shape: int, by_patient: bool = False) -> Arrays:
        drawn = random.normal(0, math.sqrt(variance), (*shape, images))
        return drawn[..., patients] if by_patient else drawn

    score = (
        effects.shift[..., None]
        + effects.separation[..., None] * labels
        + noise(SHARED["patient"], 1, 1, by_patient=True)
        + noise(SHARED["image"], 1, 1)
        + noise(OF_ARM["patient"], arms, 1, by_patient=True)
        + noise(OF_ARM["image"], arms, 1)
        + noise(OF_NETWORK, arms, seeds)
    )
    return np.asarray(expit(score - MIDDLE), np.float64)


def judge(world: World, random: np.random.Generator) -> Counter[str]:
    """Simulate and judge one study; return the counts of its outcomes."""
    at_half, at_chosen = study(world, random)
    found: Counter[str] = Counter(studies=1)
    baseline = at_half[0]
    truths = {
        "auroc": [world.auroc(each) for each in world.separations],
        "accuracy": [
            world.accuracy(each, shift) for each, shift in zip(world.separations, (0.0, *world.shifts), strict=True)
        ],
    }
    for metric, truth in truths.items():
        differences = {str(arm): comparison.estimate_difference(at_half[arm], baseline, metric) for arm in _arms(world)}
        decisions = verdict.decide(differences, MARGIN)
        for arm in _arms(world):
            said = decisions[str(arm)].verdict
            pairs = comparison.pair_by_seed(at_half[arm], baseline)
            found[f"{metric} {arm} {said}"] += 1
            found[f"{metric} {arm} covers"] += _covers(differences[str(arm)], truth[arm] - truth[0])
            found[f"{metric} {arm} percentile covers"] += _percentile_covers(pairs, metric, truth[arm] - truth[0])
        found[f"{metric} covers"] += _covers(comparison.estimate_score(baseline, metric), truth[0])
        found[f"{metric} some"] += any(each.verdict in (verdict.HELPS, verdict.HURTS) for each in decisions.values())
        found[f"{metric} seeds alone"] += _seeds_alone(at_half, metric)
    for arm in _arms(world):
        shifted = verdict.judge_prior_shift(
            (0.85, 0.73),
            comparison.estimate_call_rate_difference(at_half[arm], baseline),
            (
                comparison.estimate_difference(at_half[arm], baseline, "accuracy"),
                comparison.estimate_difference(at_chosen[arm], at_chosen[0], "accuracy"),
            ),
            comparison.estimate_difference(at_half[arm], baseline, "auroc"),
        )  # fmt: skip
        found[f"prior {arm} alone"] += shifted.explains_difference
    return found


def _arms(world: World) -> range:
    return range(1, len(world.effects) + 1)


def _covers(estimate: intervals.Estimate | None, truth: float) -> bool:
    if estimate is None:
        return False
    low, high = estimate.interval()
    return low <= truth <= high


def _percentile_covers(pairs: Sequence[tuple[ScoredNetwork, ScoredNetwork]], metric: str, truth: float) -> bool:
    low, high = intervals.percentile_interval(comparison.resampled_differences(pairs, metric), 0)
    return low <= truth <= high


def _seeds_alone(arms: Sequence[Sequence[ScoredNetwork]], metric: str) -> bool:
    """Return whether a t-test over seeds, which ignores the sampling of test images, finds a difference in an arm."""
    p_values = {}
    for place, arm in enumerate(arms[1:]):
        differing = comparison.seed_differences(comparison.pair_by_seed(arm, arms[0]), metric)
        error = float(np.std(differing, ddof=1)) / math.sqrt(len(differing))
        fixed = intervals.Estimate(float(np.mean(differing)), max(error, 1e-12) ** 2, 0.0, len(differing))
        p_values[str(place)] = fixed.p_value()
    return min(paired_tests.holm(p_values).values()) <= intervals.ALPHA


WORLDS = {
    "null": ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    "effects": ((0.01, 0.03, 0.05, -0.05), (0.0, 0.0, 0.0, 0.0)),
    "margin": ((MARGIN, -MARGIN), (0.0, 0.0)),
    "prior": ((0.0, -0.05), (-0.74, -0.74)),  # the log odds of 0.85 normal less those of 0.73; alone, and not
}


def batch(name: str, images: int, seeds: int, studies: range) -> Counter[str]:
    """Return the counts of several studies; each depends on its number alone, so processes may share them freely."""
    world = World(images, seeds, *WORLDS[name])
    place = list(WORLDS).index(name)
    streams = (np.random.default_rng([images, seeds, place, number]) for number in studies)
    return sum((judge(world, random) for random in streams), Counter())


Cells = list[dict[str, Any]]  # of each world, number of images and number of seeds: these, and what `judge` counted


def replaced(cells: Cells, cell: dict[str, Any]) -> Cells:
    """Return the cells with this one added, or in place of an earlier count of the same design."""
    same = ("world", "images", "seeds")
    kept = [each for each in cells if any(each[name] != cell[name] for name in same)]
    return sorted([*kept, cell], key=lambda each: tuple(each[name] for name in same))


def power(cell: dict[str, Any], metric: str) -> list[tuple[float, float]]:
    """Return for each true difference in AUROC, in points, the share of studies that detect it with the right sign.

    Where nothing differs it is the share in which an arm was said to help or to hurt, over the world's three arms.
    """

    def said(arm: int, *verdicts: str) -> float:
        return sum(float(cell.get(f"{metric} {arm} {each}", 0)) for each in verdicts) / float(cell["studies"])

    effects, _ = WORLDS[cell["world"]]
    if not any(effects):
        arms = range(1, len(effects) + 1)
        return [(0.0, sum(said(arm, verdict.HELPS, verdict.HURTS) for arm in arms) / len(effects))]
    right = [verdict.HELPS if effect > 0 else verdict.HURTS for effect in effects]
    return [(100 * effect, said(arm, right[arm - 1])) for arm, effect in enumerate(effects, 1)]


def draw(file: Path, cells: Cells) -> None:
    """Draw power over the true difference, one panel for each primary score and one line for each design."""
    figure = Figure(figsize=INCHES, layout="constrained")
    panels = figure.subplots(1, len(METRICS), sharey=True)
    designs = sorted({(cell["images"], cell["seeds"]) for cell in cells if cell["world"] == "effects"})
    for axes, (metric, title) in zip(panels, METRICS.items(), strict=True):
        for place, design in enumerate(designs):
            of_design = [
                cell
                for cell in cells
                if (cell["images"], cell["seeds"]) == design and cell["world"] in ("null", "effects")
            ]
            differences, shares = zip(
                *sorted(point for cell in of_design for point in power(cell, metric)), strict=True
            )
            studies = " and ".join(f"{count:,}" for count in sorted({cell["studies"] for cell in of_design}))
            label = f"{design[0]:,} images, {design[1]} seeds ({studies} studies)"
            axes.plot(
                differences, [100 * share for share in shares], "o-", color=f"C{place}", markersize=4, label=label
            )
        axes.axhline(5, color="0.6", linestyle=":", linewidth=1)
        axes.set_title(title)
        axes.set_xlabel("True difference in AUROC (points)")
        axes.grid(axis="y", color="0.9")
    panels[0].set_ylabel("Studies with a significant difference (%)")
    panels[0].set_ylim(0, 101)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    with rc_context({"svg.hashsalt": "xrayaug", "svg.fonttype": "none"}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def main() -> None:
    """Print one JSON line for each world, after every `AT_ONCE` studies with the counts so far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=460)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--worlds", default=",".join(WORLDS))
    parser.add_argument("--save", type=Path, help="JSON file of the counts of every design, old ones kept")
    parser.add_argument("--figure", type=Path, help="draw the power of all designs that --save holds, .svg or .png")
    arguments = parser.parse_args()
    if arguments.figure and not arguments.save:
        parser.error("--figure draws what --save keeps: give both")
    cells: Cells = json.loads(arguments.save.read_text()) if arguments.save and arguments.save.exists() else []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for name in arguments.worlds.split(","):
            parts = [
                range(read, min(read + AT_ONCE, arguments.studies)) for read in range(0, arguments.studies, AT_ONCE)
            ]
            found: Counter[str] = Counter()
            said: dict[str, Any] = {"world": name, "images": arguments.images, "seeds": arguments.seeds}
            for part in pool.map(partial(batch, name, arguments.images, arguments.seeds), parts):
                found.update(part)
                print(json.dumps(said | dict(sorted(found.items()))), flush=True)
                cells = replaced(cells, said | dict(sorted(found.items())))
                if arguments.save:
                    arguments.save.write_text(json.dumps(cells, indent=1) + "\n")
    if arguments.figure:
        draw(arguments.figure, cells)


if __name__ == "__main__":
    main()
