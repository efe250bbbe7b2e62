"""How fast is `fid`? The pytorch-fid command on the same images with the same weights file; the numbers must agree.

    python benchmarks/fid.py [--images DATASET] [--count 128] [--size 128]

The weights are random, in a file of the real one's form and name: time does not depend on what they are. Whole commands
are timed, process start included; `cached` finds the second side's statistics in its cache.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from interleaved import Round, compare
from PIL import Image

from xrayaug.data.dataset import open_dataset
from xrayaug.networks import inception


def sides(arguments: argparse.Namespace) -> tuple[Path, list[str]]:
    """A directory with folders `a` and `b` of PNG files and the weights, and the words that name both folders."""
    root = Path(tempfile.mkdtemp())
    pictures = _pictures(arguments)
    for place, picture in enumerate(pictures[: arguments.count]):
        folder = root / "ab"[place % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(picture).save(folder / f"{place:06}.png")
    weights = root / "hub" / "checkpoints" / inception.FILE_NAME
    weights.parent.mkdir(parents=True)
    torch.save(_state(), weights)
    return root, [str(root / "a"), str(root / "b")]


def pytorch_fid(arguments: argparse.Namespace) -> Round:
    """The peer's command."""
    root, folders = sides(arguments)
    words = [sys.executable, "-W", "ignore", "-m", "pytorch_fid", *folders, "--device", "cpu"]
    environment = os.environ | {"TORCH_HOME": str(root)}

    def run() -> int:
        said = subprocess.run(words, check=True, capture_output=True, text=True, env=environment).stdout
        _tell("pytorch-fid", said)
        return int(arguments.count)

    return run


def ours(arguments: argparse.Namespace, *, cached: bool = False) -> Round:
    """Our command, with a cache that is empty or knows one side."""
    root, folders = sides(arguments)
    weights = ["--weights", str(root / "hub" / "checkpoints" / inception.FILE_NAME), "--device", "cpu", "--json"]
    words = [sys.executable, "-m", "xrayaug", "fid"]
    if cached:
        subprocess.run([*words, folders[1], folders[1], *weights, "--cache", str(root / "c")], check=True,
                       capture_output=True)  # fmt: skip

    def run() -> int:
        with tempfile.TemporaryDirectory() as cache:
            if cached:
                subprocess.run(["cp", "-r", str(root / "c" / "fid"), cache], check=True)
            command = [*words, *folders, *weights, "--cache", cache]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        _tell("fid", said)
        return int(arguments.count)

    return run


def _pictures(arguments: argparse.Namespace) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    if arguments.images:
        data = open_dataset(arguments.images)
        pictures = data.pixels(data.rows[: arguments.count], arguments.size)
        return np.concatenate([pictures, pictures[: arguments.count - len(pictures), :, ::-1]])
    return np.random.default_rng(0).integers(0, 256, (arguments.count, arguments.size, arguments.size), np.uint8)


def _state() -> dict[str, torch.Tensor]:
    state = dict(inception.random_weights(0).state)
    blank = inception._build_on_meta().state_dict()
    return {name: state.get(name, torch.zeros(tensor.shape)) for name, tensor in blank.items()}


def _tell(who: str, said: str) -> None:
    number = re.findall(r"FID: +([\d.e+-]+)|\"value\": ([\d.e+-]+)", said)
    with Path(tempfile.gettempdir(), "xrayaug-benchmark-fid.txt").open("a", encoding="utf-8") as file:
        file.write(f"{who}: {next(part for part in number[-1] if part)}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="a dataset, mirrored too if it has too few; else noise")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--count", type=int, default=128, help="of both sides together")
    compare(
        "fid",
        parser,
        {"pytorch-fid": pytorch_fid, "fid": ours, "fid, one side cached": lambda given: ours(given, cached=True)},
        rounds=3,
    )
    numbers = Path(tempfile.gettempdir(), "xrayaug-benchmark-fid.txt")
    print("\n".join(sorted(set(numbers.read_text(encoding="utf-8").splitlines()))))
    numbers.unlink()


if __name__ == "__main__":
    main()
