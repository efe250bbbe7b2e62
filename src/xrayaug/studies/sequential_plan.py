"""The plan of a sequential study: what it will test, at which looks and levels. It is written once, before any look.

The file is sealed by the hash of its content, and every look names that hash, so a plan that was changed afterwards is
found. Whoever wants to prove that the plan came first publishes the hash before the first look.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xrayaug.data.dataset import Row
from xrayaug.errors import ArtifactError, OutputError, UsageError
from xrayaug.stats import sequential
from xrayaug.stats.sequential import Look
from xrayaug.storage import files, manifests

PLAN_FILE = "sequential-plan.json"  # in the directory of a study
SEAL = "seal"
FORMAT = 1
MAX_LOOKS = 20
TITLES = {"seeds": "the looks (--sequential)", "arms": "the arms", "test": "the test images", "also": "--also"}


@dataclass(frozen=True)
class ArmInPlan:
    """An arm of the plan: the name of its classifiers without the seed, and what it is."""

    name: str
    role: str  # "arm", "control" or "baseline"


@dataclass(frozen=True)
class SequentialPlan:
    """What a sequential study will test; fields are the JSON keys."""

    seeds: tuple[int, ...]  # of each arm, at each look
    levels: tuple[float, ...]  # at which each look is tested
    rule: str  # of the levels
    first_seed: int
    metric: str
    per: str
    margin: float
    against: str  # what arms are compared with
    calibrate: str
    primary: str | None  # test set that decides, if there are several
    arms: tuple[ArmInPlan, ...]
    family: int  # arms that Holm's correction counts at every look
    test: Mapping[str, Any]  # number of test images, and the sha256 of their list
    also: Mapping[str, str]  # sha256 of each further test set, by name

    @property
    def looks(self) -> list[Look]:
        """The looks, as the plan says them."""
        return [
            Look(number, seeds, level, is_last=number == len(self.seeds))
            for number, (seeds, level) in enumerate(zip(self.seeds, self.levels, strict=True), 1)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as a JSON object, with its format and its seal."""
        content = json.loads(json.dumps({"format": FORMAT} | asdict(self)))
        return dict(content) | {SEAL: _seal(content)}

    @property
    def sha256(self) -> str:
        """The hash that seals the plan."""
        return str(self.to_dict()[SEAL])

    def find_differences(self, other: "SequentialPlan") -> list[str]:
        """Return what another plan says otherwise, one line each."""
        before, now = self.to_dict(), other.to_dict()
        differences = []
        for name in before:
            if name in (SEAL, "levels", "family", "rule") or before[name] == now[name]:
                continue
            values = name in ("seeds", "test", "also", "arms")
            differences.append(
                f"{TITLES[name]} {'was' if name == 'also' else 'were'} {_describe(before[name])}, now "
                f"{_describe(now[name])}"
                if values
                else f"--{name.replace('first_seed', 'seed')} was {before[name]}, is now {now[name]}"
            )
        return differences or ["its levels were made by another rule"] * (before[SEAL] != now[SEAL])


def check_looks(seeds: Sequence[int]) -> list[Look]:
    """Return the looks at these numbers of seeds.

    Raises:
        UsageError: they do not increase from 2, or there are too few or too many.
    """
    hint = "two or more increasing numbers of seeds, the first at least 2, such as --sequential 3,5,8,12"
    given = ",".join(map(str, seeds))
    try:
        looks = sequential.plan_looks(seeds)
    except ValueError:
        raise UsageError(f"--sequential is {given}", hint) from None
    if not 2 <= len(looks) <= MAX_LOOKS:
        raise UsageError(f"--sequential {given} has {len(looks)} looks, of 2 to {MAX_LOOKS}", hint)
    return looks


def digest_images(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the number of test images and the sha256 of the sorted list of their pictures, labels and patients."""
    lines = sorted("\t".join((row.sha256, row.file, row.label, row.patient, row.study)) for row in rows)
    return {"images": len(rows), "sha256": files.sha256_bytes("\n".join(lines).encode())}


def write(path: Path, plan: SequentialPlan) -> None:
    """Write a plan, which must not be there yet.

    Raises:
        OutputError: it is.
    """
    if path.exists():
        raise OutputError(f"{path} is there already", "a plan is written once")
    files.write_json(path, plan.to_dict())


def read(path: Path) -> SequentialPlan:
    """Read a plan.

    Raises:
        ArtifactError: there is none, or it was changed since it was written.
    """
    if not path.is_file():
        raise ArtifactError(
            f"{path} is no plan of a sequential study: no such file", "experiment --sequential makes it"
        )
    if path.stat().st_size > manifests.MAX_BYTES:
        raise ArtifactError(f"{path} is no plan of a sequential study: it is too large")
    content = manifests.parse_json(path.read_bytes(), path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ArtifactError(f"{path} is no plan of a sequential study of this version", "give sequential-plan.json")
    fields = {name: value for name, value in content.items() if name != SEAL}
    if content.get(SEAL) != _seal(fields):
        raise ArtifactError(
            f"{path} changed since it was locked", "restore it from a copy; a plan cannot be changed after it was made"
        )
    del fields["format"]
    values: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in fields.items()}
    values["arms"] = tuple(ArmInPlan(**arm) for arm in fields["arms"])
    return SequentialPlan(**values)


def _seal(content: Mapping[str, Any]) -> str:
    return files.sha256_bytes(json.dumps(dict(content), sort_keys=True).encode())


def _describe(value: Any) -> str:
    """Return a part of a plan in a few words."""
    if isinstance(value, list):
        return ",".join(str(each["name"]) if isinstance(each, dict) else str(each) for each in value)
    if isinstance(value, dict) and "images" in value:
        return f"{value['images']:,} with the sha256 {value['sha256'][:12]}"
    if isinstance(value, dict):
        return ", ".join(f"{name} ({digest[:12]})" for name, digest in value.items()) or "none"
    return str(value)
