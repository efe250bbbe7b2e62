"""Does bf16 train like fp32? The losses of `train-gan` in both precisions, for several seeds.

    python benchmarks/precision.py DATASET --figure curves.png [--epochs 20] [--batch-size 32] [--seeds 3]

The difference between precisions is compared with the difference between seeds. Prints every run's mean losses over the
last half of the epochs, and draws the curves.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

LOSSES = ("d_loss", "g_loss")
COLOURS = {"fp32": "C0", "bf16": "C1"}
INCHES = (9.0, 3.6)

Log = list[dict[str, Any]]


def train(arguments: argparse.Namespace, precision: str, seed: int) -> Log:
    """Train a GAN and return its log."""
    words = [sys.executable, "-m", "xrayaug", "train-gan", "--data", str(arguments.dataset), "--precision", precision]
    words += ["--epochs", str(arguments.epochs), "--batch-size", str(arguments.batch_size), "--seed", str(seed)]
    with tempfile.TemporaryDirectory() as root:
        subprocess.run([*words, "--preview-every", "0", "--out", f"{root}/run"], check=True)
        lines = Path(root, "run", "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def draw(file: Path, logs: dict[tuple[str, int], Log]) -> None:
    """Draw each loss of every run over the images seen."""
    figure = Figure(figsize=INCHES, layout="constrained")
    for axes, loss in zip(figure.subplots(1, len(LOSSES)), LOSSES, strict=True):
        for (precision, seed), log in logs.items():
            images, values = [line["images"] for line in log], [line[loss] for line in log]
            label = precision if seed == 0 else None
            axes.plot(images, values, color=COLOURS[precision], alpha=0.7, linewidth=1, label=label)
        axes.set_title(loss)
        axes.set_xlabel("images seen")
        axes.legend(frameon=False)
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--figure", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    runs = [(precision, seed) for seed in range(arguments.seeds) for precision in COLOURS]
    logs = {(precision, seed): train(arguments, precision, seed) for precision, seed in runs}
    draw(arguments.figure, logs)
    print(f"| precision | seed | {' | '.join(LOSSES)} |\n|---|---|{'---|' * len(LOSSES)}")
    for (precision, seed), log in logs.items():
        means = (statistics.mean(line[loss] for line in log[len(log) // 2 :]) for loss in LOSSES)
        print(f"| {precision} | {seed} | {' | '.join(f'{mean:.3f}' for mean in means)} |")


if __name__ == "__main__":
    main()
