"""The trainings that led to a file."""

import pytest
from small_networks import random_weights, write_pair

from srgan_cli.weights.description import describe_weights, teachers_of, training_history
from srgan_cli.weights.ncnn.writer import format_pair

ROOT = {"command": "root"}


@pytest.mark.parametrize("half", ["one.param", "one.bin"])
def test_the_size_of_an_ncnn_pair_is_that_of_both_files(half, tmp_path):
    sizes = {"scale": 2, "features": 3, "convolutions": 1}
    text, data = format_pair(random_weights("compact", sizes))
    write_pair(tmp_path, text, data)
    assert describe_weights(tmp_path / half).bytes == len(text) + len(data)


def test_trainings_come_oldest_first():
    assert training_history({"command": "new", "history": [ROOT]}) == [ROOT, {"command": "new"}]
    assert training_history({}) == []


def test_a_blend_has_the_trainings_of_its_parts_and_what_they_share_once():
    faithful = {"command": "faithful", "history": [ROOT]}
    vivid = {"command": "vivid", "teachers": ["theirs (MIT)"], "history": [ROOT]}
    blend = {
        "blend": [
            {"share": 0.5, "objective": "psnr", "training": faithful},
            {"share": 0.5, "objective": "gan", "training": vivid},
        ]
    }
    history = training_history({"command": "last", "history": [blend]})
    assert [record.get("command") for record in history] == [
        "root",
        "faithful",
        "vivid",
        None,
        "last",
    ]
    assert [part["share"] for part in history[3]["blend"]] == [0.5, 0.5]
    assert "training" not in history[3]["blend"][0]
    assert teachers_of(history) == ["theirs (MIT)"]


def test_records_of_other_types_are_passed_over():
    assert training_history({"history": ["words", ROOT], "blend": [3]}) == [ROOT, {"blend": [3]}]
