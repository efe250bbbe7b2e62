"""Render the page of a reader study: one HTML file that loads nothing and gives no answer away."""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from xrayaug.evaluation.reader_study.answers import DEFECTS, FORMAT, KIND, MAX_COMMENT_LENGTH, MAX_CONFIDENCE


@dataclass(frozen=True)
class PageImage:
    """An image on the page: an opaque name and the bytes of a PNG file."""

    name: str
    png: bytes


def render(study: str, images: Sequence[PageImage]) -> str:
    """Return the HTML page of a study, with the images in the given order.

    Args:
        study: name of the study; it is escaped.
        images: to show.
    """
    style, script = _read_resource("page.css"), _read_resource("page.js")
    values = {
        "POLICY": f"default-src 'none'; img-src data:; style-src {_csp_hash(style)}; script-src {_csp_hash(script)}",
        "COUNT": str(len(images)),
        "STUDY": html.escape(study),
        "CONFIDENCE_BUTTONS": "".join(_render_confidence_button(number) for number in range(1, MAX_CONFIDENCE + 1)),
        "DEFECT_BOXES": "".join(_render_defect_checkbox(name, text) for name, text in DEFECTS.items()),
        "MAX_COMMENT_LENGTH": str(MAX_COMMENT_LENGTH),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": _embed_data(study, images),
    }
    page = _read_resource("page.html")
    for name, value in values.items():
        page = page.replace(f"@@{name}@@", value)
    return page


def _read_resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    """Return the hash source of a Content Security Policy that allows exactly this inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _render_confidence_button(number: int) -> str:
    return f'<button type="button" data-confidence="{number}" aria-pressed="false">{number}</button>'


def _render_defect_checkbox(name: str, text: str) -> str:
    return f'<label><input type="checkbox" data-defect="{html.escape(name)}"> {html.escape(text)}</label>\n'


def _embed_data(study: str, images: Sequence[PageImage]) -> str:
    """Return the data that the script reads, as JSON without `<`, so that no text can begin or end a tag."""
    data = {
        "format": FORMAT,
        "kind": KIND,
        "study": study,
        "max_comment_length": MAX_COMMENT_LENGTH,
        "defects": list(DEFECTS),
        "images": [{"id": image.name, "png": base64.b64encode(image.png).decode()} for image in images],
    }
    return json.dumps(data).replace("<", "\\u003c")
