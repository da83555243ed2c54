"""What each loss term says and whom it moves."""

import copy

import pytest
import torch
from test_training_recipes import RIVALS
from torch import nn
from torch.nn.functional import softplus

from srgan_cli.models import DISCRIMINATORS, GENERATORS
from srgan_cli.models.vgg import VGG
from srgan_cli.training.features import perceptual_loss
from srgan_cli.training.lessons import AdversarialLesson, Term
from srgan_cli.training.losses import (
    DISTANCES,
    GAMES,
    ColourLoss,
    PerceptualLoss,
    PhaseLoss,
    RowLoss,
    certainty,
    of_luma,
    shifted,
)
from srgan_cli.training.recipes import RECIPES, Perceptual
from srgan_cli.training.steps import Learner, Numerics, Part

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
    return DISCRIMINATORS[name](**RIVALS[name])


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
@pytest.mark.parametrize("rival", list(RIVALS))
def test_the_adversarial_loss_reaches_every_parameter_of_the_generator(game, rival) -> None:
    network, judge, (low, high) = generator(), discriminator(rival), pair()
    GAMES[game].generator(judge(high).detach(), judge(network(low))).backward()
    assert without_gradient(network) == []


COMPARING = ("relativistic", "paired")
"""Games that compare logits: a bias that all of them share cancels."""


@pytest.mark.parametrize("game", list(GAMES))
@pytest.mark.parametrize("rival", list(RIVALS))
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
    after = VGG(eyes[0].state, layers, activated=True)(high)
    assert all(found.min() < 0 for found in before.values())
    assert all(found.min() >= 0 for found in after.values())


def test_the_perceptual_loss_is_the_weighted_sum_of_its_layers(eyes) -> None:
    made, real = pair()[1], pair()[1].flip(0)
    recipe = Perceptual(layers={}, activated=True, distance="mse", scale=1 / 12.75)
    network = VGG(eyes[0].state, eyes[0].layers, activated=True)
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


@pytest.mark.parametrize(("scale", "side"), [(1, 8), (2, 6), (3, 9), (4, 4), (4, 128)])
def test_the_phase_loss_takes_every_scale_and_patch(scale: int, side: int) -> None:
    torch.manual_seed(0)
    made, real = torch.rand(2, 3, side, side), torch.rand(2, 3, side, side)
    loss = PhaseLoss(scale)(made, real)
    assert (loss.item() == 0) == (scale == 1)


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


@pytest.mark.parametrize(("scale", "side"), [(1, 8), (2, 6), (3, 9), (4, 4), (4, 128)])
def test_the_row_loss_takes_every_scale_and_patch(scale: int, side: int) -> None:
    torch.manual_seed(0)
    made, real = torch.rand(2, 3, side, side), torch.rand(2, 3, side, side)
    loss = RowLoss(scale)(made, real)
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
@pytest.mark.parametrize("rival", list(RIVALS))
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
