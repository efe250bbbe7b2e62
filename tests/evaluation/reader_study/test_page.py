"""One file that loads nothing, runs nothing but its own script, and in which no text can become a tag."""

import base64
import hashlib
import html.parser
import json
import re

import pytest

from xrayaug.evaluation.reader_study import page
from xrayaug.evaluation.reader_study.answers import DEFECTS
from xrayaug.evaluation.reader_study.page import PageImage

HOSTILE = "</script><script>alert(1)</script>"
LOADING = {"src", "href", "action", "srcset", "data", "poster", "formaction"}


class Tags(html.parser.HTMLParser):
    """Every tag with its attributes, every identifier, and what stands in style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in self.raw and data.strip():
            self.raw[self.tags[-1][0]].append(data)

    def attributes(self, name: str) -> list[str]:
        return [str(attrs[name]) for _, attrs in self.tags if name in attrs]


@pytest.fixture(scope="module")
def made() -> str:
    return page.render("0123456789abcdef", [PageImage("a1", b"one"), PageImage(HOSTILE, b"two")])


def test_it_is_one_file_that_loads_nothing(made: str) -> None:
    tags = Tags(made)
    assert not any(LOADING & set(attrs) for _, attrs in tags.tags)
    assert "link" not in {tag for tag, _ in tags.tags}
    assert not re.search(r"https?://|@import|url\(", made)
    assert not re.search(r"@@[A-Z_]+@@", made)
    assert not any(name.startswith("on") for _, attrs in tags.tags for name in attrs)


def test_the_browser_may_run_its_own_script_alone(made: str) -> None:
    tags = Tags(made)
    (policy,) = [content for content in tags.attributes("content") if "default-src" in content]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for kind, content in (("style", tags.raw["style"][0]), ("script", tags.raw["script"][-1])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_no_text_becomes_a_tag(made: str) -> None:
    assert "alert(1)</script>" not in made
    (data,) = (json.loads(text) for text in Tags(made).raw["script"][:1])
    assert [each["id"] for each in data["images"]] == ["a1", HOSTILE]
    assert [base64.b64decode(each["png"]) for each in data["images"]] == [b"one", b"two"]
    assert "&lt;b&gt;" in page.render("<b>", [])


def test_every_field_has_its_label(made: str) -> None:
    tags = Tags(made)
    labelled = set(tags.attributes("for"))
    named = {attrs.get("id") for tag, attrs in tags.tags if tag in ("input", "textarea") and "data-defect" not in attrs}
    assert named <= labelled
    ids = tags.attributes("id")
    assert len(set(ids)) == len(ids)
    assert set(tags.attributes("aria-labelledby")) <= set(ids)
    assert "polite" in tags.attributes("aria-live")
    assert [attrs["lang"] for tag, attrs in tags.tags if tag == "html"] == ["en"]


def test_every_defect_has_its_box(made: str) -> None:
    assert Tags(made).attributes("data-defect") == list(DEFECTS)
