"""Options of the commands that put methods side by side and measure them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srgan_cli.cli.command import option
from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import Decorator, device_option, gathered, precision_option
from srgan_cli.cli.parameter_types import complete_model, weights_file
from srgan_cli.evaluation.method_options import MethodOptions
from srgan_cli.settings import Machine
from srgan_cli.weights.zoo import DEFAULT_BLEND, PREFERRED

if TYPE_CHECKING:
    from srgan_cli.evaluation.image_pairs import Failure
    from srgan_cli.evaluation.scoring import Metric
    from srgan_cli.metrics import Extractor

LPIPS_NOTE = (
    "--vgg and --lpips are distances: less is closer. The package lpips downloads AlexNet "
    "(233 MB) once."
)


def lineup_options(precision: str) -> Decorator:
    """Hands the command one `lineup`; `precision` is the default."""
    return gathered(
        "lineup",
        _lineup,
        option(
            "-m",
            "--model",
            "models",
            metavar="NAME",
            multiple=True,
            shell_complete=complete_model,
            show_default=" or ".join(PREFERRED),
            help="Model; repeatable",
        ),
        option(
            "-w",
            "--weights",
            "files",
            metavar="FILE",
            multiple=True,
            type=weights_file,
            help="Weights file; repeatable",
        ),
        option(
            "--blend",
            "blends",
            metavar="0-1",
            multiple=True,
            type=click.FloatRange(0, 1),
            show_default=f"{DEFAULT_BLEND:g}",
            help="0 faithful, 1 vivid; repeatable",
        ),
        device_option,
        precision_option(precision),
        heading="Models",
    )


def _lineup(
    models: tuple[str, ...],
    files: tuple[Path, ...],
    blends: tuple[float, ...],
    device: str,
    precision: str,
) -> MethodOptions:
    return MethodOptions(models, files, blends, Machine(device, precision))


@dataclass(frozen=True)
class Judges:
    """Which figures to take besides PSNR and SSIM."""

    vgg: Path | None = None
    lpips: bool = False


judges_options = gathered(
    "judges",
    Judges,
    option(
        "--vgg",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Add the distance of VGG features",
    ),
    option("--lpips", is_flag=True, help="Add LPIPS, by the package lpips"),
    heading="Metrics",
)


def metrics_of(judges: Judges, device: str, first: "Sequence[Metric]") -> "list[Metric]":
    """`first`, and what was asked for.

    Raises WeightsError or OptionError for a file or a package that is not there.
    """
    from srgan_cli.evaluation.scoring import by_features, by_lpips

    metrics = [*first]
    if judges.vgg is not None:
        metrics.append(by_features(_extractor(judges.vgg, device)))
    if judges.lpips:
        metrics.append(by_lpips())
    return metrics


def _extractor(path: Path, device: str) -> "Extractor":
    """Features after activation at the deepest layer of each stage that the file has."""
    from srgan_cli.device import pick_devices
    from srgan_cli.networks.vgg import VGG, available_layers
    from srgan_cli.weights.tensor_files import read_tensors

    state = read_tensors(path)
    deepest = {name.split("_")[0]: name for name in available_layers(state)}
    place = pick_devices(device)[0]
    vgg = VGG(state, deepest.values(), after_relu=True).to(place)
    return lambda rgb: vgg(rgb.to(place)).values()


def report_failures(output: Output, failures: "Iterable[Failure]") -> None:
    """A line on stderr for each, and exit code 1 if there is any or a result was lost."""
    some = bool(output.lost)
    for failure in failures:
        output.error(f"{failure.picture}: {failure.reason}")
        some = True
    if some:
        raise click.exceptions.Exit(1)
