"""A headless Chromium for the tests marked `browser`, and small images and results."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import noise

from srgan_cli.images.write import write_image
from srgan_cli.study.answers import FORMAT, Trial, checksum

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two methods, three images each."""
    made = [tmp_path / "bicubic", tmp_path / "srgan"]
    for seed, folder in enumerate(made):
        folder.mkdir()
        for number, name in enumerate(("ant", "bus", "cat")):
            write_image(noise(24, 32, 10 * seed + number), folder / f"{name}.png")
    return made


@pytest.fixture
def write_result(tmp_path: Path) -> Callable[..., Path]:
    """Writes what the page saves: ratings as {(image, method): rating}, other fields by name."""

    def write(name: str, ratings: dict[tuple[str, str], int], **changed: Any) -> Path:
        rater = changed.get("rater", name)
        study = changed.get("study", "s")
        by_trial = {Trial(*trial): rating for trial, rating in ratings.items()}
        data = {
            "format": FORMAT,
            "study": study,
            "rater": rater,
            "seed": 1,
            "saved": "2024-05-01T10:00:00.000Z",
            "methods": ["bicubic", "srgan"],
            "pictures": ["ant", "bus", "cat"],
            "ratings": [
                {"picture": trial.image, "method": trial.method, "rating": rating}
                for trial, rating in by_trial.items()
            ],
            "checksum": checksum(study, rater, by_trial),
        }
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({**data, **changed}), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver_program = shutil.which("chromedriver")
    if program is None or driver_program is None:
        pytest.skip("Chromium or its chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(driver_program))
    driver.set_window_size(1280, 800)
    yield driver
    driver.quit()


@pytest.fixture
def requests(browser: Any) -> Callable[[], set[str]]:
    """The schemes that have been asked for since the last call."""

    def schemes() -> set[str]:
        messages = [
            json.loads(entry["message"])["message"] for entry in browser.get_log("performance")
        ]
        sent = [message for message in messages if message["method"] == "Network.requestWillBeSent"]
        return {message["params"]["request"]["url"].split(":")[0] for message in sent}

    schemes()
    return schemes
