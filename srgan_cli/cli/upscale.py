"""`srgan upscale`."""

import json
import os
import signal
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from srgan_cli.batch.naming import STREAM, Batch, Naming, plan, sharded
from srgan_cli.cli.display import batch_display
from srgan_cli.cli.options import (
    choice_options,
    encoding_options,
    gathered,
    machine_options,
    size_options,
)
from srgan_cli.cli.talk import Talk, talk_options
from srgan_cli.engine.settings import Machine
from srgan_cli.engine.size import Sides, Size
from srgan_cli.errors import OptionError
from srgan_cli.images.atomic import shown
from srgan_cli.images.encoding import Encoding
from srgan_cli.library import Choice

if TYPE_CHECKING:
    from srgan_cli.batch.run import Outcome
    from srgan_cli.choice import Chosen
    from srgan_cli.engine.enlarger import Enlarger


def shard(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    number, _, count = text.partition("/")
    if not (number.isdigit() and count.isdigit()):
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


@click.command("upscale")
@batch_options
@size_options
@choice_options
@machine_options
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
    size: Size,
    choice: Choice,
    machine: Machine,
    encoding: Encoding,
    talk: Talk,
    max_pixels: int,
) -> None:
    """Make pictures larger: INPUT is a file, a folder, a quoted glob, or - for standard input.

    Depth, transparency, colour profile and metadata are kept; outputs appear only when complete.
    """
    if talk.json and batch.out == str(STREAM):
        raise OptionError("--json and -o - both want standard output: choose one")

    from srgan_cli.assembly import enlarger
    from srgan_cli.batch.run import Work, run_jobs
    from srgan_cli.choice import choose

    chosen = choose(choice)
    grow = enlarger(chosen.weights, machine, size)
    jobs = plan(sharded(batch, dict(os.environ)), _naming(chosen, grow, encoding))
    if batch.dry_run:
        for job in jobs:
            click.echo(f"{shown(job.source)} -> {shown(job.target)}")
        return
    _say_how(grow, chosen, talk)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with batch_display(len(jobs), talk) as watch:
        work = Work(grow, encoding, max_pixels, batch.skip_existing, watch)
        outcomes = []
        for outcome in run_jobs(jobs, work):
            _report(outcome, chosen, talk)
            outcomes.append(outcome)
    _sum_up(outcomes)


def _naming(chosen: "Chosen", grow: "Enlarger", encoding: Encoding) -> Naming:
    def measure(path: Path) -> Sides:
        from srgan_cli.images.header import probe

        header = probe(path)
        return grow.sides(header.height, header.width)

    size = grow.size
    by_scale = size == Size() or size.scale is not None
    scale = size.scale or Fraction(grow.native)
    return Naming(chosen.name, f"{float(scale):g}" if by_scale else None, encoding, measure)


def _say_how(grow: "Enlarger", chosen: "Chosen", talk: Talk) -> None:
    vivid = "" if chosen.blend is None else f", blend {chosen.blend:g}"
    talk.detail(f"model {chosen.name}{vivid}")
    for scale, one in grow.upscalers.items():
        precision = str(one.dtype).removeprefix("torch.")
        talk.detail(
            f"x{scale}: {one.device}, {precision}, tiles of {one.core} + {one.context} pixels"
        )


def _report(outcome: "Outcome", chosen: "Chosen", talk: Talk) -> None:
    job, error = outcome.job, outcome.error
    if talk.json and not outcome.skipped:
        click.echo(json.dumps(_row(outcome, chosen)))
    if error is not None:
        click.echo(f"Error: {error}", err=True)
    elif outcome.skipped:
        talk.detail(f"{shown(job.target)} is there already")
    else:
        talk.line(f"{shown(job.source)} -> {shown(job.target)} ({_sizes(outcome)})")


def _sizes(outcome: "Outcome") -> str:
    assert outcome.before is not None
    assert outcome.after is not None
    before, after = outcome.before, outcome.after
    grown = f"{before.width}x{before.height} to {after.width}x{after.height}"
    return f"{grown}, {outcome.seconds:.1f} s"


def _row(outcome: "Outcome", chosen: "Chosen") -> dict[str, Any]:
    def pair(sides: Sides | None) -> list[int] | None:
        return None if sides is None else [sides.width, sides.height]

    return {
        "input": str(outcome.job.source),
        "output": None if outcome.error else str(outcome.job.target),
        "input_size": pair(outcome.before),
        "output_size": pair(outcome.after),
        "seconds": round(outcome.seconds, 3),
        "model": chosen.name,
        "blend": chosen.blend,
        "error": outcome.error,
    }


def _sum_up(outcomes: "list[Outcome]") -> None:
    """Exit code 1 if anything failed; a last line that says how much, where there were several."""
    failed = [outcome.job.source for outcome in outcomes if outcome.error is not None]
    if not failed:
        return
    if len(outcomes) > 1:
        names = ", ".join(shown(path) for path in failed[:5]) + (", ..." if len(failed) > 5 else "")
        click.echo(f"{len(failed)} of {len(outcomes)} pictures failed: {names}", err=True)
    sys.exit(1)
