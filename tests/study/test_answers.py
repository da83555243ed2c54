"""Files that raters send back, honest and odd."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from srgan_cli.errors import DatasetError
from srgan_cli.study.answers import Trial, read_result, read_results

Write = Callable[..., Path]
FULL = {
    (picture, method): 3 for picture in ("ant", "bus", "cat") for method in ("bicubic", "srgan")
}


def test_ratings_are_read_in_order(write_result: Write) -> None:
    result = read_result(write_result("ann", {("bus", "srgan"): 4, ("ant", "bicubic"): 1}))
    assert list(result.ratings.items()) == [
        (Trial("bus", "srgan"), 4),
        (Trial("ant", "bicubic"), 1),
    ]
    assert result.checksum_matches


def test_a_copy_counts_once(write_result: Write) -> None:
    paths = [write_result("ann", FULL), write_result("copy", FULL, rater="ann")]
    read = read_results(paths)
    assert [result.path for result in read.results] == paths[:1]
    assert read.notes == (f"left out: {paths[1]} is a copy of {paths[0]} (ann)",)


def test_of_two_files_by_one_rater_the_fuller_counts(write_result: Write) -> None:
    early = write_result("early", {("ant", "srgan"): 5}, rater="ann")
    late = write_result("late", FULL, rater="ann")
    read = read_results([early, late])
    assert [result.path for result in read.results] == [late]
    assert read.notes == (f"left out: {early} is by the same rater as {late} (ann)",)


def test_an_incomplete_file_counts_and_is_named(write_result: Write) -> None:
    path = write_result("ann", {("ant", "srgan"): 5})
    read = read_results([path])
    assert len(read.results) == 1
    assert read.notes == (f"counted, but incomplete (1 of 6 ratings): {path}",)


def test_a_rating_changed_by_hand_is_noticed(write_result: Write) -> None:
    path = write_result("ann", FULL)
    path.write_text(path.read_text().replace('"rating": 3', '"rating": 5', 1))
    read = read_results([path])
    assert read.notes == (f"counted, but changed since the page saved it: {path}",)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"rating": 3', '"rating": 7', '"rating": 7} is not a rating from 1 to 5'),
        ('"rating": 3', '"rating": 3.5', "is not a rating"),
        ('"rating": 3', '"rating": true', "is not a rating"),
        ('"rating": 3', '"note": 3', "is not a rating"),
        ('"picture": "ant"', '"picture": "eel"', "eel by bicubic is not of its study"),
        ('"method": "bicubic"', '"method": "srgan"', "ant by srgan is rated twice"),
        ('"rater": "ann"', '"rater": 5', '"rater" is missing or not as'),
        ('["bicubic", "srgan"]', '["srgan", "srgan"]', '"methods" is missing or not as'),
        ('"format": "srgan-study-1"', '"format": "2"', "not a result of a study page"),
        ("{", "", "is not JSON"),
    ],
)
def test_a_file_spoilt_by_hand_is_left_out_with_the_reason(
    write_result: Write, old: str, new: str, words: str
) -> None:
    spoilt, good = write_result("ann", FULL), write_result("bo", FULL)
    spoilt.write_text(spoilt.read_text().replace(old, new, 1))
    read = read_results([spoilt, good])
    assert [result.rater for result in read.results] == ["bo"]
    assert len(read.rejected) == 1
    assert words in read.rejected[0]
    assert str(spoilt) in read.rejected[0]


@pytest.mark.parametrize("content", [b"[" * 100_000, b'"\xff"', b"1" * 10_000])
def test_a_file_that_json_chokes_on_is_left_out(
    write_result: Write, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    (rejected,) = read_results([path, write_result("ann", FULL)]).rejected
    assert "odd.json" in rejected


def test_a_pipe_is_left_out_without_waiting(write_result: Write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (rejected,) = read_results([tmp_path / "pipe.json", write_result("ann", FULL)]).rejected
    assert "a pipe, not a regular file" in rejected


def test_names_with_half_a_character_are_read(write_result: Write) -> None:
    path = write_result("ann", {("\ud800", "bicubic"): 3}, pictures=["\ud800"])
    assert len(read_results([path]).results) == 1


def test_without_any_usable_file_the_reason_is_the_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_results([tmp_path / "missing.json"])
    with pytest.raises(DatasetError, match="no results to score"):
        read_results([])


def test_results_of_two_studies_are_not_mixed(write_result: Write) -> None:
    with pytest.raises(DatasetError, match="another study than"):
        read_results([write_result("ann", FULL), write_result("bo", FULL, study="t")])


def test_methods_edited_in_one_file_are_noticed(write_result: Write) -> None:
    edited = write_result("bo", FULL, methods=["bicubic", "srgan", "mine"])
    with pytest.raises(DatasetError, match="lists other methods"):
        read_results([write_result("ann", FULL), edited])
