"""`srgan upscale`."""

import glob
import math
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from srgan_cli.batch.output_names import STREAM, OutputNames
from srgan_cli.batch.plan import BatchOptions, Job, exists, other_files, plan, with_shard
from srgan_cli.cli.batch_report import BatchReport, settings_of
from srgan_cli.cli.command import Command, option
from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import (
    choice_options,
    conversion_options,
    encoding_options,
    gathered,
    machine_options,
    output_options,
    postprocess_options,
    size_options,
)
from srgan_cli.cli.hints import is_url
from srgan_cli.cli.progress_bars import batch_progress
from srgan_cli.cli.signals import handle_signals
from srgan_cli.errors import OptionError, SrganError
from srgan_cli.images.formats import (
    CAPABILITIES,
    COMPRESSION_FORMATS,
    QUALITY_FORMATS,
    Encoding,
    format_of,
)
from srgan_cli.settings import (
    MAX_PIXELS,
    Conversion,
    ImageSize,
    Machine,
    ModelChoice,
    OutputSize,
    Postprocess,
)
from srgan_cli.training.train_options import size as size_in_bytes

if TYPE_CHECKING:
    from srgan_cli.batch.run import JobOptions
    from srgan_cli.inference.pipeline import UpscalePipeline
    from srgan_cli.weights.selection import SelectedModel

CONTINUE_HINT = (
    "the images finished so far are complete, no other file was touched; "
    "the same command with --skip-existing continues"
)


def parse_shard(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> tuple[int, int] | None:
    if text is None:
        return None
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()):
        raise click.BadParameter(f"{text!r} is not I/N, such as 2/8", ctx, param)
    return int(number), int(count)


def _batch(
    inputs: tuple[str, ...], more: tuple[str, ...], suffix: str | None, **given: Any
) -> BatchOptions:
    """suffix: as in Real-ESRGAN, which names its outputs photo_SUFFIX.png."""
    if suffix is not None:
        if given["name"] is not None:
            raise OptionError("--suffix and --name exclude each other")
        escaped = suffix.replace("{", "{{").replace("}", "}}")
        given["name"] = f"{{stem}}_{escaped}{{suffix}}" if suffix else "{stem}{suffix}"
    return BatchOptions(inputs=inputs + more, **given)


batch_options = gathered(
    "batch",
    _batch,
    click.argument("inputs", metavar="INPUT...", nargs=-1, type=click.Path(allow_dash=True)),
    option("-i", "more", multiple=True, hidden=True, type=click.Path(allow_dash=True)),
    option("--suffix", hidden=True),
    option(
        "-o",
        "--output",
        "out",
        metavar="OUT",
        type=click.Path(allow_dash=True),
        show_default="beside input",
        help="File, folder or - for stdout",
        heading="Output",
    ),
    option(
        "--name",
        metavar="TEMPLATE",
        show_default="{stem}_x{scale}{suffix}",
        help="File names",
        heading="Output",
    ),
    option("-r", "--recursive", is_flag=True, help="Include subfolders, and mirror their tree"),
    option("--skip-existing", is_flag=True, help="Skip inputs whose output exists"),
    option("--keep-time", is_flag=True, help="Give outputs the modification time of their inputs"),
    option("--dry-run", is_flag=True, help="Print what would be done, and write nothing"),
    option("--shard", metavar="I/N", callback=parse_shard, help="Only part I of N of the inputs"),
    heading="Batch",
)

max_pixels_option = option(
    "--max-pixels",
    metavar="N",
    type=click.IntRange(min=1),
    default=MAX_PIXELS,
    help="Refuse larger inputs",
    heading="Machine",
)


def parse_bytes(ctx: click.Context, param: click.Parameter, text: str | None) -> float:
    return math.inf if text is None else size_in_bytes(text, "--max-bytes")


max_bytes_option = option(
    "--max-bytes",
    metavar="SIZE",
    callback=parse_bytes,
    show_default="half of free memory",
    help="Refuse more from stdin",
    heading="Machine",
)


@click.command(
    "upscale",
    cls=Command,
    own_signals=True,
    short_help="Make images larger",
    examples=(
        "srgan upscale photo.jpg                   # writes photo_x4.jpg beside it",
        "srgan upscale photos/ -o large/ --width 3840 --format png",
    ),
    notes=(
        "INPUT is a file, a folder, a quoted glob such as '*.png', or - for stdin. Bit depth, "
        "transparency, color profile and metadata are kept where the format can hold them. "
        "Outputs are written atomically, and replace files of their name.",
        "--name can hold {stem} {suffix} {scale} {width} {height} {model}.",
        "Environment: SRGAN_MODEL, SRGAN_DEVICE, SRGAN_PRECISION set the defaults of --model, "
        "--device, --precision; SRGAN_WEIGHTS is the folder of your own models.",
    ),
)
@size_options
@choice_options
@batch_options
@encoding_options
@conversion_options
@machine_options
@max_pixels_option
@max_bytes_option
@postprocess_options
@output_options
def upscale_command(
    batch: BatchOptions,
    size: OutputSize,
    choice: ModelChoice,
    machine: Machine,
    postprocess: Postprocess,
    encoding: Encoding,
    conversion: Conversion,
    output: Output,
    max_pixels: int,
    max_bytes: float,
) -> None:
    """Make images larger and sharper."""
    _check(batch, encoding, output)
    to_stdout = batch.out == str(STREAM)
    with handle_signals("nothing was written" if to_stdout else CONTINUE_HINT):
        from srgan_cli.api import build_pipeline
        from srgan_cli.batch.run import JobOptions
        from srgan_cli.weights.selection import select_model

        model = select_model(choice)
        pipeline = build_pipeline(model.weights, machine, size, postprocess, output.info)
        jobs = plan(with_shard(batch, os.environ), _output_names(model, pipeline, encoding))
        _check_encoding(jobs, encoding)
        kept = (batch.skip_existing, batch.keep_time)
        options = JobOptions(pipeline, encoding, max_pixels, *kept, conversion, max_bytes=max_bytes)
        report = BatchReport(output, settings_of(model, pipeline), encoding)
        report.print_other_files(other_files(batch))
        sys.exit(
            _print_plan(jobs, options, report) if batch.dry_run else _run(jobs, options, report)
        )


def _check(batch: BatchOptions, encoding: Encoding, output: Output) -> None:
    """Raises OptionError for likely mistakes, with a hint."""
    if batch.out == str(STREAM):
        if output.json:
            raise OptionError("--json and -o - both write to stdout: use one of them")
        if sys.stdout is not None and sys.stdout.isatty():
            raise OptionError("-o - would write an image to the terminal: redirect or pipe it")
    for text in batch.inputs:
        if is_url(text):
            raise OptionError(f"{text} is a URL: download the image first")
        if "{" in text and "," in text and not exists(Path(text)):
            raise OptionError(f"{text}: quoted braces do not expand; name each pattern")
    _check_second_name(batch)


def _check_second_name(batch: BatchOptions) -> None:
    """`srgan upscale photo.jpg large.png` is how other programs name the output."""
    if len(batch.inputs) != 2 or batch.out is not None:
        return
    first, second = batch.inputs
    is_new = second != str(STREAM) and not exists(Path(second)) and not glob.has_magic(second)
    if is_new and exists(Path(first)):
        raise OptionError(
            f"{second}: no such file; to name the output, use -o: srgan upscale {first} -o {second}"
        )


def _check_encoding(jobs: Sequence[Job], encoding: Encoding) -> None:
    """Raises OptionError for an option that applies to no output of the batch."""
    formats = {format_of(job.target, encoding) for job in jobs if job.problem is None}
    for name, value, supported in (
        ("--quality", encoding.quality, QUALITY_FORMATS),
        ("--compression", encoding.compression, COMPRESSION_FORMATS),
    ):
        if value is not None and formats and not formats & supported:
            titles = ", ".join(sorted(CAPABILITIES[each].title for each in formats))
            known = ", ".join(sorted(supported))
            raise OptionError(f"{name} does not apply to {titles}; it is for {known}")


def _print_plan(jobs: Sequence[Job], options: "JobOptions", report: BatchReport) -> int:
    """The exit code; nothing is written."""
    from srgan_cli.batch.run import dry_run

    outcomes = [dry_run(job, options) for job in jobs]
    for outcome in outcomes:
        report.print_plan(outcome)
    return 1 if any(outcome.error is not None for outcome in outcomes) else 0


def _run(jobs: Sequence[Job], options: "JobOptions", report: BatchReport) -> int:
    """The exit code."""
    from srgan_cli.batch.run import run_jobs

    report.print_settings(options.pipeline)
    pixels = partial(_pixels, options.pipeline)
    with (
        batch_progress(len(jobs), report.output, pixels) as progress,
        closing(run_jobs(jobs, replace(options, progress=progress.start))) as outcomes,
    ):
        for outcome in outcomes:
            if outcome.skipped:
                progress.skip()
            report.add(outcome)
    return report.finish()


def _output_size(pipeline: "UpscalePipeline", path: Path) -> ImageSize:
    """Reads the header only. Raises ImageError."""
    from srgan_cli.images.header import read_header

    header = read_header(path)
    return pipeline.output_size(header.height, header.width)


def _pixels(pipeline: "UpscalePipeline", path: Path) -> int:
    """Of the output; 0 for standard input and what cannot be read."""
    try:
        size = _output_size(pipeline, path)
    except (SrganError, OSError):
        return 0
    return size.height * size.width


def _output_names(
    model: "SelectedModel", pipeline: "UpscalePipeline", encoding: Encoding
) -> OutputNames:
    size = pipeline.size
    by_scale = size == OutputSize() or size.scale is not None
    scale = size.scale or Fraction(pipeline.native)
    output_size = partial(_output_size, pipeline)
    return OutputNames(model.name, f"{float(scale):g}" if by_scale else None, encoding, output_size)
