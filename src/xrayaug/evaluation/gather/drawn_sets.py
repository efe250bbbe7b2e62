"""The synthetic datasets that runs were trained on images of, and what is recorded of their generators."""

from collections.abc import Mapping
from typing import Any

from xrayaug.data import generators
from xrayaug.errors import ArtifactError
from xrayaug.evaluation.gather import origins
from xrayaug.evaluation.study_facts import DrawnSet
from xrayaug.storage.artifacts import Artifact

WEIGHTS_FILE = "generator.safetensors"  # of a GAN run
# Options that change neither a generator nor how images are drawn from it
OF_TRAINING = ("seed", "preview_every")
OF_SAMPLING = ("seed", "count", "interpolate", "malformed", "png")


def find_drawn_sets(dataset: Artifact) -> tuple[str | None, tuple[DrawnSet, ...]]:
    """Return the name of the generator of an arm's synthetic images, and the synthetic datasets that it draws from.

    Several names are joined by `+`, with their shares if those differ (`a:1+b:3`). There is no name if a synthetic
    dataset has changed or is not there any more, and then nothing is known of its generator.
    """
    names: list[str | None] = []
    sets: list[DrawnSet] = []
    inputs = generators.list_synthetic_inputs(dataset)
    shares = dataset.get(list, "options", "shares") if "shares" in dataset.options else []
    for name in inputs:
        synthetic = origins.read_input(dataset, name)
        names.append(_read_name(synthetic))
        digest = str(dataset.manifest["inputs"][name]["sha256"])
        sets.append(_describe_set(dataset.input(name).name, digest, synthetic))
    known = [name for name in names if name is not None]
    joined = generators.join_names(known, shares) if known and len(known) == len(names) else None
    return joined, tuple(sets)


def _read_name(synthetic: Artifact | None) -> str | None:
    """Return the name of the generator of a synthetic dataset; None if that is not there, or names none."""
    try:
        return None if synthetic is None else generators.read_generator(synthetic).name
    except ArtifactError:
        return None


def _describe_set(name: str, digest: str, synthetic: Artifact | None) -> DrawnSet:
    """Return a synthetic dataset with its GAN, as far as the manifests of both are there and are what they were."""
    if synthetic is None or "run" not in synthetic.manifest["inputs"]:
        return DrawnSet(name, digest, digest, None, None)
    drawn_by = str(synthetic.manifest["inputs"]["run"]["sha256"])
    gan = origins.read_input(synthetic, "run")
    if gan is None:
        return DrawnSet(name, digest, drawn_by, drawn_by, None)
    weights = gan.manifest["files"].get(WEIGHTS_FILE, {}).get("sha256")
    recipe = _read_recipe(gan)
    if recipe is not None:
        recipe |= _to_text(synthetic.options, OF_SAMPLING, "sampling ")
    return DrawnSet(name, digest, drawn_by, str(weights or drawn_by), recipe)


def _read_recipe(gan: Artifact) -> dict[str, str] | None:
    """Return how a GAN was trained, without its seed, with the runs that it started from; None if one is not there."""
    used = gan.result.get("recipe")
    recipe = _to_text(gan.options, OF_TRAINING) | _to_text(used if isinstance(used, dict) else {}, ())
    recipe["data"] = str(gan.manifest["inputs"].get("data", {}).get("sha256", "unknown"))[:8]
    if "init" not in gan.manifest["inputs"]:
        return recipe
    initial = origins.read_input(gan, "init")
    before = None if initial is None else _read_recipe(initial)
    return None if before is None else recipe | {f"init {name}": value for name, value in before.items()}


def _to_text(options: Mapping[str, Any], without: tuple[str, ...], prefix: str = "") -> dict[str, str]:
    return {f"{prefix}{name}": str(value) for name, value in options.items() if name not in without}
