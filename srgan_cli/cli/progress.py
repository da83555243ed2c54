"""What a long command shows on stderr: a bar on a terminal, now and then a line elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from srgan_cli.cli.console import Talk

if TYPE_CHECKING:
    from rich.progress import Progress as ProgressBar

    from srgan_cli.batch.naming import Job
    from srgan_cli.training.progress import Progress as TrainingProgress
    from srgan_cli.training.progress import Watcher
    from srgan_cli.training.validation import Score

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
def training_display() -> Iterator["Watcher"]:
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
        yield _Bar(bar)


def figures_of(now: "TrainingProgress") -> str:
    losses = " ".join(f"{name} {value:.4f}" for name, value in now.losses.items())
    return losses + _quality(now.score)


def _quality(score: "Score | None") -> str:
    if score is None:
        return ""
    features = "" if score.features is None else f" features {score.features:.4f}"
    return f" | PSNR {score.psnr:.3f} dB SSIM {score.ssim:.4f}{features}"


class _Bar:
    """The steps of a stage, with rate and time left, and a line for each validation."""

    def __init__(self, bar: "ProgressBar") -> None:
        self.bar = bar
        self.task = bar.add_task("training", total=None, figures="")
        self.stage = ""

    def progress(self, now: "TrainingProgress") -> None:
        if now.stage != self.stage:
            self.stage = now.stage
            self.bar.reset(self.task, completed=now.step, description=now.stage)
        pace = self.bar.tasks[0].speed
        rate = f"{pace:.2f} steps/s " if pace else ""
        figures = figures_of(now)
        self.bar.update(self.task, completed=now.step, total=now.steps, figures=rate + figures)
        if now.score is not None:
            self.say(f"{now.stage} step {now.step}: {figures}")

    def say(self, line: str) -> None:
        self.bar.console.print(line, markup=False, highlight=False)


class _Lines:
    """A line for each validation, and one a minute."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def progress(self, now: "TrainingProgress") -> None:
        if now.score is None and time.monotonic() - self.last < LINE_EVERY:
            return
        self.last = time.monotonic()
        total = "" if now.steps is None else f" of {now.steps}"
        self.say(f"{now.stage} step {now.step}{total}: {figures_of(now)}")

    def say(self, line: str) -> None:
        click.echo(line, err=True)
