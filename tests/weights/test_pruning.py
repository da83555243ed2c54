"""Channels that are always zero are removed, and the network computes the same."""

import pytest
import torch
from small_networks import RRDB, random_weights

from srgan_cli.errors import WeightsError
from srgan_cli.networks.fast import Fast
from srgan_cli.weights.container import Weights, read_weights, write_weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.metadata import Metadata
from srgan_cli.weights.pruning import always_zero, measured_zeros, prune

SIZES = {"scale": 2, "features": 40, "blocks": 2, "thin": 4}


def weights(**sizes: object) -> Weights:
    """Of 40 channels in the first block 30 are zero for every input, and all in the second."""
    torch.manual_seed(0)
    network = Fast(**SIZES | sizes)
    torch.nn.init.normal_(network.to_rgb.weight, std=0.05)
    with torch.no_grad():
        network.body[0].conv1.bias[::4] = 0.5
        for block in range(2):
            layer = network.body[block].conv1
            alive = torch.zeros(40, dtype=torch.bool)
            alive[::4] = block == 0
            layer.weight[~alive] = layer.weight[~alive].clamp(-0.001, 0.001)
            layer.bias[~alive] = -9.0
    figures = {"set5": {"psnr_y": 30.0}}
    return Weights("fast", SIZES | sizes, network.state_dict(), Metadata(scale=2, figures=figures))


def image(seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 3, 20, 25, generator=torch.Generator().manual_seed(seed))


def test_bounds_prove_zeros_for_every_input():
    network = load_generator(weights())
    always = always_zero(network)
    assert [int(one.sum()) for one in always] == [30, 40]
    extremes = [torch.zeros(1, 3, 9, 9), torch.ones(1, 3, 9, 9), image()]
    for found, measured in zip(always, measured_zeros(network, extremes), strict=True):
        assert (measured | ~found).all()


def test_without_channels_that_are_proven_zero_the_network_computes_the_same():
    original = weights()
    pruned = prune(original)
    assert pruned.weights.hyperparameters["middle"] == [16, 16]
    assert (pruned.removed, pruned.always_zero, pruned.channels) == (48, 70, 80)
    with torch.inference_mode():
        made, expected = (load_generator(one)(image()) for one in (pruned.weights, original))
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-5)
    assert pruned.psnr > 90
    assert pruned.weights.metadata.figures == {}
    assert pruned.weights.metadata.training["pruned"]["channels"] == 48


def test_images_show_what_cannot_be_proven():
    original = weights()
    state = dict(original.state)
    state["body.0.conv1.bias"] = state["body.0.conv1.bias"].clamp(min=-0.02)
    changed = Weights("fast", SIZES, state, original.metadata)
    assert prune(changed).weights.hyperparameters["middle"][0] == 40
    dark = [torch.zeros(1, 3, 20, 20)]
    measured = prune(changed, dark)
    assert measured.weights.hyperparameters["middle"][0] == 16
    assert measured.always_zero < measured.removed + 40
    assert measured.psnr > 90  # on these images


def test_nothing_behind_a_leaky_relu_is_zero():
    pruned = prune(weights(negative_slope=0.1), [image()])
    assert pruned.removed == 0
    assert pruned.speedup == 1


def test_a_pruned_file_is_read_and_a_wrong_width_refused(tmp_path):
    pruned = prune(weights()).weights
    write_weights(pruned, tmp_path / "pruned.safetensors")
    read = read_weights(tmp_path / "pruned.safetensors")
    assert read.hyperparameters == pruned.hyperparameters
    for middle in ([16], [16, 0], [16, 1 << 20], [16, "a"], 16, [17, 16]):
        wrong = Weights("fast", SIZES | {"middle": middle}, pruned.state, pruned.metadata)
        write_weights(wrong, tmp_path / "wrong.safetensors")
        with pytest.raises(WeightsError, match=r"middle|conv1\.weight"):
            read_weights(tmp_path / "wrong.safetensors")


def test_other_networks_are_named():
    with pytest.raises(WeightsError, match="rrdbnet"):
        prune(random_weights("rrdbnet", RRDB))
