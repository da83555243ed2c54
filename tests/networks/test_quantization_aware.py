"""Rounding in training is the rounding of int8."""

import copy

import pytest
import torch

from srgan_cli.networks.calibration import calibrate
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.int8 import Int8Fast, operators_work
from srgan_cli.networks.quantization_aware import FakeQuantization, QuantizationAware

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
def test_outputs_are_those_of_int8(network, images) -> None:
    calibration = calibrate(network, images)
    trained = QuantizationAware(network, calibration).eval()
    quantized = Int8Fast(network, calibration, torch.float32)
    with torch.inference_mode():
        differences = [(trained(image) - quantized(image)).abs().mean() for image in images]
        rounded_away = [(network(image) - quantized(image)).abs().mean() for image in images]
    assert max(differences) < min(rounded_away) / 10


def test_in_training_both_outputs_are_made(network, images) -> None:
    trained = QuantizationAware(network, calibrate(network, images))
    quantized, exact = trained(images[0]).chunk(2)
    assert torch.equal(exact, network(images[0]))
    assert torch.equal(quantized, trained.eval()(images[0]))
    assert 0 < (quantized - exact).square().mean() < exact.square().mean() / 100


def test_weights_and_ranges_get_a_gradient(network, images) -> None:
    trained = QuantizationAware(network, calibrate(network, images))
    trained(images[0]).square().mean().backward()
    without = [name for name, p in trained.named_parameters() if not p.grad.any()]
    assert without == []


def test_the_calibration_comes_back_and_follows_the_trained_ranges(network, images) -> None:
    calibration = calibrate(network, images)
    trained = copy.deepcopy(QuantizationAware(network, calibration))
    before = trained.calibration()
    assert before.scales == calibration.scales
    assert torch.allclose(torch.tensor(before.ranges), torch.tensor(calibration.ranges), rtol=1e-5)
    with torch.no_grad():
        trained.inputs[0].logs += 0.01
    low, high = trained.calibration().ranges[0]
    assert (low, high) == pytest.approx([end * 1.10517 for end in before.ranges[0]], rel=1e-4)


def test_zero_stays_zero_and_what_is_out_of_range_is_clipped() -> None:
    inputs = FakeQuantization((-1.0, 2.0), (1.0, 0.5))
    given = torch.tensor([0.0, 9.0, -9.0, 0.25]).view(1, 1, 4, 1).expand(1, 2, 4, 1)
    made = inputs(given).detach()
    assert made[0, :, 0].tolist() == [[0.0], [0.0]]
    assert made[0, 0].flatten().tolist() == pytest.approx([0, 2, -1, 0.25], abs=0.01)
    assert made[0, 1].flatten()[3] == pytest.approx(0.5, abs=0.01)


def test_an_empty_range_gives_zeros() -> None:
    assert not FakeQuantization((0.0, 0.0), (1.0,))(torch.zeros(1, 1, 2, 2)).any()
