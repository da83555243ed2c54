"""The eight orientations of an image: quarter turns, with and without a flip."""

from itertools import product

from torch import Tensor, nn

ORIENTATIONS = tuple(product(range(4), (False, True)))
"""Quarter turns counterclockwise, and whether the image is flipped left to right before them."""


def upscale_rotated(generator: nn.Module, low_res: Tensor, rotations: int, flip: bool) -> Tensor:
    """(B, 3, H, W) -> (B, 3, sH, sW) in float32: upscaled in that orientation, then turned back."""
    flipped = low_res.flip(3) if flip else low_res
    high_res = generator(flipped.rot90(rotations, (2, 3))).float().rot90(-rotations, (2, 3))
    return high_res.flip(3) if flip else high_res
