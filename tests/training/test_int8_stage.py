"""A finished network is trained for int8."""

from dataclasses import replace

import pytest
import torch
from kill import same
from small_networks import random_weights
from training_helpers import StopAfter, last_state

from srgan_cli.errors import OptionError
from srgan_cli.evaluation.crops import center_crops
from srgan_cli.networks.int8 import Int8Fast, operators_work
from srgan_cli.training.data import load_data, pair_sampler
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.run_folder import checkpoints, load_state, read_log
from srgan_cli.training.schedule import resolve_stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.train_run import check, train
from srgan_cli.training.trainer import StopTraining
from srgan_cli.weights.activation_ranges import recorded_calibration
from srgan_cli.weights.container import Weights, read_weights, write_weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.metadata import Metadata, ModelFamily

needs_int8 = pytest.mark.skipif(not operators_work(), reason="no int8 here")

SIZES = {"scale": 2, "features": 8, "blocks": 2, "thin": 4, "negative_slope": 0.1, "binomial": True}


@pytest.fixture
def start(tmp_path) -> Weights:
    made = random_weights("fast", SIZES)
    larger = {name: 2.5 * value for name, value in made.state.items()}  # rounding costs more
    metadata = Metadata(
        scale=2,
        objective="gan",
        lineage="abc",
        family=ModelFamily("pair", 1),
        training={"steps": 9},
    )
    write_weights(replace(made, state=larger, metadata=metadata), tmp_path / "start.safetensors")
    return read_weights(tmp_path / "start.safetensors")


@pytest.fixture
def options(make, start, tmp_path) -> TrainOptions:
    given = {"stages": "int8", "start": tmp_path / "start.safetensors", "blocks": None, "vgg": ()}
    return make(**given, steps=60)


@needs_int8
def test_int8_gets_nearer_to_the_network_that_it_starts_from(run, options, start, tmp_path) -> None:
    untrained = replace(options, lr=1e-12, out=tmp_path / "untrained")
    images = center_crops(options.folders[0], 24, 4)
    losses, errors = [], []
    for one in (untrained, options):  # the same patches
        run(one)
        rows = [row["quantization"] for row in read_log(one.out) if "quantization" in row]
        losses.append(sum(rows[-10:]))
        made = read_weights(one.out / "int8.safetensors")
        calibration = recorded_calibration(made, load_generator(made))
        assert calibration is not None
        everything = replace(calibration, floats=frozenset())
        int8 = Int8Fast(load_generator(made), everything, torch.float32)
        with torch.inference_mode():
            differences = [int8(image) - load_generator(start)(image) for image in images]
        errors.append(sum(float(one.square().mean()) for one in differences))
    assert losses[1] < 0.9 * losses[0]
    assert errors[1] < 0.9 * errors[0]


def test_the_file_keeps_its_end_lineage_family_and_history(run, options, start) -> None:
    run(options)
    made = read_weights(options.out / "int8.safetensors")
    for name in ("objective", "lineage", "family", "scale"):
        assert getattr(made.metadata, name) == getattr(start.metadata, name)
    assert made.hyperparameters == start.hyperparameters
    assert made.metadata.training["stage"] == "int8"
    assert made.metadata.training["history"] == [{"steps": 9}]
    assert set(made.state) == set(start.state)


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(run, options, tmp_path) -> None:
    whole = replace(options, steps=6)
    run(whole)
    stopped = replace(whole, out=tmp_path / "stopped")
    stopped.out.mkdir()
    with pytest.raises(StopTraining):
        train(stopped, check(stopped), StopAfter("int8", 3), "")
    assert load_state(checkpoints(stopped.out)[-1]).step == 3
    run(stopped)
    assert same(last_state(stopped), last_state(whole))
    files = [read_weights(o.out / "int8.safetensors") for o in (whole, stopped)]
    assert files[0].metadata.activation_ranges == files[1].metadata.activation_ranges


def test_other_networks_scales_and_recipes_are_refused(options, tmp_path) -> None:
    with pytest.raises(OptionError, match="--scale 2"):
        check(replace(options, scale=4))
    with pytest.raises(OptionError, match="--recipe srgan: its network"):
        check(replace(options, recipe="srgan"))
    write_weights(
        random_weights("vdsr", {"scale": 2, "depth": 3, "features": 3}), tmp_path / "v.safetensors"
    )
    with pytest.raises(OptionError, match="does not run in int8"):
        check(replace(options, start=tmp_path / "v.safetensors"))


def test_it_is_no_stage_of_an_ordinary_run() -> None:
    for name in ("clean", "photo"):
        assert [stage.end for stage in RECIPES[name].chosen("both")] == ["psnr", "gan"]
        assert [stage.end for stage in RECIPES[name].chosen("int8")] == ["int8"]


def test_its_patches_have_the_colors_of_photographs(options, photos) -> None:
    recipe = replace(RECIPES["clean"], color_augmentation=1.0, color_blocks=1.0)
    source = load_data(options, recipe).training
    drawn = {}
    for stage in (recipe.chosen("int8")[0], recipe.stages[0]):
        sampler = pair_sampler(options, recipe, resolve_stage(options, stage), source)
        drawn[stage.end] = sampler.options
    assert (drawn["int8"].color_augmentation, drawn["int8"].color_blocks) == (0, 0)
    assert (drawn["psnr"].color_augmentation, drawn["psnr"].color_blocks) == (1, 1)
