"""Do conditional generators draw the requested label? A classifier that was not trained on their images decides.

    python benchmarks/conditional.py --out DIR [--seconds 150] [--arch cgan,acgan] [--precision bf16] [--data DATASET]

Without `--data` the images are phantoms. Two sets without a common hand are drawn: the classifier is trained on one,
the generators on the other. Findings are three times as large as in life (`phantom --finding-size 3`): at 32 pixels, a
plate would be half a pixel wide and a broken finger displaced by one pixel, too little for a reliable classifier.
Images are drawn at 64 pixels and then resized, which is fast and keeps edges soft. With `--data` the classifier and the
generators are trained on the training images of that dataset; a `--classifier` must not have seen its test images.

Each architecture is trained on `--images` images, or for about `--seconds`, estimated from its rate on a small set.
Then `sample --label balanced` draws images. The table shows the share of images that the classifier, at threshold 0.5,
assigns the requested label, with Clopper and Pearson's 95 % interval. The upper reference is the share on held-out real
images, equally many of each label; the lower one is the share with shuffled labels. AUROC needs no threshold: it is
high also for a generator that follows the label but whose images all look more normal than real ones. Complete parts of
`--out` are kept.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xrayaug.data.dataset import LABELS, Row, open_dataset
from xrayaug.evaluation.reader_study.scoring import estimate_proportion
from xrayaug.networks import classifier, gans
from xrayaug.options import Phantom, Prepare, Sample, TrainClassifier, TrainGan
from xrayaug.stages import phantom, prepare, sample, train_classifier, train_gan
from xrayaug.stats import classification
from xrayaug.stats.classification import Labels, Probabilities
from xrayaug.storage import artifacts

SMALL: dict[str, Any] = {"conditional": True, "width": 0.125, "latent": 128, "batch_size": 16}  # for a processor
CLASSIFIER: dict[str, Any] = {"arch": "resnet18", "weights": "none", "batch_size": 32, "lr": 1e-3}
TRIAL = 320  # phantoms that an architecture's rate is measured on
TRIAL_EPOCHS = 2
COLUMNS = ("", "images seen", "seconds", *LABELS, "both (95 %)", "AUROC", "labels shuffled")


@dataclass(frozen=True)
class Opinion:
    """The classifier's probabilities for images, and the labels that were requested."""

    requested: Labels  # [N], 1 for abnormal
    predicted: Probabilities  # [N], of being abnormal

    def right(self, label: int) -> float:
        """Return the share of the images of a label that the classifier assigns that label."""
        return float(self._agrees(self.requested)[self.requested == label].mean())

    def line(self, seed: int) -> list[str]:
        """Return the last cells of the table's row."""
        agrees = self._agrees(self.requested)
        both = estimate_proportion(int(agrees.sum()), len(agrees))
        shuffled = self._agrees(np.random.default_rng(seed).permutation(self.requested)).mean()
        auroc = classification.auroc(self.requested, self.predicted) or float("nan")
        interval = f"{both.value:.3f} ({both.low:.3f} to {both.high:.3f})"
        return [*(f"{self.right(label):.2f}" for label in (0, 1)), interval, f"{auroc:.3f}", f"{shuffled:.3f}"]

    def _agrees(self, labels: Labels) -> Labels:
        return np.asarray((self.predicted > classification.THRESHOLD) == labels, np.int64)


def settings_of(arch: str, size: int) -> dict[str, Any]:
    """Return settings other than the recipe's: large networks are made small, and their penalty and average fitted."""
    if arch == "stylegan2":
        return SMALL | {"r1": 2e-4 * size**2 / SMALL["batch_size"], "ema": 5_000, "d_augment": "diffaugment"}
    return SMALL if arch == "progan" else {}


def phantoms(arguments: argparse.Namespace, name: str, count: int, seed: int) -> Path:
    """Make and return a prepared set of phantoms, a fifth of the studies held out."""
    raw, data = Path(arguments.out, f"{name}-raw"), Path(arguments.out, name)
    drawn: dict[str, Any] = {"layout": "mura", "height": arguments.height, "finding_size": arguments.finding_size}
    phantom.run(Phantom(**drawn, count=count, seed=seed, out=raw))
    prepare.run(Prepare(input=raw, source="mura", size=arguments.size, out=data))
    return data


def train(arguments: argparse.Namespace, arch: str, data: Path, epochs: int, out: Path) -> list[dict[str, Any]]:
    """Train a GAN and return its log."""
    settings: dict[str, Any] = {"on_collapse": "warn", "preview_every": 0, "precision": arguments.precision}
    settings |= settings_of(arch, open_dataset(data).size) | dict(arguments.recipe)
    train_gan.run(TrainGan(data=data, arch=arch, epochs=epochs, seed=arguments.seed, device="cpu", out=out, **settings))
    return [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def epochs_of(arguments: argparse.Namespace, arch: str, data: Path) -> int:
    """Return the number of epochs that give `--images`, or take about `--seconds`."""
    images: float | None = arguments.images
    if images is None:
        small = phantoms(arguments, "trial", TRIAL, arguments.seed + 2)
        trial = train(arguments, arch, small, TRIAL_EPOCHS, arguments.out / f"trial-{arch}")
        images = float(arguments.seconds) * trial[-1]["images"] / sum(line["seconds"] for line in trial)
    return max(1, round(images / len(open_dataset(data).select(split="train"))))


def judge_of(arguments: argparse.Namespace, data: Path) -> Path:
    """Train a classifier on that dataset and return its run."""
    size, epochs, out = arguments.classifier_size, arguments.classifier_epochs, Path(arguments.out, "classifier")
    settings = CLASSIFIER | {"size": size, "epochs": epochs, "precision": arguments.precision}
    train_classifier.run(TrainClassifier(data=data, seed=arguments.seed, device="cpu", out=out, **settings))
    return out


def opinion(run: Path, data: Path, rows: list[Row]) -> Opinion:
    """Return a classifier run's predictions for those rows."""
    artifact = artifacts.open_artifact(run, "classifier-run")
    arch, size = artifact.get(str, "result", "arch"), artifact.get(int, "result", "size")
    network = classifier.restore(artifact.file("weights.safetensors"), arch, size=size)
    pixels = torch.from_numpy(open_dataset(data).pixels(rows, size))
    predicted = classifier.predict_probabilities(network, pixels, batch_size=64, device=torch.device("cpu"))
    return Opinion(np.array([LABELS.index(row.label) for row in rows]), predicted)


def held_out(data: Path) -> list[Row]:
    """Return test images, equally many of each label."""
    of_label = [open_dataset(data).select(split="test", label=label) for label in LABELS]
    fewest = min(len(rows) for rows in of_label)
    return [row for rows in of_label for row in rows[:fewest]]


def evaluate(arguments: argparse.Namespace, arch: str, run: Path, data: Path) -> list[str]:
    """Train an architecture, draw samples and return its row of the table."""
    log = train(arguments, arch, data, epochs_of(arguments, arch, data), arguments.out / arch)
    out = arguments.out / f"{arch}-samples"
    drawn: dict[str, Any] = {"label": "balanced", "interpolate": (0, 1), "seed": arguments.seed, "device": "cpu"}
    sample.run(Sample(run=arguments.out / arch, count=arguments.samples, out=out, **drawn))
    seconds = sum(line["seconds"] for line in log)
    found = opinion(run, out, open_dataset(out).rows)
    return [f"`{arch}`", f"{log[-1]['images']:,}", f"{seconds:.0f}", *found.line(arguments.seed)]


def main() -> None:
    arguments = parse_arguments()
    arguments.size = open_dataset(arguments.data).size if arguments.data else arguments.size
    own = arguments.data or phantoms(arguments, "judged", arguments.judged, arguments.seed)
    learnt = arguments.data or phantoms(arguments, "learnt", arguments.learnt, arguments.seed + 1)
    judge = arguments.classifier or judge_of(arguments, own)
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    show(["held-out real images", "", "", *opinion(judge, own, held_out(own)).line(arguments.seed)])
    for arch in arguments.arch:
        show(evaluate(arguments, arch, judge, learnt))


def show(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def parts_of_recipe(text: str) -> list[tuple[str, Any]]:
    """Parse options of `train-gan` by their Python names; a value that is no number is text."""
    given = [part.partition("=") for part in text.split(",")]
    return [(name, json.loads(value) if value[:1].isdigit() else value) for name, _, value in given]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    able = [name for name in gans.names() if gans.load(name).CONDITIONAL != "never"]
    parser.add_argument("--out", type=Path, required=True, help="directory of all results")
    parser.add_argument("--data", type=Path, help="a dataset with both labels and a test split, instead of phantoms")
    parser.add_argument("--classifier", type=Path, help="an existing classifier run, instead of training one")
    parser.add_argument("--arch", type=lambda text: text.split(","), default=able)
    parser.add_argument("--recipe", type=parts_of_recipe, default=(), metavar="NAME=VALUE,...", help="as in r1=1,r2=1")
    parser.add_argument("--seconds", type=float, default=150.0, help="training time of each architecture")
    parser.add_argument("--images", type=int, help="images that each architecture is trained on, instead of --seconds")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--finding-size", type=float, default=3.0)
    parser.add_argument("--height", type=int, default=64, help="height of the drawn phantoms")
    parser.add_argument("--size", type=int, default=32, help="size of the prepared phantoms")
    parser.add_argument("--judged", type=int, default=4000, help="phantoms for the classifier, a fifth held out")
    parser.add_argument("--learnt", type=int, default=2000, help="phantoms for the generators, a fifth held out")
    parser.add_argument("--classifier-size", type=int, default=32)
    parser.add_argument("--classifier-epochs", type=int, default=6)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
