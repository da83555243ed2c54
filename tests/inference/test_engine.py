"""Tiles give what the whole image gives; depth, alpha and metadata are kept."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import Blur, Starved
from torch import nn

from srgan_cli.images.image import Image
from srgan_cli.inference.engine import TiledEngine, read_context
from srgan_cli.inference.row_streams import ImageSource
from srgan_cli.inference.tiling import Box
from srgan_cli.networks import GENERATORS

TINY = {
    "fast": {"features": 4, "blocks": 1, "thin": 2},
    "srcnn": {},
    "vdsr": {"features": 4, "depth": 4},
    "srresnet": {"features": 4, "blocks": 1},
    "rrdbnet": {"features": 4, "blocks": 1, "growth": 2},
    "compact": {"features": 4, "convolutions": 2},
}


def tiny_generator(name: str, scale: int = 2) -> nn.Module:
    torch.manual_seed(3)
    network = GENERATORS[name](scale=scale, **TINY[name])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.2)
    return network.eval()


def test_every_generator_is_tried():
    assert TINY.keys() == GENERATORS.keys()


@pytest.mark.parametrize("name", GENERATORS)
@settings(max_examples=4, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), tile=st.integers(5, 40))
def test_tiles_give_what_the_whole_image_gives(name, height, width, tile):
    generator, image = tiny_generator(name), noise(height, width)
    whole = TiledEngine(generator, tile=1000).upscale(image)
    tiled = TiledEngine(generator, tile=tile).upscale(image)
    assert whole.pixels.shape == (2 * height, 2 * width, 3)
    np.testing.assert_array_equal(tiled.pixels, whole.pixels)


@pytest.mark.parametrize("unshuffle", [2, 4])
def test_networks_that_unshuffle_pixels_leave_no_seams_either(unshuffle):
    torch.manual_seed(3)
    generator = GENERATORS["rrdbnet"](scale=1, unshuffle=unshuffle, **TINY["rrdbnet"]).eval()
    image = noise(37, 41)
    whole = TiledEngine(generator, tile=1000).upscale(image)
    tiled = TiledEngine(generator, tile=9).upscale(image)
    np.testing.assert_array_equal(tiled.pixels, whole.pixels)


@pytest.mark.parametrize("name", GENERATORS)
def test_in_float64_tiles_differ_by_rounding_alone(name):
    generator = tiny_generator(name).double()
    source = ImageSource(noise(23, 31))
    reach = generator.receptive_field

    def run(box: Box) -> torch.Tensor:
        low = torch.from_numpy(read_context(source, box.padded(reach), reach) / 255.0)
        with torch.no_grad():
            high = generator(low.permute(2, 0, 1)[None])
        edge = 2 * reach
        return high[0, :, edge : high.shape[2] - edge, edge : high.shape[3] - edge]

    whole = run(Box(0, 0, 23, 31))
    tile = run(Box(5, 8, 18, 20))
    torch.testing.assert_close(tile, whole[:, 10:36, 16:40], rtol=1e-5, atol=1e-6)


def test_a_context_that_is_too_small_shows_seams():
    whole = TiledEngine(Blur(), tile=1000).upscale(noise(37, 50))
    tiled = TiledEngine(Blur(), tile=16, margin=1).upscale(noise(37, 50))
    assert (tiled.pixels != whole.pixels).any()


def test_an_image_is_mirrored_no_farther_beyond_its_edges_than_it_shows():
    far = Starved(Blur(), 10**6)
    far.receptive_field = 50
    for upscaler in (
        TiledEngine(far, tile=1000),
        TiledEngine(far, tile=1000, edge_padding=3),
        TiledEngine(far, tile=1000, edge_padding=3, margin=2),
    ):
        upscaler.upscale(noise(150, 200))
    assert far.seen == [(250, 300), (156, 206), (154, 204)]


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize(("sides", "edge"), [((3, 200), 1), ((37, 41), 0), ((150, 140), 1)])
def test_tiles_leave_no_seams_where_images_are_mirrored_less_far_than_networks_look(
    name, sides, edge
):
    generator, image = tiny_generator(name), noise(*sides)
    whole = TiledEngine(generator, tile=1000, edge_padding=edge).upscale(image)
    for tile in (16, 64):
        tiled = TiledEngine(generator, tile=tile, edge_padding=edge).upscale(image)
        np.testing.assert_array_equal(tiled.pixels, whole.pixels)


def test_the_border_is_no_darker_than_the_middle():
    flat = Image(np.full((20, 20, 3), 200, np.uint8))
    assert (TiledEngine(Blur()).upscale(flat).pixels == 200).all()


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_bit_depth_is_kept_even_in_a_dark_image(depth):
    dark = Image((noise(9, 9).pixels // 16).astype(depth))
    bright = TiledEngine(Blur()).upscale(dark)
    assert bright.pixels.dtype == depth
    assert bright.pixels.max() <= dark.pixels.max()


def test_a_gray_image_comes_out_gray():
    gray = noise(12, 12).pixels[..., :1]
    generator = tiny_generator("fast")
    one = TiledEngine(generator).upscale(Image(gray)).pixels
    three = TiledEngine(generator).upscale(Image(np.repeat(gray, 3, axis=2))).pixels
    assert one.shape == (24, 24, 1)
    np.testing.assert_array_equal(three, np.repeat(one, 3, axis=2))


@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_grows_with_the_image(channels):
    image = noise(12, 10)
    alpha = np.zeros((12, 10), np.uint8)
    alpha[6:] = 255
    faded = Image(image.pixels[..., :channels], alpha)
    upscaled = TiledEngine(Blur(), tile=5).upscale(faded)
    assert upscaled.alpha is not None
    assert upscaled.pixels.shape == (24, 20, channels)
    assert (upscaled.alpha[:8] == 0).all()
    assert (upscaled.alpha[16:] == 255).all()


def test_metadata_passes_through():
    image = replace(noise(4, 4), icc_profile=b"profile", dpi=(72.0, 72.0))
    upscaled = TiledEngine(Blur()).upscale(image)
    assert upscaled.icc_profile == b"profile"
    assert upscaled.dpi == (72.0, 72.0)


def test_progress_counts_the_tiles():
    seen: list[tuple[int, int]] = []
    TiledEngine(Blur(), tile=16).upscale(noise(20, 40), lambda *step: seen.append(step))
    assert seen == [(i, 6) for i in range(1, 7)]


FORKED = """
import os
import signal
import torch
from small_networks import random_weights
from helpers import noise
from srgan_cli.inference.engine import TiledEngine
from srgan_cli.weights.loading import load_generator
torch.set_num_threads(2)
sizes = {"scale": 2, "features": 16, "convolutions": 2}
engine = TiledEngine(load_generator(random_weights("compact", sizes)), tile=64)
image = noise(96, 96)
whole = engine.upscale(image).pixels
child = os.fork()
if child == 0:
    signal.alarm(120)  # what waits for ever is ended
    os._exit(0 if (engine.upscale(image).pixels == whole).all() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system knows no fork")
def test_a_forked_process_upscales_as_its_parent_did() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "0\n", done.stderr
