"""Each recipe, with small networks, learns one fixed pair by heart."""

from dataclasses import replace

import pytest
import torch
from helpers import DISCRIMINATOR_SIZES
from training_helpers import random_image

from srgan_cli.networks import GENERATORS
from srgan_cli.networks.srcnn import LUMA
from srgan_cli.training.builder import TrainRun, build_step, to_channels_last
from srgan_cli.training.callbacks import NoCallback
from srgan_cli.training.data import Data
from srgan_cli.training.degradation import bicubic_downsample
from srgan_cli.training.distributed import ProcessGroup
from srgan_cli.training.feature_extractors import load_vggs
from srgan_cli.training.patches import as_planes
from srgan_cli.training.recipes import RECIPES, Recipe, declared_family
from srgan_cli.training.schedule import resolve_stage
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_step import Losses, TrainStep
from srgan_cli.weights.metadata import ModelFamily

SMALL = {
    "fast": {"blocks": 1, "features": 16},
    "srcnn": {},
    "vdsr": {"depth": 4, "features": 16},
    "srresnet": {"blocks": 1, "features": 16},
    "rrdbnet": {"blocks": 1, "features": 16, "growth": 8},
}
STAGES = {
    (recipe.architecture, repr(stage)): (name, stage.end)
    for name, recipe in RECIPES.items()
    for stage in recipe.stages
}
"""Those that differ: recipes share networks and stages."""


@pytest.fixture
def step_of(make):
    """The train step of a stage, of a small network."""

    def built(recipe: Recipe, stage: Stage, architecture: str) -> TrainStep:
        options = make(lr=2e-3 if stage.end == "psnr" else 5e-4)
        cpu = torch.device("cpu")
        nothing = Data(None, None, [])  # type: ignore[arg-type]
        vggs = load_vggs(options.vgg_files())
        run = TrainRun(options, recipe, nothing, vggs, cpu, ProcessGroup(), NoCallback(), "")
        torch.manual_seed(0)
        network = GENERATORS[architecture](scale=2, **SMALL[architecture])
        network = to_channels_last(network.train(), cpu)
        return build_step(run, resolve_stage(options, stage), network)

    return built


@pytest.fixture
def learn(step_of):
    """The losses of each step of a stage on one pair."""

    def learned(recipe: Recipe, stage: Stage, steps: int) -> list[Losses]:
        step = step_of(recipe, stage, recipe.architecture)
        high_res = as_planes(random_image(2)[:24, :24])
        pair = {
            "low_res": bicubic_downsample(high_res, 2, None)[None] / 255,
            "high_res": high_res[None] / 255,
        }
        return [step([pair]) for _ in range(steps)]

    return learned


@pytest.mark.parametrize(("name", "end"), STAGES.values())
def test_a_recipe_learns_one_pair_by_heart(learn, name: str, end: str) -> None:
    recipe = RECIPES[name]
    (stage,) = recipe.chosen(end)
    if stage.gan is not None:
        small = replace(stage.gan, hyperparameters=DISCRIMINATOR_SIZES[stage.gan.discriminator])
        stage = replace(stage, gan=small)
    losses = learn(recipe, stage, 400 if end == "psnr" else 300)
    term = "pixel" if end == "psnr" else "perceptual"
    first, last = losses[0][term], min(loss[term] for loss in losses[-20:])
    assert last < (0.45 if end == "psnr" else 0.7) * first


@pytest.mark.parametrize("name", ["clean", "vdsr"])
@pytest.mark.parametrize("architecture", list(SMALL))
def test_networks_that_restore_luma_are_compared_by_luma_alone(step_of, name, architecture) -> None:
    """Whatever the recipe: --from may bring another network than its own."""
    recipe = RECIPES[name]
    (pixel,) = step_of(recipe, recipe.stages[0], architecture).terms
    gray = torch.full((1, 3, 8, 8), 0.5)
    tinged = gray + torch.tensor([0.1, 0.0, -0.1 * LUMA[0] / LUMA[2]])[:, None, None]
    assert (pixel.compute(tinged, gray) < 1e-6) == (architecture in ("srcnn", "vdsr"))


def test_recipes_name_what_there_is() -> None:
    assert set(RECIPES) == {
        *("clean", "photo", "srgan", "esrgan", "steady", "srresnet", "rrdb", "srcnn", "vdsr")
    }
    for recipe in RECIPES.values():
        assert recipe.architecture in GENERATORS
        assert recipe.stages[0].end == "psnr"


@pytest.mark.parametrize(("name", "denoise"), [("clean", 0), ("photo", 1)])
def test_networks_that_denoise_can_mix_declare_their_family(name: str, denoise: int) -> None:
    recipe = RECIPES[name]
    own = recipe.sized(4, None)
    assert declared_family(recipe, "fast", own) == ModelFamily("photo-clean", denoise)
    for other in (recipe.sized(2, None), recipe.sized(4, 16), {**own, "binomial": False}):
        assert declared_family(recipe, "fast", other) is None
    assert declared_family(recipe, "rrdbnet", own) is None
    assert declared_family(RECIPES["srgan"], "srresnet", RECIPES["srgan"].sized(4, None)) is None
