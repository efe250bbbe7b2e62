"""Throughput of training, `sample` and `fid` with several processes: measured, or predicted by a model.

    python benchmarks/scaling.py [--processes 1,2] [--steps 12]     measure on this machine, by torchrun
    python benchmarks/scaling.py --model                            predict the time of a step on 8 to 512 GPUs

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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmark_data import write_dataset

from xrayaug.options import TrainGan
from xrayaug.stages import train_gan

GAN = ("train-gan", "--arch", "dcgan", "--batch-size", "64", "--on-collapse", "warn", "--preview-every", "0")
CLASSIFIER = ("train-classifier", "--arch", "densenet169", "--weights", "none", "--size", "64", "--batch-size", "32")
GRADIENT_BYTES = 4  # float32
GLOO_EXCHANGES = 3  # per step, at most
NODE_GPUS = 8


@dataclass(frozen=True)
class Workload:
    """Inputs of the model; all are assumptions but the number of parameters."""

    name: str
    parameters: int
    all_reduces: int  # per step
    batch: int
    rate: float  # images per second on one GPU


@dataclass(frozen=True)
class Interconnect:
    """Assumed bandwidths and latencies."""

    node_bandwidth: float = 200e9  # of a ring within a node, bytes per second
    network_bandwidth: float = 25e9  # of a ring between nodes, bytes per second
    nccl_hop: float = 10e-6  # seconds
    gloo_hop: float = 50e-6  # seconds


WORKLOADS = (
    Workload("train-gan, the thesis's, batch 100, 117 images/s", 15_580_288, 2, 100, 117),
    Workload("train-gan, the thesis's, batch 1024, 2,000 images/s", 15_580_288, 2, 1024, 2000),
    Workload("train-classifier, densenet169, batch 1024, 400 images/s", 12_486_145, 1, 1024, 400),
)


def seconds(workload: Workload, count: int, interconnect: Interconnect) -> tuple[float, float, float]:
    """Return the seconds that a step on `count` GPUs spends computing, summing gradients, and exchanging over gloo.

    A ring sends 2 (N - 1) / N of the bytes through every link; hops are those of a tree, up and down. Nothing overlaps.
    """
    computing = math.ceil(workload.batch / count) / workload.rate
    bandwidth = interconnect.node_bandwidth if count <= NODE_GPUS else interconnect.network_bandwidth
    hops = 2 * math.ceil(math.log2(count)) if count > 1 else 0
    transfer = 2 * (count - 1) / count * workload.parameters * GRADIENT_BYTES / bandwidth
    summing = transfer + workload.all_reduces * hops * interconnect.nccl_hop
    return computing, summing, GLOO_EXCHANGES * hops * interconnect.gloo_hop


def predict(counts: tuple[int, ...] = (1, 8, 16, 32, 64, 128, 256, 512)) -> None:
    """Print the model as tables."""
    for workload in WORKLOADS:
        megabytes = workload.parameters * GRADIENT_BYTES / 1e6
        print(f"\n{workload.name}: {megabytes:.1f} MB of gradients a step\n")
        print("| GPUs | images each | computing, ms | summing, ms | agreeing, ms | images/s | efficiency |")
        print("|---|---|---|---|---|---|---|")
        for count in counts:
            if count > workload.batch:
                continue
            parts = seconds(workload, count, Interconnect())
            rate = workload.batch / sum(parts)
            images = f"{workload.batch / count:,.3f}".rstrip("0").rstrip(".")
            milliseconds = " | ".join(f"{1000 * part:.2f}" for part in parts)
            print(f"| {count} | {images} | {milliseconds} | {rate:,.0f} | {rate / workload.rate / count:.0%} |")


def noise(out: Path, count: int, size: int) -> Path:
    """Write a dataset of noise images, the last eight for validation."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size), np.uint8)
    return write_dataset(out, pixels, ["train"] * (count - 8) + ["valid"] * 8)


def training_rate(words: tuple[str, ...], count: int, data: Path) -> float:
    """Return a training's images per second with `count` processes in the second epoch, after the warm-up."""
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


def progress_rate(words: tuple[str, ...], label: str, count: int) -> float:
    """Return a command's images per second with `count` processes, from its progress line that begins with `label`."""
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
    """Print the rates of `sample` and `fid`, whose results do not depend on the number of processes."""
    with tempfile.TemporaryDirectory() as scratch:
        data, run = noise(Path(scratch, "data"), 64 * steps, size), Path(scratch, "gan")
        options = TrainGan(data=data, epochs=1, batch_size=64, preview_every=0, on_collapse="warn", out=run)
        train_gan.run(options)
        drawing = ("sample", "--run", str(run), "--count", str(64 * 8 * steps))
        judging = ("fid", str(data), str(data), "--features", "random", "--split", "train")
        for words, label in ((drawing, "sample:"), (judging, "features of data:")):
            rates = {count: [progress_rate(words, label, count) for _ in range(rounds)] for count in counts}
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
                    rates[count].append(training_rate(words, count, data))
            found = ", ".join(f"{count}: {min(of):.1f} to {max(of):.1f}" for count, of in rates.items())
            print(f"{' '.join(words)}: images/s by processes {found}", flush=True)


if __name__ == "__main__":
    main()
