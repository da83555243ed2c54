"""How far a deep network sees so that it shows."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from srgan_cli.images.image import Image
from srgan_cli.inference.engine import TiledEngine
from srgan_cli.networks.rrdbnet import RRDBNet
from srgan_cli.weights.container import read_weights, write_weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.measured_field import (
    CENTER,
    complete_file,
    complete_metadata,
    max_difference,
    measure_padding,
    measure_receptive_field,
    pattern_image,
)


def deep(scale: int = 2, unshuffle: int = 1) -> nn.Module:
    torch.manual_seed(1)
    network = RRDBNet(scale=scale, features=4, blocks=2, growth=2, unshuffle=unshuffle)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 4  # so that it sees far, as trained ones do
    return network.eval()


def built_in(side: int) -> Image:
    return Image(np.rint(pattern_image(side).transpose(1, 2, 0) * 255).astype(np.uint8))


def test_tiles_with_the_measured_margin_change_no_level():
    network, image = deep(), built_in(3 * CENTER)
    margin = measure_receptive_field(network)
    assert 0 < margin < network.receptive_field
    whole = TiledEngine(network, tile=1000).upscale(image).pixels
    tiled = TiledEngine(network, tile=CENTER, margin=margin).upscale(image).pixels
    np.testing.assert_array_equal(tiled, whole)
    blind = TiledEngine(network, tile=CENTER, margin=margin // 4).upscale(image).pixels
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
    assert measure_receptive_field(Lens(distance, reach)) == expected


class Border(nn.Module):
    """Bicubic that adds `levels` to what is nearer than `distance` to the image's end."""

    scale, receptive_field = 1, 20

    def __init__(self, distance: int, levels: float) -> None:
        super().__init__()
        self.distance, self.levels = distance, levels

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        inner = torch.ones_like(
            low[..., self.distance : -self.distance, self.distance : -self.distance]
        )
        at_border = 1 - nn.functional.pad(inner, (self.distance,) * 4)
        return low * (1 - at_border * self.levels / 255)


@pytest.mark.parametrize(("levels", "padding"), [(0.9, 0), (4, 8)])
def test_images_are_reflected_only_where_plain_colors_change_at_their_ends(levels, padding):
    assert measure_padding(Border(5, levels)) == padding


def test_what_may_differ_by_a_level_needs_less():
    faint = Lens(80, 300)
    faint.forward = lambda low: low + Lens(80, 300)(low) / 300  # half a level at most
    assert measure_receptive_field(faint) == 80
    assert measure_receptive_field(faint, tolerance=1) == 0


def test_margins_keep_to_what_a_network_unshuffles():
    network = deep(scale=1, unshuffle=3)
    margin = measure_receptive_field(network)
    assert margin % 3 == 0 or margin == network.receptive_field


def test_the_image_holds_all_that_matters_everywhere():
    image = pattern_image(96)
    assert image.shape == (3, 96, 96)
    assert image.min() >= 0
    assert image.max() <= 1
    np.testing.assert_array_equal(np.rint(image * 255) / np.float32(255), image)
    middle = image[:, 32:64, 32:64]
    assert middle.std() > 0.15


def test_the_reach_of_deep_networks_is_measured_once(unmeasured, tmp_path):
    said: list[str] = []
    write_weights(unmeasured, tmp_path / "deep.safetensors")
    for _ in range(2):
        complete_file(tmp_path / "deep.safetensors", said.append)
    found = read_weights(tmp_path / "deep.safetensors").metadata.measured_receptive_field
    assert found is not None
    whole = load_generator(unmeasured).receptive_field
    assert 0 <= found < whole
    assert len(said) == 1
    assert f"{whole} pixels" in said[0]


def test_of_shallow_networks_only_the_padding_is_measured_without_a_word(tiny):
    found = complete_metadata(tiny, pytest.fail)
    assert found.metadata.measured_receptive_field is None
    assert 0 <= found.metadata.reflect_padding <= load_generator(tiny).receptive_field
    assert complete_metadata(found, pytest.fail) is found


def test_the_largest_difference_is_of_all_images_and_not_hidden_by_nan(tiny):
    network, sizes = load_generator(tiny), ((6, 5), (4, 8), (3, 3))
    added = iter([0.25, 0.0, 0.125, 0.0, math.nan, 0.0])

    def run(low):
        return network(low) + next(added)

    assert max_difference(tiny, run, sizes) == pytest.approx(0.25, rel=1e-5)
    assert math.isnan(max_difference(tiny, run, sizes))
    assert max_difference(tiny, lambda low: low, sizes) == math.inf
