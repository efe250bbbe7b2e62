"""Read the plan of a sequential study and the look before, and check that the runs are those of the next look."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from xrayaug.errors import DataError, UsageError
from xrayaug.evaluation import serialization
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.gather.test_sets import OWN, OpenedSet
from xrayaug.evaluation.looks import CurrentLook
from xrayaug.evaluation.results import OtherTestSets, Verdict
from xrayaug.options import Evaluate
from xrayaug.storage import artifacts, files
from xrayaug.studies import sequential_plan
from xrayaug.studies.sequential_plan import SequentialPlan

QUESTION = ("metric", "per", "margin", "against", "calibrate", "primary")  # options that the plan fixes


def check_options(options: Evaluate) -> None:
    """Check that a look before is given with a plan alone, and that the plan is that of this question.

    Raises:
        UsageError: it is not.
        ArtifactError: the plan is missing or was changed.
    """
    if options.plan is None:
        if options.previous_look is not None:
            raise UsageError("--previous-look is for a sequential study alone", "give --plan, or leave it out")
        return
    plan = sequential_plan.read(options.plan)
    for name in QUESTION:
        planned, given = getattr(plan, name), getattr(options, name)
        if planned != given:
            raise UsageError(
                f"--{name} is {given}, and {options.plan} was locked with {planned}",
                "a plan cannot be changed after it was made: judge as it says",
            )


def gather_look(options: Evaluate, runs: Sequence[Run], sets: Sequence[OpenedSet]) -> CurrentLook | None:
    """Return the look that an evaluation is; None if the study is not sequential.

    Raises:
        DataError: the test images, the arms or the seeds are not those of the plan.
        ArtifactError: the evaluation of the look before is damaged, or is of another plan.
    """
    if options.plan is None:
        return None
    plan = sequential_plan.read(options.plan)
    _check_test_sets(options, plan, sets)
    previous: Mapping[str, Verdict] = {}
    if options.previous_look is not None:
        evaluation = artifacts.open_artifact(options.previous_look, "evaluation")
        primary = serialization.from_dict(Verdict, evaluation.get(dict, "result", "verdict"))
        if primary.sequential is None or primary.sequential.plan != plan.sha256 or primary.sequential.is_last:
            raise DataError(
                f"--previous-look {options.previous_look} is no look of {options.plan} that another one follows",
                "give the evaluation of the look before",
            )
        others = evaluation.result.get("others")
        further = serialization.from_dict(OtherTestSets, others) if others else None
        previous = {further.primary if further else OWN: primary}
        previous |= {each.name: each.verdict for each in further.sets} if further else {}
        current = CurrentLook(plan.looks[primary.sequential.number], plan.looks, plan.sha256, previous)
    else:
        current = CurrentLook(plan.looks[0], plan.looks, plan.sha256)
    _check_runs(plan, current, runs)
    return current


def _check_test_sets(options: Evaluate, plan: SequentialPlan, sets: Sequence[OpenedSet]) -> None:
    own = next(each for each in sets if each.name == OWN)
    found = sequential_plan.digest_images(own.tested.rows)
    if found != plan.test:
        raise DataError(
            f"the test images are not those of {options.plan}, which was locked with {plan.test['images']:,} images: "
            f"these are {found['images']:,}",
            "judge the runs of the study that the plan is of",
        )
    also = {files.resolve_directory(path).name: artifacts.digest(path) for path in options.also or ()}
    if also != plan.also:
        planned = ", ".join(plan.also) or "none"
        content = " of other content" if also.keys() == plan.also.keys() else ""
        raise DataError(
            f"--also is {', '.join(also) or 'none'}, and {options.plan} was locked with {planned}{content}",
            "judge on the test sets of the plan",
        )


def _check_runs(plan: SequentialPlan, current: CurrentLook, runs: Sequence[Run]) -> None:
    """Check the number of arms, and the seeds of each that goes on.

    Raises:
        DataError: they are not those of the plan.
    """
    seeds: dict[str, set[int]] = defaultdict(set)
    for run in runs:
        seeds[run.arm_name].add(run.seed)
    arms = {run.arm_name for run in runs if run.arm.control is None and run.arm.percent > 0}
    if len(arms) != plan.family:
        raise DataError(
            f"the runs are of {len(arms)} arms, and the plan was locked with {plan.family}",
            "judge the runs of all arms of the plan, also of those that are told",
        )
    wanted = set(range(plan.first_seed, plan.first_seed + current.look.seeds))
    for name, given in seeds.items():
        if name not in current.stopped and given != wanted:
            raise DataError(
                f"arm {name} has {len(given)} seeds, and look {current.look.number} of the plan is at "
                f"{current.look.seeds}, from {plan.first_seed} on",
                "judge the runs of these seeds",
            )
