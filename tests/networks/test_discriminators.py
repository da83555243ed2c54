import pytest
import torch
from helpers import DISCRIMINATOR_SIZES
from torch import nn

from srgan_cli.networks import DISCRIMINATORS
from srgan_cli.networks.discriminators import GridDiscriminator, SRGANDiscriminator


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return DISCRIMINATORS[name](**DISCRIMINATOR_SIZES[name])


def test_srgans_has_the_papers_layers():
    network = SRGANDiscriminator()
    convs = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convs] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [layer.stride[0] for layer in convs] == [1, 2] * 4
    assert network.dense.in_features == 512 * 6 * 6  # of crops of 96 pixels
    assert network.dense.out_features == 1024


@pytest.mark.parametrize(("scale", "period"), [(1, 3), (2, 4), (3, 3), (4, 4), (8, 8)])
def test_verdicts_of_the_grid_move_with_whole_low_pixels_alone(scale, period):
    torch.manual_seed(0)
    network = GridDiscriminator(scale, features=4).eval()
    picture = torch.rand(1, 3, 16 * period, 16 * period)
    with torch.no_grad():
        here, there, aside = (
            network(picture.roll((by, by), (2, 3))) for by in (0, period, period - 1)
        )
    within = (..., slice(7, -6), slice(7, -6))  # of its six layers each sees one to either side
    expected = here.roll((1, 1), (2, 3))[within]
    assert torch.allclose(there[within], expected, atol=1e-6)
    assert not torch.allclose(aside[within], expected, atol=1e-3)


@pytest.mark.parametrize(("name", "sides"), [("srgan", None), ("grid", (9, 13))])
def test_crops_of_any_size_give_logits(name, sides):
    logits = build(name)(torch.rand(2, 3, 33, 50))
    assert logits.shape == ((2, 1) if sides is None else (2, 1, *sides))


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_gradients_reach_the_picture_and_every_weight(name):
    network, picture = build(name), torch.rand(2, 3, 24, 24, requires_grad=True)
    network(picture).square().sum().backward()
    assert picture.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_spectral_norm_keeps_each_layers_largest_singular_value_near_one():
    network = build("grid").train()
    for _ in range(30):
        network(torch.rand(1, 3, 16, 16))
    layers = [layer for layer in network.modules() if nn.utils.parametrize.is_parametrized(layer)]
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
        assert abs(largest - 1) < 0.05
    assert len(layers) == 6


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_saved_discriminator_judges_as_before(name):
    first, second = build(name).eval(), DISCRIMINATORS[name](**DISCRIMINATOR_SIZES[name]).eval()
    second.load_state_dict(first.state_dict())
    picture = torch.rand(1, 3, 24, 24)
    assert torch.equal(first(picture), second(picture))
