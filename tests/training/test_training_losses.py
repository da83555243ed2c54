"""What each loss term says and whom it moves."""

import copy

import pytest
import torch
from helpers import DISCRIMINATOR_SIZES
from torch import nn
from torch.nn.functional import softplus

from srgan_cli.networks import DISCRIMINATORS, GENERATORS
from srgan_cli.networks.vgg import VGG
from srgan_cli.training.feature_extractors import perceptual_loss
from srgan_cli.training.losses import (
    DISTANCES,
    GAMES,
    PerceptualLoss,
    PhaseLoss,
    certainty,
    of_luma,
    shifted,
)
from srgan_cli.training.objectives import AdversarialLesson, Term
from srgan_cli.training.recipes import RECIPES, Perceptual
from srgan_cli.training.train_step import Learner, Numerics, Part

SMALL = {
    "fast": {"blocks": 1, "features": 8},
    "srcnn": {},
    "srresnet": {"blocks": 1, "features": 8},
    "rrdbnet": {"blocks": 1, "features": 8, "growth": 4},
    "compact": {"convolutions": 2, "features": 8},
}


def generator(name: str = "fast") -> nn.Module:
    torch.manual_seed(1)
    network = GENERATORS[name](scale=2, **SMALL[name])
    for parameter in network.parameters():  # layers that start silent would pass nothing on
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network.train()


def discriminator(name: str) -> nn.Module:
    torch.manual_seed(2)
    return DISCRIMINATORS[name](**DISCRIMINATOR_SIZES[name])


def pair(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    return torch.rand(batch, 3, 16, 16), torch.rand(batch, 3, 32, 32)


def without_gradient(network: nn.Module) -> list[str]:
    return [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or parameter.grad.abs().max() < 1e-9
    ]


@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.parametrize("term", ["l1", "mse"])
def test_pixel_losses_reach_every_parameter(name: str, term: str) -> None:
    network, (low, high) = generator(name), pair()
    DISTANCES[term](network(low), high).backward()
    assert without_gradient(network) == []


@pytest.mark.parametrize("term", ["l1", "mse"])
def test_luma_is_blind_to_chroma_and_sees_brightness_as_matlab_does(term: str) -> None:
    distance, (_, wanted) = of_luma(DISTANCES[term]), pair()
    tinged = wanted + torch.tensor([0.1, 0.0, -0.1 * 65.481 / 24.966])[:, None, None]
    assert DISTANCES[term](tinged, wanted) > 0.01
    assert distance(tinged, wanted) < 1e-6
    brighter = wanted + 0.1
    assert distance(brighter, wanted).item() == pytest.approx(
        DISTANCES[term](torch.tensor(0.1 * 219 / 255), torch.tensor(0.0)).item(), rel=1e-5
    )


@pytest.mark.parametrize("activated", [True, False])
@pytest.mark.parametrize("distance", ["l1", "mse"])
def test_the_perceptual_loss_reaches_every_parameter(eyes, activated, distance) -> None:
    network, (low, high) = generator(), pair()
    recipe = Perceptual(layers={}, activated=activated, distance=distance)
    perceptual_loss(eyes, recipe)(network(low), high).backward()
    assert without_gradient(network) == []


@pytest.mark.parametrize("game", list(GAMES))
@pytest.mark.parametrize("rival", list(DISCRIMINATOR_SIZES))
def test_the_adversarial_loss_reaches_every_parameter_of_the_generator(game, rival) -> None:
    network, judge, (low, high) = generator(), discriminator(rival), pair()
    GAMES[game].generator(judge(high).detach(), judge(network(low))).backward()
    assert without_gradient(network) == []


COMPARING = ("relativistic", "paired")
"""Games that compare logits: a bias that all of them share cancels."""


@pytest.mark.parametrize("game", list(GAMES))
@pytest.mark.parametrize("rival", list(DISCRIMINATOR_SIZES))
def test_the_discriminators_loss_reaches_all_but_biases_that_cancel(game, rival) -> None:
    judge, high = discriminator(rival).double(), pair()[1].double()
    fake = high.flip(0) * 0.5
    GAMES[game].discriminator(judge(high), judge(fake)).backward()
    assert without_gradient(judge) == (["verdict.bias"] if game in COMPARING else [])


def test_the_relativistic_game_is_the_papers_formula() -> None:
    real, fake = torch.tensor([[0.3], [1.2]]), torch.tensor([[-0.4], [0.9]])
    sigmoid, log = torch.sigmoid, torch.log
    d_real, d_fake = sigmoid(real - fake.mean()), sigmoid(fake - real.mean())
    game = GAMES["relativistic"]
    by_hand = -log(d_real).mean() - log(1 - d_fake).mean()
    assert game.discriminator(real, fake).item() == pytest.approx(by_hand.item(), rel=1e-5)
    by_hand = -log(1 - d_real).mean() - log(d_fake).mean()
    assert game.generator(real, fake).item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_the_standard_game_is_the_papers_formula() -> None:
    real, fake = torch.tensor([0.3, 1.2]), torch.tensor([-0.4, 0.9])
    game = GAMES["standard"]
    assert game.generator(real, fake).item() == pytest.approx(softplus(-fake).mean().item())
    whole = softplus(-real).mean() + softplus(fake).mean()
    assert game.discriminator(real, fake).item() == pytest.approx(whole.item())


def test_the_paired_game_compares_each_original_with_what_was_made_in_its_place() -> None:
    real, fake = torch.tensor([0.3, 5.2]), torch.tensor([-0.4, 4.9])
    game = GAMES["paired"]
    assert game.discriminator(real, fake).item() == pytest.approx(
        softplus(-torch.tensor([0.7, 0.3])).mean().item()
    )
    assert game.generator(real, fake).item() == pytest.approx(
        softplus(torch.tensor([0.7, 0.3])).mean().item()
    )
    shown = torch.tensor([9.0, -9.0])  # what both show sways neither
    moved = game.discriminator(real + shown, fake + shown).item()
    assert moved == pytest.approx(game.discriminator(real, fake).item(), abs=1e-6)


@pytest.mark.parametrize("game", COMPARING)
def test_certainty_is_that_of_a_coin_at_equal_logits(game: str) -> None:
    same = torch.ones(4)
    assert certainty(GAMES[game], same, same) == {
        "log D(real)": pytest.approx(-0.6931, abs=1e-4),
        "log 1-D(fake)": pytest.approx(-0.6931, abs=1e-4),
    }


def test_features_before_activation_are_partly_negative(eyes) -> None:
    _, high = pair()
    layers = eyes[0].layers
    before = VGG(eyes[0].state, layers)(high)
    after = VGG(eyes[0].state, layers, after_relu=True)(high)
    assert all(found.min() < 0 for found in before.values())
    assert all(found.min() >= 0 for found in after.values())


def test_the_perceptual_loss_is_the_weighted_sum_of_its_layers(eyes) -> None:
    made, real = pair()[1], pair()[1].flip(0)
    recipe = Perceptual(layers={}, activated=True, distance="mse", scale=1 / 12.75)
    network = VGG(eyes[0].state, eyes[0].layers, after_relu=True)
    a, b = network(made), network(real)
    by_hand = sum(
        weight * ((a[name] - b[name]) / 12.75).square().mean()
        for name, weight in {"conv2_2": 0.5, "conv3_1": 1.0}.items()
    )
    both = perceptual_loss([*eyes, *eyes], recipe)(made, real)
    assert both.item() == pytest.approx(2 * by_hand.item(), rel=1e-5)


def test_srgans_and_esrgans_terms_are_the_papers() -> None:
    srgan, esrgan = RECIPES["srgan"].stages[1], RECIPES["esrgan"].stages[1]
    assert srgan.perceptual.activated
    assert not esrgan.perceptual.activated
    assert (srgan.pixel_weight, srgan.adversary.weight) == (0.0, 1e-3)
    assert (esrgan.pixel_weight, esrgan.adversary.weight) == (1e-2, 5e-3)


def test_all_pictures_are_shifted_alike_and_at_random() -> None:
    torch.manual_seed(0)
    picture = torch.rand(1, 3, 32, 32)
    cuts = [shifted(4, picture, 2 * picture) for _ in range(20)]
    assert all(one.shape[-2:] == (28, 28) and torch.equal(2 * one, two) for one, two in cuts)
    assert len({one[0, 0, 0, 0].item() for one, _ in cuts}) > 5
    assert shifted(0, picture) == (picture,)


def lesson(rival: str, game: str, perceptual: PerceptualLoss) -> AdversarialLesson:
    networks = generator(), discriminator(rival)
    learners = [
        Learner(name, network, torch.optim.Adam(network.parameters()))
        for name, network in zip(("generator", "discriminator"), networks, strict=True)
    ]
    terms = {"pixel": Term(0.1, DISTANCES["l1"]), "perceptual": Term(1.0, perceptual)}
    return AdversarialLesson(*learners, GAMES[game], 0.02, terms, shift=4)


class Gradients:
    """Which network's gradients each backward pass of a lesson changes."""

    def __init__(self, lesson: AdversarialLesson) -> None:
        self.networks = [learner.alone for learner in lesson.learners]
        self.moved: list[list[bool]] = []

    def backward(self, loss: torch.Tensor) -> None:
        before = self._sums()
        loss.backward()
        self.moved.append([a != b for a, b in zip(before, self._sums(), strict=True)])

    def _sums(self) -> list[float]:
        return [
            sum(p.grad.abs().sum().item() for p in network.parameters() if p.grad is not None)
            for network in self.networks
        ]


@pytest.mark.parametrize("game", list(GAMES))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rival", list(DISCRIMINATOR_SIZES))
def test_each_loss_moves_its_own_network_alone(eyes, rival, dtype, game) -> None:
    recipe = Perceptual(layers={}, activated=False, distance="l1")
    taught = lesson(rival, game, perceptual_loss(eyes, recipe))
    seen = Gradients(taught)
    numerics = Numerics(torch.device("cpu"), dtype)
    taught(*pair(), Part(1.0, True, numerics.autocast, seen.backward))
    assert seen.moved == [[False, True], [True, False]]  # the discriminator's, the generator's


def test_the_phase_loss_compares_with_what_the_stage_began_with(eyes) -> None:
    recipe = Perceptual(layers={}, activated=False, distance="l1")
    taught = lesson("grid", "standard", perceptual_loss(eyes, recipe))
    begun = copy.deepcopy(taught.generator.alone).eval()
    taught.terms["phase"] = Term(100.0, PhaseLoss(2), begun)
    numerics = Numerics(torch.device("cpu"), torch.float32)
    part = Part(1.0, True, numerics.autocast, lambda loss: loss.backward())
    assert taught(*pair(), part)["phase"] < 1e-6
    taught.terms["phase"] = Term(100.0, PhaseLoss(2))
    assert taught(*pair(), part)["phase"] > 1e-3
