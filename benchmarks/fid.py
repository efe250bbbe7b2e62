"""How fast is `fid`? It is compared with pytorch-fid on the same images and weights; both distances are printed.

    python benchmarks/fid.py [--images DATASET] [--count 128] [--size 128]

The weights are random, in a file with the format and name of the real one: the time does not depend on their values.
Whole commands are timed, including the start of the process. `cached` finds the second side's statistics in the cache.
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
    """Write folders `a` and `b` of PNG files, and weights; return the directory and the paths of both folders."""
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
    """Return a round of the pytorch-fid command."""
    root, folders = sides(arguments)
    words = [sys.executable, "-W", "ignore", "-m", "pytorch_fid", *folders, "--device", "cpu"]
    environment = os.environ | {"TORCH_HOME": str(root)}

    def run() -> int:
        output = subprocess.run(words, check=True, capture_output=True, text=True, env=environment).stdout
        _save_distance("pytorch-fid", output)
        return int(arguments.count)

    return run


def ours(arguments: argparse.Namespace, *, cached: bool = False) -> Round:
    """Return a round of `xrayaug fid`, with an empty cache or one that has the second side."""
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
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        _save_distance("fid", output)
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


def _save_distance(program: str, output: str) -> None:
    """Append the distance in a program's output to a file that all processes share."""
    number = re.findall(r"FID: +([\d.e+-]+)|\"value\": ([\d.e+-]+)", output)
    with Path(tempfile.gettempdir(), "xrayaug-benchmark-fid.txt").open("a", encoding="utf-8") as file:
        file.write(f"{program}: {next(part for part in number[-1] if part)}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--images", type=Path, help="a dataset; mirrored images are added if it has too few; default: noise"
    )
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--count", type=int, default=128, help="images of both sides together")
    compare(
        "fid",
        parser,
        {
            "pytorch-fid": pytorch_fid,
            "fid": ours,
            "fid, one side cached": lambda arguments: ours(arguments, cached=True),
        },
        rounds=3,
    )
    numbers = Path(tempfile.gettempdir(), "xrayaug-benchmark-fid.txt")
    print("\n".join(sorted(set(numbers.read_text(encoding="utf-8").splitlines()))))
    numbers.unlink()


if __name__ == "__main__":
    main()
