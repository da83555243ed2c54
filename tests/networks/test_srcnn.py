import pytest
import torch
from torch import nn

from srgan_cli.networks.srcnn import SRCNN
from srgan_cli.networks.vdsr import VDSR
from srgan_cli.resample import upscale_bicubic


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("f2", "expected"), [(1, 8_129), (5, 57_281)])
def test_both_forms_have_the_papers_size(f2, expected):
    assert parameters(SRCNN(f2=f2)) == expected


def test_vdsr_has_the_papers_size():
    assert parameters(VDSR()) == 665_921


def chroma(rgb: torch.Tensor) -> torch.Tensor:
    """Cb and Cr but for their offsets, BT.601."""
    weights = torch.tensor([[-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
    return torch.einsum("ij,bjhw->bihw", weights, rgb)


@pytest.mark.parametrize("network", [SRCNN(n1=4, n2=4), VDSR(depth=3, features=4)])
def test_cb_and_cr_pass_bicubic(network):
    low = torch.rand(1, 3, 6, 5)
    with torch.no_grad():
        high = network(low)
    bicubic = upscale_bicubic(low, 4)
    assert torch.allclose(chroma(high), chroma(bicubic), atol=1e-5)
    assert not torch.allclose(high, bicubic, atol=1e-3)


def test_an_srcnn_that_passes_luma_on_is_bicubic():
    network = SRCNN(scale=3, n1=1, n2=1, f1=1, f2=1, f3=1)
    for layer in network.children():
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
    low = torch.rand(1, 3, 4, 4)
    with torch.no_grad():
        assert torch.allclose(network(low), upscale_bicubic(low, 3), atol=1e-6)


def test_one_set_of_vdsr_weights_serves_every_scale():
    two, three = VDSR(scale=2, depth=3, features=4), VDSR(scale=3, depth=3, features=4)
    three.load_state_dict(two.state_dict())
    assert three(torch.rand(1, 3, 4, 4)).shape == (1, 3, 12, 12)
