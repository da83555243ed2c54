"""Warns when the discriminator gives the generator nothing to learn from."""

from dataclasses import dataclass

from srgan_cli.training.train_step import Losses

KEEP = 0.98
"""Share of the running mean of the accuracy that each step keeps."""

LOW_ACCURACY, HIGH_ACCURACY = 0.55, 0.99

WARN_AFTER = 300
"""Steps at one of the extremes before a warning."""


@dataclass
class GanMonitor:
    """Running mean of the discriminator's accuracy."""

    mean: float = 0.5
    low_steps: int = 0
    high_steps: int = 0
    warned: bool = False

    def __call__(self, losses: Losses) -> str | None:
        """Returns a warning, once, after WARN_AFTER steps at chance or always right."""
        if "discriminator_accuracy" not in losses:
            return None
        self.mean = KEEP * self.mean + (1 - KEEP) * losses["discriminator_accuracy"]
        self.low_steps = self.low_steps + 1 if self.mean < LOW_ACCURACY else 0
        self.high_steps = self.high_steps + 1 if self.mean > HIGH_ACCURACY else 0
        if self.warned or max(self.low_steps, self.high_steps) < WARN_AFTER:
            return None
        self.warned = True
        return f"{self._description()} (accuracy {self.mean:.3f} over {WARN_AFTER} steps)"

    def _description(self) -> str:
        if self.high_steps >= WARN_AFTER:
            return (
                "the discriminator is always right, so the generator learns little from it: "
                "lower --lr or train the PSNR stage longer"
            )
        return (
            "the discriminator is at chance, so its loss is noise to the generator: "
            "use larger patches or batches"
        )
