"""How often is the verdict wrong? Error rates, coverage of intervals and power on simulated studies with known effects.

The studies are drawn by `verdict_worlds`, which knows the true scores; only what is judged here is the package's own:
`comparison.estimate_score`, `estimate_difference` and `verdict.decide`, with the variance between seeds pooled over
arms, and with that of each difference alone.

    python benchmarks/verdict_calibration.py --studies 2000 --worlds null,skewed --save counts.json
    python benchmarks/verdict_calibration.py --studies 0 --save counts.json --tables --figure power.svg

`--save` keeps the counts of every world, number of images and number of seeds in one file; a run replaces its own.
`--tables` prints them as the tables of docs/explanation/power.md, and `--figure` draws the power.
"""

import argparse
import dataclasses
import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from verdict_tables import draw, print_tables
from verdict_worlds import SCORES, Drawer, Study, World

from xrayaug.evaluation import comparison, verdict
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.stats import classification, influence
from xrayaug.stats.classification import Scores
from xrayaug.stats.intervals import ALPHA, Estimate

MARGIN = 0.02
VALIDATION = 554  # images, by which thresholds are chosen
AT_ONCE = 100  # studies between two lines
DECIDING = ("auroc", "accuracy")
PRIORS = (0.85, 0.73)  # share of normal training images of the arms, and of the baseline
ICC_HALF = dict.fromkeys(("shared", "arm", "network"), 0.5)
UNEQUAL = (1, 1, 1, 1, 1, 1, 2, 2, 3, 25)  # images of a patient

NULL = World()
RARE: dict[str, Any] = {"images": 500, "sizes": (1,)}
WORLDS = {
    "null": NULL,
    "ten": World((0.0,) * 10),
    "skewed": World(skewed=True),
    "variable-arm": World(factors=(1, 3, 1, 1)),
    "variable-baseline": World(factors=(3, 1, 1, 1)),
    "ten-variable-arm": World((0.0,) * 10, factors=(1, 3, *(1,) * 9)),
    "ten-variable-baseline": World((0.0,) * 10, factors=(3, *(1,) * 10)),
    "icc": World(of_patient=ICC_HALF),
    "clusters": World(sizes=UNEQUAL),
    "generators": World((0.0,) * 4, generator=0.02, controls=1),
    "one-generator": World(generator=0.02, per_seed=False),
    "effects": World((0.01, 0.03, 0.05)),
    "effect": World((0.05, 0.0, 0.0)),
    "ten-effect": World((0.05, *(0.0,) * 9)),
    "margin": World((MARGIN, -MARGIN)),
    **{
        f"rare-{abnormal}{name}": World(abnormal=abnormal, auroc=auroc, **RARE)
        for abnormal in (10, 20, 50)
        for name, auroc in (("", 0.80), ("-auroc-0.95", 0.95))
    },
    "six-points": World((0.06, 0.0, 0.0)),
    "nine-points": World((0.09, 0.0, 0.0)),
}


def list_metrics(world: World) -> Sequence[str]:
    """Return the scores that are judged: all where a class is rare, else the two that usually decide."""
    return list(SCORES) if world.abnormal else DECIDING


class Judge:
    """Judges studies of one world and counts what is said of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.drawer = Drawer(world)
        self.truths = {metric: world.truth(metric) for metric in list_metrics(world)}

    def judge(self, random: np.random.Generator) -> Counter[str]:
        """Simulate and judge one study; return the counts of its outcomes."""
        (test,) = self.drawer.draw(random, [self.world.images])
        arms = [
            [score_network(test, seed, given, metrics=list(self.truths)) for seed, given in enumerate(arm)]
            for arm in test.probabilities
        ]
        found: Counter[str] = Counter(studies=1)
        for metric, truths in self.truths.items():
            found += self._judge_metric(arms, metric, truths)
        return found

    def _judge_metric(
        self, arms: Sequence[Sequence[ScoredNetwork]], metric: str, truths: Sequence[float]
    ) -> Counter[str]:
        baseline, *others = arms
        treated = others[: len(others) - self.world.controls]
        found: Counter[str] = Counter()
        pools: dict[str, Sequence[Sequence[ScoredNetwork]]] = {"pooled": treated, "own": []}
        for rule, pool in pools.items():
            differences = {
                place: comparison.estimate_difference(arm, baseline, metric, pool)
                for place, arm in enumerate(others, 1)
            }
            family = {place: each for place, each in differences.items() if place <= len(treated)}
            decisions = verdict.decide(family, MARGIN)
            for place, decision in decisions.items():
                found[f"{metric} {rule} {place} {decision.verdict}"] += 1
            for place, difference in differences.items():
                found[f"{metric} {rule} {place} covers"] += covers(difference, truths[place] - truths[0])
            told = [each.verdict in (verdict.HELPS, verdict.HURTS) for each in decisions.values()]
            found[f"{metric} {rule} some"] += any(told)
            for number, control in enumerate(others[len(treated) :], len(treated) + 1):
                against = comparison.estimate_difference(treated[0], control, metric, pool)
                found[f"{metric} {rule} against {number} covers"] += covers(against, truths[1] - truths[number])
        score = comparison.estimate_score(baseline, metric)
        found[f"{metric} score covers"] += covers(score, truths[0])
        if (own := comparison.estimate_difference(others[0], baseline, metric)) is not None:
            found[f"{metric} sum of seeds, millionths"] += round(1e6 * own.seed_variance * own.seeds)
            found[f"{metric} sum of patients, millionths"] += round(1e6 * own.patient_variance)
        return found


def score_network(
    test: Study, seed: int, given: classification.Probabilities, threshold: float = 0.5, *, metrics: Sequence[str]
) -> ScoredNetwork:
    """Return a network with only the scores that are used: `comparison.score_network` spends its time on others."""
    influences = influence.influences(test.labels, given, threshold, metrics)
    return ScoredNetwork(
        seed,
        test.labels,
        given,
        threshold,
        *test.patient_counts,
        classification.score(test.labels, given, threshold)
        if len(metrics) > len(DECIDING)
        else _score(test, given, threshold),
        {metric: influence.sum_by_patient(each, test.patients) for metric, each in influences.items()},
        {},
    )


def _score(test: Study, given: classification.Probabilities, threshold: float) -> Scores:
    """Return accuracy and AUROC, by ranks, alone."""
    truth = test.labels == 1
    accuracy = float(np.mean((given > threshold) == truth))
    ranks = np.empty(len(given))
    ranks[np.argsort(given)] = np.arange(1, len(given) + 1)  # no two are equal
    abnormal = int(truth.sum())
    area = (float(ranks[truth].sum()) - abnormal * (abnormal + 1) / 2) / (abnormal * (len(given) - abnormal))
    unknown: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(Scores))
    return Scores(**unknown | {"cases": len(given), "accuracy": accuracy, "auroc": area})


def covers(estimate: Estimate | None, truth: float) -> bool:
    """Return whether the 95 % interval contains the truth."""
    if estimate is None:
        return False
    low, high = estimate.interval(ALPHA)
    return low <= truth <= high


@cache
def find_judge(name: str, images: int, seeds: int) -> Judge:
    """Return the judge of a world with so many seeds, and images if no class is rare in it."""
    world = dataclasses.replace(WORLDS[name], seeds=seeds)
    return Judge(world if world.abnormal else dataclasses.replace(world, images=images))


def batch(name: str, images: int, seeds: int, studies: range) -> Counter[str]:
    """Return the counts of several studies; each depends on its number alone, so processes may share them freely."""
    judge, place = find_judge(name, images, seeds), list(WORLDS).index(name)
    streams = (np.random.default_rng([judge.world.images, seeds, place, number]) for number in studies)
    return sum((judge.judge(random) for random in streams), Counter())


Cells = list[dict[str, Any]]  # of each world, number of images and number of seeds: these, and what was counted


def replaced(cells: Cells, cell: dict[str, Any]) -> Cells:
    """Return the cells with this one added, or in place of an earlier count of the same design."""
    same = ("world", "images", "seeds")
    kept = [each for each in cells if any(each[name] != cell[name] for name in same)]
    return sorted([*kept, cell], key=lambda each: tuple(each[name] for name in same))


def count(name: str, arguments: argparse.Namespace, pool: ProcessPoolExecutor) -> Iterator[Mapping[str, Any]]:
    """Return an iterator over the counts of a world so far, after every `AT_ONCE` studies."""
    images = WORLDS[name].images if WORLDS[name].abnormal else arguments.images
    parts = [range(read, min(read + AT_ONCE, arguments.studies)) for read in range(0, arguments.studies, AT_ONCE)]
    found: Counter[str] = Counter()
    for part in pool.map(partial(batch, name, images, arguments.seeds), parts):
        found.update(part)
        yield {"world": name, "images": images, "seeds": arguments.seeds} | dict(sorted(found.items()))


def main() -> None:
    """Count, and save and show what was counted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=460, help="but 500 where a class is rare")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--worlds", default=",".join(WORLDS))
    parser.add_argument("--save", type=Path, help="JSON file of the counts of every design, old ones kept")
    parser.add_argument("--tables", action="store_true", help="print the tables of what --save holds")
    parser.add_argument("--figure", type=Path, help="draw the power of all designs that --save holds, .svg or .png")
    arguments = parser.parse_args()
    if (arguments.figure or arguments.tables) and not arguments.save:
        parser.error("--figure and --tables show what --save keeps: give both")
    cells: Cells = json.loads(arguments.save.read_text()) if arguments.save and arguments.save.exists() else []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for name in arguments.worlds.split(",") if arguments.studies else []:
            started = time.perf_counter()
            counted: dict[str, Any] = {}
            for cell in count(name, arguments, pool):
                counted = dict(cell)
                cells = replaced(cells, counted)
                if arguments.save:
                    arguments.save.write_text(json.dumps(cells, indent=1) + "\n")
            seconds = math.ceil(time.perf_counter() - started)
            print(json.dumps(counted if not arguments.save else {"world": name, "seconds": seconds}), flush=True)
    if arguments.tables:
        print_tables(cells, WORLDS)
    if arguments.figure:
        draw(arguments.figure, cells, WORLDS)


if __name__ == "__main__":
    main()
