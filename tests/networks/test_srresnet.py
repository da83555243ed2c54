import pytest
import torch
from torch import nn

from srgan_cli.networks.srresnet import FORMS, SRResNet


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("more", "expected"),
    [({}, 1_547_350), ({"bias": True}, 1_549_462)],
)
def test_the_papers_network_has_its_size(more, expected):
    assert parameters(SRResNet(**more)) == expected


def test_the_cousin_without_batchnorm_has_its_size():
    assert parameters(SRResNet(norm=False, form="msrresnet")) == 1_517_571


def test_the_papers_receptive_field_follows_from_its_layers():
    assert SRResNet().receptive_field == 40  # 4 + 16 x 2 + 1 + 1 + 1/2 + 4/4, rounded up


def test_tanh_gives_values_in_the_range_of_images():
    network = SRResNet(features=4, blocks=1, output="tanh").eval()
    with torch.no_grad():
        network.conv_last.weight *= 1e3
        high = network(torch.rand(1, 3, 8, 8))
    assert 0 <= high.min() < 0.01
    assert 0.99 < high.max() <= 1


def test_a_silent_msrresnet_is_bilinear():
    network = SRResNet(features=4, blocks=1, norm=False, form="msrresnet")
    nn.init.zeros_(network.conv_last.weight)
    nn.init.zeros_(network.conv_last.bias)
    low = torch.rand(1, 3, 5, 5)
    bilinear = nn.functional.interpolate(low, scale_factor=4, mode="bilinear")
    with torch.no_grad():
        assert torch.equal(network(low), bilinear)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_can_do_without_batchnorm(form):
    network = SRResNet(features=4, blocks=1, norm=False, form=form)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


@pytest.mark.parametrize("wrong", [{"form": "odd"}, {"output": "sigmoid"}])
def test_unknown_forms_and_outputs_are_refused(wrong):
    with pytest.raises(ValueError, match="SRResNet"):
        SRResNet(**wrong)
