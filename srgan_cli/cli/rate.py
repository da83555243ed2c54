"""`srgan rate`: a blind study of opinions as one page, and the scores from its results."""

import dataclasses
import glob
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srgan_cli.cli.command import Command, option
from srgan_cli.cli.console import Output, cell
from srgan_cli.cli.flags import folder, lock_outputs, new_file
from srgan_cli.errors import DatasetError, OptionError

if TYPE_CHECKING:
    from rich.table import Table

    from srgan_cli.study.scores import Difference, Estimate, MethodScore, StudyScores

SCALE = 21  # characters of a terminal for the ratings 1 to 5


@click.command(
    "rate",
    cls=Command,
    short_help="Let people rate images blindly",
    examples=(
        "srgan rate bicubic/ srgan/ originals/ -o study.html",
        "srgan rate --score results/*.json -o scores.svg",
    ),
    notes=(
        "Give one FOLDER per method, with the same images under the same names (bus.jpg and "
        "bus_x4.png are the same). The page works offline; each rater saves a RESULT file with it.",
        "--examples is best a folder of images that are not in the study; without it, images of "
        "the study are shown much smaller.",
    ),
)
@click.argument("inputs", nargs=-1, required=True, metavar="FOLDER...|RESULT...", type=click.Path())
@option(
    "-o, --output FILE",
    "Page to write, .html; with --score a plot, .svg",
    type=new_file,
    heading="Output",
)
@option(
    "--examples FOLDER",
    "Perfect images shown first",
    type=folder,
    show_default="from the study",
    heading="Page",
)
@option(
    "--side N",
    "Crop images to the middle N pixels",
    type=click.IntRange(min=32),
    show_default="512",
    heading="Page",
)
@option("--score", "Score the files that raters have sent", is_flag=True, heading="Scores")
@option("--json", "Print one JSON object, no table", name="as_json", is_flag=True, heading="Scores")
def rate_command(
    inputs: tuple[str, ...],
    output: Path | None,
    score: bool,
    as_json: bool,
    examples: Path | None,
    side: int | None,
) -> None:
    """Make a page on which people rate images blindly, then score what they send back."""
    if score:
        _check_score_options(output, examples, side)
        lock_outputs(filter(None, [output]))
        _score(_result_files(inputs), output, as_json)
    else:
        page = _checked_page(inputs, output, as_json)
        lock_outputs([page])
        _make([Path(folder) for folder in inputs], page, examples, side)


def _check_score_options(output: Path | None, examples: Path | None, side: int | None) -> None:
    if examples or side:
        raise OptionError("--examples and --side are for making a study; leave out --score")
    if output and output.suffix.lower() != ".svg":
        raise OptionError(f"{output}: the plot is an SVG file; end its name in .svg")


def _checked_page(inputs: tuple[str, ...], output: Path | None, as_json: bool) -> Path:
    if as_json:
        raise OptionError("--json is for scores; add --score and the raters' files")
    if output is None or output.suffix.lower() not in (".html", ".htm"):
        raise OptionError("name the page with -o, ending in .html; or add --score to score results")
    if len(inputs) < 2:
        raise OptionError("a study compares methods; give at least two folders")
    return output


def _make(folders: list[Path], page: Path, examples: Path | None, side: int | None) -> None:
    from srgan_cli.files import atomic_write
    from srgan_cli.study.study_page import SIDE, read_study, study_page

    study = read_study(folders, examples, side or SIDE)
    made = study_page(study)
    with atomic_write(page) as file:
        file.write(made.html.encode())
    Output().info(
        f"{page}: {len(study.methods)} methods x {len(study.images)} images, {made.coding},"
        f" {page.stat().st_size / 1e6:.1f} MB"
    )


def _result_files(inputs: tuple[str, ...]) -> list[Path]:
    """Files, *.json of folders and quoted globs, without duplicates."""
    found: dict[Path, Path] = {}
    for name in inputs:
        path = Path(name)
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not path.exists() and glob.has_magic(name):
            files = [Path(match) for match in sorted(glob.glob(name))]  # noqa: PTH207
        if not files:
            raise DatasetError(f"{name}: no .json file is there")
        found |= {file.resolve(): file for file in files}
    return list(found.values())


def _score(files: list[Path], plot: Path | None, as_json: bool) -> None:
    from srgan_cli.files import atomic_write
    from srgan_cli.study.answers import read_results
    from srgan_cli.study.scores import score, scores_plot

    results = read_results(files)
    scores = score(results.results)
    output = Output()
    for note in (*results.notes, *scores.notes):
        output.info(f"Note: {note}")
    for what in results.rejected:
        output.error(what)
    if plot:
        with atomic_write(plot) as file:
            file.write(scores_plot(scores).encode())
    if as_json:
        output.record(_plain(scores))
    else:
        for table in _tables(scores):
            output.table(table)
    if results.rejected or output.write_errors:
        raise click.exceptions.Exit(1)


def _plain(scores: "StudyScores") -> dict[str, object]:
    pairs = [{**dataclasses.asdict(pair), "clear": pair.clear} for pair in scores.differences]
    plain = dataclasses.asdict(scores)
    return {"pictures": plain.pop("images"), **plain, "differences": pairs}


def _tables(scores: "StudyScores") -> "Iterator[Table]":
    from rich.table import Table

    means = Table("method", "mean", "95 % interval", "1 bad – excellent 5", "ratings")
    for score in scores.scores:
        means.add_row(cell(score.method), *_figures(score.estimate), _bar(score), str(score.count))
    difference = Table("pair", "difference", "95 % interval", "ratings", "")
    for pair in scores.differences:
        difference.add_row(
            cell(f"{pair.first} – {pair.second}"),
            *_figures(pair.estimate, "+"),
            str(pair.count),
            _describe_difference(pair),
        )
    for title, table in (("Mean opinion scores", means), ("Differences", difference)):
        table.title = f"{title} (raters: {scores.raters}, images: {scores.images})"
        yield table


def _figures(estimate: "Estimate | None", sign: str = "") -> tuple[str, str]:
    if estimate is None:
        return "–", "–"
    mean = f"{estimate.mean:{sign}.2f}"
    if estimate.low is None or estimate.high is None:
        return mean, "–"
    return mean, f"{estimate.low:{sign}.2f} to {estimate.high:{sign}.2f}"


def _bar(score: "MethodScore") -> str:
    """The scale from 1 to 5 as a line: the interval thick, the mean a dot."""
    if score.estimate is None:
        return ""
    mean, low, high = score.estimate.mean, score.estimate.low, score.estimate.high
    line = ["·"] * SCALE
    start, end = _cell(mean if low is None else low), _cell(mean if high is None else high)
    line[start : end + 1] = "━" * (end + 1 - start)
    line[_cell(mean)] = "●"
    return "".join(line)


def _cell(rating: float) -> int:
    return round((rating - 1) / 4 * (SCALE - 1))


def _describe_difference(pair: "Difference") -> str:
    if pair.estimate is None:
        return "never rated together"
    return "clear" if pair.clear else "could be chance"
