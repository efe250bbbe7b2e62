"""Test files that cannot be used: damaged, foreign and too large ones."""

import io
import os
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.images.image_files import PICTURE, decode_grey, exif_with_orientation, png_bytes, png_chunk, save
from PIL import Image

from xrayaug.data.images import greyscale, opening
from xrayaug.data.images.opening import UnusableImage


def test_missing_files_directories_empty_files_and_text_are_unusable(tmp_path: Path) -> None:
    with pytest.raises(UnusableImage, match="No such file"):
        greyscale.decode(tmp_path / "gone.png")
    with pytest.raises(UnusableImage, match="directory"):
        greyscale.decode(tmp_path)
    for name, data, reason in (("e.png", b"", "empty"), ("t.png", b"hello", "not an image")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UnusableImage, match=reason):
            greyscale.decode(tmp_path / name)


def test_postscript_named_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n")
    with pytest.raises(UnusableImage, match="not an image"):
        greyscale.decode(tmp_path / "a.png")


def test_dicom_is_recognised_by_its_magic_and_by_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 50)
    (tmp_path / "b.DCM").write_bytes(b"\x08\0\x05\0")
    for name in ("a.png", "b.DCM"):
        with pytest.raises(UnusableImage, match=r"no pixels|damaged: its DICOM header|not an image"):
            greyscale.decode(tmp_path / name)
        with pytest.raises(UnusableImage, match="xrayaug prepare alone reads"), opening.open_image(tmp_path / name):
            pass


def test_truncated_files_are_unusable_with_a_reason_of_one_line(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24), np.uint8))
    path = tmp_path / "cut"
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000"):
        whole = io.BytesIO()
        noise.save(whole, kind)
        for part in range(1, 20):
            path.write_bytes(whole.getvalue()[: whole.tell() * part // 24])
            with pytest.raises(UnusableImage, match=r"^[^\n]+$"):
                greyscale.decode(path)


def test_broken_bytes_raise_only_unusable_image(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    noise = Image.fromarray(random.integers(0, 256, (24, 24), np.uint8))
    path = tmp_path / "broken"
    for kind in ("PNG", "JPEG", "TIFF", "GIF"):
        whole = io.BytesIO()
        noise.save(whole, kind, exif=exif_with_orientation(6))
        for _ in range(25):
            data = bytearray(whole.getvalue())
            for place in random.integers(0, len(data), 6):
                data[place] = random.integers(0, 256)
            path.write_bytes(data)
            try:
                assert greyscale.decode(path).grey.ndim == 2
            except UnusableImage as problem:
                assert "\n" not in str(problem)


def test_decompression_bombs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "wide.png").write_bytes(png_bytes(20000, 20000, 8, 0, b"\0"))
    with pytest.raises(UnusableImage, match="too large"):
        greyscale.decode(tmp_path / "wide.png")
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 5_000_000))
    (tmp_path / "text.png").write_bytes(png_bytes(1, 1, 8, 0, b"\0\0", text))
    with pytest.raises(UnusableImage, match="Decompressed data too large"):
        greyscale.decode(tmp_path / "text.png")


def test_an_image_above_the_size_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes(8193, 8192, 16, 0, b"\0"))
    with pytest.raises(UnusableImage, match="8193 × 8192"):
        greyscale.decode(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.webp", "a.jp2"])
def test_webp_and_jpeg_2000_have_a_lower_size_limit(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, Image.fromarray(PICTURE), name)
    assert decode_grey(path).shape == PICTURE.shape
    monkeypatch.setattr(opening, "MAX_PIXELS_BY_FORMAT", dict.fromkeys(opening.MAX_PIXELS_BY_FORMAT, PICTURE.size - 1))
    with pytest.raises(UnusableImage, match="too large: 6 × 4"):
        greyscale.decode(path)


MEASURE_PEAK_MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from xrayaug.data import image_sets
from xrayaug.data.images import greyscale, opening
read = {"decode": greyscale.decode, "read_image": image_sets.read_image}[sys.argv[2]]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read(Path(sys.argv[1]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def test_the_largest_16_bit_image_needs_less_than_a_gibibyte(tmp_path: Path) -> None:
    """64 megapixels of 16 bits, lying on their side; in a process of its own, whose peak is then the reader's."""
    rows = np.zeros((8192, 1 + 2 * 8192), np.uint8)  # each with its filter byte
    rows[:, 1::2] = np.arange(8192) % 251
    exif = png_chunk(b"eXIf", exif_with_orientation(6).tobytes()[6:])
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(8192, 8192, 16, 0, rows.tobytes(), exif))
    del rows
    for reader in ("decode", "read_image"):
        command = [sys.executable, "-c", MEASURE_PEAK_MEMORY, str(path), reader]
        mebibytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        assert mebibytes < 1024, f"{reader} took {mebibytes} MiB"


@pytest.mark.parametrize("kind", [MemoryError, RecursionError, OverflowError, KeyError, IndexError, SyntaxError])
def test_any_exception_of_pillow_makes_the_file_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise kind("in\ntwo lines")

    path = save(tmp_path, Image.fromarray(PICTURE))
    monkeypatch.setattr(Image.Image, "load", broken)
    with pytest.raises(UnusableImage, match=r"^[^\n]+$"):
        greyscale.decode(path)


def test_a_named_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(UnusableImage, match="no regular file"):
        greyscale.decode(tmp_path / "a.png")


def test_pillow_does_not_warn_of_large_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)  # warns above, refuses above the double
    assert decode_grey(save(tmp_path, Image.fromarray(PICTURE))).shape == PICTURE.shape


def test_threads_decode_without_warnings_and_keep_the_warning_filters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, Image.fromarray(PICTURE))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    before = list(warnings.filters)
    problems: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(40):
                greyscale.decode(path)
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert list(warnings.filters) == before
