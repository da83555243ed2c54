"""Muon: what it does to convolutions, and what it leaves to Adam."""

import copy

import pytest
import torch
from torch import nn
from torch.optim import Adam

from srgan_cli.networks.fast import Fast
from srgan_cli.training.muon import Muon, is_hidden, orthogonal


@pytest.mark.parametrize("shape", [(2, 8, 72), (1, 64, 16), (3, 8, 24)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    given = torch.randn(shape)
    made = orthogonal(given)
    left, _, right = torch.linalg.svd(given, full_matrices=False)
    values = left.mT @ made @ right.mT  # diagonal, if directions stay
    diagonal = values.diagonal(dim1=1, dim2=2)
    assert torch.allclose(values, torch.diag_embed(diagonal), atol=1e-4)
    assert 0.6 < diagonal.min() < diagonal.max() < 1.3


def test_a_convolution_of_a_pixel_moves_as_by_torchs_own_muon() -> None:
    """Which takes matrices alone, and multiplies them in bfloat16."""
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has none")
    torch.manual_seed(0)
    ours = nn.Parameter(torch.randn(16, 24, 1, 1))
    theirs = nn.Parameter(ours.detach().flatten(1).clone())
    before = theirs.detach().clone()
    rivals = [
        Muon([ours], lr=0.01),
        torch.optim.Muon(
            [theirs], lr=0.01, weight_decay=0.0, adjust_lr_fn="match_rms_adamw", momentum=0.95
        ),
    ]
    for _ in range(3):
        gradient = torch.randn(16, 24)
        ours.grad, theirs.grad = gradient.view(16, 24, 1, 1).clone(), gradient.clone()
        for rival in rivals:
            rival.step()
    moved = (theirs - before).norm()
    assert (ours.flatten(1) - theirs).norm() < 0.03 * moved


def test_colors_and_biases_move_as_by_adam() -> None:
    torch.manual_seed(0)
    one = Fast(features=8, blocks=1, thin=4)
    other = copy.deepcopy(one)
    for network, make in ((one, Muon), (other, Adam)):
        optimizer = make(network.parameters(), lr=0.01)
        for seed in range(2):
            torch.manual_seed(seed)
            for weight in network.parameters():
                weight.grad = torch.randn(weight.shape)
            optimizer.step()
    pairs = list(zip(one.parameters(), other.parameters(), strict=True))
    for muon, adam in pairs:
        assert torch.equal(muon, adam) is not is_hidden(muon)
    assert any(is_hidden(weight) for weight, _ in pairs)


def test_what_it_remembers_is_in_its_state() -> None:
    def gradients(seed: int) -> None:
        torch.manual_seed(seed)
        weight.grad = torch.randn(weight.shape)

    weight = nn.Parameter(torch.ones(8, 8, 3, 3))
    first = Muon([weight], lr=0.01)
    gradients(1)
    first.step()
    here, state = weight.detach().clone(), copy.deepcopy(first.state_dict())
    gradients(2)
    first.step()
    there = weight.detach().clone()
    weight.data = here
    second = Muon([weight], lr=0.01)
    second.load_state_dict(state)
    gradients(2)
    second.step()
    assert torch.equal(weight, there)


def test_a_scaler_that_finds_infinities_leaves_the_whole_step_out() -> None:
    weight, bias = nn.Parameter(torch.ones(8, 8, 3, 3)), nn.Parameter(torch.ones(8))
    optimizer = Muon([weight, bias], lr=0.01, fused=True)
    scaler = torch.amp.GradScaler("cpu", enabled=True)
    scaler.scale(weight.sum() + bias.sum() * torch.tensor(float("inf"))).backward()
    scaler.step(optimizer)
    assert torch.equal(weight, torch.ones_like(weight))
    assert torch.equal(bias, torch.ones_like(bias))


def test_weights_without_a_gradient_stay() -> None:
    weights = [nn.Parameter(torch.ones(8, 8, 3, 3)) for _ in range(2)]
    weights[0].grad = torch.randn(8, 8, 3, 3)
    Muon(weights, lr=0.01).step()
    assert not torch.equal(weights[0], torch.ones(8, 8, 3, 3))
    assert torch.equal(weights[1], torch.ones(8, 8, 3, 3))
