"""The generators of synthetic datasets: their names, and the images that they were trained on.

A set that `sample` drew records its GAN run, and so the chain of manifests to the images that the run saw. Of a set
that `prepare --synthetic` read, only what the user declared is known: a dataset, none of the images of the study, or
nothing.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, takewhile
from pathlib import Path

from xrayaug.data.dataset import Dataset, Row, open_dataset
from xrayaug.errors import ArtifactError, DataError
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact

RECORDED = "recorded"  # the training images are those of a GAN run, in its manifests
DECLARED, NONE, UNKNOWN = "declared", "none", "unknown"  # what the user said of them
SYNTHETIC = "synthetic"  # name of the inputs of an arm, with a number where there are several


@dataclass(frozen=True)
class Generator:
    """The generator of a synthetic dataset."""

    name: str
    learnt_from: str  # RECORDED, DECLARED, NONE or UNKNOWN

    @property
    def is_declared(self) -> bool:
        """Whether what is known of its training images is what the user said of them."""
        return self.learnt_from in (DECLARED, NONE)


@dataclass(frozen=True)
class TrainingImages:
    """Images that a generator was trained on: rows of a dataset."""

    data: Dataset
    rows: Sequence[Row]


def is_external(synthetic: Artifact) -> bool:
    """Return whether the images of a synthetic dataset are of a generator from elsewhere."""
    return "generator" in synthetic.result


def read_generator(synthetic: Artifact) -> Generator:
    """Read the generator of a synthetic dataset from its manifest.

    Raises:
        ArtifactError: the manifest names none.
    """
    if is_external(synthetic):
        said = synthetic.get(str, "result", "generator", "learnt_from", among=(DECLARED, NONE, UNKNOWN))
        return Generator(synthetic.get(str, "result", "generator", "name"), said)
    return Generator(synthetic.get(str, "result", "arch"), RECORDED)


def join_names(names: Sequence[str], shares: Sequence[float]) -> str:
    """Return one name for the generators of several synthetic datasets, such as `stylegan3+ddpm`.

    Shares that differ are a part of it, in their smallest integers: `stylegan3:3+ddpm:1`.

    Args:
        names: of the generators, one for each dataset.
        shares: of the datasets, positive, in any unit; none if they are equal.
    """
    if len(set(shares)) > 1:
        exact = [Fraction(str(share)) for share in shares]
        scale = math.lcm(*(share.denominator for share in exact))
        parts = [int(share * scale) for share in exact]
        names = [f"{name}:{part // math.gcd(*parts)}" for name, part in zip(names, parts, strict=True)]
    return "+".join(dict.fromkeys(names))


def list_synthetic_inputs(arm: Artifact) -> list[str]:
    """Return the names of the synthetic datasets among the inputs of an arm, in order; none for an arm without."""
    inputs = arm.manifest["inputs"]
    if SYNTHETIC in inputs:
        return [SYNTHETIC]
    return list(takewhile(inputs.__contains__, (f"{SYNTHETIC}/{number}" for number in count())))


def open_synthetic_sets(arm: Artifact) -> list[Artifact]:
    """Open the synthetic datasets that an arm draws from, in order; none for an arm without.

    Raises:
        ArtifactError: one is not there, or has changed.
    """
    return [arm.open_input(name, "dataset") for name in list_synthetic_inputs(arm)]


def find_run(synthetic: Artifact) -> Artifact | None:
    """Return the GAN run of a synthetic dataset; None if it is not there, or has changed, or there was none here."""
    try:
        return synthetic.open_input("run", "gan-run")
    except (ArtifactError, KeyError):
        return None


def list_external(synthetic: Artifact) -> list[Generator]:
    """Return the generators from elsewhere that a synthetic dataset depends on.

    They are its own, or those of the synthetic images that its own was trained on.

    Raises:
        ArtifactError: a link of the chain is not there, or has changed.
    """
    if is_external(synthetic):
        return [read_generator(synthetic)]
    images = list(_iterate_images_of_runs(synthetic.open_input("run", "gan-run")))
    earlier = [one for arm in _list_arms(images) for one in open_synthetic_sets(arm) or [arm]]
    return [found for one in earlier for found in list_external(one)]


def open_training_images(synthetic: Artifact, *, only_known: bool = False) -> list[TrainingImages]:
    """Open the datasets that the generator of a synthetic dataset was trained on, and select the images that it saw.

    The first is that of its own training. If it started from the weights of another run, that run's follow; and if its
    training images are synthetic themselves, those of their generator. Nothing is returned if the user declared that
    it saw none of the images of the study.

    Args:
        synthetic: the dataset.
        only_known: whether to leave out what is unknown.

    Raises:
        DataError: they are unknown.
        ArtifactError: a link of the chain is not there, or has changed.
    """
    return list(iterate_training_images(synthetic, only_known=only_known))


def iterate_training_images(synthetic: Artifact, *, only_known: bool = False) -> Iterator[TrainingImages]:
    """Yield what `open_training_images` returns; all that can be opened comes before an error about what cannot."""
    if not is_external(synthetic):
        images = []
        problem: ArtifactError | None = None
        try:
            for each in _iterate_images_of_runs(synthetic.open_input("run", "gan-run")):
                images.append(each)
                yield each
        except ArtifactError as found:
            problem = found
        for arm in _list_arms(images):
            try:
                for one in open_synthetic_sets(arm) or [arm]:
                    yield from iterate_training_images(one, only_known=only_known)
            except ArtifactError as found:
                problem = problem or found
        if problem is not None:
            raise problem
        return
    generator = read_generator(synthetic)
    if generator.learnt_from == UNKNOWN and not only_known:
        raise DataError(
            f"what {generator.name}, the generator of {synthetic.path}, was trained on is unknown",
            "declare it with xrayaug prepare --synthetic --learnt-from",
        )
    if generator.learnt_from in (NONE, UNKNOWN):
        return
    data = Dataset(synthetic.open_input("learnt_from", "dataset"))
    yield TrainingImages(data, data.select(split="train"))


def warn_of_other_training_data(synthetic: Artifact, real: Path) -> list[str]:
    """Return warnings if the generator of a synthetic dataset learnt from other images than a real dataset's, or may.

    Args:
        synthetic: the synthetic dataset.
        real: the real dataset that its images are compared with.
    """
    if is_external(synthetic):
        return _warn_of_declaration(synthetic, real)
    lines = []
    if _was_learnt_elsewhere(synthetic, real):
        lines.append(f"{synthetic.path} was not learnt from {real}, as its manifests have it")
    return lines + _warn_of_initial_runs(synthetic)


def find_doubt(synthetic: Artifact, real: Path) -> str:
    """Return why it is not known that a generator was trained on a real dataset, and saw no held-out image of it.

    Empty if it is known.
    """
    if is_external(synthetic):
        generator = read_generator(synthetic)
        declared = synthetic.manifest["inputs"].get("learnt_from", {}).get("sha256")
        if generator.learnt_from == DECLARED and declared == artifacts.digest(real):
            return ""
        return f"nobody says that {generator.name}, the generator, was trained on {real}"
    if "run" not in synthetic.manifest["inputs"]:
        return ""
    run = find_run(synthetic)
    if run is None:
        return f"the run of the generator is gone or has changed, so that it is unknown if it was trained on {real}"
    is_same = run.manifest["inputs"].get("data", {}).get("sha256") == artifacts.digest(real)
    if not is_same:
        return f"the generator was trained on another dataset than {real}"
    return _find_doubt_about_starts(run, real)


def _find_doubt_about_starts(run: Artifact, real: Path) -> str:
    """Return whether the runs that a GAN started from saw held-out images of a dataset, or are unknown; else empty."""
    if "init" not in run.manifest["inputs"]:
        return ""
    try:
        starts = list(_iterate_images_of_runs(run.open_input("init", "gan-run")))
    except ArtifactError as problem:
        return f"it is not known what the weights that the generator started from had learnt: {problem.message}"
    held_out = [row for row in open_dataset(real).rows if row.split != "train"]
    rows = [row for each in starts for row in each.rows]
    pictures = {row.sha256 for row in rows} - {""}
    patients = {(row.source, row.patient) for row in rows if row.patient}
    seen = sum(row.sha256 in pictures or (row.source, row.patient) in patients for row in held_out)
    return (
        f"the generator started from weights that had learnt {seen:,} held-out images, or patients of their names"
        if seen
        else ""
    )


def _warn_of_declaration(synthetic: Artifact, real: Path) -> list[str]:
    """Return a warning if the user has not declared that a generator from elsewhere was trained on the real dataset."""
    generator = read_generator(synthetic)
    if generator.learnt_from == UNKNOWN:
        return [
            f"what {generator.name}, the generator of {synthetic.path}, was trained on is unknown: it may have copied "
            f"images that are not in {real}"
        ]
    if generator.learnt_from == NONE:
        return [f"{generator.name} was trained on no image of this study, as declared by the user, so not on {real}"]
    declared = synthetic.manifest["inputs"].get("learnt_from", {})
    if declared.get("sha256") != artifacts.digest(real):
        return [f"{generator.name} was trained on another dataset than {real}, as declared by the user"]
    return []


def _was_learnt_elsewhere(synthetic: Artifact, real: Path) -> bool:
    """Return whether the manifests say that the generator was trained on another dataset; False if one is missing."""
    run = find_run(synthetic)
    recorded: list[str | None] = []
    try:
        while run is not None:
            recorded.append(run.manifest["inputs"].get("data", {}).get("sha256"))
            run = run.open_input("init", "gan-run") if "init" in run.manifest["inputs"] else None
    except ArtifactError:
        return False  # a start that is gone may have had these images; `_warn_of_initial_runs` says that it is gone
    return None not in recorded[:1] and bool(recorded) and artifacts.digest(real) not in recorded


def _warn_of_initial_runs(synthetic: Artifact) -> list[str]:
    """Return a warning for each run that the generator started from, its own first, and one if the chain is broken."""
    lines: list[str] = []
    if "run" not in synthetic.manifest["inputs"]:
        return lines
    try:
        run = synthetic.open_input("run", "gan-run")
        while "init" in run.manifest["inputs"]:
            initial = run.input("init")
            lines.append(
                f"the generator started from the weights of {initial}; screen for copies of that run's images too"
            )
            run = run.open_input("init", "gan-run")
    except ArtifactError as problem:
        lines.append(f"it is not known from what weights the generator started: {problem.message}")
    return lines


def _iterate_images_of_runs(gan: Artifact) -> Iterator[TrainingImages]:
    """Yield the training images of a GAN run, and of those that it started from; then raise the first error."""
    problems: list[ArtifactError] = []
    run: Artifact | None = gan
    while run is not None:
        try:
            data = Dataset(run.open_input("data", "dataset"))
            images = TrainingImages(data, data.select(split="train", label=run.options.get("only_label")))
        except ArtifactError as problem:
            problems.append(problem)
        else:
            yield images
        try:
            run = run.open_input("init", "gan-run") if "init" in run.manifest["inputs"] else None
        except ArtifactError as problem:
            problems.append(problem)
            run = None
    if problems:
        raise problems[0]


def _list_arms(images: Sequence[TrainingImages]) -> list[Artifact]:
    """Return the datasets with synthetic images among training images: synthetic ones, or arms that draw from some."""
    return [each.data.artifact for each in images if any(row.synthetic for row in each.rows)]
