"""Figures as PNG and SVG; equal numbers give equal bytes."""

import io
import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from xrayaug.plots.style import DPI

METADATA_WITHOUT_DATES: Mapping[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}


def inline_svg(draw: Callable[[], Figure], name: str, title: str, description: str) -> str:
    """Return a figure as an `svg` element with ids that are unique on a page of several figures.

    Args:
        draw: makes the figure.
        name: of the figure on the page, letters, digits and hyphens.
        title: accessible title of the figure.
        description: accessible description of the figure.
    """
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "xrayaug", "svg.fonttype": "none"}):
        draw().savefig(content, format="svg", metadata=METADATA_WITHOUT_DATES["svg"])
    drawn = content.getvalue().decode()
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)
    drawn = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", drawn)
    labels = f'role="img" aria-labelledby="{name}-title {name}-description"'
    labels_svg = (
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-description">{escape(description)}</desc>'
    )
    opening, _, rest = drawn.partition(">")
    wide = re.search(r' width="([\d.]+pt)"', opening)
    fluid = re.sub(r' (?:width|height)="[^"]*"', "", opening) + (f' style="max-width: {wide[1]}"' if wide else "")
    return f"{fluid} {labels}>{labels_svg}{rest}"


def format_svg(draw: Callable[[], Figure]) -> str:
    """Return a figure as the text of an SVG file: equal numbers give equal text."""
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "xrayaug", "svg.fonttype": "none"}):
        draw().savefig(content, format="svg", metadata=METADATA_WITHOUT_DATES["svg"])
    return content.getvalue().decode()


def format_png(draw: Callable[[], Figure]) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    content = io.BytesIO()
    draw().savefig(content, format="png", dpi=DPI, metadata=METADATA_WITHOUT_DATES["png"])
    return content.getvalue()
