"""The run folder: lock, recorded options, log and checkpoints.

A checkpoint is the state of a run in one file, written atomically by torch.save.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import torch

from srgan_cli.errors import OptionError, TrainingError, WeightsError
from srgan_cli.files import append_regular, atomic_write, read_regular, try_lock
from srgan_cli.folders import create_folder
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.vgg_file import absolute_vgg
from srgan_cli.weights.tensor_files import read_tensors, write_torch_file

MAX_OPTIONS = 1 << 24  # bytes of options.json
MAX_LOG = 1 << 28  # bytes of log.jsonl
MAX_CHECKPOINT = 1 << 37  # bytes: two networks and their optimizers are more than a weights file
PATHS = ("out", "start", "val", "low", "pool")

OLD_DEFAULTS = {"optimizer": "adam"}
"""Values for older runs, which did not record these options."""


@contextmanager
def locked_run(run: Path) -> Iterator[None]:
    """Make and lock the run folder. Raises OptionError if another process has locked it."""
    create_folder(run, OptionError)
    try:
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
    """Make the folder of a new run, unless `locked_run` has, and write its options there.

    A run that failed before its first step is replaced. Raises OptionError for any other.
    """
    if (options.out / "options.json").exists() and _has_results(options.out):
        raise OptionError(
            f"{options.out} holds a run already: go on with --resume, or choose another"
        )
    create_folder(options.out, OptionError)
    write_options(options)


def _has_results(run: Path) -> bool:
    """Whether it holds more than was there before the first step: caches, and the weights that
    --stages gan starts from."""
    weights = {path.name for path in run.glob("*.safetensors")}
    if weights and read_options(run).stages == "gan":
        weights.discard("psnr.safetensors")
    return bool(weights or checkpoints(run)) or (run / "log.jsonl").exists()


def write_options(options: TrainOptions) -> None:
    """Into RUN/options.json, with absolute paths: a run can be resumed from anywhere."""
    record = {name: _plain(value) for name, value in asdict(options).items()}
    record["vgg"] = [absolute_vgg(text) for text in options.vgg]
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
        if options.recipe not in RECIPES:
            raise ValueError(f"there is no recipe {options.recipe!r}")
        return options
    except FileNotFoundError as error:
        raise OptionError(f"{run} is not a run folder: it has no options.json") from error
    except (OSError, AttributeError, TypeError, KeyError, ValueError, RecursionError) as error:
        raise OptionError(f"{run / 'options.json'} is damaged: {error}") from error


def _check_types(record: object) -> None:
    """Raises TypeError for a field of a dataclass that has not the type it is declared with."""
    for name, hint in get_type_hints(type(record)).items():
        if not _is_of_type(getattr(record, name), hint):
            raise TypeError(f"{name} is no {hint}")


def _is_of_type(value: Any, hint: Any) -> bool:
    """hint: a class, an optional one, tuple[X, ...], dict[X, Y] or Any; an int is also a float."""
    if hint is Any:
        return True
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


def append_log(run: Path, row: Mapping[str, Any]) -> None:
    """Raises TrainingError where it cannot be written."""
    path = run / "log.jsonl"
    try:
        append_regular(path, (json.dumps(row) + "\n").encode())
    except OSError as error:
        why = f"{path}: cannot be written ({error.strerror})"
        raise TrainingError(f"{why}; make room, then go on with --resume") from error


def read_log(run: Path) -> list[dict[str, Any]]:
    """The rows of a log; damaged ones, as a power failure leaves them, are left out."""
    return [row for row in _log_lines(run) if row is not None]


def truncate_log(run: Path, stage: str, step: int) -> int:
    """Drop the stage's rows after `step`, which are repeated, and damaged ones.

    Returns how many of these there were. Raises TrainingError.
    """
    rows = _log_lines(run)
    kept = [row for row in rows if row and (row["stage"] != stage or row["step"] <= step)]
    if kept != rows:
        with atomic_write(run / "log.jsonl", TrainingError) as file:
            file.write("".join(json.dumps(row) + "\n" for row in kept).encode())
    return rows.count(None)


def _log_lines(run: Path) -> list[dict[str, Any] | None]:
    """The rows of a log; None for a line that is none. Raises TrainingError."""
    path = run / "log.jsonl"
    try:
        lines = read_regular(path, MAX_LOG).splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror})") from error
    return [_parse_row(line) for line in lines]


def _parse_row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
        is_row = isinstance(row["stage"], str) and type(row["step"]) is int
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return row if is_row else None


CHECKPOINT_NAME = re.compile(r"checkpoint-([a-z0-9]+)-(\d{8,18})\.pt")
KEPT_CHECKPOINTS = 2
"""Checkpoints that are kept."""


@dataclass(frozen=True, eq=False)
class TrainingState:
    """Everything that the next step depends on. `step` determines the order of the data."""

    stage: str
    step: int
    """Steps done in this stage."""
    networks: dict[str, Any]
    average: dict[str, Any]
    best: float
    """Best selection score so far."""
    seconds: float
    """Time spent in this stage."""
    skipped: int
    rng: torch.Tensor


def save_state(state: TrainingState, run: Path) -> Path:
    path = run / f"checkpoint-{state.stage}-{state.step:08d}.pt"
    with atomic_write(path, TrainingError) as file:
        write_torch_file(vars(state), file)
    for old in checkpoints(run)[:-KEPT_CHECKPOINTS]:
        old.unlink(missing_ok=True)
    return path


def checkpoints(run: Path) -> list[Path]:
    """Oldest first; stage psnr before gan."""
    named = ((CHECKPOINT_NAME.fullmatch(path.name), path) for path in run.glob("checkpoint-*.pt"))
    found = [(match[1] != "psnr", int(match[2]), path) for match, path in named if match]
    return [path for *_, path in sorted(found)]


def load_state(path: Path) -> TrainingState:
    """Raises TrainingError for a missing or damaged file, or values of other types."""
    try:
        state = TrainingState(**read_tensors(path, MAX_CHECKPOINT))
        _check_types(state)
    except (WeightsError, TypeError) as error:
        raise TrainingError(f"{path} is not a readable checkpoint: {error}") from error
    if min(state.step, state.skipped, state.seconds) < 0:
        raise TrainingError(f"{path} is not a readable checkpoint: it counts below 0")
    return state
