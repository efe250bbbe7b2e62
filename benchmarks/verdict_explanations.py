"""How often is an arm wrongly told from its controls, and a moved prior wrongly called the only cause?

The studies are those of `verdict_worlds`. In the worlds of controls, each of four arms has a control of its own;
verdicts are made as with `--against baseline`, `control` and `both`. In the world `prior`, the scores of five arms are
shifted as by 85 % normal training images instead of 73 %, and their AUROC falls by 0 to 5 points.

    python benchmarks/verdict_explanations.py null --studies 2000
    python benchmarks/verdict_explanations.py prior --studies 2000 --images 2000 --auroc 0.91
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from verdict_calibration import MARGIN, PRIORS, VALIDATION, score_network
from verdict_worlds import Drawer, Study, World

from xrayaug.evaluation import comparison, prior_shift, verdict
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.evaluation.verdict import Decision
from xrayaug.stats import classification

ARMS = 4
STREAM = 77
WORLDS = {  # true effects on the AUROC: of the arms, then of their controls
    "null": (0.0,) * 8,
    "one": (0.05, *(0.0,) * 7),
    "mixed": (0.05, 0.05, 0.0, 0.0, 0.05, 0.05, -0.05, -0.05),  # two arms equal their control, two the baseline
}
FALLS = (0.0, -0.01, -0.02, -0.03, -0.05)
SHIFT = -0.74  # the log odds of 0.85 normal less those of 0.73
SCORES = ("auroc", "accuracy", "sensitivity", "specificity")
TOLD = (verdict.HELPS, verdict.HURTS)

Networks = Sequence[Sequence[ScoredNetwork]]


def judge_controls(arms: Networks, effects: Sequence[float]) -> Counter[str]:
    """Count what is said of four arms, which follow the baseline and are followed by their controls."""
    baseline, *others = arms
    treated, controls = others[:ARMS], others[ARMS:]
    to_baseline = {
        place: comparison.estimate_difference(arm, baseline, "auroc", treated) for place, arm in enumerate(treated)
    }
    to_control = {
        place: comparison.estimate_difference(arm, control, "auroc", treated)
        for place, (arm, control) in enumerate(zip(treated, controls, strict=True))
    }
    decisions = verdict.decide(to_baseline, MARGIN), verdict.decide(to_control, MARGIN)
    truths = [(effects[place], effects[place] - effects[ARMS + place]) for place in range(ARMS)]
    equal = [place for place, (_, to_own) in enumerate(truths) if to_own == 0]
    found = Counter(studies=1)
    found["told from an equal control, uncorrected"] += any(verdict.is_significant(to_control[each]) for each in equal)
    found["told from an equal control, Holm"] += any(decisions[1][each].is_different for each in equal)
    for against, families in {"baseline": (0,), "control": (1,), "both": (0, 1)}.items():
        found += _count_verdicts(against, families, decisions, truths)
    return found


def _count_verdicts(
    against: str,
    families: Sequence[int],
    decisions: Sequence[Mapping[int, Decision]],
    truths: Sequence[tuple[float, float]],
) -> Counter[str]:
    found: Counter[str] = Counter()
    is_false = False
    for place, of_arm in enumerate(truths):
        said = verdict.agree([decisions[family][place].verdict for family in families])
        signs = {int(np.sign(of_arm[family])) for family in families}
        right = {1: verdict.HELPS, -1: verdict.HURTS}.get(signs.pop() if len(signs) == 1 else 0)
        is_false |= said in TOLD and said != right
        if said in TOLD and said == right:
            found[f"{against}: arm {place + 1} told"] += 1
    found[f"{against}: some arm falsely told"] += is_false
    return found


def judge_prior(half: Networks, chosen: Networks) -> Counter[str]:
    """Count what is said of a moved prior; `unseen` is that neither AUROC nor chosen accuracy differs significantly."""
    found = Counter(studies=1)
    for place, fall in enumerate(FALLS, 1):
        accuracies = [
            comparison.estimate_difference(arms[place], arms[0], "accuracy", arms[1:]) for arms in (half, chosen)
        ]
        auroc = comparison.estimate_difference(half[place], half[0], "auroc", half[1:])
        call_rate = comparison.estimate_call_rate_difference(half[place], half[0], half[1:])
        shift = prior_shift.judge_prior_shift(PRIORS, call_rate, (accuracies[0], accuracies[1]), auroc, MARGIN)
        is_unseen = not verdict.is_significant(auroc) and not verdict.is_significant(accuracies[1])
        found[f"{fall:+.2f} contributes"] += shift.contributes
        found[f"{fall:+.2f} unseen"] += shift.contributes and is_unseen
        found[f"{fall:+.2f} alone"] += shift.explains_difference
    return found


def score(test: Study, valid: Study) -> tuple[Networks, Networks]:
    """Return every network at the threshold 0.5, and at that chosen on validation."""
    half, chosen = [], []
    for of_test, of_valid in zip(test.probabilities, valid.probabilities, strict=True):
        thresholds = [classification.find_threshold(valid.labels, each) for each in of_valid]
        half.append([score_network(test, seed, each, metrics=SCORES) for seed, each in enumerate(of_test)])
        chosen.append(
            [
                score_network(test, seed, each, threshold, metrics=SCORES)
                for seed, (each, threshold) in enumerate(zip(of_test, thresholds, strict=True))
            ]
        )
    return half, chosen


def main() -> None:
    """Print the counts as one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("world", choices=[*WORLDS, "prior"])
    parser.add_argument("--images", type=int, default=460)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--auroc", type=float, default=0.80, help="of the baseline")
    arguments = parser.parse_args()
    design = {"images": arguments.images, "seeds": arguments.seeds, "auroc": arguments.auroc}
    if arguments.world == "prior":
        world = World(FALLS, shifts=(SHIFT,) * len(FALLS), **design)
    else:
        world = World(WORLDS[arguments.world], controls=ARMS, **design)
    drawer, found = Drawer(world), Counter[str]()
    for number in range(arguments.studies):
        random = np.random.default_rng([STREAM, arguments.images, arguments.seeds, number])
        if arguments.world == "prior":
            test, valid = drawer.draw(random, [arguments.images, VALIDATION])
            found.update(judge_prior(*score(test, valid)))
        else:
            (test,) = drawer.draw(random, [arguments.images])
            arms = [
                [score_network(test, seed, each, metrics=["auroc"]) for seed, each in enumerate(arm)]
                for arm in test.probabilities
            ]
            found.update(judge_controls(arms, WORLDS[arguments.world]))
    print(json.dumps({"world": arguments.world, **design, **dict(sorted(found.items()))}))


if __name__ == "__main__":
    main()
