"""The run folder: lock and recorded options."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from srgan_cli.errors import OptionError
from srgan_cli.files import atomic_write, read_regular, try_lock
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.train_options import TrainOptions

MAX_OPTIONS = 1 << 24  # bytes of options.json
PATHS = ("out", "start", "val", "low", "pool")

OLD_DEFAULTS = {"optimizer": "adam"}
"""Values for older runs, which did not record these options."""


@contextmanager
def locked_run(run: Path) -> Iterator[None]:
    """Make and lock the run folder. Raises OptionError if another process has locked it."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = try_lock(run / "run")
    except OSError as error:
        raise OptionError(f"{run} cannot be written to ({error.strerror})") from error
    if lock is None:
        raise OptionError(
            f"{run} is being trained by another process: wait for its end, or stop it"
        )
    with lock:
        yield


def begin(options: TrainOptions) -> None:
    """Make the run folder. Raises OptionError where there is a run already."""
    if (options.out / "options.json").exists():
        raise OptionError(
            f"{options.out} holds a run already: go on with --resume, or choose another"
        )
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"{options.out} cannot be made ({error.strerror})") from error
    write_options(options)


def write_options(options: TrainOptions) -> None:
    """Into RUN/options.json, with absolute paths: a run can be resumed from anywhere."""
    record = {name: _plain(value) for name, value in asdict(options).items()}
    with atomic_write(options.out / "options.json", OptionError) as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value.absolute()) if isinstance(value, Path) else value


def read_options(run: Path) -> TrainOptions:
    """The options a run was begun with; the folder may have been moved."""
    try:
        record = OLD_DEFAULTS | json.loads(read_regular(run / "options.json", MAX_OPTIONS))
        paths = {name: Path(record[name]) for name in PATHS if record.get(name) is not None}
        tuples = {
            "folders": tuple(map(Path, record["folders"])),
            "teachers": tuple(map(Path, record.get("teachers", ()))),
            "vgg": tuple(record.get("vgg", ())),
        }
        options = TrainOptions(**record | paths | tuples | {"out": run})
        _check_types(options)
        return options
    except FileNotFoundError as error:
        raise OptionError(f"{run} is not a run folder: it has no options.json") from error
    except (OSError, AttributeError, TypeError, KeyError, ValueError, RecursionError) as error:
        raise OptionError(f"{run / 'options.json'} is damaged: {error}") from error


def _check_types(options: TrainOptions) -> None:
    """Raises TypeError, or ValueError for an unknown recipe."""
    for name, hint in get_type_hints(TrainOptions).items():
        if not _is_of_type(getattr(options, name), hint):
            raise TypeError(f"{name} is no {hint}")
    if options.recipe not in RECIPES:
        raise ValueError(f"there is no recipe {options.recipe!r}")


def _is_of_type(value: Any, hint: Any) -> bool:
    """hint: a class, an optional one, tuple[X, ...] or dict[X, Y]; an int is also a float."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(_is_of_type(value, part) for part in parts)
    if kind is tuple:
        return isinstance(value, tuple) and all(_is_of_type(each, parts[0]) for each in value)
    if kind is dict:
        items = value.items() if isinstance(value, dict) else [(None, None)]
        return all(_is_of_type(k, parts[0]) and _is_of_type(v, parts[1]) for k, v in items)
    if hint in (int, float) and isinstance(value, int):
        return not isinstance(value, bool)
    return isinstance(value, hint)


def resume_options(run: Path, changes: dict[str, Any]) -> TrainOptions:
    """The recorded options with `changes` of --steps, --budget or --device."""
    if {"steps", "budget"} & set(changes):
        changes = {"steps": None, "budget": None, "planned": {}} | changes
    return replace(read_options(run), **changes)
