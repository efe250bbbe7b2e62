"""Files are decoded side by side, and come in the order given, each with its metadata."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import write_png

from xrayaug.data.images import decoding, greyscale
from xrayaug.data.images.decoding import DecodeOptions, ImageMetadata
from xrayaug.data.images.opening import UnusableImage

SIZE = 8


MANNER = DecodeOptions(scale=None, invert=False, size=SIZE, fit="squash", resample="bicubic")


def decode(root: Path, files: list[str], workers: int = 0) -> list[decoding.PreparedImage]:
    return list(decoding.decode_all(root, files, MANNER, workers))


@pytest.mark.parametrize("workers", [1, 3])
def test_pictures_come_in_the_order_given(tmp_path: Path, workers: int) -> None:
    files = [f"{number}.png" for number in range(12)]
    for number, file in enumerate(files):
        edge = 200 if number % 3 == 0 else SIZE  # some take longer
        write_png(tmp_path / file, np.full((edge, edge), 20 * number, np.uint8))
    found = decode(tmp_path, files, workers=workers)
    assert [each.square.tolist() for each in found] == [np.full((1, SIZE, SIZE), 20 * n).tolist() for n in range(12)]


def test_decoding_returns_hash_depth_blankness_and_stamp(tmp_path: Path) -> None:
    grey = np.arange(36, dtype=np.uint8).reshape(6, 6)
    write_png(tmp_path / "a.png", grey)
    write_png(tmp_path / "b.png", np.full((6, 6), 7, np.uint8))
    first, second = (each.note for each in decode(tmp_path, ["a.png", "b.png"]))
    assert first == ImageMetadata(decoding.pixel_sha256(grey), "8-bit")
    assert second.blank


def test_a_file_that_is_none_is_said_and_gives_no_square(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (found,) = decode(tmp_path, ["bad.png"])
    assert found.square.shape == (0, SIZE, SIZE)
    assert found.note.unusable
    assert found.note == ImageMetadata(unusable=found.note.unusable)


def test_a_file_that_is_gone_ends_it(tmp_path: Path) -> None:
    """A file that the storage hides now may be readable later; without it the dataset would be another one."""
    write_png(tmp_path / "a.png", np.zeros((6, 6), np.uint8))
    with pytest.raises(OSError, match="No such file") as caught:
        decode(tmp_path, ["a.png", "gone.png"])
    assert caught.value.filename == str(tmp_path / "gone.png")


def test_memory_that_runs_out_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any, **__: Any) -> greyscale.Decoded:
        try:
            raise MemoryError
        except MemoryError:
            raise UnusableImage("it takes too much memory") from None

    monkeypatch.setattr(greyscale, "decode", exhausted)
    with pytest.raises(MemoryError, match=r"decoding .*a\.png"):
        decode(tmp_path, ["a.png"])


def test_processes_make_what_threads_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [f"{number}.png" for number in range(9)]
    for number, file in enumerate(files[:8]):
        write_png(tmp_path / file, np.arange(90, dtype=np.uint8).reshape(9, 10) + number)
    (tmp_path / files[8]).write_bytes(b"no picture")
    by_threads = decode(tmp_path, files, 2)
    monkeypatch.setattr(decoding, "MIN_FILES_PER_PROCESS", 4)
    by_processes = decode(tmp_path, files, 2)
    assert [each.note for each in by_processes] == [each.note for each in by_threads]
    assert [each.square.tolist() for each in by_processes] == [each.square.tolist() for each in by_threads]


def test_a_file_that_is_gone_ends_processes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MIN_FILES_PER_PROCESS", 1)
    with pytest.raises(FileNotFoundError) as caught:
        decode(tmp_path, ["gone.png", "gone too.png"], 2)
    assert caught.value.filename == str(tmp_path / "gone.png")


def test_pixel_sha256_depends_on_shape_and_pixels() -> None:
    picture = (np.arange(24, dtype=np.uint8) * 10).reshape(4, 6)
    assert decoding.pixel_sha256(picture) == hashlib.sha256(b"4x6\n" + bytes(range(0, 240, 10))).hexdigest()
    assert decoding.pixel_sha256(picture) == decoding.pixel_sha256(np.asfortranarray(picture))
    assert decoding.pixel_sha256(picture) != decoding.pixel_sha256(picture.reshape(6, 4))
