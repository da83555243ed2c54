"""Too little memory, and networks that overflow: results stay right, or an error says it."""

import math

import numpy as np
import pytest
import torch
from helpers import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import Blur, Starved

from srgan_cli.errors import DeviceError, WeightsError
from srgan_cli.inference.engine import TiledEngine, once
from srgan_cli.networks import GENERATORS


@pytest.mark.parametrize("limit", [36 * 36, 80 * 80, 130 * 130])
def test_little_memory_changes_nothing_where_images_are_mirrored_less_far(limit):
    image = noise(150, 141)
    whole = TiledEngine(Blur(), tile=1000, edge_padding=1).upscale(image)
    limited = TiledEngine(Starved(Blur(), limit), tile=1000, edge_padding=1).upscale(image)
    np.testing.assert_array_equal(limited.pixels, whole.pixels)


@settings(deadline=None, max_examples=30)
@given(
    height=st.integers(1, 150),
    width=st.integers(1, 150),
    tile=st.integers(16, 200),
    limit=st.integers(36 * 36, 200 * 200),
)
def test_too_little_memory_makes_smaller_tiles_not_wrong_pixels(height, width, tile, limit):
    image = noise(height, width)
    whole = TiledEngine(Blur(), tile=1000).upscale(image)
    limited = TiledEngine(Starved(Blur(), limit), tile=tile).upscale(image)
    np.testing.assert_array_equal(limited.pixels, whole.pixels)


def test_networks_that_unshuffle_pixels_survive_too_little_memory():
    torch.manual_seed(3)
    generator = GENERATORS["rrdbnet"](scale=1, unshuffle=2, features=4, blocks=1, growth=2).eval()
    image = noise(150, 141)
    whole = TiledEngine(generator, tile=1000).upscale(image)
    limited = TiledEngine(Starved(generator, 136 * 136), tile=1000).upscale(image)
    np.testing.assert_array_equal(limited.pixels, whole.pixels)


def test_memory_for_not_even_the_smallest_tile_is_an_error():
    with pytest.raises(DeviceError, match="not enough memory on cpu"):
        TiledEngine(Starved(Blur(), 36 * 36 - 1), tile=64).upscale(noise(64, 64))


def test_the_size_that_fits_is_remembered_for_all_tiles_and_images():
    starved = Starved(Blur(), 150 * 150)
    upscaler = TiledEngine(starved, tile=256)
    upscaler.upscale(noise(512, 512))
    upscaler.upscale(noise(512, 512, seed=1))
    too_large = [sides for sides in starved.seen if math.prod(sides) > 150 * 150]
    assert too_large == [(260, 260), (132, 260)]


def test_tiles_are_halved_no_further_than_needed():
    starved = Starved(Blur(), 132 * 260)
    TiledEngine(starved, tile=256).upscale(noise(256, 256))
    assert starved.seen == [(260, 260), (132, 260), (132, 260)]


@pytest.mark.gpu
def test_a_gpu_gives_back_what_it_kept_when_its_memory_does_not_suffice(monkeypatch):
    given_back: list[None] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(None))
    TiledEngine(Starved(Blur(), 150 * 150), torch.device("cuda"), tile=256).upscale(noise(256, 256))
    assert given_back


class BadInHalf(Blur):
    """Overflows under autocast where the image is bright, as some networks do in float16."""

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        high = super().forward(low)
        bright = torch.is_autocast_enabled("cpu") and low.max() > 0.9
        return high * torch.nan if bright else high


def test_what_overflows_in_half_precision_is_done_again_in_full():
    image = noise(300, 300)
    image.pixels[:, :150] //= 2
    whole = TiledEngine(Blur()).upscale(image)
    messages: list[str] = []
    upscaler = TiledEngine(BadInHalf(), dtype=torch.bfloat16, tile=100, log=messages.append)
    np.testing.assert_array_equal(upscaler.upscale(image).pixels, whole.pixels)
    assert set(messages) == {
        "the network overflows in bfloat16: tiles in which it does are redone in float32"
    }
    assert 0 < len(messages) < 9  # dark tiles do not overflow


def test_without_anyone_to_tell_python_warns():
    with pytest.warns(UserWarning, match="overflows in bfloat16"):
        TiledEngine(BadInHalf(), dtype=torch.bfloat16).upscale(noise(9, 9))


def test_a_thing_is_said_once():
    messages: list[str] = []
    log = once(messages.append)
    for text in ("a", "b", "a", "a"):
        log(text)
    assert messages == ["a", "b"]


class Bad(Blur):
    def forward(self, low: torch.Tensor) -> torch.Tensor:
        return super().forward(low) * torch.nan


def test_a_network_that_makes_no_numbers_is_an_error_not_a_black_image():
    with pytest.raises(WeightsError, match="not numbers"):
        TiledEngine(Bad()).upscale(noise(8, 8))
