"""`srgan compare`: one sheet or page of several photographs."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from helpers import srgan

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
    return srgan("compare", "-m", "bicubic", *arguments)


@pytest.mark.parametrize("place", ["original.png", ""])
def test_the_original_is_never_overwritten(photo: Path, tmp_path: Path, place: str) -> None:
    folder = tmp_path / "originals"
    folder.mkdir()
    high = saved(folder / (place or photo.name), 160)
    before = high.read_bytes()

    result = run(photo, "--high", folder / place, "-o", high)

    assert result.exit_code == 2
    assert "is an input" in result.stderr
    assert high.read_bytes() == before


def test_a_weights_file_is_never_overwritten(photo: Path, tiny_file: Path) -> None:
    link = photo.with_name("link.png")
    link.symlink_to(tiny_file)

    result = srgan("compare", photo, "-w", tiny_file, "-o", link)

    assert result.exit_code == 2
    assert "is an input" in result.stderr


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
    assert result.stderr.count("missing.png") == 1
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
        ["--high", "PHOTO", "--scale", "4"],
        ["."],
        ["/", "-o", "sheet.png"],
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_done(
    photo: Path, wrong: list[str]
) -> None:
    result = run(photo, *(str(photo) if word == "PHOTO" else word for word in wrong))

    assert result.exit_code == 2
    assert list(photo.parent.iterdir()) == [photo]


@pytest.mark.usefixtures("family")
def test_a_family_is_shown_as_a_grid_of_blend_and_denoise(photo: Path, tmp_path: Path) -> None:
    def sheet(*words: str) -> Image:
        out = tmp_path / "sheet.png"
        options = ["--device", "cpu", "--crop", "4,8,40,10", "-o", str(out), *words]
        result = srgan("compare", saved(photo, 64), *options)
        assert result.exit_code == 0, result.output
        return read_image(out)

    grid, one = sheet(), sheet("--denoise", "0.5", "--blend", "0", "--blend", "0.5", "--blend", "1")
    assert grid.height > one.height + 3 * (40 + 40)  # rows of 40 pixels, below their names
    assert grid.width < one.width
    blends = [word for blend in ("0", ".5", "1") for word in ("--blend", blend)]
    asked = sheet(*blends, "--denoise", "0", "-dn", ".5", "-dn", "1")
    assert np.array_equal(asked.pixels, grid.pixels)


@pytest.mark.usefixtures("family")
def test_denoise_at_another_scale_is_a_usage_error(photo: Path) -> None:
    words = ["compare", str(photo), "--scale", "2", "--denoise", "0.5"]
    result = srgan(*words)
    assert result.exit_code == 2
    assert "at x2" in result.stderr
    assert not photo.with_name("photo_compared.png").exists()


@pytest.mark.usefixtures("family")
@pytest.mark.parametrize("option", ["--scale", "--high"])
def test_at_other_scales_than_that_of_the_family_there_is_no_grid(
    option: str, photo: Path, tmp_path: Path
) -> None:
    value = "2" if option == "--scale" else str(saved(tmp_path / "high.png", 80))
    words = ["compare", str(photo), "--device", "cpu", option, value]
    result = srgan(*words, "-o", tmp_path / "sheet.png")
    assert result.exit_code == 0, result.output
    assert read_image(tmp_path / "sheet.png").height < 500
