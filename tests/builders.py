"""Small datasets with rows of the test's own choosing, and artifacts of any kind."""

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
from xrayaug.storage.manifests import MANIFEST

MakeDataset = Callable[..., Path]  # conftest's fixture

PLAIN = Row("images.npy", 0, "train", "normal", "p0", "p0/s1", "folder", False)


def row(**changes: Any) -> Row:
    """A real, normal training image of patient p0, but for the changes."""
    return replace(PLAIN, **changes)


def grey(count: int, size: int = 8) -> Pixels:
    """Pictures of one grey each, 0, 1, 2, ..., so that a picture tells which it is."""
    return np.broadcast_to(np.arange(count).astype(np.uint8)[:, None, None], (count, size, size))


def write_dataset(
    out: Path, rows: Sequence[Row], *, pixels: Pixels | None = None, numbered: bool = True, split_by: str = "patient"
) -> Path:
    """A finished dataset of `rows`, numbered in order unless told otherwise; its pixels are `grey` by default."""
    given = [replace(each, row=place) for place, each in enumerate(rows)] if numbered else list(rows)
    pictures = grey(len(given)) if pixels is None else pixels

    def build(directory: Path) -> dict[str, Any]:
        with arrays.writing_images(directory, pictures.shape[1]) as writer:
            writer.write(pictures)
        dataset.write_index(directory, given, split_by=split_by)
        return {"split_by": split_by}

    raw = out.parent / "raw"
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.touch()
    builder.build_artifact(Prepare(input=raw, out=out), "dataset", build)
    return out


def write_classifier(
    out: Path, data: Path, *, arch: str = "resnet18", size: int = 32, seed: int = 0, synthetic: int = 0
) -> Path:
    """A classifier run as `train-classifier` leaves it, untrained."""
    from xrayaug.metrics import features
    from xrayaug.networks import classifier
    from xrayaug.storage import weights  # with torch, which most of what is built here does without

    def build(directory: Path) -> dict[str, Any]:
        network = classifier.build(arch, size=size, seed=seed)
        weights.save(directory / features.WEIGHTS, classifier.state_of(network))
        return {"arch": arch, "size": size, "train": {"synthetic": {"normal": synthetic, "abnormal": 0}}}

    builder.build_artifact(TrainClassifier(data=data, out=out), "classifier-run", build)
    return out


def tamper(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file of a finished artifact and its manifest with it, as a hand that seals again."""
    file = path / name
    file.write_bytes(change(file.read_bytes()))
    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"][name] = {
        "bytes": file.stat().st_size,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    manifests.write(path, manifest)


def edit_manifest(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change what a finished artifact says of itself, and seal it again."""
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


def build(directory: Path) -> dict[str, Any]:
    """Make an artifact of two files, one in a directory of its own."""
    (directory / "images.npy").write_bytes(b"pixels")
    (directory / "png").mkdir()
    (directory / "png" / "0.png").write_bytes(b"a picture")
    return dict(RESULT)


def phantom(out: Path, **changes: Any) -> Phantom:
    """A command without inputs."""
    return Phantom(**{"layout": "rsna", "count": 3, "out": out, **changes})


def arm_of(percent: float, added: int, **changes: Any) -> dict[str, Any]:
    """What the manifest of an arm says was added: normal images, unless told otherwise."""
    label = "normal" if added else None
    return {"percent": percent, "real_fraction": 1.0, "label": label, "added": added, **changes}


def train(data: Path, out: Path, seed: int, log: Sequence[dict[str, Any]] = (), **changes: Any) -> Path:
    """A classifier run as train-classifier writes it, its network untrained."""
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
