"""A step moves all, or nothing at all."""

import copy
from dataclasses import replace

import pytest
import torch

from srgan_cli.errors import TrainingError
from srgan_cli.networks import DISCRIMINATORS, GENERATORS
from srgan_cli.training.losses import DISTANCES, GAN_LOSSES
from srgan_cli.training.patches import Pair
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.run_folder import checkpoints, load_state
from srgan_cli.training.schedule import average_, freeze_norms_, learning_rate, norms
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_step import (
    GanObjective,
    NonFiniteError,
    Numerics,
    OptimizedNetwork,
    TrainStep,
    WeightedLoss,
)


def batch(seed: int = 0, size: int = 2) -> Pair:
    generator = torch.Generator().manual_seed(seed)
    low_res = torch.rand(size, 3, 8, 8, generator=generator)
    return {"low_res": low_res, "high_res": torch.rand(size, 3, 16, 16, generator=generator)}


def step(architecture: str = "srresnet", dtype: torch.dtype = torch.float32) -> TrainStep:
    torch.manual_seed(0)
    network = GENERATORS[architecture](scale=2, blocks=1, features=8).train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    return TrainStep(
        OptimizedNetwork("generator", network, optimizer, 1.0),
        [WeightedLoss("pixel", 1.0, DISTANCES["l1"])],
        Numerics(torch.device("cpu"), dtype),
    )


def network_of(step: TrainStep) -> torch.nn.Module:
    return step.generator.module


def same_state(a: dict, b: dict) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_a_step_without_a_finite_loss_changes_nothing_not_even_statistics() -> None:
    taught = step()
    taught([batch()])
    before = copy.deepcopy(taught.state_dict())
    broken = batch(1)
    broken["low_res"][0, 0, 0, 0] = float("nan")
    with pytest.raises(NonFiniteError, match="the pixel loss"):
        taught([broken])
    after = taught.state_dict()
    assert same_state(before["generator"], after["generator"])
    assert str(before["optimizer"]) == str(after["optimizer"])


def test_an_infinite_gradient_is_named() -> None:
    taught = step("fast")

    def steep(made: torch.Tensor, high_res: torch.Tensor) -> torch.Tensor:
        return torch.sqrt((made - made.detach()).abs()).mean()

    taught.terms = [WeightedLoss("pixel", 1.0, steep)]
    with pytest.raises(NonFiniteError, match="the generator's gradient"):
        taught([batch()])


def test_accumulated_batches_move_as_one_large_batch_does() -> None:
    whole, parts = step("fast"), step("fast")
    large = batch(size=4)
    halves = [{name: value[i : i + 2] for name, value in large.items()} for i in (0, 2)]
    losses = whole([large]), parts(halves)
    assert losses[0]["pixel"] == pytest.approx(losses[1]["pixel"], rel=1e-5)
    for a, b in zip(*(network_of(s).parameters() for s in (whole, parts)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_half_precision_with_a_gradient_scaler_learns() -> None:
    taught = step("fast", torch.float16)
    losses = [taught([batch()])["pixel"] for _ in range(8)]
    assert taught.scaler.is_enabled()
    assert losses[-1] < losses[0]
    assert taught.state_dict()["scaler"]["scale"] > 0


def test_the_average_follows_parameters_and_the_statistics_of_batchnorm() -> None:
    taught = step()
    network = network_of(taught)
    average = copy.deepcopy(network)
    for number in range(1, 200):
        taught([batch(number % 3)])
        average_(average, network, keep=0.9, step=number)
    a, b = average.state_dict(), network.state_dict()
    norm = next(name for name in a if name.endswith("running_mean"))
    assert not torch.equal(a[norm], torch.zeros_like(a[norm]))
    torch.testing.assert_close(a[norm], b[norm], rtol=0.2, atol=0.1)
    assert all(torch.equal(a[n], b[n]) for n in a if n.endswith("num_batches_tracked"))


def test_settled_networks_learn_as_they_will_be_used() -> None:
    taught = step()
    network = network_of(taught)
    average = copy.deepcopy(network)
    for number in range(3):
        taught([batch(number)])
    freeze_norms_(network, average)
    low_res = taught.numerics.to_batch(batch(5)).low_res
    with torch.no_grad():
        learning, used = network(low_res), copy.deepcopy(network).eval()(low_res)
    assert network.training
    assert torch.equal(learning, used)
    taught([batch(3)])
    for ours, average_norm in zip(norms(network), norms(average), strict=True):
        assert all(map(torch.equal, ours.buffers(), average_norm.buffers()))


def test_ten_broken_steps_in_a_row_end_the_run_and_leave_its_checkpoint(make, run) -> None:
    options = make(steps=4)
    run(options)
    with pytest.raises(TrainingError, match="10 steps in a row, up to step"):
        run(replace(options, steps=40, lr=1e38))
    log = (options.out / "log.jsonl").read_text()
    assert log.count('"skipped": "the ') == 10
    state = load_state(checkpoints(options.out)[-1])
    assert state.step == 4
    assert all(value.abs().max() < 10 for value in state.networks["generator"].values())


def test_the_rate_rises_then_falls_as_the_stage_says() -> None:
    cosine = Stage(steps=100, lr=1.0, warmup=10)
    rates = [learning_rate(cosine, i, 100) for i in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[9])
    assert rates[-1] < 1e-3
    esrgan = RECIPES["esrgan"].stages[1]
    falls = [learning_rate(esrgan, i, 400_000) for i in (0, 49_999, 50_000, 300_000)]
    assert falls == pytest.approx([1e-4, 1e-4, 5e-5, 1e-4 / 16])


def test_bytes_become_images_between_0_and_1() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    numerics = Numerics(torch.device("cpu"), torch.float32)
    batched = numerics.to_batch({"low_res": levels, "high_res": levels})
    assert torch.equal(batched.low_res, torch.arange(256).view(1, 1, 16, 16) / 255)
    assert torch.equal(batched.target("original"), batched.low_res)
    assert batched.target("teacher") is batched.target("original")  # there is no teacher


def test_each_term_is_compared_with_its_own_target() -> None:
    trained = step("fast")
    trained.terms = [
        WeightedLoss("pixel", 0.5, DISTANCES["l1"]),
        WeightedLoss("distillation", 0.5, DISTANCES["l1"], target="teacher"),
    ]
    given = batch()
    given["teacher"] = network_of(trained)(given["low_res"]).detach()
    losses = trained([given])
    assert losses["distillation"] == pytest.approx(0, abs=1e-6)
    assert losses["pixel"] > 0.1
    assert trained.shares(losses)["share of pixel"] == pytest.approx(1, abs=1e-3)


def test_the_discriminator_is_warmed_up_alone_and_has_a_rate_of_its_own() -> None:
    trained = step("fast")
    network = DISCRIMINATORS["unet"](features=4)
    optimizer = torch.optim.Adam(network.parameters())
    discriminator = OptimizedNetwork("discriminator", network, optimizer, lr_factor=2.0)
    trained.gan = GanObjective(discriminator, GAN_LOSSES["vanilla"], 0.01, warmup=5)

    def rates(number: int) -> list[float]:
        trained.set_learning_rate(1e-3, number, 1000)
        return [one.optimizer.param_groups[0]["lr"] for one in trained.networks]

    assert rates(4) == [0, 2e-3]
    before = copy.deepcopy(trained.state_dict())
    losses = trained([batch()])
    assert same_state(before["generator"], trained.state_dict()["generator"])
    assert not same_state(before["discriminator"], trained.state_dict()["discriminator"])
    assert 0 <= losses["discriminator_accuracy"] <= 1
    assert rates(5) == [1e-3, 2e-3]
