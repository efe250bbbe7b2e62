"""How near is a GAN step to what the processor can compute? Its multiplications beside those of a large matrix product.

    python benchmarks/arithmetic.py [--arch projected,dcgan] [--sizes 64,128,256] [--precision bf16] [--rounds 3]

Floating-point operations are those of convolutions and matrix products, forward and backward, as PyTorch counts them.
The limit is the time that they would take at the rate of a product of two matrices in the same precision, measured in
turn with the steps. A step also reads and writes feature maps, normalises and resamples, which the limit leaves out.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from xrayaug.data.images import tensors
from xrayaug.options import TrainGan
from xrayaug.runtime import devices
from xrayaug.stages import train_gan
from xrayaug.training import gan_model

SIDE = 2048  # of the square matrices


def step_of(arch: str, size: int, precision: str) -> tuple[Callable[[], Any], int]:
    """Return a function that takes a step of the recipe on noise, and its batch size."""
    options = TrainGan(data=Path("unused"), out=Path("unused"), arch=arch, precision=precision, epochs=10)
    config = train_gan.make_config(options, size)
    batch = config.recipe.batch_size
    model = gan_model.build(options, config, devices.resolve("cpu", precision=precision))
    images = tensors.to_unit(torch.randint(0, 256, (batch, size, size), dtype=torch.uint8))
    z = torch.randn(batch, config.recipe.latent)
    return lambda: model.step(images, z), batch


def product_of(precision: str) -> Callable[[], Any]:
    """Return a function that multiplies two square matrices."""
    a, b = torch.randn(2, SIDE, SIDE, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    return lambda: a @ b


def seconds(work: Callable[[], Any]) -> float:
    """Return the processor time that the work takes, which waiting for other processes does not lengthen."""
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    """Print a row for each architecture and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="projected,dcgan")
    parser.add_argument("--sizes", default="64,128,256")
    parser.add_argument("--precision", default="bf16", choices=("fp32", "bf16"))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    multiply = product_of(arguments.precision)
    print("| step | batch | GFLOP | ms | GFLOP/s | of a matrix product | share of the limit |")
    print("|---|---|---|---|---|---|---|")
    for arch in arguments.arch.split(","):
        for size in map(int, arguments.sizes.split(",")):
            step, batch = step_of(arch, size, arguments.precision)
            step()
            with FlopCounterMode(display=False) as counter:
                step()
            work = counter.get_total_flops()
            pairs = [(seconds(step), seconds(multiply)) for _ in range(arguments.rounds)]
            took, product = (statistics.median(each) for each in zip(*pairs, strict=True))
            rate, limit = work / took / 1e9, 2 * SIDE**3 / product / 1e9
            print(
                f"| `{arch}`, {size} px, {arguments.precision} | {batch} | {work / 1e9:.1f} | {1000 * took:.0f} | "
                f"{rate:.0f} | {limit:.0f} | {rate / limit:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
