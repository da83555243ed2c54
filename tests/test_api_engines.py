"""Engines as options ask for them: contexts of tiles, devices, precision."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from srgan_cli import api as assembly
from srgan_cli.api import build_engine, build_pipeline
from srgan_cli.settings import NATIVE, Machine
from srgan_cli.weights import measured_field
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.measured_field import complete_metadata

ON_CPU = Machine("cpu", "fp32")


def known(weights: Weights, reach: int) -> Weights:
    return replace(weights, metadata=replace(weights.metadata, measured_receptive_field=reach))


def test_a_tile_sees_what_matters_or_what_is_paid_for_or_all_with_exact(unmeasured, tiny):
    whole = load_generator(unmeasured).receptive_field
    assert whole > measured_field.MAX_ANALYTIC
    assert build_engine(unmeasured, ON_CPU).context == measured_field.MAX_ANALYTIC
    assert build_engine(known(unmeasured, 7), ON_CPU).context == 7
    assert build_engine(known(unmeasured, 0), ON_CPU).context == 0
    assert build_engine(known(unmeasured, 7), replace(ON_CPU, exact=True)).context == whole
    assert build_engine(tiny, ON_CPU).context == load_generator(tiny).receptive_field


def test_an_image_is_padded_as_far_as_was_measured(tiny):
    found = complete_metadata(tiny, pytest.fail)
    assert build_engine(found, ON_CPU).edge == found.metadata.reflect_padding
    assert build_engine(tiny, ON_CPU).edge == build_engine(tiny, ON_CPU).context


def test_several_devices_have_a_network_each(tiny, noise):
    both = build_engine(tiny, replace(ON_CPU, device="cpu,cpu", tile=32))
    assert len(both.devices) == 2
    assert both.generator is not both.replicas[0].generator
    alone = build_engine(tiny, ON_CPU).upscale(noise)
    np.testing.assert_array_equal(both.upscale(noise).pixels, alone.pixels)


def test_that_half_precision_overflows_is_said_once_and_the_image_is_right(
    tiny, noise, monkeypatch
):
    class Overflowing(torch.nn.Module):
        def __init__(self, generator: torch.nn.Module) -> None:
            super().__init__()
            self.generator, self.scale, self.receptive_field = (
                generator,
                generator.scale,
                generator.receptive_field,
            )

        def forward(self, low: torch.Tensor) -> torch.Tensor:
            high = self.generator(low)
            return high * torch.inf if torch.is_autocast_enabled("cpu") else high

    right = build_pipeline({4: tiny}, ON_CPU, NATIVE)(noise)
    monkeypatch.setattr(assembly, "load_generator", lambda it: Overflowing(load_generator(it)))
    messages: list[str] = []
    machine = Machine("cpu,cpu", "bf16", tile=32)
    grow = build_pipeline({4: tiny}, machine, NATIVE, log=messages.append)
    for _ in range(2):
        np.testing.assert_array_equal(grow(noise).pixels, right.pixels)
    assert messages == [
        "the network overflows in bfloat16: tiles in which it does are redone in float32"
    ]
