"""Sheets of a run."""

from pathlib import Path

import pytest

from srgan_cli.errors import TrainingError
from srgan_cli.training.report import draw_sheet


def test_a_file_in_place_of_the_folder_of_sheets_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "samples").touch()
    with pytest.raises(TrainingError, match=r"samples.*cannot be made"):
        draw_sheet([], [], "psnr", 1, tmp_path / "samples")
