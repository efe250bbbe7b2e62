import zlib
from pathlib import Path

import numpy as np
import pytest
from data.images.image_files import PICTURE, decode_grey, exif_with_orientation, png_bytes, png_chunk, save
from PIL import Image


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize(("name", "scale"), [("a.png", 1), ("deep.png", 257), ("a.tif", 1), ("a.webp", 1)])
def test_orientation_is_applied_once(tmp_path: Path, value: int, name: str, scale: int) -> None:
    stored = PICTURE.astype(np.uint16) * scale if scale > 1 else PICTURE
    settings = {"lossless": True} if name.endswith("webp") else {}
    path = save(tmp_path, Image.fromarray(stored), name, exif=exif_with_orientation(value), **settings)
    turns = {2: "hf", 3: "r2", 4: "vf", 5: "t", 6: "r3", 7: "tt", 8: "r1"}
    expected = {
        "hf": np.fliplr(PICTURE),
        "vf": np.flipud(PICTURE),
        "r1": np.rot90(PICTURE, 1),
        "r2": np.rot90(PICTURE, 2),
        "r3": np.rot90(PICTURE, 3),
        "t": PICTURE.T,
        "tt": np.rot90(PICTURE.T, 2),
    }.get(turns.get(value, ""), PICTURE)
    grey = decode_grey(path)
    assert np.array_equal(grey, expected)
    assert grey.flags.c_contiguous


def test_orientation_of_a_jpeg_is_applied(tmp_path: Path) -> None:
    halves = np.zeros((16, 32), np.uint8)
    halves[:, 16:] = 255
    grey = decode_grey(save(tmp_path, Image.fromarray(halves), "a.jpg", exif=exif_with_orientation(6)))
    assert grey.shape == (32, 16)
    assert grey[:8].max() < 30
    assert grey[-8:].min() > 225


def test_orientation_in_the_text_chunk_of_imagemagick_is_applied(tmp_path: Path) -> None:
    data = exif_with_orientation(3).tobytes()
    text = b"Raw profile type exif\0\0" + zlib.compress(f"\nexif\n{len(data):8}\n{data.hex()}\n".encode())
    rows = b"".join(b"\0" + row.tobytes() for row in PICTURE)
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(6, 4, 8, 0, rows, png_chunk(b"zTXt", text)))
    assert np.array_equal(decode_grey(path), PICTURE[::-1, ::-1])


def test_damaged_exif_is_ignored(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(PICTURE), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12")
    assert np.array_equal(decode_grey(path), PICTURE)
