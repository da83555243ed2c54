"""What a long command shows on stderr: a bar on a terminal, now and then a line elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from srgan_cli.cli.talk import Talk

if TYPE_CHECKING:
    from srgan_cli.batch.naming import Job
    from srgan_cli.training.loop import Progress as TrainingProgress

PATIENCE = 2.0
"""Seconds of work that pass without a bar."""

LINE_EVERY = 60.0
"""Seconds between two lines of a training whose stderr is not a terminal."""


@contextmanager
def batch_display(
    count: int, talk: Talk
) -> Iterator[Callable[["Job"], Callable[[int, int], None]]]:
    """Yields what gives, for each of `count` jobs, what is told of its tiles."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    shown = console.is_terminal and not talk.quiet
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task("", total=count, visible=False)
        finished = 0

        def watch(job: "Job") -> Callable[[int, int], None]:
            nonlocal finished
            number, finished = finished, finished + 1

            def tell(done: int, total: int) -> None:
                late = time.monotonic() - began > PATIENCE
                bar.update(
                    task, completed=number + done / total, visible=late, description=job.source.name
                )

            return tell

        yield watch


@contextmanager
def training_display() -> Iterator[Callable[["TrainingProgress"], None]]:
    """Yields what is told of each step."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeLeft(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("training", total=None, figures="")

        def tell(now: "TrainingProgress") -> None:
            figures = figures_of(now)
            bar.update(
                task, description=now.stage, completed=now.step, total=now.steps, figures=figures
            )
            if now.score is not None:
                console.print(f"{now.stage} step {now.step}: {figures}")

        yield tell


def figures_of(now: "TrainingProgress") -> str:
    losses = " ".join(f"{name} {value:.4f}" for name, value in now.losses.items())
    quality = f" | PSNR {now.score.psnr:.3f} dB SSIM {now.score.ssim:.4f}" if now.score else ""
    return losses + quality


class _Lines:
    """A line for each validation, and one a minute."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, now: "TrainingProgress") -> None:
        if now.score is None and time.monotonic() - self.last < LINE_EVERY:
            return
        self.last = time.monotonic()
        total = "" if now.steps is None else f" of {now.steps}"
        click.echo(f"{now.stage} step {now.step}{total}: {figures_of(now)}", err=True)
