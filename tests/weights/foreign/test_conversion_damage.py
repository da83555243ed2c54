"""Damaged foreign files end in a WeightsError or in a whole network, never in a traceback."""

import random
from collections.abc import Callable
from pathlib import Path

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
)
from safetensors.torch import save_file
from torch import Tensor, nn

from srgan_cli.errors import WeightsError
from srgan_cli.networks import GENERATORS
from srgan_cli.weights.foreign.conversion import from_foreign
from srgan_cli.weights.tensor_files import read_tensors

NETWORKS: list[Callable[[], nn.Module]] = [
    lambda: OldestRRDB(blocks=1, features=3, growth=2, ups=1),
    lambda: RRDBReference("real-esrgan", 1, 3, 2),
    lambda: CompactReference(3, 1, 2),
    lambda: PaperReference(3, 1, [2], bias=False),
    lambda: LeftthomasReference(3, 1, 1, old=True),
    lambda: MSRReference("basicsr", 3, 1, [2]),
    lambda: EarlyReference(3, 1, [2]),
]
State = dict[str, Tensor]


def test_a_key_of_thousands_of_digits_is_refused():
    state = CompactReference(3, 1, 2).state_dict() | {f"body.{'9' * 5000}.weight": torch.zeros(1)}
    with pytest.raises(WeightsError, match="does not belong to it"):
        from_foreign(state)


def mirrored(tensor: Tensor) -> Tensor:
    return tensor.permute(tuple(reversed(range(tensor.dim())))).contiguous()


def without_a_key(state: State, luck: random.Random) -> None:
    del state[luck.choice(list(state))]


def with_a_shape_changed(state: State, luck: random.Random) -> None:
    key = luck.choice(list(state))
    shapes = [state[key].flatten(), state[key][None], mirrored(state[key]), torch.zeros(0)]
    state[key] = luck.choice(shapes)


def with_two_swapped(state: State, luck: random.Random) -> None:
    a, b = luck.sample(list(state), 2)
    state[a], state[b] = state[b].clone(), state[a].clone()


def with_a_number_lost(state: State, luck: random.Random) -> None:
    key = luck.choice([key for key, tensor in state.items() if tensor.is_floating_point()])
    state[key] = torch.full_like(state[key], luck.choice([torch.nan, torch.inf]))


def with_another_type(state: State, luck: random.Random) -> None:
    key = luck.choice(list(state))
    state[key] = state[key].to(luck.choice([torch.int8, torch.complex64, torch.bool]))


def with_a_key_renumbered(state: State, luck: random.Random) -> None:
    key = luck.choice([key for key in state if any(c.isdigit() for c in key)])
    digit = next(c for c in key if c.isdigit())
    state[key.replace(digit, luck.choice(["0", "3", "77", "999999999999", "²"]), 1)] = state.pop(
        key
    )


CONTENTS = [
    without_a_key,
    with_a_shape_changed,
    with_two_swapped,
    with_a_number_lost,
    with_another_type,
    with_a_key_renumbered,
]


def cut_off(data: bytearray, luck: random.Random) -> None:
    del data[luck.randrange(len(data)) :]


def flipped(data: bytearray, luck: random.Random) -> None:
    for _ in range(luck.choice([1, 8, 64])):
        data[luck.randrange(len(data))] ^= 1 << luck.randrange(8)


def flipped_at_the_start(data: bytearray, luck: random.Random) -> None:
    for _ in range(luck.choice([1, 3])):
        data[luck.randrange(min(4000, len(data)))] ^= 1 << luck.randrange(8)


BYTES = [cut_off, flipped, flipped_at_the_start]


def save(state: State, path: Path, kind: str) -> None:
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("seed", range(70))
def test_a_damaged_file_ends_in_an_error_line_or_in_a_whole_network(tmp_path, seed, kind):
    luck, path = random.Random(f"{seed} {kind}"), tmp_path / "weights"
    state = dict(luck.choice(NETWORKS)().state_dict())
    damage = luck.choice([*CONTENTS, *BYTES * 2])
    if damage in CONTENTS:
        damage(state, luck)
    save(state, path, kind)
    if damage in BYTES:
        data = bytearray(path.read_bytes())
        damage(data, luck)
        path.write_bytes(data)
    try:
        adopted = from_foreign(read_tensors(path))
    except WeightsError:
        return
    network = GENERATORS[adopted.architecture](**adopted.hyperparameters)
    network.load_state_dict(adopted.state)
    assert all(tensor.isfinite().all() for tensor in adopted.state.values())


@pytest.mark.parametrize("damage", CONTENTS[:1] + CONTENTS[3:4])
def test_what_is_lost_is_never_overlooked(damage):
    for seed, make in enumerate(NETWORKS):
        state = dict(make().state_dict())
        optional = ("num_batches_tracked", "model.7.bias")
        state = {key: tensor for key, tensor in state.items() if not key.endswith(optional)}
        damage(state, random.Random(seed))
        with pytest.raises(WeightsError):
            from_foreign(state)
