"""A deeper network begins as the function of the shallower one, and learns from there."""

import pytest
import torch

from srgan_cli.errors import OptionError
from srgan_cli.training.initial_weights import starting_weights
from srgan_cli.training.net2net import deepen_network
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.train_run import check
from srgan_cli.weights.container import Weights, read_weights, write_weights
from srgan_cli.weights.generators import build_generator
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.metadata import Metadata

SHALLOW = [
    ("fast", "blocks", {"features": 8, "blocks": 2}),
    ("srresnet", "blocks", {"features": 8, "blocks": 2}),
    ("srresnet", "blocks", {"features": 8, "blocks": 2, "norm": False, "form": "msrresnet"}),
    ("rrdbnet", "blocks", {"features": 8, "blocks": 1, "growth": 4}),
    ("vdsr", "depth", {"features": 8, "depth": 4}),
]


def trained(architecture: str, sizes: dict) -> Weights:
    """No weight of it is zero."""
    torch.manual_seed(1)
    network = build_generator(architecture, {"scale": 2} | sizes)
    state = {
        name: value.float() + 0.1 * torch.rand(value.shape) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    metadata = Metadata(scale=2, lineage="old")
    return Weights(architecture, {"scale": 2} | sizes, state, metadata)


@pytest.mark.parametrize(("architecture", "depth", "sizes"), SHALLOW)
def test_a_deeper_network_begins_as_the_shallower_one(architecture, depth, sizes) -> None:
    before = trained(architecture, sizes)
    after = deepen_network(before, sizes[depth] + 3, "new")
    assert after.hyperparameters[depth] == sizes[depth] + 3
    assert (after.metadata.scale, after.metadata.lineage) == (2, "new")
    low_res = torch.rand(1, 3, 12, 12)
    with torch.no_grad():
        there, here = load_generator(before)(low_res), load_generator(after)(low_res)
    assert torch.allclose(there, here, atol=1e-5 * float(there.abs().max()))


def test_new_blocks_of_a_pruned_network_are_whole() -> None:
    before = trained("fast", {"features": 8, "blocks": 2, "middle": [2, 3]})
    after = deepen_network(before, 4, "new")
    assert after.hyperparameters["middle"] == [2, 3, 8, 8]
    low_res = torch.rand(1, 3, 12, 12)
    with torch.no_grad():
        there, here = load_generator(before)(low_res), load_generator(after)(low_res)
    assert torch.allclose(there, here, atol=1e-5 * float(there.abs().max()))


@pytest.mark.parametrize(("architecture", "depth", "sizes"), SHALLOW)
def test_each_new_layer_learns_from_the_first_step_on(architecture, depth, sizes) -> None:
    before = trained(architecture, sizes)
    network = load_generator(deepen_network(before, sizes[depth] + 2, "new")).train()
    network(torch.rand(2, 3, 12, 12)).square().mean().backward()
    added = {
        name: parameter
        for name, parameter in network.named_parameters()
        if name not in before.state and name.endswith("weight")
    }
    layers = {".".join(name.split(".")[:2]) for name in added}
    moving = {
        ".".join(name.split(".")[:2]) for name, p in added.items() if bool(p.grad.abs().max() > 0)
    }
    assert layers == moving != set()


def test_more_blocks_than_the_file_has_are_added(make, run, tmp_path) -> None:
    first = make(steps=2)
    run(first)
    given = first.out / "psnr.safetensors"
    second = make(start=given, blocks=3, out=tmp_path / "deeper", steps=2, lineage="new")
    run(second)
    deeper = read_weights(second.out / "psnr.safetensors")
    assert deeper.hyperparameters["blocks"] == 3
    assert deeper.metadata.lineage == "new"


def test_fewer_blocks_or_blocks_of_what_has_none_are_refused(make, run, tmp_path) -> None:
    first = make(steps=2, blocks=2)
    run(first)
    given = first.out / "psnr.safetensors"
    with pytest.raises(OptionError, match=r"--blocks 1 does not go with .* only become deeper"):
        check(make(start=given, blocks=1))
    blockless = trained("srcnn", {})
    write_weights(blockless, tmp_path / "srcnn.safetensors")
    with pytest.raises(OptionError, match="has no blocks"):
        check(make(start=tmp_path / "srcnn.safetensors", blocks=2))


def test_vdsr_counts_its_layers_as_blocks(make) -> None:
    weights = starting_weights(make(recipe="vdsr", blocks=5), RECIPES["vdsr"])
    assert weights.hyperparameters["depth"] == 5
