"""Test that damaged and hostile DICOM files end in one line of our own words, in little memory."""

import random
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import imagecodecs
import pytest
from data.images import dicom_files as made
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from xrayaug.data.images import greyscale
from xrayaug.data.images.dicom import decoding, headers, reading
from xrayaug.data.images.opening import UnusableImage

MANY = 200  # mutations
SECRET = "PLANTEDNAME"


def compressed() -> dict[str, Dataset]:
    values, small = made.gradient(), made.gradient(bits=8)
    return {
        "raw": made.make(values, PatientName=SECRET, WindowCenter=100, WindowWidth=300),
        "jpeg": made.compress(made.make(small, bits=8), made.JPEG_BASELINE, imagecodecs.jpeg8_encode(small)),
        "lossless": made.compress(
            made.make(values),
            made.JPEG_LOSSLESS_SV1,
            imagecodecs.jpeg8_encode(values, lossless=True, bitspersample=12, predictor=1),
        ),
        "jpeg-ls": made.compress(made.make(values), made.JPEG_LS, imagecodecs.jpegls_encode(values)),
        "jpeg 2000": made.compress(
            made.make(values), made.JPEG_2000, imagecodecs.jpeg2k_encode(values, codecformat="j2k", bitspersample=12)
        ),
    }


def frame_of(dataset: Dataset) -> bytes:
    return bytes(next(generate_frames(dataset.PixelData, number_of_frames=1)))


KINDS = tuple(compressed())


@pytest.mark.parametrize("kind", KINDS)
def test_cut_frames_are_refused(kind: str, tmp_path: Path) -> None:
    dataset = compressed()[kind]
    for part in (0.3, 0.6, 0.95):
        whole = made.save(tmp_path / "whole", dataset).read_bytes()
        (tmp_path / "cut").write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(UnusableImage, match=r"^[^\n]+$"):
            decoding.decode(tmp_path / "cut")


@pytest.mark.parametrize("kind", KINDS[1:])
def test_frames_that_end_early_are_refused(kind: str, tmp_path: Path) -> None:
    dataset = compressed()[kind]
    frame = frame_of(dataset)
    made.compress(dataset, str(dataset.file_meta.TransferSyntaxUID), frame[: len(frame) * 2 // 3])
    with pytest.raises(UnusableImage, match="damaged"):
        decoding.decode(made.save(tmp_path / "a", dataset))


@pytest.mark.parametrize("kind", KINDS)
def test_a_header_that_lies_about_the_size_is_refused_before_memory_is_taken(kind: str, tmp_path: Path) -> None:
    dataset = compressed()[kind]
    dataset.Rows = dataset.Columns = 8000
    path = made.save(tmp_path / "a", dataset)
    tracemalloc.start()
    with pytest.raises(UnusableImage, match="damaged"):
        decoding.decode(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8000 * 8000
    dataset.Rows = dataset.Columns = 65535
    with pytest.raises(UnusableImage, match="at most 64 megapixels"):
        decoding.decode(made.save(path, dataset))


@pytest.mark.parametrize("kind", ["jpeg", "lossless", "jpeg-ls", "jpeg 2000"])
def test_a_frame_that_lies_about_the_size_is_refused_before_it_is_decoded(kind: str, tmp_path: Path) -> None:
    dataset = compressed()[kind]
    frame = bytearray(frame_of(dataset))
    if kind == "jpeg 2000":
        frame[8:16] = struct.pack(">2I", 60000, 60000)
    else:
        marker = next(
            frame.find(bytes([0xFF, code])) for code in (0xC0, 0xC1, 0xC3, 0xF7) if bytes([0xFF, code]) in frame
        )
        frame[marker + 5 : marker + 9] = struct.pack(">2H", 60000, 60000)
    made.compress(dataset, str(dataset.file_meta.TransferSyntaxUID), bytes(frame))
    with pytest.raises(UnusableImage, match="its frame has 60000 × 60000 pixels"):
        decoding.decode(made.save(tmp_path / "a", dataset))


def test_lengths_beyond_the_end_of_a_file_take_no_memory(tmp_path: Path) -> None:
    content = made.save(tmp_path / "a", made.make(made.gradient(), PatientID="PATIENT1")).read_bytes()
    place = content.index(b"\x10\x00\x20\x00LO")
    path = tmp_path / "b"
    path.write_bytes(content[:place] + b"\x10\x00\x20\x00UN\0\0" + struct.pack("<I", 0xFFFFFFF0) + content[place + 8 :])
    tracemalloc.start()
    with pytest.raises(UnusableImage):
        decoding.decode(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 22


def test_deflated_files_that_grow_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = get_testdata_file("image_dfl.dcm", download=False)
    assert isinstance(found, str)
    content = Path(found).read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = content[:start] + deflate.compress(bytes(1 << 24)) + deflate.flush()
    (tmp_path / "a").write_bytes(bomb)
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 1 << 22)
    with pytest.raises(UnusableImage, match="inflates to more than 4 MiB"):
        decoding.decode(tmp_path / "a")


def test_deflated_files_are_measured_however_long_their_first_elements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syntax, long = b"1.2.840.10008.1.2.1.99", 6000
    group = b"\x02\x00\x03\x00UI" + struct.pack("<H", long) + b"1" * long
    group += b"\x02\x00\x10\x00UI" + struct.pack("<H", len(syntax)) + syntax
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    content = deflate.compress(bytes(1 << 24)) + deflate.flush()
    start = bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(group)) + group
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 1 << 22)
    for trailing in (b"", zlib.compress(b"a", wbits=-zlib.MAX_WBITS)):
        (tmp_path / "a").write_bytes(start + content + trailing)
        with pytest.raises(UnusableImage, match="inflates to more than 4 MiB"):
            decoding.decode(tmp_path / "a")


def test_sequences_in_sequences_end_in_one_line(tmp_path: Path) -> None:
    content = made.save(tmp_path / "a", made.make(made.gradient())).read_bytes()
    place = content.index(b"\x28\x00\x02\x00US")
    open_item = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    (tmp_path / "b").write_bytes(content[:place] + open_item * 5000 + content[place:])
    with pytest.raises(UnusableImage, match=r"^[^\n]+$"):
        decoding.decode(tmp_path / "b")


def test_mutated_files_end_in_an_image_or_one_line_without_their_values(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    choose = random.Random(0)
    originals = [made.save(tmp_path / kind, dataset).read_bytes() for kind, dataset in compressed().items()]
    path, refused = tmp_path / "mutant", 0
    for _ in range(MANY):
        content = bytearray(choose.choice(originals))
        head = choose.choice([len(content), 1200])
        for _ in range(choose.randrange(1, 5)):
            content[choose.randrange(min(head, len(content)))] = choose.choice([0, 1, 255, choose.randrange(256)])
        path.write_bytes(content[: choose.choice([len(content), choose.randrange(len(content))])])
        for read in (headers.read_header, greyscale.decode):
            try:
                read(path)
            except UnusableImage as reason:
                refused += 1
                assert "\n" not in str(reason)
                assert SECRET not in str(reason)
                assert len(str(reason)) < 200
    assert refused > MANY // 4
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


TINY = struct.pack("<HH2sH", 9, 0x1001, b"LO", 0)  # an element without a value
EMPTY_ITEM = b"\xfe\xff\x00\xe0\0\0\0\0"


def lut_sequence(items: bytes, length: int) -> bytes:
    return b"\x28\x00\x00\x30SQ\0\0" + struct.pack("<I", length) + items


END_OF_SEQUENCE = b"\xfe\xff\xdd\xe0\0\0\0\0"
COSTLY = {  # elements, put before those of the image (group 28)
    "tiny elements": TINY * 150_000,
    "empty items": lut_sequence(EMPTY_ITEM * 150_000, 8 * 150_000),
    "empty items without a length": lut_sequence(EMPTY_ITEM * 150_000 + END_OF_SEQUENCE, 0xFFFFFFFF),
    "an item of tiny elements": lut_sequence(
        b"\xfe\xff\x00\xe0" + struct.pack("<I", 8 * 300_000) + TINY * 300_000, 8 * 300_001
    ),
}


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("kind", COSTLY)
def test_headers_of_more_elements_than_can_be_of_use_are_refused_quickly(
    kind: str, deflated: bool, tmp_path: Path
) -> None:
    content = made.save(tmp_path / "a", made.make(made.gradient())).read_bytes()
    place = content.index(b"\x28\x00\x02\x00US")
    start = 144 + int.from_bytes(content[140:144], "little")
    elements = content[start:place] + COSTLY[kind] + content[place:]
    if deflated:
        deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
        elements = deflate.compress(elements) + deflate.flush()
        dataset = made.make(made.gradient())
        dataset.file_meta.TransferSyntaxUID = UID(reading.DEFLATED)
        content = made.save(tmp_path / "a", dataset).read_bytes()
        start = 144 + int.from_bytes(content[140:144], "little")
    (tmp_path / "b").write_bytes(content[:start] + elements)
    before = time.process_time()
    with pytest.raises(UnusableImage, match="its header has too many elements"):
        decoding.decode(tmp_path / "b")
    assert time.process_time() - before < 6


def test_headers_of_a_thousand_elements_are_read(tmp_path: Path) -> None:
    content = made.save(tmp_path / "a", made.make(made.gradient())).read_bytes()
    place = content.index(b"\x28\x00\x02\x00US")
    (tmp_path / "b").write_bytes(content[:place] + TINY * 5000 + content[place:])
    assert decoding.decode(tmp_path / "b").grey.shape == (40, 32)
