"""Tests of the arms of a study: which controls are shared, and what is refused before anything runs."""

from pathlib import Path
from typing import Any

import pytest
from builders import STUDY
from planned import lines

from xrayaug.errors import UsageError
from xrayaug.options import Experiment
from xrayaug.options.experiment import parse_per_seed
from xrayaug.studies import planning

PRETRAINING: dict[str, Any] = {
    "gan_arch": ("cgan",), "percents": (0.0, 50.0), "seeds": 1, "schedules": ("mixed", "pretrain"),
    "classifier_epochs": 5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "is_shared"),
    [
        ({}, True),
        ({"screen": True}, False),  # which may leave out other labels of one generator than of the other
        ({"screen": True, "labels": ("normal",)}, True),
        ({"gan_arch": ("cgan", "dcgan")}, False),
        ({"gan_arch": ("dcgan", "dcgan-plus"), "screen": True}, True),
    ],
)
def test_a_control_of_real_images_is_that_of_all_generators_that_draw_the_same_labels(
    changes: dict[str, Any], is_shared: bool
) -> None:
    found = lines(**{"gan_arch": ("cgan", "acgan"), "percents": (0.0, 50.0), "controls": ("duplicate",), **changes})
    duplicates = {name: line for name, line in found.items() if name.startswith("arm") and "duplicate" in name}
    assert len(duplicates) == (1 if is_shared else 2)
    assert all(("--generator" in line) is not is_shared for line in duplicates.values())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"real_fractions": (1.0, 0.0)}, "--real-fractions is 0.*"),
        ({"gan_arch": ("dcgan",)}, "--schedules pretrain needs a generator of both labels, and dcgan draws one"),
        ({"gan_arch": ("cgan", "projected")}, "projected draws one"),
        ({"labels": ("normal", "balance")}, "--schedules pretrain needs images of both labels"),
        ({"percents": (50.0,)}, "goes on with the real images alone, which are the arm of 0 percent"),
    ],
)
def test_schedules_that_cannot_be_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        lines(**{**PRETRAINING, **changes})
    conditional = lines(**PRETRAINING | {"gan_arch": ("cgan", "projected")}, conditional=True)
    assert "--conditional" in conditional["gan-projected"]


@pytest.mark.parametrize("controls", [("none",), ("more-real",)])
def test_judging_against_controls_needs_some_that_are_no_upper_bound(controls: tuple[str, ...]) -> None:
    given: dict[str, Any] = {"percents": (0.0, 50.0), "real_fractions": (0.5,), "against": "both"}
    with pytest.raises(UsageError, match="--against both needs controls of equal size"):
        lines(**given, controls=controls)
    assert "--against both" in lines(**given, controls=("duplicate", *controls))["evaluation"]


GANS: dict[str, Any] = {"gan_arch": ("cgan",), "percents": (0.0, 50.0), "seeds": 3, "gans": "per-seed"}


def find_data(found: dict[str, str], arm: str) -> dict[str, str]:
    """Return the dataset that each classifier of an arm is trained on."""
    words = {name: line.split() for name, line in found.items() if name.startswith(f"classifier-{arm}")}
    return {name: line[line.index("--data") + 1].removeprefix("s/") for name, line in words.items()}


def test_each_seed_is_trained_on_the_images_of_its_own_gan() -> None:
    found = lines(**GANS)
    gans = {name: line.partition("--seed ")[2][:1] for name, line in found.items() if name.startswith("gan")}
    assert gans == {"gan": "", "gan-cgan-2": "1", "gan-cgan-3": "2"}
    assert "--run s/gan-cgan-3 --count 800 --seed 2" in found["synthetic-cgan-3"]
    assert "--synthetic s/synthetic-cgan-2" in found["arm-50-cgan-2"]
    assert {name for name in found if name.startswith("fid")} == {
        "fid-synthetic-rsna", "fid-synthetic-cgan-2-rsna", "fid-synthetic-cgan-3-rsna", "fid-rsna-mura",
    }  # fmt: skip
    assert find_data(found, "50") == {
        "classifier-50-seed-0": "arm-50",
        "classifier-50-cgan-2-seed-1": "arm-50-cgan-2",
        "classifier-50-cgan-3-seed-2": "arm-50-cgan-3",
    }
    assert set(find_data(found, "0").values()) == {"arm-0"}
    evaluated = found["evaluation"].split()
    assert [word for word in evaluated if "classifier" in word] == [
        f"s/{name}" for name in found if name.startswith("classifier")
    ]
    assert lines(**GANS | {"gans": 3}) == found


def test_more_gans_leave_what_one_gan_made_as_it_is() -> None:
    """All commands of a study of one GAN stay, but for the classifiers of other seeds and the evaluation."""
    controls = ("duplicate", "shuffle", "low-resolution")
    given = {**GANS, "controls": controls, "screen": True}
    one, several = lines(**given | {"gans": 1}), lines(**given)
    gone = {name for name, line in one.items() if several.get(name) != line}
    assert gone == {f"classifier-{arm}-seed-{seed}" for seed in (1, 2)
                    for arm in ("50", "50-duplicate", "50-shuffle", "50-low-resolution")} | {"evaluation"}  # fmt: skip
    fewer = lines(**given | {"seeds": 2})
    assert {name for name, line in fewer.items() if several.get(name) != line} == {"evaluation"}


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({}, {"arm-50-duplicate"}),
        ({"gan_arch": ("dcgan",), "screen": True}, {"arm-50-duplicate"}),
        ({"labels": ("normal",), "screen": True}, {"arm-50-normal-duplicate"}),
        ({"gan_arch": ("dcgan", "cgan")}, {"arm-50-duplicate", "arm-50-duplicate-cgan"}),
        # A screening may leave out other labels of one GAN than of another.
        ({"screen": True}, {"arm-50-duplicate", "arm-50-duplicate-cgan-2", "arm-50-duplicate-cgan-3"}),
    ],
)
def test_controls_of_real_images_are_shared_by_gans_that_draw_the_same_labels(
    changes: dict[str, Any], shared: set[str]
) -> None:
    found = lines(**{**GANS, "controls": ("duplicate",), **changes})
    assert {name for name in found if name.startswith("arm") and "duplicate" in name} == shared
    of_real = {name: line for name, line in found.items() if name.startswith("classifier") and "duplicate" in name}
    kinds = len(changes.get("gan_arch", ("cgan",)))
    assert len(of_real) == 3 * kinds, "every control has one classifier for each seed"


def test_a_shuffle_has_the_images_of_each_gan_and_a_lower_resolution_those_of_the_first() -> None:
    found = lines(**GANS, controls=("shuffle", "low-resolution"))
    assert set(find_data(found, "50-shuffle").values()) == {
        "arm-50-shuffle", "arm-50-shuffle-cgan-2", "arm-50-shuffle-cgan-3",
    }  # fmt: skip
    assert set(find_data(found, "50-low-resolution").values()) == {"arm-50-low-resolution"}


def test_pretraining_goes_on_from_the_images_of_the_gan_of_the_seed() -> None:
    found = lines(**GANS | PRETRAINING | {"seeds": 3, "classifier_train": "head", "budget": "steps"})
    assert "--data s/arm-50-only-cgan-3 " in found["pretraining-50-only-cgan-3-seed-2"]
    last = found["classifier-50-pretrain-cgan-3-seed-2"]
    assert "--data s/arm-0 " in last
    assert "--init s/pretraining-50-only-cgan-3-seed-2 " in last
    assert last.endswith("--seed 2 --out s/classifier-50-pretrain-cgan-3-seed-2")
    assert "--seeds 3" in found["classifier-0-seed-{seed}"], "the seeds of the baseline are trained together"
    assert "--seeds" not in found["classifier-50-seed-0"]


@pytest.mark.parametrize(
    ("changes", "said", "hint"),
    [
        ({"gans": 2}, "--gans is 2 with 3 seeds", "--gans per-seed, or --seeds 2"),
        ({"gans": 5}, "two seeds of one GAN are not independent", "--gans per-seed, or --seeds 5"),
        ({"gans": "many"}, "--gans is many with 3 seeds", "--gans per-seed"),
        ({"gan_arch": ("none",), "synthetic": (Path("x"),), "rsna_source": None, "samples": None},
         "--gans does nothing with --gan-arch none", "leave it out"),
    ],
)  # fmt: skip
def test_seeds_that_would_share_some_of_several_gans_are_refused(changes: dict[str, Any], said: str, hint: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        lines(**GANS | changes)
    assert hint in str(refused.value.hint)


@pytest.mark.parametrize("text", ["0", "-1", "2.5", "many", ""])
def test_what_is_no_number_of_gans_or_draws_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is neither a positive number nor per-seed"):
        parse_per_seed(text)
    assert [parse_per_seed(text) for text in ("1", "12", "per-seed")] == [1, 12, "per-seed"]


def test_the_gans_of_one_architecture_are_one_arm() -> None:
    """Two doses of two architectures are four comparisons, with any number of GANs."""
    given = GANS | {"gan_arch": ("dcgan", "cgan"), "percents": (0.0, 50.0, 100.0), "controls": ("duplicate",)}
    for gans in (1, 3):
        study = planning.plan(Experiment(**{**STUDY, "out": Path("s"), **given, "gans": gans}))
        assert study.count_comparisons() == 4
        arms = study.list_judged_arms()
        assert len(arms) == 3 * len(set(arms.values()))
        of_gan = {path.name for path, arm in arms.items()
                  if (arm.generator, arm.percent, arm.control) == ("cgan", 50, None)}  # fmt: skip
        names = ("cgan", "cgan-2", "cgan-3") if gans == 3 else ("cgan",) * 3
        assert of_gan == {f"classifier-50-{name}-seed-{seed}" for seed, name in enumerate(names)}


DRAWS = GANS | {"gans": 1, "draws": "per-seed", "real_fractions": (0.5, 1.0), "controls": ("duplicate",)}


def find_draws(found: dict[str, str], *words: str) -> dict[str, str]:
    """Return the seed of the dataset that each classifier is trained on, by that of the classifier; 0 is left out.

    Args:
        found: the command lines.
        words: that the names of the classifiers have, after an exclamation mark: that they have not.
    """
    draws = {}
    for name, line in found.items():
        has = [word[1:] not in name if word.startswith("!") else word in name for word in words]
        if name.startswith("classifier") and all(has):
            data = line.split("--data s/")[1].split()[0]
            draws[name.rpartition("-")[2]] = found[data].split("--seed ")[1].split()[0]
    return draws


@pytest.mark.parametrize("changes", [{}, {"gans": 3}, {"gans": 3, "screen": True}])
def test_all_arms_of_a_seed_have_its_draw_of_the_real_images(changes: dict[str, Any]) -> None:
    found = lines(**DRAWS | changes | {"seed": 4})
    for words in (("-0-real-0.5",), ("-50-", "-real-0.5", "!duplicate"), ("-50-duplicate", "-real-0.5")):
        assert find_draws(found, *words) == {"0": "4", "1": "5", "2": "6"}
    assert set(find_data(found, "0-seed").values()) == {"arm-0"}, "there is one draw of all real images"


def test_the_first_draw_has_the_names_of_the_only_one() -> None:
    several, one = lines(**DRAWS), lines(**DRAWS | {"draws": 1})
    assert {name for name in one if name.startswith("arm")} <= set(several)
    assert all(several[name] == line for name, line in one.items() if name.startswith("arm"))
    assert lines(**DRAWS | {"draws": 3}) == several


def test_pretraining_goes_on_with_the_draw_of_the_seed() -> None:
    found = lines(**DRAWS | PRETRAINING | {"seeds": 3, "real_fractions": (0.5,)})
    last = found["classifier-50-pretrain-real-0.5-draw-3-seed-2"]
    assert "--data s/arm-0-real-0.5-draw-3 " in last
    assert "--init s/classifier-50-only-real-0.5-draw-3-seed-2 " in last


def test_draws_are_of_one_arm() -> None:
    study = planning.plan(Experiment(**{**STUDY, "out": Path("s"), **DRAWS, "real_fractions": (0.5,)}))
    arms = study.list_judged_arms()
    assert (study.count_comparisons(), len(set(arms.values())), len(arms)) == (1, 3, 9)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"draws": 2}, "--draws is 2 with 3 seeds: each seed needs a draw of its own"),
        ({"real_fractions": (1.0,)}, "--draws does nothing: all real images are kept"),
    ],
)
def test_draws_that_cannot_be_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        lines(**DRAWS | changes)
