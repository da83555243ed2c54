"""What a stage leaves in its run folder when it is stopped, fails or dies."""

from dataclasses import replace

import pytest
from training_helpers import StopAfter

from srgan_cli.training.callbacks import NoCallback, Progress
from srgan_cli.training.run_folder import begin, checkpoints, load_state, read_log
from srgan_cli.training.train_run import check, train
from srgan_cli.training.trainer import StopTraining


def test_a_stop_while_steps_fail_keeps_the_last_good_checkpoint(make, run) -> None:
    options = make(steps=4)
    run(options)
    failing = replace(options, steps=40, lr=1e38)
    with pytest.raises(StopTraining) as caught:
        train(failing, check(failing), StopAfter("psnr", 8), "")
    assert not caught.value.saved
    state = load_state(checkpoints(options.out)[-1])
    assert state.step == 4
    assert all(value.isfinite().all() for value in state.networks["generator"].values())


def test_a_stop_saves_the_last_step(make) -> None:
    options = make(steps=4)
    begin(options)
    with pytest.raises(StopTraining) as caught:
        train(options, check(options), StopAfter("psnr", 2), "")
    assert caught.value.saved
    assert load_state(checkpoints(options.out)[-1]).step == 2


class DieAfter(NoCallback):
    """Ends the training by an exception at a step."""

    def __init__(self, stage: str, step: int) -> None:
        self.moment = (stage, step)

    def progress(self, now: Progress) -> None:
        if (now.stage, now.step) == self.moment:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("stages", "stage", "step"), [("psnr", "psnr", 5), ("both", "gan", 1)])
def test_steps_done_again_are_logged_once(make, run, stages: str, stage: str, step: int) -> None:
    """A stage that died before its first checkpoint begins again."""
    options = make(stages=stages, steps=60 if stages == "psnr" else 15)
    begin(options)
    with pytest.raises(KeyboardInterrupt):
        train(options, check(options), DieAfter(stage, step), "")
    assert not [path for path in checkpoints(options.out) if stage in path.name]
    run(options)
    logged = [(row["stage"], row["step"]) for row in read_log(options.out) if "lr" in row]
    assert (stage, step) in logged
    assert len(logged) == len(set(logged))
