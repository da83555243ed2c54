"""What losses see of the low pictures' grid, and of colours that shift."""

import pytest
import torch

from srgan_cli.training.losses import ColourLoss, PhaseLoss, RowLoss


def test_the_phase_loss_sees_a_pattern_that_comes_back_with_every_low_pixel() -> None:
    high = torch.rand(1, 3, 64, 64)
    pattern = torch.randn(4, 4).repeat(16, 16)
    alternating = torch.tensor([1.0, -1.0]).repeat_interleave(4).repeat(8)  # every second pixel's
    loss = PhaseLoss(4)
    assert loss(high + pattern - pattern.mean(), high) > 0.5
    assert loss(high + alternating * pattern, high) < 1e-5
    assert loss(high + 0.3, high) < 1e-5  # a change of brightness is another loss's business


def test_the_phase_loss_lets_textures_pass() -> None:
    torch.manual_seed(0)
    high, texture = torch.zeros(2, 3, 128, 128), torch.randn(2, 3, 128, 128)
    pattern = torch.randn(4, 4).repeat(32, 32)
    assert PhaseLoss(4)(high + texture, high) < 0.2 * PhaseLoss(4)(high + pattern, high)


def dotted(side: int, row: int, period: int) -> torch.Tensor:
    picture = torch.zeros(1, 3, side, side)
    picture[..., row, ::period] = 0.1
    return picture


@pytest.mark.parametrize(("scale", "period"), [(2, 2), (3, 3), (4, 2), (4, 4)])
def test_the_row_loss_sees_one_row_of_dots_among_many(scale: int, period: int) -> None:
    plain, dots = torch.zeros(1, 3, 64, 64), dotted(64, 10, period)
    loss = RowLoss(scale)
    assert loss(dots, plain) > 3e-4
    assert loss(dots.transpose(-2, -1), plain) == pytest.approx(loss(dots, plain).item())
    assert loss(plain + 0.5, plain) < 1e-5


def test_rows_of_dots_that_hide_each_other_from_the_phase_loss_show_in_the_row_loss() -> None:
    plain, dots = torch.zeros(1, 3, 64, 64), dotted(64, 10, 2) + dotted(64, 14, 2).roll(1, -1)
    level = dots.mean(-1, keepdim=True)
    assert PhaseLoss(4)(dots - level, plain) < 1e-5
    assert RowLoss(4)(dots - level, plain) > 5e-4


def test_the_row_loss_lets_pass_what_the_original_shows() -> None:
    plain, dots = torch.zeros(1, 3, 64, 64), dotted(64, 10, 2)
    loss = RowLoss(4)
    assert loss(plain, dots) == loss(dots, dots) == 0


def test_the_row_loss_has_no_gradient_where_nothing_is() -> None:
    made = torch.zeros(1, 3, 32, 32, requires_grad=True)
    RowLoss(4)(made, torch.zeros(1, 3, 32, 32)).backward()
    assert made.grad is not None
    assert not made.grad.any()


@pytest.mark.parametrize("kind", [PhaseLoss, RowLoss])
@pytest.mark.parametrize(("scale", "side"), [(1, 8), (2, 6), (3, 9), (4, 4), (4, 128)])
def test_every_scale_but_1_has_a_grid_and_patches_may_be_small(kind, scale, side) -> None:
    torch.manual_seed(0)
    made, real = torch.rand(2, 3, side, side), torch.rand(2, 3, side, side)
    loss = kind(scale)(made, real)
    assert (loss.item() == 0) == (scale == 1)


def test_the_colour_loss_sees_what_is_wide_and_lets_textures_pass() -> None:
    torch.manual_seed(0)
    high, texture = torch.rand(2, 3, 128, 128), torch.randn(2, 3, 128, 128)
    tinged = torch.zeros(3, 128, 128)
    tinged[0, :, :96] = 0.1  # of each row of three windows two, and half of the third
    assert ColourLoss(4)(high + tinged, high).item() == pytest.approx(0.1 / 3 * 2.5 / 3, rel=0.02)
    assert ColourLoss(4)(high + texture, high) < 0.02 * texture.abs().mean()


@pytest.mark.parametrize(("scale", "side"), [(1, 8), (3, 9), (4, 4), (4, 192)])
def test_the_colour_loss_takes_every_scale_and_patch(scale: int, side: int) -> None:
    real = torch.rand(2, 3, side, side)
    assert ColourLoss(scale)(real + 0.5, real).item() == pytest.approx(0.5, abs=1e-3)
