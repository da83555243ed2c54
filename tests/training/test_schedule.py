"""A run's steps and time are divided among its stages, and a budget becomes steps."""

import pytest

from srgan_cli.training.distributed import ProcessGroup
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.schedule import StageLength, stage_budget, stage_steps


def test_steps_are_divided_as_the_recipes_are(make) -> None:
    stages = RECIPES["clean"].stages
    assert stage_steps(make(steps=1000, stages="both"), stages) == {"psnr": 800, "gan": 200}
    assert stage_steps(make(steps=1, stages="both"), stages) == {"psnr": 1, "gan": 1}
    assert stage_steps(make(steps=None), stages) == {"psnr": 200_000, "gan": 50_000}


def test_a_budget_is_divided_by_what_steps_cost(make) -> None:
    options = make(steps=None, budget=70.0, stages="both", planned={"psnr": 9})
    stages = RECIPES["clean"].stages
    assert stage_steps(options, stages) == {"psnr": 9, "gan": None}
    spans = [stage_budget(options, stages, stage) for stage in stages]
    assert spans == pytest.approx([40.0, 30.0])


def test_a_budget_becomes_steps_after_the_first_ones() -> None:
    told = []
    length = StageLength(budget=100.0, on_steps=told.append)
    settled = [length.update(done, 5.0 + 0.5 * done, ProcessGroup()) for done in range(1, 41)]
    assert settled.index(True) == 29
    assert sum(settled) == 1
    assert told == [30 + int((95 - 20) / 0.5)]
    assert length.reached(180)
    assert not length.reached(179)


def test_a_budget_resumed_before_it_was_settled_measures_anew() -> None:
    length = StageLength(budget=10.0)
    assert not any(length.update(done, done * 0.1, ProcessGroup()) for done in range(25, 54))
    assert length.update(54, 5.4, ProcessGroup())


@pytest.mark.parametrize("seconds", [20.0, 35.0, 60.0])
def test_slow_steps_keep_to_a_short_budget(seconds: float) -> None:
    length = StageLength(budget=90.0)
    done = 0
    while not length.reached(done):
        done += 1
        length.update(done, done * seconds, ProcessGroup())
    assert length.steps == done == max(2, int(85.5 / seconds))


class SlowerProcess(ProcessGroup):
    """Process 1, whose clock is ahead of that of process 0."""

    def broadcast(self, value: float) -> float:
        return value - 7


def test_all_processes_decide_by_one_clock() -> None:
    here, there = StageLength(budget=90.0), StageLength(budget=90.0)
    for done in range(1, 4):
        settled = here.update(done, done * 20.0, ProcessGroup())
        assert there.update(done, done * 20.0 + 7, SlowerProcess(1, 2)) == settled
    assert settled
    assert here.steps == there.steps
