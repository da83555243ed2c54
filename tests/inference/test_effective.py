"""How far a deep network sees so that it shows."""

import numpy as np
import pytest
import torch
from torch import nn

from srgan_cli.images.image import Image
from srgan_cli.inference.engine import TiledEngine
from srgan_cli.inference.measured_field import CORE, effective_reach, scene
from srgan_cli.networks.rrdbnet import RRDBNet


def deep(scale: int = 2, unshuffle: int = 1) -> nn.Module:
    torch.manual_seed(1)
    network = RRDBNet(scale=scale, features=4, blocks=2, growth=2, unshuffle=unshuffle)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 4  # so that it sees far, as trained ones do
    return network.eval()


def built_in(side: int) -> Image:
    return Image(np.rint(scene(side).transpose(1, 2, 0) * 255).astype(np.uint8))


def test_tiles_with_the_measured_margin_change_no_level():
    network, image = deep(), built_in(3 * CORE)
    margin = effective_reach(network)
    assert 0 < margin < network.receptive_field
    whole = TiledEngine(network, tile=1000).upscale(image).pixels
    tiled = TiledEngine(network, tile=CORE, margin=margin).upscale(image).pixels
    np.testing.assert_array_equal(tiled, whole)
    blind = TiledEngine(network, tile=CORE, margin=margin // 4).upscale(image).pixels
    assert (blind != whole).any()


class Lens(nn.Module):
    """Adds what lies so many pixels to the right, and says that it may see farther."""

    scale = 1

    def __init__(self, distance: int, reach: int) -> None:
        super().__init__()
        self.distance, self.receptive_field = distance, reach

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        return (low + torch.roll(low, -self.distance, dims=3)) / 2


@pytest.mark.parametrize(
    ("distance", "reach", "expected"),
    [(0, 40, 0), (16, 300, 16), (17, 300, 20), (95, 300, 96), (100, 300, 100), (150, 151, 151)],
)
def test_it_is_the_farthest_pixel_that_shows_rounded_up(distance, reach, expected):
    assert effective_reach(Lens(distance, reach)) == expected


def test_what_may_differ_by_a_level_needs_less():
    faint = Lens(80, 300)
    faint.forward = lambda low: low + Lens(80, 300)(low) / 300  # half a level at most
    assert effective_reach(faint) == 80
    assert effective_reach(faint, tolerance=1) == 0


def test_margins_keep_to_what_a_network_unshuffles():
    network = deep(scale=1, unshuffle=3)
    margin = effective_reach(network)
    assert margin % 3 == 0 or margin == network.receptive_field


def test_the_picture_holds_all_that_matters_everywhere():
    picture = scene(96)
    assert picture.shape == (3, 96, 96)
    assert picture.min() >= 0
    assert picture.max() <= 1
    np.testing.assert_array_equal(np.rint(picture * 255) / np.float32(255), picture)
    middle = picture[:, 32:64, 32:64]
    assert middle.std() > 0.15
