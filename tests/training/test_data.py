"""The images of a run: which are trained on, and which are held out."""

from pathlib import Path

import pytest
from training_helpers import save_image

from srgan_cli.errors import TrainingError
from srgan_cli.training.data import Source, load_batches, load_data, pair_sampler
from srgan_cli.training.image_checks import check_dataset
from srgan_cli.training.patches import Batches
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.schedule import chosen_stages


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


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("fault", ["gone", "broken", "smaller"])
def test_an_image_that_can_no_longer_be_read_is_an_error_of_one_line(
    make, photos, workers, fault
) -> None:
    options, recipe = make(cache=1), RECIPES["clean"]
    (stage,) = chosen_stages(options, recipe)
    sampler = pair_sampler(options, recipe, stage, load_data(options, recipe).training)
    for photo in photos.iterdir():
        if fault == "gone":
            photo.unlink()
        elif fault == "broken":
            photo.write_bytes(photo.read_bytes()[:900])
        else:
            save_image(photo, height=9, width=9)
    with pytest.raises(TrainingError, match=r"\d\.png.*go on with --resume") as caught:
        next(load_batches(Batches(sampler, 2, 0), 0, workers))
    assert str(caught.value).isprintable()
