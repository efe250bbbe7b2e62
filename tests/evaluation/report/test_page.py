"""The report shows the results and what is missing, is accessible, and escapes names of files and labels."""

import base64
import io
import itertools
import re
import shutil
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import Browser
from builders import edit_manifest
from PIL import Image

from xrayaug.data.arms import ArmSettings
from xrayaug.errors import ArtifactError
from xrayaug.evaluation import serialization
from xrayaug.evaluation.answer import headline
from xrayaug.evaluation.report import page
from xrayaug.evaluation.results import (
    ArmResult,
    ArmVerdict,
    Evaluation,
    PriorShift,
    Question,
    Verdict,
)
from xrayaug.stages import evaluate
from xrayaug.storage import artifacts

from .conftest import HOSTILE, Study

VOID = {"meta", "link", "img", "br", "path", "use", "defs"}


class Outline(HTMLParser):
    """The elements of a page with their attributes, in order, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(evaluation: Path) -> str:
    return (evaluation / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outline(text: str) -> Outline:
    return Outline(text)


def test_the_verdict_comes_first_with_its_reason(outline: Outline, evaluation: Path) -> None:
    said = " ".join(outline.text)
    (arm,) = artifacts.open_artifact(evaluation).result["verdict"]["arms"]
    assert said.index("Did the synthetic images help?") < said.index("Arm 50:") < said.index("Checks of")
    assert arm["reason"][1:] in said
    assert "4 images added" in said


def test_p_values_and_intervals_say_whether_they_are_corrected(outline: Outline, evaluation: Path) -> None:
    said = " ".join(outline.text)
    verdicts = artifacts.open_artifact(evaluation).result["verdict"]
    assert {(each["compared"], each["shown"]) for each in verdicts["families"]} == {
        ("arms with the baseline", "difference"), ("arms with the baseline", "equivalence"),
    }  # fmt: skip
    for part in ("Holm p", "Holm equivalence p", "Difference (marginal 95 %)", "intervals are marginal",
                 "arms with the baseline (1)", "either happens in at most 10 %", "marginal (uncorrected)"):  # fmt: skip
        assert part in said
    (arm,) = verdicts["arms"]
    assert arm["verdict"] == "cannot-tell"
    assert f"within ±{arm['difference']['showable_margin']:.3f}; the margin of ±0.02 is out of reach" in said


def test_all_sections_are_filled(outline: Outline) -> None:
    said = " ".join(outline.text)
    for part in ("Table 5, per study", "12.5", "Kernel distance (KID)", "0.0123", "0.0456",
                 "Fail: 1 of 8 synthetic images", "McNemar", "xrayaug train-gan", "--percent 50 --label normal",
                 "Learning curves of the generator", "By source",
                 "0.812 (0.710 to 0.900)", "0.00345"):  # fmt: skip
        assert part in said, part
    assert "FID" not in {line.strip() for line in outline.text}  # random features are none


def test_names_are_escaped(text: str, outline: Outline) -> None:
    assert HOSTILE in "".join(outline.text)
    assert "<img src=x" not in text
    assert 'onerror="alert' not in text
    assert not [attributes for _, attributes in outline.elements if "onerror" in attributes]
    assert not outline.all("script")


def test_the_page_is_self_contained_and_its_ids_are_unique(text: str, outline: Outline) -> None:
    addresses = [value for _, attributes in outline.elements for name, value in attributes.items()
                 if name in ("src", "href", "xlink:href")]  # fmt: skip
    assert addresses
    assert all(str(address).startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"url\((?!#)|@import", text)
    ids = Counter(attributes["id"] for _, attributes in outline.elements if "id" in attributes)
    assert max(ids.values()) == 1
    pointed = {str(address)[1:] for address in addresses if str(address).startswith("#")}
    pointed |= set(re.findall(r"url\(#([^)]*)\)", text))
    assert pointed <= set(ids)


def test_it_is_accessible_to_screen_readers(outline: Outline) -> None:
    ids = {attributes.get("id") for _, attributes in outline.elements}
    for drawing in outline.all("svg"):
        assert drawing["role"] == "img"
        assert set(str(drawing["aria-labelledby"]).split()) <= ids
    assert all(attributes["alt"] for attributes in outline.all("img"))
    assert len(outline.all("caption")) == len(outline.all("table"))
    assert {attributes.get("scope") for attributes in outline.all("th")} == {"col", "row"}
    levels = [int(tag[1]) for tag, _ in outline.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(len(outline.all(landmark)) == 1 for landmark in ("main", "nav", "footer"))


def test_files_can_be_downloaded_from_it(outline: Outline, evaluation: Path) -> None:
    downloads = {str(each["download"]): str(each["href"]) for each in outline.all("a") if "download" in each}
    assert set(downloads) == {"table5.csv", "verdict.csv", "intervals.csv", "subgroups.csv", "predictions.csv"}
    for name, address in downloads.items():
        assert base64.b64decode(address.partition(",")[2]) == (evaluation / name).read_bytes()


def test_pictures_have_alternative_text_and_the_size_of_the_grid(outline: Outline) -> None:
    pictures = {str(each["alt"]): str(each["src"]) for each in outline.all("img")}
    assert {alt.split()[0] for alt in pictures} == {"Real", "Synthetic", "The"}
    real = next(address for alt, address in pictures.items() if alt == "Real normal training images")
    with Image.open(io.BytesIO(base64.b64decode(real.partition(",")[2]))) as shown:
        assert shown.size == (6 * 34 + 2, 2 * 34 + 2)  # of eight pictures, six in a row


def test_commands_are_in_order_with_relative_paths(outline: Outline, study: Study) -> None:
    lines = [line for line in outline.text if line.startswith("xrayaug ") and "Python" not in line]
    order = [line.split()[1] for line in lines]
    assert order[-1] == "evaluate"
    assert order.index("train-gan") < order.index("sample") < order.index("augment") < order.index("train-classifier")
    assert str(study.home) not in "".join(outline.text).replace(str(study.runs[0].parent / "run"), "")


def test_missing_evidence_is_listed(study: Study, tmp_path: Path) -> None:
    evaluate.run(study.options(tmp_path / "out"))
    said = " ".join(Outline((tmp_path / "out" / "report.html").read_text(encoding="utf-8")).text)
    for option in ("--fid", "--copies", "--privacy", "--by"):
        assert f"evaluate {option}" in said
    assert "No synthetic images were trained on as abnormal" in said


def test_labels_to_distrust_are_noted_under_the_scores(study: Study, tmp_path: Path) -> None:
    caution = "labels of padchest: three in four were given by a network"
    prepared = shutil.copytree(study.home / "real", tmp_path / "padchest")
    notes = ["any finding counts as abnormal", caution]
    edit_manifest(prepared, lambda manifest: manifest["result"].update(notes=notes))
    evaluate.run(study.options(tmp_path / "out", also=(prepared,)))
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert text.count(f"<li>{caution}</li>") == 1
    assert "<li>any finding counts as abnormal</li>" not in text


def test_an_artifact_of_another_kind_is_refused(study: Study, tmp_path: Path) -> None:
    for step in (evaluate.plan, evaluate.run):
        with pytest.raises(ArtifactError, match=r"copies.* expected fid"):
            step(study.options(tmp_path / "out", fid=(study.copies,)))
    assert not (tmp_path / "out").exists()


def test_large_files_are_not_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_CSV_BYTES", 10)
    assert (
        page._download("a.csv", ["01234", "56789"], 10).address == "data:text/csv;charset=utf-8;base64,MDEyMzQ1Njc4OQ=="
    )
    large = page._download("a.csv", iter(()), 11)  # it is not read
    assert (large.address, large.size) == (None, "11 bytes")


def verdict_on(arm: str, verdict: str, control: str | None = None) -> ArmVerdict:
    return ArmVerdict(arm, control, "0", verdict, "reason", None, [], PriorShift(0.5, 0.5, False, False, None, ""), [])


def answer(arms: list[ArmVerdict], *, valid: bool = True) -> str:
    return headline(Verdict(Question("auroc", "image", 0.02, 0), "half", 0.95, valid, [], arms))


def test_the_answer_in_one_line() -> None:
    arms = [
        verdict_on("10", "cannot-tell"),
        verdict_on("50", "helps"),
        verdict_on("50 duplicate", "hurts", "duplicate"),
    ]
    assert answer(arms) == "helps: arm 50; cannot tell: arm 10"
    assert "no arm" in answer(arms[2:])
    assert "check" in answer(arms, valid=False)


def arm_result(
    name: str, seeds: list[int], *, label: str = "normal", percent: float = 0.0, added: int = 0
) -> ArmResult:
    return ArmResult(name, ArmSettings(1.0, percent, label, added, None), seeds, {}, {}, None, {}, {})


@pytest.fixture(scope="module")
def results(evaluation: Path) -> Evaluation:
    return serialization.from_dict(Evaluation, artifacts.open_artifact(evaluation).result)


def test_arms_with_a_single_run_are_noted(results: Evaluation) -> None:
    arms = [arm_result("0", [0, 1]), arm_result("10", [0])]
    (note,) = page._note_single_runs(replace(results, arms=arms))
    assert "arm 10;" in note
    assert page._note_single_runs(replace(results, arms=arms[:1])) == []


@pytest.mark.parametrize(
    ("label", "whole"), [("abnormal", "of the real normal images"), ("balance", "of the difference in class size")]
)
def test_a_dose_names_the_number_that_it_is_a_percentage_of(results: Evaluation, label: str, whole: str) -> None:
    arms = [arm_result("50", [0], label=label, percent=50.0, added=1200)]
    view = page._view_arm(verdict_on("50", "helps"), replace(results, arms=arms))
    assert view.description == f"50 % {whole}: 1,200 images added"


class TestInABrowser:
    """In a real Chromium, from the disk."""

    def test_it_loads_without_a_complaint_or_a_request(self, browser: Browser, evaluation: Path) -> None:
        browser.open(evaluation / "report.html")
        assert browser.complaints() == []
        assert [address.rpartition("/")[2] for address in browser.requests()] == ["report.html"]
        heading = "return document.querySelector('h1, h2').closest('section').id"
        assert browser.run(heading) == "verdict"
        shown = browser.run("return [...document.images].map(each => each.complete && each.naturalWidth)")
        assert len(shown) >= 4
        assert all(width > 0 for width in shown)

    def test_a_keyboard_gets_everywhere_in_order(self, browser: Browser, evaluation: Path) -> None:
        browser.open(evaluation / "report.html")
        browser.run("window.passed = []; addEventListener('focusin', e => passed.push(e.target))")
        keys = browser.driver.switch_to.active_element
        stops = "a[href], [tabindex='0']"
        count = browser.run(f"return document.querySelectorAll(`{stops}`).length")
        for _ in range(count):
            keys.send_keys("\ue004")  # tab
            keys = browser.driver.switch_to.active_element
        reached = f"const all = [...document.querySelectorAll(`{stops}`)];"
        assert browser.run(f"{reached} return passed.map(each => all.indexOf(each))") == list(range(count))
        assert browser.run("return passed[0].className") == "skip"

    @pytest.mark.parametrize("width", [360, 1280])
    def test_a_narrow_screen_needs_no_scrolling_sideways(self, browser: Browser, evaluation: Path, width: int) -> None:
        browser.open(evaluation / "report.html", width=width)
        assert browser.run("return document.documentElement.scrollWidth") <= width
