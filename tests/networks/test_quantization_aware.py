"""Rounding in training is the rounding of int8."""

import copy

import pytest
import torch

from srgan_cli.networks.calibration import calibrate
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.int8 import Int8Fast, operators_work
from srgan_cli.networks.quantization_aware import (
    FakeQuantization,
    QuantizationAware,
    round_weights_,
)

needs_int8 = pytest.mark.skipif(not operators_work(), reason="no int8 here")


@pytest.fixture
def network() -> Fast:
    torch.manual_seed(0)
    made = Fast(scale=4, features=8, blocks=2, thin=4, negative_slope=0.1, binomial=True)
    for parameter in made.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    return made


@pytest.fixture
def images() -> list[torch.Tensor]:
    return [torch.rand(1, 3, 24, 20, generator=torch.Generator().manual_seed(i)) for i in range(3)]


@needs_int8
def test_outputs_are_those_of_int8_with_rounded_weights(network, images) -> None:
    calibration = calibrate(network, images)
    round_weights_(network, calibration)
    trained = QuantizationAware(network, calibration)
    quantized = Int8Fast(network, calibration, torch.float32)
    with torch.inference_mode():
        differences = [(trained(image) - quantized(image)).abs().mean() for image in images]
        rounded_away = [(network(image) - quantized(image)).abs().mean() for image in images]
    assert max(differences) < min(rounded_away) / 10


@needs_int8
@torch.inference_mode()
def test_rounded_weights_bring_int8_nearer_and_survive_half_precision(network, images) -> None:
    calibration = calibrate(network, images)

    def error(one: Fast) -> float:
        quantized = Int8Fast(one, calibration, torch.float32)
        return sum(float((one(image) - quantized(image)).square().mean()) for image in images)

    rounded = copy.deepcopy(network)
    round_weights_(rounded, calibration)
    half = copy.deepcopy(rounded)
    for parameter in half.parameters():
        parameter.copy_(parameter.half())
    assert error(rounded) < 0.9 * error(network)
    assert error(half) < 1.05 * error(rounded)
    twice = copy.deepcopy(rounded)
    round_weights_(twice, calibration)
    for once, again in zip(rounded.parameters(), twice.parameters(), strict=True):
        torch.testing.assert_close(once, again)
    for given, made in zip(network.parameters(), rounded.parameters(), strict=True):
        assert (given - made).norm() <= given.norm() / 50


def test_ranges_and_scales_get_a_gradient_and_weights_none(network, images) -> None:
    trained = QuantizationAware(network, calibrate(network, images))
    trained(images[0]).square().mean().backward()
    without = [name for name, p in trained.named_parameters() if p.grad is None]
    assert without == [f"network.{name}" for name, _ in network.named_parameters()]
    assert all(part.logs.grad.any() and part.channel_logs.grad.any() for part in trained.inputs)
    assert not [p for p in network.parameters() if p.requires_grad]


def test_the_network_is_left_as_it_was(network, images) -> None:
    expected = network(images[0]).detach()
    trained = QuantizationAware(network, calibrate(network, images))
    assert not torch.equal(trained(images[0]), expected)
    assert torch.equal(network(images[0]), expected)


def test_the_calibration_comes_back_and_follows_the_trained_ranges(network, images) -> None:
    calibration = calibrate(network, images)
    trained = copy.deepcopy(QuantizationAware(network, calibration))
    before = trained.calibration()
    assert before.scales == calibration.scales
    assert torch.allclose(torch.tensor(before.ranges), torch.tensor(calibration.ranges), rtol=1e-5)
    with torch.no_grad():
        trained.inputs[0].logs += 0.1
        trained.inputs[0].channel_logs += 0.1
    made = trained.calibration()
    assert made.ranges[0] == pytest.approx([end * 1.10517 for end in before.ranges[0]], rel=1e-4)
    assert made.scales[0] == pytest.approx([s * 1.10517 for s in before.scales[0]], rel=1e-3)


def test_zero_stays_zero_and_what_is_out_of_range_is_clipped() -> None:
    inputs = FakeQuantization((-1.0, 2.0), (1.0, 0.5))
    given = torch.tensor([0.0, 9.0, -9.0, 0.25]).view(1, 1, 4, 1).expand(1, 2, 4, 1)
    made = inputs(given).detach()
    assert made[0, :, 0].tolist() == [[0.0], [0.0]]
    assert made[0, 0].flatten().tolist() == pytest.approx([0, 2, -1, 0.25], abs=0.01)
    assert made[0, 1].flatten().tolist() == pytest.approx([0, 1, -0.5, 0.25], abs=0.01)


def test_an_empty_range_gives_zeros() -> None:
    assert not FakeQuantization((0.0, 0.0), (1.0,))(torch.zeros(1, 1, 2, 2)).any()
