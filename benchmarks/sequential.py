"""How often is a sequential study wrong, how much does it detect, and how many seeds does it train?

The studies are those of `verdict_worlds`, with AUROC 0.80 at baseline and four arms, drawn with all seeds; a look sees
the first of them. What is judged is the package's own: the levels of `sequential.plan_looks`, `estimate_difference`
with the variance between seeds pooled over the arms that go on, and `verdict.decide` with Holm's family as planned. An
arm that is told gets no more seeds.

    python benchmarks/sequential.py --studies 2000 --save benchmarks/sequential.json

They are compared with one look at twelve seeds, and with looks at every number from 3 to 12 at 5 % each.
"""

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from verdict_calibration import MARGIN, score_network
from verdict_worlds import Drawer, World

from xrayaug.evaluation import comparison, verdict
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.stats import sequential
from xrayaug.stats.intervals import ALPHA
from xrayaug.stats.sequential import Look

METRIC = "auroc"
SEEDS = 12
AT_ONCE = 100  # studies between two writes
WORLDS = {
    "null": World((0.0,) * 4, seeds=SEEDS),
    "skewed": World((0.0,) * 4, seeds=SEEDS, skewed=True),
    "variable-arm": World((0.0,) * 4, seeds=SEEDS, factors=(1, 3, 1, 1, 1)),
    "generators": World((0.0,) * 4, seeds=SEEDS, generator=0.02),
    "effects": World((0.01, 0.03, 0.05, 0.0), seeds=SEEDS),
}


def repeat_untold(seeds: Sequence[int]) -> list[Look]:
    """Return looks that are each tested at 5 %, as a study that is grown by hand is."""
    return [Look(number, each, ALPHA, number == len(seeds)) for number, each in enumerate(seeds, 1)]


PLANS = {
    "3,5,8,12": sequential.plan_looks((3, 5, 8, 12)),
    "3,5": sequential.plan_looks((3, 5)),
    "12": repeat_untold((12,)),
    "every S from 3 to 12, 5 % each": repeat_untold(range(3, SEEDS + 1)),
}


def judge(arms: Sequence[Sequence[ScoredNetwork]], looks: Sequence[Look]) -> dict[int, tuple[str, int]]:
    """Return the verdict on each arm and the number of its seeds; the first arm is the baseline."""
    going_on = list(range(1, len(arms)))
    ended: dict[int, tuple[str, int]] = {}
    for look in looks:
        baseline, *others = ([*arm[: look.seeds]] for arm in (arms[0], *(arms[place] for place in going_on)))
        differences = {
            place: comparison.estimate_difference(arm, baseline, METRIC, others)
            for place, arm in zip(going_on, others, strict=True)
        }
        decisions = verdict.decide(
            differences,
            MARGIN,
            level=look.level,
            equivalence_level=look.equivalence_level,
            size=len(arms) - 1,
        )
        for place, decision in decisions.items():
            if look.is_last or decision.verdict in (verdict.HELPS, verdict.HURTS):
                ended[place] = decision.verdict, look.seeds
        going_on = [place for place in going_on if place not in ended]
        if not going_on:
            break
    return ended


def count(world: World, name: str, studies: range) -> dict[str, Counter[str]]:
    """Return the counts of each plan over several studies, each of which depends on its number alone."""
    found: dict[str, Counter[str]] = {plan: Counter() for plan in PLANS}
    drawer, place = Drawer(world), list(WORLDS).index(name)
    for number in studies:
        (test,) = drawer.draw(np.random.default_rng([world.images, place, number, 1]), [world.images])
        arms = [
            [score_network(test, seed, given, metrics=[METRIC]) for seed, given in enumerate(arm)]
            for arm in test.probabilities
        ]
        for plan, looks in PLANS.items():
            ended = judge(arms, looks)
            found[plan]["studies"] += 1
            wrong = [
                told
                for arm, (told, _) in ended.items()
                if told in (verdict.HELPS, verdict.HURTS) and not is_right(told, world.effects[arm - 1])
            ]
            found[plan]["some false"] += bool(wrong)
            for arm, (told, seeds) in ended.items():
                found[plan][f"{arm} {told}"] += 1
                found[plan][f"{arm} seeds"] += seeds
            trained = sum(seeds for _, seeds in ended.values()) + max(seeds for _, seeds in ended.values())
            found[plan]["trainings"] += trained
    return found


def is_right(told: str, effect: float) -> bool:
    """Return whether an arm of this effect is rightly said to help or to hurt."""
    return effect != 0 and told == (verdict.HELPS if effect > 0 else verdict.HURTS)


def tabulate(cells: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    """Return a Markdown table of the counts."""
    lines = [
        "| world | looks | studies | some false | told, by arm | seeds, by arm | trainings |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, plans in cells.items():
        world = WORLDS[name]
        for plan, counts in plans.items():
            studies = counts["studies"]
            share = counts.get("some false", 0) / studies
            error = math.sqrt(share * (1 - share) / studies)
            told = [
                100 * sum(counts.get(f"{arm} {each}", 0) for each in (verdict.HELPS, verdict.HURTS)) / studies
                for arm in range(1, world.arms)
            ]
            seeds = [counts[f"{arm} seeds"] / studies for arm in range(1, world.arms)]
            lines.append(
                f"| {name} | {plan} | {studies:,} | {100 * share:.1f} ± {196 * error:.1f} % | "
                f"{', '.join(f'{each:.1f}' for each in told)} | {', '.join(f'{each:.1f}' for each in seeds)} | "
                f"{counts['trainings'] / studies:.1f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Count, and save and print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--worlds", default=",".join(WORLDS))
    parser.add_argument("--save", type=Path, help="JSON file of the counts; those of other worlds are kept")
    arguments = parser.parse_args()
    cells: dict[str, Any] = json.loads(arguments.save.read_text()) if arguments.save and arguments.save.exists() else {}
    for name in arguments.worlds.split(",") if arguments.studies else []:
        started, found = time.perf_counter(), {plan: Counter[str]() for plan in PLANS}
        for read in range(0, arguments.studies, AT_ONCE):
            studies = range(read, min(read + AT_ONCE, arguments.studies))
            for plan, counts in count(WORLDS[name], name, studies).items():
                found[plan].update(counts)
            cells[name] = {plan: dict(sorted(counts.items())) for plan, counts in found.items()}
            if arguments.save:
                arguments.save.write_text(json.dumps(cells, indent=1) + "\n")
        print(json.dumps({"world": name, "seconds": math.ceil(time.perf_counter() - started)}), flush=True)
    print(tabulate(cells))


if __name__ == "__main__":
    main()
