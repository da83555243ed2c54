"""`srgan compare`: one sheet or page of several photographs."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from srgan_cli.cli import main
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.images.write import write_image


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return saved(tmp_path / "photo.png", 40)


def saved(path: Path, side: int) -> Path:
    pixels = np.random.default_rng(0).integers(0, 200, (side, side, 3), np.uint8)
    write_image(Image(pixels), path)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["compare", "-m", "bicubic", *map(str, arguments)])


def test_a_sheet_lies_beside_the_photograph_by_default(photo: Path) -> None:
    result = run(photo)

    assert result.exit_code == 0, result.output
    sheet = read_image(photo.with_name("photo_compared.png"))
    assert sheet.width > 2 * 160
    assert sheet.height > 2 * 160


def test_the_input_is_shown_pixel_by_pixel(photo: Path, tmp_path: Path) -> None:
    run(photo, "--crop", "4,8,10,6", "-o", tmp_path / "sheet.png")

    sheet = read_image(tmp_path / "sheet.png").pixels
    part = read_image(photo).pixels[8:14, 4:14].repeat(4, axis=0).repeat(4, axis=1)
    height, width = part.shape[:2]
    corner = np.argwhere((sheet[:-height, :-width] == part[0, 0]).all(axis=2))
    assert any(np.array_equal(sheet[y : y + height, x : x + width], part) for y, x in corner)


def test_an_original_adds_a_column_and_figures(photo: Path, tmp_path: Path) -> None:
    high = saved(tmp_path / "high.png", 160)
    run(photo, "-o", tmp_path / "plain.png")
    run(photo, "--high", high, "-o", tmp_path / "figures.png")

    plain, figures = read_image(tmp_path / "plain.png"), read_image(tmp_path / "figures.png")
    assert figures.width > plain.width
    assert figures.height > plain.height + 20


def test_shrinking_makes_the_photograph_its_own_original(photo: Path, tmp_path: Path) -> None:
    result = run(saved(tmp_path / "large.png", 256), "--shrink", "-o", tmp_path / "sheet.png")

    assert result.exit_code == 0, result.output
    assert read_image(tmp_path / "sheet.png").width > 3 * 256


def test_a_page_is_html(photo: Path, tmp_path: Path) -> None:
    result = run(photo, "-o", tmp_path / "page.html")

    assert result.exit_code == 0, result.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "bicubic" in page


def test_a_bad_photograph_is_named_and_the_rest_shown(photo: Path, tmp_path: Path) -> None:
    result = run(photo, tmp_path / "missing.png", "-o", tmp_path / "sheet.png")

    assert result.exit_code == 1
    assert "Error: missing.png: " in result.stderr
    assert (tmp_path / "sheet.png").exists()


def test_nothing_is_written_if_nothing_can_be_shown(tmp_path: Path) -> None:
    result = run(tmp_path / "missing.png", "-o", tmp_path / "sheet.png")

    assert result.exit_code == 1
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ["-o", "sheet.txt"],
        ["-o", "PHOTO"],
        ["--crop", "1,2,3"],
        ["--high", "x.png", "--shrink"],
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_done(
    photo: Path, wrong: list[str]
) -> None:
    result = run(photo, *(str(photo) if word == "PHOTO" else word for word in wrong))

    assert result.exit_code == 2
    assert list(photo.parent.iterdir()) == [photo]
