"""Conclude from scored networks with a verdict on every arm, and with everything that supports it."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from xrayaug.errors import VerdictError
from xrayaug.evaluation import checks, findings, verdict
from xrayaug.evaluation.arm_judge import ArmJudge
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.evaluation.findings import ScoredArms
from xrayaug.evaluation.results import (
    HALF,
    VERDICT_FILE,
    Check,
    EvaluatedArm,
    Family,
    Question,
    Verdict,
)
from xrayaug.evaluation.verdict import Contrast
from xrayaug.stats import intervals
from xrayaug.stats.intervals import Estimate
from xrayaug.stats.sequential import Look

_Key = tuple[int, str, str | None]  # place of a test set, arm, and its control or None for its baseline


def conclude(
    arms: Sequence[EvaluatedArm],
    scored: ScoredArms,
    question: Question,
    study_checks: Sequence[Check],
    *,
    look: Look | None = None,
    stopped: Collection[str] = (),
) -> Verdict:
    """Return the verdict on every arm but the baselines, with the checks it rests on.

    Controls are corrected separately from the arms, so that adding a control costs the arms no power.
    """
    return conclude_together(arms, [(scored, study_checks)], question, look=look, stopped=stopped)[0]


def conclude_together(
    arms: Sequence[EvaluatedArm],
    sets: Sequence[tuple[ScoredArms, Sequence[Check]]],
    question: Question,
    *,
    look: Look | None = None,
    stopped: Collection[str] = (),
) -> list[Verdict]:
    """Return the verdicts on every arm on several test sets, corrected for all arms on all of these sets.

    Args:
        arms: that are compared.
        sets: the networks on each test set, and the checks of it.
        question: of the evaluation.
        look: of a sequential study, whose level differences are tested at; None: they are tested at 5 %.
        stopped: names of arms that got no more seeds after an earlier look: they are counted, and not judged again.
    """
    judged, judges = _list_judges(arms, [scored for scored, _ in sets], question, look, stopped)
    contrasts, families = _test_families(arms, judged, judges, question, look)
    return [
        Verdict(
            question,
            threshold=HALF,
            confidence=1 - intervals.ALPHA,
            valid=checks.find_critical_failure(study_checks) is None,
            checks=study_checks,
            arms=[
                judge.judge_arm(
                    arm,
                    {(name, other): each for (at, name, other), each in contrasts.items() if at == place},
                    checks.find_critical_failure(study_checks),
                )
                for arm in judged
            ],
            families=families,
        )
        for place, (judge, (_, study_checks)) in enumerate(zip(judges, sets, strict=True))
    ]


def tell(
    arms: Sequence[EvaluatedArm],
    networks: Mapping[str, Sequence[ScoredNetwork]],
    question: Question,
    *,
    look: Look | None = None,
    stopped: Collection[str] = (),
) -> dict[str, tuple[str, Contrast]]:
    """Return the verdict on every arm as `conclude` decides it where no critical check fails, and nothing else.

    Args:
        arms: that are compared.
        networks: of each arm by name, with the scores at 0.5 and the influences of the metric of the question.
        question: of the evaluation.
        look: as in `conclude_together`.
        stopped: as in `conclude_together`.

    Returns:
        By the name of the arm the verdict, and the arm's contrast to its baseline.
    """
    judged, (judge,) = _list_judges(arms, [{(question.level, HALF): networks}], question, look, stopped)
    contrasts, _ = _test_families(arms, judged, [judge], question, look)
    by_arm = {(name, control): each for (_, name, control), each in contrasts.items()}
    return {arm.name: (judge.tell(arm, by_arm), by_arm[arm.name, None]) for arm in judged}


def _list_judges(
    arms: Sequence[EvaluatedArm],
    sets: Sequence[ScoredArms],
    question: Question,
    look: Look | None,
    stopped: Collection[str],
) -> tuple[list[EvaluatedArm], list[ArmJudge]]:
    """Return the arms to judge, all but the baselines and those that have ended, and a judge for each test set."""
    going_on = [arm for arm in arms if arm.name not in stopped]
    judged = [arm for arm in going_on if findings.find_baseline(arm, arms) != arm]
    return judged, [ArmJudge(going_on, scored, question, look) for scored in sets]


def _test_families(
    arms: Sequence[EvaluatedArm],
    judged: Sequence[EvaluatedArm],
    judges: Sequence[ArmJudge],
    question: Question,
    look: Look | None,
) -> tuple[dict[_Key, Contrast], list[Family]]:
    """Test all differences of the arms, each family with a correction of its own."""
    planned = _count_comparisons(arms)
    contrasts: dict[_Key, Contrast] = {}
    families: list[Family] = []
    for compared, differences in _group_into_families(judged, judges).items():
        if look is None:
            tested = verdict.decide(differences, question.margin)
            tests = sum(each.p_different is not None for each in tested.values())
        else:
            level, tests = look.level, planned[compared] * len(judges)
            tested = verdict.decide(
                differences, question.margin, level=level, equivalence_level=look.equivalence_level, size=tests
            )
        contrasts |= {key: Contrast(differences[key], decision, tests) for key, decision in tested.items()}
        families.append(Family(compared, "difference", tests, look.level if look else intervals.ALPHA))
        if look is None or look.equivalence_level is not None:
            families.append(Family(compared, "equivalence", tests, intervals.ALPHA))
    return contrasts, families


def _group_into_families(
    judged: Sequence[EvaluatedArm], judges: Sequence[ArmJudge]
) -> dict[str, dict[_Key, Estimate | None]]:
    """Return the differences that are corrected together, by what they compare."""
    families: dict[str, dict[_Key, Estimate | None]] = {}
    for place, judge in enumerate(judges):
        for arm in judged:
            for compared, control in _list_comparisons(arm, judge.arms):
                difference = (
                    judge.difference(arm, judge.question.metric)
                    if control is None
                    else judge.difference_to_control(arm, control)
                )
                key = place, arm.name, None if control is None else control.name
                families.setdefault(compared, {})[key] = difference
    return families


def _list_comparisons(arm: EvaluatedArm, arms: Sequence[EvaluatedArm]) -> Iterator[tuple[str, EvaluatedArm | None]]:
    """Yield what an arm is compared with, None for its baseline, each after the name of its family."""
    one, whose = ("arms", "their") if arm.control is None else ("controls", "other")
    yield f"{one} with the baseline", None
    for control in findings.find_controls(arm, arms):
        yield f"{one} with {whose} controls", control


def _count_comparisons(arms: Sequence[EvaluatedArm]) -> Counter[str]:
    """Return the number of comparisons of each family on one test set, with those of arms that have ended."""
    judged = [arm for arm in arms if findings.find_baseline(arm, arms) != arm]
    return Counter(compared for arm in judged for compared, _ in _list_comparisons(arm, arms))


def demand(verdicts: Verdict, wanted: str | None) -> None:
    """Check the verdicts on the arms that are no controls against `--fail-unless`.

    Raises:
        VerdictError: no arm has the verdict that is wanted.
    """
    arms = [arm for arm in verdicts.arms if arm.control is None]
    if wanted is not None and all(arm.verdict != wanted for arm in arms):
        listed = ", ".join(f"{arm.arm}: {verdict.DISPLAY_NAMES[arm.verdict]}" for arm in arms)
        raise VerdictError(
            f"no arm has the verdict '{wanted}': {listed or 'no arm was judged'}", f"the reasons are in {VERDICT_FILE}"
        )
