"""How fast are batches of images read? ImageFolder and DataLoader with two workers, and `train-gan`'s loader.

    python benchmarks/feeding.py [--images DATASET] [--size 128] [--count 2000] [--batch-size 100]

Every image is read once per round, in random order, as float in [-1, 1]. Without a dataset the images are noise.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from interleaved import Round, compare
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from xrayaug.data.dataset import open_dataset
from xrayaug.data.images import tensors
from xrayaug.data.images.arrays import Pixels, map_images
from xrayaug.data.images.loaders import make_loader
from xrayaug.data.images.stack import Stack
from xrayaug.runtime import devices


def pixels(arguments: argparse.Namespace) -> Pixels:
    """Return the images of the dataset, or noise, uint8 `[N, S, S]`."""
    if arguments.images:
        data = open_dataset(arguments.images)
        return data.pixels(data.rows[: arguments.count], arguments.size)
    shape = (arguments.count, arguments.size, arguments.size)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def folder(arguments: argparse.Namespace) -> Round:
    """Return a round that decodes PNG files in two processes."""
    root = Path(tempfile.mkdtemp())
    (root / "all").mkdir()
    for place, picture in enumerate(pixels(arguments)):
        Image.fromarray(picture).save(root / "all" / f"{place:06}.png")
    steps = [transforms.Grayscale(), transforms.ToTensor(), transforms.Normalize([0.5], [0.5])]
    images = datasets.ImageFolder(str(root), transforms.Compose(steps))
    loader = DataLoader(images, arguments.batch_size, shuffle=True, num_workers=2, persistent_workers=True)
    return lambda: sum(len(batch) for batch, _ in loader)


def resident(arguments: argparse.Namespace) -> Round:
    """Return a round that gathers and scales uint8 images in memory."""
    device = devices.resolve("cpu")
    reals = torch.from_numpy(pixels(arguments)).to(device)

    def run() -> int:
        order = torch.randperm(len(reals))
        return sum(
            len(tensors.to_unit(reals.index_select(0, batch))) for batch in torch.split(order, arguments.batch_size)
        )

    return run


def mapped(arguments: argparse.Namespace) -> Round:
    """Return a round that reads and scales uint8 images batch by batch from a file, as `train-gan` does on a CPU."""
    device = devices.resolve("cpu")
    file = Path(tempfile.mkdtemp()) / "images.npy"
    np.save(file, pixels(arguments))
    array = map_images(file)
    count, size, _ = array.shape
    reals = make_loader(Stack([array], np.zeros(count, np.int32), np.arange(count), (size, size)), device)

    def run() -> int:
        order = torch.split(torch.randperm(len(reals)), arguments.batch_size)
        return sum(len(tensors.to_unit(reals.gather(*batch))) for batch in reals.iter_batches(order))

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="a prepared dataset")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=100)
    compare("feeding", parser, {"ImageFolder, 2 workers": folder, "held in memory": resident, "train-gan": mapped})


if __name__ == "__main__":
    main()
