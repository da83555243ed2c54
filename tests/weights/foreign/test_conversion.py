"""Every family: a network built by the test's own tiny reference, saved under that family's names,
gives the same images once adopted. And what is no such network is named."""

from collections import OrderedDict

import pytest
import torch
from reference_networks import (
    CompactReference,
    EarlyReference,
    LeftthomasReference,
    MSRReference,
    OldestRRDB,
    PaperReference,
    RRDBReference,
    SRCNNReference,
    VDSRReference,
    varied,
)
from safetensors.torch import load_file, save_file
from small_networks import random_weights

from srgan_cli.errors import WeightsError
from srgan_cli.networks import GENERATORS
from srgan_cli.networks.discriminators import SRGANDiscriminator, UNetDiscriminator
from srgan_cli.weights.container import Weights
from srgan_cli.weights.foreign.conversion import export_foreign, from_foreign, to_foreign
from srgan_cli.weights.tensor_files import read_tensors


def load(adopted: Weights) -> torch.nn.Module:
    network = GENERATORS[adopted.architecture](**adopted.hyperparameters)
    network.load_state_dict(adopted.state)
    return network.eval()


FAMILIES = {
    "oldest x4": (lambda: OldestRRDB(blocks=2, features=6, growth=5, ups=2), 4),
    "oldest x2": (lambda: OldestRRDB(blocks=1, features=5, growth=3, ups=1), 2),
    "oldest x1": (lambda: OldestRRDB(blocks=1, features=5, growth=3, ups=0), 1),
    "oldest x8": (lambda: OldestRRDB(blocks=1, features=4, growth=3, ups=3), 8),
    "published x4": (lambda: RRDBReference("published", 3, 7, 5), 4),
    "published, unshuffled": (lambda: RRDBReference("published", 1, 7, 5, unshuffle=2), 2),
    "real-esrgan x4": (lambda: RRDBReference("real-esrgan", 2, 6, 4), 4),
    "real-esrgan x2": (lambda: RRDBReference("real-esrgan", 1, 6, 4, unshuffle=2), 2),
    "real-esrgan x1": (lambda: RRDBReference("real-esrgan", 1, 6, 4, unshuffle=4), 1),
    "compact x4": (lambda: CompactReference(5, 3, 4), 4),
    "compact x3": (lambda: CompactReference(7, 1, 3), 3),
    "compact x1": (lambda: CompactReference(4, 0, 1), 1),
    "paper x4": (lambda: PaperReference(6, 2, [2, 2], bias=False), 4),
    "paper x2, biases": (lambda: PaperReference(5, 1, [2], bias=True), 2),
    "paper x3": (lambda: PaperReference(5, 1, [3], bias=False), 3),
    "leftthomas 2018 x4": (lambda: LeftthomasReference(6, 2, 2, old=True), 4),
    "leftthomas 2018 x2": (lambda: LeftthomasReference(5, 3, 1, old=True), 2),
    "leftthomas x4": (lambda: LeftthomasReference(6, 1, 2, old=False), 4),
    "leftthomas x8": (lambda: LeftthomasReference(4, 1, 3, old=False), 8),
    "msrresnet x4": (lambda: MSRReference("basicsr", 6, 2, [2, 2]), 4),
    "msrresnet x3": (lambda: MSRReference("basicsr", 5, 1, [3]), 3),
    "msrresnet, older x2": (lambda: MSRReference("older", 5, 3, [2]), 2),
    "early x4": (lambda: EarlyReference(6, 2, [2, 2]), 4),
    "early x3": (lambda: EarlyReference(5, 1, [3]), 3),
    "early, upconv x4": (lambda: EarlyReference(6, 1, [2, 2], nearest=True), 4),
    "early, no last bias": (lambda: EarlyReference(6, 1, [2], nearest=True, last_bias=False), 2),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_of_the_family_gives_the_same_images(family):
    make, scale = FAMILIES[family]
    reference = varied(make())
    network = load(from_foreign(reference.state_dict()))
    low = torch.rand(1, 3, 8, 12)
    with torch.no_grad():
        expected, found = reference(low), network(low)
    assert network.scale == scale
    assert expected.std() > 1e-3
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("reference", [SRCNNReference(5, 3), VDSRReference(4, 4)])
def test_a_scale_that_no_key_tells_is_asked_for(reference):
    with pytest.raises(WeightsError, match="scale"):
        from_foreign(reference.state_dict())
    network = load(from_foreign(varied(reference).state_dict(), scale=3))
    y = torch.rand(1, 1, 9, 9)
    layers = list(network.children())
    with torch.no_grad():
        ours = apply_to_luma(layers, y)
        assert (ours - reference(y)).abs().max() < 1e-5


def apply_to_luma(layers: list[torch.nn.Module], y: torch.Tensor) -> torch.Tensor:
    layers = list(layers[0]) if isinstance(layers[0], torch.nn.ModuleList) else layers
    for layer in layers[:-1]:
        y = torch.relu(layer(y))
    return layers[-1](y)


@pytest.mark.parametrize(("activation", "slope"), [("relu", 0.0), ("leakyrelu", 0.1)])
def test_an_activation_that_no_key_tells_is_asked_for(activation, slope):
    reference = varied(CompactReference(5, 2, 2, slope=slope))
    with pytest.raises(WeightsError, match="relu or leakyrelu"):
        from_foreign(reference.state_dict())
    network, low = (
        load(from_foreign(reference.state_dict(), activation=activation)),
        torch.rand(1, 3, 5, 6),
    )
    with torch.no_grad():
        assert (network(low) - reference(low)).abs().max() < 1e-5


def test_a_scale_other_than_the_keys_tell_is_refused():
    with pytest.raises(WeightsError, match="for scale 4, not 2"):
        from_foreign(CompactReference(5, 2, 4).state_dict(), scale=2)


SMALL = CompactReference(4, 1, 2).state_dict()


@pytest.mark.parametrize(
    "wrapped",
    [
        {"params": {}, "params_ema": SMALL},
        {"params-ema": SMALL},
        {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in SMALL.items()}},
        {"model_state_dict": {f"_orig_mod.{k}": v for k, v in SMALL.items()}, "optimizer": {}},
        {"state_dict": {f"model.{k}": v for k, v in SMALL.items()}},
        {"model": {"net": {f"module._orig_mod.{k}": v for k, v in SMALL.items()}}},
        {"n_averaged": torch.tensor(3), **{f"module.{k}": v for k, v in SMALL.items()}},
        {**{f"netG.{k}": v for k, v in SMALL.items()}, "netD.conv1.weight": torch.zeros(1)},
    ],
)
def test_wrappers_and_prefixes_come_off(wrapped):
    adopted = from_foreign(wrapped)
    assert adopted.architecture == "compact"
    assert all(torch.equal(adopted.state[key], SMALL[key]) for key in SMALL)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".safetensors", ".old.pt"])
def test_every_kind_of_file_and_precision_is_read(tmp_path, suffix, dtype):
    path = tmp_path / f"weights{suffix}"
    state = OrderedDict((key, value.to(dtype)) for key, value in SMALL.items())
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"params": state}, path, _use_new_zipfile_serialization=".old" not in suffix)
    adopted = from_foreign(read_tensors(path))
    for key, tensor in adopted.state.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, SMALL[key].to(dtype).float())


STRANGERS = {
    "a discriminator": UNetDiscriminator(features=2).state_dict(),
    "a discriminator or": {"conv1.weight_orig": torch.zeros(1), "linear1.weight": torch.zeros(1)},
    "a classifier|or classifier": {
        "features.0.weight": torch.zeros(1),
        "classifier.0.weight": torch.zeros(1),
    },
    "a VGG network": {"features.0.weight": torch.zeros(1)},
    "a diffusion model": {"model.diffusion_model.input_blocks.0.weight": torch.zeros(1)},
    "an optimizer state": {"state": {0: {"exp_avg": torch.zeros(1)}}, "param_groups": []},
    "an optimizer": {"epoch": 1, "optimizers": [], "schedulers": []},
    "no tensors": {"epoch": 1},
    "a transformer": {"layers.0.blocks.0.attn.relative_position_bias_table": torch.zeros(1)},
    "no network known": SRGANDiscriminator(features=2, dense=2).state_dict(),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_what_is_no_generator_is_named(kind):
    with pytest.raises(WeightsError, match=kind):
        from_foreign(STRANGERS[kind])


def test_the_nearest_family_and_the_first_differing_keys_are_named():
    state = {"conv_first.weight": torch.zeros(4, 3, 3, 3), "blocks.0.attend.w": torch.zeros(4)}
    message = r"nearest is .*, but the file has blocks\.0\.attend\.w and not .*"
    with pytest.raises(WeightsError, match=message):
        from_foreign(state)


def changed(key: str, tensor: torch.Tensor | None) -> dict[str, torch.Tensor]:
    state = dict(SMALL)
    if tensor is None:
        del state[key]
    else:
        state[key] = tensor
    return state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (changed("body.2.bias", None), r"body\.2\.bias is missing"),
        (changed("body.9.weight", torch.zeros(4)), r"body\.9"),
        (changed("tail.weight", torch.zeros(4)), r"tail\.weight does not belong"),
        (changed("body.2.weight", torch.zeros(4, 5, 3, 3)), r"shape \(4, 5, 3, 3\)"),
        (changed("body.2.bias", torch.full((4,), torch.nan)), "finite"),
        (changed("body.2.bias", torch.zeros(4, dtype=torch.int32)), "floating-point"),
        (changed("body.4.weight", torch.zeros(5, 4, 3, 3)), "RGB"),
        (changed("body.0.weight", torch.zeros(4, 1, 3, 3)), r"body\.0\.weight has shape"),
    ],
)
def test_what_does_not_fit_the_family_is_named(state, message):
    with pytest.raises(WeightsError, match=f"looks like Compact.*{message}"):
        from_foreign(state)


@pytest.mark.parametrize("sizes", [{}, {"unshuffle": 2, "scale": 2}])
def test_saved_in_real_esrgans_naming_and_read_back_it_is_the_same(sizes):
    given = {"features": 5, "blocks": 2, "growth": 3, **sizes}
    ours = GENERATORS["rrdbnet"](**given).state_dict()
    theirs = to_foreign("rrdbnet", given, ours, "real-esrgan")
    reference = RRDBReference("real-esrgan", 2, 5, 3, unshuffle=sizes.get("unshuffle", 1))
    assert set(theirs) == set(reference.state_dict())
    adopted = from_foreign(theirs)
    assert all(torch.equal(adopted.state[key], ours[key]) for key in ours)


@pytest.mark.parametrize(
    ("naming", "reference", "ups"),
    [
        ("esrgan", RRDBReference("published", 2, 5, 3), 2),
        ("esrgan-old", OldestRRDB(blocks=2, features=5, growth=3, ups=2), 2),
        ("esrgan-old", OldestRRDB(blocks=2, features=5, growth=3, ups=1), 1),
    ],
)
def test_esrgans_namings_have_the_published_keys(naming, reference, ups):
    given = {"features": 5, "blocks": 2, "growth": 3, "scale": 2**ups}
    ours = GENERATORS["rrdbnet"](**given).state_dict()
    theirs = to_foreign("rrdbnet", given, ours, naming)
    assert set(theirs) == set(reference.state_dict())
    adopted = from_foreign(theirs)
    assert adopted.metadata.scale == 2**ups
    assert all(torch.equal(adopted.state[key], ours[key]) for key in ours)


@pytest.mark.parametrize("suffix", ["safetensors", "SAFETENSORS"])
def test_a_name_of_safetensors_gets_a_file_of_safetensors(suffix, tmp_path):
    sizes = {"features": 3, "convolutions": 1, "scale": 2}
    weights = random_weights("compact", sizes)
    export_foreign(weights, tmp_path / f"one.{suffix}", "real-esrgan")
    found = load_file(tmp_path / f"one.{suffix}")
    assert len(found) == len(weights.state)


@pytest.mark.parametrize(("activation", "slope"), [("prelu", None), ("leakyrelu", 0.1)])
def test_compact_networks_go_by_real_esrgans_names(activation, slope):
    given = {"features": 4, "convolutions": 1, "scale": 2, "activation": activation}
    ours = GENERATORS["compact"](**given).state_dict()
    theirs = to_foreign("compact", given, ours, "real-esrgan")
    assert set(theirs) == set(CompactReference(4, 1, 2, slope=slope).state_dict())
    assert all(torch.equal(theirs[key], ours[key]) for key in ours)


@pytest.mark.parametrize(
    ("architecture", "sizes", "naming", "says"),
    [
        ("rrdbnet", {"scale": 3}, "esrgan-old", "naming"),
        ("rrdbnet", {"scale": 2}, "real-esrgan", "naming"),
        ("rrdbnet", {"scale": 4}, "waifu", "naming"),
        ("srresnet", {}, "esrgan", r"srresnet .* \.pth .*; write \.onnx or \.param"),
        ("compact", {}, "esrgan", r"compact .* \.pth .*; use --to real-esrgan"),
    ],
)
def test_what_other_programs_cannot_run_is_refused(architecture, sizes, naming, says):
    tiny = {"rrdbnet": {"features": 3, "blocks": 1, "growth": 2}, "compact": {"features": 3}}
    given = {**tiny.get(architecture, {"features": 3, "blocks": 1}), **sizes}
    state = GENERATORS[architecture](**given).state_dict()
    with pytest.raises(WeightsError, match=says):
        to_foreign(architecture, given, state, naming)
