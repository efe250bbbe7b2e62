"""How fast is `prepare`? StyleGAN3's dataset_tool.py on the same PNG files, and inflating them alone as the limit.

    python benchmarks/prepare.py DIRECTORY --dataset-tool dataset_tool.py [--size 128] [--repeat 4]

`dataset_tool.py` is NVIDIA's, under a licence of its own: get it from github.com/NVlabs/stylegan3 (it needs click and
tqdm). Whole commands are timed, process start included; `--repeat` links every file so many times, for a set as large
as real ones are.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from interleaved import Round, compare


def pictures(arguments: argparse.Namespace) -> tuple[Path, int]:
    """A directory of links to the PNG files, each so many times, and how many links there are."""
    files, directory = sorted(arguments.directory.rglob("*.png")), Path(tempfile.mkdtemp())
    for time in range(arguments.repeat):
        for place, file in enumerate(files):
            (directory / f"{time}-{place:06}.png").symlink_to(file.resolve())
    return directory, arguments.repeat * len(files)


def dataset_tool(arguments: argparse.Namespace) -> Round:
    """The peer: square by squashing, as `--resolution` does."""
    directory, count = pictures(arguments)
    words = [sys.executable, str(arguments.dataset_tool), "--source", str(directory)]
    words += ["--resolution", f"{arguments.size}x{arguments.size}"]

    def run() -> int:
        with tempfile.TemporaryDirectory() as out:
            subprocess.run([*words, "--dest", f"{out}/images"], check=True, capture_output=True)
        return count

    return run


def prepare(arguments: argparse.Namespace) -> Round:
    """The whole command."""
    directory, count = pictures(arguments)
    words = [sys.executable, "-m", "xrayaug", "prepare", "--source", "folder", "--label", "normal"]
    words += ["--input", str(directory), "--size", str(arguments.size), "--duplicates", "warn"]

    def run() -> int:
        with tempfile.TemporaryDirectory() as out:
            subprocess.run([*words, "--out", f"{out}/data"], check=True, capture_output=True)
        return count

    return run


def inflate(arguments: argparse.Namespace) -> Round:
    """The files' zlib streams alone, on every processor: what no PNG reader can save."""
    streams = [_stream(file.read_bytes()) for file in sorted(arguments.directory.rglob("*.png"))]

    def run() -> int:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return sum(1 for _ in pool.map(zlib.decompress, streams))

    return run


def _stream(png: bytes) -> bytes:
    """The IDAT chunks' content."""
    found, place = b"", 8
    while place < len(png):
        length = int.from_bytes(png[place : place + 4], "big")
        if png[place + 4 : place + 8] == b"IDAT":
            found += png[place + 8 : place + 8 + length]
        place += length + 12
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--dataset-tool", type=Path, required=True)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=1, help="how many times every file is there")
    compare("prepare", parser, {"dataset_tool.py": dataset_tool, "prepare": prepare, "inflating alone": inflate})


if __name__ == "__main__":
    main()
