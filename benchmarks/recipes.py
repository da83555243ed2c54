"""Every recipe on this machine: how fast its steps are, and that a minute of them helps.

python benchmarks/recipes.py PHOTOS --vgg FILE:conv3_4=1 -o OUT [--seconds 60] [RECIPE...]

Prints for each stage how many steps fit a second, which share of the speed of bfloat16 matrix
products they reach, how long making a batch takes beside a step, and the L1 and feature distance of
held-out pictures before and after so many seconds. RRDB networks have 2 blocks here.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from ceiling import product
from clock import interleaved, timed
from report import Table, as_text
from torch.utils.flop_counter import FlopCounterMode

from srgan_cli.device import pick_device
from srgan_cli.errors import OptionError
from srgan_cli.training.assembly import Job, build_trainer
from srgan_cli.training.data import batch_size, cutter, load_data, shrinker
from srgan_cli.training.distributed import World
from srgan_cli.training.features import open_eyes
from srgan_cli.training.loop import Trainer
from srgan_cli.training.options import TrainOptions
from srgan_cli.training.patches import Batches, Pair
from srgan_cli.training.recipes import RECIPES, Stage
from srgan_cli.training.start import stage_weights, weights_file
from srgan_cli.training.telling import Silent
from srgan_cli.training.validation import centre_samples
from srgan_cli.weights import write_weights

STEPS = 3
"""Timed of each stage, after one that is not."""

DEEP = ("rrdb", "esrgan")
BLOCKS = 2


@dataclass(frozen=True)
class Given:
    """What the command line says."""

    folder: Path
    out: Path
    vgg: tuple[str, ...]
    seconds: float

    def job(self, name: str) -> Job:
        options = TrainOptions(
            folders=(self.folder,),
            out=self.out / name,
            recipe=name,
            budget=self.seconds,
            blocks=BLOCKS if name in DEEP else None,
            vgg=self.vgg,
        )
        options.out.mkdir(parents=True)
        recipe, eyes = RECIPES[name], open_eyes(options.vgg_files())
        device, data = pick_device(options.device), load_data(options, recipe)
        return Job(options, recipe, data, eyes, device, World(), Silent(), "benchmarks/recipes.py")


def stages(job: Job, peak: float) -> Iterator[tuple[str, dict[str, float]]]:
    """The figures of each stage; the second begins where the first has ended."""
    recipe = job.recipe
    write_weights(stage_weights(job.options, recipe, "psnr"), weights_file(job.options.out, "psnr"))
    for stage in recipe.stages:
        trainer = build_trainer(replace_stages(job, stage), stage)
        pairs = list(islice(trainer.batches(0), STEPS))
        yield (
            f"{recipe.name} {stage.end}",
            paces(job, stage, trainer, pairs, peak) | gains(job, stage),
        )


def replace_stages(job: Job, stage: Stage) -> Job:
    """The same run of that stage alone: the whole budget is its own."""
    return replace(job, recipe=replace(job.recipe, stages=(stage,)))


def paces(
    job: Job, stage: Stage, trainer: Trainer, pairs: list[Pair], peak: float
) -> dict[str, float]:
    trainer.step(pairs[:1])
    with FlopCounterMode(display=False) as counter:
        trainer.step(pairs[:1])
    device = str(job.device)
    seconds = float(np.median([timed(lambda p=p: trainer.step([p]), device) for p in pairs]))
    cut = cutter(job.options, job.recipe, stage, job.data.training)
    batches = Batches(cut, batch_size(job.options, stage), seed=1)
    loading = float(np.median([timed(one) for one in loads(batches)]))
    return {
        "steps/s": 1 / seconds,
        "share of bf16 peak": counter.get_total_flops() / seconds / peak,
        "batch/step": loading / seconds,
    }


def loads(batches: Batches) -> Iterator[Callable[[], object]]:
    for number in range(STEPS):
        yield lambda: batches[number]  # noqa: B023 it is called before the next


def gains(job: Job, stage: Stage) -> dict[str, float]:
    """Of held-out pictures, before and after."""
    alone = replace_stages(job, stage)
    trainer = build_trainer(alone, stage)
    before = looked_at(job, trainer)
    trainer.train()
    after = looked_at(job, trainer)
    found = {"steps": float(trainer.position.done)}
    for name in before:
        found |= {f"{name} before": before[name], f"{name} after": after[name]}
    return found


def looked_at(job: Job, trainer: Trainer) -> dict[str, float]:
    samples = centre_samples(job.data.validation, job.options.scale, shrinker(job.recipe))
    judged = trainer.validate(trainer.average)
    errors = [
        np.abs(made.astype(np.int16) - sample.high).mean()
        for made, sample in zip(judged.pictures, samples, strict=True)
    ]
    return {"L1": float(np.mean(errors)), "features": judged.score.features or float("nan")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(RECIPES), metavar="RECIPE")
    parser.add_argument("--vgg", action="append", required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    told = parser.parse_args()
    given = Given(told.folder, told.out, tuple(told.vgg), told.seconds)
    limit = product(torch.bfloat16, str(pick_device("auto")))
    timing = interleaved({"product": limit.case}, 5, str(pick_device("auto")))["product"]
    peak = limit.rate(timing) * 1e9
    for name in told.names:
        try:
            rows = dict(stages(given.job(name), peak))
        except OptionError as error:
            raise SystemExit(str(error)) from error
        table = Table(f"{name}; bf16 product: {peak / 1e9:.0f} GFLOP/s", rows)
        print(as_text(table), flush=True)


if __name__ == "__main__":
    main()
