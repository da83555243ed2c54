"""`srgan rate` from the shell's side."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from helpers import srgan

from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image
from srgan_cli.study.answers import FORMAT, Trial, checksum


def _run(*words: str | Path) -> Result:
    return srgan("rate", *words)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = [tmp_path / "bicubic", tmp_path / "srgan"]
    for level, folder in enumerate(made):
        folder.mkdir()
        write_image(Image(np.full((8, 8, 3), level, np.uint8)), folder / "ant.png")
    return made


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with what two raters have sent."""
    folder = tmp_path / "results"
    folder.mkdir()
    for rater, better in (("ann", 4), ("bo", 5)):
        ratings = {Trial("ant", "bicubic"): 2, Trial("ant", "srgan"): better}
        rows = [
            {"picture": trial.image, "method": trial.method, "rating": rating}
            for trial, rating in ratings.items()
        ]
        data = {
            "format": FORMAT,
            "study": "s",
            "rater": rater,
            "saved": "",
            "methods": ["bicubic", "srgan"],
            "pictures": ["ant"],
            "ratings": rows,
            "checksum": checksum("s", rater, ratings),
        }
        (folder / f"{rater}.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


def test_makes_a_page_and_says_what_is_in_it(tmp_path: Path, folders: list[Path]) -> None:
    done = _run(*folders, "-o", tmp_path / "study.html")
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "study.html: 2 methods x 1 images, lossless WebP, 0.0 MB" in done.stderr
    assert "data:image/webp" in (tmp_path / "study.html").read_text(encoding="utf-8")


def test_scores_as_tables(results: Path) -> None:
    done = _run("--score", *sorted(results.iterdir()))
    assert done.exit_code == 0
    rows = [line.split() for line in done.stdout.split("Differences")[0].splitlines()]
    means = {words[1]: words[3] for words in rows if len(words) > 3 and words[0] == "│"}
    assert (means["srgan"], means["bicubic"]) == ("4.50", "2.00")
    assert "+2.50" in done.stdout
    assert "+2.00 to +3.00" in done.stdout
    assert "clear" in done.stdout
    assert "Note: one image" in done.stderr


def test_scores_as_json(results: Path) -> None:
    done = _run("--score", "--json", results / "*.json")
    scores = json.loads(done.stdout)
    assert scores["raters"] == 2
    assert scores["scores"][0] == {
        "method": "srgan",
        "estimate": {"mean": 4.5, "low": 4.0, "high": 5.0},
        "count": 2,
    }
    assert scores["differences"][0]["clear"] is True


def test_scores_a_folder_and_plots(tmp_path: Path, results: Path) -> None:
    assert _run("--score", results, "-o", tmp_path / "scores.svg").exit_code == 0
    assert (tmp_path / "scores.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_spoilt_file_fails_while_the_rest_is_scored(results: Path) -> None:
    (results / "ann.json").write_text("{", encoding="utf-8")
    done = _run("--score", "--json", results)
    assert done.exit_code == 1
    assert "ann.json is not JSON" in done.stderr
    assert json.loads(done.stdout)["raters"] == 1


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["a", "b"], "name the page with -o"),
        (["a", "-o", "x.html"], "at least two folders"),
        (["a", "b", "-o", "x.html", "--json"], "add --score"),
        (["a", "--score", "--side", "64"], "leave out --score"),
        (["a", "--score", "-o", "x.png"], "end its name in .svg"),
    ],
)
def test_options_that_make_no_sense_together(words: list[str], remedy: str) -> None:
    done = _run(*words)
    assert done.exit_code == 2
    assert remedy in done.stderr


def test_folders_that_do_not_match_write_nothing(tmp_path: Path, folders: list[Path]) -> None:
    (folders[1] / "ant.png").rename(folders[1] / "bus.png")
    done = _run(*folders, "-o", tmp_path / "study.html")
    assert done.exit_code == 1
    assert "missing: bus in" in done.stderr
    assert not (tmp_path / "study.html").exists()


def test_no_results_in_a_folder_is_said(tmp_path: Path) -> None:
    done = _run("--score", tmp_path)
    assert done.exit_code == 1
    assert "no .json file is there" in done.stderr
