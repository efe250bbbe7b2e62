"""The looks of a sequential study: which arms are judged at each, which verdicts are kept, and which arms go on.

An arm that is said to help or to hurt is told: it keeps the verdict of that look and gets no more seeds. Holm's
correction counts all arms of the plan at every look, as many as that are told already. Equivalence is tested once, at
the last look.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from xrayaug.evaluation import checks, findings, verdict
from xrayaug.evaluation.results import ArmVerdict, EvaluatedArm, SequentialLook, Verdict
from xrayaug.stats.sequential import Look


@dataclass(frozen=True)
class CurrentLook:
    """The look that an evaluation is: its place in the plan, and the verdicts of the look before, by test set."""

    look: Look
    looks: Sequence[Look]  # of the plan
    plan: str  # sha256
    previous: Mapping[str, Verdict] = field(default_factory=dict)

    @property
    def stopped(self) -> frozenset[str]:
        """Names of arms, controls and baselines that got no more seeds after an earlier look."""
        before = next((each.sequential for each in self.previous.values() if each.sequential), None)
        return frozenset(before.stopped) if before else frozenset()


def complete_verdict(
    now: Verdict, name: str, arms: Sequence[EvaluatedArm], current: CurrentLook, stopped: Sequence[str]
) -> Verdict:
    """Return the verdicts of this look with those of arms that had ended before.

    Args:
        now: verdicts on the arms that went on, on one test set.
        name: of the test set.
        arms: all arms.
        current: the look.
        stopped: what gets no more seeds after it, see `list_stopped`.
    """
    kept = {each.arm: each for each in current.previous[name].arms} if name in current.previous else {}
    judged = {each.arm: each for each in now.arms}
    failure = checks.find_critical_failure(now.checks)
    sequential = SequentialLook(
        current.plan,
        current.look.number,
        [each.seeds for each in current.looks],
        [each.level for each in current.looks],
        list(stopped),
    )
    merged = []
    for arm in arms:
        if arm.name in judged:
            each = judged[arm.name]
            merged.append(replace(each, reason="; ".join([each.reason, describe_arm(each, sequential)])))
        elif arm.name in kept:
            before = kept[arm.name]
            merged.append(before if failure is None else _withdraw(before, failure.sentence))
    return replace(now, arms=merged, sequential=sequential)


def list_stopped(arms: Sequence[EvaluatedArm], now: Verdict, current: CurrentLook) -> list[str]:
    """Return the names of all that get no more seeds after a look, in the order of the arms.

    These are the arms that are told, controls of such arms alone, and baselines of which no arm goes on; after the last
    look, or if no arm goes on, all.

    Args:
        arms: all arms.
        now: verdicts on the arms that went on, on the test set that decides.
        current: the look.
    """
    told = {each.arm for each in now.arms if _is_told(each)}
    ended = {arm.name for arm in arms if arm.control is None and arm.name in current.stopped | told}
    of_arms = [arm for arm in arms if arm.control is None and findings.find_baseline(arm, arms) != arm]
    going_on = [arm for arm in of_arms if arm.name not in ended]
    if current.look.is_last or not going_on:
        return [arm.name for arm in arms]
    for arm in arms:
        if arm.control is not None:
            controlled = [each for each in of_arms if arm in findings.find_controls(each, arms)]
            if controlled and not any(each in going_on for each in controlled):
                ended.add(arm.name)
    needed = {baseline.name for arm in going_on if (baseline := findings.find_baseline(arm, arms)) is not None}
    needed |= {arm.name for arm in going_on}
    for arm in arms:
        if arm.control is not None and arm.name not in ended and (own := findings.find_baseline(arm, arms)):
            needed.add(own.name)
    return [arm.name for arm in arms if arm.name in ended or (arm.control is None and arm.name not in needed)]


def list_notes(verdicts: Verdict) -> list[str]:
    """Return what there is to say of the looks at a study, one sentence each; none if it was judged once."""
    planned = describe_levels(verdicts.sequential) if verdicts.sequential else ""
    notes = (planned, describe_goes_on(verdicts), describe_bias(verdicts), describe_earlier(verdicts))
    return [f"{note}." for note in notes if note]


def describe_levels(sequential: SequentialLook) -> str:
    """Return at which look and level this evaluation is, in one sentence."""
    total = len(sequential.seeds)
    planned = ", ".join(
        f"{level:.2g} at {seeds}" for level, seeds in zip(sequential.levels, sequential.seeds, strict=True)
    )
    return (
        f"Sequential study: look {sequential.number} of at most {total}, by a plan that was locked before the first "
        f"(sha256 {sequential.plan[:12]}). Levels by seeds: {planned}, 5 % in all"
    )


def describe_arm(arm: ArmVerdict, sequential: SequentialLook | None) -> str:
    """Return at which look and level the verdict on an arm was made, with the interval of that level; or nothing."""
    if arm.look is None or sequential is None:
        return ""
    look, total = arm.look, len(sequential.seeds)
    made = "told" if _is_told(arm) else "judged"
    tested = f"{made} at look {look.number} of {total}, {look.seeds} seeds, at the level {look.level:.2g}"
    if look.low is None or look.high is None:
        return tested
    confidence = f"{100 * (1 - look.level):.4g} %"
    return f"{tested}: {confidence} interval {look.low:+.3f} to {look.high:+.3f} (uncorrected for several arms)"


def describe_bias(verdicts: Verdict) -> str:
    """Return a caution on the estimates of arms that were told before the last look; empty if none was."""
    last = len(verdicts.sequential.seeds) if verdicts.sequential else 0
    early = [each.arm for each in verdicts.arms if each.look and each.look.number < last and _is_told(each)]
    if not early:
        return ""
    return (
        "Told early, so that the difference is biased away from 0 (Pocock and Hughes 1989): "
        f"{'; '.join(f'arm {name}' for name in early)}. Expect a smaller one"
    )


def describe_goes_on(verdicts: Verdict) -> str:
    """Return which arms go on after this look; empty if none does."""
    if verdicts.sequential is None:
        return ""
    names = [each.arm for each in verdicts.arms if each.control is None and each.arm not in verdicts.sequential.stopped]
    if not names:
        return ""
    following = verdicts.sequential.seeds[verdicts.sequential.number]
    return f"Not the last look, on to {following} seeds: {'; '.join(f'arm {name}' for name in names)}"


def describe_earlier(verdicts: Verdict) -> str:
    """Return that the study was judged before without a plan, and what that does to the level; empty if it was not."""
    if not verdicts.earlier:
        return ""
    question = verdicts.question
    times, is_grown = [], False
    for each in verdicts.earlier:
        other = [
            *([f"by {each.metric}"] if each.metric != question.metric else []),
            *([f"per {each.level}"] if each.level != question.level else []),
            *([f"with the margin {each.margin:g}"] if each.margin != question.margin else []),
        ]
        is_grown = is_grown or not other
        seeds = "1 seed" if each.seeds == 1 else f"{each.seeds} seeds"
        times.append(" ".join([f"at {seeds}", *other, f"({each.started[:10]})"]))
    consequence = (
        "judged at every number of seeds from 3 to 12, 7 % of simulated studies without any effect were said to have "
        "one, and 3 % judged once (experiment --sequential plans several looks)"
        if is_grown
        else "a score that is chosen after results were seen has several chances"
    )
    return (
        f"This study was judged before {', '.join(times)} without a plan for it, so the 5 % do not hold: {consequence}"
    )


def _is_told(arm: ArmVerdict) -> bool:
    """Return whether an arm has a verdict with which it ends; a control ends with its arms."""
    return arm.control is None and arm.verdict in (verdict.HELPS, verdict.HURTS)


def _withdraw(before: ArmVerdict, sentence: str) -> ArmVerdict:
    """Return an earlier verdict as it is after a critical check has failed."""
    return replace(before, verdict=verdict.UNCLEAR, reason=f"{sentence}; {before.reason}")
