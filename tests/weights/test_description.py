"""The trainings that led to a file."""

from srgan_cli.weights.description import teachers_of, training_history

ROOT = {"command": "root"}


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
