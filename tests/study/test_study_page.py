"""Folders of images -> a study; its behavior is tested in a browser."""

from pathlib import Path

import numpy as np
import pytest
from helpers import noise

from srgan_cli.errors import DatasetError
from srgan_cli.images.write import write_image
from srgan_cli.study.study_page import match_folders, read_study, study_page


def test_every_image_by_every_method_is_a_trial(folders: list[Path]) -> None:
    study = read_study(folders)
    assert study.methods == ("bicubic", "srgan")
    assert study.images == ("ant", "bus", "cat")
    pairs = {(trial.method, trial.name) for trial in study.trials}
    assert pairs == {(method, name) for method in study.methods for name in study.images}


def test_names_match_without_suffix_and_scale(folders: list[Path]) -> None:
    (folders[1] / "bus.png").unlink()
    write_image(noise(24, 32), folders[1] / "bus_x2.5.bmp")
    assert list(match_folders(folders).values())[1]["bus"].name == "bus_x2.5.bmp"


def test_every_missing_image_is_named(folders: list[Path]) -> None:
    (folders[1] / "bus.png").unlink()
    write_image(noise(4, 4), folders[1] / "dog.png")
    with pytest.raises(DatasetError) as caught:
        read_study(folders)
    assert f"missing: dog in {folders[0]}, bus in {folders[1]}; give" in str(caught.value)


def test_two_files_of_one_name_are_named(folders: list[Path]) -> None:
    write_image(noise(4, 4), folders[0] / "bus_x4.png")
    with pytest.raises(DatasetError, match="several files are called bus"):
        read_study(folders)


def test_another_size_is_named(folders: list[Path]) -> None:
    write_image(noise(23, 32), folders[1] / "bus.png")
    with pytest.raises(DatasetError, match="bus differs in size: 32 x 24 in bicubic, 32 x 23 in s"):
        read_study(folders)


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_a_folder_without_images_is_named(tmp_path: Path, folders: list[Path], name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=name):
        read_study([*folders, tmp_path / name])


def test_folders_of_one_name_are_distinguished_by_their_parents(tmp_path: Path) -> None:
    folders = [tmp_path / run / "out" for run in ("first", "second")]
    for folder in folders:
        folder.mkdir(parents=True)
        write_image(noise(4, 4), folder / "ant.png")
    assert list(match_folders(folders)) == ["first/out", "second/out"]
    with pytest.raises(DatasetError, match="the same name"):
        match_folders([folders[0], folders[0]])


def test_large_images_are_cut_to_the_same_middle(folders: list[Path]) -> None:
    trials = read_study(folders, side=16).trials
    whole = read_study(folders).trials
    for trial, uncut in zip(trials, whole, strict=True):
        assert np.array_equal(trial.image.pixels, uncut.image.pixels[4:20, 8:24])


def test_given_examples_are_shown_whole_and_in_squares(tmp_path: Path, folders: list[Path]) -> None:
    (tmp_path / "perfect").mkdir()
    write_image(noise(10, 9), tmp_path / "perfect" / "a.png")
    (example,) = read_study(folders, examples=tmp_path / "perfect").examples
    assert np.array_equal(example.good.pixels, noise(10, 9).pixels)
    assert example.bad.pixels.shape == (10, 9, 3)
    assert np.ptp(example.bad.pixels[:4, :4], axis=(0, 1)).tolist() == [0, 0, 0]
    mean = noise(10, 9).pixels[:4, :4].mean(axis=(0, 1))
    assert np.allclose(example.bad.pixels[0, 0], mean, atol=0.5)


def test_own_examples_are_four_times_smaller(folders: list[Path]) -> None:
    examples = read_study(folders).examples
    assert [example.good.pixels.shape for example in examples] == [(6, 8, 3)] * 2


def test_other_images_make_another_study(folders: list[Path]) -> None:
    first, again = (study_page(read_study(folders)).html for _ in range(2))
    write_image(noise(24, 32, 99), folders[0] / "ant.png")
    assert first == again != study_page(read_study(folders)).html
