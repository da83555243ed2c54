"""Stages of the upsampler: in bands of rows as at once."""

import pytest
import torch

from srgan_cli.networks import fast
from srgan_cli.networks.fast import UpsamplingStage, binomial_filter, filter_blocks
from srgan_cli.networks.layers import depth_to_space


def stage(binomial: bool = True) -> UpsamplingStage:
    torch.manual_seed(0)
    made = UpsamplingStage(3, 4, 2, binomial)
    torch.nn.init.normal_(made[0].weight)
    torch.nn.init.normal_(made[0].bias)
    return made.double()


def test_the_binomial_filter_has_its_weights_and_a_border_of_zeros():
    point = torch.zeros(1, 2, 5, 5)
    point[0, 0, 2, 2] = 16
    line = torch.tensor([1.0, 2.0, 1.0])
    filtered = binomial_filter(point)
    torch.testing.assert_close(filtered[0, 0, 1:4, 1:4], line[:, None] * line)
    assert filtered[0, 0].sum() == 16
    assert not filtered[0, 1].any()
    corner = binomial_filter(torch.ones(1, 1, 3, 3))[0, 0]
    assert (corner[1, 1], corner[0, 1], corner[0, 0]) == (1, 0.75, 0.5625)


@pytest.mark.parametrize("band", [1, 200, 1 << 18])
@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 9, 5), (2, 3, 7, 11)])
def test_bands_of_rows_give_what_training_computes_at_once(shape, band, monkeypatch):
    monkeypatch.setattr(fast, "BAND", band)
    x = torch.randn(shape, dtype=torch.float64)
    for one in (stage(), stage(binomial=False)):
        expected = one(x.requires_grad_())
        with torch.inference_mode():
            made = one(x)
        assert expected.requires_grad
        torch.testing.assert_close(made, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_any_factor_has_bands(factor, monkeypatch):
    monkeypatch.setattr(fast, "BAND", 60)
    blocks = torch.randn(1, factor * factor * 2, 6, 5)
    shuffled = depth_to_space(blocks, factor)
    expected = torch.nn.functional.leaky_relu(binomial_filter(shuffled), 0.2)
    made = filter_blocks(blocks, factor, torch.float32)
    torch.testing.assert_close(made, expected)


def test_a_pixel_is_the_same_to_the_bit_in_every_band(monkeypatch):
    blocks = torch.randn(1, 2 * 2 * 3, 8, 13).bfloat16()
    made = []
    for band in (1, 400, 1 << 18):
        monkeypatch.setattr(fast, "BAND", band)
        made.append(filter_blocks(blocks, 2, torch.bfloat16))
    part = filter_blocks(blocks[..., 1:-1, 2:], 2, torch.bfloat16)
    assert torch.equal(made[0], made[1])
    assert torch.equal(made[0], made[2])
    assert torch.equal(part[..., 1:-1, 1:], made[0][..., 3:-3, 5:])


def test_sums_of_half_precision_are_rounded_once():
    blocks = torch.randn(1, 4 * 2, 6, 5).bfloat16()
    exact = filter_blocks(blocks.double(), 2, torch.float64)
    made = filter_blocks(blocks, 2, torch.bfloat16)
    torch.testing.assert_close(made, exact.bfloat16(), rtol=2**-8, atol=1e-6)
    assert (made == exact.bfloat16()).float().mean() > 0.97


def test_what_quantizes_is_handed_the_filtered_values():
    blocks = torch.randn(1, 4 * 2, 6, 5)
    made = filter_blocks(blocks, 2, torch.uint8, lambda x: (x.clamp(0, 1) * 255).to(torch.uint8))
    expected = filter_blocks(blocks, 2, torch.float32).clamp(0, 1) * 255
    assert torch.equal(made, expected.to(torch.uint8))
