"""What holds for every generator, on tiny ones."""

import pytest
import torch
from torch import nn

from srgan_cli.networks import GENERATORS

TINY = {
    "srcnn": {"n1": 3, "n2": 2, "f1": 5, "f2": 1, "f3": 3},
    "vdsr": {"depth": 3, "features": 3},
    "srresnet": {"features": 4, "blocks": 1},
    "rrdbnet": {"features": 3, "blocks": 1, "growth": 2},
    "compact": {"features": 4, "convolutions": 2},
}
FORMS = [
    ("srresnet", {"form": form, "norm": form in ("paper", "closing-prelu"), "scale": 2})
    for form in ("closing-prelu", "msrresnet", "early", "early-nearest")
]
UNSHUFFLED = [("rrdbnet", {"scale": scale, "unshuffle": 4 // scale}) for scale in (1, 2)]
EVERY = [(name, {"scale": scale}) for name in TINY for scale in (1, 2, 3, 4)] + FORMS + UNSHUFFLED


def build(name: str, more: dict) -> nn.Module:
    torch.manual_seed(0)
    return GENERATORS[name](**{**TINY[name], **more}).eval()


def opened(network: nn.Module) -> nn.Module:
    """In float64, with positive weights: whatever comes in goes on to all it can reach."""
    for parameter in network.double().parameters():
        nn.init.uniform_(parameter, 0.1, 1.0)
        if parameter.dim() == 4:
            parameter.data /= parameter[0].numel() / 2
    return network


def farthest_change(network: nn.Module, side: int, at: int) -> int:
    """In low-resolution pixels, from the one changed."""
    low = torch.rand(1, 3, side, side, dtype=torch.float64)
    other = low.clone()
    other[..., at, at] += 1e4
    with torch.no_grad():
        changed = (network(low) != network(other)).any(dim=1)[0]
    rows, columns = (places // network.scale - at for places in changed.nonzero().T)
    return int(torch.maximum(rows.abs(), columns.abs()).max())


@pytest.mark.parametrize(("name", "more"), EVERY)
def test_one_pixel_is_seen_as_far_as_the_reach_and_no_farther(name, more):
    network = opened(build(name, more))
    alignment = getattr(network, "alignment", 1)
    at = network.receptive_field + 1
    farthest = max(farthest_change(network, 2 * at + 4, at + shift) for shift in range(alignment))
    assert network.receptive_field - alignment <= farthest <= network.receptive_field


@pytest.mark.parametrize(("name", "more"), EVERY)
def test_the_result_is_scale_times_larger_for_any_sides(name, more):
    network = build(name, more)
    for height, width in ((1, 1), (5, 7)):
        with torch.no_grad():
            high = network(torch.rand(2, 3, height, width))
        assert high.shape == (2, 3, height * network.scale, width * network.scale)
        assert high.isfinite().all()


@pytest.mark.parametrize("name", TINY)
def test_a_scale_below_one_is_refused(name):
    with pytest.raises(ValueError, match=r"scale|integer"):
        build(name, {"scale": 0})


@pytest.mark.parametrize("more", [{}, {"scale": 5}])
@pytest.mark.parametrize("name", TINY)
def test_the_state_dict_loads_into_another_of_the_same_sizes(name, more):
    first, second = build(name, more), GENERATORS[name](**{**TINY[name], **more}).eval()
    second.load_state_dict(first.state_dict())
    low = torch.rand(1, 3, 4, 4)
    assert torch.equal(first(low), second(low))


@pytest.mark.parametrize("name", TINY)
def test_float64_stays_float64(name):
    high = build(name, {}).double()(torch.rand(1, 3, 4, 4, dtype=torch.float64))
    assert high.dtype == torch.float64


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("way", ["weights", "autocast"])
def test_half_precision_stays_near_and_gives_float32(name, way):
    network, low = build(name, {}), torch.rand(1, 3, 6, 6)
    with torch.no_grad():
        exact = network(low)
        if way == "weights":
            rough = network.bfloat16()(low)
        else:
            with torch.autocast("cpu", torch.bfloat16):
                rough = network(low)
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().max() < 0.02


@pytest.mark.parametrize("name", ["vdsr", "compact"])
@pytest.mark.parametrize("way", ["weights", "autocast"])
def test_the_base_keeps_float32_in_half_precision(name, way):
    network, low = build(name, {}), torch.rand(1, 3, 6, 6)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        base = network(low)
        if way == "weights":
            assert torch.equal(network.bfloat16()(low), base)
        else:
            with torch.autocast("cpu", torch.bfloat16):
                assert torch.equal(network(low), base)


@pytest.mark.parametrize("name", ["srcnn", "srresnet", "rrdbnet"])
def test_the_last_convolution_runs_in_float32_behind_half_precision(name):
    network = build(name, {})
    last = network.conv3 if name == "srcnn" else network.conv_last
    seen = torch.rand(1, last.in_channels, 8, 8).bfloat16()
    with torch.no_grad():
        exact = last(seen.float())
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(last(seen), exact)
