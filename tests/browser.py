"""A headless Chromium, as Debian packages it, for tests of the HTML pages.

Where it is not installed the tests are skipped, or fail if the environment variable XRAYAUG_REQUIRE_BROWSER is 1, as in
continuous integration.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

REQUIRED = "XRAYAUG_REQUIRE_BROWSER"
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip


class Browser:
    """One window; `driver` is Selenium's, and the files that a page saves are in `downloads`."""

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def open(self, page: Path, *, width: int = 1280, height: int = 900) -> None:
        """Show a file in a window of that size, and drop the messages and requests of earlier pages."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get("about:blank")
        self.complaints()
        self.requests()
        self.driver.get(page.resolve().as_uri())

    def run(self, script: str) -> Any:
        """Run the body of a JavaScript function and return its result."""
        return self.driver.execute_script(script)

    def complaints(self) -> list[str]:
        """Return the console's warnings and errors since the last call."""
        lines = self.driver.get_log("browser")
        return [str(line["message"]) for line in lines if line["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """Return the addresses requested since the last call, without those of data that the page itself contains."""
        events = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [address for address in sent if not address.startswith(("data:", "blob:", "about:"))]


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test, or fail it where a browser is required."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{reason} ({REQUIRED}=1)")
    pytest.skip(reason, allow_module_level=True)


@contextmanager
def browsing(downloads: Path) -> Iterator[Browser]:
    """Open a browser that saves files in `downloads`."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        skip_or_fail("no chromium or chromedriver: apt install chromium chromium-driver")
    try:
        from selenium import webdriver
    except ImportError:
        skip_or_fail("no selenium: pip install -e '.[dev]'")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (*ARGUMENTS, f"--user-data-dir={downloads / 'profile'}"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # The path of the driver is given, so that Selenium does not look for one on the network.
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    try:
        yield Browser(running, downloads)
    finally:
        running.quit()
