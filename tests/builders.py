"""Builders of small datasets with given rows, and of artifacts of any kind."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from xrayaug.data import dataset
from xrayaug.data.dataset import Row
from xrayaug.data.images import arrays
from xrayaug.data.images.arrays import Pixels
from xrayaug.networks import classifier
from xrayaug.options import Phantom, Prepare, TrainClassifier
from xrayaug.storage import builder, files, manifests, weights
from xrayaug.storage.files import WEIGHTS_FILE
from xrayaug.storage.manifests import MANIFEST

MakeDataset = Callable[..., Path]  # conftest's fixture

PLAIN = Row("images.npy", 0, "train", "normal", "p0", "p0/s1", "folder", False)


def row(**changes: Any) -> Row:
    """Return the row of a real, normal training image of patient p0, with the given changes."""
    return replace(PLAIN, **changes)


def grey(count: int, size: int = 8) -> Pixels:
    """Return pictures of uniform grey values 0, 1, 2, ..., so that the value identifies the picture."""
    return np.broadcast_to(np.arange(count).astype(np.uint8)[:, None, None], (count, size, size))


def write_dataset(
    out: Path, rows: Sequence[Row], *, pixels: Pixels | None = None, numbered: bool = True, split_by: str = "patient"
) -> Path:
    """Write a finished dataset of `rows`, numbered in order if `numbered`; its pixels are `grey` by default."""
    index = [replace(entry, row=place) for place, entry in enumerate(rows)] if numbered else list(rows)
    pictures = grey(len(index)) if pixels is None else pixels

    def build(directory: Path) -> dict[str, Any]:
        with arrays.writing_images(directory, pictures.shape[1]) as writer:
            writer.write(pictures)
        dataset.write_index(directory, index, split_by=split_by)
        return {"split_by": split_by}

    raw = out.parent / "raw"
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.touch()
    builder.build_artifact(Prepare(input=raw, out=out), "dataset", build)
    return out


def write_external(
    home: Path,
    name: str = "ddpm",
    *,
    learnt_from: str | Path | None = None,
    sha256: str = "made",
    pixels: Pixels | None = None,
    labels: Sequence[str] = ("normal",),
) -> Path:
    """Write a synthetic dataset of a generator from elsewhere as `prepare --synthetic` does, an image of each label."""
    image = row(patient="", study="", source=name, synthetic=True, sha256=sha256)
    made = write_dataset(home / "pixels", [replace(image, label=label) for label in labels], pixels=pixels)
    declared = None if learnt_from is None else str(learnt_from)
    options = Prepare(input=made, synthetic=True, generator=name, learnt_from=declared, out=home / name)

    def build(directory: Path) -> dict[str, Any]:
        for file in (arrays.IMAGES, dataset.INDEX):
            (directory / file).write_bytes((made / file).read_bytes())
        return {"split_by": "patient", "generator": {"name": name, "learnt_from": options.provenance}}

    builder.build_artifact(options, "dataset", build)
    return home / name


def write_classifier(
    out: Path, data: Path, *, arch: str = "resnet18", size: int = 32, seed: int = 0, synthetic: int = 0
) -> Path:
    """Write a classifier run as `train-classifier` does, with an untrained network."""
    from xrayaug.networks import classifier
    from xrayaug.storage import weights  # imported here, since most tests need no torch

    def build(directory: Path) -> dict[str, Any]:
        network = classifier.build(arch, size=size, seed=seed)
        weights.save(directory / WEIGHTS_FILE, classifier.state_of(network))
        return {"arch": arch, "size": size, "train": {"synthetic": {"normal": synthetic, "abnormal": 0}}}

    builder.build_artifact(TrainClassifier(data=data, out=out), "classifier-run", build)
    return out


def tamper(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file of a finished artifact, and update and seal its manifest."""
    file = path / name
    file.write_bytes(change(file.read_bytes()))
    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"][name] = {
        "bytes": file.stat().st_size,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    manifests.write(path, manifest)


def edit_manifest(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the manifest of a finished artifact, and seal it again."""
    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    change(manifest)
    manifests.write(path, manifest)


def edit_index(path: Path, line: int, **cells: str) -> None:
    """Change cells of one row (counted from 0) in a finished dataset's index."""

    def change(content: bytes) -> bytes:
        rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        rows[line] |= cells
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()

    tamper(path, dataset.INDEX, change)


def write_png(path: Path, pixels: Pixels) -> None:
    """Write a picture, making its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=1)


RESULT = {"images": 3, "mean": 0.5}
# A small study of phantoms with three doses, two seeds, distances between both sets and without controls.
STUDY: dict[str, Any] = {
    "preset": "demo",
    "rsna_source": "rsna",
    "percents": (0.0, 50.0, 100.0),
    "real_fractions": (1.0,),
    "controls": ("none",),
    "seeds": 2,
    "samples": 800,
    "features": "random",
    "classifier_train": "all",
}


def build(directory: Path) -> dict[str, Any]:
    """Fill an artifact with two files, one of them in a subdirectory."""
    (directory / "images.npy").write_bytes(b"pixels")
    (directory / "png").mkdir()
    (directory / "png" / "0.png").write_bytes(b"a picture")
    return dict(RESULT)


def phantom(out: Path, **changes: Any) -> Phantom:
    """Return a command without inputs."""
    return Phantom(**{"layout": "rsna", "count": 3, "out": out, **changes})


def arm_of(percent: float, added: int, **changes: Any) -> dict[str, Any]:
    """Return the manifest's description of an arm; the images added are normal by default."""
    label = "normal" if added else None
    return {"percent": percent, "real_fraction": 1.0, "label": label, "added": added, **changes}


def train(data: Path, out: Path, seed: int, log: Sequence[dict[str, Any]] = (), **changes: Any) -> Path:
    """Write a classifier run with a log as `train-classifier` does, with an untrained network."""
    options = TrainClassifier(data=data, out=out, arch="squeezenet1_1", weights="none", size=32, seed=seed, **changes)

    def build(directory: Path) -> dict[str, Any]:
        network = classifier.build(options.arch, size=32, seed=seed)
        weights.save(directory / "weights.safetensors", classifier.state_of(network))
        if log:
            files.Log(directory / "log.jsonl", log)
        arm = arm_of(0, 0) | dataset.open_dataset(data).artifact.result.get("arm", {})
        return {"arm": arm, "seed": seed, "arch": options.arch, "size": 32}

    builder.build_artifact(options, "classifier-run", build)
    return out
