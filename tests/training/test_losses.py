"""What each loss term says and whom it moves."""

from dataclasses import replace

import pytest
import torch
from helpers import DISCRIMINATOR_SIZES
from torch import nn
from torch.nn.functional import softplus

from srgan_cli.networks import DISCRIMINATORS, GENERATORS
from srgan_cli.networks.vgg import VGG
from srgan_cli.training.feature_extractors import perceptual_loss
from srgan_cli.training.loss_terms import PerceptualTerm
from srgan_cli.training.losses import DISTANCES, GAN_LOSSES, PerceptualLoss, accuracy, of_luma
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.train_step import (
    GanObjective,
    Numerics,
    OptimizedNetwork,
    TrainStep,
    WeightedLoss,
)

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
    network, (low_res, high_res) = generator(name), pair()
    DISTANCES[term](network(low_res), high_res).backward()
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


@pytest.mark.parametrize("after_relu", [True, False])
@pytest.mark.parametrize("distance", ["l1", "mse"])
def test_the_perceptual_loss_reaches_every_parameter(vggs, after_relu, distance) -> None:
    network, (low_res, high_res) = generator(), pair()
    recipe = PerceptualTerm(layers={}, after_relu=after_relu, distance=distance)
    perceptual_loss(vggs, recipe)(network(low_res), high_res).backward()
    assert without_gradient(network) == []


@pytest.mark.parametrize("loss", list(GAN_LOSSES))
@pytest.mark.parametrize("name", list(DISCRIMINATOR_SIZES))
def test_the_gan_loss_reaches_every_parameter_of_the_generator(loss, name) -> None:
    network, discriminator_network, (low_res, high_res) = generator(), discriminator(name), pair()
    GAN_LOSSES[loss].generator(
        discriminator_network(high_res).detach(), discriminator_network(network(low_res))
    ).backward()
    assert without_gradient(network) == []


@pytest.mark.parametrize("loss", list(GAN_LOSSES))
@pytest.mark.parametrize("name", list(DISCRIMINATOR_SIZES))
def test_the_discriminators_loss_reaches_all_but_biases_that_cancel(loss, name) -> None:
    discriminator_network, high_res = discriminator(name).double(), pair()[1].double()
    fake = high_res.flip(0) * 0.5
    GAN_LOSSES[loss].discriminator(
        discriminator_network(high_res), discriminator_network(fake)
    ).backward()
    cancels = ["to_logits.bias"] if loss == "relativistic" else []  # it compares logits
    assert without_gradient(discriminator_network) == cancels


def test_the_relativistic_loss_is_the_papers_formula() -> None:
    real, fake = torch.tensor([[0.3], [1.2]]), torch.tensor([[-0.4], [0.9]])
    sigmoid, log = torch.sigmoid, torch.log
    d_real, d_fake = sigmoid(real - fake.mean()), sigmoid(fake - real.mean())
    loss = GAN_LOSSES["relativistic"]
    by_hand = -log(d_real).mean() - log(1 - d_fake).mean()
    assert loss.discriminator(real, fake).item() == pytest.approx(by_hand.item(), rel=1e-5)
    by_hand = -log(1 - d_real).mean() - log(d_fake).mean()
    assert loss.generator(real, fake).item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_the_vanilla_loss_is_the_papers_formula() -> None:
    real, fake = torch.tensor([0.3, 1.2]), torch.tensor([-0.4, 0.9])
    loss = GAN_LOSSES["vanilla"]
    assert loss.generator(real, fake).item() == pytest.approx(softplus(-fake).mean().item())
    whole = softplus(-real).mean() + softplus(fake).mean()
    assert loss.discriminator(real, fake).item() == pytest.approx(whole.item())


def test_accuracy_is_a_half_at_chance_and_one_where_classes_are_apart() -> None:
    same = torch.tensor([1.0, -1.0, 2.0, -2.0])
    assert accuracy(same, same) == 0.5
    assert accuracy(same + 10, same) == 1
    assert accuracy(same - 10, same) == 0


def test_features_before_activation_are_partly_negative(vggs) -> None:
    _, high_res = pair()
    layers = vggs[0].layers
    before = VGG(vggs[0].state, layers)(high_res)
    after = VGG(vggs[0].state, layers, after_relu=True)(high_res)
    assert all(found.min() < 0 for found in before.values())
    assert all(found.min() >= 0 for found in after.values())


def test_the_perceptual_loss_is_the_weighted_sum_of_its_layers(vggs) -> None:
    made, real = pair()[1], pair()[1].flip(0)
    recipe = PerceptualTerm(layers={}, after_relu=True, distance="mse", scale=1 / 12.75)
    network = VGG(vggs[0].state, vggs[0].layers, after_relu=True)
    a, b = network(made), network(real)
    by_hand = sum(
        weight * ((a[name] - b[name]) / 12.75).square().mean()
        for name, weight in {"conv2_2": 0.5, "conv3_1": 1.0}.items()
    )
    all_checks = perceptual_loss([*vggs, *vggs], recipe)(made, real)
    assert all_checks.item() == pytest.approx(2 * by_hand.item(), rel=1e-5)


def test_srgans_and_esrgans_terms_are_the_papers() -> None:
    srgan, esrgan = RECIPES["srgan"].stages[1], RECIPES["esrgan"].stages[1]
    assert [(term.name, term.weight) for term in srgan.losses] == [("perceptual", 1.0)]
    assert [(term.name, term.weight) for term in esrgan.losses] == [
        ("pixel", 1e-2),
        ("perceptual", 1.0),
    ]
    assert srgan.losses[0].after_relu
    assert not esrgan.losses[1].after_relu
    assert (srgan.gan.weight, esrgan.gan.weight) == (1e-3, 5e-3)


def gan_step(name: str, loss: str, dtype: torch.dtype, perceptual: PerceptualLoss) -> TrainStep:
    networks = [
        OptimizedNetwork(role, network, torch.optim.SGD(network.parameters(), 0.1))
        for role, network in (("generator", generator()), ("discriminator", discriminator(name)))
    ]
    terms = [
        WeightedLoss("pixel", 0.1, DISTANCES["l1"]),
        WeightedLoss("perceptual", 1.0, perceptual),
    ]
    gan = GanObjective(networks[1], GAN_LOSSES[loss], 0.02)
    return TrainStep(networks[0], terms, Numerics(torch.device("cpu"), dtype), gan)


def gradients(network: nn.Module) -> list[torch.Tensor]:
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("loss", list(GAN_LOSSES))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", list(DISCRIMINATOR_SIZES))
def test_each_loss_gives_its_own_network_gradients_alone(vggs, name, dtype, loss) -> None:
    """Scaling the generator's losses leaves the discriminator's gradients as they are."""
    term = PerceptualTerm(layers={}, after_relu=False, distance="l1")
    low_res, high_res = pair()
    found = []
    for factor in (1.0, 3.0):
        step = gan_step(name, loss, dtype, perceptual_loss(vggs, term))
        step.terms = [replace(one, weight=factor * one.weight) for one in step.terms]
        assert step.gan is not None
        step.gan.weight *= factor
        step([{"low_res": low_res, "high_res": high_res}])
        found.append([gradients(one.module) for one in step.networks])
    (first_generator, first), (second_generator, second) = found
    assert first
    assert all(map(torch.equal, first, second))
    assert not all(map(torch.equal, first_generator, second_generator))
