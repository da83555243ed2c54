"""What distinguishes one paper's training from another's. Values only; no torch."""

from dataclasses import dataclass, field
from typing import Any, Literal

from srgan_cli.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One objective, trained from its first step to its last."""

    end: Literal["psnr", "gan"] = "psnr"
    pixel: Literal["l1", "mse"] = "l1"
    steps: int
    batch_size: int = 16
    patch: int = 128
    """Side of the high-resolution crop at scale 4, in pixels; the low one has a quarter."""
    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    decay: float = 0.0
    """Weight decay."""
    warmup: int = 0
    """Steps over which the rate rises from nothing."""
    milestones: tuple[float, ...] | None = None
    """Where the rate is multiplied by `drop`, as shares of the run; None falls along a cosine."""
    drop: float = 0.5
    clip: float | None = None
    """Largest norm of the gradient."""
    ema: float = 0.999
    """How much of the running average of the weights is kept at each step; 0 for none."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A network and its stages, in order."""

    name: str
    paper: str
    architecture: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    stages: tuple[Stage, ...]
    shrink: float = 0.4
    """Photographs are shrunk by a random factor between this and 1 before a patch is cut."""

    def sized(self, scale: int, blocks: int | None) -> dict[str, Any]:
        """The network's hyperparameters for a run."""
        sizes = self.hyperparameters | {"scale": scale}
        if blocks is None:
            return sizes
        if "blocks" not in self.hyperparameters:
            raise OptionError(f"--blocks does not go with --recipe {self.name}: it has no blocks")
        return sizes | {"blocks": blocks}


CLEAN = Recipe(
    name="clean",
    paper="ours; blocks of EDSR, https://arxiv.org/abs/1707.02921",
    architecture="fast",
    hyperparameters={"features": 64, "blocks": 8, "thin": 8},
    stages=(Stage(steps=200_000, lr=1e-3, warmup=200, clip=1.0),),
)

SRRESNET = Recipe(
    name="srresnet",
    paper="SRGAN, https://arxiv.org/abs/1609.04802, section 3.2",
    architecture="srresnet",
    hyperparameters={"blocks": 16},
    stages=(Stage(pixel="mse", steps=1_000_000, patch=96, lr=1e-4, milestones=()),),
)

RRDB = Recipe(
    name="rrdb",
    paper="ESRGAN, https://arxiv.org/abs/1809.00219, section 4.1",
    architecture="rrdbnet",
    hyperparameters={"blocks": 23},
    stages=(Stage(steps=1_000_000, lr=2e-4, milestones=(0.2, 0.4, 0.6, 0.8)),),
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
    stages=(Stage(pixel="mse", steps=100_000, patch=96, lr=5e-4, clip=0.4),),
)

RECIPES = {recipe.name: recipe for recipe in (CLEAN, SRCNN, VDSR, SRRESNET, RRDB)}
