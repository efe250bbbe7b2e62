"""Which generators the runs of an arm have images of: one, one each, or a mixture that is refused."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from xrayaug.evaluation import generator_design
from xrayaug.evaluation.generator_design import CHECK, GeneratorDesign
from xrayaug.evaluation.study_facts import ArmFacts, DrawnSet

RECIPE = {"arch": "dcgan", "epochs": "10", "sampling snapshot": "last"}


def drawn(name: str, gan: str | None, recipe: dict[str, str] | None = RECIPE) -> DrawnSet:
    return DrawnSet(name, f"digest of {name}", gan or f"digest of {name}", gan, recipe)


ONE, TWO, THREE = (drawn(name, f"gan {name}") for name in ("one", "two", "three"))


def design(*runs: Sequence[DrawnSet]) -> GeneratorDesign:
    return generator_design.find_design("50", range(len(runs)), runs)


@pytest.mark.parametrize(
    ("runs", "number"),
    [
        ([], 0),
        ([(), ()], 0),
        ([(ONE,)], 1),
        ([(ONE,), (ONE,), (ONE,)], 1),
        ([(ONE, TWO), (ONE, TWO)], 1),  # a mixture that all runs have
        ([(ONE,), (TWO,), (THREE,)], 3),
        ([(ONE,), (drawn("drawn again", "gan one"),)], 1),
        ([(ONE, TWO), (THREE, drawn("four", "gan four"))], 2),
    ],
)
def test_one_generator_or_one_for_each_run_is_counted(runs: list[Sequence[DrawnSet]], number: int) -> None:
    assert design(*runs) == GeneratorDesign(number)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([(ONE,), (TWO,), (ONE,)], "one (seeds 0, 2); two (seed 1)"),
        ([(ONE,), (TWO,), (drawn("again", "gan one"),)], "one (seed 0); two (seed 1); again (seed 2)"),
        ([(ONE,), (drawn("again", "gan one"),), (ONE,)], "one (seeds 0, 2); again (seed 1)"),
        ([(ONE, TWO), (ONE, THREE)], "one and two (seed 0); one and three (seed 1)"),
        ([(ONE,), (replace(ONE, digest="other", generator="gan x"),), (ONE,)],
         "one, digest o (seeds 0, 2); one, other (seed 1)"),
    ],
)  # fmt: skip
def test_runs_that_share_some_generators_are_not_independent(runs: list[Sequence[DrawnSet]], said: str) -> None:
    found = design(*runs)
    assert found.generators is None
    assert found.failure.endswith(f"so that they are not independent: {said}")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"epochs": "20"}, "epochs is 10 and 20"),
        ({"sampling snapshot": "best"}, "sampling snapshot is last and best"),
        ({"init epochs": "5"}, "init epochs is not given and 5"),
    ],
)
def test_generators_of_one_each_must_be_of_one_kind(other: dict[str, str], said: str) -> None:
    found = design((ONE,), (drawn("two", "gan two", RECIPE | other),), (THREE,))
    assert found == GeneratorDesign(None, failure=f"the generators of the runs of arm 50 are not of one kind: {said}")


def test_what_is_not_known_is_never_taken_for_one_each() -> None:
    external = [drawn("a", None, None), drawn("b", None, None)]
    assert design(external[:1], external[:1]) == GeneratorDesign(1)
    found = design(external[:1], external[1:])
    assert found.generators is None
    assert "images of one generator or of one each: a (seed 0); b (seed 1)" in found.unknown
    mixed = design(external[:1], external[1:], external[1:])
    assert mixed.failure
    gone = design((ONE,), (drawn("two", "gan two", None),))
    assert gone.generators is None
    assert "a GAN run is gone" in gone.unknown


def facts(name: str, *runs: Sequence[DrawnSet]) -> ArmFacts:
    return ArmFacts(name, 0.5, [1], range(len(runs)), drawn=runs)


def test_there_is_a_check_where_runs_of_an_arm_have_different_images() -> None:
    plain, crossed = facts("0", (), ()), facts("50", (ONE,), (TWO,))
    assert generator_design.check_designs([plain, facts("50", (ONE,), (ONE,))]) == []
    (passed,) = generator_design.check_designs([plain, crossed])
    assert (passed.name, passed.passed, passed.critical) == (CHECK, True, True)
    assert passed.sentence.endswith("(50: 2 GANs of one kind)")
    (failed,) = generator_design.check_designs([crossed, facts("100", (ONE,), (TWO,), (TWO,))])
    assert (failed.passed, failed.critical) == (False, True)
    assert "one (seed 0); two (seeds 1, 2)" in failed.sentence
    (unknown,) = generator_design.check_designs([crossed, facts("100", (ONE,), (drawn("x", None, None),))])
    assert unknown.passed is None
    numbers = generator_design.count_generators([plain, crossed, facts("100", (ONE,), (TWO,), (TWO,))])
    assert numbers == {"0": 0, "50": 2, "100": None}


def test_what_a_verdict_is_about() -> None:
    assert [generator_design.describe_scope(number, None) for number in (None, 0, 1, 5)] == [
        "", "", "this generator only", "over 5 GANs of this kind",
    ]  # fmt: skip
    assert [generator_design.describe_scope(number, 5) for number in (None, 0, 1, 5)] == [
        "over 5 draws of the real images",
        "over 5 draws of the real images",
        "over 5 draws of the real images, this generator only",
        "over 5 GANs of this kind and 5 draws of the real images",
    ]
    assert [generator_design.describe_scope(number, 1) for number in (None, 0, 1, 5)] == [
        "this draw of the real images only",
        "this draw of the real images only",
        "this generator and this draw of the real images only",
        "over 5 GANs of this kind, this draw of the real images only",
    ]
