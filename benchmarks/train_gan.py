"""How fast is a GAN step? `train-gan`'s step and the loop of PyTorch's DCGAN example, both with the thesis's networks.

    python benchmarks/train_gan.py [--size 128] [--batch-size 100] [--steps 2]

Both have their images in memory; `feeding.py` measures ImageFolder.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import torch
from interleaved import Round, Side, compare
from torch import Tensor, nn

from xrayaug.data.images import tensors
from xrayaug.networks import gans
from xrayaug.networks.gans import Shape
from xrayaug.options import TrainGan
from xrayaug.runtime import devices
from xrayaug.stages import train_gan
from xrayaug.training import gan_model

LR, BETAS = 3.4e-4, (0.5, 0.999)


def reals(arguments: argparse.Namespace) -> Tensor:
    """Return noise, uint8 `[N, S, S]`: the time does not depend on the content."""
    count, size = arguments.batch_size * arguments.steps, arguments.size
    return torch.randint(0, 256, (count, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def plain(arguments: argparse.Namespace) -> Round:
    """Return a round of the example's steps: D on real and generated images, then G; losses are read after each."""
    arch, shape = gans.load("dcgan"), Shape(arguments.size, 100)
    g, d = arch.generator(shape), arch.discriminator(shape)
    optimisers = [torch.optim.Adam(network.parameters(), lr=LR, betas=BETAS) for network in (d, g)]
    criterion = nn.BCELoss()
    images = tensors.to_unit(reals(arguments))
    batches = torch.split(images, arguments.batch_size)

    def run() -> int:
        for real in batches:
            d.zero_grad()
            error_real = criterion(d(real), torch.ones(len(real)))
            error_real.backward()
            fake = g(torch.randn(len(real), 100))
            error_fake = criterion(d(fake.detach()), torch.zeros(len(real)))
            error_fake.backward()
            (error_real + error_fake).item()
            optimisers[0].step()
            g.zero_grad()
            error = criterion(d(fake), torch.ones(len(real)))
            error.backward()
            error.item()
            optimisers[1].step()
        return len(images)

    return run


def ours(arguments: argparse.Namespace, *, feeding: bool = True, **changes: Any) -> Round:
    """Return a round of `train-gan`'s steps on shuffled uint8 images in memory, or always on one fixed batch."""
    options = TrainGan(data=Path("unused"), out=Path("unused"), batch_size=arguments.batch_size, **changes)
    device = devices.resolve("cpu")
    both = gan_model.build(options, train_gan.make_config(options, arguments.size), device)
    images = reals(arguments)
    fixed, z = tensors.to_unit(images[: arguments.batch_size]), torch.randn(arguments.batch_size, 100)

    def run() -> int:
        for batch in torch.split(torch.randperm(len(images)), arguments.batch_size):
            if feeding:
                both.step(tensors.to_unit(images.index_select(0, batch)), torch.randn(len(batch), 100))
            else:
                both.step(fixed, z)
        return len(images)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--steps", type=int, default=2, help="per round")
    sides: dict[str, Side] = {
        "plain loop": plain,
        "train-gan": ours,
        "train-gan, one fixed batch": partial(ours, feeding=False),
        "train-gan --precision bf16": partial(ours, precision="bf16"),
    }
    compare("GAN step", parser, sides)


if __name__ == "__main__":
    main()
