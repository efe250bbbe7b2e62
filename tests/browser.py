"""A real headless Chromium, as it is on Debian, and what it says of a page: skipped with a message where it is not."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip


class Browser:
    """One window; `driver` is selenium's, and what it saves is in `downloads`."""

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def open(self, page: Path, *, width: int = 1280, height: int = 900) -> None:
        """Show a file in a window of that size; what was said of earlier pages is forgotten."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get("about:blank")
        self.complaints()
        self.requests()
        self.driver.get(page.resolve().as_uri())

    def run(self, script: str) -> Any:
        """What a function body of JavaScript returns."""
        return self.driver.execute_script(script)

    def complaints(self) -> list[str]:
        """What the console said since the last call, at the level of a warning or above."""
        lines = self.driver.get_log("browser")
        return [str(line["message"]) for line in lines if line["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since the last call, but for those that lie in the page itself."""
        told = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        sent = [each["params"]["request"]["url"] for each in told if each["method"] == "Network.requestWillBeSent"]
        return [address for address in sent if not address.startswith(("data:", "blob:", "about:"))]


@contextmanager
def browsing(downloads: Path) -> Iterator[Browser]:
    """A browser that saves files in `downloads`."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium or chromedriver: apt install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install -e '.[dev]'")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (*ARGUMENTS, f"--user-data-dir={downloads / 'profile'}"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # The driver is named, so that selenium does not look for one on the network.
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    try:
        yield Browser(running, downloads)
    finally:
        running.quit()
