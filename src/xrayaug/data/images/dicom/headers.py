"""What is kept of a DICOM header: whose image it is, and the columns that describe it. All else stays in the file.

Elements are those of DICOM PS3.3: General Series, CR Series, DX Series, X-Ray Acquisition, Image Pixel.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xrayaug.data.images.dicom import reading
from xrayaug.data.images.opening import MAX_PIXELS, UnusableImage

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

COLUMNS = (
    "view", "laterality", "body_part", "manufacturer", "model", "kvp", "pixel_spacing", "age", "sex", "burned_in",
    "intent",
)  # fmt: skip
INTENT, FOR_PROCESSING = "intent", "for processing"  # a column, and its value for the detector's own data
BURNED_IN = "yes"  # value of the column `burned_in`: text, such as a name, may be part of the picture
MAX_AGE = 90  # years; higher ages are identifying by 45 CFR 164.514(b)(2)(i)(C), and are written as this one
MAX_TEXT = 64  # characters of a manufacturer or model, as DICOM allows
MAX_ASPECT = 10.0  # ratio of a pixel's sides

IDENTIFIERS = ("PatientID", "IssuerOfPatientID", "StudyInstanceUID", "SOPInstanceUID", "AccessionNumber")
DESCRIPTION = (
    "ViewPosition", "ImageLaterality", "Laterality", "BodyPartExamined", "Manufacturer", "ManufacturerModelName", "KVP",
    "PixelSpacing", "ImagerPixelSpacing", "PatientAge", "PatientBirthDate", "StudyDate", "PatientSex",
    "BurnedInAnnotation", "PresentationIntentType",
)  # fmt: skip
SHAPE = (
    "SOPClassUID", "Modality", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelAspectRatio",
)  # fmt: skip
CODE = re.compile(r"[A-Z0-9 _/-]{1,16}")  # value of a code string
AGE = re.compile(r"(\d{1,3})([DWMY])")
DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)")
DAYS = {"D": 1, "W": 7, "M": 30.4375, "Y": 365.25}
YEAR = 365.25  # days
SEXES, SIDES = ("M", "F", "O"), ("L", "R", "B", "U")
NO_PIXELS = {  # by modality
    "SR": "a structured report",
    "PR": "a presentation state",
    "KO": "a selection of key images",
    "DOC": "a document",
    "ECG": "a curve",
    "RTPLAN": "a radiotherapy plan",
    "RTSTRUCT": "contours",
    "REG": "a registration",
    "SEG": "a segmentation",
}
NO_RADIOGRAPHS = frozenset(  # modalities of grey images that are no projections by X-rays (PS3.3 C.7.3.1.1.1)
    {"CT", "MR", "NM", "PT", "US", "IVUS", "OCT", "OPT", "OP", "ES", "SM", "GM", "XC", "RTDOSE"}
)
GREY = ("MONOCHROME1", "MONOCHROME2")  # photometric interpretations
DIRECTORY = "1.2.840.10008.1.3.10"  # SOP class of a DICOMDIR


@dataclass(frozen=True)
class Header:
    """What a DICOM header says, as far as it is kept."""

    patient: str  # patient's identifier, with its issuer if there is one; empty if it is not known
    patient_id: str  # PatientID alone
    study: str  # StudyInstanceUID
    image: str  # SOPInstanceUID
    accession: str
    columns: Mapping[str, str]  # the values of `COLUMNS`; empty where they are not known
    refusal: str = ""  # reason why the file holds no radiograph of one frame
    other_modality: str = ""  # one of `NO_RADIOGRAPHS`; empty for radiographs and where it is not known


def read_header(path: Path) -> Header:
    """Read the header of a DICOM file.

    Raises:
        UnusableImage: it cannot be read.
        OSError: it cannot be opened.
    """
    with reading.translating_errors():
        return _describe(reading.read_dataset(path, (*IDENTIFIERS, *DESCRIPTION, *SHAPE)))


def _describe(dataset: "FileDataset") -> Header:
    identifier, issuer, study, image, accession = (_text(dataset, name) for name in IDENTIFIERS)
    modality = _text(dataset, "Modality")
    return Header(
        patient=f"{identifier} ({issuer})" if identifier and issuer else identifier,
        patient_id=identifier,
        study=study,
        image=image,
        accession=accession,
        columns=_read_columns(dataset),
        refusal=find_refusal(dataset),
        other_modality=modality if modality in NO_RADIOGRAPHS else "",
    )


def find_refusal(dataset: "Dataset") -> str:
    """Return the reason why a file holds no grey image of one frame, in words of our own; empty if it may hold one."""
    if str(getattr(dataset, "file_meta", {}).get("MediaStorageSOPClassUID", "")) == DIRECTORY:
        return "a DICOMDIR, which lists other files"
    modality = _text(dataset, "Modality")
    rows, columns = (number(dataset, name, 0) for name in ("Rows", "Columns"))
    if not rows and not columns:
        if reading.OVERLAY_ROWS in dataset:
            return "no pixels: it holds overlays alone"
        return "no pixels" + (f": {NO_PIXELS[modality]}" if modality in NO_PIXELS else "")
    if modality in NO_PIXELS or number(dataset, "BitsAllocated", 0) == 1:
        return f"no radiograph: {NO_PIXELS.get(modality, NO_PIXELS['SEG'])}"
    return _size_refusal(dataset, rows, columns) or _value_refusal(dataset)


def _size_refusal(dataset: "Dataset", rows: int, columns: int) -> str:
    if min(rows, columns) < 1 or rows * columns > MAX_PIXELS:
        return f"{columns} × {rows} pixels: at least 1, at most {MAX_PIXELS >> 20} megapixels are read"
    frames = number(dataset, "NumberOfFrames", 1)
    if frames > 1:
        return f"{frames} frames: one is read"
    return "" if frames == 1 else "damaged: its number of frames is no number"


def _value_refusal(dataset: "Dataset") -> str:
    photometric = _text(dataset, "PhotometricInterpretation").upper()
    if number(dataset, "SamplesPerPixel", 1) != 1 or photometric not in GREY:
        known = re.fullmatch(r"(?:RGB|PALETTE COLOR|YBR_[A-Z_0-9]{3,12})", photometric)
        return f"colour{f' ({photometric})' if known else ''}: radiographs are grey"
    allocated, stored = (number(dataset, name, 0) for name in ("BitsAllocated", "BitsStored"))
    if allocated not in (8, 16):
        return f"{allocated} bits a pixel: 8 and 16 are read"
    if not 1 <= stored <= number(dataset, "HighBit", stored - 1) + 1 <= allocated:
        return f"damaged: {stored} bits stored in {allocated}"
    return ""


def number(dataset: "Dataset", keyword: str, default: int) -> int:
    """Return a whole number of the header: the default where it has none, -1 where it is no number."""
    value = _first(dataset, keyword)
    if value is None or value == "":
        return default
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return -1


def numbers(dataset: "Dataset", keyword: str) -> list[float]:
    """Return the finite numbers of an element; none where it is missing or one of them is no number."""
    try:
        value = dataset.get(keyword)
        several = value if isinstance(value, list) or hasattr(value, "append") else [value]
        found = [float(each) for each in several if each not in (None, "")]
    except Exception:  # pydicom converts values when they are asked for, and raises many types
        return []
    return found if all(map(math.isfinite, found)) else []


def pixel_aspect(dataset: "Dataset") -> float:
    """Return the height of a pixel divided by its width; 1 where it is not known.

    Raises:
        UnusableImage: it is not between 1 / `MAX_ASPECT` and `MAX_ASPECT`.
    """
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        found = numbers(dataset, keyword)
        if len(found) == 2 and min(found) > 0:
            if not 1 / MAX_ASPECT <= found[0] / found[1] <= MAX_ASPECT:
                raise UnusableImage(f"its pixels are {found[0]:g} high and {found[1]:g} wide")
            return found[0] / found[1]
    return 1.0


def _read_columns(dataset: "Dataset") -> dict[str, str]:
    side = _code(dataset, "ImageLaterality") or _code(dataset, "Laterality")
    spacing = [each for each in numbers(dataset, "PixelSpacing") or numbers(dataset, "ImagerPixelSpacing") if each > 0]
    voltage = numbers(dataset, "KVP")
    sex, burned_in = _code(dataset, "PatientSex"), _code(dataset, "BurnedInAnnotation")
    values = {
        "view": _code(dataset, "ViewPosition"),
        "laterality": side if side in SIDES else "",
        "body_part": _code(dataset, "BodyPartExamined"),
        "manufacturer": _text(dataset, "Manufacturer")[:MAX_TEXT],
        "model": _text(dataset, "ManufacturerModelName")[:MAX_TEXT],
        "kvp": f"{voltage[0]:g}" if voltage else "",
        "pixel_spacing": "x".join(f"{each:.4g}" for each in dict.fromkeys(spacing[:2])) if len(spacing) > 1 else "",
        "age": _age(dataset),
        "sex": sex if sex in SEXES else "",
        "burned_in": {"YES": BURNED_IN, "NO": "no"}.get(burned_in, ""),
        "intent": _code(dataset, "PresentationIntentType").lower(),
    }
    return {name: values[name] for name in COLUMNS}


def _age(dataset: "Dataset") -> str:
    """Return the age in whole years, at most `MAX_AGE`: as it is stored, else from the dates of birth and study."""
    stored = AGE.fullmatch(_text(dataset, "PatientAge").upper())
    if stored:
        years = int(stored[1]) * DAYS[stored[2]] / YEAR
    else:
        birth, study = (_date(dataset, name) for name in ("PatientBirthDate", "StudyDate"))
        if birth is None or study is None or study < birth:
            return ""
        years = study.year - birth.year - ((study.month, study.day) < (birth.month, birth.day))
    return str(min(int(years + 1e-9), MAX_AGE))


def _date(dataset: "Dataset", keyword: str) -> date | None:
    found = DATE.fullmatch(_text(dataset, keyword))
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def _code(dataset: "Dataset", keyword: str) -> str:
    """Return a code string in upper case; empty where it is missing or longer than DICOM allows."""
    text = _text(dataset, keyword).upper()
    return text if CODE.fullmatch(text) else ""


def _text(dataset: "Dataset", keyword: str) -> str:
    """Return the first value of an element as one printable line."""
    value = _first(dataset, keyword)
    text = " ".join(str("" if value is None else value).split())
    return "".join(letter for letter in text if letter.isprintable())


def _first(dataset: "Dataset", keyword: str) -> Any:
    """Return the first value of an element; None where it is missing, empty or cannot be read."""
    try:
        value = dataset.get(keyword)
        if isinstance(value, list) or hasattr(value, "append"):
            return value[0] if len(value) else None
        return value
    except Exception:  # pydicom converts values when they are asked for, and raises many types
        return None
