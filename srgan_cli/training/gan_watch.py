"""Warns when the discriminator gives the generator nothing to learn from."""

from dataclasses import dataclass

from srgan_cli.training.train_step import Losses

KEEP = 0.98
"""Share of the running mean of the accuracy that each step keeps."""

CHANCE, CERTAIN = 0.55, 0.99

PATIENCE = 300
"""Steps at one of the extremes before a warning."""


@dataclass
class GanWatch:
    """Follows the running mean of the discriminator's accuracy."""

    mean: float = 0.5
    steps_at_chance: int = 0
    steps_certain: int = 0
    warned: bool = False

    def __call__(self, losses: Losses) -> str | None:
        """A warning, once, after PATIENCE steps at chance or always right."""
        if "discriminator_accuracy" not in losses:
            return None
        self.mean = KEEP * self.mean + (1 - KEEP) * losses["discriminator_accuracy"]
        self.steps_at_chance = self.steps_at_chance + 1 if self.mean < CHANCE else 0
        self.steps_certain = self.steps_certain + 1 if self.mean > CERTAIN else 0
        if self.warned or max(self.steps_at_chance, self.steps_certain) < PATIENCE:
            return None
        self.warned = True
        return f"{self._finding()} (accuracy {self.mean:.3f} over {PATIENCE} steps)"

    def _finding(self) -> str:
        if self.steps_certain >= PATIENCE:
            return (
                "the discriminator is always right, so the generator learns little from it: "
                "lower --lr or train the PSNR stage longer"
            )
        return (
            "the discriminator is at chance, so its loss is noise to the generator: "
            "use larger patches or batches"
        )
