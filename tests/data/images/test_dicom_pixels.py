"""Test the pixels of DICOM files: against pydicom, against an independent decoder, and the order of the standard."""

import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from data.images import dicom_files as made
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import apply_modality_lut, apply_windowing
from pydicom.uid import UID

from xrayaug.data.images import greyscale
from xrayaug.data.images.dicom import decoding, frames, grey_levels, headers, reading
from xrayaug.data.images.opening import UnusableImage

GREY_FILES = (
    "693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "JPEG-lossy.dcm", "JPEG2000.dcm",
    "JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "JPGExtended.dcm", "MR_small.dcm", "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm", "examples_overlay.dcm", "image_dfl.dcm",
)  # fmt: skip
NO_OTHER_DECODER = ("JPEG-lossy.dcm", "JPGExtended.dcm")  # 12-bit JPEG, which neither GDCM nor Pillow decodes
WITHOUT_GREY_IMAGE = {
    "DICOMDIR": "DICOMDIR", "ExplVR_BigEnd.dcm": "RGB", "examples_palette.dcm": "PALETTE COLOR",
    "examples_ybr_color.dcm": "30 frames", "SC_rgb_rle_2frame.dcm": "2 frames", "rtdose.dcm": "15 frames",
    "rtdose_1frame.dcm": "32 bits", "liver_1frame.dcm": "segmentation", "test-SR.dcm": "structured report",
    "waveform_ecg.dcm": "a curve", "rtplan.dcm": "radiotherapy plan", "rtstruct.dcm": "contours",
    "badVR.dcm": "number of frames", "MR_truncated.dcm": r"8,130 bytes of pixels, 8,192 are needed",
}  # fmt: skip


def test_file(name: str) -> Path:
    found = get_testdata_file(name, download=False)
    assert isinstance(found, str), f"pydicom's wheel has no {name}"
    return Path(found)


test_file.__test__ = False  # type: ignore[attr-defined] # it is no test


def read(path: Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path)


def stored_values(path: Path) -> npt.NDArray[Any]:
    names = (*headers.SHAPE, *grey_levels.ELEMENTS)
    with reading.translating_errors():
        return frames.read_values(reading.read_dataset(path, names, with_pixels=True))


@pytest.mark.parametrize("name", [name for name in GREY_FILES if name not in NO_OTHER_DECODER])
def test_stored_values_are_those_of_pydicom(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = read(test_file(name)).pixel_array
    assert np.array_equal(stored_values(test_file(name)), expected)


@pytest.mark.parametrize("name", [name for name in GREY_FILES if name not in NO_OTHER_DECODER])
def test_stored_values_are_those_of_gdcm(name: str) -> None:
    gdcm = pytest.importorskip("gdcm")
    reader = gdcm.ImageReader()
    reader.SetFileName(str(test_file(name)))
    if not reader.Read():
        pytest.skip("GDCM does not read it")
    image = reader.GetImage()
    bits, is_signed = image.GetPixelFormat().GetBitsAllocated(), image.GetPixelFormat().GetPixelRepresentation()
    content = image.GetBuffer().encode("utf-8", "surrogateescape")
    ours = stored_values(test_file(name))
    values = np.frombuffer(content, f"{'i' if is_signed else 'u'}{bits // 8}").reshape(ours.shape)
    if name == "J2K_pixelrep_mismatch.dcm":  # GDCM ignores that the header says signed
        values = ((values & 0x1FFF) ^ 0x1000) - 0x1000
    assert np.array_equal(ours.astype(np.int64), values.astype(np.int64))


def test_12_bit_jpeg_is_within_its_loss(tmp_path: Path) -> None:
    values = made.gradient()
    frame = imagecodecs.jpeg8_encode(values, level=95, bitspersample=12)
    path = made.save(tmp_path / "a", made.compress(made.make(values), made.JPEG_EXTENDED, frame))
    assert np.abs(stored_values(path).astype(int) - values).mean() < 20
    assert stored_values(test_file("JPGExtended.dcm")).max() > 255, "12 bits, not 8"


def lossless(predictor: int) -> Any:
    return lambda values: imagecodecs.jpeg8_encode(values, lossless=True, bitspersample=12, predictor=predictor)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (made.JPEG_LOSSLESS, lossless(4)),
        (made.JPEG_LOSSLESS_SV1, lossless(1)),
        (made.JPEG_LS, imagecodecs.jpegls_encode),
        (made.JPEG_2000, lambda values: imagecodecs.jpeg2k_encode(values, codecformat="j2k", bitspersample=12)),
    ],
)
def test_lossless_compression_gives_the_values_back(syntax: str, encode: Any, tmp_path: Path) -> None:
    gdcm = pytest.importorskip("gdcm")
    values = made.gradient()
    path = made.save(tmp_path / "1.2.3", made.compress(made.make(values), syntax, encode(values)))
    assert np.array_equal(stored_values(path), values)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read(), "the test's own file must be one that others read"
    content = reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape")
    assert np.array_equal(np.frombuffer(content, np.uint16).reshape(values.shape), values)


def test_baseline_jpeg_is_that_of_pillow(tmp_path: Path) -> None:
    values = made.gradient(bits=8)
    dataset = made.make(values, bits=8)
    path = made.save(tmp_path / "a", made.compress(dataset, made.JPEG_BASELINE, imagecodecs.jpeg8_encode(values)))
    frame = next(generate_frames(read(path).PixelData, number_of_frames=1))
    assert np.array_equal(stored_values(path), read(path).pixel_array)
    assert frame.startswith(b"\xff\xd8")


def reference(path: Path) -> npt.NDArray[Any]:
    """Compute grey levels as the standard orders: pydicom's modality LUT and window, then 8 bits."""
    dataset = read(path)
    modality = apply_modality_lut(dataset.pixel_array, dataset)
    display = apply_windowing(modality, dataset)
    dataset.PhotometricInterpretation = "MONOCHROME2"
    lowest, highest = (-(1 << dataset.BitsStored - 1), (1 << dataset.BitsStored - 1) - 1)
    if not dataset.PixelRepresentation:
        lowest, highest = 0, (1 << dataset.BitsStored) - 1
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    lowest, highest = (slope * value + intercept for value in (lowest, highest))
    return np.asarray(np.floor(255 * (display - lowest) / (highest - lowest) + 0.5))


@pytest.mark.parametrize(
    "name",
    ["693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "examples_overlay.dcm"],
)
def test_grey_levels_by_the_files_window_are_those_of_pydicom(name: str) -> None:
    image = decoding.decode(test_file(name), "file")
    assert image.window == "file"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = read(test_file(name))
        expected = reference(test_file(name))
    padding = dataset.get("PixelPaddingValue")
    shown = dataset.pixel_array != padding if padding is not None else np.ones(image.grey.shape, bool)
    assert np.abs(image.grey.astype(int) - expected)[shown].max() <= 1  # halves may round either way
    assert not image.grey[~shown].any()


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("rescale", [(1, 0), (2.5, -1000)])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_windows_of_all_functions_are_those_of_pydicom(
    function: str, rescale: tuple[float, float], dtype: type, tmp_path: Path
) -> None:
    values: npt.NDArray[Any] = made.gradient().astype(dtype) - (2048 if dtype is np.int16 else 0)
    dataset = made.make(
        values.astype(dtype),
        WindowCenter=[700, 1],
        WindowWidth=[1500, 1],
        VOILUTFunction=function,
        RescaleSlope=rescale[0],
        RescaleIntercept=rescale[1],
    )
    path = made.save(tmp_path / "a.dcm", dataset)
    assert np.abs(decoding.decode(path).grey - reference(path)).max() <= 1


def table(first: int, values: npt.NDArray[Any], bits: int) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item.LUTData = values.astype(np.uint16).tobytes()
    item["LUTData"].VR = "OW"
    return item


def test_voi_lut_counts_more_than_a_window_and_spans_the_bits_that_it_needs(tmp_path: Path) -> None:
    values = made.gradient()
    curve = np.round(4095 * np.linspace(0, 1, 4096) ** 2)
    for bits in (12, 16):  # many devices say 16 bits for tables of 12
        dataset = made.make(values, WindowCenter=1, WindowWidth=2, VOILUTSequence=[table(0, curve, bits)])
        image = decoding.decode(made.save(tmp_path / "a", dataset))
        assert image.window == "file's table"
        assert np.array_equal(image.grey, np.floor(255 * curve[values] / 4095 + 0.5))


def test_voi_luts_of_8_bits_are_in_bytes_or_words(tmp_path: Path) -> None:
    values, curve = made.gradient(), np.round(255 * np.linspace(0, 1, 4096) ** 2)
    for dtype in (np.uint8, np.uint16):
        item = table(0, curve, 8)
        item.LUTData = curve.astype(dtype).tobytes()
        image = decoding.decode(made.save(tmp_path / "a", made.make(values, VOILUTSequence=[item])))
        assert np.array_equal(image.grey, curve[values])


@pytest.mark.parametrize(("kind", "first"), [("SS", -2048), ("US", 65536 - 2048)])
def test_voi_luts_of_negative_values_may_be_described_unsigned(kind: str, first: int, tmp_path: Path) -> None:
    values, curve = made.gradient(), np.round(4095 * np.linspace(0, 1, 4096) ** 2)
    item = table(0, curve, 12)
    item.add_new("LUTDescriptor", kind, [4096, first, 12])
    dataset = made.make(values, RescaleSlope=1, RescaleIntercept=-2048, VOILUTSequence=[item])
    image = decoding.decode(made.save(tmp_path / "a", dataset))
    assert np.array_equal(image.grey, np.floor(255 * curve[values] / 4095 + 0.5))


def test_voi_luts_of_big_endian_files(tmp_path: Path) -> None:
    values, curve = made.gradient(), np.round(4095 * np.linspace(0, 1, 4096) ** 2)
    item = table(0, curve, 16)
    item.LUTData = curve.astype(">u2").tobytes()
    dataset = made.make(values, VOILUTSequence=[item], PixelData=values.astype(">u2").tobytes())
    dataset["PixelData"].VR = "OW"
    dataset.file_meta.TransferSyntaxUID = UID(reading.EXPLICIT_BIG)
    image = decoding.decode(made.save(tmp_path / "a", dataset))
    assert np.array_equal(image.grey, np.floor(255 * curve[values] / 4095 + 0.5))


@pytest.mark.parametrize("length", [100, 4096, 8000])
def test_voi_luts_that_are_cut_off_are_refused(length: int, tmp_path: Path) -> None:
    item = table(0, np.arange(4096), 12)
    item.LUTData = bytes(length)
    with pytest.raises(UnusableImage, match="its LUT"):
        decoding.decode(made.save(tmp_path / "a", made.make(made.gradient(), VOILUTSequence=[item])))


@pytest.mark.parametrize(
    "elements", [{"Rows": 20}, {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, {"PixelData": b"\1\0" * 2560}]
)
def test_more_pixels_than_the_header_states_are_refused(elements: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UnusableImage, match=r"2,560 bytes of pixels, 1,280 are needed|5,120 bytes of pixels, 2,560"):
        decoding.decode(made.save(tmp_path / "a", made.make(made.gradient(), **elements)))


def test_compressed_pixels_that_are_said_to_be_uncompressed_are_refused(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 1 << 16, (40, 32)).astype(np.uint16)
    frame = imagecodecs.jpegls_encode(values) + bytes(100)
    path = made.save(tmp_path / "a", made.compress(made.make(values, bits=16), made.JPEG_LS, frame))
    native = b"1.2.840.10008.1.2.1".ljust(len(made.JPEG_LS), b"\0")
    path.write_bytes(path.read_bytes().replace(made.JPEG_LS.encode(), native))
    with pytest.raises(UnusableImage, match="its pixels are compressed"):
        decoding.decode(path)


def test_lossy_frames_of_fewer_bits_than_the_header_states_are_refused(tmp_path: Path) -> None:
    frame = imagecodecs.jpeg8_encode(made.gradient(bits=8))
    with pytest.raises(UnusableImage, match="its JPEG frame has 8 bits a pixel, its header says 12"):
        decoding.decode(made.save(tmp_path / "a", made.compress(made.make(made.gradient()), made.JPEG_BASELINE, frame)))


def test_an_empty_modality_lut_does_not_hide_a_slope_of_0(tmp_path: Path) -> None:
    dataset = made.make(made.gradient(), RescaleSlope=0, RescaleIntercept=5, ModalityLUTSequence=[])
    with pytest.raises(UnusableImage, match="rescale slope is 0"):
        decoding.decode(made.save(tmp_path / "a", dataset))


def test_modality_lut_comes_before_the_window(tmp_path: Path) -> None:
    values = made.gradient()
    curve = np.arange(4096)[::-1] // 4
    dataset = made.make(values, ModalityLUTSequence=[table(0, curve, 16)], WindowCenter=512, WindowWidth=1024)
    dataset.ModalityLUTSequence[0].ModalityLUTType = "US"
    image = decoding.decode(made.save(tmp_path / "a", dataset))
    assert np.abs(image.grey - 255 * curve[values] / 1023).max() <= 1


@pytest.mark.parametrize(
    ("photometric", "shape", "is_inverted"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME1", None, True),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", True),
    ],
)
def test_grey_levels_are_inverted_once(photometric: str, shape: str | None, is_inverted: bool, tmp_path: Path) -> None:
    values = made.gradient(bits=8)
    dataset = made.make(values, bits=8, PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    path = made.save(tmp_path / "a", dataset)
    expected = 255 - values if is_inverted else values  # 2^bits - 1 minus the value, not 2^bits
    assert np.array_equal(decoding.decode(path).grey, expected)
    assert np.array_equal(greyscale.decode(path, invert=True).grey, 255 - expected)


def test_padding_is_black_and_counts_for_no_percentile(tmp_path: Path) -> None:
    values = np.full((40, 40), 4095, np.uint16)
    values[5:35, 5:35] = np.linspace(1000, 2000, 900).reshape(30, 30)
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        dataset = made.make(values, PixelPaddingValue=4090, PixelPaddingRangeLimit=4095)
        dataset.PhotometricInterpretation = photometric
        image = decoding.decode(made.save(tmp_path / "a", dataset), "percentile")
        assert not image.grey[values == 4095].any()
        assert (image.grey[5:35, 5:35].min(), image.grey[5:35, 5:35].max()) == (0, 255)
    assert abs(int(image.grey[20, 20]) - 128) < 10


def test_signed_padding_is_found_where_it_is_written_unsigned(tmp_path: Path) -> None:
    values = np.full((20, 20), -2000, np.int16)
    values[5:15] = 100
    dataset = made.make(values, bits=16, PhotometricInterpretation="MONOCHROME1")
    dataset.add_new("PixelPaddingValue", "US", 65536 - 2000)
    image = decoding.decode(made.save(tmp_path / "a", dataset), "none")
    assert not image.grey[0].any()
    assert image.grey[10].all()


@pytest.mark.parametrize(
    ("bits", "intent", "applied"),
    [(8, None, "none"), (8, "FOR PROCESSING", "percentile"), (12, None, "percentile")],
)
def test_images_without_a_window_are_shown_in_full(bits: int, intent: str | None, applied: str, tmp_path: Path) -> None:
    values = made.gradient(bits=bits)
    path = made.save(tmp_path / "a", made.make(values, bits=bits, PresentationIntentType=intent))
    image = decoding.decode(path)
    assert image.window == applied
    if applied == "none":
        assert np.array_equal(image.grey, values)
    else:
        low, high = (np.sort(values.ravel())[int(np.ceil(share * values.size)) - 1] for share in (0.005, 0.995))
        assert np.abs(image.grey - 255 * np.clip((values - float(low)) / (high - float(low)), 0, 1)).max() <= 1


def test_without_a_window_equal_values_are_equal_greys(tmp_path: Path) -> None:
    values = made.gradient()
    dataset = made.make(values, RescaleSlope=-1, RescaleIntercept=100, WindowCenter=5, WindowWidth=2)
    image = decoding.decode(made.save(tmp_path / "a", dataset), "none")
    assert image.window == "none"
    assert np.array_equal(image.grey, np.floor(255 * (4095 - values.astype(float)) / 4095 + 0.5))


@pytest.mark.parametrize(
    ("elements", "shape"),
    [
        ({"PixelAspectRatio": [2, 1]}, (80, 32)),
        ({"PixelAspectRatio": [1, 2]}, (40, 64)),
        ({"ImagerPixelSpacing": [0.3, 0.2]}, (60, 32)),
        ({"PixelSpacing": [0.2, 0.2], "PixelAspectRatio": [2, 1]}, (40, 32)),
        ({"PixelSpacing": [0, 0]}, (40, 32)),
    ],
)
def test_pixels_become_square(elements: dict[str, Any], shape: tuple[int, int], tmp_path: Path) -> None:
    image = decoding.decode(made.save(tmp_path / "a", made.make(made.gradient(), **elements)))
    assert image.grey.shape == shape


@pytest.mark.parametrize(("name", "reason"), WITHOUT_GREY_IMAGE.items())
def test_what_is_no_radiograph_is_left_out_with_the_reason(name: str, reason: str) -> None:
    directory = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"
    path = directory / name if name == "DICOMDIR" else test_file(name)
    with pytest.raises(UnusableImage, match=reason):
        decoding.decode(path)


def test_overlays_alone_are_no_image(tmp_path: Path) -> None:
    dataset = made.report()
    dataset.Modality = "OT"
    dataset.add_new(0x60000010, "US", 8)
    with pytest.raises(UnusableImage, match="overlays alone"):
        decoding.decode(made.save(tmp_path / "a", dataset))


@pytest.mark.parametrize(
    ("syntax", "name"),
    [("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000"), ("1.2.840.10008.1.2.4.100", "MPEG2")],
)
def test_transfer_syntaxes_without_a_decoder_are_named(syntax: str, name: str, tmp_path: Path) -> None:
    path = made.save(tmp_path / "a", made.compress(made.make(made.gradient()), syntax, b"\xff\xd8"))
    with pytest.raises(UnusableImage, match=f"transfer syntax .*{name}"):
        decoding.decode(path)


def test_a_missing_decoder_names_the_syntax_and_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = test_file("MR_small_jp2klossless.dcm")
    monkeypatch.setattr(frames, "find_spec", lambda name: None)
    with pytest.raises(UnusableImage, match=r"JPEG 2000.* needs imagecodecs: pip install 'xrayaug\[dicom\]'"):
        decoding.decode(path)
    assert decoding.decode(test_file("MR_small.dcm")).grey.any(), "uncompressed files need no decoder"


def test_without_pydicom_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "is_installed", lambda: False)
    with pytest.raises(UnusableImage, match=r"^DICOM needs pydicom: pip install 'xrayaug\[dicom\]'$"):
        greyscale.decode(test_file("MR_small.dcm"))


def test_bits_above_those_stored_are_an_overlay_or_refused(tmp_path: Path) -> None:
    values = made.gradient()
    path = made.save(tmp_path / "a", made.make(values | 0x8000))
    with pytest.raises(UnusableImage, match="more than the 12 bits"):
        decoding.decode(path)
    dataset = made.make(values | 0x8000)
    dataset.add_new(0x60000010, "US", 40)
    assert np.array_equal(stored_values(made.save(tmp_path / "b", dataset)), values)
    signed = made.make((values.astype(np.int16) - 2048).astype(np.int16))
    assert np.array_equal(stored_values(made.save(tmp_path / "c", signed)), values.astype(int) - 2048)


def test_values_in_the_upper_bits_are_shifted(tmp_path: Path) -> None:
    values = made.gradient()
    assert np.array_equal(stored_values(made.save(tmp_path / "a", made.make(values << 4, HighBit=15))), values)


@pytest.mark.parametrize(("center", "width"), [("1e308", "1e308"), ("0", "1e308"), ("90000", "10")])
def test_a_window_that_shows_nothing_is_a_reason_to_leave_the_image_out(
    center: str, width: str, tmp_path: Path
) -> None:
    path = made.save(tmp_path / "a", made.make(made.gradient(), WindowCenter=center, WindowWidth=width))
    with pytest.raises(UnusableImage, match="its window shows all of its values in one grey level"):
        decoding.decode(path)
    assert decoding.decode(path, "percentile").grey.max() == 255
    plain = made.save(tmp_path / "b", made.make(np.full((9, 9), 7, np.uint16), WindowCenter=center, WindowWidth=width))
    assert np.ptp(decoding.decode(plain).grey) == 0  # the image itself is of one grey level
