"""Initial weights of a stage, random, from a file or from the stage before, and their history."""

import shlex
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from torch import Tensor

from srgan_cli.errors import OptionError
from srgan_cli.training.net2net import can_deepen, deepen_network
from srgan_cli.training.recipes import Recipe, depth_name
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.weights.container import Weights, read_weights
from srgan_cli.weights.description import training_history
from srgan_cli.weights.generators import build_generator
from srgan_cli.weights.metadata import Metadata

TAILS = {
    "fast": ("up.", "to_rgb."),
    "srresnet": ("ups.", "act_ups.", "conv_hr.", "act_hr.", "conv_last."),
    "rrdbnet": ("conv_up", "conv_hr.", "conv_last."),
}
"""Prefixes of tensors that depend on the scale."""

HISTORY = "history"

CARRIED_OVER = "carried over"
"""Key that marks weights copied from a network of another form."""


def starting_weights(options: TrainOptions, recipe: Recipe) -> Weights:
    """The weights a run starts from; random ones depend on torch's seed.

    A file's network may differ from the recipe's, whose settings then train it.
    """
    if options.start is None:
        return _random(options, recipe)
    file = read_weights(options.start)
    if options.stages == "int8":
        return _finished(options, file)
    given = _at_depth(options, _carried_over(options, recipe, file))
    training: dict[str, Any] = {HISTORY: collect_history(file)}
    if given.metadata.training.get(CARRIED_OVER):
        training[CARRIED_OVER] = True
    lineage = given.metadata.lineage or options.lineage
    family = given.metadata.family
    if given.metadata.scale != options.scale:
        given, lineage, family = _for_another_scale(options, given), options.lineage, None
    metadata = Metadata(scale=options.scale, lineage=lineage, family=family, training=training)
    return replace(given, metadata=metadata)


def _finished(options: TrainOptions, file: Weights) -> Weights:
    """A trained network that keeps its place and learns to run in int8."""
    if file.architecture != "fast":
        raise OptionError(f"{options.start} is a network that does not run in int8: {file}")
    if file.metadata.scale != options.scale:
        scale = file.metadata.scale
        raise OptionError(f"{options.start} enlarges by {scale}: train it with --scale {scale}")
    return replace(
        file,
        metadata=Metadata(
            scale=options.scale,
            objective=file.metadata.objective,
            lineage=file.metadata.lineage or options.lineage,
            family=file.metadata.family,
            training={HISTORY: collect_history(file)},
        ),
    )


def _carried_over(options: TrainOptions, recipe: Recipe, given: Weights) -> Weights:
    """Copy head and body of an older `fast` network into the recipe's; the tail is new.

    It keeps as many blocks as requested, if it has them, and gets a new lineage."""
    is_old_form = (
        given.architecture == recipe.architecture == "fast"
        and not given.hyperparameters.get("binomial")
    )
    if not is_old_form or options.stages == "gan":
        return given
    given_blocks = int(given.hyperparameters["blocks"])
    wanted = options.blocks or recipe.hyperparameters["blocks"]
    sizes = {
        **recipe.hyperparameters,
        "scale": given.metadata.scale,
        "blocks": min(given_blocks, wanted),
        "features": given.hyperparameters["features"],
    }
    if widths := given.hyperparameters.get("middle"):  # of a pruned network
        sizes["middle"] = widths[: sizes["blocks"]]
    network = build_generator("fast", sizes)
    fresh = network.state_dict()
    kept = {name for name in given.state if not name.startswith(TAILS["fast"]) and name in fresh}
    state = {name: given.state[name] if name in kept else fresh[name] for name in fresh}
    metadata = Metadata(
        scale=given.metadata.scale, lineage=options.lineage, training={CARRIED_OVER: True}
    )
    return Weights("fast", sizes, state, metadata)


def _random(options: TrainOptions, recipe: Recipe) -> Weights:
    sizes = recipe.sized(options.scale, options.blocks)
    network = build_generator(recipe.architecture, sizes)
    metadata = Metadata(scale=options.scale, lineage=options.lineage)
    return Weights(recipe.architecture, sizes, network.state_dict(), metadata)


def _at_depth(options: TrainOptions, given: Weights) -> Weights:
    given_blocks: int = given.hyperparameters.get(depth_name(given.hyperparameters) or "", 0)
    if options.blocks is None or options.blocks == given_blocks:
        return given
    if not can_deepen(given) or options.blocks < given_blocks:
        why = "can only become deeper" if can_deepen(given) else "has no blocks to add to"
        raise OptionError(
            f"--blocks {options.blocks} does not go with {options.start}: {given} {why}"
        )
    return deepen_network(given, options.blocks, options.lineage)


def _for_another_scale(options: TrainOptions, given: Weights) -> Weights:
    """Keep all but the tail, which is new. The network gets a new lineage."""
    if options.stages == "gan":
        raise OptionError(
            f"{options.start} enlarges by {given.metadata.scale}, not by {options.scale}: its new "
            "tail needs the PSNR stage first, --stages both"
        )
    sizes = {**given.hyperparameters, "scale": options.scale}
    fresh = build_generator(given.architecture, sizes).state_dict()
    state = {
        name: given.state[name] if _kept(name, given, fresh) else fresh[name] for name in fresh
    }
    return replace(given, hyperparameters=sizes, state=state)


def _kept(name: str, given: Weights, fresh: dict[str, Tensor]) -> bool:
    tail = name.startswith(TAILS.get(given.architecture, ()))
    return not tail and name in given.state and given.state[name].shape == fresh[name].shape


def stage_weights(options: TrainOptions, recipe: Recipe, end: str) -> Weights:
    """Initial weights of a stage; the GAN stage's are RUN/psnr.safetensors."""
    if end == "gan":
        return read_weights(weights_file(options.out, "psnr"))
    return starting_weights(options, recipe)


def weights_file(run: Path, end: str) -> Path:
    return run / f"{end}.safetensors"


def collect_history(weights: Weights) -> list[dict[str, Any]]:
    """The records of all trainings that led to the file, oldest first."""
    own = {k: v for k, v in weights.metadata.training.items() if k != CARRIED_OVER}
    return [without_folders(record) for record in training_history(own)]


def without_folders(value: Any) -> Any:
    """`value` with every path in its strings, keys included, reduced to its last component."""
    if isinstance(value, dict):
        return {without_folders(key): without_folders(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(item) for item in value]
    return _last_components(value) if isinstance(value, str) and "/" in value else value


def _last_components(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    if len(words) <= 1:
        return PurePath(text).name or text
    return shlex.join(PurePath(word).name or word for word in words)
