import torch
from torch import Tensor, nn

from srgan_cli.inference.tta import Ensemble


class Shift(nn.Module):
    """Moves the image one pixel to the right: as lopsided as can be."""

    scale, receptive_field = 1, 1

    def forward(self, low: Tensor) -> Tensor:
        return torch.roll(low, 1, dims=3)


def test_the_mean_over_eight_orientations_has_no_preferred_direction():
    low = torch.rand(1, 3, 7, 9)
    ways = [(2, 1), (2, -1), (3, 1), (3, -1)]
    expected = sum(torch.roll(low, step, dims=axis) for axis, step in ways) / 4
    torch.testing.assert_close(Ensemble(Shift())(low), expected)


def test_it_says_of_itself_what_its_network_says():
    assert (Ensemble(Shift()).scale, Ensemble(Shift()).receptive_field) == (1, 1)
