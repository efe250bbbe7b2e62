"""Judge predictions of models from elsewhere, through `xrayaug.judge`: against independent computations, and errors."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn import metrics
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from statsmodels.stats.contingency_tables import mcnemar

import xrayaug
from xrayaug.errors import DataError, UsageError
from xrayaug.evaluation import verdict
from xrayaug.evaluation.prediction_columns import find_columns
from xrayaug.evaluation.prediction_table import TableBuilder
from xrayaug.evaluation.results import Difference, Evaluation

SEEDS = (0, 1, 2, 3)
CASES = 120


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Predictions of logistic regressions on 4 samples of the training data, with few features and with all of them."""
    x, y = make_classification(600, 12, n_informative=8, class_sep=0.7, flip_y=0.1, random_state=0)
    rows = []
    for arm, features in (("few features", 3), ("all features", 12)):
        for seed in SEEDS:
            drawn = np.random.default_rng(seed).choice(400, 200)
            model = LogisticRegression().fit(x[drawn, :features], y[drawn])
            for split, places in (("valid", range(400, 480)), ("test", range(480, 480 + CASES))):
                probabilities = model.predict_proba(x[list(places), :features])[:, 1]
                rows += [
                    {"arm": arm, "seed": seed, "case": f"c{place}", "label": int(y[place]), "probability": probability,
                     "patient": f"p{place // 2}", "split": split, "site": "AB"[place % 2]}
                    for place, probability in zip(places, probabilities, strict=True)
                ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def evaluation(frame: pd.DataFrame) -> Evaluation:
    return xrayaug.judge(frame, baseline="few features", by="site", resamples=2000)


def difference_of(evaluation: Evaluation) -> Difference:
    (arm,) = evaluation.verdict.arms
    assert arm.difference is not None
    return arm.difference


def test_scores_of_runs_are_those_of_scikit_learn(frame: pd.DataFrame, evaluation: Evaluation) -> None:
    test = frame[frame.split == "test"]
    assert [(run.arm_name, run.seed) for run in evaluation.runs] == [
        (arm, seed) for arm in ("few features", "all features") for seed in SEEDS
    ]
    for run in evaluation.runs:
        own = test[(test.arm == run.arm_name) & (test.seed == run.seed)]
        scores = run.scores["image"]
        assert scores.auroc == pytest.approx(metrics.roc_auc_score(own.label, own.probability))
        assert scores.accuracy == pytest.approx(metrics.accuracy_score(own.label, own.probability > 0.5))
        assert scores.brier == pytest.approx(metrics.brier_score_loss(own.label, own.probability))
        by_patient = own.groupby("patient").agg({"label": "max", "probability": "mean"})
        assert run.scores["patient"].auroc == pytest.approx(
            metrics.roc_auc_score(by_patient.label, by_patient.probability)
        )
        valid = frame[(frame.split == "valid") & (frame.arm == run.arm_name) & (frame.seed == run.seed)]
        best = max(metrics.balanced_accuracy_score(valid.label, valid.probability > t) for t in valid.probability)
        chosen = run.chosen["image"].threshold
        assert metrics.balanced_accuracy_score(valid.label, valid.probability > chosen) == pytest.approx(best)


def test_the_difference_is_that_of_an_independent_computation(frame: pd.DataFrame, evaluation: Evaluation) -> None:
    """The formulas of docs/explanation/verdict.md, with another bootstrap that draws patients one by one."""
    test = frame[frame.split == "test"]
    wide = {arm: part.pivot_table(index="case", columns="seed", values="probability", sort=False)
            for arm, part in test.groupby("arm")}  # fmt: skip
    cases = wide["all features"].index
    first = test.drop_duplicates("case").set_index("case").loc[cases]

    def differences(index: "np.ndarray") -> list[float]:
        labels = first.label.to_numpy()[index]
        return [
            metrics.roc_auc_score(labels, wide["all features"][seed].to_numpy()[index])
            - metrics.roc_auc_score(labels, wide["few features"][seed].to_numpy()[index])
            for seed in SEEDS
        ]

    observed = np.array(differences(np.arange(len(cases))))
    members = {patient: np.flatnonzero(first.patient.to_numpy() == patient) for patient in first.patient.unique()}
    random, names = np.random.default_rng(5), list(members)
    drawn = np.array([
        differences(np.concatenate([members[name] for name in random.choice(names, len(names))])) for _ in range(200)
    ])  # fmt: skip
    covariance = np.cov(drawn, rowvar=False)
    off_diagonal = (covariance.sum() - np.trace(covariance)) / (len(SEEDS) * (len(SEEDS) - 1))
    sizes = [first[first.label == label].patient.value_counts() for label in (0, 1)]
    patients = min(each.sum() ** 2 / (each**2).sum() for each in sizes)  # effective number
    shared = max(off_diagonal, 0) * patients / (patients - 1)

    found = difference_of(evaluation)
    assert found.value == pytest.approx(observed.mean())
    assert dict(found.seed_differences) == pytest.approx(dict(zip(SEEDS, observed, strict=True)))
    assert found.seed_variance == pytest.approx(observed.var(ddof=1) / len(SEEDS))
    assert found.patient_variance == pytest.approx(shared, rel=0.3)  # by a bootstrap of 200
    half = np.sqrt(
        stats.t.isf(0.025, len(SEEDS) - 1) ** 2 * found.seed_variance
        + stats.t.isf(0.025, patients - 1) ** 2 * found.patient_variance
    )
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))
    pair = evaluation.verdict.arms[0].pairs[0]
    right = [(wide[arm][0].to_numpy() > 0.5) == first.label.to_numpy() for arm in ("all features", "few features")]
    table = [[0, int(np.sum(right[0] & ~right[1]))], [int(np.sum(right[1] & ~right[0])), 0]]
    assert pair.mcnemar_p == pytest.approx(mcnemar(table, exact=True).pvalue)


def test_what_cannot_be_seen_is_unknown(evaluation: Evaluation) -> None:
    found = {check.name: check.passed for check in evaluation.verdict.checks}
    assert {name for name, passed in found.items() if passed is None} >= {
        "patients", "synthetic in test", "generator, test", "recipe", "real images", "copies", "budget", "shortcut",
        "label shift",
    }  # fmt: skip
    assert {name for name, passed in found.items() if passed} <= {"test classes", "seeds", "pairing", "real normals"}
    (arm,) = evaluation.verdict.arms
    assert arm.prior_shift is None
    assert evaluation.thesis is None
    assert evaluation.split_by is None
    assert all(each.settings is None for each in evaluation.arms)


def test_subgroups_are_those_of_the_column(frame: pd.DataFrame, evaluation: Evaluation) -> None:
    assert evaluation.subgroups is not None
    assert [(group.value, group.images) for group in evaluation.subgroups.groups] == [("A", 60), ("B", 60)]
    own = frame[(frame.split == "test") & (frame.site == "A") & (frame.arm == "few features")]
    mean = np.mean([metrics.roc_auc_score(each.label, each.probability) for _, each in own.groupby("seed")])
    interval = evaluation.subgroups.groups[0].intervals["few features"]["auroc"]
    assert interval is not None
    assert interval.value == pytest.approx(mean)


def test_a_frame_columns_and_rows_give_the_same(frame: pd.DataFrame) -> None:
    from_frame = xrayaug.judge(frame, baseline="few features", resamples=100)
    from_columns = xrayaug.judge(frame.to_dict("list"), baseline="few features", resamples=100)
    from_rows = xrayaug.judge(iter(frame.to_dict("records")), baseline="few features", resamples=100)
    assert from_frame == from_columns == from_rows


def test_the_order_of_runs_does_not_matter(frame: pd.DataFrame) -> None:
    by_case = frame.sort_values(["case", "seed"], kind="stable")
    order = {case: place for place, case in enumerate(dict.fromkeys(frame.case))}
    by_run = frame.sort_values("case", key=lambda names: names.map(order), kind="stable")
    one, other = (xrayaug.judge(each, baseline="few features", resamples=100) for each in (frame, by_run))
    assert one.verdict == other.verdict
    assert difference_of(xrayaug.judge(by_case, baseline="few features")).value == pytest.approx(
        difference_of(one).value
    )


def test_without_validation_cases_there_are_no_chosen_thresholds(frame: pd.DataFrame) -> None:
    evaluation = xrayaug.judge(frame[frame.split == "test"].drop(columns="split"), baseline="few features")
    assert not evaluation.runs[0].chosen
    assert list(evaluation.arms[0].intervals["image"]) == ["half"]
    with pytest.raises(UsageError, match="validation"):
        xrayaug.judge(frame[frame.split == "test"], baseline="few features", calibrate="temperature")


def test_calibration_is_fitted_on_validation_cases(frame: pd.DataFrame) -> None:
    evaluation = xrayaug.judge(frame, baseline="few features", calibrate="temperature")
    assert all(run.temperature != 1 for run in evaluation.runs)
    assert difference_of(evaluation).value == pytest.approx(
        difference_of(xrayaug.judge(frame, baseline="few features")).value
    )  # the order of cases is kept


def test_disjoint_seeds_are_independent_and_said_not_to_be_paired(frame: pd.DataFrame) -> None:
    moved = frame.assign(seed=frame.seed + 10 * (frame.arm == "all features"))
    evaluation = xrayaug.judge(moved, baseline="few features")
    pairing = next(check for check in evaluation.verdict.checks if check.name == "pairing")
    assert pairing.passed is False
    assert "not paired by seed" in pairing.sentence
    assert difference_of(evaluation) == difference_of(xrayaug.judge(frame, baseline="few features"))
    assert {run.seed for run in evaluation.runs if run.arm_name == "all features"} == {10, 11, 12, 13}
    with pytest.raises(DataError, match="cannot be paired"):
        xrayaug.judge(moved[moved.seed != 13], baseline="few features")


def test_arms_of_other_seeds_than_the_baseline_are_not_in_the_pool(frame: pd.DataFrame) -> None:
    """Their scores do not rise and fall with the others', so their interaction with seeds is another."""

    def judge_third(first_seed: int) -> dict[str, Difference | None]:
        third = frame[frame.arm == "all features"].assign(
            arm="third", seed=lambda f: f.seed + first_seed, probability=lambda f: f.probability**2
        )
        judged = xrayaug.judge(pd.concat([frame, third]), baseline="few features", resamples=100)
        return {arm.arm: arm.difference for arm in judged.verdict.arms}

    same, other = judge_third(0), judge_third(10)
    assert [each.pooled_df for each in same.values() if each] == [6, 6]
    assert [each.pooled_df for each in other.values() if each] == [None, None]
    for each in other.values():
        assert each is not None
        spread = np.var(list(each.seed_differences.values()), ddof=1)
        assert each.seed_variance == pytest.approx(spread / len(SEEDS))


def test_why_a_difference_cannot_be_estimated_is_said() -> None:
    def reason(**changes: Any) -> str:
        (arm,) = xrayaug.judge(small(**changes), resamples=100).verdict.arms
        assert arm.difference is None
        return arm.reason

    assert reason(label=lambda f: (f.case == 3).astype(int)).endswith(
        "cannot be estimated: it rests on fewer than two patients (one who has most of the images of a class counts "
        "for nearly all)"
    )
    assert "fewer than two patients" in reason(patient="p1")


def test_independent_runs_paired_in_any_order_hold_the_level() -> None:
    """Runs of two equal arms that share only the cases: their difference is called significant in 5 % or less."""
    random = np.random.default_rng(0)
    labels = np.arange(80) % 2
    significant = 0
    for trial in range(40):
        case_effect = random.normal(size=80)
        rows = {"arm": [], "seed": [], "case": [], "label": [], "probability": []}  # type: dict[str, list[Any]]
        for place, arm in enumerate(("0", "a")):
            for run in range(4):
                ability = 1 + 0.5 * random.normal()
                scores = ability * labels + case_effect + random.normal(size=80)
                rows["arm"] += [arm] * 80
                rows["seed"] += [10 * place + run] * 80
                rows["case"] += list(range(80))
                rows["label"] += labels.tolist()
                rows["probability"] += (1 / (1 + np.exp(-scores))).tolist()
        significant += difference_of(xrayaug.judge(rows, resamples=100, seed=trial)).p < 0.05
    assert significant <= 5  # of 40 at 5 %: more than 5 in 1.4 % of such tests


def small(**changes: Any) -> pd.DataFrame:
    rows = [
        {"arm": arm, "seed": seed, "case": case, "label": case % 2, "probability": 0.1 + 0.05 * case}
        for arm in ("0", "a") for seed in (0, 1) for case in range(8)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**changes)


def at(column: str, place: int, value: object) -> pd.DataFrame:
    frame = small().astype({column: object})
    frame.loc[place, column] = value
    return frame


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (at("probability", 3, 1.5), r"row 3: the probability is 1.5, outside \[0, 1\]"),
        (at("probability", 3, -2.0), r"outside \[0, 1\]"),
        (at("probability", 3, np.nan), "row 3: the probability is NaN"),
        (at("probability", 3, "high"), "row 3: the probability is 'high'"),
        (at("label", 9, 0), "row 9: the label of case '1' is '0', and in a row before it was 'abnormal'"),
        (at("label", 3, np.nan), "row 3: the label is ''"),
        (at("label", 3, "doubtful"), "row 3: 'doubtful' is neither normal nor abnormal"),
        (at("case", 3, 1), "row 3: arm '0', seed 0 has case '1' twice"),
        (at("case", 3, None), "row 3: the case has no name"),
        (at("case", 3, "other"), "arm '0', seed 0 lacks 1 of 9 test cases that other runs have, such as '3'"),
        (at("seed", 3, "x"), "row 3: the seed is 'x'"),
        (at("arm", 3, ""), "row 3: the arm has no name"),
        (small().iloc[:-8], "seeds only in part: seed 1 in one of them alone"),
        (small().iloc[:-1], "arm 'a', seed 1 lacks 1 of 8 test cases"),
        (small(label=1), "all 8 test cases are abnormal"),
        (small().iloc[:0], "the data have no rows"),
        (small().drop(columns="label"), "the data has no column for label; its columns are arm, seed, case"),
        (small().drop(columns="seed"), "has case '0' twice; there is no column of seeds"),
        (small(split="train"), "no predictions of test cases: 32 rows are of the split train"),
        (small(split="valid"), "there are validation cases alone"),
        (small(split="third"), "row 0: the split is 'third'"),
        (small(patient=lambda f: f.case + f.seed), "row 8: the patient of case '0' is '1', and .* before it was '0'"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_one_line(data: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        xrayaug.judge(data)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"baseline": "b"}, "there is no arm 'b'"),
        ({"columns": {"case": "image"}}, "no column 'image'"),
        ({"columns": {"cases": "case"}}, "no column 'cases' to name"),
        ({"by": "site"}, "no column 'site'"),
        ({"margin": -1.0}, "--margin"),
        ({"metric": "area"}, "metric is area"),
        ({"per": "hand"}, "per is hand"),
        ({"margin": "0.02"}, "margin is '0.02', of type str"),
        ({"margin": None}, "margin is None, of type NoneType"),
        ({"margin": True}, "margin is True, of type bool"),
        ({"margin": float("nan")}, "--margin is nan"),
        ({"by": 3}, "by is 3, of type int"),
        ({"by": ["site"]}, r"by is \['site'\], of type list"),
        ({"baseline": 0}, "baseline is 0, of type int"),
        ({"columns": ["case"]}, r"columns is \['case'\], of type list"),
        ({"columns": {"case": 3}}, "columns is {'case': 3}, of type dict"),
        ({"resamples": 1000.0}, "resamples is 1000.0, of type float"),
        ({"resamples": "1000"}, "resamples is '1000', of type str"),
        ({"resamples": 1}, "--resamples is 1"),
        ({"seed": None}, "seed is None, of type NoneType"),
        ({"seed": -1}, "--seed is -1"),
        ({"metric": ["auroc"]}, r"metric is \['auroc'\]"),
        ({"per": None}, "per is None"),
        ({"calibrate": True}, "calibrate is True"),
    ],
)
def test_wrong_arguments_are_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((DataError, UsageError), match=message):
        xrayaug.judge(small(), **arguments)


def test_numbers_of_numpy_are_numbers() -> None:
    expected = xrayaug.judge(small(), margin=0.5, resamples=100, seed=3)
    given: dict[str, Any] = {"margin": np.float32(0.5), "resamples": np.int64(100), "seed": np.uint8(3)}
    assert xrayaug.judge(small(), **given) == expected


def test_the_baseline_must_be_said_unless_its_name_says_it() -> None:
    renamed = small(arm=lambda f: f.arm.replace("0", "plain"))
    with pytest.raises(UsageError, match="which of the arms 'plain', 'a' is the baseline"):
        xrayaug.judge(renamed)
    assert xrayaug.judge(renamed, baseline="plain").verdict.arms[0].baseline == "plain"
    assert xrayaug.judge(renamed, baseline="a").verdict.arms[0].arm == "plain"
    assert xrayaug.judge(small()).verdict.arms[0].baseline == "0"


def test_columns_are_found_by_their_usual_names(capsys: pytest.CaptureFixture[str]) -> None:
    named = small().rename(columns={"arm": "Model", "case": "image_id", "label": "y_true", "probability": "y_score"})
    assert xrayaug.judge(named).verdict == xrayaug.judge(small()).verdict
    given = small().rename(columns={"case": "x", "probability": "z"})
    assert xrayaug.judge(given, columns={"case": "x", "probability": "z"}).verdict == xrayaug.judge(small()).verdict
    capsys.readouterr()


@pytest.mark.parametrize("data", [5, "arm,seed", [1, 2], {"arm": [1], "case": [1, 2]}])
def test_other_data_are_refused(data: object) -> None:
    with pytest.raises(UsageError):
        xrayaug.judge(data)


def test_patients_in_test_and_validation_forbid_a_verdict(frame: pd.DataFrame) -> None:
    evaluation = xrayaug.judge(frame.assign(patient="p0"), baseline="few features", resamples=100)
    assert not evaluation.verdict.valid
    assert evaluation.verdict.arms[0].verdict == verdict.UNCLEAR


def test_runs_that_agree_on_every_case_prove_no_difference_of_nothing() -> None:
    same = small(probability=lambda f: np.where(f.label == 1, 0.9, 0.2))
    assert xrayaug.judge(same).verdict.arms[0].verdict == verdict.UNCLEAR


def test_decisions_in_place_of_probabilities_are_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    xrayaug.judge(small(probability=lambda f: f.case % 2))
    assert "all probabilities are 0 or 1" in capsys.readouterr().err


def test_a_patient_that_some_rows_leave_out_is_unknown() -> None:
    """Of two files, that of the first four cases has a column of patients."""
    builder = TableBuilder()
    first = small()[lambda f: f.case < 4].assign(patient="p")
    for half in (first, small()[lambda f: f.case >= 4]):
        part = half.to_dict("list")
        builder.add(find_columns(list(part), {}, None, "rows", ""), part, lambda place: f"row {place}")
    table = builder.build()
    assert [row.patient for row in table.test.rows] == ["p"] * 4 + [""] * 4
    assert not table.patients_known


def test_a_label_column_that_says_normal_is_the_other_way_round() -> None:
    renamed = small(normal=lambda f: 1 - f.label).drop(columns="label")
    for name in ("normal", "No Finding"):
        found = xrayaug.judge(renamed.rename(columns={"normal": name}), columns={"label": name})
        assert found.verdict == xrayaug.judge(small()).verdict
        assert found.runs[0].scores["image"].auroc == 1 - 6 / 16
    with pytest.raises(DataError, match="column 'benign' does not say whether that is normal"):
        xrayaug.judge(renamed.rename(columns={"normal": "benign"}), columns={"label": "benign"})


@pytest.mark.parametrize("name", ["p_normal", "Probability of being normal", "prob_negative"])
def test_a_column_of_probabilities_of_being_normal_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=f"column '{name}' seems to hold the probability of being normal"):
        xrayaug.judge(small().rename(columns={"probability": name}), columns={"probability": name})


def test_runs_that_all_rank_the_wrong_way_round_are_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    xrayaug.judge(small())
    assert "below 0.5" not in capsys.readouterr().err
    xrayaug.judge(small(probability=lambda f: 1 - f.probability))
    assert "every run has an AUROC below 0.5" in capsys.readouterr().err


def test_studies_of_one_name_of_several_patients_are_several() -> None:
    data = small(patient=lambda f: f.case % 4, study=lambda f: f"study{f.case % 2}")
    data = data.assign(label=lambda f: (f.patient > 1).astype(int))
    found = xrayaug.judge(data, per="study")
    assert found.test.studies == 4
    assert found.verdict == xrayaug.judge(data.assign(study=lambda f: f.patient), per="study").verdict
    assert found.runs[0].scores["study"].cases == 4


@pytest.mark.parametrize("per", ["study", "patient"])
def test_cases_are_not_grouped_by_what_is_not_named(per: Any) -> None:
    with pytest.raises(UsageError, match=f"--per {per}: the predictions do not name the {per}"):
        xrayaug.judge(small(), per=per)


def test_cases_without_a_patient_are_counted() -> None:
    found = xrayaug.judge(small(patient=lambda f: [f"p{case}" if case < 5 else None for case in f.case]))
    assert "3 of 8 test cases name no patient" in found.verdict.checks[0].sentence


def test_a_column_that_the_first_row_lacks_is_read() -> None:
    rows = small(patient=lambda f: f.case // 2).to_dict("records")
    other = [dict(row) for row in rows]
    del other[0]["patient"]
    with pytest.raises(DataError, match="row 8: the patient of case '0' is '0'"):
        xrayaug.judge(other)


class LabelSliced(list[object]):
    """A column whose slices go by an index, as those of a pandas series of fractions did before pandas 3."""

    def __getitem__(self, place: Any) -> Any:
        return self.to_numpy()[place] if isinstance(place, int) else []

    def to_numpy(self) -> Any:
        return np.array(list(self), object)


def test_columns_are_read_by_place_whatever_their_index() -> None:
    columns = {name: LabelSliced(column) for name, column in small().to_dict("list").items()}
    assert xrayaug.judge(columns).verdict == xrayaug.judge(small()).verdict


def test_columns_that_cannot_be_told_apart_or_read_are_refused() -> None:
    with pytest.raises(UsageError, match="2 columns called 'label'"):
        xrayaug.judge(pd.concat([small(), small()[["label"]]], axis=1))
    with pytest.raises(UsageError, match="column 'arm' is no sequence"):
        xrayaug.judge({"arm": 5})
    with pytest.raises(UsageError, match="column 'arm' is no sequence"):
        xrayaug.judge(small().to_dict())


def test_a_case_of_other_programs_may_have_columns_of_our_names_beside_it() -> None:
    expected = xrayaug.judge(small()).verdict
    assert xrayaug.judge(small(image="hand.png", row=0, file="hand.png")).verdict == expected


def test_probabilities_go_before_decisions() -> None:
    renamed = small().rename(columns={"probability": "prob_abnormal"}).assign(prediction=1)
    assert xrayaug.judge(renamed).verdict == xrayaug.judge(small()).verdict


def test_patients_that_are_nan_in_a_list_are_unknown() -> None:
    patients = [f"p{case}" if case < 5 else np.nan for case in small().case]
    found = xrayaug.judge(small().to_dict("list") | {"patient": patients})
    assert "3 of 8 test cases name no patient" in found.verdict.checks[0].sentence


@pytest.mark.parametrize(
    ("column", "message"), [("arm", "row 5: the arm has no name"), ("label", r"row 5: the label is '' \(no label\)")]
)
def test_a_missing_value_of_pandas_is_one_line(column: str, message: str) -> None:
    columns = small().astype({column: object})
    columns.loc[5, column] = pd.NA
    with pytest.raises(DataError, match=message):
        xrayaug.judge(columns)


@pytest.mark.parametrize(("column", "what"), [("label", "label"), ("arm", "arm or seed")])
def test_a_list_in_a_cell_is_one_line(column: str, what: str) -> None:
    with pytest.raises(DataError, match=f"row 0: the {what} is .*\\["):
        xrayaug.judge(small(**{column: lambda f: [[1, 0]] * len(f)}))


def test_pairing_is_unknown_without_seeds() -> None:
    frame = small()
    checks = xrayaug.judge(frame[frame.seed == 0].drop(columns="seed")).verdict.checks
    assert [each.passed for each in checks if each.name == "pairing"] == [None]


def test_large_seeds_are_told_apart() -> None:
    found = xrayaug.judge(small(seed=lambda f: f.seed + 2**60))
    assert found.arms[0].seeds == [2**60, 2**60 + 1]


def test_tensors_with_gradients_are_columns() -> None:
    columns = small().to_dict("list")
    tensor = torch.tensor(columns["probability"], dtype=torch.float64, requires_grad=True)
    assert xrayaug.judge(columns | {"probability": tensor}).verdict == xrayaug.judge(small()).verdict
