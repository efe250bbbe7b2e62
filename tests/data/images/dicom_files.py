"""Makers of small DICOM files for tests."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

DX_FOR_PRESENTATION, CR, STRUCTURED_REPORT = (
    "1.2.840.10008.5.1.4.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.88.11",
)
JPEG_LOSSLESS, JPEG_LOSSLESS_SV1, JPEG_BASELINE, JPEG_EXTENDED = (
    f"1.2.840.10008.1.2.4.{number}" for number in (57, 70, 50, 51)
)
JPEG_LS, JPEG_2000, RLE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
NUMBERS = itertools.count(1)


def gradient(rows: int = 40, columns: int = 32, bits: int = 12, seed: int = 0) -> npt.NDArray[Any]:
    """Return an image of a shape in noise, which uses all bits."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    values = (y + x) / (rows + columns - 2) + random.normal(0, 0.02, (rows, columns))
    scaled: npt.NDArray[Any] = np.clip(values, 0, 1) * ((1 << bits) - 1)
    stored: npt.NDArray[Any] = scaled.astype(np.uint8 if bits <= 8 else np.uint16)
    return stored


def make(values: npt.NDArray[Any], *, bits: int = 12, **elements: Any) -> Dataset:
    """Return a DICOM radiograph of one frame with these stored values and further elements."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    number = next(NUMBERS)
    standard: dict[str, Any] = {
        "SOPClassUID": DX_FOR_PRESENTATION,
        "SOPInstanceUID": f"1.2.826.0.1.3680043.8.498.{number}",
        "StudyInstanceUID": f"1.2.826.0.1.3680043.8.499.{number}",
        "PatientID": f"P{number:05}",
        "Modality": "DX",
        "Rows": values.shape[0],
        "Columns": values.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": values.dtype.itemsize * 8,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(values.dtype.kind == "i"),
    }
    for name, value in (standard | elements).items():
        if value is not None:
            setattr(dataset, name, value)
    if "PixelData" not in elements:
        dataset.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
        dataset["PixelData"].VR = "OW" if values.dtype.itemsize == 2 else "OB"
    return dataset


def compress(dataset: Dataset, syntax: str, frame: bytes | bytearray) -> Dataset:
    """Put a compressed frame in place of the pixels of a dataset."""
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.PixelData = encapsulate([bytes(frame)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def save(path: Path, dataset: Dataset) -> Path:
    """Write a dataset to a file with its preamble."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def report() -> Dataset:
    """Return a structured report, which has no pixels."""
    dataset = make(gradient(), SOPClassUID=STRUCTURED_REPORT, Modality="SR")
    for name in ("Rows", "Columns", "PixelData", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, name)
    return dataset
