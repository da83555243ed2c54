import pytest
import torch
from helpers import DISCRIMINATOR_SIZES
from torch import nn

from srgan_cli.networks import DISCRIMINATORS
from srgan_cli.networks.discriminators import SRGANDiscriminator, high_pass


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


def test_the_high_pass_is_blind_to_flat_color_and_keeps_fine_detail():
    flat = torch.rand(1, 3, 1, 1).expand(1, 3, 24, 24)
    assert high_pass(flat).abs().max() < 1e-5
    dot = torch.zeros(1, 1, 9, 9)
    dot[..., 4, 4] = 1
    assert high_pass(dot)[0, 0, 4, 4].item() == pytest.approx(10 * 24 / 25, rel=1e-5)
    assert high_pass(dot)[0, 0, 0, 0].item() == 0


def test_srgans_may_see_the_high_pass_alone():
    torch.manual_seed(0)
    network = SRGANDiscriminator(features=4, dense=8, high_pass=True).double()
    image = torch.rand(4, 3, 24, 24).double()

    def change() -> float:
        return (network(image + 0.5) - network(image)).abs().max().item()

    assert change() < 1e-9
    network.high_pass = False
    assert change() > 1e-4


@pytest.mark.parametrize(("name", "sides"), [("srgan", None), ("unet", (24, 32))])
def test_crops_of_any_size_give_logits(name, sides):
    logits = build(name)(torch.rand(2, 3, 33, 50))
    assert logits.shape == ((2, 1) if sides is None else (2, 1, *sides))


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_gradients_reach_the_image_and_every_weight(name):
    network, image = build(name), torch.rand(2, 3, 24, 24, requires_grad=True)
    network(image).square().sum().backward()
    assert image.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_spectral_norm_keeps_each_layers_largest_singular_value_near_one():
    network = build("unet").train()
    for _ in range(60):
        network(torch.rand(1, 3, 16, 16))
    layers = [layer for layer in network.modules() if nn.utils.parametrize.is_parametrized(layer)]
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
        assert abs(largest - 1) < 0.05
    assert len(layers) == 7


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_saved_discriminator_computes_as_before(name):
    first, second = build(name).eval(), DISCRIMINATORS[name](**DISCRIMINATOR_SIZES[name]).eval()
    second.load_state_dict(first.state_dict())
    image = torch.rand(1, 3, 24, 24)
    assert torch.equal(first(image), second(image))
