from builders import row

from xrayaug.data.dataset import Row
from xrayaug.evaluation import audits, checks
from xrayaug.evaluation.results import Audit
from xrayaug.stats.two_sample import TwoSampleResult


def rows(real: int, synthetic: int, label: str) -> list[Row]:
    real_ones = [row(label=label, patient=f"{label}{at}", file=f"{label}{at}.png") for at in range(real)]
    return [*real_ones, *(row(label=label, patient="", study="", synthetic=True) for _ in range(synthetic))]


def test_equally_many_real_and_synthetic_images_of_each_label_are_sampled() -> None:
    both = [*rows(9, 5, "normal"), *rows(4, 12, "abnormal")]
    real, synthetic = audits.sample_rows(both, 100, seed=0)
    for label, expected in (("normal", 5), ("abnormal", 4)):
        assert [sum(each.label == label for each in side) for side in (real, synthetic)] == [expected, expected]
    assert not any(each.synthetic for each in real)
    assert all(each.synthetic for each in synthetic)
    assert [len(side) for side in audits.sample_rows(both, 6, seed=0)] == [6, 6]


def test_only_training_images_of_generated_labels_are_sampled() -> None:
    held_out = [row(split="test"), row(split="valid"), row(copy=1)]
    real, synthetic = audits.sample_rows([*held_out, *rows(3, 3, "normal"), *rows(5, 0, "abnormal")], 100, seed=0)
    assert {(each.split, each.label, each.copy) for each in real + synthetic} == {("train", "normal", 0)}
    assert len(real) == len(synthetic) == 3


def audit(result: TwoSampleResult | None) -> Audit:
    return Audit("10", "classifier runs/10", 64, ("normal",), result)


def test_an_audit_that_does_not_apply_decides_nothing_and_is_said() -> None:
    alone = Audit("10 alone", "classifier runs/10", 0, ("normal",), None, "it trains on synthetic images alone")
    passing = audit(TwoSampleResult(0.52, 0.45, 0.59, 50, 50))
    (check,) = checks.check_audits([passing, alone])
    assert check.passed is True
    assert "10 alone: not computed, because it trains on synthetic images alone" in check.sentence
    assert checks.check_audits([alone])[0].passed is None


def test_separable_images_fail_the_check_and_few_images_leave_it_unknown() -> None:
    separable = audit(TwoSampleResult(0.95, 0.91, 0.98, 50, 50))
    inseparable = audit(TwoSampleResult(0.52, 0.45, 0.59, 50, 50))
    unclear = audit(TwoSampleResult(0.70, 0.63, 0.77, 50, 50))
    untested = audit(None)

    def passed(*arms: Audit) -> bool | None:
        (check,) = checks.check_audits(arms)
        return check.passed

    assert passed(separable, inseparable) is False
    assert passed(inseparable) is True
    assert passed(unclear) is None
    assert passed(untested) is None
    assert passed(untested, separable) is False
    assert checks.check_audits([]) == []
    sentences = [checks.check_audits([each])[0].sentence for each in (separable, inseparable, untested)]
    assert ["warning" in sentence for sentence in sentences] == [True, False, False]
    assert "0.95 (0.91 to 0.98" in sentences[0]
    assert "fewer than 20" in sentences[2]
