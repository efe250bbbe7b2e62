"""Finished evaluations of runs on arms whose generator learnt from other images, without a network anywhere."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from builders import row, write_dataset

from xrayaug.data import dataset
from xrayaug.data.dataset import Row
from xrayaug.data.images import arrays
from xrayaug.data.images.arrays import Pixels
from xrayaug.options import Augment, Evaluate, Sample, TrainClassifier, TrainGan
from xrayaug.stages import augment
from xrayaug.storage import builder

SYNTHETIC, LEARNT, REAL = 10, 12, 10  # images; 100 percent adds all that are synthetic
BRIGHT, DARK, GREY = 200, 20, 100  # brightness of the synthetic ones, those learnt from, the arm's own


def write_runs(home: Path) -> None:
    """Runs named 0, 50 and 100 on the arms of these percents."""
    learnt = [row(patient=f"l{number}", file=f"l{number}.png") for number in range(LEARNT)]
    write_dataset(home / "learnt", learnt, pixels=noise(LEARNT, DARK, 8))
    builder.build_artifact(TrainGan(data=home / "learnt", out=home / "gan"), "gan-run", lambda _: {})
    builder.build_artifact(Sample(run=home / "gan", out=home / "synthetic"), "dataset", _write_samples)
    real = [row(patient=f"r{number}", file=f"r{number}.png") for number in range(REAL)]
    others = [row(patient=split, split=split, label=label, file=f"{split}-{label}.png")
              for split in ("valid", "test") for label in dataset.LABELS]  # fmt: skip
    abnormal = [row(patient=f"a{number}", label="abnormal", file=f"a{number}.png") for number in range(3)]
    rows = [*real, *abnormal, *others]
    write_dataset(home / "real", rows, pixels=noise(len(rows), GREY, 12))
    for percent in (0, 50, 100):
        arm = Augment(real=home / "real", synthetic=(home / "synthetic",), percent=percent, out=home / f"arm-{percent}")
        augment.run(arm)
        settings = dataset.open_dataset(arm.out).artifact.result["arm"]
        run = TrainClassifier(data=arm.out, out=home / f"{percent}", weights="none")
        builder.build_artifact(run, "classifier-run", partial(_write_result, {"arm": settings}))


def write_evaluation(out: Path) -> Path:
    """An evaluation of the runs beside it, without any score."""
    builder.build_artifact(evaluate_options(out), "evaluation", partial(_write_result, {"arms": []}))
    return out


def evaluate_options(out: Path, **changes: Any) -> Evaluate:
    """The command of that evaluation."""
    runs = tuple(out.parent / name for name in ("0", "50", "100"))
    return Evaluate(runs=runs, out=out, device="cpu", **changes)


def noise(count: int, brightness: int, size: int) -> Pixels:
    """Pictures of about that brightness, none like another."""
    return (brightness + np.random.default_rng(brightness).integers(-9, 10, (count, size, size))).astype(np.uint8)


def _write_samples(directory: Path) -> dict[str, Any]:
    rows: list[Row] = [row(synthetic=True, patient="", study="", source="dcgan") for _ in range(SYNTHETIC)]
    with arrays.writing_images(directory, 8) as writer:
        writer.write(noise(SYNTHETIC, BRIGHT, 8))
    dataset.write_index(directory, [replace(each, row=place) for place, each in enumerate(rows)])
    return {"arch": "dcgan"}


def _write_result(result: dict[str, Any], directory: Path) -> dict[str, Any]:
    (directory / "nothing.txt").write_text("nothing\n", encoding="utf-8")
    return result


def answer(word: Any, **changes: Any) -> dict[str, Any]:
    """An answer as the page saves it, without the name of the image."""
    return {"answer": word, "confidence": None, "seconds": 1.5, "defects": [], "comment": ""} | changes


def saved(answers: dict[str, dict[str, Any]], study: str = "5" * 16, reader: str = "AB") -> dict[str, Any]:
    """The content of the file that the page saves."""
    entries = [{"image": name} | each for name, each in answers.items()]
    return {"format": 1, "kind": "xrayaug-reader-results", "study": study, "reader": reader, "answers": entries}


def write_answers(path: Path, content: Any) -> Path:
    """A reader's file."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
