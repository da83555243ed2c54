"""Weights files tell every training that led to them, and no folder of the machine."""

import json
from pathlib import Path

import pytest

from srgan_cli.training.initial_weights import starting_weights, without_folders
from srgan_cli.training.recipes import RECIPES
from srgan_cli.weights.container import Weights, read_weights, write_weights
from srgan_cli.weights.generators import build_generator
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.metadata import Metadata


def test_paths_keep_their_last_component_wherever_they_stand() -> None:
    record = {
        "command": "srgan train /home/me/photos -o runs/one --vgg '/data/my vgg.pth:conv1_2=1'",
        "judged_by": {"/data/vgg.pth": ["conv1_2"]},
        "note": "plain words",
        "steps": 3,
    }
    assert without_folders(record) == {
        "command": "srgan train photos -o one --vgg 'my vgg.pth:conv1_2=1'",
        "judged_by": {"vgg.pth": ["conv1_2"]},
        "note": "plain words",
        "steps": 3,
    }


def test_the_chain_of_trainings_is_reported_through_every_from(make, run, tmp_path: Path) -> None:
    first = make(out=tmp_path / "first", steps=1)
    run(first)
    second = make(out=tmp_path / "second", steps=2, start=tmp_path / "first" / "psnr.safetensors")
    run(second)
    third = make(
        out=tmp_path / "third",
        steps=3,
        stages="gan",
        start=tmp_path / "second" / "psnr.safetensors",
    )
    run(third)
    training = read_weights(tmp_path / "third" / "gan.safetensors").metadata.training
    assert [record["steps"] for record in training["history"]] == [1, 2]
    assert training["history"][1]["from"] == "psnr.safetensors"
    assert training["stage"] == "gan"
    assert str(tmp_path) not in json.dumps(training)


def test_teachers_are_named(make, run, tmp_path: Path) -> None:
    run(make(out=tmp_path / "teacher", steps=1))
    teacher = tmp_path / "teacher" / "psnr.safetensors"
    run(make(out=tmp_path / "pupil", steps=1, teachers=(teacher,)))
    training = read_weights(tmp_path / "pupil" / "psnr.safetensors").metadata.training
    assert training["teachers"] == ["psnr.safetensors"]


@pytest.mark.parametrize(("blocks", "middle"), [(1, [3]), (2, [3, 5]), (3, [3, 5, 8])])
def test_the_body_of_an_older_pruned_network_is_kept(make, tmp_path, blocks, middle) -> None:
    sizes = {"scale": 2, "features": 8, "blocks": 2, "thin": 4, "middle": [3, 5]}
    state = build_generator("fast", sizes).state_dict()
    write_weights(Weights("fast", sizes, state, Metadata(scale=2)), tmp_path / "old.safetensors")
    options = make(start=tmp_path / "old.safetensors", blocks=blocks)
    weights = starting_weights(options, RECIPES["clean"])
    assert weights.hyperparameters["middle"] == middle
    assert weights.hyperparameters["binomial"]
    body = load_generator(weights).state_dict()
    assert all((body[name] == state[name]).all() for name in state if name.startswith("body.0."))
