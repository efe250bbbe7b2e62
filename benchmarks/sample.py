"""How much time does `sample` add to the generator's? Forward passes alone, and the whole stage without PNG files.

    python benchmarks/sample.py [--size 128] [--count 1280]

The stage draws latent vectors, rounds to uint8, writes and flushes `images.npy`, hashes it and writes the index.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from interleaved import Round, compare

from xrayaug.networks import gans
from xrayaug.networks.gans import Shape
from xrayaug.options import Phantom, Sample
from xrayaug.runtime import devices
from xrayaug.sampling import sampler
from xrayaug.stages import sample
from xrayaug.storage import builder, weights

LATENT = 100


def forward(arguments: argparse.Namespace) -> Round:
    """Return a round of forward passes on latent vectors that are in memory."""
    device = devices.resolve("cpu")
    g = (
        gans.load("dcgan")
        .generator(Shape(arguments.size, LATENT))
        .to(device)
        .to(memory_format=torch.channels_last)
        .eval()
    )
    z = torch.randn(sampler.BATCH_SIZE, LATENT)

    def run() -> int:
        with torch.inference_mode():
            for _ in range(0, arguments.count, sampler.BATCH_SIZE):
                g(z)
        return int(arguments.count)

    return run


def stage(arguments: argparse.Namespace) -> Round:
    """Return a round of `sample` from a run with random weights."""
    root = Path(tempfile.mkdtemp())

    def build(directory: Path) -> dict[str, object]:
        g = gans.load("dcgan").generator(Shape(arguments.size, LATENT))
        weights.save(directory / "generator.safetensors", weights.cpu_state_dict(g))
        return {"arch": "dcgan", "size": arguments.size, "latent": LATENT, "training_images": {"normal": 1}}

    builder.build_artifact(Phantom(layout="rsna", count=1, out=root / "gan"), "gan-run", build)
    options = Sample(run=root / "gan", count=arguments.count, device="cpu", overwrite=True, out=root / "out")

    def run() -> int:
        sample.run(options)
        return int(arguments.count)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--count", type=int, default=1280)
    compare("sample", parser, {"generator alone": forward, "sample": stage})


if __name__ == "__main__":
    main()
