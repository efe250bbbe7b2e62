"""Which files are pictures: by the ends of their names, by their first bytes, and to Pillow."""

import re

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".pnm", ".jp2"}
)
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})  # listed, so that decoding refuses them by name

# Named, because Pillow would also hand an .eps that is called .png to Ghostscript.
PILLOW_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")

START_BYTES = 132  # from which the kind of a file can be told
STARTS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8[79]a",
    "TIFF": rb"II[*+]\x00|MM\x00[*+]",
    "BMP": rb"BM.{4}\x00{4}",
    "WebP": rb"RIFF.{4}WEBP",
    "PGM or PPM": rb"P[56]\s+[0-9#]",
    "JPEG 2000": rb"\x00{3}\x0cjP  \r\n|\xff\x4f\xff\x51",
    "HEIF or AVIF": rb".{4}ftyp(?:hei|hev|mif1|msf1|avi[fs])",
    "DICOM": rb".{128}DICM",
}


def kind_of(start: bytes) -> str:
    """Return which kind of picture a file is whose first `START_BYTES` these are; empty where it is none."""
    return next((kind for kind, pattern in STARTS.items() if re.match(pattern, start, re.DOTALL)), "")
