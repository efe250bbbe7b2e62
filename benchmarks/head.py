"""How fast are features of a frozen backbone, and the training of an output layer on them?

    python benchmarks/head.py features [--batches 4] [--rounds 7]
    python benchmarks/head.py training [--train 345] [--valid 38] [--seeds 20] [--rounds 3]

`features` compares `BackboneFeatures.extract`, which checks, hashes and augments images, with the forward pass of the
same network in batches of the same size, in channels-last layout. The allocator of the C library keeps freed memory, as
in every command of the package; torch's defaults are a third side.

`training` compares whole commands `train-classifier --train head`, whose features are in the cache, with scikit-learn's
logistic regression on the same features of all views, and with an epoch of a plain fine-tuning loop of the same network
in batches of 8, multiplied by the number of epochs. The seconds per seed of the command are the difference between a
command of many seeds and one of a single seed; those of the others leave out imports and reading. Each runs in a
process of its own, one after the other in every round, and its peak of private memory is recorded.

Images are phantoms that the package draws, so no files are needed.
"""

import argparse
import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from benchmark_data import write_dataset
from interleaved import Round, Side, compare
from memory import Course, watch
from torch import Tensor, nn

from xrayaug.data import phantoms
from xrayaug.data.dataset import LABELS, open_dataset
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.stack import Stack
from xrayaug.metrics.backbone_features import IDENTITY, PASS_SIZE, BackboneFeatures, View, list_views
from xrayaug.networks import classifier
from xrayaug.networks.classifier import Classifier
from xrayaug.runtime import devices, malloc

ARCH = "efficientnet_lite0"
SIZE = 224
VIEWS, ROTATION = 4, 10.0  # defaults of `train-classifier`
EPOCHS, BATCH_SIZE = 10, 8  # its defaults too
LIMIT = 8 << 30  # bytes of private memory


def draw(count: int) -> Pixels:
    """Return phantoms uint8 `[N, S, S]`, every other one abnormal."""
    random = np.random.default_rng(0)
    return np.stack([phantoms.draw_hand(random, SIZE, SIZE, abnormal=place % 2 == 1) for place in range(count)])


def build_network() -> Classifier:
    """Return the pretrained network."""
    return classifier.build(ARCH, size=SIZE, weights="imagenet")


def normalise(network: Classifier, pixels: Pixels) -> Tensor:
    """Return images `[N, 3, S, S]` in channels-last layout, as the library's network takes them."""
    colour = (classifier.to_input(torch.from_numpy(pixels)) - network.mean) / network.std
    return colour.contiguous(memory_format=torch.channels_last)


def forward_pass(arguments: argparse.Namespace, *, keep_memory: bool = True) -> Round:
    """Return a round of plain forward passes of normalised images, with or without the package's memory settings."""
    if keep_memory:
        malloc.keep_freed()
    network = build_network().eval()
    images = normalise(network, draw(PASS_SIZE * arguments.batches))
    plain = network.network.to(memory_format=torch.channels_last)

    def run() -> int:
        with torch.inference_mode():
            for batch in torch.split(images, PASS_SIZE):
                plain(batch)
        return len(images)

    return run


def extraction(arguments: argparse.Namespace, *, views: list[View]) -> Round:
    """Return a round of extraction without a cache."""
    pixels = draw(PASS_SIZE * arguments.batches)
    places = np.arange(len(pixels))
    images = Stack([pixels], np.zeros(len(pixels), np.int32), places, (SIZE, SIZE))
    features = BackboneFeatures(build_network().eval(), devices.resolve("cpu"), None)

    def run() -> int:
        return features.extract(images, views).shape[:2].numel()

    return run


def train_head(seeds: int, data: Path, cache: Path) -> list[str]:
    """Return the words of a command that trains output layers."""
    out = Path(tempfile.mkdtemp(dir=data.parent)) / "{seed}"
    options = [*("--arch", ARCH, "--size", str(SIZE), "--views", str(VIEWS), "--epochs", str(EPOCHS)),
               *("--batch-size", str(BATCH_SIZE), "--seeds", str(seeds), "--device", "cpu")]  # fmt: skip
    words = ["train-classifier", "--train", "head", "--data", str(data), "--cache", str(cache), "--out", str(out)]
    return [sys.executable, "-m", "xrayaug", *words, *options]


def logistic_regression(data: Path, cache: Path) -> Callable[[], object]:
    """Return the fit of scikit-learn's logistic regression on the cached features of all views."""
    dataset = open_dataset(data)
    rows = dataset.select(split="train")
    features = BackboneFeatures(build_network().eval(), devices.resolve("cpu"), cache / "features")
    views = list_views(VIEWS, flip=True, rotation=ROTATION)
    inputs = features.extract(dataset.stack(rows, SIZE), views).flatten(0, 1).numpy()
    labels = np.repeat([row.label == LABELS[1] for row in rows], len(views))
    regression = importlib.import_module(
        "sklearn.linear_model"
    ).LogisticRegression  # not in the other processes' memory

    def run() -> None:
        regression(max_iter=1000, class_weight="balanced").fit(inputs, labels)

    return run


def fine_tuning(data: Path, _: Path) -> Callable[[], object]:
    """Return an epoch of a plain fine-tuning loop, with the images in memory and the package's memory settings."""
    malloc.keep_freed()
    dataset = open_dataset(data)
    rows = dataset.select(split="train")
    network = build_network().train()
    pixels = dataset.pixels(rows)
    labels = torch.tensor([float(row.label == LABELS[1]) for row in rows])
    plain = network.network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(plain.parameters(), lr=1e-4)

    def run() -> None:
        for places in torch.split(torch.randperm(len(pixels)), BATCH_SIZE):
            batch = normalise(network, pixels[places.numpy()])
            shown = batch.flip(3) if torch.rand(()) < 0.5 else batch
            loss = nn.functional.binary_cross_entropy_with_logits(plain(shown)[:, 0], labels[places])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()

    return run


SIDES = {"scikit-learn": logistic_regression, "fine-tuning": fine_tuning}


def serve(side: str, data: Path, cache: Path) -> None:
    """Time the work of one side and print the seconds on stderr, which the caller reads."""
    work = SIDES[side](data, cache)
    started = time.perf_counter()
    work()
    print(f"seconds {time.perf_counter() - started}", file=sys.stderr)


def run_training(arguments: argparse.Namespace) -> None:
    """Run all sides in turn and print a table."""
    with tempfile.TemporaryDirectory() as root:
        cache, count = Path(root, "cache"), arguments.train + arguments.valid
        splits = ["train" if place < arguments.train else "valid" for place in range(count)]
        data = write_dataset(Path(root, "hands"), draw(count), splits)
        _check(watch(train_head(1, data, cache), LIMIT, {}))  # fills the cache
        one: list[Course] = []
        many: list[Course] = []
        others: dict[str, list[Course]] = {side: [] for side in SIDES}
        for _ in range(arguments.rounds):
            one.append(_check(watch(train_head(1, data, cache), LIMIT, {})))
            many.append(_check(watch(train_head(arguments.seeds, data, cache), LIMIT, {})))
            for side, courses in others.items():
                words = [*sys.argv, "--side", side, "--data", str(data), "--cache", str(cache)]
                courses.append(_check(watch([sys.executable, *words], LIMIT, {})))
    per_seed = [
        (all_seeds.seconds - single.seconds) / (arguments.seeds - 1)
        for single, all_seeds in zip(one, many, strict=True)
    ]
    print(f"| {arguments.train} images, {VIEWS} views | seconds per seed: median (lowest to highest) | ratio to "
          "scikit-learn: median | peak of private memory, MiB |\n|---|---|---|---|")  # fmt: skip
    seconds = {side: [_seconds(course) for course in courses] for side, courses in others.items()}
    seconds["fine-tuning"] = [EPOCHS * epoch for epoch in seconds["fine-tuning"]]
    print_row(
        "scikit-learn's LogisticRegression", seconds["scikit-learn"], seconds["scikit-learn"], others["scikit-learn"]
    )
    print_row(f"`--train head`, {arguments.seeds} seeds", per_seed, seconds["scikit-learn"], many)
    print_row(f"fine-tuning loop, {EPOCHS} times an epoch", seconds["fine-tuning"], seconds["scikit-learn"],
              others["fine-tuning"])  # fmt: skip
    for name, courses in (("one seed", one), (f"{arguments.seeds} seeds", many)):
        print(f"the whole command, {name}: {statistics.median(course.seconds for course in courses):.1f} s")


def print_row(name: str, seconds: list[float], basis: list[float], courses: list[Course]) -> None:
    """Print a row of the table."""
    ratio = statistics.median(own / other for own, other in zip(seconds, basis, strict=True))
    spread = f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
    print(f"| {name} | {spread} | {ratio:.2f} | {max(course.peak for course in courses) >> 20:,} |")


def _seconds(course: Course) -> float:
    return next(float(line.split()[1]) for line in course.said if line.startswith("seconds "))


def _check(course: Course) -> Course:
    if course.code:
        sys.exit("\n".join(course.said))
    return course


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("features", "training"))
    parser.add_argument("--batches", type=int, default=4, help="for `features`, per round")
    parser.add_argument("--train", type=int, default=345, help="training images")
    parser.add_argument("--valid", type=int, default=38, help="validation images")
    parser.add_argument("--seeds", type=int, default=20, help="of the longer command")
    if sys.argv[1:2] != ["training"]:
        sides: dict[str, Side] = {
            "forward pass": forward_pass,
            "forward pass, torch's defaults": partial(forward_pass, keep_memory=False),
            "extract": partial(extraction, views=[IDENTITY]),
            f"extract, {VIEWS} views": partial(extraction, views=list_views(VIEWS, flip=True, rotation=ROTATION)),
        }
        compare("features", parser, sides)
        return
    parser.add_argument("--rounds", type=int, default=3, help="number of runs of each side")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        serve(arguments.side, arguments.data, arguments.cache)
    else:
        run_training(arguments)


if __name__ == "__main__":
    main()
