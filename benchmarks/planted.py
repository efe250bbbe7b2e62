"""Are gains found as often as `evaluate --planted` says? Simulated studies whose true gains are known.

Of each design, fresh studies are drawn by `verdict_worlds` in which the first arm has a true gain and the others have
none, and judged; the share in which the arm is said to help is the truth. In other studies of the design, in which no
arm has a gain, `plant_gains` says what the share would be, and the mean over these studies is compared with the truth.

    python benchmarks/planted.py --images 460,2000 --seeds 3,5 --studies 200 --save planted.json

`benchmarks/planted_leaks.py` does the same for leaks and copies.
"""

import argparse
import itertools
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq
from verdict_worlds import Drawer, Study, World

from xrayaug.evaluation import verdict
from xrayaug.evaluation.planted import gains
from xrayaug.evaluation.planted.gains import GAINS, JudgedStudy
from xrayaug.evaluation.results import EvaluatedArm, Question

MARGIN = 0.02
MAX_EFFECT = 0.15  # on the AUROC, of an arm with a gain in another score
PLAIN, PLANTED = 0, 1  # streams of fresh studies and of those in which gains are planted


def arrange(drawn: Study, metric: str, seed: int) -> JudgedStudy:
    """Return a drawn study as an evaluation would judge it; its first arm is the baseline."""
    names = [f"arm {number}" for number in range(len(drawn.probabilities))]
    return JudgedStudy(
        arms=[EvaluatedArm(name, None, None, names[0]) for name in names],
        labels=drawn.labels,
        patients=drawn.patients,
        probabilities={name: dict(enumerate(of)) for name, of in zip(names, drawn.probabilities, strict=True)},
        question=Question(metric, "image", MARGIN, seed),
    )


def make_world(metric: str, gain: float, arms: int, images: int, seeds: int) -> World:
    """Return a world whose first arm has this true gain in a score, and the other arms none."""

    def make(effect: float) -> World:
        return World((effect, *(0.0,) * (arms - 1)), images=images, seeds=seeds)

    if metric == "auroc" or not gain:
        return make(gain)
    return make(brentq(lambda effect: float(np.diff(make(effect).truth(metric)[:2])[0]) - gain, 0.0, MAX_EFFECT))


def count_fresh(world: World, metric: str, studies: int) -> int:
    """Return in how many fresh studies of a world the first arm is said to help."""
    drawer, found = Drawer(world), 0
    for number in range(studies):
        random = np.random.default_rng([PLAIN, world.images, world.seeds, number])
        (drawn,) = drawer.draw(random, [world.images])
        told = gains.judge(arrange(drawn, metric, number))
        found += told["arm 1"][0] == verdict.HELPS
    return found


def plant(world: World, metric: str, studies: int, redraws: int) -> dict[float, dict[str, list[float]]]:
    """Return for each gain the share that each study without a gain says it is found in, by redraws and by formula."""
    drawer = Drawer(world)
    shares: dict[float, dict[str, list[float]]] = {gain: defaultdict(list) for gain in GAINS}
    for number in range(studies):
        random = np.random.default_rng([PLANTED, world.images, world.seeds, number])
        (drawn,) = drawer.draw(random, [world.images])
        rates, _ = gains.plant_gains(arrange(drawn, metric, number), redraws)
        for gain in GAINS:
            of_arms = [each for each in rates if each.amount == gain]
            if of_arms:
                shares[gain]["redrawn"].append(float(np.mean([each.share for each in of_arms])))
                shares[gain]["formula"].append(float(np.mean([each.expected or 0.0 for each in of_arms])))
    return shares


def main() -> None:
    """Compare the designs, one line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default="460,2000")
    parser.add_argument("--seeds", default="3,5")
    parser.add_argument("--arms", type=int, default=3)
    parser.add_argument("--metric", default="auroc", choices=("auroc", "accuracy"))
    parser.add_argument("--studies", type=int, default=200, help="in which gains are planted")
    parser.add_argument("--fresh", type=int, default=1000, help="studies of each gain that are judged")
    parser.add_argument("--redraws", type=int, default=30, help="of each study, arm and gain")
    parser.add_argument("--save", type=Path, help="JSON file")
    arguments = parser.parse_args()
    lines: list[dict[str, Any]] = []
    designs = itertools.product(*(map(int, each.split(",")) for each in (arguments.images, arguments.seeds)))
    for images, seeds in designs:
        started = time.perf_counter()
        null = make_world(arguments.metric, 0.0, arguments.arms, images, seeds)
        shares = plant(null, arguments.metric, arguments.studies, arguments.redraws)
        for gain in GAINS:
            world = make_world(arguments.metric, gain, arguments.arms, images, seeds)
            found = count_fresh(world, arguments.metric, arguments.fresh)
            said = shares[gain]["redrawn"]
            lines.append(
                {
                    "metric": arguments.metric,
                    "images": images,
                    "seeds": seeds,
                    "gain": gain,
                    "true_gain": round(float(np.diff(world.truth(arguments.metric)[:2])[0]), 4),
                    "fresh": found / arguments.fresh,
                    "redrawn": round(float(np.mean(said)), 4),
                    "redrawn_10_90": [round(float(each), 3) for each in np.quantile(said, (0.1, 0.9))],
                    "formula": round(float(np.mean(shares[gain]["formula"])), 4),
                    "studies": len(said),
                }
            )
            print(json.dumps(lines[-1]), flush=True)
        print(f"{images} images, {seeds} seeds: {time.perf_counter() - started:.0f} s", flush=True)
        if arguments.save:
            arguments.save.write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
