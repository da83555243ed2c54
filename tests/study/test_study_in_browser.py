"""The study page in a real browser: from the first word to a file that --score reads."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from helpers import noise

from srgan_cli.study.answers import read_result
from srgan_cli.study.study_page import QualityExample, Study, StudyImage, read_study, study_page

pytestmark = pytest.mark.browser

Found = TypeVar("Found")
LARGEST = 30_000_000  # bytes


@pytest.fixture
def page(browser: Any, tmp_path: Path, folders: list[Path]) -> Any:
    file = tmp_path / "study.html"
    file.write_text(study_page(read_study(folders)).html, encoding="utf-8")
    browser.get(file.as_uri())
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    return browser


def _begin(browser: Any, rater: str) -> None:
    browser.find_element("id", "rater").send_keys(rater)
    browser.find_element("css selector", "#begin button").click()
    browser.find_element("id", "ready").click()


def _wait_for_image(browser: Any) -> None:
    _wait(lambda: not browser.find_elements("css selector", "#frame.turning"))


def _wait(there: Callable[[], Found]) -> Found:
    """What it finds, as soon as that is something."""
    for _ in range(1000):
        found = there()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def _rate(browser: Any, *ratings: int) -> None:
    for rating in ratings:
        _wait_for_image(browser)
        browser.find_element("css selector", f"#scale button[value='{rating}']").click()


def _press(browser: Any, *keys: str) -> None:
    for key in keys:
        _wait_for_image(browser)
        browser.switch_to.active_element.send_keys(key)


def _saved(browser: Any, downloads: Path) -> Path:
    """The file that the page's button saves."""
    before = set(downloads.glob("*.json"))
    browser.find_element("id", "save").click()

    def new() -> set[Path]:
        return {file for file in downloads.glob("*.json") if file.stat().st_size} - before

    return _wait(new).pop()


def test_shows_the_ends_of_the_scale_before_anything_is_rated(page: Any) -> None:
    page.find_element("id", "rater").send_keys("Ann")
    page.find_element("css selector", "#begin button").click()
    captions = [element.text for element in page.find_elements("css selector", "figcaption")]
    assert captions == ["1 – bad", "5 – excellent"] * 2
    assert not page.find_element("id", "rating").is_displayed()


def test_saved_ratings_are_read_back_as_given(page: Any, downloads: Path) -> None:
    _begin(page, "Ann Müller")
    _rate(page, 1, 2, 3, 4, 5, 5)
    assert page.find_element("id", "summary").text == "You rated all 6 images."
    file = _saved(page, downloads)
    result = read_result(file)
    assert file.name == "results-Ann-Müller.json"
    assert (result.rater, result.checksum_matches) == ("Ann Müller", True)
    assert list(result.ratings.values()) == [1, 2, 3, 4, 5, 5]
    assert {trial.method for trial in result.ratings} == {"bicubic", "srgan"}


def test_can_be_rated_by_keys_alone_and_corrected(page: Any, downloads: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    _begin(page, "keys")
    _press(page, "1", "2", Keys.BACKSPACE, "3", "9", "4", "4", "4", "5")
    assert list(read_result(_saved(page, downloads)).ratings.values()) == [1, 3, 4, 4, 4, 5]


def test_goes_on_where_it_was_closed(page: Any, downloads: Path) -> None:
    _begin(page, "Bo")
    _rate(page, 5, 4)
    address = page.current_url
    page.get("about:blank")
    page.get(address)
    page.find_element("id", "rater").send_keys("Bo")
    assert "2 of 6 are rated already" in page.find_element("id", "known").text
    page.find_element("css selector", "#begin button").click()
    page.find_element("id", "ready").click()
    assert page.find_element("id", "progress").text == "Image 3 of 6"
    _rate(page, 1, 1, 1, 1)
    assert list(read_result(_saved(page, downloads)).ratings.values()) == [5, 4, 1, 1, 1, 1]


def test_skipped_images_are_missing_and_can_be_rated_later(page: Any, downloads: Path) -> None:
    _begin(page, "Cy")
    _rate(page, 2)
    page.find_element("id", "skip").click()
    _rate(page, 4)
    page.find_element("id", "pause").click()
    assert list(read_result(_saved(page, downloads)).ratings.values()) == [2, 4]
    page.find_element("id", "resume").click()
    assert page.find_element("id", "progress").text == "Image 2 of 6"


def test_each_rater_has_an_order_that_can_be_repeated(page: Any) -> None:
    orders = [page.execute_script("return shuffled(hash(arguments[0]))", name) for name in "aab"]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[2]) == list(range(6))


def test_a_motif_does_not_follow_itself_while_there_is_another(page: Any) -> None:
    order = page.execute_script("return shuffled(1)")
    motifs = [page.execute_script("return study.trials[arguments[0]].picture", i) for i in order]
    assert all(motifs[i] != motifs[i + 1] for i in range(3))


def test_names_no_method_while_rating(page: Any) -> None:
    _begin(page, "Di")
    _wait_for_image(page)
    shown = page.find_element("tag name", "main").get_attribute("outerHTML")
    assert "bicubic" not in shown
    assert "srgan" not in shown


def test_text_of_the_results_can_be_copied_instead(page: Any) -> None:
    _begin(page, "Ed")
    _rate(page, 3)
    page.find_element("id", "pause").click()
    text = page.find_element("id", "text").get_property("value")
    assert json.loads(text)["ratings"][0]["rating"] == 3


def test_no_request_leaves_the_page(
    page: Any, requests: Callable[[], set[str]], downloads: Path
) -> None:
    page.refresh()
    _begin(page, "Flo")
    _rate(page, 1, 2, 3, 4, 5, 5)
    _saved(page, downloads)
    assert requests() <= {"file", "data", "blob"}
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_fits_a_phone_without_scrolling(page: Any) -> None:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        _begin(page, "Gil")
        _wait_for_image(page)
        root = "document.documentElement"
        extent = page.execute_script(f"return [{root}.scrollWidth, {root}.scrollHeight]")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert extent == [390, 844]


def test_five_methods_by_twenty_images_are_small_and_open_at_once(
    browser: Any, tmp_path: Path
) -> None:
    methods, images = tuple("abcde"), tuple(f"p{number}" for number in range(20))
    pairs = [(method, image) for image in images for method in methods]
    trials = [StudyImage(*pair, noise(260, 260, seed)) for seed, pair in enumerate(pairs)]
    study = Study(methods, images, tuple(trials), (QualityExample(noise(64, 64), noise(64, 64)),))
    file = tmp_path / "large.html"
    file.write_text(study_page(study).html, encoding="utf-8")
    assert 20_000_000 < file.stat().st_size < LARGEST
    start = time.monotonic()
    browser.get(file.as_uri())
    _begin(browser, "Hal")
    _wait_for_image(browser)
    assert time.monotonic() - start < 3
