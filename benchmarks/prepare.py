"""How fast is `prepare`? StyleGAN3's dataset_tool.py on the same PNG files, and zlib's inflation of these files alone.

    python benchmarks/prepare.py DIRECTORY --dataset-tool dataset_tool.py [--size 128] [--repeat 4]

`dataset_tool.py` is NVIDIA's, under a licence of its own: get it from github.com/NVlabs/stylegan3 (it needs click and
tqdm). Whole commands are timed, including the start of the process. `--repeat` links every file several times, to make
a large set of a few files. Inflating the files with zlib is a lower limit of the time.
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
    """Return a directory of links to the PNG files, each `--repeat` times, and the number of links."""
    files, directory = sorted(arguments.directory.rglob("*.png")), Path(tempfile.mkdtemp())
    for time in range(arguments.repeat):
        for place, file in enumerate(files):
            (directory / f"{time}-{place:06}.png").symlink_to(file.resolve())
    return directory, arguments.repeat * len(files)


def dataset_tool(arguments: argparse.Namespace) -> Round:
    """Return a round of dataset_tool.py, which `--resolution` makes resize to a square."""
    directory, count = pictures(arguments)
    words = [sys.executable, str(arguments.dataset_tool), "--source", str(directory)]
    words += ["--resolution", f"{arguments.size}x{arguments.size}"]

    def run() -> int:
        with tempfile.TemporaryDirectory() as out:
            subprocess.run([*words, "--dest", f"{out}/images"], check=True, capture_output=True)
        return count

    return run


def prepare(arguments: argparse.Namespace) -> Round:
    """Return a round of `xrayaug prepare`."""
    directory, count = pictures(arguments)
    words = [sys.executable, "-m", "xrayaug", "prepare", "--source", "folder", "--label", "normal"]
    words += ["--input", str(directory), "--size", str(arguments.size), "--duplicates", "warn"]

    def run() -> int:
        with tempfile.TemporaryDirectory() as out:
            subprocess.run([*words, "--out", f"{out}/data"], check=True, capture_output=True)
        return count

    return run


def inflate(arguments: argparse.Namespace) -> Round:
    """Return a round that inflates the files' zlib streams on all cores, which every PNG reader must do."""
    streams = [_stream(file.read_bytes()) for file in sorted(arguments.directory.rglob("*.png"))]

    def run() -> int:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return sum(1 for _ in pool.map(zlib.decompress, streams))

    return run


def _stream(png: bytes) -> bytes:
    """Return the content of a PNG file's IDAT chunks."""
    content, place = b"", 8
    while place < len(png):
        length = int.from_bytes(png[place : place + 4], "big")
        if png[place + 4 : place + 8] == b"IDAT":
            content += png[place + 8 : place + 8 + length]
        place += length + 12
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--dataset-tool", type=Path, required=True)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=1, help="number of links to every file")
    compare("prepare", parser, {"dataset_tool.py": dataset_tool, "prepare": prepare, "inflating alone": inflate})


if __name__ == "__main__":
    main()
