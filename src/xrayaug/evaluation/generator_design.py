"""Which generators an arm is about: one that all of its runs share, or one for each run.

Runs on the images of one dataset share whatever its generator happened to learn. Their spread is that of classifiers
alone, and a verdict on them is about this generator only. If each run has images of a generator of its own, the runs
are independent samples of a generator and a classifier trained on its images: their spread is that of both, and the
same interval is about generators of this kind. Runs in between, such as three of one generator and two of another, are
neither: the variance over seeds takes them as independent, and they are not.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xrayaug.evaluation.results import Check
from xrayaug.evaluation.study_facts import ArmFacts, DrawnSet

CHECK = "generators of runs"

Digests = tuple[str, ...]
"""The digests of the synthetic datasets that a run was trained on images of."""


@dataclass(frozen=True)
class GeneratorDesign:
    """The generators of the runs of one arm."""

    generators: int | None  # 0 without synthetic images, 1, or the number of runs; None if it is unknown, or neither
    failure: str = ""  # why it is neither one generator nor one for each run
    unknown: str = ""  # what is not known of them


def find_design(name: str, seeds: Sequence[int], drawn: Sequence[Sequence[DrawnSet]]) -> GeneratorDesign:
    """Return the design of an arm. A mixture of several datasets that every run has counts as one generator.

    Args:
        name: of the arm.
        seeds: of its runs.
        drawn: the synthetic datasets of each run, in the order of the seeds.
    """
    by_images: dict[Digests, list[int]] = {}
    for seed, sets in zip(seeds, drawn, strict=True):
        by_images.setdefault(list_digests(sets), []).append(seed)
    if len(by_images) <= 1:
        return GeneratorDesign(int(any(drawn)))
    names = name_images(drawn)
    described = "; ".join(
        f"{names[images]} ({'seed' if len(of) == 1 else 'seeds'} {', '.join(map(str, of))})"
        for images, of in by_images.items()
    )
    neither = (
        f"runs of arm {name} have images of different synthetic datasets, and not each run of a generator of its own, "
        f"so that they are not independent: {described}"
    )
    is_one_each = len(by_images) == len(drawn)
    if is_one_each and any(each.generator is None for sets in drawn for each in sets):
        unknown = f"whether the runs of arm {name} have images of one generator or of one each: {described}"
        return GeneratorDesign(None, unknown=unknown)
    generators = [frozenset(each.generator for each in sets) for sets in drawn]
    if is_one_each and len(set(generators)) == 1:
        return GeneratorDesign(1)  # from which each run has images of its own
    if not is_one_each or len(frozenset().union(*generators)) < sum(map(len, generators)):
        return GeneratorDesign(None, failure=neither)
    return _compare_kinds(name, drawn)


def count_generators(arms: Sequence[ArmFacts]) -> dict[str, int | None]:
    """Return the number of generators that each arm is about, by its name: see `GeneratorDesign.generators`."""
    return {arm.name: find_design(arm.name, arm.seeds, arm.drawn).generators for arm in arms}


def check_designs(arms: Sequence[ArmFacts]) -> list[Check]:
    """Check that the runs of every arm share one generator, or have one each; no check if all share one dataset."""
    designs = [
        (arm, find_design(arm.name, arm.seeds, arm.drawn)) for arm in arms if len(set(map(list_digests, arm.drawn))) > 1
    ]
    if not designs:
        return []
    failures = [design.failure for _, design in designs if design.failure]
    if failures:
        return [Check(CHECK, False, "; ".join(failures), critical=True)]
    unknown = [design.unknown for _, design in designs if design.unknown]
    if unknown:
        return [Check(CHECK, None, f"it is unknown {'; '.join(unknown)}", critical=True)]
    described = "; ".join(
        f"{arm.name}: {design.generators} GANs of one kind"
        if design.generators != 1
        else f"{arm.name}: one generator, from which each run has images of its own"
        for arm, design in designs
    )
    sentence = f"runs of one arm have images of one generator, or each of a generator of its own ({described})"
    return [Check(CHECK, True, sentence, critical=True)]


def list_digests(sets: Sequence[DrawnSet]) -> Digests:
    """Return the digests of synthetic datasets."""
    return tuple(each.digest for each in sets)


def name_images(drawn: Sequence[Sequence[DrawnSet]]) -> dict[Digests, str]:
    """Return a name for each of the different images that runs have: of the directories, with digests if these agree.

    Args:
        drawn: the synthetic datasets of each run.
    """
    names = {list_digests(sets): " and ".join(each.name for each in sets) or "no synthetic dataset" for sets in drawn}
    counts = Counter(names.values())
    return {
        images: f"{name}, {', '.join(digest[:8] for digest in images)}" if counts[name] > 1 else name
        for images, name in names.items()
    }


def describe_scope(generators: int | None, draws: int | None) -> str:
    """Return which generators and real images a verdict is about; empty if it is unknown, or about none in particular.

    Args:
        generators: see `GeneratorDesign.generators`.
        draws: of a share of the real images: 1, or one for each seed; None if all of them are there.
    """
    counted = {"GANs of this kind": generators or 0, "draws of the real images": draws or 0}
    over = " and ".join(f"{number} {name}" for name, number in counted.items() if number > 1)
    single = {"generator": generators, "draw of the real images": draws}
    only = " and ".join(f"this {name}" for name, number in single.items() if number == 1)
    return ", ".join(filter(None, [f"over {over}" if over else "", f"{only} only" if only else ""]))


def _compare_kinds(name: str, drawn: Sequence[Sequence[DrawnSet]]) -> GeneratorDesign:
    """Return the design of an arm whose runs have a generator each; these must have been made alike but for seeds."""
    kinds = [[each.recipe for each in sets] for sets in drawn]
    if any(recipe is None for sets in kinds for recipe in sets):
        return GeneratorDesign(
            None, unknown=f"whether the generators of the runs of arm {name} were trained alike: a GAN run is gone"
        )
    differing = [
        f"{option} is {' and '.join(values)}"
        for place in range(max(map(len, kinds)))
        for option, values in _list_values([dict(*sets[place : place + 1]) for sets in kinds]).items()
    ]
    if differing:
        return GeneratorDesign(
            None, failure=f"the generators of the runs of arm {name} are not of one kind: {'; '.join(differing)}"
        )
    return GeneratorDesign(len(drawn))


def _list_values(recipes: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the values of the options that recipes differ in, by the name of the option."""
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    values = {name: list(dict.fromkeys(recipe.get(name, "not given") for recipe in recipes)) for name in names}
    return {name: found for name, found in values.items() if len(found) > 1}
