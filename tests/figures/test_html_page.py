"""Images as data URLs."""

import base64
import io
import json
import re

import numpy as np
import pytest
from helpers import flat, noise
from PIL import Image as Pillow
from PIL import ImageCms

from srgan_cli.errors import ImageError
from srgan_cli.figures.html_page import ENCODINGS, Comparison, Layer, comparison_page, encode_images
from srgan_cli.images.image import Image

PLENTY = 10**9


def _decoded(url: str) -> Pillow.Image:
    return Pillow.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1])))


def test_few_images_lose_nothing() -> None:
    images = [noise(9, 7), noise(5, 5, seed=1)]
    coded = encode_images(images, PLENTY)
    assert coded.coding == "lossless WebP"
    for image, url in zip(images, coded.urls, strict=True):
        assert url.startswith("data:image/webp;base64,")
        assert np.array_equal(np.asarray(_decoded(url).convert("RGB")), image.pixels)


def test_too_many_are_all_made_jpeg_with_full_color_resolution() -> None:
    images = [noise(40, 40, seed) for seed in range(3)]
    limit = len("".join(encode_images(images, PLENTY).urls)) - 1
    coded = encode_images(images, limit)
    assert coded.coding == list(ENCODINGS)[1]
    assert sum(map(len, coded.urls)) <= limit
    assert {_decoded(url).format for url in coded.urls} == {"JPEG"}
    assert {layer[1:3] for url in coded.urls for layer in _decoded(url).layer} == {(1, 1)}


def test_more_than_fits_is_refused() -> None:
    with pytest.raises(ImageError, match="fewer or smaller"):
        encode_images([noise(40, 40)], 500)


def test_an_image_no_browser_shows_is_refused() -> None:
    with pytest.raises(ImageError, match="16384 pixels is more"):
        encode_images([flat(1, 16_384, 0)], PLENTY)


def test_sixteen_bits_and_gray_become_eight_bit_rgb() -> None:
    samples = np.array([[[0], [257], [257 * 200 + 128], [65535]]], np.uint16)
    (url,) = encode_images([Image(samples)], PLENTY).urls
    assert np.asarray(_decoded(url).convert("RGB"))[0].tolist() == [
        [0] * 3,
        [1] * 3,
        [200] * 3,
        [255] * 3,
    ]


def test_transparent_parts_show_the_gray_behind_them() -> None:
    image = Image(flat(1, 3, 255, 0, 0).pixels, np.array([[0, 128, 255]], np.uint8))
    (url,) = encode_images([image], PLENTY).urls
    shown = np.asarray(_decoded(url).convert("RGB"))[0].tolist()
    assert shown == [[128, 128, 128], [192, 64, 64], [255, 0, 0]]


def test_color_profile_is_kept_and_other_metadata_left_out() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image(noise(4, 4).pixels, icc_profile=profile, exif=b"II*\0\x08\0\0\0\0\0\0\0\0\0")
    (url,) = encode_images([image], PLENTY).urls
    assert _decoded(url).info["icc_profile"] == profile
    assert "exif" not in _decoded(url).info


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
