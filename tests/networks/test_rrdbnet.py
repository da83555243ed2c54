import torch
from torch import nn

from srgan_cli.networks.rrdbnet import RRDBNet, unshuffle_padded


def test_esrgans_network_has_the_papers_size_and_reach():
    network = RRDBNet()
    assert sum(parameter.numel() for parameter in network.parameters()) == 16_697_987
    assert network.receptive_field == 349  # 1 + 23 x 15 + 1 + 1/2 + 3/4, rounded up


def test_dense_blocks_start_at_a_tenth_of_he_with_zero_bias():
    torch.manual_seed(0)
    layer = RRDBNet(features=32, blocks=1, growth=16).body[0].rdb2.conv3
    he = (2 / (layer.in_channels * 9)) ** 0.5
    assert abs(layer.weight.std() / he - 0.1) < 0.01
    assert not layer.bias.any()


def test_unshuffled_networks_work_at_a_part_of_the_resolution():
    network = RRDBNet(scale=1, features=4, blocks=1, growth=2, unshuffle=4)
    assert network.conv_first.in_channels == 48
    assert unshuffle_padded(torch.rand(1, 3, 5, 9), 4).shape == (1, 48, 2, 3)
    assert network.receptive_field % network.alignment == 0


def test_an_image_grown_by_hand_gives_the_same_as_one_of_odd_sides():
    network = RRDBNet(scale=2, features=4, blocks=1, growth=2, unshuffle=2).eval()
    low = torch.rand(1, 3, 5, 7)
    grown = nn.functional.pad(low, (0, 1, 0, 1), mode="replicate")
    with torch.no_grad():
        assert torch.equal(network(low), network(grown)[..., :10, :14])
