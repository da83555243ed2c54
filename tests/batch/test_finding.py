"""Files, folders and globs become the pictures in them."""

from pathlib import Path

import pytest

from srgan_cli.batch.inputs import find
from srgan_cli.batch.naming import Batch
from srgan_cli.errors import OptionError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.JPG", "note.txt", ".hidden.png", "sub/c.png", ".cache/d.png"):
        path = Path("photos") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def paths(*inputs: str, **more: object) -> list[str]:
    return [str(one.path) for one in find(Batch(inputs, **more))]


def test_a_folder_gives_its_pictures_in_order():
    assert paths("photos") == ["photos/a.JPG", "photos/b.png"]


def test_recursive_enters_folders_but_not_hidden_ones():
    found = find(Batch(("photos",), recursive=True))
    assert [str(one.path) for one in found] == ["photos/a.JPG", "photos/b.png", "photos/sub/c.png"]
    assert [str(one.below) for one in found] == [".", ".", "sub"]


def test_the_output_folder_is_not_looked_into():
    assert paths("photos", recursive=True, out="photos/sub") == ["photos/a.JPG", "photos/b.png"]


def test_globs_are_expanded_and_a_file_of_such_a_name_comes_first():
    assert paths("photos/*.png") == ["photos/b.png"]
    assert paths("photos/**/*.png") == ["photos/b.png", "photos/sub/c.png"]
    Path("[ab].png").touch()
    assert paths("[ab].png") == ["[ab].png"]


def test_a_missing_file_stays_and_a_picture_named_twice_is_taken_once():
    assert paths("nix.png", "photos/b.png", "./photos/b.png") == ["nix.png", "photos/b.png"]


def test_no_picture_at_all_is_a_usage_error_that_knows_of_deeper_folders():
    Path("deep/er").mkdir(parents=True)
    with pytest.raises(OptionError, match="no picture in deep; --recursive"):
        find(Batch(("deep",)))


def test_an_empty_folder_beside_others_is_a_problem_of_its_own():
    Path("empty").mkdir()
    problems = [one.problem for one in find(Batch(("empty", "photos/b.png", "*.gif")))]
    assert problems == ["there is no picture in empty", None, "there is no picture in *.gif"]


def test_a_name_too_long_for_the_system_is_a_file_that_is_missing():
    assert paths("x" * 300) == ["x" * 300]
