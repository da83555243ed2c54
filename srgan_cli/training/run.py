"""A run folder: from options to trained weights files."""

import copy
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from srgan_cli import __version__
from srgan_cli.device import pick_device, pick_precision
from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.images.atomic import atomically
from srgan_cli.training.checkpoint import checkpoints, load_state
from srgan_cli.training.loop import Progress, Trainer
from srgan_cli.training.options import TrainOptions
from srgan_cli.training.patches import MARGIN, Batches, Cut, Pair
from srgan_cli.training.photographs import (
    Photographs,
    Refusal,
    find_pictures,
    held_out,
    load_photographs,
)
from srgan_cli.training.recipes import RECIPES, Recipe, Stage
from srgan_cli.training.steps import PIXEL_LOSSES, Numerics, PixelStep
from srgan_cli.training.validation import Score, centre_samples, score
from srgan_cli.weights import (
    Facts,
    Weights,
    build_generator,
    load_generator,
    read_weights,
    write_weights,
)

PATHS = ("out", "start", "val")


@dataclass(frozen=True)
class Data:
    """The pictures of a run."""

    training: Photographs
    validation: Photographs
    refusals: list[Refusal]


def write_options(options: TrainOptions, run: Path) -> None:
    record = {name: _plain(value) for name, value in asdict(options).items()}
    with atomically(run / "options.json", OptionError) as part:
        part.write_text(json.dumps(record, indent=1) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def read_options(run: Path) -> TrainOptions:
    """The options a run was begun with."""
    try:
        record = json.loads((run / "options.json").read_text())
        paths = {name: Path(record[name]) for name in PATHS if record[name] is not None}
        return TrainOptions(**record | paths | {"folders": tuple(map(Path, record["folders"]))})
    except FileNotFoundError as error:
        raise OptionError(f"{run} is not a run folder: it has no options.json") from error
    except (TypeError, KeyError, ValueError) as error:
        raise OptionError(f"{run / 'options.json'} is damaged: {error}") from error


def begin(options: TrainOptions) -> None:
    """Make the run folder. Raises OptionError where there is a run already."""
    if (options.out / "options.json").exists():
        raise OptionError(
            f"{options.out} holds a run already: go on with --resume, or choose another"
        )
    options.out.mkdir(parents=True, exist_ok=True)
    write_options(options, options.out)


def patch_side(options: TrainOptions, stage: Stage) -> int:
    return options.patch or stage.patch * options.scale // 4


def load_data(options: TrainOptions, recipe: Recipe) -> Data:
    """The pictures to train and to validate with, decoded into RUN/cache."""
    smallest = max(patch_side(options, stage) for stage in recipe.stages)
    smallest += 2 * MARGIN * options.scale
    paths = find_pictures(options.folders)
    apart = find_pictures([options.val]) if options.val else list(held_out(paths))
    rest = [path for path in paths if path not in set(apart)] or paths
    cache = options.out / "cache"
    training, refusals = load_photographs(rest, cache / "training.bytes", smallest)
    validation, more = load_photographs(apart, cache / "validation.bytes", 2 * options.scale + 11)
    return Data(training, validation, [*refusals, *more])


def train(options: TrainOptions, tell: Callable[[Progress], None], command: str) -> list[Path]:
    """Run all stages of `options`, from the newest checkpoint if there is one.

    Returns the weights files written, one a stage.
    """
    recipe = RECIPES[options.recipe]
    device = pick_device(options.device)
    data = load_data(options, recipe)
    saved = checkpoints(options.out)
    state = load_state(saved[-1]) if saved else None
    files = []
    for stage in recipe.stages:
        file = options.out / f"{stage.end}.safetensors"
        trainer = _trainer(options, recipe, stage, data, device, command, file, tell)
        if state is not None and state.stage == stage.end:
            trainer.restore(state)
        trainer.train()
        files.append(file)
    return files


def _trainer(
    options: TrainOptions,
    recipe: Recipe,
    stage: Stage,
    data: Data,
    device: torch.device,
    command: str,
    file: Path,
    tell: Callable[[Progress], None],
) -> Trainer:
    torch.manual_seed(options.seed)
    weights = _start(options, recipe)
    network = load_generator(weights).to(device)
    lr = options.lr or stage.lr
    numerics = Numerics(device, pick_precision(options.precision, device))
    step = PixelStep(
        network,
        torch.optim.Adam(
            network.parameters(), lr, stage.betas, weight_decay=stage.decay, fused=True
        ),
        PIXEL_LOSSES[stage.pixel],
        numerics,
        stage.clip,
    )
    samples = centre_samples(
        [data.validation[i] for i in range(len(data.validation))], options.scale
    )
    steps = options.steps or (None if options.budget else stage.steps)
    facts = replace(weights.facts, objective=stage.end)
    record = {
        "command": command,
        "recipe": recipe.name,
        "version": __version__,
        "data": _about(data),
    }

    def keep(trainer: Trainer, best: Score) -> None:
        told = record | {
            "steps": trainer.done,
            "of": trainer.steps,
            "seconds": round(trainer.seconds),
            "validation": asdict(best),
        }
        result = replace(
            weights, state=trainer.average.state_dict(), facts=replace(facts, training=told)
        )
        write_weights(result, file)

    return Trainer(
        run=options.out,
        stage=stage,
        step=step,
        network=network,
        average=copy.deepcopy(network),
        batches=lambda first: _batches(options, recipe, stage, data.training, first),
        validate=lambda average: score(average, samples, device),
        keep=keep,
        tell=tell,
        lr=lr,
        accumulate=options.accumulate,
        steps=steps,
        budget=options.budget,
        decide=lambda found: write_options(replace(options, steps=found, budget=None), options.out),
    )


def _about(data: Data) -> dict[str, Any]:
    pixels = sum(entry.height * entry.width for entry in data.training.entries)
    return {"pictures": len(data.training), "megapixels": round(pixels / 1e6, 1)}


def _start(options: TrainOptions, recipe: Recipe) -> Weights:
    """The weights a run starts from: random ones, or those of `options.start`."""
    sizes = recipe.sized(options.scale, options.blocks)
    if options.start is None:
        network = build_generator(recipe.architecture, sizes)
        facts = Facts(scale=options.scale, lineage=options.lineage)
        return Weights(recipe.architecture, sizes, network.state_dict(), facts)
    given = read_weights(options.start)
    if given.architecture != recipe.architecture:
        raise WeightsError(
            f"{options.start} is {given}, but --recipe {recipe.name} trains {recipe.architecture}"
        )
    return given


def _batches(
    options: TrainOptions, recipe: Recipe, stage: Stage, photographs: Photographs, first: int
) -> Iterator[Pair]:
    cut = Cut(
        batch_size=options.batch_size or stage.batch_size,
        patch=patch_side(options, stage),
        scale=options.scale,
        shrink=recipe.shrink,
        seed=options.seed,
    )
    loader = DataLoader(
        Batches(photographs, cut),
        batch_size=None,
        sampler=range(first, 2**62),
        num_workers=options.workers,
        worker_init_fn=_ignore_interrupts,
        prefetch_factor=4 if options.workers else None,
    )
    return iter(loader)


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C, and often SIGTERM, reach the whole group of processes; the main one decides."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
