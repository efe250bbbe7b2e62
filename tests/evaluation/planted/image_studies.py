"""Small studies of drawn hands in which leaks and copies are planted."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from builders import edit_manifest, row, write_dataset

from xrayaug.data import phantoms
from xrayaug.data.dataset import Dataset, Row
from xrayaug.data.images.arrays import Pixels
from xrayaug.evaluation.gather import planted_images, test_sets
from xrayaug.evaluation.gather.planted_images import ImageAudits
from xrayaug.evaluation.gather.runs import Run, distinguish_arms, make_run
from xrayaug.evaluation.planted import images
from xrayaug.evaluation.planted.results import PlantedRate
from xrayaug.options import Augment, Evaluate, TrainClassifier
from xrayaug.stages import augment
from xrayaug.storage import artifacts, builder

TRAINING, VALIDATION, TESTED = 12, 4, 46
SIZE = 64


@cache
def draw_hand(number: int, size: int) -> Pixels:
    """Draw the hand of this number, uint8 `[S, S]`."""
    return phantoms.draw_hand(np.random.default_rng(number), size, size, abnormal=False)


def draw_hands(count: int, first: int = 0, size: int = SIZE) -> Pixels:
    """Draw hands uint8 `[N, S, S]`, each another one."""
    return np.stack([draw_hand(number, size) for number in range(first, first + count)])


def list_rows(**changes: Any) -> list[Row]:
    """Return rows of training, validation and test images, each of another patient, with both labels."""
    splits = ["train"] * TRAINING + ["valid"] * VALIDATION + ["test"] * TESTED
    return [
        row(
            **{
                "split": split,
                "label": ("normal", "abnormal")[number % 2],
                "patient": f"p{number}",
                "study": "",
                "file": f"{number}.png",
                "sha256": f"sha{number}",
                **changes,
            }
        )
        for number, split in enumerate(splits)
    ]


def write_real(home: Path, rows: Sequence[Row] | None = None, *, compared: bool = True) -> Path:
    """Write the dataset of real images as `prepare` does, which compared its images by content or did not."""
    made = list_rows() if rows is None else rows
    real = write_dataset(home / "real", made, pixels=draw_hands(len(made)))
    near = {"near_copies": {"threshold": 0.97 if compared else None}}
    edit_manifest(real, lambda manifest: manifest["result"].update(near))
    return real


def make_arm(home: Path, real: Path, *synthetic: Path, screenings: Sequence[Path] = (), percent: float = 50) -> Run:
    """Make an arm of the real images and images of synthetic datasets, and a run on it without weights."""
    options = Augment(real=real, synthetic=synthetic, copies=tuple(screenings), percent=percent, out=home / "arm")
    augment.run(options)
    arm = artifacts.open_artifact(home / "arm")
    return make_run("run", _train(arm.path, home / "run", arm.result["arm"]), Dataset(arm))


def make_baseline(home: Path, real: Path) -> Run:
    """Make a run on the real images."""
    settings = {"percent": 0.0, "real_fraction": 1.0, "label": None, "added": 0}
    return make_run("base", _train(real, home / "base", settings), Dataset(artifacts.open_artifact(real)))


def _train(data: Path, out: Path, settings: dict[str, Any]) -> artifacts.Artifact:
    builder.build_artifact(TrainClassifier(data=data, out=out), "classifier-run", lambda _: {"arm": settings})
    return artifacts.open_artifact(out)


def gather(*runs: Run, also: Sequence[Path] = ()) -> ImageAudits:
    """Gather what leaks and copies are planted in."""
    sorted_runs = distinguish_arms(runs)
    options = Evaluate(runs=tuple(run.artifact.path for run in runs), also=tuple(also) or None, out=Path("out"))
    opened = test_sets.open_test_sets(options, sorted_runs)
    return planted_images.gather_image_audits(sorted_runs, test_sets.gather_test_sets(opened, sorted_runs, (), None))


def plant(*runs: Run, also: Sequence[Path] = ()) -> dict[tuple[str, str], dict[float, PlantedRate]]:
    """Plant leaks and copies; return the rates by amount, by place and form."""
    rates: dict[tuple[str, str], dict[float, PlantedRate]] = {}
    for rate in images.plant_images(gather(*runs, also=also).audits, 0):
        if isinstance(rate, PlantedRate):
            rates.setdefault((rate.what, rate.form or ""), {})[rate.amount] = rate
    return rates


def list_unknown(*runs: Run, also: Sequence[Path] = ()) -> dict[str, str]:
    """Return why something cannot be planted, by place."""
    audits = gather(*runs, also=also)
    planted = [each for each in images.plant_images(audits.audits, 0) if not isinstance(each, PlantedRate)]
    return {each.what: each.reason for each in [*audits.unknown, *planted]}


def hash_files(home: Path) -> dict[str, str]:
    """Return the sha256 of every file in a directory."""
    return {
        path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }
