"""What distinguishes one paper's training from another's. Values only; no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from srgan_cli.errors import OptionError

End = Literal["psnr", "gan"]

OptimizerName = Literal["adam", "muon"]

PixelName = Literal["l1", "mse"]


@dataclass(frozen=True, kw_only=True)
class Perceptual:
    """A distance between features of VGG19."""

    layers: dict[str, float]
    """Weights of the layers, unless --vgg names others."""
    activated: bool
    """Whether features are taken after their ReLU."""
    distance: PixelName
    scale: float = 1.0
    """Features are multiplied by it."""
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Adversary:
    """A discriminator and the game it plays."""

    game: Literal["standard", "relativistic", "paired"]
    weight: float
    discriminator: str
    """One of models.DISCRIMINATORS."""
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    aligned: bool = False
    """Whether the discriminator knows the grid of the low pictures: it takes the scale, and no
    patch is cut at random for it."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One objective, trained from its first step to its last."""

    end: End = "psnr"
    pixel: PixelName = "l1"
    pixel_weight: float = 1.0
    perceptual: Perceptual | None = None
    phase_weight: float = 0.0
    """Of PhaseLoss, which keeps textures free of cross-hatching."""
    row_weight: float = 0.0
    """Of RowLoss, which keeps level and upright edges free of rows of dots."""
    colour_weight: float = 0.0
    """Of ColourLoss, which keeps wide areas from becoming darker or tinged."""
    shift: int = 0
    """Features and discriminators see patches cut at random by less than so many pixels, so that
    the grids of their poolings and strides do not always meet that of the low pictures."""
    adversary: Adversary | None = None
    steps: int
    batch_size: int = 16
    patch: int = 128
    """Side of the high-resolution crop at scale 4, in pixels; the low one has a quarter."""
    optimizer: OptimizerName = "adam"
    lr: float
    """Adam's; Muon takes more, see RATES."""
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 0
    """Steps over which the rate rises from nothing."""
    milestones: tuple[float, ...] | None = None
    """Where the rate is multiplied by `drop`, as shares of the run; None falls along a cosine."""
    drop: float = 0.5
    clip: float | None = None
    """Largest norm of the gradient."""
    ema: float = 0.999
    """How much of the running average of the weights is kept at each step; 0 for none."""
    settled: float = 1.0
    """The share of the run after which the generator's BatchNorms go by the statistics that they
    have gathered, as they do when pictures are enlarged, and no longer by each batch's."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A network and its stages, in order."""

    name: str
    paper: str
    architecture: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    stages: tuple[Stage, ...]
    shrink: float = 0.25
    """Photographs are shrunk by a random factor between this and 1 before a patch is cut."""
    recolour: float = 0.0
    """The share of patches whose channels are swapped and colours strengthened: networks that do
    not add to an enlarged picture, but make all of it, tinge colours that they have seldom seen."""
    spoiled: bool = False
    """Low pictures are blurred, noisy and compressed, not only small."""

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
        if stages is None or (stages == "both" and len(self.stages) > 1):
            return self.stages
        chosen = tuple(stage for stage in self.stages if stage.end == stages)
        if not chosen:
            raise OptionError(
                f"--stages {stages} does not go with --recipe {self.name}: it has no GAN stage"
            )
        return chosen


def depth_name(hyperparameters: Mapping[str, Any]) -> str | None:
    """Which of them --blocks sets: of VDSR the number of its layers; None: it has no such."""
    return next((name for name in ("blocks", "depth") if name in hyperparameters), None)


# phase_weight, row_weight, colour_weight and shift are in no paper: pictures come out tinged,
# dotted and cross-hatched without. The weights are in proportion to the perceptual loss. Nor are
# settled and recolour.

# Of Real-ESRGAN, https://arxiv.org/abs/2107.10833, section 4.1.
REAL_LAYERS = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}

OUR_PSNR = Stage(steps=200_000, optimizer="muon", lr=1e-3, warmup=200, clip=1.0, settled=0.75)

OUR_GAN = Stage(
    end="gan",
    pixel_weight=0.1,
    perceptual=Perceptual(layers=REAL_LAYERS, activated=False, distance="l1"),
    phase_weight=200.0,
    row_weight=600.0,
    colour_weight=100.0,
    shift=4,
    adversary=Adversary(game="paired", weight=0.1, discriminator="grid", aligned=True),
    steps=50_000,
    batch_size=8,
    lr=4e-4,
    milestones=(0.5, 0.8),
    clip=10.0,
    settled=0.0,
)

CLEAN = Recipe(
    name="clean",
    paper="ours; blocks of EDSR, https://arxiv.org/abs/1707.02921",
    architecture="fast",
    hyperparameters={"features": 64, "blocks": 8, "thin": 8},
    stages=(OUR_PSNR, OUR_GAN),
)

PHOTO = Recipe(
    name="photo",
    paper="ours; spoiling after Real-ESRGAN, https://arxiv.org/abs/2107.10833",
    architecture="fast",
    hyperparameters=CLEAN.hyperparameters,
    stages=(OUR_PSNR, OUR_GAN),
    spoiled=True,
)

SRRESNET = Recipe(
    name="srresnet",
    paper="SRGAN, https://arxiv.org/abs/1609.04802, section 3.2",
    architecture="srresnet",
    hyperparameters={"blocks": 16},
    stages=(Stage(pixel="mse", steps=1_000_000, patch=96, lr=1e-4, milestones=(), settled=0.75),),
    recolour=0.25,
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
            pixel_weight=0.0,
            perceptual=Perceptual(
                layers={"conv5_4": 1.0}, activated=True, distance="mse", scale=1 / 12.75
            ),
            phase_weight=3.0,
            colour_weight=1.0,
            shift=4,
            adversary=Adversary(game="standard", weight=1e-3, discriminator="srgan"),
            steps=200_000,
            patch=96,
            lr=1e-4,
            milestones=(0.5,),
            drop=0.1,
            settled=0.0,
        ),
    ),
    recolour=SRRESNET.recolour,
)

STEADY = Recipe(
    name="steady",
    paper="SRGAN's network, https://arxiv.org/abs/1609.04802, with a GAN stage of ours",
    architecture="srresnet",
    hyperparameters=SRRESNET.hyperparameters,
    stages=(
        *SRRESNET.stages,
        replace(OUR_GAN, lr=2e-4, warmup=50),
    ),
    recolour=SRRESNET.recolour,
)

RRDB = Recipe(
    name="rrdb",
    paper="ESRGAN, https://arxiv.org/abs/1809.00219, section 4.1",
    architecture="rrdbnet",
    hyperparameters={"blocks": 23},
    stages=(Stage(steps=1_000_000, lr=2e-4, milestones=(0.2, 0.4, 0.6, 0.8)),),
    recolour=SRRESNET.recolour,
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
            pixel_weight=1e-2,
            perceptual=Perceptual(layers={"conv5_4": 1.0}, activated=False, distance="l1"),
            phase_weight=30.0,
            colour_weight=30.0,
            shift=4,
            adversary=Adversary(game="relativistic", weight=5e-3, discriminator="srgan"),
            steps=400_000,
            lr=1e-4,
            milestones=(0.125, 0.25, 0.5, 0.75),
        ),
    ),
    recolour=RRDB.recolour,
)

SRCNN = Recipe(
    name="srcnn",
    paper="https://arxiv.org/abs/1501.00092, with Adam for its SGD",
    architecture="srcnn",
    stages=(Stage(pixel="mse", steps=500_000, patch=96, lr=5e-4),),
)

VDSR = Recipe(
    name="vdsr",
    paper="https://arxiv.org/abs/1511.04587, with Adam for its SGD",
    architecture="vdsr",
    hyperparameters={"depth": 20},
    stages=(Stage(pixel="mse", steps=100_000, patch=96, lr=5e-4, clip=0.4),),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (CLEAN, PHOTO, SRGAN, ESRGAN, STEADY, SRRESNET, RRDB, SRCNN, VDSR)
}
