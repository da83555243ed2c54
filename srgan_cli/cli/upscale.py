"""`srgan upscale`."""

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srgan_cli.batch.naming import STREAM, Batch, Job, Naming
from srgan_cli.batch.plan import plan, sharded
from srgan_cli.cli.console import Talk, talk_options
from srgan_cli.cli.flags import (
    choice_options,
    encoding_options,
    gathered,
    machine_options,
    size_options,
)
from srgan_cli.cli.progress import batch_display
from srgan_cli.cli.signals import stopping
from srgan_cli.cli.summary import Tally, rehearse
from srgan_cli.errors import OptionError
from srgan_cli.images.formats import Encoding
from srgan_cli.settings import ImageSize, Machine, ModelChoice, OutputSize, Postprocess

if TYPE_CHECKING:
    from srgan_cli.batch.run import Work
    from srgan_cli.inference.pipeline import UpscalePipeline
    from srgan_cli.weights.selection import SelectedModel

GO_ON = (
    "the pictures done so far are complete, no other was touched; "
    "the same command with --skip-existing goes on"
)


def shard(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()):
        raise click.BadParameter(f"{text!r} is not I/N, such as 2/8", ctx, param)
    return int(number), int(count)


batch_options = gathered(
    "batch",
    Batch,
    click.argument("inputs", metavar="INPUT...", nargs=-1),
    click.option(
        "-o",
        "--output",
        "out",
        metavar="OUT",
        help="A file, a folder, or - for standard output.  [default: beside the input]",
    ),
    click.option("-r", "--recursive", is_flag=True, help="Enter folders, and mirror their tree."),
    click.option("--skip-existing", is_flag=True, help="Leave outputs alone that are there."),
    click.option(
        "--name",
        metavar="TEMPLATE",
        help="Names of the outputs, such as '{stem}_x{scale}{suffix}'; also {width}, "
        "{height}, {model}.",
    ),
    click.option("--dry-run", is_flag=True, help="Say what would become what, and stop."),
    click.option(
        "--shard",
        metavar="I/N",
        callback=shard,
        help="Do only the I-th of N equal parts of the inputs.",
    ),
)


corrections_options = gathered(
    "corrections",
    Postprocess,
    click.option("--color-fix", is_flag=True, help="Make the low frequencies those of the input."),
    click.option(
        "--consistent",
        is_flag=True,
        help="Change the result so that a bicubic shrinks it to the input again. Values that clip "
        "may prevent it below x1.2 and in patterns as fine as a pixel.",
    ),
)


@click.command("upscale")
@batch_options
@size_options
@choice_options
@machine_options
@corrections_options
@encoding_options
@talk_options
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=1_000_000_000,
    help="Refuse larger inputs before they are decoded.",
)
def upscale_command(
    batch: Batch,
    size: OutputSize,
    choice: ModelChoice,
    machine: Machine,
    corrections: Postprocess,
    encoding: Encoding,
    talk: Talk,
    max_pixels: int,
) -> None:
    """Make pictures larger: INPUT is a file, a folder, a quoted glob, or - for standard input.

    Depth, transparency, colour profile and metadata are kept; outputs appear only when complete.
    """
    if talk.json and batch.out == str(STREAM):
        raise OptionError("--json and -o - both want standard output: choose one")
    advice = "nothing was written" if batch.out == str(STREAM) else GO_ON
    with stopping(advice):
        from srgan_cli.api import build_pipeline
        from srgan_cli.batch.run import Work
        from srgan_cli.weights.selection import select_model

        chosen = select_model(choice)
        grow = build_pipeline(chosen.weights, machine, size, corrections, talk.line)
        jobs = plan(sharded(batch, os.environ), _naming(chosen, grow, encoding))
        work = Work(grow, encoding, max_pixels, batch.skip_existing)
        tally = Tally(talk, chosen, encoding)
        sys.exit(_rehearsed(jobs, work, tally) if batch.dry_run else _done(jobs, work, tally))


def _rehearsed(jobs: Sequence[Job], work: "Work", tally: Tally) -> int:
    """The exit code; nothing is touched."""
    from srgan_cli.batch.run import dry_run

    outcomes = [dry_run(job, work) for job in jobs]
    for outcome in outcomes:
        rehearse(outcome, tally.chosen, tally.talk)
    return 1 if any(outcome.error is not None for outcome in outcomes) else 0


def _done(jobs: Sequence[Job], work: "Work", tally: Tally) -> int:
    """The exit code."""
    from srgan_cli.batch.run import run_jobs

    _say_how(work.pipeline, tally.chosen, tally.talk)
    with (
        batch_display(len(jobs), tally.talk) as watch,
        closing(run_jobs(jobs, replace(work, watch=watch))) as outcomes,
    ):
        for outcome in outcomes:
            tally.add(outcome)
    return tally.finish()


def _naming(chosen: "SelectedModel", grow: "UpscalePipeline", encoding: Encoding) -> Naming:
    def measure(path: Path) -> ImageSize:
        from srgan_cli.images.header import read_header

        header = read_header(path)
        return grow.output_size(header.height, header.width)

    size = grow.size
    by_scale = size == OutputSize() or size.scale is not None
    scale = size.scale or Fraction(grow.native)
    return Naming(chosen.name, f"{float(scale):g}" if by_scale else None, encoding, measure)


def _say_how(grow: "UpscalePipeline", chosen: "SelectedModel", talk: Talk) -> None:
    vivid = "" if chosen.blend is None else f", blend {chosen.blend:g}"
    talk.detail(f"model {chosen.name}{vivid}")
    for scale, one in grow.engines.items():
        places = " and ".join(map(str, one.devices))
        precision = str(one.dtype).removeprefix("torch.")
        talk.detail(f"x{scale}: {places}, {precision}, tiles of {one.core} + {one.context} pixels")
