"""Do conditional generators draw the label that they are asked for? A classifier that never saw them says.

    python benchmarks/conditional.py --out DIR [--seconds 150] [--arch cgan,acgan] [--precision bf16] [--data DATASET]

Without `--data` the images are phantoms. Two sets are drawn that share no hand: the classifier learns from one, the
generators from the other. Their findings are drawn three times as large as in life (`phantom --finding-size 3`): at 32
pixels a plate is else half a pixel wide and a broken finger a pixel aside, of which a classifier would make too little
for its opinion to be worth anything. They are drawn at 64 pixels and then made smaller, which costs little and keeps
edges soft. With `--data` the classifier and the generators learn from the training images of that dataset; a
`--classifier` that is there already must not have seen its test images.

Each architecture is trained for about `--seconds` by its own rate on a small set beforehand, or on `--images`. Then
`sample --label balanced` draws, and the table says of how many images the classifier, at 0.5, says the label asked
for, with Clopper and Pearson's 95 % interval; the ceiling is what it says of held-out real images, as many of each
label, the floor the same answers beside labels that were shuffled. AUROC needs no threshold: it tells a generator that
heeds its label although all of its images look more normal than real ones from one that does not. What is there in
`--out` is not made again.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xrayaug.data.dataset import LABELS, Row, open_dataset
from xrayaug.evaluation.reader_study.scoring import share
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
    """What the classifier says of images, beside the labels that they are to have."""

    asked: Labels  # [N], 1 for abnormal
    said: Probabilities  # [N], of being abnormal

    def right(self, label: int) -> float:
        """The share of the images of a label of which it says that label."""
        return float(self._agrees(self.asked)[self.asked == label].mean())

    def line(self, seed: int) -> list[str]:
        """The last columns of the table."""
        agrees = self._agrees(self.asked)
        both = share(int(agrees.sum()), len(agrees))
        shuffled = self._agrees(np.random.default_rng(seed).permutation(self.asked)).mean()
        auroc = classification.auroc(self.asked, self.said) or float("nan")
        interval = f"{both.value:.3f} ({both.low:.3f} to {both.high:.3f})"
        return [*(f"{self.right(label):.2f}" for label in (0, 1)), interval, f"{auroc:.3f}", f"{shuffled:.3f}"]

    def _agrees(self, labels: Labels) -> Labels:
        return np.asarray((self.said > classification.THRESHOLD) == labels, np.int64)


def settings_of(arch: str, size: int) -> dict[str, Any]:
    """What is not the architecture's own: the large ones are made small; their penalty and average go by the batch."""
    if arch == "stylegan2":
        return SMALL | {"r1": 2e-4 * size**2 / SMALL["batch_size"], "ema": 5_000, "d_augment": "diffaugment"}
    return SMALL if arch == "progan" else {}


def phantoms(arguments: argparse.Namespace, name: str, count: int, seed: int) -> Path:
    """A prepared set of phantoms, a fifth of the studies held out."""
    raw, data = Path(arguments.out, f"{name}-raw"), Path(arguments.out, name)
    drawn: dict[str, Any] = {"layout": "mura", "height": arguments.height, "finding_size": arguments.finding_size}
    phantom.run(Phantom(**drawn, count=count, seed=seed, out=raw))
    prepare.run(Prepare(input=raw, source="mura", size=arguments.size, out=data))
    return data


def trained(arguments: argparse.Namespace, arch: str, data: Path, epochs: int, out: Path) -> list[dict[str, Any]]:
    """The log of a GAN's training."""
    settings: dict[str, Any] = {"on_collapse": "warn", "preview_every": 0, "precision": arguments.precision}
    settings |= settings_of(arch, open_dataset(data).size) | dict(arguments.recipe)
    train_gan.run(TrainGan(data=data, arch=arch, epochs=epochs, seed=arguments.seed, device="cpu", out=out, **settings))
    return [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def epochs_of(arguments: argparse.Namespace, arch: str, data: Path) -> int:
    """As many as make the images, or take the seconds, that were asked for."""
    images: float | None = arguments.images
    if images is None:
        small = phantoms(arguments, "trial", TRIAL, arguments.seed + 2)
        trial = trained(arguments, arch, small, TRIAL_EPOCHS, arguments.out / f"trial-{arch}")
        images = float(arguments.seconds) * trial[-1]["images"] / sum(line["seconds"] for line in trial)
    return max(1, round(images / len(open_dataset(data).select(split="train"))))


def judge_of(arguments: argparse.Namespace, data: Path) -> Path:
    """A classifier trained on that dataset."""
    size, epochs, out = arguments.classifier_size, arguments.classifier_epochs, Path(arguments.out, "classifier")
    settings = CLASSIFIER | {"size": size, "epochs": epochs, "precision": arguments.precision}
    train_classifier.run(TrainClassifier(data=data, seed=arguments.seed, device="cpu", out=out, **settings))
    return out


def opinion(run: Path, data: Path, rows: list[Row]) -> Opinion:
    """What a classifier run says of those rows."""
    artifact = artifacts.open_artifact(run, "classifier-run")
    arch, size = artifact.get(str, "result", "arch"), artifact.get(int, "result", "size")
    network = classifier.restore(artifact.file("weights.safetensors"), arch, size=size)
    pixels = torch.from_numpy(open_dataset(data).pixels(rows, size))
    said = classifier.predict_probabilities(network, pixels, batch_size=64, device=torch.device("cpu"))
    return Opinion(np.array([LABELS.index(row.label) for row in rows]), said)


def held_out(data: Path) -> list[Row]:
    """Test images, as many of each label."""
    of_label = [open_dataset(data).select(split="test", label=label) for label in LABELS]
    fewest = min(len(rows) for rows in of_label)
    return [row for rows in of_label for row in rows[:fewest]]


def judged(arguments: argparse.Namespace, arch: str, run: Path, data: Path) -> list[str]:
    """An architecture's line of the table."""
    log = trained(arguments, arch, data, epochs_of(arguments, arch, data), arguments.out / arch)
    out = arguments.out / f"{arch}-samples"
    drawn: dict[str, Any] = {"label": "balanced", "interpolate": (0, 1), "seed": arguments.seed, "device": "cpu"}
    sample.run(Sample(run=arguments.out / arch, count=arguments.samples, out=out, **drawn))
    seconds = sum(line["seconds"] for line in log)
    found = opinion(run, out, open_dataset(out).rows)
    return [f"`{arch}`", f"{log[-1]['images']:,}", f"{seconds:.0f}", *found.line(arguments.seed)]


def main() -> None:
    arguments = parsed()
    arguments.size = open_dataset(arguments.data).size if arguments.data else arguments.size
    own = arguments.data or phantoms(arguments, "judged", arguments.judged, arguments.seed)
    learnt = arguments.data or phantoms(arguments, "learnt", arguments.learnt, arguments.seed + 1)
    judge = arguments.classifier or judge_of(arguments, own)
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    show(["held-out real images", "", "", *opinion(judge, own, held_out(own)).line(arguments.seed)])
    for arch in arguments.arch:
        show(judged(arguments, arch, judge, learnt))


def show(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def parts_of_recipe(text: str) -> list[tuple[str, Any]]:
    """Options of `train-gan` by their names in Python; what is no JSON value is a word."""
    given = [part.partition("=") for part in text.split(",")]
    return [(name, json.loads(value) if value[:1].isdigit() else value) for name, _, value in given]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    able = [name for name in gans.names() if gans.load(name).CONDITIONAL != "never"]
    parser.add_argument("--out", type=Path, required=True, help="where everything is made, and kept")
    parser.add_argument("--data", type=Path, help="a dataset with both labels and a test split, instead of phantoms")
    parser.add_argument("--classifier", type=Path, help="a classifier run to ask, instead of training one")
    parser.add_argument("--arch", type=lambda text: text.split(","), default=able)
    parser.add_argument("--recipe", type=parts_of_recipe, default=(), metavar="NAME=VALUE,...", help="as in r1=1,r2=1")
    parser.add_argument("--seconds", type=float, default=150.0, help="of each architecture's training")
    parser.add_argument("--images", type=int, help="that each sees, instead of seconds")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--finding-size", type=float, default=3.0)
    parser.add_argument("--height", type=int, default=64, help="of phantoms as they are drawn")
    parser.add_argument("--size", type=int, default=32, help="of phantoms as they are prepared")
    parser.add_argument("--judged", type=int, default=4000, help="phantoms that the classifier has, a fifth held out")
    parser.add_argument("--learnt", type=int, default=2000, help="phantoms that the generators have, likewise")
    parser.add_argument("--classifier-size", type=int, default=32)
    parser.add_argument("--classifier-epochs", type=int, default=6)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
