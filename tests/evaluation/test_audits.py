from builders import row

from xrayaug.data.dataset import Row
from xrayaug.evaluation import audits, checks
from xrayaug.evaluation.results import Audit
from xrayaug.stats.two_sample import TwoSampleResult


def rows(real: int, synthetic: int, label: str) -> list[Row]:
    real_ones = [row(label=label, patient=f"{label}{at}", file=f"{label}{at}.png") for at in range(real)]
    return [*real_ones, *(row(label=label, patient="", study="", synthetic=True) for _ in range(synthetic))]


def test_as_many_of_either_kind_label_by_label() -> None:
    both = [*rows(9, 5, "normal"), *rows(4, 12, "abnormal")]
    real, synthetic = audits.sample_rows(both, 100, seed=0)
    for label, expected in (("normal", 5), ("abnormal", 4)):
        assert [sum(each.label == label for each in side) for side in (real, synthetic)] == [expected, expected]
    assert not any(each.synthetic for each in real)
    assert all(each.synthetic for each in synthetic)
    assert [len(side) for side in audits.sample_rows(both, 6, seed=0)] == [6, 6]


def test_labels_that_are_not_generated_and_rows_that_are_not_trained_on_are_left_out() -> None:
    held_out = [row(split="test"), row(split="valid"), row(copy=1)]
    real, synthetic = audits.sample_rows([*held_out, *rows(3, 3, "normal"), *rows(5, 0, "abnormal")], 100, seed=0)
    assert {(each.split, each.label, each.copy) for each in real + synthetic} == {("train", "normal", 0)}
    assert len(real) == len(synthetic) == 3


def audit(apart: TwoSampleResult | None) -> Audit:
    return Audit("10", "classifier runs/10", 64, ("normal",), apart)


def test_what_is_said_of_audits() -> None:
    apart = audit(TwoSampleResult(0.95, 0.91, 0.98, 50, 50))
    alike = audit(TwoSampleResult(0.52, 0.45, 0.59, 50, 50))
    between = audit(TwoSampleResult(0.70, 0.63, 0.77, 50, 50))
    assert [check.passed for found in ([apart, alike], [alike], [between], [audit(None)], [audit(None), apart])
            for check in checks.check_audits(found)] == [False, True, None, None, False]  # fmt: skip
    assert checks.check_audits([]) == []
    assert "no proof" in checks.check_audits([apart])[0].sentence
    assert "no proof" not in checks.check_audits([alike])[0].sentence
    assert "fewer than 20" in checks.check_audits([audit(None)])[0].sentence
