"""`srgan upscale`."""

import glob
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srgan_cli.batch.output_names import STREAM, OutputNames
from srgan_cli.batch.plan import BatchOptions, Job, exists, other_files, plan, with_shard
from srgan_cli.cli.batch_report import BatchReport, settings_of
from srgan_cli.cli.command import Command
from srgan_cli.cli.console import Output
from srgan_cli.cli.hints import is_url
from srgan_cli.cli.progress_bars import batch_progress, tracked
from srgan_cli.cli.signals import handle_signals
from srgan_cli.cli.upscale_flags import (
    batch_options,
    choice_options,
    conversion_options,
    encoding_options,
    machine_options,
    max_bytes_option,
    max_pixels_option,
    output_options,
    postprocess_options,
    size_options,
)
from srgan_cli.errors import OptionError, SrganError
from srgan_cli.images.formats import (
    CAPABILITIES,
    COMPRESSION_FORMATS,
    QUALITY_FORMATS,
    Encoding,
    format_of,
)
from srgan_cli.settings import Conversion, ImageSize, Machine, ModelChoice, OutputSize, Postprocess

if TYPE_CHECKING:
    from srgan_cli.batch.run import JobOptions
    from srgan_cli.inference.pipeline import UpscalePipeline
    from srgan_cli.weights.selection import SelectedModel

CONTINUE_HINT = (
    "the images finished so far are complete, no other file was touched; "
    "the same command with --skip-existing continues"
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
    _check_batch(batch, output)
    to_stdout = batch.out == str(STREAM)
    with handle_signals("nothing was written" if to_stdout else CONTINUE_HINT):
        from srgan_cli.api import build_pipeline
        from srgan_cli.batch.run import JobOptions
        from srgan_cli.weights.selection import select_model

        model = select_model(choice)
        model.check_scale(size.scale)
        pipeline = build_pipeline(model.weights, machine, size, postprocess, output.info)
        names = _output_names(model, pipeline, encoding, max_pixels)
        jobs = plan(with_shard(batch, os.environ), names)
        _check_encoding(jobs, encoding)
        kept = (batch.skip_existing, batch.keep_time)
        options = JobOptions(pipeline, encoding, max_pixels, *kept, conversion, max_bytes=max_bytes)
        records_speed = not (choice.files or machine.tta or machine.exact)
        report = BatchReport(output, settings_of(model, pipeline), encoding, records_speed)
        report.print_other_files(other_files(batch))
        sys.exit(
            _print_plan(jobs, options, report) if batch.dry_run else _run(jobs, options, report)
        )


def _check_batch(batch: BatchOptions, output: Output) -> None:
    """Raises OptionError for likely mistakes, with a hint."""
    if batch.out == str(STREAM):
        if output.json:
            raise OptionError("--json and -o - both write to stdout: use one of them")
        if sys.stdout is not None and sys.stdout.isatty():
            raise OptionError("-o - would write an image to the terminal: redirect or pipe it")
    if str(STREAM) in batch.inputs and sys.stdin is not None and sys.stdin.isatty():
        raise OptionError("- reads an image from standard input: pipe one into it, or name a file")
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
    if len(jobs) > 1:
        jobs = _checked_jobs(jobs, options, report)
    pixels = partial(_pixels, options.pipeline, options.max_pixels)
    with (
        batch_progress(len(jobs), report.output, pixels) as progress,
        closing(run_jobs(jobs, replace(options, progress=progress.start))) as outcomes,
    ):
        for outcome in outcomes:
            if outcome.skipped:
                progress.skip()
            report.add(outcome)
    return report.finish()


def _checked_jobs(jobs: Sequence[Job], options: "JobOptions", report: BatchReport) -> Sequence[Job]:
    """The jobs with the problems of their headers and outputs, which are printed."""
    from srgan_cli.batch.run import check_job

    checked = list(tracked((check_job(job, options) for job in jobs), len(jobs), report.output))
    report.print_problems(checked)
    return checked


def _output_size(pipeline: "UpscalePipeline", max_pixels: int, path: Path) -> ImageSize:
    """Reads the header only. Raises ImageError."""
    from srgan_cli.images.read import read_header

    header = read_header(path, max_pixels=max_pixels)
    return pipeline.output_size(header.height, header.width)


def _pixels(pipeline: "UpscalePipeline", max_pixels: int, path: Path) -> int:
    """Pixels of the output; 0 for standard input and files that cannot be read."""
    try:
        size = _output_size(pipeline, max_pixels, path)
    except (SrganError, OSError):
        return 0
    return size.height * size.width


def _output_names(
    model: "SelectedModel", pipeline: "UpscalePipeline", encoding: Encoding, max_pixels: int
) -> OutputNames:
    size = pipeline.size
    by_scale = size == OutputSize() or size.scale is not None
    scale = size.scale or Fraction(pipeline.native)
    output_size = partial(_output_size, pipeline, max_pixels)
    return OutputNames(model.name, f"{float(scale):g}" if by_scale else None, encoding, output_size)
