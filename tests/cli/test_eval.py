"""`srgan eval`: figures on stdout, failures on stderr, exit codes."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from helpers import srgan

from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images of noise."""
    high = tmp_path / "high"
    high.mkdir()
    for seed, name in enumerate(("a.png", "b.png")):
        pixels = np.random.default_rng(seed).integers(0, 256, (112, 113, 3), np.uint8)
        write_image(Image(pixels), high / name)
    return high


def run(*arguments: object) -> Result:
    return srgan("eval", "-m", "bicubic", *arguments)


def test_an_image_alone_is_measured_by_bicubic(folder: Path) -> None:
    result = run(folder / "a.png")

    assert result.exit_code == 0, result.output
    assert "PSNR Y" in result.stdout
    assert "a.png" in result.stdout
    assert "bicubic" in result.stdout
    assert result.stderr == ""


def test_without_a_network_named_bicubic_is_there_all_the_same(folder: Path) -> None:
    result = srgan("eval", folder / "a.png")

    assert result.exit_code == 0, result.output
    assert "bicubic" in result.stdout


def test_files_of_one_name_have_rows_and_settings_of_their_own(
    folder: Path, tiny_file: Path, other_file: Path
) -> None:
    files = [folder / run / "psnr.safetensors" for run in ("r1", "r2")]
    for file, source in zip(files, (tiny_file, other_file), strict=True):
        file.parent.mkdir()
        source.rename(file)

    named = [word for file in files for word in ("-w", file)]
    result = srgan("eval", folder / "a.png", *named, "--json")

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["method"] for line in lines[:3]] == ["bicubic", "r1/psnr", "r2/psnr"]
    assert [line["model"] for line in lines[:3]] == ["bicubic", "r1/psnr", "r2/psnr"]


def test_a_scale_is_refused_where_the_sizes_tell_it(folder: Path) -> None:
    result = run(folder / "a.png", folder / "b.png", "-s", 3)

    assert result.exit_code == 2
    assert "LOW" in result.stderr


def test_json_has_a_line_for_each_image_and_the_mean(folder: Path) -> None:
    result = run(folder, "--json", "-s", 2)

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["picture"] for line in lines] == ["a.png", "b.png", "mean"]
    assert list(lines[0]) == [
        "picture",
        "method",
        "psnr_y",
        "ssim_y",
        "psnr_rgb",
        "ssim_rgb",
        "seconds",
        "model",
        "blend",
        "denoise",
        "device",
        "precision",
    ]
    assert lines[2]["psnr_y"] == pytest.approx((lines[0]["psnr_y"] + lines[1]["psnr_y"]) / 2)


def test_every_key_of_json_is_documented(folder: Path, tiny_file: Path) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    section = documented.partition("## srgan eval --json")[2].partition("\n## ")[0]
    result = srgan("eval", folder / "a.png", "-w", tiny_file, "--json")
    line = json.loads(result.stdout.splitlines()[-1])
    assert all(f"`{key}`" in section for key in line)
    assert (line["model"], line["blend"], line["device"]) == ("tiny", None, "cpu")
    assert line["precision"] == "float32"


def test_csv_says_the_same(folder: Path) -> None:
    rows = list(csv.DictReader(run(folder, "--csv").stdout.splitlines()))

    assert [row["picture"] for row in rows] == ["a.png", "b.png", "mean"]
    assert 0 < float(rows[0]["psnr_y"]) < 100


def test_equal_images_have_no_number_for_infinity(folder: Path) -> None:
    result = run(folder / "a.png", folder / "a.png", "--json")

    assert json.loads(result.stdout.splitlines()[0])["psnr_y"] is None


def test_what_cannot_be_measured_is_named_and_the_rest_is(folder: Path, tmp_path: Path) -> None:
    low = tmp_path / "low"
    low.mkdir()
    for name, side in (("a.png", 28), ("b.png", 31), ("spare.png", 28)):
        write_image(Image(np.zeros((side, side, 3), np.uint8)), low / name)
    (folder / "text.png").write_text("not an image")
    write_image(Image(np.zeros((28, 28, 3), np.uint8)), low / "text.png")

    result = run(folder, low, "--json")

    assert result.exit_code == 1
    assert [json.loads(line)["picture"] for line in result.stdout.splitlines()] == ["a.png", "mean"]
    errors = result.stderr.splitlines()
    assert len(errors) == 3
    for name in ("spare.png", "b.png", "text.png"):
        assert any(line.startswith(f"Error: {name}: ") for line in errors)


def test_a_missing_image_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere.png")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1


def test_an_unknown_model_is_named(folder: Path) -> None:
    result = run(folder, "-m", "nonesuch")

    assert result.exit_code == 2
    assert "nonesuch" in result.stderr


def test_a_vgg_file_that_is_none_is_one_line(folder: Path) -> None:
    result = run(folder, "--vgg", folder / "a.png")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["eval", "compare"])
@pytest.mark.parametrize(
    ("words", "says"),
    [(["-m", "Photo"], "did you mean photo"), (["--vgg", "none.pth"], "none.pth")],
)
def test_a_model_or_file_that_is_not_there_is_a_usage_error(
    command: str, words: list[str], says: str, folder: Path
) -> None:
    result = srgan(command, folder / "a.png", *words)
    assert result.exit_code == 2
    assert says in result.stderr.replace("\n", " ")
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "b.png"]
