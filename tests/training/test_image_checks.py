"""Low images that are given."""

from pathlib import Path

import numpy as np
import pytest
from training_helpers import random_image, save_image

from srgan_cli.errors import DatasetError
from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image
from srgan_cli.training.data import load_data, pair_sampler
from srgan_cli.training.image_checks import check_dataset
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.schedule import chosen_stages


@pytest.fixture
def low_res(photos: Path, tmp_path: Path) -> Path:
    """Every second pixel of each photo: the first of each 2 x 2."""
    folder = tmp_path / "low"
    folder.mkdir()
    for seed in range(4):
        write_image(Image(random_image(seed)[::2, ::2]), folder / f"{seed}.png")
    return folder


def test_patches_of_pairs_lie_at_the_same_place(make, low_res) -> None:
    options = make(low=low_res)
    recipe = RECIPES["clean"]
    (stage,) = chosen_stages(options, recipe)
    cut = pair_sampler(options, recipe, stage, load_data(options, recipe).training)
    for number in range(20):
        pair = cut(np.random.default_rng(number))
        small, large = pair["low_res"], pair["high_res"]
        corners = [large[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]  # however it was turned
        assert sum(bool((corner == small).all()) for corner in corners) == 1


def test_a_run_on_pairs_trains_and_validates_on_them(make, run, low_res) -> None:
    listener = run(make(low=low_res, steps=2))
    assert listener.seen[-1].score is not None


@pytest.mark.parametrize("fault", ["missing", "size", "broken"])
def test_a_bad_pair_is_named_before_the_first_step(make, run, low_res, fault) -> None:
    if fault == "missing":
        (low_res / "2.png").unlink()
    elif fault == "size":
        save_image(low_res / "2.png", height=30, width=40)
    else:
        (low_res / "2.png").write_bytes(b"nothing")
    options = make(low=low_res)
    with pytest.raises(DatasetError, match=r"1 pairs are unfit: .*2\.png"):
        run(options)
    assert not (options.out / "log.jsonl").exists()
    assert [refusal.path.name for refusal in check_dataset(options).invalid] == ["2.png"]


def test_two_low_images_of_one_name_are_refused(make, run, low_res) -> None:
    save_image(low_res / "2.jpg")
    with pytest.raises(DatasetError, match="share a name"):
        run(make(low=low_res))
