"""The page that asks: one HTML file, nothing loaded from anywhere, and nothing in it that gives an answer away."""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from xrayaug.evaluation.reader_study.answers import DEFECTS, FORMAT, KIND, MAX_COMMENT_LENGTH, MAX_CONFIDENCE


@dataclass(frozen=True)
class Shown:
    """An image as the page has it: an opaque name and a PNG file."""

    name: str
    png: bytes


def page(study: str, images: Sequence[Shown]) -> str:
    """The page of a study, its images in the order given; no text in it but ours and the study's name."""
    style, script = _part("page.css"), _part("page.js")
    parts = {
        "POLICY": f"default-src 'none'; img-src data:; style-src {_allowed(style)}; script-src {_allowed(script)}",
        "COUNT": str(len(images)),
        "STUDY": html.escape(study),
        "DIGITS": "".join(_digit(number) for number in range(1, MAX_CONFIDENCE + 1)),
        "DEFECTS": "".join(_defect(name, said) for name, said in DEFECTS.items()),
        "LONGEST": str(MAX_COMMENT_LENGTH),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": _data(study, images),
    }
    whole = _part("page.html")
    for name, text in parts.items():
        whole = whole.replace(f"@@{name}@@", text)
    return whole


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _allowed(text: str) -> str:
    """What lets a browser run this text and no other: its hash, as Content Security Policy wants it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _digit(number: int) -> str:
    return f'<button type="button" data-sure="{number}" aria-pressed="false">{number}</button>'


def _defect(name: str, said: str) -> str:
    return f'<label><input type="checkbox" data-defect="{html.escape(name)}"> {html.escape(said)}</label>\n'


def _data(study: str, images: Sequence[Shown]) -> str:
    """What the script reads, as JSON in which no tag can begin."""
    told = {
        "format": FORMAT,
        "kind": KIND,
        "study": study,
        "longest": MAX_COMMENT_LENGTH,
        "defects": list(DEFECTS),
        "images": [{"id": each.name, "png": base64.b64encode(each.png).decode()} for each in images],
    }
    return json.dumps(told).replace("<", "\\u003c")
