"""How to run a network, as the command line says it. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """Where to compute, how precisely, and on how much at once."""

    device: str = "auto"
    """A name, or several with commas between them: they share each picture's tiles."""
    precision: str = "auto"
    tile: int | None = None
    """Side of a tile's core in input pixels; None fits it to the free memory."""
    exact: bool = False
    """Let every tile see the network's whole reach, even where a measured one suffices."""

    tta: bool = False
    """Self-ensemble over eight orientations."""
