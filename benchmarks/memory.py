"""How does memory grow with the number of images? Every command that reads or writes a dataset, at several sizes.

    python benchmarks/memory.py DIRECTORY [--counts 4000,40000,400000] [--size 32] [--minutes 12] [--only fid+augment]

Datasets have black images, in sparse files that take no space on disk; all else is as in real ones. The raw set that
`prepare` reads has the layout of MURA, with tiny images that all differ. Networks are small, so that commands finish in
time; the memory of a network depends on it and its batch, not on the number of images.

Every command runs in a process of its own, with a limit on its private memory (RLIMIT_DATA), and is stopped at the time
limit. The table shows how far it got by its last line of progress, which is at most ten seconds old.

`private` is the peak of the process's private memory (RssAnon). `resident` is the peak of its resident memory (VmHWM),
including pages of mapped files, which the kernel can reclaim. The last column is the peak of private memory in each
tenth of the time; the first tenth is mostly spent reading the inputs.
"""

import argparse
import itertools
import os
import re
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from xrayaug.data import dataset
from xrayaug.data.dataset import COLUMNS, INDEX
from xrayaug.data.images import arrays
from xrayaug.networks import classifier
from xrayaug.options import Prepare, TrainClassifier
from xrayaug.storage import artifacts, builder, csvfile, files, weights

ARCH = "shufflenet_v2_x0_5"
SMALL = 32  # pixels that the classifiers of `fid` and `evaluate` see
GAN = ("--width", "0.0625", "--on-collapse", "warn")
POLL_SECONDS = 0.02
STOPPED = 75  # exit code
POINTS = 10  # of the memory over time
FIGURE = re.compile(r"^(VmHWM|RssAnon):\s+(\d+) kB", re.MULTILINE)
UNDER_WAY = re.compile(r"(.+): (\d+)/(\d+) (\w+), [\d.]+ \w+/s")
DONE = re.compile(r"(.+): \d+ \w+ in [\d:]+, [\d.]+ \w+/s")
COLUMNS_HERE = COLUMNS[: COLUMNS.index("copy")]


@dataclass(frozen=True)
class Course:
    """Memory of a process over its lifetime, in bytes, and its progress."""

    own: Sequence[tuple[float, int]]  # seconds since its start, bytes
    all: int
    seconds: float
    code: int
    said: Sequence[str]

    def __str__(self) -> str:
        over_time = " ".join(f"{most >> 20:,}" for most in self.over_time())
        return f"{self.peak >> 20:,} | {self.all >> 20:,} | {self.seconds:.0f} s, {self.reached()} | {over_time}"

    def over_time(self) -> Iterator[int]:
        """Yield the peak of each tenth of the time; that of the tenth before if there was no sample."""
        most = 0
        for point in range(POINTS):
            begin, end = (self.seconds * place / POINTS for place in (point, point + 1))
            most = max((taken for when, taken in self.own if begin <= when < end), default=most)
            yield most

    @property
    def peak(self) -> int:
        """Peak of private memory, in bytes."""
        return max(taken for _, taken in self.own)

    def reached(self) -> str:
        """Return how far the process came, by its last line of progress."""
        if self.code == 0:
            return "to the end"
        how = "stopped" if self.code == STOPPED else f"exit code {self.code}"
        for line in reversed(self.said):
            if found := UNDER_WAY.match(line):
                label, done, total, unit = found.groups()
                return f"{how} in {label}: {int(done):,} of {int(total):,} {unit}"
            if found := DONE.match(line):
                return f"{how} after {found[1]}"
        return f"{how} before any progress"


def lines(count: int) -> Iterator[Sequence[object]]:
    """Yield the lines of an index: patients of three images, a tenth for validation and a tenth for testing."""
    yield COLUMNS_HERE
    for place in range(count):
        patient, label = place // 3, dataset.LABELS[place % 2]
        split = {0: "valid", 1: "test"}.get(patient % 10, "train")
        study = f"patient{patient:06}/study1"
        file = f"XR_HAND/{study}/image{place % 3}.png"
        yield "images.npy", place, split, label, f"patient{patient:06}", study, "mura", 0, file, f"{place:064x}"


def make_dataset(directory: Path, count: int, size: int) -> Path:
    """Write a finished dataset of black images."""
    raw, out = directory / "raw.csv", directory / f"hands-{count}-{size}"
    raw.touch()  # stands for the input of `prepare`
    if artifacts.is_artifact(out):
        return out

    def build(partial: Path) -> dict[str, Any]:
        header = arrays._header(count, size)
        with (partial / arrays.IMAGES).open("wb") as images:
            images.write(header)
            images.truncate(len(header) + count * size**2)
        files.write_text(partial / INDEX, csvfile.dump(lines(count)))
        return {"split_by": "patient"}

    builder.build_artifact(Prepare(source="folder", input=raw, size=size, out=out), "dataset", build)
    return out


def make_run(directory: Path, data: Path, size: int) -> Path:
    """Write a classifier run on the dataset with an untrained network."""
    out = directory / f"run-{data.name}"
    options = TrainClassifier(data=data, arch=ARCH, weights="none", size=size, epochs=1, batch_size=64, out=out)
    if artifacts.is_artifact(out):
        return out
    arm = {"percent": 0.0, "real_fraction": 1.0, "label": None, "added": 0, "control": None}

    def build(partial: Path) -> dict[str, Any]:
        network = classifier.build(ARCH, size=size)
        weights.save(partial / "weights.safetensors", classifier.state_of(network))
        return {"arch": ARCH, "size": size, "arm": arm, "split_by": "patient", "train": {"synthetic": {}}}

    builder.build_artifact(options, "classifier-run", build)
    return out


def make_raw(directory: Path, count: int) -> Path:
    """Write a raw set in MURA's layout: tiny distinct images, three per patient, a tenth of the patients in `valid`."""
    root = directory / f"raw-{count}"
    listed = root / "train_image_paths.csv"
    if not listed.exists():  # written last
        images = [_make_picture(root, place) for place in range(count)]
        for split in ("valid", "train"):
            of_split = [image for image in images if image.startswith(split)]
            (root / f"{split}_image_paths.csv").write_text("".join(f"{image}\n" for image in of_split))
    return root


def _make_picture(root: Path, place: int) -> str:
    """Write an image of a raw set and return its path relative to the root."""
    patient = place // 3
    split = "train" if patient % 10 else "valid"
    study = f"{split}/XR_HAND/patient{patient:06}/study1_{'positive' if patient % 2 else 'negative'}"
    (root / study).mkdir(parents=True, exist_ok=True)
    grey = np.frombuffer(place.to_bytes(64, "little"), np.uint8).reshape(8, 8)
    Image.fromarray(grey).save(root / study / f"image{place % 3 + 1}.png", compress_level=1)
    return f"{study}/image{place % 3 + 1}.png"


def course_of(words: Sequence[str], limit: int, cache: Path) -> Course:
    """Run `xrayaug` with these arguments and record its memory; it caches in `cache`."""
    environment = {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(cache)}
    course = watch([sys.executable, "-m", "xrayaug", *words], limit, environment)
    if course.code not in (0, STOPPED):
        print("\n".join(course.said), file=sys.stderr)
    return course


def watch(words: Sequence[str], limit: int, environment: Mapping[str, str]) -> Course:
    """Run a program, with these variables in its environment, and record its memory."""
    started = time.monotonic()
    own: list[tuple[float, int]] = []
    said: list[str] = []
    whole = 0
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    ) as running:
        resource.prlimit(running.pid, resource.RLIMIT_DATA, (limit, limit))
        listening = threading.Thread(target=_keep_lines, args=(running.stderr, said))
        listening.start()
        while running.poll() is None:
            found = dict(FIGURE.findall(Path(f"/proc/{running.pid}/status").read_text(encoding="utf-8")))
            own.append((time.monotonic() - started, int(found.get("RssAnon", 0)) << 10))
            whole = max(whole, int(found.get("VmHWM", 0)) << 10)
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - started
        listening.join()
    return Course(own, whole, seconds, running.returncode, said)


def _keep_lines(stream: Iterable[str], kept: list[str]) -> None:
    """Read a stream to its end, so that the writer never blocks."""
    kept += (line.rstrip("\n") for line in stream)


def commands(arguments: argparse.Namespace) -> dict[str, Callable[[int], list[str]]]:
    """Return a function per command that returns its arguments for a number of images."""
    root, size = arguments.directory, arguments.size
    on_cpu = ["--device", "cpu"]
    gan = [*GAN, "--epochs", "1", "--batch-size", "256", *on_cpu]
    network = ["--arch", ARCH, "--weights", "none", "--epochs", "1", "--batch-size", "256", *on_cpu]

    def data(count: int) -> Path:
        return make_dataset(root, count, size)

    def twice(count: int) -> list[str]:
        return [str(data(count))] * 2

    def run(count: int) -> str:
        return str(make_run(root, data(count), SMALL))

    return {
        "prepare": lambda n: ["prepare", "--input", str(make_raw(root, n)), "--source", "mura", "--size", str(size)],
        "fid": lambda n: ["fid", *twice(n), "--features", run(100), "--batch-size", "256", *on_cpu],
        "fid, random": lambda n: ["fid", *twice(n), "--features", "random", "--dims", "64", *on_cpu],
        "train-gan": lambda n: ["train-gan", "--data", str(data(n)), *gan],
        "sample": lambda n: ["sample", "--run", str(make_gan(root, data(100))), "--count", str(n), *on_cpu],
        "augment": lambda n: ["augment", "--real", str(data(n)), "--percent", "100", "--control", "duplicate"],
        "augment, classical": lambda n: ["augment", "--real", str(data(n)), "--percent", "100",
                                         "--control", "classical"],
        "export": lambda n: ["export", str(data(n)), "--format", "webdataset"],
        "export, imagefolder": lambda n: ["export", str(data(n)), "--format", "imagefolder"],
        "train-classifier": lambda n: ["train-classifier", "--data", str(data(n)), "--size", str(size), *network],
        "train-classifier, resized": lambda n: ["train-classifier", "--data", str(data(n)), "--size",
                                                str(size * 3 // 4), *network],
        "evaluate": lambda n: ["evaluate", run(n), "--batch-size", "256", *on_cpu],
    }  # fmt: skip


def make_gan(directory: Path, data: Path) -> Path:
    """Train a GAN run for one step, to sample from."""
    out = directory / f"gan-{data.name}"
    words = ["train-gan", "--data", str(data), *GAN, "--epochs", "1", "--device", "cpu", "--out", str(out)]
    subprocess.run([sys.executable, "-m", "xrayaug", *words], check=True, capture_output=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="where to work; some 6 GB are written at 400,000 images")
    parser.add_argument("--counts", default="4000,40000,400000")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=12, help="for each command, at most")
    parser.add_argument("--limit", type=int, default=3, help="GiB that a process may take for itself")
    parser.add_argument("--only", help="commands, by plus signs")
    arguments = parser.parse_args()
    counts = [int(count) for count in arguments.counts.split(",")]
    arguments.directory.mkdir(parents=True, exist_ok=True)
    chosen = [name for name in commands(arguments) if not arguments.only or name in arguments.only.split("+")]
    print("| | images | private, MiB | resident, MiB | time, progress | private in each tenth of the time, MiB |")
    print("|---|---|---|---|---|---|")
    for name, count in itertools.product(chosen, counts):
        out = arguments.directory / "out"
        words = [*commands(arguments)[name](count), "--max-minutes", str(arguments.minutes), "--out", str(out)]
        course = course_of(words, arguments.limit << 30, arguments.directory / "out-cache")
        print(f"| {name} | {count:,} | {course} |", flush=True)
        for left in arguments.directory.glob("out*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


if __name__ == "__main__":
    main()
