"""What half precision must not round."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import prelu

from srgan_cli.networks.precision import Float32PReLU, InputConv
from srgan_cli.networks.rrdbnet import RRDBNet
from srgan_cli.networks.srresnet import SRResNet

ROUNDED = 0.3
"""A slope that bfloat16 makes 0.3008."""


def sloped(slope: float = ROUNDED) -> Float32PReLU:
    layer = Float32PReLU()
    with torch.no_grad():
        layer.weight.fill_(slope)
    return layer


@torch.no_grad()
def test_a_slope_is_not_rounded_with_what_it_slopes() -> None:
    chance = torch.rand(1, 4, 64, 64, generator=torch.Generator().manual_seed(1)) - 1
    x = chance.bfloat16()
    theirs = nn.PReLU(init=ROUNDED).bfloat16()(x).float().mean() / x.float().mean()
    ours = sloped()(x).float().mean() / x.float().mean()
    assert float(ours) == pytest.approx(ROUNDED, rel=1e-4)
    assert float(theirs) != pytest.approx(ROUNDED, rel=1e-3)


def test_gradients_behind_a_slope_are_those_of_prelu() -> None:
    chance = torch.Generator().manual_seed(2)
    x = torch.randn(2, 4, 16, 16, generator=chance).bfloat16().requires_grad_()
    wanted = torch.randn(2, 4, 16, 16, generator=chance)
    ours, exact = sloped(), x.detach().float().requires_grad_()
    slope = torch.tensor([ROUNDED], requires_grad=True)
    (ours(x).float() * wanted).sum().backward()
    (prelu(exact, slope) * wanted).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad.float(), exact.grad, rtol=0.01, atol=0.01)
    torch.testing.assert_close(ours.weight.grad, slope.grad, rtol=0.01, atol=0.1)


@pytest.mark.parametrize("fused", [True, False])
def test_a_slope_that_has_changed_is_noticed(fused: bool) -> None:
    layer, x = sloped(), -torch.ones(1, 1, 2, 2, dtype=torch.bfloat16)
    before = layer(x)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.5, fused=fused)
    layer(x).float().sum().backward()
    optimizer.step()
    assert not torch.equal(layer(x), before)
    layer.eval()(x)
    layer.load_state_dict(sloped(0.75).state_dict())
    assert torch.equal(layer(x), 0.75 * x)
    layer.load_state_dict(sloped(0.5).state_dict(), assign=True)
    assert torch.equal(copy.deepcopy(layer)(x), 0.5 * x)


def test_a_input_convolution_reads_levels_as_they_are() -> None:
    layer = InputConv(3, 1, 1)
    with torch.no_grad():
        layer.weight.fill_(1 / 3)
        layer.bias.zero_()
    levels = torch.arange(256).view(1, 1, 16, 16).expand(-1, 3, -1, -1) / 255
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        seen, rounded = layer(levels), levels[:, :1].bfloat16()
    assert seen.dtype == torch.bfloat16
    assert (rounded.float() >= levels[:, :1]).all()
    torch.testing.assert_close(seen, rounded, rtol=0, atol=1e-3)


@pytest.mark.parametrize("network", [SRResNet(blocks=1), RRDBNet(blocks=1, unshuffle=2, scale=2)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_network_runs_in_the_precision_of_its_weights(network, dtype: torch.dtype) -> None:
    made = copy.deepcopy(network).to(dtype)(torch.rand(1, 3, 8, 8))
    assert made.dtype == torch.promote_types(dtype, torch.float32)
