"""`srgan models`, and how fast models ran on this machine, which it shows.

Speeds are in a small file in the user's cache folder, written after batches that took long enough
to tell. Where it cannot be read or written, nothing is known; nothing else depends on it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from math import inf
from operator import attrgetter
from pathlib import Path

import click

from srgan_cli.cli.command import Command
from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import json_option
from srgan_cli.errors import SrganError, WeightsError
from srgan_cli.files import atomic_write, read_regular
from srgan_cli.folders import cache_folder
from srgan_cli.settings import BICUBIC
from srgan_cli.weights.zoo import Network, default_model, networks, user_folder

BICUBIC_ON_SET5 = {2: 33.68, 3: 30.41, 4: 28.43}
"""PSNR on Y in dB, as the networks' own: `srgan eval SET5/high SET5/low -m bicubic`."""

BEST_FOR = {
    "photo": "photographs from a phone or the web",
    "clean": "screenshots, renderings, PNG, good scans",
    "esrgan": "the ESRGAN paper's network (3 blocks), for comparison",
    "srgan": "the SRGAN paper's network, for comparison",
    "srcnn": "the SRCNN paper's network, for comparison",
    "vdsr": "the VDSR paper's network, for comparison",
    "realesrgan-x4plus": "badly damaged photographs; slow",
    "realesrgan-x4plus-anime": "drawings and anime",
    "realesr-animevideov3": "frames of anime",
    BICUBIC: "no network; any scale",
}
"""Shipped model -> the images that it is for."""

BLEND_NAMES = {"psnr": "faithful", "gan": "vivid"}
"""Objective of a network -> its name in the list."""

ERROR_PREFIX = "unreadable: "

LEAST_SECONDS = 1.0
"""Least seconds of computing: shorter runs measure loading more than speed."""

MOST_ENTRIES = 100
MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class ModelRow:
    """One network, as --json prints it; None where something is not known."""

    model: str
    scale: int | None
    end: str
    network: str
    parameters: int | None
    set5_psnr: float | None
    folder: str
    purpose: str | None = None
    file: str | None = None
    set5_ssim: float | None = None
    int8_psnr: float | None = None
    megapixels_per_second: float | None = None
    """Output megapixels on this machine, if srgan has upscaled enough with it."""
    device: str | None = None
    precision: str | None = None
    family: str | None = None
    denoise: float | None = None


@dataclass(frozen=True)
class Speed:
    """Output megapixels per second of a model's network."""

    model: str
    scale: int
    device: str
    precision: str
    megapixels_per_second: float

    @property
    def key(self) -> str:
        return f"{self.model} x{self.scale} {self.device} {self.precision}"


@click.command(
    "models",
    cls=Command,
    short_help="List the models that --model knows",
    examples=("srgan models", "srgan models --json"),
    notes=(
        "A weights file in your folder of models is listed by its name. "
        "NAME-xSCALE-psnr.safetensors and NAME-xSCALE-gan.safetensors are one model, NAME, with "
        "--blend. The environment variable SRGAN_WEIGHTS names another folder.",
    ),
)
@json_option
def models_command(as_json: bool) -> None:
    """List the models that --model knows: those of srgan and your own."""
    output = Output(only_prints=True)
    speeds = latest_speeds()
    rows = [_with_speed(_row(network), speeds) for network in networks()]
    rows += _bicubic_rows()
    if as_json:
        for row in rows:
            output.record(asdict(row))
        output.exit_on_write_error()
        return
    for line in describe_models(rows, default_model()):
        output.result(line)
    output.info(
        "PSNR on Set5 in dB; MP/s: megapixels of output per second, when srgan upscale last ran "
        "here. docs/models.md compares the models."
    )
    output.info(
        f"Your own go to {user_folder()}: NAME.safetensors, or NAME-x4-psnr.safetensors and "
        "NAME-x4-gan.safetensors for the two ends of a model."
    )
    output.exit_on_write_error()


def _bicubic_rows() -> Iterator[ModelRow]:
    for scale, psnr in BICUBIC_ON_SET5.items():
        purpose = BEST_FOR[BICUBIC]
        yield ModelRow(BICUBIC, scale, "", "no network, any scale", None, psnr, "built in", purpose)


def _row(network: Network) -> ModelRow:
    from srgan_cli.weights.container import count_parameters
    from srgan_cli.weights.loading import load_weights

    row = ModelRow(
        network.model,
        network.scale,
        end="",
        network="",
        parameters=None,
        set5_psnr=None,
        folder=network.package or ("yours" if network.user else "shipped"),
        purpose=None if network.user else BEST_FOR.get(network.model),
        file=str(network.path),
    )
    try:
        weights = load_weights(network.path)
    except WeightsError as error:
        return replace(row, network=f"{ERROR_PREFIX}{error}")
    metadata = weights.metadata
    sizes = {name: value for name, value in weights.hyperparameters.items() if name != "scale"}
    figures = metadata.figures.get("set5", {})
    return replace(
        row,
        scale=metadata.scale,
        end=metadata.objective,
        network=str(replace(weights, hyperparameters=sizes)),
        parameters=count_parameters(weights),
        set5_psnr=figures.get("psnr_y"),
        set5_ssim=figures.get("ssim_y"),
        int8_psnr=metadata.int8_psnr,
        family=metadata.family.name if metadata.family else None,
        denoise=metadata.family.denoise if metadata.family else None,
    )


def _with_speed(row: ModelRow, speeds: Mapping[tuple[str, int], Speed]) -> ModelRow:
    speed = None if row.scale is None else speeds.get((row.model, row.scale))
    if speed is None:
        return row
    rate = speed.megapixels_per_second
    return replace(row, megapixels_per_second=rate, device=speed.device, precision=speed.precision)


def describe_models(rows: Iterable[ModelRow], default: str) -> Iterator[str]:
    """A line for each model, and one below it for each of its scales, with one for the family that
    its files declare. Never wrapped: a terminal folds long ones, and a pipe gets them whole."""
    ordered = sorted(rows, key=lambda row: (row.model == BICUBIC, row.model, row.scale or 0))
    for model, group in groupby(ordered, attrgetter("model")):
        networks_of_model = list(group)
        yield _title(networks_of_model[0], model == default)
        readable = [row for row in networks_of_model if not row.network.startswith(ERROR_PREFIX)]
        for scale, ends in groupby(readable, attrgetter("scale")):
            of_scale = list(ends)
            yield f"  x{scale}  {_describe_scale(of_scale)}"
            places = {f"denoise {row.denoise:g}, of {row.family}" for row in of_scale if row.family}
            yield from (f"      {place}" for place in sorted(places))
        for row in networks_of_model:
            if row not in readable:
                yield f"  {row.network}"


def _title(row: ModelRow, is_default: bool) -> str:
    known = {"shipped": "", "built in": "", "yours": "your own"}
    origin = known.get(row.folder, f"from {row.folder}")
    details = "; ".join(part for part in (row.purpose, origin) if part)
    return f"{row.model}{' (default)' * is_default}: {details}"


def _describe_scale(ends: list[ModelRow]) -> str:
    """The faithful end first, as --blend goes."""
    ordered = sorted(ends, key=lambda row: row.end != "psnr")
    parts = []
    for row in ordered:
        psnr = "" if row.set5_psnr is None else f" {row.set5_psnr:.2f}"
        parts.append(f"{BLEND_NAMES.get(row.end, row.end)}{psnr}".strip().ljust(15))
    if ends[0].parameters is None:
        return "".join(parts).rstrip()
    kind = ends[0].network.partition(" ")[0]
    rate = ends[0].megapixels_per_second
    speed = "" if rate is None else f", {rate:.2g} MP/s"
    return f"{''.join(parts):30}{kind}, {ends[0].parameters:,} parameters{speed}"


def cache_file() -> Path:
    return cache_folder() / "speeds.json"


def save_speed(speed: Speed) -> None:
    """The newest speed of each model, scale, device and precision stays."""
    with suppress(SrganError, OSError, RuntimeError):  # RuntimeError: there is no home folder
        speeds = {one.key: one for one in load_speeds()}
        speeds.pop(speed.key, None)
        speeds[speed.key] = speed
        kept = [vars(one) for one in speeds.values()][-MOST_ENTRIES:]
        path = cache_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, SrganError) as file:
            file.write(json.dumps(kept).encode())


def load_speeds() -> list[Speed]:
    """The oldest first; what is not as `save_speed` writes it is left out."""
    try:
        found = json.loads(read_regular(cache_file(), MOST_BYTES))
    except (OSError, RuntimeError, RecursionError, ValueError):
        return []
    return [speed for one in found if (speed := _parse(one))] if isinstance(found, list) else []


def _parse(found: object) -> Speed | None:
    try:
        speed = Speed(**found)  # type: ignore[arg-type]
    except TypeError:
        return None
    texts = (speed.model, speed.device, speed.precision)
    number = speed.megapixels_per_second
    valid = type(speed.scale) is int and isinstance(number, float) and 0 < number < inf
    return speed if valid and all(isinstance(text, str) for text in texts) else None


def latest_speeds() -> dict[tuple[str, int], Speed]:
    """(model, scale) -> how it ran last."""
    return {(speed.model, speed.scale): speed for speed in load_speeds()}
