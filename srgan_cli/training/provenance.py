"""The training record in weights files: every run through all --from, without folders."""

import shlex
from pathlib import PurePath
from typing import Any

from srgan_cli.weights.container import Weights
from srgan_cli.weights.description import training_history

HISTORY = "history"

CARRIED_OVER = "carried over"
"""Key that marks weights copied from a network of another form."""


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
    return (
        shlex.join(PurePath(word).name or word for word in words)
        if len(words) > 1
        else (PurePath(text).name or text)
    )
