"""The page in a real browser: answered by keyboard, left and taken up again, saved, and scored."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from reader.evaluations import asked

from xrayaug import artifacts
from xrayaug.reader import study
from xrayaug.stages import evaluate

webdriver = pytest.importorskip("selenium.webdriver", reason="there is no selenium to drive a browser with")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="there is no chromium and chromedriver (Debian: apt install chromium-driver)"
)

from selenium.webdriver.chrome.webdriver import WebDriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402 - after what skips without it
from selenium.webdriver.common.keys import Keys  # noqa: E402

COUNT = 6
PATIENCE = 20.0  # seconds


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=str(DRIVER)))
    driver.set_window_size(1200, 900)
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: WebDriver, evaluation: Path) -> Path:
    """An evaluation whose page stands in the browser, begun by reader AB."""
    evaluate.run(asked(evaluation, reader_study=COUNT))
    browser.get((evaluation / study.PAGE).as_uri())
    browser.execute_script("localStorage.clear()")
    begin(browser, "A <b>/B")
    return evaluation


def begin(browser: WebDriver, reader: str) -> None:
    field = browser.find_element(By.ID, "reader")
    field.clear()
    field.send_keys(reader, Keys.ENTER)


def press(browser: WebDriver, *keys: str) -> None:
    browser.switch_to.active_element.send_keys(*keys)


def place(browser: WebDriver) -> str:
    return browser.find_element(By.ID, "place").text


def complaints(browser: WebDriver) -> list[str]:
    """What the browser's console says is wrong: errors of the script, things that its policy forbids."""
    log: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call] # selenium leaves it so
    return [entry["message"] for entry in log if entry["level"] == "SEVERE"]


def wait_for(found: Callable[[], list[Path]]) -> Path:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if files := found():
            return files[0]
        time.sleep(0.05)
    raise AssertionError("nothing was saved")


def test_a_reader_answers_by_keyboard_leaves_and_saves(browser: WebDriver, opened: Path, downloads: Path) -> None:
    key = study.read_key(artifacts.open_artifact(opened))
    truths = [told["synthetic"] for told in key["answers"].values()]
    assert place(browser) == f"Image 1 of {COUNT}"
    for number, synthetic in enumerate(truths[:3]):
        press(browser, "s" if synthetic else "R", str(number + 1), Keys.ARROW_RIGHT)
    assert place(browser) == f"Image 4 of {COUNT}"
    press(browser, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    press(browser, "r" if truths[1] else "s")  # thought better of
    browser.find_element(By.CSS_SELECTOR, "[data-defect=digit]").click()
    comment = browser.find_element(By.ID, "comment")
    comment.send_keys("six fingers, R and s </script>", Keys.ESCAPE)
    assert place(browser).startswith(f"Image 2 of {COUNT}, answered: ")

    browser.refresh()
    assert "3 answers of A <b>/B are kept" in browser.find_element(By.ID, "kept-text").text
    press(browser, Keys.ENTER)
    assert place(browser).startswith(f"Image 2 of {COUNT}, answered: {'real' if truths[1] else 'synthetic'}")
    assert browser.find_element(By.ID, "comment").get_property("value") == "six fingers, R and s </script>"
    assert browser.find_element(By.CSS_SELECTOR, "[data-defect=digit]").is_selected()

    for synthetic in truths[2:5]:
        press(browser, Keys.ARROW_RIGHT)
        press(browser, "s" if synthetic else "r")
    browser.find_element(By.ID, "finish").click()
    assert [each.text for each in browser.find_elements(By.CSS_SELECTOR, "#missing-list button")] == ["6"]
    browser.find_element(By.ID, "save").click()
    file = wait_for(lambda: list(downloads.glob("reader-*.json")))
    assert file.name == f"reader-A-b-B-{key['study'][:8]}.json"

    result = evaluate.run(asked(opened, reader_results=(file,)))["readers"]
    (told,) = result["readers"]
    assert (told["reader"], told["answered"], told["accuracy"]["right"]) == ("A <b>/B", 5, 4)
    assert result["comments"][0]["comment"] == "six fingers, R and s </script>"
    assert result["defects"]["digit"] == {"synthetic": int(truths[1]), "real": int(not truths[1])}
    given = json.loads(file.read_text(encoding="utf-8"))["answers"]
    assert [each["confidence"] for each in given] == [1, 2, 3, None, None, None]
    assert all(each["seconds"] > 0 for each in given[:5])
    assert complaints(browser) == []


def test_the_pictures_are_shown_and_the_buttons_do_what_the_keys_do(browser: WebDriver, opened: Path) -> None:
    assert browser.execute_script("return document.getElementById('image').naturalWidth") == 8
    browser.find_element(By.CSS_SELECTOR, "[data-answer=synthetic]").click()
    browser.find_element(By.CSS_SELECTOR, "[data-sure='4']").click()
    assert place(browser) == f"Image 1 of {COUNT}, answered: synthetic"
    pressed = browser.find_elements(By.CSS_SELECTOR, "[aria-pressed=true]")
    assert [each.text.split()[-1] for each in pressed] == ["Synthetic", "4"]
    browser.find_element(By.ID, "next").click()
    assert place(browser) == f"Image 2 of {COUNT}"
    assert browser.find_element(By.ID, "image").get_property("alt") == f"Radiograph 2 of {COUNT}"


def test_readers_who_share_a_browser_have_answers_of_their_own(browser: WebDriver, opened: Path) -> None:
    press(browser, "s", Keys.ARROW_RIGHT, "s")
    browser.refresh()
    begin(browser, "CD")
    assert place(browser) == f"Image 1 of {COUNT}"
    press(browser, "r")
    browser.refresh()
    assert "1 answers of CD are kept" in browser.find_element(By.ID, "kept-text").text
    begin(browser, "A <b>/B")
    assert place(browser) == f"Image 2 of {COUNT}, answered: synthetic"


def test_answers_that_are_discarded_are_gone(browser: WebDriver, opened: Path) -> None:
    press(browser, "s")
    browser.refresh()
    browser.find_element(By.ID, "anew").click()
    browser.switch_to.alert.accept()
    assert not browser.find_element(By.ID, "kept").is_displayed()
    begin(browser, "A <b>/B")
    assert place(browser) == f"Image 1 of {COUNT}"


DAMAGED = ["{", "null", "7", '{"answers": null}', '{"answers": 7, "place": 99}']


def test_what_was_kept_may_be_damaged(browser: WebDriver, opened: Path) -> None:
    name = study.read_key(artifacts.open_artifact(opened))["study"]
    for kept in DAMAGED:
        browser.get((opened / study.PAGE).as_uri())
        browser.execute_script("localStorage.setItem(arguments[0], arguments[1])", f"xrayaug-reader-{name}-X", kept)
        begin(browser, "X")
        assert place(browser) == f"Image 1 of {COUNT}"
    assert complaints(browser) == []


def test_it_fits_a_phone(browser: WebDriver, opened: Path) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        width = browser.execute_script("return document.documentElement.scrollWidth")
        shown = browser.find_element(By.CSS_SELECTOR, "[data-answer=real]").rect
        assert width == 360
        assert shown["y"] + shown["height"] <= 740  # the answers need no scrolling
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
