"""Tells when the game of generator and discriminator is over."""

from dataclasses import dataclass

KEEP = 0.98
"""Share of the running mean that each step keeps."""

CERTAIN = -0.01
"""A mean log-probability above it leaves the generator nothing to learn from."""

CONFUSED = -3.0
"""Below it, the discriminator is wrong almost everywhere."""

PATIENCE = 200
"""Steps before the first judgement."""


@dataclass
class CollapseWatch:
    """Follows the running means of log D(real) and log(1 - D(fake))."""

    real: float = -0.69
    fake: float = -0.69
    seen: int = 0
    warned: bool = False

    def __call__(self, losses: dict[str, float]) -> str | None:
        """A warning, once, when a mean leaves the range in which both still learn."""
        if "log D(real)" not in losses:
            return None
        self.real = KEEP * self.real + (1 - KEEP) * losses["log D(real)"]
        self.fake = KEEP * self.fake + (1 - KEEP) * losses["log 1-D(fake)"]
        self.seen += 1
        found = self._fault()
        if found is None or self.warned or self.seen < PATIENCE:
            return None
        self.warned = True
        figures = f"log D(real) {self.real:.3f}, log(1 - D(fake)) {self.fake:.3f}"
        return f"{found} ({figures}): look at the samples; a lower --lr may help"

    def _fault(self) -> str | None:
        if min(self.real, self.fake) > CERTAIN:
            return "the discriminator is always right, so the generator learns little from it"
        if min(self.real, self.fake) < CONFUSED:
            return "the discriminator has lost its way"
        return None
