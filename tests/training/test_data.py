"""The images of a run: which are trained on, and which are held out."""

from pathlib import Path

import pytest
from training_helpers import save_image

from srgan_cli.training.data import Source, load_data
from srgan_cli.training.image_checks import check_dataset
from srgan_cli.training.recipes import RECIPES


def names(source: Source) -> list[str]:
    return [Path(entry.path).name for entry in source.high_res.entries]


def test_validation_images_inside_the_folder_are_not_trained_on(make, photos) -> None:
    (photos / "val").mkdir()
    save_image(photos / "val" / "v.png", 7)
    options = make(val=photos / "val")
    data = load_data(options, RECIPES["clean"])
    assert names(data.training) == ["0.png", "1.png", "2.png", "3.png"]
    assert names(data.validation) == ["v.png"]
    assert check_dataset(options, exclude=options.other_folders).valid == 4


def test_low_resolution_images_inside_the_folder_are_not_trained_on(make, photos) -> None:
    (photos / "low").mkdir()
    for seed in range(4):
        save_image(photos / "low" / f"{seed}.png", seed, height=36, width=40)
    data = load_data(make(low=photos / "low"), RECIPES["clean"])
    assert {entry.height for entry in data.training.high_res.entries} == {72}


@pytest.mark.parametrize("folder", ["low", "teacher", "high"])
def test_a_pool_inside_the_folder_is_not_trained_on(make, photos, folder) -> None:
    (photos / "pool" / folder).mkdir(parents=True)
    save_image(photos / "pool" / folder / "00000.png", 7)
    options = make(pool=photos / "pool")
    assert check_dataset(options, exclude=options.other_folders).valid == 4
