import pytest
import torch
from torch import Tensor, nn

from srgan_cli.networks.layers import NearestConv, OutputConv, SubPixelConv, depth_to_space
from srgan_cli.networks.srresnet import SRResNet


@pytest.mark.parametrize("kernel", [1, 3, 5, 9])
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_a_convolution_on_blocks_is_the_one_on_their_pixels(kernel, factor):
    layer = OutputConv(5, 3, kernel).double()
    blocks = torch.randn(2, factor * factor * 5, 4, 3, dtype=torch.float64, requires_grad=True)
    check_alike(
        layer(depth_to_space(blocks, factor)), layer.on_blocks(blocks, factor), layer, blocks
    )


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_convolution_of_repeated_pixels_is_the_one_at_full_size(factor):
    layer = NearestConv(5, 3, factor).double()
    low = torch.randn(2, 5, 4, 3, dtype=torch.float64, requires_grad=True)
    repeated = nn.functional.interpolate(low, scale_factor=factor, mode="nearest")
    plain = nn.functional.conv2d(repeated, layer.weight, layer.bias, padding=1)
    check_alike(plain, layer(low), layer, low)


def check_alike(plain: Tensor, quick: Tensor, layer: nn.Conv2d, seen: Tensor) -> None:
    """In what they give and in what they learn."""
    torch.testing.assert_close(quick, plain)
    targets = (seen, layer.weight, layer.bias)
    upstream = torch.randn_like(plain)
    for one, other in zip(
        torch.autograd.grad(quick, targets, upstream),
        torch.autograd.grad(plain, targets, upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 6])
def test_srresnet_is_its_layers_in_a_row(scale):
    network = SRResNet(scale, features=4, blocks=1).double().eval()
    low = torch.rand(1, 3, 5, 6, dtype=torch.float64)
    shallow = network.act_first(network.conv_first(low))
    x = shallow + network.end_body(network.conv_body(network.body(shallow)))
    for up, act in zip(network.ups, network.act_ups, strict=True):
        shuffled = nn.functional.pixel_shuffle(up[0](x), up.scale)
        x = act(shuffled)
    torch.testing.assert_close(network(low), network.conv_last(x))


def test_a_sub_pixel_convolution_without_parameters_takes_no_memory() -> None:
    with torch.device("meta"):
        stage = SubPixelConv(1, 10**9, 8)  # the order of its channels alone would be 512 GB
    assert stage.order.is_meta
