"""`srgan eval`."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srgan_cli.cli.command import Command, option
from srgan_cli.cli.comparison_options import (
    LPIPS_NOTE,
    ExtraMetrics,
    extra_metrics_options,
    method_options,
    metrics_of,
    report_failures,
)
from srgan_cli.cli.console import Output, cell
from srgan_cli.cli.flags import NOT_NEGATIVE, POSITIVE, any_path
from srgan_cli.cli.progress_bars import tracked
from srgan_cli.errors import OptionError
from srgan_cli.files import printable
from srgan_cli.settings import FLOAT32_MACHINE, MethodOptions

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from srgan_cli.evaluation.measure import ImageMeasurements, Measurement
    from srgan_cli.evaluation.methods import Method
    from srgan_cli.metrics import Metric

MEAN = "mean"


@dataclass(frozen=True)
class Report:
    """Measurements of all images, and their means."""

    measured: "Sequence[ImageMeasurements]"
    means: "Sequence[Measurement]"
    metrics: "Sequence[Metric]"
    methods: "Sequence[Method]" = ()

    def lines(self) -> "Iterator[tuple[str, Measurement]]":
        """Image and score, the means last."""
        for one in self.measured:
            yield from ((one.name, score) for score in one.scores)
        yield from ((MEAN, score) for score in self.means)


@click.command(
    "eval",
    cls=Command,
    short_help="Measure how close models come to originals",
    examples=(
        "srgan eval photo.png",
        "srgan eval Set5/ -m clean -m srcnn --blend 0 --blend 1 --csv",
        "srgan eval high/ low/ -w run/psnr.safetensors --vgg vgg19.safetensors",
    ),
    notes=(
        "HIGH is an image or a folder; LOW holds the small ones to upscale, by default made from "
        "HIGH by MATLAB's bicubic. PSNR and SSIM are measured on Y and on RGB.",
        "Without -m and -w, the default model is measured from faithful to vivid. Bicubic is "
        "always measured. The perceptual index of the PIRM challenge is missing: Ma's score, one "
        "half of it, has no open weights for Python.",
        LPIPS_NOTE,
    ),
)
@click.argument("high", type=any_path)
@click.argument("low", type=any_path, required=False)
@method_options(FLOAT32_MACHINE.precision)
@option(
    "-s, --scale N",
    "Shrink HIGH by N, without LOW",
    type=POSITIVE,
    show_default="the model's",
    heading="Metrics",
)
@option(
    "--border N",
    "Pixels to crop on each side",
    type=NOT_NEGATIVE,
    show_default="the scale",
    heading="Metrics",
)
@extra_metrics_options
@option("--json", "Print a JSON line for each row", name="form", flag_value="json")
@option("--csv", "Print comma-separated values", name="form", flag_value="csv")
def eval_command(
    high: Path,
    low: Path | None,
    options: MethodOptions,
    scale: int | None,
    border: int | None,
    extra_metrics: ExtraMetrics,
    form: str | None,
) -> None:
    """Measure how close models come to original images."""
    if low is not None and scale is not None:
        raise OptionError("--scale does not go with LOW: the sizes of both images tell it")

    from srgan_cli.evaluation.measure import Failure, means, measure_all, pair_up
    from srgan_cli.evaluation.methods import build_methods, scale_of
    from srgan_cli.metrics import FIDELITY

    pairing = pair_up(high, low)
    methods = build_methods(options, scale)
    metrics = metrics_of(extra_metrics, options.machine.device, FIDELITY)
    outcomes = measure_all(pairing.pairs, methods, metrics, scale or scale_of(methods), border)
    output = Output()
    results = [*pairing.failures, *tracked(outcomes, len(pairing.pairs), output)]
    measured = [result for result in results if not isinstance(result, Failure)]
    show(Report(measured, means(measured), metrics, methods), form, output)
    report_failures(output, (result for result in results if isinstance(result, Failure)))


def show(report: Report, form: str | None, output: Output) -> None:
    """On stdout; nothing where nothing was measured."""
    if not report.measured:
        return
    if form == "json":
        for record in records(report):
            output.record(record)
    elif form == "csv":
        for line in csv_lines(list(records(report))):
            output.result(line)
    else:
        output.table(_table(report))


def records(report: Report) -> Iterator[dict[str, object]]:
    """Plain values; None is an infinite PSNR, of equal images."""
    settings = {method.name: asdict(method.settings) for method in report.methods}
    for name, score in report.lines():
        figures = {
            key: round(value, 6) if math.isfinite(value) else None
            for key, value in score.figures.items()
        }
        named = {"picture": name, "method": score.method}
        seconds = {"seconds": round(score.seconds, 3)}
        yield named | figures | seconds | settings[score.method]


def csv_lines(rows: Sequence[dict[str, object]]) -> list[str]:
    """CSV with a header; characters that would break a line are escaped."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: printable(v) if isinstance(v, str) else v for k, v in row.items()})
    return text.getvalue().splitlines()


def _table(report: Report) -> "Table":
    table = _empty_table(report.metrics)
    groups = [(one.name, one.scores) for one in report.measured]
    for name, scores in groups if len(groups) == 1 else [*groups, (MEAN, report.means)]:
        table.add_row(cell(name))
        for score in scores:
            cells = _cells(score, scores, report.metrics)
            table.add_row(cell(f"  {score.method}"), *cells)
    return table


def _empty_table(metrics: "Sequence[Metric]") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    names = Column("image and method", overflow="fold")
    figures = [Column(metric.label, justify="right") for metric in metrics]
    return Table(names, *figures, Column("seconds", justify="right"), box=SIMPLE_HEAD)


def _cells(
    score: "Measurement", scores: "Sequence[Measurement]", metrics: "Sequence[Metric]"
) -> "Iterator[Text]":
    """The best of the methods in bold."""
    for metric in metrics:
        best = max if metric.higher else min
        ahead = score.figures[metric.key] == best(other.figures[metric.key] for other in scores)
        number = f"{score.figures[metric.key]:.{metric.digits}f}"
        yield cell(number, "bold" if ahead and len(scores) > 1 else "")
    yield cell(f"{score.seconds:.2f}")
