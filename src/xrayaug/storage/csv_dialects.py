"""Encodings and delimiters of CSV files, which these do not state: found in their bytes."""

import codecs
import re
from typing import TextIO

from xrayaug.errors import UsageError

DELIMITERS = ",;\t"
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # first line by which Excel declares the delimiter
HEAD_BYTES = 65536  # enough for any header
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
COMMON_HANZI = (b"\xb0\xa1", b"\xd7\xf9")  # first and last character of level 1 of GB 2312
MIN_NUL_SHARE = 0.3  # share of the bytes from which on text is taken for UTF-16
MIN_HANZI_SHARE = 0.6  # share of the characters beyond ASCII


def find_codec(name: str) -> str:
    """Return the name of the codec of an encoding that the user names.

    Raises:
        UsageError: there is none.
    """
    try:
        codec = codecs.lookup(name)
    except LookupError:
        raise UsageError(f"--encoding {name} is unknown", "write utf-8, cp1252, gb18030, shift_jis, ...") from None
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


def detect_encoding(data: bytes) -> tuple[str, str]:
    """Return the encoding of the bytes, and the error handler for decoding them."""
    if data.startswith(UTF_16_MARKS):  # spreadsheet programs call this "Unicode text"
        return "utf-16", "ignore" if len(data) == HEAD_BYTES else "strict"
    if MIN_NUL_SHARE * len(data) < data.count(0):  # in UTF-16 one of the two bytes of most letters is 0
        return "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be", "strict"
    for encoding, fits in (("utf-8-sig", _is_decodable), ("gb18030", _is_chinese), ("cp1252", _is_decodable)):
        if fits(data, encoding):
            return encoding, "strict"
    return "latin-1", "strict"


def guess_encoding(data: bytes) -> tuple[str, str]:
    """Return the encoding that the bytes seem to have and a word that shows it; two empty strings for Unicode."""
    encoding = detect_encoding(data)[0]
    if encoding.startswith("utf"):
        return "", ""
    words = re.split(r"[\s,;\"]+", data.decode(encoding))
    return encoding, next((word for word in words if not word.isascii()), "")


def _is_decodable(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(data: bytes, encoding: str) -> bool:
    """Return whether the bytes decode to mainly common Chinese characters, which Western European text does not."""
    if not _is_decodable(data, encoding):
        return False
    letters = [letter.encode(encoding) for letter in data.decode(encoding) if not letter.isascii()]
    common = sum(
        COMMON_HANZI[0] <= letter <= COMMON_HANZI[1] and len(letter) == 2 and letter[1] >= COMMON_HANZI[0][1]
        for letter in letters
    )
    return common >= MIN_HANZI_SHARE * len(letters)


def find_delimiter(text: TextIO) -> tuple[str, bool]:
    """Return the delimiter, by the first line that is not blank, and whether that line declares it as Excel does.

    A line that does not declare it has it most often; a comma if none occurs. The text is left at its start.
    """
    first = next((line for line in text if line.strip()), "")
    if first.startswith('"') and not any(sign in first for sign in DELIMITERS):  # a quoted title that spans lines
        first += text.read(HEAD_BYTES // 16)
    text.seek(0)
    declared = SEPARATOR_LINE.fullmatch(first.split("\n", maxsplit=1)[0])
    if declared:
        return declared[1], True
    return max(f"{DELIMITERS}|", key=first.count), False  # max returns the first of equals: the comma
