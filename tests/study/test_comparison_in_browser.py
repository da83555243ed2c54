"""The before/after page in a real browser, opened from a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import flat, noise

from srgan_cli.figures.html_page import Comparison, Layer, comparison_page

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Any:
    """Two images, the first red on the left and blue on the right with noise between them."""
    red, blue = flat(50, 100, 255, 0, 0), flat(200, 400, 0, 0, 255)
    first = (Layer("input", red, "100 x 50"), Layer("grain", noise(200, 400)), Layer("best", blue))
    second = (Layer("input", noise(30, 20)), Layer("best", noise(60, 40)))
    comparisons = [Comparison("bus", first), Comparison("ant", second)]
    file = tmp_path / "page.html"
    file.write_text(comparison_page(comparisons, "Two <b>images"), encoding="utf-8")
    browser.get(file.as_uri())
    _settle(browser)
    return browser


def _settle(browser: Any) -> None:
    browser.execute_async_script(
        "Promise.all([...document.images].map((i) => i.decode())).then(arguments[0])"
    )


def _split(browser: Any) -> float:
    return float(browser.execute_script("return document.getElementById('split').value"))


def _divider(browser: Any) -> float:
    """Where it is drawn, in percent of the image on the screen."""
    return float(
        browser.execute_script(
            "const box = (id) => document.getElementById(id).getBoundingClientRect();"
            "const [line, image] = [box('divider'), box('left-image')];"
            "return 100 * (line.left + line.width / 2 - image.left) / image.width;"
        )
    )


def _zoom(browser: Any) -> int:
    return int(browser.find_element("id", "zoom").text.removesuffix(" %"))


def _tag(browser: Any, side: str) -> str:
    return str(browser.find_element("id", f"{side}-tag").text)


def _drag(browser: Any, kind: str, *path: tuple[int, int]) -> None:
    """From point to point, relative to the middle of the stage, by "mouse" or "touch"."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    stage = browser.find_element("id", "stage")
    actions = ActionBuilder(browser, mouse=PointerInput(kind, kind), duration=20)
    actions.pointer_action.move_to(stage, *path[0]).pointer_down()
    for point in path[1:]:
        actions.pointer_action.move_to(stage, *point)
    actions.pointer_action.pointer_up()
    actions.perform()


def _pinch(browser: Any, before: int, after: int) -> None:
    """Two fingers, so far from the middle of the stage before and after."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    stage = browser.find_element("id", "stage")
    actions = ActionBuilder(browser, mouse=PointerInput("touch", "one"), duration=20)
    other = actions.add_pointer_input("touch", "two")
    for finger, sign in ((actions.pointer_action.source, 1), (other, -1)):
        finger.create_pointer_move(x=sign * before, y=0, origin=stage)
        finger.create_pointer_down(button=0)
        finger.create_pointer_move(x=sign * after, y=0, origin=stage)
        finger.create_pointer_up(button=0)
    actions.perform()


def test_begins_with_the_first_and_the_last_layer_side_by_side(page: Any) -> None:
    assert page.title == "Two <b>images"
    assert (_tag(page, "left"), _tag(page, "right")) == ("input\n100 x 50", "best")
    assert _split(page) == 50
    assert _divider(page) == pytest.approx(50, abs=0.5)


@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_divider_follows_a_drag(page: Any, kind: str) -> None:
    _drag(page, kind, (0, 0), (50, 10), (100, 20))
    width = page.find_element("id", "left-image").size["width"]
    assert _split(page) == pytest.approx(50 + 100 * 100 / width, abs=0.5)
    assert _divider(page) == pytest.approx(_split(page), abs=0.5)


def test_divider_shows_the_left_image_on_its_left(page: Any) -> None:
    _drag(page, "mouse", (0, 0), (60, 0))
    clips = [
        page.find_element("id", f"{side}-image").value_of_css_property("clip-path")
        for side in ("left", "right")
    ]
    width = page.find_element("id", "left-image").size["width"]
    shown = width / 2 + 60
    assert clips[0].startswith(f"inset(0px {width - shown:.0f}")
    assert clips[1].startswith(f"inset(0px 0px 0px {shown:.0f}")


def test_divider_moves_by_keys(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    page.find_element("id", "split").send_keys(Keys.HOME)
    assert _divider(page) == pytest.approx(0, abs=0.5)
    page.find_element("id", "stage").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert _split(page) == 4
    spoken = page.find_element("id", "split").get_attribute("aria-valuetext")
    assert spoken == "4 % input, 96 % best"


def test_any_layer_can_be_on_either_side(page: Any) -> None:
    page.find_element("css selector", "#left option[value='1']").click()
    assert (_tag(page, "left"), _tag(page, "right")) == ("grain", "best")
    page.find_element("id", "swap").click()
    assert (_tag(page, "left"), _tag(page, "right")) == ("best", "grain")
    assert page.find_element("id", "left-image").get_attribute("alt") == "bus, left: best"


def test_another_image_keeps_the_chosen_methods_it_has(page: Any) -> None:
    page.find_element("id", "swap").click()
    page.find_element("id", "next").click()
    assert (_tag(page, "left"), _tag(page, "right")) == ("best", "input")
    assert not page.find_element("id", "next").is_enabled()


def test_zooms_by_buttons_keys_wheel_and_pinch(page: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    stage = page.find_element("id", "stage")
    page.find_element("id", "full").click()
    assert _zoom(page) == 100
    stage.send_keys("+")
    assert _zoom(page) == 125
    origin = ScrollOrigin.from_element(stage)
    ActionChains(page).scroll_from_origin(origin, 0, -300).perform()
    assert _zoom(page) == pytest.approx(125 * 1.0015**300, abs=1)
    stage.send_keys("1")
    _pinch(page, 50, 150)
    assert _zoom(page) == pytest.approx(300, abs=12)
    stage.send_keys("0")
    assert _divider(page) == pytest.approx(50, abs=0.5)


def test_enlarged_image_is_dragged_within_its_edges(page: Any) -> None:
    stage = page.find_element("id", "stage")
    stage.send_keys("1", *"+" * 9)
    assert (
        page.find_element("id", "left-image").value_of_css_property("image-rendering")
        == "pixelated"
    )
    before = page.find_element("id", "left-image").rect["x"]
    _drag(page, "mouse", (200, 100), (150, 100))
    assert page.find_element("id", "left-image").rect["x"] == pytest.approx(before - 50, abs=1)
    assert _split(page) == 50
    for _ in range(6):
        _drag(page, "touch", (-400, 100), (400, 100))
    assert page.find_element("id", "left-image").rect["x"] == pytest.approx(stage.rect["x"], abs=1)


def test_fits_a_phone_without_scrolling_sideways(page: Any) -> None:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        width = page.execute_script("return document.documentElement.scrollWidth")
        image = page.find_element("id", "left-image").rect
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width == 390
    assert image["x"] >= 0
    assert image["x"] + image["width"] <= 390


def test_no_request_leaves_the_page(page: Any, requests: Callable[[], set[str]]) -> None:
    page.refresh()
    page.find_element("id", "next").click()
    _settle(page)
    assert requests() <= {"file", "data"}
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_every_control_has_a_name(page: Any) -> None:
    controls = page.find_elements("css selector", "button, select, input, [tabindex]")
    assert [control.tag_name for control in controls if not control.accessible_name] == []
