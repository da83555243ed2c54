"""A stage of training, as a recipe lists it. Values only; no torch."""

from dataclasses import dataclass
from typing import Literal

from srgan_cli.training.loss_terms import GanTerm, LossTerm, PixelTerm

End = Literal["psnr", "gan", "int8"]

OptimizerName = Literal["adam", "muon"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of training: losses, optimizer, schedule; see schedule.resolve_stage."""

    end: End = "psnr"
    losses: tuple[LossTerm, ...] = (PixelTerm(),)
    """The generator's loss terms besides the GAN loss."""
    gan: GanTerm | None = None
    steps: int
    batch_size: int = 16
    patch: int = 128
    """Side of the high-resolution crop at scale 4, in pixels."""
    optimizer: OptimizerName = "adam"
    lr: float
    """Adam's; Muon takes more, see RATES."""
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 0
    """Steps of linear warmup."""
    milestones: tuple[float, ...] | None = None
    """Shares of the run at which the rate is multiplied by `drop`; None is a cosine schedule."""
    drop: float = 0.5
    max_grad_norm: float | None = None
    """Largest norm of the gradient."""
    ema: float = 0.999
    """Decay of the exponential moving average of the weights; 0 for none."""
    freeze_norms_at: float = 1.0
    """Share of the run after which the generator's BatchNorms use their running statistics, as in
    inference, instead of each batch's."""
    full_precision: bool = False
    """Whether it computes in float32, whatever --precision says."""

    def __post_init__(self) -> None:
        """Raises ValueError for two loss terms of one name: losses are summed and logged by it."""
        names = [term.name for term in self.losses] + ([self.gan.name] if self.gan else [])
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"two loss terms of a stage are named {', '.join(repeated)}")
