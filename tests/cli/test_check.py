"""`srgan check` from the shell's side."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from helpers import srgan

from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image


def run(*words: str | Path) -> Result:
    return srgan("check", *words)


def save(path: Path, side: int) -> None:
    path.parent.mkdir(exist_ok=True)
    write_image(Image(np.zeros((side, side, 3), np.uint8)), path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    save(tmp_path / "photos" / "good.png", 200)
    save(tmp_path / "photos" / "fine.png", 200)
    return tmp_path / "photos"


def test_a_good_folder_passes(photos: Path) -> None:
    (photos / "notes.txt").write_text("")
    result = run(photos)
    assert result.exit_code == 0
    assert "notes.txt: not an image by its name" in result.stdout
    assert "2 images can be used (0.1 megapixels), 0 cannot; other files: 1" in result.stderr


def test_unfit_images_are_named_and_the_exit_says_so(photos: Path) -> None:
    save(photos / "small.png", 40)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    result = run(photos)
    assert result.exit_code == 1
    assert "small.png: 40 x 40 is too small" in result.stdout
    assert "broken.jpg" in result.stdout
    assert run(photos, "--patch", "16", "--scale", "2").stdout.count("small") == 0


def test_pairs_are_compared(photos: Path, tmp_path: Path) -> None:
    low = tmp_path / "low"
    save(low / "good.png", 100)
    save(low / "fine.png", 99)
    result = run(photos, "--low", low, "--scale", "2")
    assert result.exit_code == 1
    assert "fine.png: 200 x 200 is not 2 x" in result.stdout
    assert "good.png" not in result.stdout


def test_an_empty_folder_fails(tmp_path: Path) -> None:
    assert run(tmp_path).exit_code == 1
