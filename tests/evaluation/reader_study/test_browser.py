"""The page in a real browser: answered by keyboard, left and continued, saved, and scored."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, skip_or_fail
from evaluation.reader_study.evaluations import evaluate_options

from xrayaug.evaluation.gather import reader_files
from xrayaug.evaluation.reader_study import study
from xrayaug.stages import evaluate
from xrayaug.storage import artifacts

try:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    skip_or_fail("no selenium: pip install -e '.[dev]'")

COUNT = 6
PATIENCE = 20.0  # seconds


@pytest.fixture
def driver(browser: Browser) -> Any:
    return browser.driver


@pytest.fixture
def opened(browser: Browser, evaluation: Path) -> Path:
    """An evaluation whose page stands in the browser, begun by reader AB."""
    evaluate.run(evaluate_options(evaluation, reader_study=COUNT))
    browser.open(evaluation / study.PAGE_FILE)
    browser.run("localStorage.clear()")
    begin(browser.driver, "A <b>/B")
    return evaluation


def begin(driver: Any, reader: str) -> None:
    field = driver.find_element(By.ID, "reader")
    field.clear()
    field.send_keys(reader, Keys.ENTER)


def press(driver: Any, *keys: str) -> None:
    driver.switch_to.active_element.send_keys(*keys)


def place(driver: Any) -> str:
    return str(driver.find_element(By.ID, "place").text)


def wait_for(found: Callable[[], list[Path]]) -> Path:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if files := found():
            return files[0]
        time.sleep(0.05)
    raise AssertionError("nothing was saved")


def test_a_reader_answers_by_keyboard_leaves_and_saves(browser: Browser, driver: Any, opened: Path) -> None:
    key = reader_files.read_key(artifacts.open_artifact(opened))
    truths = [entry.synthetic for entry in key.truth.values()]
    assert place(driver) == f"Image 1 of {COUNT}"
    for number, synthetic in enumerate(truths[:3]):
        press(driver, "s" if synthetic else "R", str(number + 1), Keys.ARROW_RIGHT)
    assert place(driver) == f"Image 4 of {COUNT}"
    press(driver, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    press(driver, "r" if truths[1] else "s")  # thought better of
    driver.find_element(By.CSS_SELECTOR, "[data-defect=digit]").click()
    comment = driver.find_element(By.ID, "comment")
    comment.send_keys("six fingers, R and s </script>", Keys.ESCAPE)
    assert place(driver).startswith(f"Image 2 of {COUNT}, answered: ")

    driver.refresh()
    assert "3 answers of A <b>/B are kept" in driver.find_element(By.ID, "stored-text").text
    press(driver, Keys.ENTER)
    assert place(driver).startswith(f"Image 2 of {COUNT}, answered: {'real' if truths[1] else 'synthetic'}")
    assert driver.find_element(By.ID, "comment").get_property("value") == "six fingers, R and s </script>"
    assert driver.find_element(By.CSS_SELECTOR, "[data-defect=digit]").is_selected()

    for synthetic in truths[2:5]:
        press(driver, Keys.ARROW_RIGHT)
        press(driver, "s" if synthetic else "r")
    driver.find_element(By.ID, "finish").click()
    assert [each.text for each in driver.find_elements(By.CSS_SELECTOR, "#missing-list button")] == ["6"]
    driver.find_element(By.ID, "save").click()
    file = wait_for(lambda: list(browser.downloads.glob("reader-*.json")))
    assert file.name == f"reader-A-b-B-{key.name[:8]}.json"

    result = evaluate.run(evaluate_options(opened, reader_results=(file,)))["readers"]
    (reader,) = result["readers"]
    assert (reader["reader"], reader["answered"], reader["accuracy"]["correct"]) == ("A <b>/B", 5, 4)
    assert result["comments"][0]["comment"] == "six fingers, R and s </script>"
    assert result["defects"]["digit"] == {"synthetic": int(truths[1]), "real": int(not truths[1])}
    answers = json.loads(file.read_text(encoding="utf-8"))["answers"]
    assert [each["confidence"] for each in answers] == [1, 2, 3, None, None, None]
    assert all(each["seconds"] > 0 for each in answers[:5])
    assert browser.complaints() == []
    assert set(browser.requests()) == {(opened / study.PAGE_FILE).as_uri()}


def test_the_pictures_are_shown_and_the_buttons_do_what_the_keys_do(driver: Any, opened: Path) -> None:
    assert driver.execute_script("return document.getElementById('image').naturalWidth") == 8
    driver.find_element(By.CSS_SELECTOR, "[data-answer=synthetic]").click()
    driver.find_element(By.CSS_SELECTOR, "[data-confidence='4']").click()
    assert place(driver) == f"Image 1 of {COUNT}, answered: synthetic"
    pressed = driver.find_elements(By.CSS_SELECTOR, "[aria-pressed=true]")
    assert [each.text.split()[-1] for each in pressed] == ["Synthetic", "4"]
    driver.find_element(By.ID, "next").click()
    assert place(driver) == f"Image 2 of {COUNT}"
    assert driver.find_element(By.ID, "image").get_property("alt") == f"Radiograph 2 of {COUNT}"


def test_readers_who_share_a_browser_have_answers_of_their_own(driver: Any, opened: Path) -> None:
    press(driver, "s", Keys.ARROW_RIGHT, "s")
    driver.refresh()
    begin(driver, "CD")
    assert place(driver) == f"Image 1 of {COUNT}"
    press(driver, "r")
    driver.refresh()
    assert "1 answers of CD are kept" in driver.find_element(By.ID, "stored-text").text
    begin(driver, "A <b>/B")
    assert place(driver) == f"Image 2 of {COUNT}, answered: synthetic"


def test_answers_that_are_discarded_are_gone(driver: Any, opened: Path) -> None:
    press(driver, "s")
    driver.refresh()
    driver.find_element(By.ID, "discard").click()
    driver.switch_to.alert.accept()
    assert not driver.find_element(By.ID, "stored").is_displayed()
    begin(driver, "A <b>/B")
    assert place(driver) == f"Image 1 of {COUNT}"


DAMAGED = ["{", "null", "7", '{"answers": null}', '{"answers": 7, "place": 99}']


def test_damaged_storage_counts_as_none(browser: Browser, driver: Any, opened: Path) -> None:
    name = reader_files.read_key(artifacts.open_artifact(opened)).name
    for content in DAMAGED:
        driver.get((opened / study.PAGE_FILE).as_uri())
        driver.execute_script("localStorage.setItem(arguments[0], arguments[1])", f"xrayaug-reader-{name}-X", content)
        begin(driver, "X")
        assert place(driver) == f"Image 1 of {COUNT}"
    assert browser.complaints() == []


def test_it_fits_a_phone(browser: Browser, driver: Any, opened: Path) -> None:
    browser.open(opened / study.PAGE_FILE, width=360, height=740)
    begin(driver, "A <b>/B")
    shown = driver.find_element(By.CSS_SELECTOR, "[data-answer=real]").rect
    assert browser.run("return document.documentElement.scrollWidth") == 360
    assert shown["y"] + shown["height"] <= 740  # the answers need no scrolling
