"""What do several processes gain? Images a second of trainings, `sample` and `fid` for 1, 2, ... processes; a model.

    python benchmarks/scaling.py [--processes 1,2] [--steps 12]     measure, by torchrun, on this machine
    python benchmarks/scaling.py --model                            what a step costs on 8 to 512 GPUs, by its formula

The processes share the machine's cores or have a GPU each. The images are noise; the global batch stays the same.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xrayaug.data import dataset
from xrayaug.data.dataset import Row
from xrayaug.data.images import arrays
from xrayaug.options import Prepare, TrainGan
from xrayaug.stages import train_gan
from xrayaug.storage import builder

GAN = ("train-gan", "--arch", "dcgan", "--batch-size", "64", "--on-collapse", "warn", "--preview-every", "0")
CLASSIFIER = ("train-classifier", "--arch", "densenet169", "--weights", "none", "--size", "64", "--batch-size", "32")
BYTES = 4  # of a gradient, float32
SPOKEN = 3  # times that processes agree over gloo in a step, at most
NODE = 8  # GPUs


@dataclass(frozen=True)
class Training:
    """What the model goes by: assumed but for the parameters."""

    name: str
    parameters: int
    sums: int  # between processes, in a step
    batch: int
    rate: float  # images a second on one GPU


@dataclass(frozen=True)
class Network:
    """Assumed of GPUs: bytes a second of a ring within a node and between nodes, seconds of a hop of NCCL and gloo."""

    within: float = 200e9
    between: float = 25e9
    hop: float = 10e-6
    word: float = 50e-6


TRAININGS = (
    Training("train-gan, the thesis's, batch 100, 117 images/s", 15_580_288, 2, 100, 117),
    Training("train-gan, the thesis's, batch 1024, 2,000 images/s", 15_580_288, 2, 1024, 2000),
    Training("train-classifier, densenet169, batch 1024, 400 images/s", 12_486_145, 1, 1024, 400),
)


def seconds(of: Training, count: int, network: Network) -> tuple[float, float, float]:
    """Of a step on so many GPUs: computing, summing gradients, agreeing.

    A ring sends 2 (N - 1) / N of the bytes through every link; hops are those of a tree, up and down. Nothing overlaps.
    """
    computing = math.ceil(of.batch / count) / of.rate
    bandwidth = network.within if count <= NODE else network.between
    hops = 2 * math.ceil(math.log2(count)) if count > 1 else 0
    summing = 2 * (count - 1) / count * of.parameters * BYTES / bandwidth + of.sums * hops * network.hop
    return computing, summing, SPOKEN * hops * network.word


def predict(counts: tuple[int, ...] = (1, 8, 16, 32, 64, 128, 256, 512)) -> None:
    """Print the model as tables."""
    for training in TRAININGS:
        megabytes = training.parameters * BYTES / 1e6
        print(f"\n{training.name}: {megabytes:.1f} MB of gradients a step\n")
        print("| GPUs | images each | computing, ms | summing, ms | agreeing, ms | images/s | efficiency |")
        print("|---|---|---|---|---|---|---|")
        for count in counts:
            if count > training.batch:
                continue
            parts = seconds(training, count, Network())
            rate = training.batch / sum(parts)
            each = f"{training.batch / count:,.3f}".rstrip("0").rstrip(".")
            milliseconds = " | ".join(f"{1000 * part:.2f}" for part in parts)
            print(f"| {count} | {each} | {milliseconds} | {rate:,.0f} | {rate / training.rate / count:.0%} |")


def noise(out: Path, count: int, size: int) -> Path:
    """A dataset of noise, its last eight images for validation."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size), np.uint8)
    labels = ("normal", "abnormal")
    rows = [
        Row("images.npy", place, "train", labels[place % 2], f"p{place}", f"p{place}/s", "folder", False)
        for place in range(count)
    ]
    rows[-8:] = [replace(row, split="valid") for row in rows[-8:]]

    def build(directory: Path) -> dict[str, Any]:
        with arrays.writing_images(directory, size) as writer:
            writer.write(pixels)
        dataset.write_index(directory, rows, split_by="patient")
        return {"split_by": "patient"}

    raw = out.with_name("raw")
    raw.mkdir()
    builder.produce(Prepare(input=raw, out=out), "dataset", build)
    return out


def measured(words: tuple[str, ...], count: int, data: Path) -> float:
    """Images a second by so many processes in the second epoch, when all has settled."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run"
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
        cores = max(1, (os.cpu_count() or 1) // count)
        subprocess.run(
            [sys.executable, *launch, "-m", "xrayaug", *words, "--epochs", "2", "--data", str(data), "--out", str(out)],
            env=os.environ | {"OMP_NUM_THREADS": str(cores)}, check=True, capture_output=True,
        )  # fmt: skip
        line = json.loads((out / "log.jsonl").read_text().splitlines()[-1])
        return float(line["images_per_second"])


def shared(words: tuple[str, ...], label: str, count: int) -> float:
    """Images a second by so many processes, as the progress line that begins with `label` has it."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
    cores = max(1, (os.cpu_count() or 1) // count)
    with tempfile.TemporaryDirectory() as scratch:
        place = ["--out", f"{scratch}/out", *(["--cache", scratch] if words[0] == "fid" else [])]
        module = ["-m", "--", "xrayaug"] if count > 1 else ["-m", "xrayaug"]
        done = subprocess.run(
            [sys.executable, *launch, *module, *words, *place],
            env=os.environ | {"OMP_NUM_THREADS": str(cores)}, check=True, capture_output=True, text=True,
        )  # fmt: skip
    *_, line = (line for line in done.stderr.splitlines() if line.startswith(label))  # the last is of all
    return float(line.rpartition(", ")[2].removesuffix(" images/s"))


def measure_passes(counts: list[int], steps: int, rounds: int, size: int) -> None:
    """Print the rates of what gives the same bytes and number whatever the processes: drawing, features."""
    with tempfile.TemporaryDirectory() as scratch:
        data, run = noise(Path(scratch, "data"), 64 * steps, size), Path(scratch, "gan")
        options = TrainGan(data=data, epochs=1, batch_size=64, preview_every=0, on_collapse="warn", out=run)
        train_gan.run(options)
        drawing = ("sample", "--run", str(run), "--count", str(64 * 8 * steps))
        judging = ("fid", str(data), str(data), "--features", "random", "--split", "train")
        for words, label in ((drawing, "sample:"), (judging, "features of data:")):
            rates = {count: [shared(words, label, count) for _ in range(rounds)] for count in counts}
            found = ", ".join(f"{count}: {min(of):.1f} to {max(of):.1f}" for count, of in rates.items())
            print(f"{words[0]}: images/s by processes {found}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", default="1,2", help="by commas")
    parser.add_argument("--steps", type=int, default=12, help="of an epoch")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--model", action="store_true", help="only the model")
    arguments = parser.parse_args()
    if arguments.model:
        predict()
        return
    counts = [int(count) for count in arguments.processes.split(",")]
    measure_passes(counts, arguments.steps, arguments.rounds, arguments.size)
    with tempfile.TemporaryDirectory() as scratch:
        for words in (GAN, (*GAN, "--sync-bn"), CLASSIFIER, (*CLASSIFIER, "--sync-bn")):
            batch = int(words[words.index("--batch-size") + 1])
            data = Path(scratch) / f"{time.monotonic_ns()}" / "data"
            data.parent.mkdir()
            noise(data, batch * arguments.steps + 8, arguments.size)
            rates: dict[int, list[float]] = {count: [] for count in counts}
            for _ in range(arguments.rounds):
                for count in counts:
                    rates[count].append(measured(words, count, data))
            found = ", ".join(f"{count}: {min(of):.1f} to {max(of):.1f}" for count, of in rates.items())
            print(f"{' '.join(words)}: images/s by processes {found}", flush=True)


if __name__ == "__main__":
    main()
