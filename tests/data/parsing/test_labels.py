import pytest

from xrayaug.data.parsing import labels
from xrayaug.data.parsing.labels import DEFAULT_RULES, LabelReading, LabelRules
from xrayaug.errors import DataError

NAMES_ABNORMAL = LabelRules(abnormal=frozenset({"effusion"}))
NAMES_NORMAL = LabelRules(normal=frozenset({"no finding"}))
NAMES_BOTH = LabelRules(normal=frozenset({"0"}), abnormal=frozenset({"1"}))


@pytest.mark.parametrize(
    ("written", "form"),
    [("-1", "-1"), ("-1.0", "-1"), ("1.0", "1"), ("1.00", "1"), ("+1", "1"), ("1+", "1+"), ("_1", "_1"), ("1.5", "1.5"),
     ("Non_fractured", "non fractured"), ("non-fractured", "non fractured"), ("  No   Finding ", "no finding"),
     ("grade-2", "grade-2"), ("Mu\u0308ller", "müller"), ("STRASSE", "strasse")],
)  # fmt: skip
def test_words_are_compared_as_they_were_written(written: str, form: str) -> None:
    assert labels.canonical(written) == form


@pytest.mark.parametrize(
    "word", ["", "NA", "n/a", "nan", "NaN", "null", "None", "none", "#N/A", "-", " <NA> ", "#VALUE!"]
)
def test_missing_is_missing_unless_it_is_named(word: str) -> None:
    for rules in (DEFAULT_RULES, NAMES_ABNORMAL, NAMES_NORMAL, NAMES_BOTH):
        assert rules.read(word) == LabelReading(None, "no label")
    assert LabelRules(abnormal=frozenset({"fracture"}), empty="normal").read(word).label == "normal"
    if word:
        assert LabelRules(normal=frozenset({labels.canonical(word)})).read(word).label == "normal"


@pytest.mark.parametrize("word", ["-1", "-1.0", "uncertain", "Equivocal"])
def test_uncertain_is_left_out_unless_the_user_decides(word: str) -> None:
    for rules in (DEFAULT_RULES, NAMES_ABNORMAL, NAMES_NORMAL, NAMES_BOTH):
        assert rules.read(word) == LabelReading(None, "uncertain label")
    assert LabelRules(unsure="abnormal").read(word).label == "abnormal"
    assert LabelRules(normal=frozenset({labels.canonical(word)})).read(word).label == "normal"


@pytest.mark.parametrize(
    ("rules", "cell", "label"),
    [
        (NAMES_ABNORMAL, "Effusion|Infiltration", "abnormal"),
        (NAMES_ABNORMAL, "Cardiomegaly; effusion", "abnormal"),
        (NAMES_ABNORMAL, "['Mass', 'Effusion']", "abnormal"),
        (NAMES_ABNORMAL, "Mass, Nodule", "normal"),
        (NAMES_NORMAL, "Mass|Nodule", "abnormal"),
        (NAMES_NORMAL, "No Finding", "normal"),
        (NAMES_NORMAL, "No Finding|Mass", "abnormal"),
        (NAMES_NORMAL, "No Finding|nan", "normal"),
        (NAMES_ABNORMAL, "uncertain|Effusion", "abnormal"),
        (NAMES_ABNORMAL, "uncertain|Mass", None),
        (DEFAULT_RULES, "normal|fracture", "abnormal"),
        (NAMES_ABNORMAL, "Effusion/Mass", "abnormal"),
        (NAMES_ABNORMAL, "Mass + Effusion", "abnormal"),
        (NAMES_ABNORMAL, "Mass and Effusion", "abnormal"),
        (NAMES_ABNORMAL, "Mass、Effusion", "abnormal"),
        (NAMES_ABNORMAL, "['Mass' 'Effusion']", "abnormal"),
        (NAMES_ABNORMAL, "{'Effusion'}", "abnormal"),
        (NAMES_ABNORMAL, "no effusion", "normal"),
        (NAMES_ABNORMAL, "[]", None),
        (LabelRules(frozenset({"a"}), frozenset({"b"})), "c|b", "abnormal"),
    ],
)
def test_a_cell_of_several_findings_counts_by_its_parts(rules: LabelRules, cell: str, label: str | None) -> None:
    assert rules.read(cell).label == label


@pytest.mark.parametrize("cell", ["1,0", "0, 1", "2,3"])
def test_numbers_parted_by_a_comma_are_refused(cell: str) -> None:
    with pytest.raises(DataError, match=cell):
        DEFAULT_RULES.read(cell)


def test_words_that_are_no_labels_are_refused() -> None:
    with pytest.raises(DataError, match="'grey'"):
        DEFAULT_RULES.read("grey")
    with pytest.raises(DataError, match="'2'"):
        NAMES_BOTH.read("2")


def test_a_word_that_says_plainly_what_it_is_is_not_counted_as_the_other_side() -> None:
    with pytest.raises(DataError, match="'Normal' would count as abnormal"):
        NAMES_NORMAL.read("Normal")
    with pytest.raises(DataError, match="'abnormal' would count as normal"):
        NAMES_ABNORMAL.read("abnormal")
    assert LabelRules(abnormal=frozenset({"2", "3"})).read("1").label == "normal"  # a grade


@pytest.mark.parametrize(
    "column", ["No Finding", "no_finding", "NoFinding", "Normal", "isNormal", "healthy", "Not Fractured"]
)
def test_columns_whose_yes_means_normal(column: str) -> None:
    assert labels.yes_means_normal(column) is True
    turned = LabelRules(inverted=True)
    assert [turned.read(word).label for word in ("1.0", "0", "yes", "False", "-1")] == [
        "normal", "abnormal", "normal", "abnormal", None,
    ]  # fmt: skip
    assert turned.read("abnormal").label == "abnormal"


@pytest.mark.parametrize(
    "column", ["Fracture", "label", "Abnormal", "target", "Not Normal", "finding", "nodule", "Abnormality"]
)
def test_columns_whose_yes_means_abnormal(column: str) -> None:
    assert labels.yes_means_normal(column) is False


@pytest.mark.parametrize(
    "column",
    ["No. of fractures", "Non-displaced fracture", "normal/abnormal", "tumour free", "Normal/Pneumonia", "normal_vs_tb",
     "Healthy vs Osteoarthritis", "Fracture / No Fracture", "Finding or no finding", "Dislocation without fracture",
     "label 0=normal 1=pneumonia", "Label (0 = abnormal)", "keine Fraktur", "benign"],
)  # fmt: skip
def test_columns_whose_name_is_not_clear(column: str) -> None:
    assert labels.yes_means_normal(column) is None


def test_words_are_counted_the_most_frequent_first() -> None:
    counted = labels.count_words(["0", "1", "0", "-1", ""], DEFAULT_RULES)
    assert [each.to_dict() for each in counted] == [
        {"word": "0", "count": 2, "label": "normal"},
        {"word": "", "count": 1, "label": "left out: no label"},
        {"word": "-1", "count": 1, "label": "left out: uncertain label"},
        {"word": "1", "count": 1, "label": "abnormal"},
    ]


def test_words_that_nearly_are_a_named_one_are_found() -> None:
    assert labels.find_misspellings(["Efusion", "Effusion", "Mass"], NAMES_ABNORMAL) == [("efusion", "effusion")]
    assert labels.find_misspellings(["10", "1"], NAMES_BOTH) == []


def test_minus_one_beside_one_alone_is_refused() -> None:
    for there in (["-1", "1"], ["-1.0", "1.0"], ["-1", "", "1"], ["-1", "+1"]):
        with pytest.raises(DataError, match="-1 may mean"):
            labels.check_minus_one(there, DEFAULT_RULES, decided=False)
    labels.check_minus_one(["-1", "1"], DEFAULT_RULES, decided=True)
    labels.check_minus_one(["-1", "1"], LabelRules(normal=frozenset({"-1"})), decided=False)
    labels.check_minus_one(["-1", "0", "1"], DEFAULT_RULES, decided=False)
    labels.check_minus_one(["-1", "", "1"], LabelRules(empty="normal"), decided=False)


@pytest.mark.parametrize(
    "word", ["Effusion (small)", "bilateral Effusion", "Effusion?", "possible effusion", "pleural-effusion"]
)
def test_a_word_that_holds_a_named_one_is_refused(word: str) -> None:
    with pytest.raises(DataError, match="effusion"):
        NAMES_ABNORMAL.read(word)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (
            LabelRules(normal=frozenset({"normal"})),
            ["No fracture", "not fractured", "neg", "0", "false", "not abnormal"],
        ),
        (
            LabelRules(abnormal=frozenset({"abnormal"})),
            ["not normal", "pos", "yes", "1", "fractured", "abnormal (mild)"],
        ),
    ],
)
def test_words_that_say_the_opposite_of_what_is_left_for_them_are_refused(rules: LabelRules, words: list[str]) -> None:
    for word in words:
        with pytest.raises(DataError):
            rules.read(word)


def test_a_finding_may_be_normal_where_another_is_judged() -> None:
    assert NAMES_ABNORMAL.read("Fracture").label == "normal"


@pytest.mark.parametrize(
    "column", ["nofinding", "isNormal", "unfractured", "NORM", "Normalbefund", "sano", "正常", "is normal label"]
)
def test_more_columns_whose_yes_means_normal(column: str) -> None:
    assert labels.yes_means_normal(column) is True
