import pytest
import torch
from torch import nn

from srgan_cli.networks.compact import Compact


@pytest.mark.parametrize(
    ("convolutions", "size", "reach"), [(16, 621_424, 18), (32, 1_213_296, 34)]
)
def test_the_published_networks_have_their_sizes_and_reach(convolutions, size, reach):
    network = Compact(convolutions=convolutions)
    assert sum(parameter.numel() for parameter in network.parameters()) == size
    assert network.receptive_field == reach


def test_a_silent_network_repeats_pixels():
    network = Compact(scale=3, features=4, convolutions=1)
    nn.init.zeros_(network.body[-1].weight)
    nn.init.zeros_(network.body[-1].bias)
    low = torch.rand(1, 3, 4, 5)
    repeated = low.repeat_interleave(3, dim=2).repeat_interleave(3, dim=3)
    with torch.no_grad():
        assert torch.equal(network(low), repeated)


@pytest.mark.parametrize("activation", ["relu", "leakyrelu"])
def test_activations_without_parameters_leave_their_places_empty(activation):
    state = Compact(features=4, convolutions=1, activation=activation).state_dict()
    assert {key.split(".")[1] for key in state} == {"0", "2", "4"}


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="activation"):
        Compact(activation="gelu")
