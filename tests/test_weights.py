import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from srgan_cli.errors import WeightsError
from srgan_cli.weights import (
    blend,
    build_generator,
    checksum,
    halved,
    load_generator,
    read_weights,
    write_weights,
)


def test_what_is_written_is_read_back(tiny, tiny_file):
    again = read_weights(tiny_file)
    assert str(again) == str(tiny) == "fast (scale 4, features 4, blocks 1, thin 2)"
    assert again.facts == tiny.facts
    torch.testing.assert_close(dict(again.state), dict(tiny.state))


def test_a_loaded_generator_enlarges(tiny):
    network = load_generator(tiny)
    assert network(torch.zeros(1, 3, 5, 7)).shape == (1, 3, 20, 28)
    assert not network.training


def test_halved_weights_come_back_as_float32(tiny, tmp_path):
    write_weights(halved(tiny), tmp_path / "half.safetensors")
    again = read_weights(tmp_path / "half.safetensors")
    assert {tensor.dtype for tensor in again.state.values()} == {torch.float16}
    assert {p.dtype for p in load_generator(again).parameters()} == {torch.float32}


@pytest.mark.parametrize(("amount", "expected"), [(0.0, 2.0), (0.25, 3.0), (1.0, 6.0)])
def test_a_blend_lies_between_its_parents(tiny, amount, expected):
    faithful = replace(tiny, state={"w": torch.tensor(2.0), "n": torch.tensor(3)})
    vivid = replace(tiny, state={"w": torch.tensor(6.0), "n": torch.tensor(3)})
    blended = blend(faithful, vivid, amount)
    assert blended.state["w"] == expected
    assert blended.state["n"] == 3
    assert blended.facts.objective == "blend"
    assert blended.facts.lineage == tiny.facts.lineage


def test_networks_of_different_size_do_not_blend(tiny):
    state = dict(tiny.state)
    state["head.weight"] = torch.zeros(9, 3, 3, 3)
    with pytest.raises(WeightsError, match=r"head.weight has shape \[9, 3, 3, 3\]"):
        blend(tiny, replace(tiny, state=state), 0.5)


def test_all_that_does_not_fit_is_told_at_once(tiny):
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
        build_generator("fast", {"colour": 3})


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
        ({"format": None}, "not written by srgan"),
        ({"facts": None, "sha256": None}, "lacks facts, sha256"),
        ({"sha256": "0" * 64}, "do not match their checksum"),
        ({"facts": "{"}, "damaged header"),
        ({"facts": "{}"}, "damaged header"),
    ],
)
def test_damaged_headers_are_named(tiny_file, changes, message):
    with pytest.raises(WeightsError, match=message):
        read_weights(rewritten(tiny_file, **changes))


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_never_pass(tiny_file, seed):
    """A byte of the tensors flipped, or the end missing."""
    generator = torch.Generator().manual_seed(seed)
    raw = bytearray(tiny_file.read_bytes())
    header = 8 + int.from_bytes(raw[:8], "little")
    place = int(torch.randint(header, len(raw), (1,), generator=generator))
    if seed % 4 == 0:
        raw = raw[:place]
    else:
        raw[place] ^= 1 + seed
    tiny_file.write_bytes(raw)
    with pytest.raises(WeightsError) as caught:
        read_weights(tiny_file)
    assert "\n" not in str(caught.value)


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        read_weights(tmp_path / "none.safetensors")
    (tmp_path / "page.safetensors").write_text("<html>not found</html>")
    with pytest.raises(WeightsError, match="not a readable weights file"):
        read_weights(tmp_path / "page.safetensors")


def test_the_checksum_sees_names_types_shapes_and_values(tiny):
    state = {"a": torch.zeros(2, 3), "b": torch.ones(1)}
    variants = [
        state,
        {"a": torch.zeros(3, 2), "b": torch.ones(1)},
        {"a": torch.zeros(2, 3), "c": torch.ones(1)},
        {"a": torch.zeros(2, 3), "b": torch.zeros(1)},
        {"a": torch.zeros(2, 3).half(), "b": torch.ones(1)},
    ]
    assert len({checksum(variant) for variant in variants}) == len(variants)
    assert checksum(dict(reversed(state.items()))) == checksum(state)
