import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save, save_file

from srgan_cli.errors import WeightsError
from srgan_cli.networks import GENERATORS
from srgan_cli.weights.container import (
    Weights,
    count_parameters,
    read_weights,
    state_checksum,
    to_half,
    write_weights,
)
from srgan_cli.weights.generators import build_generator
from srgan_cli.weights.loading import SPANDREL, load_generator, load_weights
from srgan_cli.weights.metadata import Metadata

SMALL = {
    "fast": {"scale": 3, "features": 3, "blocks": 1, "thin": 2},
    "srcnn": {"scale": 2, "n1": 3, "n2": 2},
    "vdsr": {"scale": 2, "depth": 3, "features": 3},
    "srresnet": {"scale": 2, "features": 3, "blocks": 1},
    "rrdbnet": {"scale": 2, "features": 3, "blocks": 1, "growth": 2, "unshuffle": 2},
    "compact": {"scale": 2, "features": 3, "convolutions": 1},
}


def test_what_is_written_is_read_back(tiny, tiny_file):
    again = read_weights(tiny_file)
    assert str(again) == str(tiny) == "fast (scale 4, features 4, blocks 1, thin 2)"
    assert again.metadata == tiny.metadata
    torch.testing.assert_close(dict(again.state), dict(tiny.state))


def test_a_file_of_the_first_release_loads():
    weights = read_weights(Path(__file__).parents[1] / "data" / "format-1.safetensors")
    assert str(weights) == "fast (scale 2, features 4, blocks 1, thin 2)"
    assert weights.metadata == Metadata(
        scale=2,
        objective="psnr",
        lineage="0123456789abcdef",
        measured_receptive_field=4,
        reflect_padding=3,
        training={"recipe": "clean", "steps": 7, "validation": {"psnr": 30.5}},
        figures={"set5": {"psnr_y": 31.5, "ssim_y": 0.9}},
    )
    assert load_generator(weights)(torch.zeros(1, 3, 5, 7)).shape == (1, 3, 10, 14)


def header_of(path: Path) -> dict:
    raw = path.read_bytes()
    return json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])


def test_a_file_that_is_written_again_keeps_every_key_and_checksum(tmp_path):
    given = Path(__file__).parents[1] / "data" / "format-1.safetensors"
    write_weights(read_weights(given), tmp_path / "again.safetensors")
    assert header_of(tmp_path / "again.safetensors") == header_of(given)


def test_a_loaded_generator_upscales(tiny):
    network = load_generator(tiny)
    assert network(torch.zeros(1, 3, 5, 7)).shape == (1, 3, 20, 28)
    assert not network.training


def test_halved_weights_come_back_as_float32(tiny, tmp_path):
    write_weights(to_half(tiny), tmp_path / "half.safetensors")
    again = read_weights(tmp_path / "half.safetensors")
    assert {tensor.dtype for tensor in again.state.values()} == {torch.float16}
    assert {p.dtype for p in load_generator(again).parameters()} == {torch.float32}


def test_all_that_does_not_fit_is_reported_at_once(tiny):
    state = dict(tiny.state)
    del state["head.bias"]
    state["tail.bias"] = torch.zeros(1)
    state["to_rgb.bias"] = torch.full((3,), torch.nan)
    with pytest.raises(WeightsError) as caught:
        load_generator(replace(tiny, state=state))
    for part in ("head.bias is missing", "tail.bias is unknown", "to_rgb.bias holds values"):
        assert part in str(caught.value)


def test_unknown_networks_and_sizes_are_refused():
    with pytest.raises(WeightsError, match="unknown architecture 'swin'"):
        build_generator("swin", {})
    with pytest.raises(WeightsError, match="fast cannot be built"):
        build_generator("fast", {"color": 3})


def rewritten(path: Path, **changes: str | None) -> Path:
    """The file with header entries replaced, or removed where None."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    about = json.loads(raw[8 : 8 + length])["__metadata__"] | changes
    path.write_bytes(save(load(raw), metadata={k: v for k, v in about.items() if v is not None}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": None}, "its header has no 'format'"),
        ({"facts": None, "sha256": None}, "no 'facts', no 'sha256'"),
        ({"format": "srgan 9"}, "its format is 'srgan 9', and this version reads 'srgan 1'"),
        ({"color": "red"}, "an unknown 'color'"),
        ({"sha256": "0" * 64}, "tensors do not match their checksum"),
        ({"header_sha256": "0" * 64}, "header does not match its checksum"),
        ({"facts": '{"scale": 4, "lineage": "another"}'}, "header does not match its checksum"),
        ({"facts": "{"}, "its header is wrong"),
        ({"facts": "{}"}, "its header is wrong"),
        ({"facts": "[4]"}, "its header is wrong"),
        ({"facts": '{"scale": "4"}'}, "its header is wrong: a scale '4'"),
        ({"facts": '{"scale": 4, "effective_reach": -1}'}, r"receptive field -1"),
        ({"facts": '{"scale": 4, "training": 1}'}, "training or figures of a wrong type"),
        ({"facts": "[" * 100_000}, "its header is wrong"),
        ({"hyperparameters": "[]"}, "its header is wrong"),
        ({"hyperparameters": '{"features": "many"}'}, "fast cannot be built so"),
        ({"hyperparameters": '{"scale": 2, "features": 4}'}, "body.1.conv1.weight is missing"),
        ({"architecture": "swin"}, "unknown architecture 'swin'"),
    ],
)
def test_damaged_headers_are_named(tiny_file, changes, message):
    with pytest.raises(WeightsError, match=message):
        read_weights(rewritten(tiny_file, **changes))


def test_everything_wrong_is_in_one_message(tiny, tiny_file):
    tensors = {**tiny.state, "tail": torch.zeros(1), "head.bias": torch.full((4,), torch.nan)}
    write_weights(replace(tiny, state=tensors), tiny_file)
    with pytest.raises(WeightsError) as caught:
        read_weights(rewritten(tiny_file, sha256="", color="red"))
    parts = ("unknown 'color'", "checksum", "tail is unknown", "head.bias holds values")
    assert all(part in str(caught.value) for part in (str(tiny_file), *parts))


def test_a_scale_that_is_not_the_networks_is_reported(tiny, tiny_file):
    write_weights(replace(tiny, metadata=replace(tiny.metadata, scale=2)), tiny_file)
    with pytest.raises(WeightsError, match="it enlarges by 4, not by 2"):
        read_weights(tiny_file)


def test_a_file_from_before_headers_had_a_checksum_is_read(tiny, tiny_file):
    assert read_weights(rewritten(tiny_file, header_sha256=None)).metadata == tiny.metadata


@pytest.mark.parametrize("seed", range(200))
def test_damaged_files_never_pass(tiny_file, seed):
    """Bits flipped in the header or the tensors, or the end missing."""
    luck, raw = random.Random(seed), bytearray(tiny_file.read_bytes())
    header = 8 + int.from_bytes(raw[:8], "little")
    first, last = [(0, len(raw)), (0, header), (header, len(raw))][seed % 3]
    if seed % 10 == 0:
        del raw[luck.randrange(len(raw)) :]
    else:
        for place in luck.sample(range(first, last), luck.choice([1, 1, 5])):
            raw[place] ^= 1 << luck.randrange(8)
    tiny_file.write_bytes(raw)
    for read in (read_weights, load_weights):
        with pytest.raises(WeightsError) as caught:
            read(tiny_file)
        assert str(tiny_file) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_loading_leaves_the_random_numbers_alone_and_the_weights_too(tiny):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    network = load_generator(tiny)
    assert torch.rand(1) == expected
    with torch.no_grad():
        next(network.parameters()).zero_()
    assert all(tensor.any() for name, tensor in tiny.state.items() if name == "head.weight")


@pytest.mark.parametrize("architecture", GENERATORS)
def test_every_network_is_the_same_after_a_round_trip(architecture, tmp_path):
    network = build_generator(architecture, SMALL[architecture]).eval()
    metadata = Metadata(scale=network.scale)
    weights = Weights(architecture, SMALL[architecture], network.state_dict(), metadata)
    write_weights(weights, tmp_path / "one.safetensors")
    again = load_generator(read_weights(tmp_path / "one.safetensors"))
    low = torch.rand(1, 3, 9, 8)
    torch.testing.assert_close(again(low), network(low), rtol=0, atol=0)


def test_what_16_bits_cannot_hold_is_not_halved(tiny):
    state = {**tiny.state, "head.bias": torch.full((4,), 1e6)}
    with pytest.raises(WeightsError, match="16 bits do not suffice"):
        to_half(replace(tiny, state=state))


def test_statistics_of_any_size_survive_halving():
    network = build_generator("srresnet", SMALL["srresnet"]).eval()
    network.end_body.running_var.fill_(1e5)
    weights = Weights("srresnet", SMALL["srresnet"], network.state_dict(), Metadata(scale=4))
    half = to_half(weights).state
    assert half["conv_body.weight"].dtype == torch.float16
    assert torch.equal(half["end_body.running_var"], network.end_body.running_var)


def test_parameters_are_counted_of_networks_that_only_others_can_build():
    state = {"a.weight": torch.zeros(2, 3), "a.running_var": torch.ones(2)}
    assert count_parameters(Weights(SPANDREL, {}, state, Metadata(scale=4))) == 6


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        read_weights(tmp_path / "none.safetensors")
    (tmp_path / "page.safetensors").write_text("<html>not found</html>")
    with pytest.raises(WeightsError, match="an HTML page"):
        read_weights(tmp_path / "page.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match="not written by srgan"):
        read_weights(tmp_path / "foreign.safetensors")


def test_the_checksum_sees_names_types_shapes_and_values(tiny):
    state = {"a": torch.zeros(2, 3), "b": torch.ones(1)}
    variants = [
        state,
        {"a": torch.zeros(3, 2), "b": torch.ones(1)},
        {"a": torch.zeros(2, 3), "c": torch.ones(1)},
        {"a": torch.zeros(2, 3), "b": torch.zeros(1)},
        {"a": torch.zeros(2, 3).half(), "b": torch.ones(1)},
    ]
    assert len({state_checksum(variant) for variant in variants}) == len(variants)
    assert state_checksum(dict(reversed(state.items()))) == state_checksum(state)
