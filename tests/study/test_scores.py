"""Scores and differences with their intervals, and the plot of them."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from srgan_cli.errors import DatasetError
from srgan_cli.study.answers import Result, Trial
from srgan_cli.study.scores import StudyScores, score, scores_plot

METHODS = ("bicubic", "srgan")


def _result(rater: str, ratings: dict[Trial, int], images: int = 8) -> Result:
    names = tuple(f"p{number}" for number in range(images))
    return Result(Path(rater), "s", rater, "", METHODS, names, ratings, checksum_matches=True)


def _panel(raters: int, images: int, better: int, seed: int = 0) -> list[Result]:
    """Noisy raters; srgan is rated `better` points above bicubic on the whole."""
    random = np.random.default_rng(seed)
    results = []
    for rater in range(raters):
        ratings = {}
        for number in range(images):
            for method, base in zip(METHODS, (2, 2 + better), strict=True):
                rating = int(np.clip(base + random.integers(-1, 2), 1, 5))
                ratings[Trial(f"p{number}", method)] = rating
        results.append(_result(str(rater), ratings, images))
    return results


def _by_name(scores: StudyScores) -> dict[str, float]:
    return {score.method: score.estimate.mean for score in scores.scores if score.estimate}


def test_mean_is_over_all_ratings_and_the_best_comes_first() -> None:
    results = [
        _result("a", {Trial("p0", "bicubic"): 1, Trial("p0", "srgan"): 4}),
        _result("b", {Trial("p0", "bicubic"): 2, Trial("p1", "srgan"): 5}),
    ]
    scores = score(results)
    assert _by_name(scores) == {"srgan": 4.5, "bicubic": 1.5}
    assert [each.method for each in scores.scores] == ["srgan", "bicubic"]
    assert (scores.raters, scores.images) == (2, 8)


def test_difference_is_within_a_rater_and_an_image() -> None:
    ratings = {Trial("p0", "srgan"): 5, Trial("p0", "bicubic"): 4, Trial("p1", "bicubic"): 1}
    (difference,) = score([_result("a", ratings)]).differences
    assert (difference.first, difference.second, difference.count) == ("srgan", "bicubic", 1)
    assert difference.estimate
    assert difference.estimate.mean == 1


def test_a_large_difference_is_clear_and_a_tie_is_not() -> None:
    (clear,) = score(_panel(6, 8, better=2)).differences
    (tied,) = score(_panel(6, 8, better=0)).differences
    assert clear.clear
    assert not tied.clear


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Of 40 studies of equal methods, 95 % should hold 0; drawing images too makes it more."""
    intervals = [score(_panel(5, 6, 0, seed)).differences[0].estimate for seed in range(40)]
    inside = [each.low <= 0 <= each.high for each in intervals if each and each.low is not None]
    assert sum(inside) >= 36


def test_interval_agrees_with_the_normal_one_of_independent_ratings() -> None:
    """One rater, many images: the bootstrap of a mean is known to come to +-1.96 s / sqrt(n)."""
    random = np.random.default_rng(3)
    ratings = {Trial(f"p{n}", "srgan"): int(random.integers(1, 6)) for n in range(200)}
    estimate = score([_result("a", ratings, 200)]).scores[0].estimate
    values = np.array(list(ratings.values()))
    half = 1.96 * values.std() / np.sqrt(200)
    assert estimate
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.02)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.02)


def test_the_same_results_give_the_same_figures() -> None:
    assert score(_panel(3, 4, 1)) == score(_panel(3, 4, 1))


def test_equal_means_are_in_the_order_of_their_names() -> None:
    scores = score([_result("a", {Trial("p0", method): 3 for method in reversed(METHODS)})])
    assert [each.method for each in scores.scores] == ["bicubic", "srgan"]
    assert not scores.differences[0].clear


def test_one_rater_and_missing_ratings_are_said() -> None:
    notes = score([_result("a", {Trial("p0", "srgan"): 3, Trial("p1", "srgan"): 4})]).notes
    assert any("one rater" in note for note in notes)
    assert any("missing" in note for note in notes)


def test_a_method_nobody_rated_comes_last_without_figures() -> None:
    scores = score([_result("a", {Trial("p0", "srgan"): 1, Trial("p1", "srgan"): 1})])
    assert (scores.scores[1].method, scores.scores[1].estimate) == ("bicubic", None)
    assert scores.differences[0].estimate is None
    assert not scores.differences[0].clear


def test_a_single_rating_has_no_interval() -> None:
    estimate = score([_result("a", {Trial("p0", "srgan"): 4})]).scores[0].estimate
    assert estimate
    assert (estimate.mean, estimate.low, estimate.high) == (4, None, None)


def test_no_rating_at_all_is_an_error() -> None:
    with pytest.raises(DatasetError, match="no rating"):
        score([_result("a", {})])


def test_plot_shows_each_method_where_its_mean_lies() -> None:
    results = [_result("a", {Trial("p0", "bicubic"): 1, Trial("p0", "srgan"): 5})]
    drawing = ET.fromstring(scores_plot(score(results)))
    name = "{http://www.w3.org/2000/svg}"
    dots = [float(dot.attrib["cx"]) for dot in drawing.iter(name + "circle")]
    lines = [float(line.attrib["x1"]) for line in drawing.iter(name + "line")]
    assert dots == [lines[4], lines[0]]
    words = [text.text for text in drawing.iter(name + "text")]
    assert {"srgan", "5.00", "bicubic", "1.00", "excellent"} <= set(words)


def test_plot_shows_control_characters_as_escapes() -> None:
    ratings = {Trial("p0", "a\x1b[31m\x00"): 3}
    result = Result(Path("a"), "s", "a", "", ("a\x1b[31m\x00",), ("p0",), ratings, True)
    words = [text.text for text in ET.fromstring(scores_plot(score([result]))).iter()]
    assert r"a\x1b[31m\x00" in words


def test_plot_escapes_and_shortens_names() -> None:
    methods = ("<b>&", "long" * 30)
    ratings = {Trial("p0", method): 3 for method in methods}
    result = Result(Path("a"), "s", "a", "", methods, ("p0",), ratings, checksum_matches=True)
    words = [text.text for text in ET.fromstring(scores_plot(score([result]))).iter()]
    assert "<b>&" in words
    assert any(word and word.startswith("longlong") and word.endswith("…") for word in words)
