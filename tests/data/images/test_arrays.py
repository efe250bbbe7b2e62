"""images.npy grows picture by picture, and is read only if it is what it says."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import grey, row, tamper, write_dataset

from xrayaug.data.dataset import open_dataset
from xrayaug.data.images import arrays
from xrayaug.data.images.arrays import IMAGES
from xrayaug.errors import ArtifactError


def test_images_written_piece_by_piece_are_one_array(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (1234, 5, 5)).astype(np.uint8)
    with arrays.writing_images(tmp_path, 5) as writer:
        for start in range(0, len(pictures), 100):
            writer.write(pictures[start : start + 100])
    np.testing.assert_array_equal(np.load(tmp_path / IMAGES), pictures)


def saved(array: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)  # type: ignore[arg-type] # a list stands for an array
    return stream.getvalue()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda content: content[:-1], "not the file's size"),
        (lambda content: content + b"x", "not the file's size"),
        (lambda content: content.replace(b"(2, 8, 8)", b"(2, 8, 4)"), "not the file's size"),
        (lambda content: content.replace(b"(2, 8, 8)", b"(2, 8 8,)"), "cannot be read"),
        (lambda content: content.replace(b"(2, 8, 8)", b"(0, 8, 8)"), "sides are from 1 to 4096"),
        (lambda content: content.replace(b"(2, 8, 8)", b"(2,-8,-8)"), "sides are from 1 to 4096"),
        (lambda content: content.replace(b"(2, 8, 8)", b"(1,1,10**9)"), "cannot be read"),
        (lambda _: saved(np.asfortranarray(np.arange(128, dtype=np.uint8).reshape(2, 8, 8))), "must be uint8"),
        (lambda _: saved(np.zeros((1, 1, 5000), np.uint8)), "sides are from 1 to 4096"),
        (lambda _: b"", "cannot be read"),
        (lambda _: b"no array", "cannot be read"),
        (lambda _: saved(np.array([{"a": 1}, None], dtype=object)), "cannot be read"),
        (lambda _: saved(grey(2).astype(np.float32)), "must be uint8"),
        (lambda _: saved(grey(2)[0]), "must be uint8"),
    ],
    ids=["truncated", "longer", "other shape", "odd shape", "none", "negative", "formula", "columns", "wide",
         "empty", "text", "pickled", "float", "one picture"],
)  # fmt: skip
def test_an_array_that_is_none_is_refused(tmp_path: Path, change: Callable[[bytes], bytes], complaint: str) -> None:
    path = write_dataset(tmp_path / "set", [row(), row()])
    tamper(path, IMAGES, change)
    with pytest.raises(ArtifactError, match=complaint):
        open_dataset(path)
