"""Training recipes of the papers and of our models. Values only; no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from srgan_cli.errors import OptionError
from srgan_cli.training.loss_terms import GanTerm, PerceptualTerm, PixelTerm
from srgan_cli.training.stages import Stage
from srgan_cli.weights.metadata import ModelFamily
from srgan_cli.weights.zoo import FAMILY_SCALE


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A network and its stages, in order."""

    name: str
    paper: str
    architecture: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    stages: tuple[Stage, ...]
    int8: Stage | None = None
    """The stage that trains a finished network for int8, where it can run in it."""
    shrink: float = 0.25
    """Photographs are shrunk by a random factor between this and 1 before a patch is cut."""
    color_augmentation: float = 0.0
    """The share of patches whose channels are swapped and colors saturated: networks distort colors
    that are rare in training.
    """
    color_blocks: float = 0.0
    """The share of patches that get a block of one color: see `patches.ColorBlock`."""
    degrade: bool = False
    """Low-resolution images are blurred, noisy and compressed, not only downsampled."""
    family: ModelFamily | None = None
    """What the weights declare, where the network is the recipe's own: see `declared_family`."""

    def sized(self, scale: int, blocks: int | None) -> dict[str, Any]:
        """The network's hyperparameters for a run."""
        sizes = self.hyperparameters | {"scale": scale}
        if blocks is None:
            return sizes
        name = depth_name(self.hyperparameters)
        if name is None:
            raise OptionError(f"--blocks does not go with --recipe {self.name}: it has no blocks")
        return sizes | {name: blocks}

    def chosen(self, stages: str | None) -> tuple[Stage, ...]:
        """The stages that a run goes through; `stages` as in TrainOptions."""
        if stages == "int8":
            return (self._int8_stage(),)
        if stages is None or (stages == "both" and len(self.stages) > 1):
            return self.stages
        chosen = tuple(stage for stage in self.stages if stage.end == stages)
        if not chosen:
            raise OptionError(
                f"--stages {stages} does not go with --recipe {self.name}: it has no GAN stage"
            )
        return chosen

    def _int8_stage(self) -> Stage:
        if self.int8 is None:
            raise OptionError(
                f"--stages int8 does not go with --recipe {self.name}: its network does not run in "
                "int8"
            )
        return self.int8


def depth_name(hyperparameters: Mapping[str, Any]) -> str | None:
    """The hyperparameter that --blocks sets; None if there is none."""
    return next((name for name in ("blocks", "depth") if name in hyperparameters), None)


def declared_family(
    recipe: Recipe, architecture: str, hyperparameters: Mapping[str, Any]
) -> ModelFamily | None:
    """The recipe's, for a network that --denoise can mix; None for one of another form or scale."""
    own = (recipe.architecture, recipe.sized(FAMILY_SCALE, None))
    return recipe.family if (architecture, dict(hyperparameters)) == own else None


# freeze_norms_at and color_augmentation are not from the papers.

# Of Real-ESRGAN, https://arxiv.org/abs/2107.10833, section 4.1.
REAL_LAYERS = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}

OUR_PSNR = Stage(
    steps=200_000, optimizer="muon", lr=1e-3, warmup=200, max_grad_norm=1.0, freeze_norms_at=0.75
)

OUR_GAN = Stage(
    end="gan",
    losses=(
        PixelTerm(),
        PerceptualTerm(
            layers=REAL_LAYERS, after_relu=False, distance="l1", weight=0.4, target="teacher"
        ),
    ),
    gan=GanTerm(
        loss="vanilla",
        weight=0.01,
        target="teacher",
        discriminator="unet",
        lr=4e-4,
        warmup=100,
    ),
    steps=50_000,
    batch_size=8,
    lr=2e-4,
    betas=(0.9, 0.99),
    milestones=(0.6, 0.85),
    max_grad_norm=1.0,
    ema=0.998,
    freeze_norms_at=0.0,
)

OUR_INT8 = Stage(
    end="int8",
    losses=(PixelTerm(name="quantization", distance="mse", weight=1e4, target="start"),),
    steps=400,
    batch_size=8,
    patch=192,
    lr=1e-2,
    betas=(0.9, 0.99),
    ema=0.99,
    full_precision=True,
)

PHOTO_CLEAN = "photo-clean"
"""The family of `clean` and `photo`: each is trained from the other, or both from one network."""

CLEAN = Recipe(
    name="clean",
    paper="ours; blocks of EDSR, https://arxiv.org/abs/1707.02921",
    architecture="fast",
    hyperparameters={
        "features": 64,
        "blocks": 12,
        "thin": 16,
        "negative_slope": 0.1,
        "binomial": True,
    },
    stages=(OUR_PSNR, OUR_GAN),
    int8=OUR_INT8,
    color_augmentation=0.3,
    color_blocks=0.15,
    family=ModelFamily(PHOTO_CLEAN, denoise=0),
)

PHOTO = Recipe(
    name="photo",
    paper="ours; degradation after Real-ESRGAN, https://arxiv.org/abs/2107.10833",
    architecture="fast",
    hyperparameters=CLEAN.hyperparameters,
    stages=(OUR_PSNR, OUR_GAN),
    int8=OUR_INT8,
    degrade=True,
    color_augmentation=CLEAN.color_augmentation,
    color_blocks=CLEAN.color_blocks,
    family=ModelFamily(PHOTO_CLEAN, denoise=1),
)

SRRESNET = Recipe(
    name="srresnet",
    paper="SRGAN, https://arxiv.org/abs/1609.04802, section 3.2",
    architecture="srresnet",
    hyperparameters={"blocks": 16},
    stages=(
        Stage(
            losses=(PixelTerm(distance="mse"),),
            steps=1_000_000,
            patch=96,
            lr=1e-4,
            milestones=(),
            freeze_norms_at=0.75,
        ),
    ),
    color_augmentation=0.25,
)

SRGAN = Recipe(
    name="srgan",
    paper="SRGAN, https://arxiv.org/abs/1609.04802",
    architecture="srresnet",
    hyperparameters={"blocks": 16},
    stages=(
        *SRRESNET.stages,
        Stage(
            end="gan",
            losses=(
                PerceptualTerm(
                    layers={"conv5_4": 1.0}, after_relu=True, distance="mse", scale=1 / 12.75
                ),
            ),
            gan=GanTerm(
                loss="vanilla",
                weight=1e-3,
                discriminator="srgan",
                hyperparameters={"high_pass": True},
            ),
            steps=200_000,
            patch=96,
            lr=1e-4,
            milestones=(0.5,),
            drop=0.1,
            freeze_norms_at=0.0,
        ),
    ),
    color_augmentation=SRRESNET.color_augmentation,
)

SRGAN_STABLE = Recipe(
    name="steady",
    paper="SRGAN's network, https://arxiv.org/abs/1609.04802, and the GAN stage of clean and photo",
    architecture="srresnet",
    hyperparameters=SRRESNET.hyperparameters,
    stages=(
        *SRRESNET.stages,
        replace(OUR_GAN, lr=2e-4, warmup=50),
    ),
    color_augmentation=0.7,
    color_blocks=0.25,
)

RRDB = Recipe(
    name="rrdb",
    paper="ESRGAN, https://arxiv.org/abs/1809.00219, section 4.1",
    architecture="rrdbnet",
    hyperparameters={"blocks": 23},
    stages=(Stage(steps=1_000_000, lr=2e-4, milestones=(0.2, 0.4, 0.6, 0.8)),),
    color_augmentation=SRRESNET.color_augmentation,
)

ESRGAN = Recipe(
    name="esrgan",
    paper="ESRGAN, https://arxiv.org/abs/1809.00219",
    architecture="rrdbnet",
    hyperparameters={"blocks": 23},
    stages=(
        *RRDB.stages,
        Stage(
            end="gan",
            losses=(
                PixelTerm(weight=1e-2),
                PerceptualTerm(layers={"conv5_4": 1.0}, after_relu=False, distance="l1"),
            ),
            gan=GanTerm(
                loss="relativistic",
                weight=5e-3,
                discriminator="srgan",
                hyperparameters={"high_pass": True},
            ),
            steps=400_000,
            lr=1e-4,
            milestones=(0.125, 0.25, 0.5, 0.75),
        ),
    ),
    color_augmentation=RRDB.color_augmentation,
)

SRCNN = Recipe(
    name="srcnn",
    paper="https://arxiv.org/abs/1501.00092, with Adam for its SGD",
    architecture="srcnn",
    stages=(Stage(losses=(PixelTerm(distance="mse"),), steps=500_000, patch=96, lr=5e-4),),
)

VDSR = Recipe(
    name="vdsr",
    paper="https://arxiv.org/abs/1511.04587, with Adam for its SGD",
    architecture="vdsr",
    hyperparameters={"depth": 20},
    stages=(
        Stage(
            losses=(PixelTerm(distance="mse"),), steps=100_000, patch=96, lr=5e-4, max_grad_norm=0.4
        ),
    ),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (CLEAN, PHOTO, SRGAN, ESRGAN, SRGAN_STABLE, SRRESNET, RRDB, SRCNN, VDSR)
}
