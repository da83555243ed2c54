"""Options of the commands that compare and measure methods."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srgan_cli.cli.command import Decorator, option, option_group
from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import (
    FROM_0_TO_1,
    MODEL,
    any_path,
    denoise_option,
    device_option,
    precision_option,
    weights_file,
)
from srgan_cli.errors import OptionError
from srgan_cli.settings import Machine, MethodOptions
from srgan_cli.weights.zoo import DEFAULT_BLEND, PREFERRED

if TYPE_CHECKING:
    from srgan_cli.evaluation.measure import Failure, ImagePair
    from srgan_cli.metrics import Extractor, Metric

LPIPS_NOTE = (
    "--vgg and --lpips are distances: less is closer. The package lpips downloads AlexNet "
    "(233 MB) once."
)


def method_options(precision: str) -> Decorator:
    """Hands the command one MethodOptions as `options`. precision: the default."""
    return option_group(
        "options",
        _method_options,
        option(
            "-m, --model NAME",
            "Model; repeatable",
            name="models",
            multiple=True,
            type=MODEL,
            show_default=PREFERRED[0],
        ),
        option(
            "-w, --weights FILE",
            "Weights file; repeatable",
            name="files",
            multiple=True,
            type=weights_file,
        ),
        option(
            "--blend 0-1",
            "0 faithful, 1 vivid; repeatable",
            name="blends",
            multiple=True,
            type=FROM_0_TO_1,
            show_default=f"{DEFAULT_BLEND:g}",
        ),
        denoise_option("strengths", multiple=True),
        device_option,
        precision_option(precision),
        heading="Models",
    )


def _method_options(
    models: tuple[str, ...],
    files: tuple[Path, ...],
    blends: tuple[float, ...],
    strengths: tuple[float, ...],
    device: str,
    precision: str,
) -> MethodOptions:
    return MethodOptions(models, files, blends, strengths, machine=Machine(device, precision))


@dataclass(frozen=True)
class ExtraMetrics:
    """Metrics besides PSNR and SSIM."""

    vgg: Path | None = None
    lpips: bool = False

    @property
    def files(self) -> list[Path]:
        return [] if self.vgg is None else [self.vgg]


extra_metrics_options = option_group(
    "extra_metrics",
    ExtraMetrics,
    option("--vgg FILE", "Add the distance of VGG features", type=weights_file),
    option("--lpips", "Add LPIPS, by the package lpips", is_flag=True),
    heading="Metrics",
)


def metrics_of(
    extra_metrics: ExtraMetrics, device: str, base: "Sequence[Metric]"
) -> "list[Metric]":
    """`base` and the extra metrics.

    Raises WeightsError or OptionError for a missing file or package.
    """
    from srgan_cli.metrics import feature_metric, lpips_metric

    metrics = [*base]
    if extra_metrics.vgg is not None:
        metrics.append(feature_metric(_extractor(extra_metrics.vgg, device)))
    if extra_metrics.lpips:
        metrics.append(lpips_metric())
    return metrics


def _extractor(path: Path, device: str) -> "Extractor":
    """Features after activation at the last layer of each stage that the file has."""
    from srgan_cli.device import pick_devices
    from srgan_cli.networks.vgg import VGG, available_layers
    from srgan_cli.training.feature_extractors import FeatureExtractor
    from srgan_cli.weights.tensor_files import read_tensors

    state = read_tensors(path)
    last_of_stage = {name.split("_")[0]: name for name in available_layers(state)}
    vgg = VGG(state, last_of_stage.values(), after_relu=True)
    return FeatureExtractor({str(path): vgg}, pick_devices(device)[0])


@dataclass(frozen=True)
class Originals:
    """Originals of the photographs: a file or folder, or the photographs themselves."""

    high: Path | None = None
    shrink: bool = False

    def __post_init__(self) -> None:
        if self.high is not None and self.shrink:
            raise OptionError(
                "--high and --shrink exclude each other: the original is one or other"
            )

    def sources(self, photos: Sequence[Path]) -> "Iterator[ImagePair]":
        """Raises SrganError for an original that is not there."""
        from srgan_cli.evaluation.measure import ImagePair, find_original

        for photo in photos:
            high = None if self.high is None else find_original(photo, self.high)
            yield ImagePair(photo) if self.shrink else ImagePair(high, photo)


def input_files(sources: "Iterable[ImagePair]") -> list[Path]:
    """All that is read of `sources`."""
    return [file for source in sources for file in source.files]


originals_options = option_group(
    "originals",
    Originals,
    option("--high PATH", "The original, or a folder of originals: adds figures", type=any_path),
    option("--shrink", "PHOTO is the original: shrink it by bicubic first", is_flag=True),
    heading="Originals",
)


def report_failures(output: Output, failures: "Iterable[Failure]") -> None:
    """Print a line on stderr for each. Exits with 1 for any failure or write error."""
    failed = bool(output.write_errors)
    for failure in failures:
        output.error(failure.line)
        failed = True
    if failed:
        raise click.exceptions.Exit(1)
