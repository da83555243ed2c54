"""The mean over orientations, and networks in int8."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import noise
from torch import Tensor, nn

from srgan_cli.api import build_engine, build_pipeline
from srgan_cli.errors import DeviceError
from srgan_cli.images.image import Image
from srgan_cli.inference import variants
from srgan_cli.inference.variants import Ensemble, takes_int8
from srgan_cli.networks.calibration import MIN_PSNR
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.int8 import int8_problem
from srgan_cli.networks.srcnn import SRCNN
from srgan_cli.settings import NATIVE, Machine
from srgan_cli.weights.activation_ranges import complete_ranges
from srgan_cli.weights.container import Weights
from srgan_cli.weights.metadata import Metadata


class Shift(nn.Module):
    """Moves the image one pixel to the right: as lopsided as can be."""

    scale, receptive_field = 1, 1

    def forward(self, low: Tensor) -> Tensor:
        return torch.roll(low, 1, dims=3)


def test_the_mean_over_eight_orientations_has_no_preferred_direction():
    low = torch.rand(1, 3, 7, 9)
    ways = [(2, 1), (2, -1), (3, 1), (3, -1)]
    expected = sum(torch.roll(low, step, dims=axis) for axis, step in ways) / 4
    torch.testing.assert_close(Ensemble(Shift())(low), expected)


def test_it_says_of_itself_what_its_network_says():
    assert (Ensemble(Shift()).scale, Ensemble(Shift()).receptive_field) == (1, 1)


CPU, META = torch.device("cpu"), torch.device("meta")
TINY = Fast(features=4, blocks=1, thin=2)
needs_int8 = pytest.mark.skipif(int8_problem(TINY) is not None, reason="no int8 here")


@pytest.fixture
def works(monkeypatch):
    """A processor that has int8."""
    monkeypatch.setattr(variants, "int8_problem", lambda network: None)


@pytest.mark.usefixtures("works")
def test_auto_takes_int8_where_the_file_records_that_it_is_faithful():
    assert takes_int8("auto", TINY, [CPU], MIN_PSNR)
    assert not takes_int8("auto", TINY, [CPU], MIN_PSNR - 0.1)
    assert not takes_int8("auto", TINY, [CPU], None)
    assert not takes_int8("auto", TINY, [CPU, META], MIN_PSNR)


@pytest.mark.usefixtures("works")
def test_int8_is_taken_when_asked_for_and_not_where_another_precision_is():
    assert takes_int8("int8", TINY, [CPU], None)
    for name in ("fp32", "bf16", "fp16"):
        assert not takes_int8(name, TINY, [CPU], 99.0)


def test_without_operators_auto_goes_on_and_int8_is_an_error_with_a_remedy(monkeypatch):
    monkeypatch.setattr(variants, "int8_problem", lambda network: "no operators")
    assert not takes_int8("auto", TINY, [CPU], 99.0)
    with pytest.raises(DeviceError, match=r"no operators.*--precision auto"):
        takes_int8("int8", TINY, [CPU], 99.0)


def test_gpus_and_other_networks_are_an_error_with_a_remedy():
    with pytest.raises(DeviceError, match=r"CPUs only.*meta.*--precision auto"):
        takes_int8("int8", TINY, [META], None)
    with pytest.raises(DeviceError, match=r"SRCNN.*--precision auto"):
        takes_int8("int8", SRCNN(scale=2), [CPU], None)


def weights(slope: float = 0.1) -> Weights:
    torch.manual_seed(4)
    sizes = {"scale": 2, "features": 16, "blocks": 2, "thin": 4, "binomial": True}
    sizes["negative_slope"] = slope
    network = Fast(**sizes)
    torch.nn.init.normal_(network.to_rgb.weight, std=0.1)
    return Weights("fast", sizes, network.state_dict(), Metadata(scale=2))


def upscaled(
    image: Image, given: Weights, precision: str = "int8", **machine: object
) -> np.ndarray:
    return build_engine(given, Machine("cpu", precision, **machine)).upscale(image).pixels


@needs_int8
@pytest.mark.parametrize("floats", [(), (1, 2)])
@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_tiles_in_int8_give_what_the_whole_image_gives(slope, floats):
    image, given = noise(150, 190), complete_ranges(weights(slope))
    given = replace(given, metadata=replace(given.metadata, float_layers=floats))
    whole = upscaled(image, given, tile=1000)
    assert (upscaled(image, given, "fp32") != whole).any()
    for tile in (16, 41, 64):
        np.testing.assert_array_equal(upscaled(image, given, tile=tile), whole)


@needs_int8
def test_several_devices_and_orientations_work_in_int8():
    image, given = noise(40, 50), weights()
    whole = upscaled(image, given)
    engine = build_engine(given, Machine("cpu,cpu", "int8", 32))
    np.testing.assert_array_equal(engine.upscale(image).pixels, whole)
    oriented = upscaled(image, given, tta=True).astype(int)
    exact = upscaled(image, given, "fp32", tta=True).astype(int)
    assert 0 < np.abs(oriented - exact).max() < 12


@needs_int8
def test_recorded_ranges_are_taken_and_others_calibrated():
    given = weights()
    loaded = build_engine(given, Machine("cpu", "int8"))
    assert (loaded.dtype, loaded.built_in_calibration) == (torch.int8, True)
    completed = complete_ranges(given)
    assert not build_engine(completed, Machine("cpu", "int8")).built_in_calibration
    np.testing.assert_array_equal(
        upscaled(noise(20, 20), completed), upscaled(noise(20, 20), given)
    )


@needs_int8
@pytest.mark.parametrize("ranges", [3, 6])
def test_ranges_of_earlier_versions_are_measured_again(ranges):
    """Other versions ran other layers in int8: neither their ranges nor their PSNR hold."""
    metadata = Metadata(scale=2, activation_ranges=((0.0, 1.0),) * ranges, int8_psnr=60.0)
    given = replace(weights(), metadata=metadata)
    assert build_engine(given, Machine("cpu", "int8")).built_in_calibration
    assert build_engine(given, Machine("cpu", "auto")).dtype != torch.int8
    np.testing.assert_array_equal(
        upscaled(noise(20, 20), given), upscaled(noise(20, 20), weights())
    )


@needs_int8
def test_images_of_16_bits_run_in_float32_where_auto_takes_int8():
    given = weights()
    metadata = replace(given.metadata, int8_psnr=60.0)
    engine = build_engine(replace(given, metadata=metadata), Machine("cpu", "auto"))
    if engine.dtype != torch.int8:
        pytest.skip("sums saturate here")
    image = Image(noise(20, 20).pixels.astype(np.uint16) * 257)
    made, exact = (
        build_pipeline({2: replace(given, metadata=metadata)}, Machine("cpu", name), NATIVE)(image)
        for name in ("auto", "fp32")
    )
    np.testing.assert_array_equal(made.pixels, exact.pixels)
