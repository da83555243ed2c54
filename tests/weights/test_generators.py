"""Hyperparameters of a file are checked before a network is built by them."""

import subprocess
import sys

import pytest
import torch

from srgan_cli.errors import WeightsError
from srgan_cli.weights.generators import build_from_state, build_generator, generator_problems

SIZES = {"scale": 4, "features": 4, "blocks": 1, "thin": 2}


@pytest.fixture
def state():
    return build_generator("fast", SIZES).state_dict()


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": 0},
        {"scale": -4},
        {"scale": 1 << 40},
        {"scale": 4.0},
        {"scale": True},
        {"scale": "4"},
        {"scale": None},
        {"features": -4},
        {"features": 0},
        {"features": 1_000_000},
        {"features": 10**30},
        {"blocks": 1_000_000},
        {"blocks": -1},
        {"blocks": [1]},
        {"thin": {}},
        {"negative_slope": "0.1"},
        {"negative_slope": float("nan")},
        {"negative_slope": 10**400},
    ],
    ids=str,
)
def test_sizes_that_the_tensors_do_not_allow_are_refused_before_building(wrong, state, monkeypatch):
    def build(*arguments, **named):
        raise AssertionError("a layer is built")

    monkeypatch.setattr("torch.nn.Conv2d.__init__", build)
    with pytest.raises(WeightsError, match=next(iter(wrong))):
        build_from_state("fast", {**SIZES, **wrong}, state)


@pytest.mark.parametrize(
    ("architecture", "wrong"),
    [
        ("srresnet", {"form": 3}),
        ("srresnet", {"norm": 1}),
        ("srresnet", {"form": "unheard of"}),
        ("rrdbnet", {"unshuffle": 0}),
        ("rrdbnet", {"growth": -1}),
        ("vdsr", {"depth": 1}),
        ("srcnn", {"f1": 0}),
        ("compact", {"activation": "none"}),
        ("compact", {"convolutions": 10**9}),
        ("fast", {"self": 1}),
    ],
)
def test_values_of_every_architecture_are_checked(architecture, wrong):
    state = build_generator(architecture, {}).state_dict()
    assert generator_problems(architecture, {}, state, scale=4) == []
    with pytest.raises(WeightsError, match="cannot be built"):
        build_from_state(architecture, wrong, state)


def test_checking_allocates_no_parameters(state):
    network = build_from_state("fast", SIZES, state)
    assert {value.device.type for value in network.parameters()} == {"meta"}


def test_a_network_with_random_values_is_built_on_the_processor():
    network = build_generator("fast", SIZES)
    assert {value.device.type for value in network.parameters()} == {"cpu"}
    assert torch.isfinite(network.head.weight).all()


def test_a_file_is_loaded_without_importing_torchs_compiler():
    code = (
        "import sys, torch\n"
        "from srgan_cli.networks import GENERATORS\n"
        "from srgan_cli.weights.generators import build_generator\n"
        "with torch.device('meta'):\n"
        "    for architecture in GENERATORS:\n"
        "        build_generator(architecture, {})\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
