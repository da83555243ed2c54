"""Every recipe on this machine: how fast its steps are, and that a minute of them helps.

python benchmarks/recipes.py PHOTOS --vgg FILE:conv3_4=1 -o OUT [--seconds 60] [RECIPE...]
python benchmarks/recipes.py PHOTOS --vgg FILE:conv3_4=1 -o OUT --from FILE RECIPE
python benchmarks/recipes.py PHOTOS --loading -o OUT [RECIPE...]

Prints for each stage how many steps fit a second, which share of the speed of bfloat16 matrix
products they reach, how long making a batch takes beside a step, and the L1 and feature distance of
held-out images before and after so many seconds. RRDB networks have 2 blocks here. With --from it
does so for the GAN stage alone, which begins with that file. With --loading it prints how fast
steps of the first stage are, whose steps are the shortest, with batches as they come and with the
same one again and again, and which share of the time loading takes.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import torch
from hardware_peak import product
from report import Figure, Table, as_text
from timing import interleaved, timed
from torch.utils.flop_counter import FlopCounterMode

from srgan_cli.device import keep_memory, pick_device
from srgan_cli.errors import OptionError
from srgan_cli.training.builder import TrainRun, build_trainer
from srgan_cli.training.callbacks import NoCallback
from srgan_cli.training.data import downsample_function, load_data, pair_sampler
from srgan_cli.training.distributed import ProcessGroup
from srgan_cli.training.feature_extractors import load_vggs
from srgan_cli.training.initial_weights import stage_weights, weights_file
from srgan_cli.training.patches import Batches, Pair
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.trainer import Trainer
from srgan_cli.training.validation import center_samples
from srgan_cli.weights.container import write_weights

STEPS = 3
"""Timed of each stage, after one that is not."""

IN_A_ROW, ROUNDS = 20, 3
"""Steps that are timed together for what loading takes, and how often."""

DEEP = ("rrdb", "esrgan")
BLOCKS = 2


Row = tuple[str, dict[str, Figure]]
"""A stage and its figures."""


@dataclass(frozen=True)
class Given:
    """What the command line says."""

    folder: Path
    out: Path
    vgg: tuple[str, ...]
    seconds: float
    start: Path | None

    def run(self, name: str) -> TrainRun:
        options = TrainOptions(
            folders=(self.folder,),
            out=self.out / name,
            recipe=name,
            budget=self.seconds,
            blocks=BLOCKS if name in DEEP else None,
            vgg=self.vgg,
            start=self.start,
        )
        options.out.mkdir(parents=True)
        recipe, vggs = RECIPES[name], load_vggs(options.vgg_files())
        device, data = pick_device(options.device), load_data(options, recipe)
        return TrainRun(
            options,
            recipe,
            data,
            vggs,
            device,
            ProcessGroup(),
            NoCallback(),
            "benchmarks/recipes.py",
        )


def stages(run: TrainRun, peak: float) -> Iterator[Row]:
    """The figures of each stage; the second begins where the first has ended."""
    recipe = run.recipe
    write_weights(stage_weights(run.options, recipe, "psnr"), weights_file(run.options.out, "psnr"))
    for stage in recipe.chosen("gan" if run.options.start else None):
        alone = replace_stages(run, stage)
        trainer = build_trainer(alone, *alone.stages)
        pairs = list(islice(trainer.batches(0), STEPS))
        yield (
            f"{recipe.name} {stage.end}",
            paces(run, stage, trainer, pairs, peak) | gains(run, stage),
        )


def replace_stages(run: TrainRun, stage: Stage) -> TrainRun:
    """The same run of that stage alone: the whole budget is its own."""
    return replace(run, recipe=replace(run.recipe, stages=(stage,)))


def paces(
    run: TrainRun, stage: Stage, trainer: Trainer, pairs: list[Pair], peak: float
) -> dict[str, Figure]:
    trainer.step(pairs[:1])
    with FlopCounterMode(display=False) as counter:
        trainer.step(pairs[:1])
    device = str(run.device)
    seconds = float(np.median([timed(lambda p=p: trainer.step([p]), device) for p in pairs]))
    cut = pair_sampler(run.options, run.recipe, trainer.stage, run.data.training)
    batches = Batches(cut, trainer.stage.batch_size, seed=1)
    loading = float(np.median([timed(one) for one in loads(batches)]))
    return {
        "steps/s": 1 / seconds,
        "share of bf16 peak": counter.get_total_flops() / seconds / peak,
        "batch/step": loading / seconds,
    }


def loads(batches: Batches) -> Iterator[Callable[[], object]]:
    for number in range(STEPS):
        yield lambda: batches[number]  # noqa: B023 it is called before the next


def loading(run: TrainRun) -> Iterator[Row]:
    """Both ways in turn. Between them the workers wait, so each pays for its own batches alone."""
    stage = run.recipe.stages[0]
    alone = replace_stages(run, stage)
    trainer = build_trainer(alone, *alone.stages)
    coming = trainer.batches(0)
    again = repeat(next(coming))
    cases = {"loaded": lambda: steps(trainer, coming), "again": lambda: steps(trainer, again)}
    timings = interleaved(cases, ROUNDS, str(run.device))
    faster = timings["again"].times_faster(timings["loaded"])
    yield (
        f"{run.recipe.name} {stage.end}",
        {
            "steps/s": IN_A_ROW / timings["loaded"].median,
            "steps/s of one batch": IN_A_ROW / timings["again"].median,
            "share of loading": 1 - 1 / faster,
        },
    )


def steps(trainer: Trainer, pairs: Iterator[Pair]) -> None:
    for pair in islice(pairs, IN_A_ROW):
        trainer.step([pair])


def gains(run: TrainRun, stage: Stage) -> dict[str, Figure]:
    """Of held-out images, before and after."""
    unwrap = replace_stages(run, stage)
    trainer = build_trainer(unwrap, *unwrap.stages)
    before = centers(run, trainer)
    trainer.train()
    after = centers(run, trainer)
    found: dict[str, Figure] = {"steps": float(trainer.progress.done)}
    for name in before:
        found |= {f"{name} before": exact(before[name]), f"{name} after": exact(after[name])}
    return found


def exact(figure: float) -> str:
    """A minute moves the third digit only."""
    return f"{figure:.4g}"


def centers(run: TrainRun, trainer: Trainer) -> dict[str, float]:
    samples = center_samples(
        run.data.validation, run.options.scale, downsample_function(run.recipe)
    )
    judged = trainer.validate(trainer.average)
    errors = [
        np.abs(made.astype(np.int16) - sample.high_res).mean()
        for made, sample in zip(judged.images, samples, strict=True)
    ]
    return {"L1": float(np.mean(errors)), "features": judged.score.features or float("nan")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(RECIPES), metavar="RECIPE")
    parser.add_argument("--vgg", action="append", default=[])
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--from", type=Path, dest="start")
    parser.add_argument("--loading", action="store_true")
    told = parser.parse_intermixed_args()
    keep_memory()  # as training does
    given = Given(told.folder, told.out, tuple(told.vgg), told.seconds, told.start)
    if told.loading:
        tell(told.names, lambda name: loading(given.run(name)), "share of loading")
        return
    limit = product(torch.bfloat16, str(pick_device("auto")))
    timing = interleaved({"product": limit.case}, 5, str(pick_device("auto")))["product"]
    peak = limit.rate(timing) * 1e9
    check_key = f"bf16 product: {peak / 1e9:.0f} GFLOP/s"
    tell(told.names, lambda name: stages(given.run(name), peak), check_key)


def tell(names: list[str], rows: Callable[[str], Iterator[Row]], check_key: str) -> None:
    for name in names:
        try:
            print(as_text(Table(f"{name}; {check_key}", dict(rows(name)))), flush=True)
        except OptionError as error:
            raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
