"""How does memory grow with the number of images? Every command that reads or writes a dataset, at several sizes.

    python benchmarks/memory.py DIRECTORY [--counts 4000,40000,400000] [--size 64] [--minutes 0.5] [--only fid+augment]

Datasets are real ones but for their pixels: black, in sparse files that take no room on disk. Every command runs in a
process of its own, with a limit on the memory that it may take for itself (RLIMIT_DATA), and is stopped when its time
is up: by then it has read its inputs and computes. What a command would still take at its very end is not in the figure
where it was stopped.

`own` is the most that was the process's own (RssAnon); `all` the most that was resident (VmHWM), pages of mapped files
among it, which the kernel takes back when it needs them.
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from xrayaug import classifier, csvfile, dataset, files, production, weights
from xrayaug.dataset import COLUMNS, INDEX
from xrayaug.images import arrays
from xrayaug.options import Prepare, TrainClassifier

ARCH = "squeezenet1_1"
LOOK_SECONDS = 0.02
STOPPED = 75
FIGURE = re.compile(r"^(VmHWM|RssAnon):\s+(\d+) kB", re.MULTILINE)
COLUMNS_HERE = COLUMNS[: COLUMNS.index("copy")]


@dataclass(frozen=True)
class Peak:
    """What a process took, in bytes, how long, and how it ended."""

    own: int
    all: int
    seconds: float
    code: int

    def __str__(self) -> str:
        ended = {0: "", STOPPED: ", stopped"}.get(self.code, f", exit code {self.code}")
        return f"{self.own >> 20:,} / {self.all >> 20:,} ({self.seconds:.0f} s{ended})"


def lines(count: int) -> Iterator[Sequence[object]]:
    """An index: patients of three images, a tenth of them for validation and a tenth for testing."""
    yield COLUMNS_HERE
    for place in range(count):
        patient, label = place // 3, dataset.LABELS[place % 2]
        split = {0: "valid", 1: "test"}.get(patient % 10, "train")
        study = f"patient{patient:06}/study1"
        file = f"XR_HAND/{study}/image{place % 3}.png"
        yield "images.npy", place, split, label, f"patient{patient:06}", study, "mura", 0, file, f"{place:064x}"


def make_dataset(directory: Path, count: int, size: int) -> Path:
    """A finished dataset of black pictures."""
    raw, out = directory / "raw", directory / f"hands-{count}"
    raw.mkdir(exist_ok=True)

    def build(partial: Path) -> dict[str, Any]:
        header = arrays._header(count, size)
        with (partial / arrays.IMAGES).open("wb") as images:
            images.write(header)
            images.truncate(len(header) + count * size**2)
        files.write_text(partial / INDEX, csvfile.dump(lines(count)))
        return {"split_by": "patient"}

    production.produce(Prepare(source="folder", input=raw, size=size, out=out), "dataset", build)
    return out


def make_run(directory: Path, data: Path, size: int) -> Path:
    """A classifier run on the dataset whose network has learnt nothing."""
    out = directory / f"run-{data.name}"
    options = TrainClassifier(data=data, arch=ARCH, weights="none", size=size, epochs=1, batch_size=64, out=out)
    arm = {"percent": 0.0, "real_fraction": 1.0, "label": None, "added": 0, "control": None}

    def build(partial: Path) -> dict[str, Any]:
        network = classifier.build(ARCH, size=size)
        weights.save(partial / "weights.safetensors", classifier.state_of(network))
        return {"arch": ARCH, "size": size, "arm": arm, "split_by": "patient"}

    production.produce(options, "classifier-run", build)
    return out


def make_raw(directory: Path, count: int) -> Path:
    """A raw set of tiny pictures, no two alike, one a patient."""
    raw = directory / f"raw-{count}"
    for label in dataset.LABELS:
        (raw / label).mkdir(parents=True, exist_ok=True)
    for place in range(count):
        picture = np.frombuffer(place.to_bytes(64, "little"), np.uint8).reshape(8, 8)
        Image.fromarray(picture).save(raw / dataset.LABELS[place % 2] / f"{place:06}.png", compress_level=1)
    return raw


def peak_of(words: Sequence[str], limit: int) -> Peak:
    """Run `xrayaug` with these words and watch it."""
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "xrayaug", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as running:
        resource.prlimit(running.pid, resource.RLIMIT_DATA, (limit, limit))
        own = whole = 0
        while running.poll() is None:
            found = dict(FIGURE.findall(Path(f"/proc/{running.pid}/status").read_text(encoding="utf-8")))
            own, whole = max(own, int(found.get("RssAnon", 0))), max(whole, int(found.get("VmHWM", 0)))
            time.sleep(LOOK_SECONDS)
        assert running.stderr is not None
        said = running.stderr.read()
    if running.returncode not in (0, STOPPED):
        print(said, file=sys.stderr)
    return Peak(own << 10, whole << 10, time.monotonic() - started, running.returncode)


def commands(arguments: argparse.Namespace) -> dict[str, Callable[[int], list[str]]]:
    """The words of every command, for so many images."""
    root, size = arguments.directory, arguments.size
    tiny = ["--width", "0.0625", "--on-collapse", "warn"]
    training = ["--device", "cpu", "--epochs", "1", "--batch-size", "64"]

    def data(count: int) -> str:
        return str(make_dataset(root, count, size))

    return {
        "prepare": lambda n: ["prepare", "--input", str(make_raw(root, n)), "--size", "8", "--source", "folder"],
        "fid": lambda n: ["fid", data(n), data(n), "--features", "random", "--dims", "64", "--device", "cpu",
                          "--cache", str(root / f"cache-{n}")],
        "train-gan": lambda n: ["train-gan", "--data", data(n), *tiny, *training],
        "sample": lambda n: ["sample", "--run", str(make_gan(root, size)), "--count", str(n), "--device", "cpu"],
        "augment": lambda n: ["augment", "--real", data(n), "--percent", "100", "--control", "duplicate"],
        "train-classifier": lambda n: ["train-classifier", "--data", data(n), "--arch", ARCH, "--weights", "none",
                                       "--size", str(size), *training],
        "train-classifier, resized": lambda n: ["train-classifier", "--data", data(n), "--arch", ARCH, "--weights",
                                                "none", "--size", str(size * 3 // 4), *training],
        "evaluate": lambda n: ["evaluate", str(make_run(root, Path(data(n)), 32)), "--device", "cpu",
                               "--batch-size", "256"],
    }  # fmt: skip


def make_gan(directory: Path, size: int) -> Path:
    """A GAN run to sample from, trained for one step."""
    out = directory / "gan"
    data = make_dataset(directory, 100, size)
    words = ["train-gan", "--data", str(data), "--width", "0.0625", "--epochs", "1", "--on-collapse", "warn"]
    subprocess.run(
        [sys.executable, "-m", "xrayaug", *words, "--device", "cpu", "--out", str(out)], check=True, capture_output=True
    )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="where to work; up to 6 GB are written with prepare, else 1 GB")
    parser.add_argument("--counts", default="4000,40000,400000")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=0.5, help="for each command")
    parser.add_argument("--limit", type=int, default=3, help="GiB that a process may take for itself")
    parser.add_argument("--only", help="commands, by plus signs")
    arguments = parser.parse_args()
    counts = [int(count) for count in arguments.counts.split(",")]
    arguments.directory.mkdir(parents=True, exist_ok=True)
    chosen = [name for name in commands(arguments) if not arguments.only or name in arguments.only.split("+")]
    print(f"| MiB: own / all | {' | '.join(f'{count:,} images' for count in counts)} |\n|---|{'---|' * len(counts)}")
    for name in chosen:
        print(f"| {name}", end="", flush=True)
        for count in counts:
            out = arguments.directory / "out"
            words = [*commands(arguments)[name](count), "--max-minutes", str(arguments.minutes), "--out", str(out)]
            print(f" | {peak_of(words, arguments.limit << 30)}", end="", flush=True)
            for left in arguments.directory.glob("out*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        print(" |", flush=True)


if __name__ == "__main__":
    main()
