"""The before/after page as text; its behavior is tested in a browser."""

import json
import re

import pytest
from helpers import noise

from srgan_cli.errors import ImageError
from srgan_cli.figures.comparison_page import Comparison, Layer, comparison_page


def _data(page: str) -> list[dict[str, object]]:
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return list(json.loads(found[1]))


def test_carries_every_layer_with_its_words() -> None:
    layers = (Layer("input", noise(5, 4), "4 x 5"), Layer("photo", noise(20, 16)))
    (image,) = _data(comparison_page([Comparison("bus", layers)]))
    assert (image["title"], image["width"], image["height"]) == ("bus", 16, 20)
    shown = image["layers"]
    assert isinstance(shown, list)
    assert [(layer["label"], layer["note"]) for layer in shown] == [
        ("input", "4 x 5"),
        ("photo", ""),
    ]


def test_words_cannot_break_out_of_the_page() -> None:
    evil = "</script><script>alert(1)</script>{{data}}<!--"
    layers = (Layer(evil, noise(4, 4)), Layer("b", noise(4, 4)))
    page = comparison_page([Comparison(evil, layers)], evil)
    assert "alert(1)</script>" not in page
    assert page.count("<script") == 2
    assert _data(page)[0]["title"] == evil


def test_names_that_are_not_utf8_can_be_written() -> None:
    layers = (Layer("a\udcff", noise(4, 4)), Layer("b", noise(4, 4)))
    page = comparison_page([Comparison("c\udcfe", layers)], "d\udcfd")
    assert _data(page)[0]["title"] == "c?"
    assert b"<title>d?" in page.encode()


def test_page_names_nothing_outside_itself() -> None:
    page = comparison_page([Comparison("a", (Layer("a", noise(4, 4)), Layer("b", noise(4, 4))))])
    assert "://" not in page
    assert not re.search(r"@import|url\(|(src|href)=\"(?!data:)", page)
    assert "default-src 'none'" in page


def test_layers_of_another_shape_are_refused() -> None:
    layers = (Layer("input", noise(5, 5)), Layer("photo", noise(20, 12)))
    with pytest.raises(ImageError, match="bus: input is 5 x 5, which has not the shape of 12 x 20"):
        Comparison("bus", layers)


def test_sizes_that_were_rounded_are_of_one_shape() -> None:
    assert Comparison("bus", (Layer("a", noise(33, 25)), Layer("b", noise(130, 100)))).height == 130


def test_a_single_layer_is_no_comparison() -> None:
    with pytest.raises(ImageError, match="at least two"):
        Comparison("bus", (Layer("input", noise(5, 5)),))
