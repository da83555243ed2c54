"""Integer convolutions against the same sums in float32."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, leaky_relu

from srgan_cli.networks.calibration import Calibration, calibrate, int8_layers
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.int8 import (
    Int8Conv,
    Int8Fast,
    Quantization,
    int8_problem,
    operators_work,
    weight_steps,
)
from srgan_cli.networks.srcnn import SRCNN

needs_int8 = pytest.mark.skipif(
    int8_problem(Fast(features=4, blocks=1, thin=2)) is not None, reason="no int8 here"
)


def network(slope: float, binomial: bool = True) -> Fast:
    torch.manual_seed(1)
    made = Fast(4, 16, 3, 4, negative_slope=slope, binomial=binomial)
    nn.init.normal_(made.to_rgb.weight, std=0.05)
    return made.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def image(side: int = 48, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    made = torch.rand(1, 3, side, side + 5, generator=generator)
    return made.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("values", [(-1.0, 3.0), (0.0, 2.0), (-5.0, 0.0), (0.5, 1.0), (0.0, 0.0)])
@needs_int8
def test_zero_and_the_range_are_represented(values):
    quantization = Quantization.of_range(values)
    x = torch.tensor([0.0, *values]).view(1, 3, 1, 1)
    back = (quantization.quantize(x).float() - quantization.zero_point) * quantization.scale
    assert back[0, 0] == 0
    torch.testing.assert_close(back, x, rtol=0, atol=quantization.scale / 1.9)


@needs_int8
def test_what_is_out_of_range_is_clipped():
    quantized = Quantization.of_range((-1.0, 1.0)).quantize(torch.tensor([-9.0, 9.0]))
    assert quantized.tolist() == [0, 255]


@needs_int8
@torch.inference_mode()
def test_a_convolution_is_that_of_the_rounded_numbers_borders_included():
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 8, 3, padding=1)
    inputs = Quantization.of_range((-2.0, 3.0))
    x = torch.randn(1, 16, 9, 11).contiguous(memory_format=torch.channels_last)
    integers = inputs.quantize(x)
    made = Int8Conv(layer, inputs)(integers)
    scale = weight_steps(layer.weight).view(-1, 1, 1, 1)
    weight = (layer.weight / scale).round() * scale
    rounded = (integers.float() - inputs.zero_point) * inputs.scale
    torch.testing.assert_close(made, conv2d(rounded, weight, layer.bias, padding=1))


@needs_int8
@pytest.mark.parametrize("slope", [0.0, 0.1])
@torch.inference_mode()
def test_an_activation_is_rounded_to_its_own_range(slope):
    torch.manual_seed(0)
    inputs, outputs = Quantization.of_range((-3.0, 3.0)), Quantization.of_range((-1.0, 1.5))
    x = torch.randn(1, 16, 9, 11).clamp(-3, 3).contiguous(memory_format=torch.channels_last)
    layer = nn.Conv2d(16, 16, 3, padding=1)
    made = Int8Conv(layer, inputs).with_activation(x, slope, outputs)
    assert made.dtype == torch.uint8
    back = (made.float() - outputs.zero_point) * outputs.scale
    expected = leaky_relu(layer(x), slope)
    assert (expected > 1.5).any()
    torch.testing.assert_close(back, expected.clamp(-1.0, 1.5), atol=0.05, rtol=0.02)


@needs_int8
@pytest.mark.parametrize("floats", [frozenset(), frozenset({0, 3}), frozenset({1, 2, 4, 6})])
@torch.inference_mode()
def test_factors_of_channels_cancel_from_layer_to_layer(floats):
    net = network(slope=0.1, binomial=True)
    even = calibrate(net, [image()])
    plain = replace(even, scales=tuple((1.0,) * len(row) for row in even.scales))
    torch.manual_seed(1)
    scales = [(torch.rand(len(row)) + 0.5).tolist() for row in even.scales]
    wide = [(3 * low, 3 * high) for low, high in even.ranges]
    divided = replace(even, scales=tuple(map(tuple, scales)), ranges=tuple(wide), floats=floats)
    expected = net(image())
    for calibration in (plain, divided):
        made = Int8Fast(net, calibration, torch.float32)(image())
        torch.testing.assert_close(made, expected, atol=0.02, rtol=0)


@needs_int8
def test_a_channel_of_zeros_stays_zero():
    layer = nn.Conv2d(4, 4, 3, padding=1, bias=False)
    nn.init.zeros_(layer.weight[1])
    inputs = Quantization(0.01, 0)
    with torch.inference_mode():
        made = Int8Conv(layer, inputs)(inputs.quantize(torch.rand(1, 4, 5, 5)))
    assert made.isfinite().all()
    assert not made[:, 1].any()


@needs_int8
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("binomial", [False, True])
@pytest.mark.parametrize("slope", [0.0, 0.1])
@torch.inference_mode()
def test_a_network_in_int8_is_close_to_float32(slope, dtype, binomial):
    net = network(slope, binomial)
    calibration = calibrate(net, [image(seed=1)])
    quantized = Int8Fast(net, calibration, dtype)
    expected, made = net(image()), quantized(image())
    detail = expected - Fast(4, 16, 3, 4).eval()(image())  # a new network is bicubic alone
    psnr = -10 * torch.log10((made - expected).square().mean())
    share = (made - expected).square().mean() / detail.square().mean()
    assert made.dtype == torch.float32
    assert psnr > 54
    assert share < 1e-3
    assert (made != expected).any()


@needs_int8
@pytest.mark.parametrize("scale", [1, 3])
@torch.inference_mode()
def test_other_scales_run_in_int8(scale):
    torch.manual_seed(2)
    net = Fast(scale, 8, 1, 4, negative_slope=0.1, binomial=True).eval()
    nn.init.normal_(net.to_rgb.weight, std=0.05)
    quantized = Int8Fast(net, calibrate(net, [image()]), torch.float32)
    difference = quantized(image()) - net(image())
    assert 0 < difference.abs().max() < 0.02


def test_ranges_are_those_of_the_inputs_of_the_body():
    ranges = calibrate(network(0.1), [image(), image(seed=1)]).ranges
    assert len(ranges) == 2 * 3 + 1 + 2  # blocks, their last convolution, two stages
    assert all(low <= 0 <= high for low, high in ranges)
    assert all(low < 0 for low, _ in ranges)  # behind a LeakyReLU as well
    assert all(low == 0 for low, _ in calibrate(network(0.0), [image()]).ranges[1:6:2])


def psnr(net: Fast, quantized: nn.Module) -> float:
    error = (net(image()) - quantized(image())).square().mean()
    return float(-10 * torch.log10(error))


@needs_int8
@torch.inference_mode()
def test_channels_of_very_different_size_cost_little_once_they_are_equalized():
    net = network(0.1)
    even = psnr(net, Int8Fast(net, calibrate(net, [image()]), torch.float32))
    factors = 10 ** torch.linspace(-1, 1, 16)
    net.head.weight *= factors.view(-1, 1, 1, 1)
    net.head.bias *= factors
    for block in net.body:
        block.conv1.weight /= factors.view(1, -1, 1, 1)
        block.conv2.weight *= factors.view(-1, 1, 1, 1)
        block.conv2.bias *= factors
    net.body_end.weight *= factors.view(-1, 1, 1, 1) / factors.view(1, -1, 1, 1)
    net.body_end.bias *= factors
    net.up[0][0].weight /= factors.view(1, -1, 1, 1)
    calibration = calibrate(net, [image()])
    plain = Calibration(calibration.ranges, tuple((1.0,) * len(row) for row in calibration.scales))
    uneven = psnr(net, Int8Fast(net, calibration, torch.float32))
    assert uneven > even - 10
    assert psnr(net, Int8Fast(net, plain, torch.float32)) < uneven - 6


@needs_int8
@pytest.mark.parametrize("slope", [0.0, 0.1])
@torch.inference_mode()
def test_layers_in_floats_are_as_in_float32(slope):
    net = network(slope)
    for block in net.body:
        block.conv2.weight *= 20  # a new network's blocks hardly change anything
    calibration = calibrate(net, [image()])
    all_in_int8, body_in_floats = (
        psnr(net, Int8Fast(net, replace(calibration, floats=floats), torch.float32))
        for floats in (frozenset(), frozenset(range(7)))
    )
    assert body_in_floats > all_in_int8 + 1


def test_a_calibration_fits_networks_of_its_form_only():
    net = network(0.1)
    calibration = calibrate(net, [image()])
    assert calibration.fits(net)
    assert not calibration.fits(Fast(4, 16, 2, 4))
    assert not calibration.fits(Fast(4, 8, 3, 4))
    layers = len(int8_layers(net))
    assert replace(calibration, floats=frozenset({6})).fits(net)
    assert not replace(calibration, floats=frozenset({7})).fits(net)  # a stage of the upsampler
    assert not replace(calibration, ranges=calibration.ranges[: layers - 1]).fits(net)


@pytest.fixture
def fresh_probe():
    operators_work.cache_clear()
    yield
    operators_work.cache_clear()


def test_other_networks_are_named():
    assert "SRCNN" in (int8_problem(SRCNN(scale=2)) or "")


def test_a_processor_without_avx2_is_a_problem(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert "AVX2" in (int8_problem(network(0.1)) or "")


@pytest.mark.usefixtures("fresh_probe")
@pytest.mark.parametrize("error", [AttributeError, RuntimeError, NotImplementedError, TypeError])
def test_without_the_operators_there_is_no_int8(monkeypatch, error):
    def missing(*args: object) -> None:
        raise error("no such operator")

    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(Int8Conv, "_run", missing)
    assert not operators_work()
    assert "operators" in (int8_problem(network(0.1)) or "")


@pytest.mark.usefixtures("fresh_probe")
def test_a_processor_that_computes_wrong_sums_is_not_used(monkeypatch):
    run = Int8Conv._run
    monkeypatch.setattr(Int8Conv, "_run", lambda *args: run(*args).clamp(max=32767))
    assert not operators_work()


@pytest.mark.parametrize("channels", [4, 5])
def test_products_of_neighboring_channels_fit_16_bits(channels):
    torch.manual_seed(0)
    weight = torch.randn(64, channels, 3, 3)
    weight[1] = 0
    weight[2, :2] = 9.0
    weight[3] = -weight[3].abs()
    steps = weight_steps(weight)
    rounded = (weight / steps.view(-1, 1, 1, 1)).round()
    assert rounded.abs().max() <= 127
    for part in (rounded.relu(), (-rounded).relu()):
        pairs = part[:, 0:4:2] + part[:, 1:4:2]
        assert 255 * pairs.max() <= 32767
    assert rounded.abs().amax(dim=(1, 2, 3)).median() > 80
