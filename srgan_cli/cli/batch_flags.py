"""Which files `srgan upscale` reads and writes, and the likely mistakes in them."""

import glob
import math
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from srgan_cli.batch.output_names import STREAM
from srgan_cli.batch.plan import BatchOptions, Job, exists
from srgan_cli.cli.command import option
from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import option_group
from srgan_cli.cli.hints import is_url
from srgan_cli.cli.parameter_types import POSITIVE, ParsedType
from srgan_cli.errors import OptionError
from srgan_cli.images.formats import (
    CAPABILITIES,
    COMPRESSION_FORMATS,
    QUALITY_FORMATS,
    Encoding,
    format_of,
)
from srgan_cli.settings import MAX_PIXELS
from srgan_cli.training.train_options import size as size_in_bytes


def _parse_shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()):
        raise ValueError(f"{text!r} is not I/N, such as 2/8")
    return int(number), int(count)


def _batch_options(
    inputs: tuple[str, ...], more: tuple[str, ...], suffix: str | None, **given: Any
) -> BatchOptions:
    """suffix: as in Real-ESRGAN, which names its outputs photo_SUFFIX.png."""
    if suffix is not None:
        if given["name"] is not None:
            raise OptionError("--suffix and --name exclude each other")
        escaped = suffix.replace("{", "{{").replace("}", "}}")
        given["name"] = f"{{stem}}_{escaped}{{suffix}}" if suffix else "{stem}{suffix}"
    return BatchOptions(inputs=inputs + more, **given)


batch_options = option_group(
    "batch",
    _batch_options,
    click.argument("inputs", metavar="INPUT...", nargs=-1, type=click.Path(allow_dash=True)),
    option("-i", name="more", multiple=True, hidden=True, type=click.Path(allow_dash=True)),
    option("--suffix", hidden=True),
    option(
        "-o, --output OUT",
        "File, folder or - for stdout",
        name="out",
        type=click.Path(allow_dash=True),
        show_default="beside input",
        heading="Output",
    ),
    option(
        "--name TEMPLATE", "File names", show_default="{stem}_x{scale}{suffix}", heading="Output"
    ),
    option("-r, --recursive", "Include subfolders, and mirror their tree", is_flag=True),
    option("--skip-existing", "Skip inputs whose output exists", is_flag=True),
    option("--keep-time", "Give outputs the modification time of their inputs", is_flag=True),
    option("--dry-run", "Print what would be done, and write nothing", is_flag=True),
    option("--shard I/N", "Only part I of N of the inputs", type=ParsedType("I/N", _parse_shard)),
    heading="Batch",
)

max_pixels_option = option(
    "--max-pixels N",
    "Refuse larger inputs",
    type=POSITIVE,
    default=MAX_PIXELS,
    heading="Machine",
)


max_bytes_option = option(
    "--max-bytes SIZE",
    "Refuse more from stdin",
    type=ParsedType("SIZE", partial(size_in_bytes, option="--max-bytes")),
    default=math.inf,
    show_default="half of free memory",
    heading="Machine",
)


def check_batch(batch: BatchOptions, output: Output) -> None:
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


def check_encoding(jobs: Sequence[Job], encoding: Encoding) -> None:
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
