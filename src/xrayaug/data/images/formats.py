"""Image formats: file name suffixes, first bytes, and names in Pillow."""

import re

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".pnm", ".jp2"}
)
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})  # listed as images, so that decoding refuses them with a reason

# An explicit list, because Pillow would otherwise pass an EPS file named .png to Ghostscript.
PILLOW_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")

START_BYTES = 132  # number of first bytes that determine the format
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
    """Return the image format of a file from its first `START_BYTES` bytes; "" if it is no image."""
    return next((kind for kind, pattern in STARTS.items() if re.match(pattern, start, re.DOTALL)), "")
