"""Weights files tell every training that led to them, and no folder of the machine."""

import json
from pathlib import Path

from srgan_cli.training.initial_weights import without_folders
from srgan_cli.weights.container import read_weights


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
