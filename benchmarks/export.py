"""How fast is `export`? A plain loop over the images with Pillow, and the whole stage in two formats.

    python benchmarks/export.py DATASET [--rounds 7]

The loop saves every image of the dataset as a PNG file, and does nothing else. The stage also checks the dataset,
writes lists, hashes every file for the manifest, and flushes every file to disk.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from interleaved import Round, compare
from PIL import Image

from xrayaug.data.dataset import open_dataset
from xrayaug.options import Export
from xrayaug.stages import export


def loop(arguments: argparse.Namespace) -> Round:
    """Return a round of a plain loop that saves all images."""
    data = open_dataset(arguments.data)
    out = Path(tempfile.mkdtemp(dir=arguments.scratch))

    def run() -> int:
        for number, row in enumerate(data.rows):
            directory = out / row.split / row.label
            directory.mkdir(parents=True, exist_ok=True)
            Image.fromarray(data.arrays[row.image][row.row]).save(directory / f"{number}.png")
        shutil.rmtree(out)
        return len(data.rows)

    return run


def stage(arguments: argparse.Namespace, format: str) -> Round:
    """Return a round of `export` in a format."""
    out = Path(tempfile.mkdtemp(dir=arguments.scratch)) / "out"

    def run() -> int:
        result = export.run(Export(data=arguments.data, format=format, out=out))
        shutil.rmtree(out)
        return int(result["images"])

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--scratch", type=Path, help="directory to write to; the default is that for temporary files")
    sides = {
        "Pillow loop": loop,
        "imagefolder": lambda arguments: stage(arguments, "imagefolder"),
        "webdataset": lambda arguments: stage(arguments, "webdataset"),
    }
    compare("export", parser, sides)


if __name__ == "__main__":
    main()
