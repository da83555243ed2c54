"""What a network makes of a picture that is turned and mirrored for it, and turned back."""

from itertools import product

from torch import Tensor, nn

ORIENTATIONS = tuple(product(range(4), (False, True)))
"""Quarter turns, and whether it is mirrored first."""


def made_turned(generator: nn.Module, low: Tensor, turns: int, mirrored: bool) -> Tensor:
    """(B, 3, H, W) -> (B, 3, sH, sW) in float32, upright again."""
    seen = low.flip(3) if mirrored else low
    made = generator(seen.rot90(turns, (2, 3))).float().rot90(-turns, (2, 3))
    return made.flip(3) if mirrored else made
