"""Sphinx configuration: `make docs` builds these pages into `site/`, and any warning fails the build."""

import re
from typing import Any

project = "xrayaug"
author = "The xrayaug authors"
copyright = "2026, The xrayaug authors"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
smartquotes = False  # "--out" in a sentence must not become a dash
highlight_language = "none"  # blocks without a language are commands and output, not Python

myst_heading_anchors = 4  # links to headings, named as on GitHub, are checked

html_theme = "furo"
html_title = "xrayaug"
html_show_sphinx = False
html_copy_source = False

OUTSIDE = re.compile(r"\]\((?:\.\./)+(benchmarks/README|CHANGELOG)\.md")
PAGES = {"benchmarks/README": "/benchmarks.md", "CHANGELOG": "/changelog.md"}


def _link_to_included_pages(_: Any, __: str, source: list[str]) -> None:
    """Point links to files outside `docs/`, which work on GitHub, at the pages that include these files."""
    source[0] = OUTSIDE.sub(lambda match: f"]({PAGES[match[1]]}", source[0])


def setup(app: Any) -> None:
    """Register the hook."""
    app.connect("source-read", _link_to_included_pages)
