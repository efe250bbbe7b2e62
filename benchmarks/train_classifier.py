"""How fast does the classifier train? `train-classifier`'s step and a plain torchvision loop with DataLoader.

    python benchmarks/train_classifier.py [--arch densenet169] [--size 224] [--batch-size 8] [--steps 2]

A step includes reading the images, forward and backward pass and the optimiser: the plain loop decodes, flips, rotates
and normalises PNG files of the network's size in two workers, `train-classifier` has the images in memory.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from interleaved import Round, Side, compare
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, models, transforms

from xrayaug.data.images.arrays import Pixels
from xrayaug.networks import classifier
from xrayaug.networks.architectures import IMAGENET_MEAN, IMAGENET_STD
from xrayaug.runtime import devices
from xrayaug.training import losses

W0, W1 = 0.3, 0.7


def pixels(arguments: argparse.Namespace) -> Pixels:
    """Return noise, uint8 `[N, S, S]`."""
    shape = (arguments.batch_size * arguments.steps, arguments.size, arguments.size)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def plain(arguments: argparse.Namespace) -> Round:
    """Return a round of a training loop as in torchvision's tutorials."""
    root = Path(tempfile.mkdtemp())
    for place, picture in enumerate(pixels(arguments)):
        folder = root / ("normal", "abnormal")[place % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(picture).save(folder / f"{place:06}.png")
    steps = [
        transforms.RandomHorizontalFlip(),
        transforms.RandomRotation(10),
        transforms.ToTensor(),
        transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
    ]
    images = datasets.ImageFolder(str(root), transforms.Compose(steps))
    loader = DataLoader(images, arguments.batch_size, shuffle=True, num_workers=2, persistent_workers=True)
    network = models.get_model(arguments.arch, weights=None, num_classes=1).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)

    def run() -> int:
        count = 0
        for batch, labels in loader:
            target = labels.float()
            weight = target * W1 + (1 - target) * W0
            loss = nn.functional.binary_cross_entropy_with_logits(network(batch)[:, 0], target, weight)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            loss.item()
            count += len(batch)
        return count

    return run


def ours(arguments: argparse.Namespace, precision: str = "fp32") -> Round:
    """Return a round of `train-classifier`'s steps."""
    device = devices.resolve("cpu")
    network = classifier.build(arguments.arch, size=arguments.size).to(device).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    images = torch.from_numpy(pixels(arguments))
    labels = torch.arange(len(images)).remainder(2).float()

    def run() -> int:
        for batch in torch.split(torch.randperm(len(images)), arguments.batch_size):
            shown = classifier.to_input(images[batch])
            theta = classifier.random_affine(torch.rand(len(batch), 2), flip=True, rotation=10.0)
            with devices.autocast(device, precision):
                logits = network(classifier.apply_affine(shown, theta))
            loss = losses.weighted_bce(logits, labels[batch], W0, W1)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            loss.item()
        return len(images)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="densenet169")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4, help="per round")
    sides: dict[str, Side] = {
        "plain loop": plain,
        "train-classifier": ours,
        "train-classifier --precision bf16": partial(ours, precision="bf16"),
    }
    compare("classifier step", parser, sides)


if __name__ == "__main__":
    main()
