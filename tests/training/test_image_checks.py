"""Low images that are given."""

from pathlib import Path

import numpy as np
import pytest
from training_helpers import random_image, save_image

from srgan_cli.errors import DatasetError
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.images.write import write_image
from srgan_cli.training import dataset, image_checks
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


def test_a_low_image_that_is_cut_off_is_named_and_may_be_repaired(make, run, low_res) -> None:
    whole = (low_res / "2.png").read_bytes()
    (low_res / "2.png").write_bytes(whole[:-900])
    (low_res / "3.png").unlink()
    options = make(low=low_res, steps=1)
    with pytest.raises(DatasetError, match=r"2 pairs are unfit: .*3\.png.*2\.png"):
        load_data(options, RECIPES["clean"])
    assert [each.path.name for each in check_dataset(options).invalid] == ["2.png", "3.png"]
    (low_res / "2.png").write_bytes(whole)
    with pytest.raises(DatasetError, match=r"1 pairs are unfit: .*3\.png"):
        load_data(options, RECIPES["clean"])


def test_a_low_image_of_another_size_may_be_replaced(make, low_res) -> None:
    right = (low_res / "2.png").read_bytes()
    save_image(low_res / "2.png", height=30, width=40)
    with pytest.raises(DatasetError, match="is not 2 x"):
        load_data(make(low=low_res), RECIPES["clean"])
    (low_res / "2.png").write_bytes(right)
    assert len(load_data(make(low=low_res), RECIPES["clean"]).training.high_res) == 3


def test_each_image_of_a_pair_is_decoded_once(make, low_res, monkeypatch) -> None:
    decoded: list[Path] = []

    def counted(path: Path) -> Image:
        decoded.append(path)
        return read_image(path)

    for module in (dataset, image_checks):
        monkeypatch.setattr(module, "read_image", counted)
    load_data(make(low=low_res), RECIPES["clean"])
    assert len(decoded) == len(set(decoded)) == 8


def test_two_low_images_of_one_name_are_refused(make, run, low_res) -> None:
    save_image(low_res / "2.jpg")
    with pytest.raises(DatasetError, match="share a name"):
        run(make(low=low_res))
