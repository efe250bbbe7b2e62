"""Tar files (shards) as WebDataset and Hugging Face `datasets` read: files of one name are one example.

train-000000.tar  train-000001.tar  test-000000.tar       each with       000000.png  000000.cls  000000.json  ...

`cls` holds the class index (0 normal, 1 abnormal) and is missing for an image without a label; `json` holds what is
known of the image. The format is defined by https://github.com/webdataset/webdataset. The headers are those of Python's
`tarfile`, since its blocks need no further package and hold no time, user or group: equal datasets give equal bytes.
"""

import itertools
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from xrayaug.data import exporters
from xrayaug.data.dataset import LABELS, SPLITS, Row
from xrayaug.data.exporters import Example, Part
from xrayaug.options import Export

MODE = 0o644  # rights of the files


def plan_parts(rows: Sequence[Row], options: Export) -> list[Part]:
    """Return the shards of each split, with `--shard-size` images each and the rest in the last one.

    Training images are in a seeded random order, because shards are read from beginning to end, and programs only
    shuffle within a buffer; a dataset is often sorted by label, and the images that an arm adds come last.
    """
    parts = []
    for split in SPLITS:
        places = np.array([place for place, row in enumerate(rows) if row.split == split], np.int64)
        if split == "train":
            places = np.random.default_rng(options.seed).permutation(places)
        for number, first in enumerate(range(0, len(places), options.shard_size)):
            parts.append(Part(places[first : first + options.shard_size].tolist(), f"{split}-{number:06}.tar"))
    return parts


def part_files(part: Part, examples: Iterable[Example]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the tar file of a shard, which is written example by example."""
    yield part.file, _pad(itertools.chain.from_iterable(map(_entries, examples)))


def write_lists(directory: Path, rows: Sequence[Row]) -> None:
    """Write nothing: each shard describes its own images."""


def _entries(example: Example) -> Iterator[bytes]:
    """Yield the blocks of the files of an example."""
    yield from _file_blocks(f"{example.name}.png", example.png)
    if example.row.label in LABELS:
        yield from _file_blocks(f"{example.name}.cls", str(LABELS.index(example.row.label)).encode())
    described = exporters.describe_row(example.row, sorted(example.row.extra))
    yield from _file_blocks(f"{example.name}.json", json.dumps(described, ensure_ascii=False).encode())


def _file_blocks(name: str, content: bytes) -> Iterator[bytes]:
    """Yield a header, a file's content, and zeros up to a whole block."""
    header = tarfile.TarInfo(name)
    header.size, header.mode = len(content), MODE
    yield header.tobuf(tarfile.USTAR_FORMAT)
    yield content
    yield bytes(-len(content) % tarfile.BLOCKSIZE)


def _pad(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks, and the two blocks of zeros that end a tar file, up to a whole record."""
    length = 0
    for block in blocks:
        length += len(block)
        yield block
    end = 2 * tarfile.BLOCKSIZE
    yield bytes(end + -(length + end) % tarfile.RECORDSIZE)
