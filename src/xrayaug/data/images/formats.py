"""Image formats: file name suffixes, first bytes, and names in Pillow."""

import re

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".pnm", ".jp2"}
)
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})

# An explicit list, because Pillow would otherwise pass an EPS file named .png to Ghostscript.
PILLOW_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")

START_BYTES = 132  # number of first bytes that determine the format
DICOM = "DICOM"
STARTS = {  # DICOM is first, because the 128 bytes before its mark may be those of a TIFF file (PS3.10, section 7.1)
    # Without that mark, a file begins with an element of group 2 or 8: its tag in either byte order, and then two
    # letters of a value representation, or the length of a short value.
    DICOM: rb".{128}DICM|(?:[\x02\x08]\x00.\x00|\x00[\x02\x08]\x00.)(?:CS|DA|LO|OB|PN|SH|TM|UI|UL)|"
    rb"[\x02\x08]\x00[\x00\x01\x02\x05\x08\x12-\x18]\x00[\x00-\x40]\x00{3}",
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8[79]a",
    "TIFF": rb"II[*+]\x00|MM\x00[*+]",
    "BMP": rb"BM.{4}\x00{4}",
    "WebP": rb"RIFF.{4}WEBP",
    "PGM or PPM": rb"P[56]\s+[0-9#]",
    "JPEG 2000": rb"\x00{3}\x0cjP  \r\n|\xff\x4f\xff\x51",
    "HEIF or AVIF": rb".{4}ftyp(?:hei|hev|mif1|msf1|avi[fs])",
}


def kind_of(start: bytes) -> str:
    """Return the image format of a file from its first `START_BYTES` bytes; "" if it is no image."""
    return next((kind for kind, pattern in STARTS.items() if re.match(pattern, start, re.DOTALL)), "")
