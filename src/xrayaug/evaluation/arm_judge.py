"""Judge one arm: its differences to the baseline and to its controls, its verdict, and what supports it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from xrayaug.evaluation import comparison, control_contrasts, findings, prior_shift, verdict
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.evaluation.findings import ScoredArms
from xrayaug.evaluation.results import (
    CHOSEN,
    HALF,
    ArmLook,
    ArmVerdict,
    BootstrapInterval,
    Check,
    ControlComparison,
    ControlDifference,
    Difference,
    EvaluatedArm,
    PriorShift,
    Question,
    SignFlip,
)
from xrayaug.evaluation.verdict import Contrast
from xrayaug.options import Against
from xrayaug.stats import classification, intervals, paired_tests, power
from xrayaug.stats.intervals import Estimate
from xrayaug.stats.sequential import Look

BASELINE, CONTROL, _ = get_args(Against)


@dataclass(frozen=True)
class ArmJudge:
    """All arms, their scored networks, and the question."""

    arms: Sequence[EvaluatedArm]
    scored: ScoredArms
    question: Question
    look: Look | None = None  # of a sequential study

    def difference(self, arm: EvaluatedArm, metric: str, threshold: str = HALF) -> Estimate | None:
        """Estimate the difference of an arm to its baseline; None if there is none."""
        baseline = findings.find_baseline(arm, self.arms)
        if baseline is None:
            return None
        networks = self.scored[self.question.level, threshold]
        pool = findings.find_pool(arm, self.arms, networks)
        return comparison.estimate_difference(networks[arm.name], networks[baseline.name], metric, pool)

    def difference_to_control(self, arm: EvaluatedArm, control: EvaluatedArm) -> Estimate | None:
        """Estimate the difference of an arm to a control in the score that decides."""
        networks = self.scored[self.question.level, HALF]
        pool = findings.find_pool(arm, self.arms, networks) if control.is_paired else []
        return comparison.estimate_difference(networks[arm.name], networks[control.name], self.question.metric, pool)

    def judge_arm(
        self, arm: EvaluatedArm, contrasts: Mapping[tuple[str, str | None], Contrast], failure: Check | None
    ) -> ArmVerdict:
        """Return the verdict on one arm; it is unclear if a critical check fails.

        Args:
            arm: that is judged.
            contrasts: of all arms to their baselines (None) and controls, by name.
            failure: the critical check that fails.
        """
        baseline, contrast = findings.find_baseline(arm, self.arms), contrasts[arm.name, None]
        shift = self._judge_prior_shift(arm)
        controls = self._compare_with_controls(arm, contrasts)
        decided, reasons = self._decide(arm, contrasts)
        if decided in (verdict.HELPS, verdict.HURTS) and self.question.against == BASELINE:
            reasons += [control.sentence for control in controls]
        return ArmVerdict(
            arm=arm.name,
            control=arm.control,
            baseline=baseline.name if baseline else None,
            verdict=verdict.UNCLEAR if failure else decided,
            reason="; ".join(
                filter(None, [failure.sentence if failure else "", *reasons, shift.sentence if shift else ""])
            ),
            difference=self._describe_difference(arm, contrast),
            pairs=[comparison.compare_pair(*pair) for pair in self._pairs(arm)],
            prior_shift=shift,
            controls=controls,
            generators=arm.generators,
            draws=arm.draws,
            look=self._describe_look(contrast.difference),
        )

    def _describe_look(self, difference: Estimate | None) -> ArmLook | None:
        """Return the look, with the interval at its level; None if the study is not sequential."""
        if self.look is None:
            return None
        low, high = (None, None) if difference is None else difference.interval(self.look.level)
        return ArmLook(self.look.number, self.look.seeds, self.look.level, low, high)

    def tell(self, arm: EvaluatedArm, contrasts: Mapping[tuple[str, str | None], Contrast]) -> str:
        """Return the verdict on an arm, on which all comparisons that `--against` asks for agree."""
        return verdict.agree([each.decision.verdict for *_, each in self._list_asked(arm, contrasts)])

    def _decide(self, arm: EvaluatedArm, contrasts: Mapping[tuple[str, str | None], Contrast]) -> tuple[str, list[str]]:
        """Return the verdict on an arm and the reasons."""
        metric, margin = classification.display_name(self.question.metric), self.question.margin
        compared = self._list_asked(arm, contrasts)
        if not compared:
            return verdict.UNCLEAR, ["there is no control of equal size to compare the arm with"]
        reasons = []
        for name, other, each in compared:
            missing = self._explain_missing(arm, other) if each.difference is None else ""
            reasons.append(verdict.explain(each.decision, each.difference, metric, margin, name, missing=missing))
        if len(compared) > 1:
            names = [verdict.DISPLAY_NAMES[each.decision.verdict] for *_, each in compared]
            others = [name or "the baseline" for name, *_ in compared]
            reasons.insert(0, ", ".join(f"{name} against {other}" for name, other in zip(names, others, strict=True)))
        return self.tell(arm, contrasts), reasons

    def _list_asked(
        self, arm: EvaluatedArm, contrasts: Mapping[tuple[str, str | None], Contrast]
    ) -> list[tuple[str, EvaluatedArm | None, Contrast]]:
        """Return the comparisons that `--against` asks for: a name, empty for the baseline, the other, the contrast.

        A control is itself compared with the baseline, whatever arms are judged against. Nothing is asked of an arm
        beside the controls of `UPPER_BOUNDS`. Nothing is returned if the arm has no control that is asked for.
        """
        against = BASELINE if arm.control is not None else self.question.against
        compared = (
            [] if against == CONTROL else [("", findings.find_baseline(arm, self.arms), contrasts[arm.name, None])]
        )
        if against != BASELINE:
            asked = [each for each in findings.find_controls(arm, self.arms) if _is_asked(each)]
            if not asked:
                return []
            compared += [(f"the control '{each.control}'", each, contrasts[arm.name, each.name]) for each in asked]
        return compared

    def _explain_missing(self, arm: EvaluatedArm, other: EvaluatedArm | None) -> str:
        """Return why the difference of an arm to another cannot be estimated; the other is None if there is none."""
        if other is None:
            return "there is no baseline (an arm of 0 % of the same real images)"
        networks = self.scored[self.question.level, HALF]
        return comparison.explain_missing(networks[arm.name], networks[other.name], self.question.metric)

    def _describe_difference(self, arm: EvaluatedArm, contrast: Contrast) -> Difference | None:
        """Return the difference to the baseline, with all p-values, the interval of the bootstrap and the sign flip."""
        difference, decision = contrast.difference, contrast.decision
        if difference is None:
            return None
        pairs, metric = self._pairs(arm), self.question.metric
        seed_differences = comparison.seed_differences(pairs, metric)
        low, high = intervals.percentile_interval(comparison.resampled_differences(pairs, metric), self.question.seed)
        sign_flip = SignFlip(*paired_tests.sign_flip(seed_differences))
        bounds = difference.interval()
        return Difference(
            difference.value,
            *bounds,
            seeds=difference.seeds,
            standard_error=difference.error,
            seed_variance=difference.seed_variance,
            patient_variance=difference.patient_variance,
            p=difference.p_value(),
            p_holm=decision.p_different,
            p_equivalent=difference.p_equivalent(self.question.margin),
            p_equivalent_holm=decision.p_equivalent,
            bootstrap=BootstrapInterval("percentile", low, high),
            sign_flip=sign_flip,
            seed_differences={one.seed: float(value) for (one, _), value in zip(pairs, seed_differences, strict=True)},
            pooled_df=difference.pooled_df,
            detectable_difference=_find_detectable(contrast),
            showable_margin=_apply(power.showable_margin, contrast),
        )

    def _judge_prior_shift(self, arm: EvaluatedArm) -> PriorShift | None:
        """Judge whether a shifted class prior explains the difference; None where that cannot be known."""
        baseline = findings.find_baseline(arm, self.arms) or arm
        has_chosen = (self.question.level, CHOSEN) in self.scored
        if arm.share_normal is None or baseline.share_normal is None or not has_chosen:
            return None
        return prior_shift.judge_prior_shift(
            (arm.share_normal, baseline.share_normal),
            self._call_rate_difference(arm),
            (self.difference(arm, "accuracy"), self.difference(arm, "accuracy", CHOSEN)),
            self.difference(arm, "auroc"),
            self.question.margin,
        )

    def _call_rate_difference(self, arm: EvaluatedArm) -> Estimate | None:
        baseline, networks = findings.find_baseline(arm, self.arms), self.scored[self.question.level, HALF]
        if baseline is None:
            return None
        pool = findings.find_pool(arm, self.arms, networks)
        return comparison.estimate_call_rate_difference(networks[arm.name], networks[baseline.name], pool)

    def _compare_with_controls(
        self, arm: EvaluatedArm, contrasts: Mapping[tuple[str, str | None], Contrast]
    ) -> list[ControlComparison]:
        """Compare an arm with its controls."""
        compared = []
        for each in findings.find_controls(arm, self.arms):
            contrast = contrasts[arm.name, each.name]
            relation, sentence = control_contrasts.compare_with_control(
                each.control or each.name,
                each.settings.schedule if each.settings else None,
                arm=contrasts[arm.name, None],
                control=contrasts[each.name, None],
                contrast=contrast,
                margin=self.question.margin,
            )
            difference = self._describe_control_difference(contrast)
            compared.append(
                ControlComparison(
                    each.control or each.name,
                    relation,
                    sentence,
                    difference,
                    each.name,
                    contrast.decision.verdict,
                    _is_asked(each),
                )
            )
        return compared

    def _describe_control_difference(self, contrast: Contrast) -> ControlDifference | None:
        """Return the difference to a control with its p-values."""
        difference, decision = contrast.difference, contrast.decision
        if difference is None:
            return None
        return ControlDifference(
            difference.value,
            *difference.interval(),
            seeds=difference.seeds,
            pooled_df=difference.pooled_df,
            p=difference.p_value(),
            p_holm=decision.p_different,
            p_equivalent=difference.p_equivalent(self.question.margin),
            p_equivalent_holm=decision.p_equivalent,
            detectable_difference=_find_detectable(contrast),
            showable_margin=_apply(power.showable_margin, contrast),
        )

    def _pairs(self, arm: EvaluatedArm) -> list[tuple[ScoredNetwork, ScoredNetwork]]:
        baseline, networks = findings.find_baseline(arm, self.arms), self.scored[self.question.level, HALF]
        return comparison.pair_by_seed(networks[arm.name], networks[baseline.name]) if baseline else []


def _is_asked(control: EvaluatedArm) -> bool:
    """Return whether an arm must be told from a control that it is judged against, as it is no upper bound."""
    return control.settings is None or control.settings.control not in control_contrasts.UPPER_BOUNDS


def _find_detectable(contrast: Contrast) -> float | None:
    """Return the difference that a test at the level of the decision detects; None if there is nothing to test."""
    level = contrast.decision.level
    return _apply(lambda estimate, tests: power.detectable_difference(estimate, tests, level), contrast)


def _apply(analyze: Callable[[Estimate, int], float], contrast: Contrast) -> float | None:
    """Return a number of a power analysis of a difference; None if there is nothing to test."""
    difference = contrast.difference
    if difference is None or difference.seeds < verdict.MIN_SEEDS:
        return None
    return analyze(difference, contrast.tests)
