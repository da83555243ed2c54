"""Ranges for int8 are measured once and travel in weights files."""

from dataclasses import replace

import pytest
import torch
from small_networks import RRDB, random_weights

from srgan_cli.errors import WeightsError
from srgan_cli.networks.int8 import operators_work
from srgan_cli.weights import activation_ranges
from srgan_cli.weights.activation_ranges import complete_ranges, measure_int8
from srgan_cli.weights.container import read_weights, write_weights

needs_int8 = pytest.mark.skipif(not operators_work(), reason="no int8 here")


def test_ranges_travel_in_the_file(tiny, tmp_path):
    completed = complete_ranges(tiny)
    write_weights(completed, tmp_path / "ranges.safetensors")
    read = read_weights(tmp_path / "ranges.safetensors").metadata
    assert read == completed.metadata
    assert len(read.activation_ranges) == 5
    assert read.int8_psnr is None


def test_what_is_complete_stays_and_other_networks_are_left_alone(tiny):
    completed = complete_ranges(tiny)
    assert complete_ranges(completed) is completed
    other = random_weights("rrdbnet", RRDB)
    assert complete_ranges(other) is other


def test_images_give_the_ranges_where_there_are_some(tiny):
    dark = complete_ranges(tiny, [torch.zeros(1, 3, 24, 30)]).metadata.activation_ranges
    light = complete_ranges(tiny, [torch.ones(1, 3, 24, 30)]).metadata.activation_ranges
    assert dark != light
    assert complete_ranges(tiny).metadata.activation_ranges not in (dark, light)


def test_int8_is_measured_anew_when_asked_for(tiny):
    completed = complete_ranges(tiny)
    again = measure_int8(completed, [torch.zeros(1, 3, 24, 30)]).metadata
    assert again.activation_ranges != completed.metadata.activation_ranges
    wrong = replace(tiny, metadata=replace(tiny.metadata, activation_ranges=((0.0, 1.0),)))
    assert len(measure_int8(wrong, []).metadata.activation_ranges) == 5


def test_a_network_that_overflows_is_an_error_not_a_wrong_range(tiny):
    state = dict(tiny.state) | {"body.0.conv1.weight": tiny.state["body.0.conv1.weight"] * 1e38}
    with pytest.raises(WeightsError, match="not numbers"):
        complete_ranges(replace(tiny, state=state))


@needs_int8
def test_the_distance_from_float32_is_measured_on_the_images_given(tiny):
    images = [torch.rand(1, 3, 24, 30) for _ in range(2)]
    good = complete_ranges(tiny, images).metadata.int8_psnr
    built_in = complete_ranges(tiny).metadata
    narrow = tuple((low / 8, high / 8) for low, high in built_in.activation_ranges)
    metadata = replace(built_in, activation_ranges=narrow)
    clipped = complete_ranges(replace(tiny, metadata=metadata), images).metadata
    assert clipped.activation_ranges == narrow
    assert 40 < good <= 100
    assert clipped.int8_psnr < good - 3


@needs_int8
def test_measured_anew_the_better_calibration_is_kept(tiny):
    images = [torch.rand(1, 3, 24, 30) for _ in range(2)]
    good = measure_int8(tiny, images).metadata
    for factor in (1 / 8, 1.02):
        ranges = tuple((low * factor, high * factor) for low, high in good.activation_ranges)
        given = replace(tiny, metadata=replace(good, activation_ranges=ranges))
        kept = measure_int8(given, images).metadata
        assert kept.activation_ranges in (ranges, good.activation_ranges)
        assert kept.int8_psnr >= good.int8_psnr - 1
        assert (kept.activation_ranges == ranges) <= (factor > 1)


@needs_int8
@pytest.mark.parametrize("shares", [(0.05, 0.85), (0.85, 0.05)])
def test_of_two_ranges_the_better_one_is_recorded(tiny, monkeypatch, shares):
    images = [torch.rand(1, 3, 24, 30) for _ in range(2)]
    good = complete_ranges(tiny, images).metadata
    monkeypatch.setattr(activation_ranges, "KEPT_RANGES", shares)
    assert complete_ranges(tiny, images).metadata.activation_ranges == good.activation_ranges


@needs_int8
def test_layers_stay_in_floats_where_int8_is_far_from_float32_without_them(tiny, monkeypatch):
    images = [torch.rand(1, 3, 24, 30) for _ in range(2)]
    assert complete_ranges(tiny, images).metadata.float_layers == ()
    plain = complete_ranges(tiny, images).metadata.int8_psnr
    monkeypatch.setattr(activation_ranges, "MIN_PSNR", 100.0)
    monkeypatch.setattr(activation_ranges, "MAX_FLOAT_LAYERS", 2)
    metadata = complete_ranges(tiny, images).metadata
    assert len(metadata.float_layers) == 2
    assert metadata.int8_psnr > plain
    monkeypatch.setattr(activation_ranges, "MAX_FLOAT_LAYERS", 99)
    assert complete_ranges(tiny, images).metadata.float_layers == (0, 1, 2)  # all of the body
