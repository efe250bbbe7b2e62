"""How fast are DICOM files read? A plain loop over pydicom on the same files, in one process like ours.

    python benchmarks/dicom.py DIRECTORY [--make 24] [--size 128]

The loop does what most scripts do: `pixel_array`, `apply_modality_lut`, `apply_voi_lut`, inversion of MONOCHROME1,
scaling to 8 bits, resizing. Ours is the decoder of `prepare`. `--make` first writes that many images of 1600 x 1280
pixels with 12 bits (a quarter each uncompressed, JPEG lossless, JPEG-LS and JPEG 2000) into the directory.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from interleaved import Round, compare
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import UID, ExplicitVRLittleEndian

from xrayaug.data.images.dicom import decoding
from xrayaug.data.images.resizing import resize_square

ROWS, COLUMNS, BITS = 1600, 1280, 12


def make(directory: Path, count: int) -> None:
    """Write images of smooth shapes with noise."""
    directory.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:ROWS, :COLUMNS] / 300
    for number in range(count):
        noise = np.random.default_rng(number).normal(0, 20, (ROWS, COLUMNS))
        values = (2048 + 1500 * np.sin(x + number) * np.cos(y) + noise).clip(0, 4095).astype(np.uint16)
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.{number + 1}"
        dataset.Modality, dataset.PhotometricInterpretation = "DX", "MONOCHROME1"
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = ROWS, COLUMNS, 1
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, BITS, BITS - 1, 0
        dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
        dataset.PixelData = values.tobytes()
        frames: dict[str, Callable[[Any], bytes | bytearray]] = {
            "1.2.840.10008.1.2.4.70": lambda values: imagecodecs.jpeg8_encode(
                values, lossless=True, bitspersample=BITS, predictor=1
            ),
            "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_encode,
            "1.2.840.10008.1.2.4.90": lambda values: imagecodecs.jpeg2k_encode(
                values, codecformat="j2k", bitspersample=BITS
            ),
        }
        syntax = [None, *frames][number % 4]
        if syntax is not None:
            dataset.file_meta.TransferSyntaxUID = UID(syntax)
            dataset.PixelData = encapsulate([bytes(frames[syntax](values))])
            dataset["PixelData"].VR = "OB"
        dataset.save_as(directory / f"{number:04}.dcm", enforce_file_format=True)


def files(arguments: argparse.Namespace) -> list[Path]:
    return sorted(path for path in arguments.directory.rglob("*") if path.is_file())


def plain_loop(arguments: argparse.Namespace) -> Round:
    """Return a round of the plain loop over pydicom."""

    def run() -> int:
        for file in files(arguments):
            dataset = pydicom.dcmread(file)
            values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset).astype(np.float64)
            values = (values - values.min()) / max(np.ptp(values), 1)
            if dataset.PhotometricInterpretation == "MONOCHROME1":
                values = 1 - values
            image = Image.fromarray((255 * values).astype(np.uint8))
            np.asarray(image.resize((arguments.size, arguments.size), Image.Resampling.BICUBIC))
        return len(files(arguments))

    return run


def ours(arguments: argparse.Namespace) -> Round:
    """Return a round of the decoder of `prepare`."""

    def run() -> int:
        for file in files(arguments):
            resize_square(decoding.decode(file).grey, arguments.size, fit="squash", resample="bicubic")
        return len(files(arguments))

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--make", type=int, default=0, help="number of images to write first")
    parser.add_argument("--size", type=int, default=128)
    arguments, _ = parser.parse_known_args()
    if arguments.make and not (arguments.directory / f"{arguments.make - 1:04}.dcm").exists():
        make(arguments.directory, arguments.make)
    compare("dicom", parser, {"plain pydicom loop": plain_loop, "decoder of prepare": ours})


if __name__ == "__main__":
    main()
