"""Progress of long commands on stderr: a bar on a terminal, now and then a line elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from srgan_cli.cli.console import Output, cell
from srgan_cli.files import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as Bar

    from srgan_cli.batch.plan import Job
    from srgan_cli.training.callbacks import Progress as TrainingProgress
    from srgan_cli.training.callbacks import TrainingCallback
    from srgan_cli.training.validation import Score

DELAY = 2.0
"""Seconds of work before a bar appears."""

LOG_INTERVAL = 60.0
"""Seconds between two lines of a training whose stderr is not a terminal."""

LONGEST_NAME = 22
"""Characters of a file's name beside the bar."""

MOST_TILES = 5000
"""Above it, steps of a job are not tiles but the progress of several passes."""

Outcome = TypeVar("Outcome")
Pixels = Callable[[Path], int]
"""Pixels of the result for an input; 0 where that is not known."""


def _shows_bars(output: Output) -> bool:
    return output.interactive and not output.quiet


def _new_bar(output: Output) -> "Bar":
    """A transient progress bar between two texts."""
    from rich.progress import BarColumn, Progress, TextColumn

    def text(name: str) -> TextColumn:
        return TextColumn(f"{{task.fields[{name}]}}", markup=False)

    hidden = not _shows_bars(output)
    columns = (text("left"), BarColumn(bar_width=20), text("right"))
    return Progress(*columns, console=output.console, transient=True, disable=hidden)


def truncate(name: str) -> str:
    """Printable, and without its middle where it is longer than LONGEST_NAME."""
    name = printable(name)
    half = (LONGEST_NAME - 1) // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class BatchProgress:
    """Files done, the tiles of the one that is computed, megapixels per second, time left."""

    def __init__(self, bar: "Bar", total: int, pixels: Pixels) -> None:
        self.bar = bar
        self.total = total
        self.pixels = pixels
        self.started = time.monotonic()
        self.finished = 0
        self.skipped = 0
        self.megapixels = 0.0
        self.task = bar.add_task("", total=1, visible=False, left="", right="")

    def start(self, job: "Job") -> Callable[[int, int], None]:
        """Begin a job. Returns the callback for its tiles: (done, total)."""
        number = self.finished = self.finished + 1
        area = self.pixels(job.source) / 1e6
        before, name = self.megapixels, truncate(job.source.name)
        left = f"{number} of {self.total} {name}"

        def update(done: int, total: int) -> None:
            self.megapixels = before + area * done / total
            elapsed = time.monotonic() - self.started
            right = self.describe(number - 1 + done / total, elapsed)
            if 1 < total <= MOST_TILES:
                right = f"{done}/{total} tiles {right}"
            completed = (number - 1 + done / total) / self.total
            self.bar.update(
                self.task, completed=completed, visible=elapsed > DELAY, left=left, right=right
            )

        return update

    def skip(self) -> None:
        """Exclude a skipped job from the estimate of the remaining time."""
        self.skipped += 1

    def describe(self, files: float, elapsed: float) -> str:
        """Speed and time left. files: finished, with the fraction of the present one."""
        speed = f"{self.megapixels / elapsed:.1f} MP/s" if elapsed and self.megapixels else ""
        computed = files - self.skipped
        if computed <= 0 or elapsed < DELAY:
            return speed
        return f"{speed} {clock(elapsed / computed * (self.total - files))} left".strip()


class NoProgress:
    """In place of BatchProgress where no bar is shown: rich need not be imported."""

    def start(self, job: "Job") -> Callable[[int, int], None]:
        return lambda done, total: None

    def skip(self) -> None:
        pass


@contextmanager
def batch_progress(
    total: int, output: Output, pixels: Pixels
) -> Iterator[BatchProgress | NoProgress]:
    if not _shows_bars(output):
        yield NoProgress()
        return
    with _new_bar(output) as bar:
        yield BatchProgress(bar, total, pixels)


def tracked(outcomes: Iterable[Outcome], total: int, output: Output) -> Iterator[Outcome]:
    """The same outcomes, with a bar that counts them where one is shown."""
    if not _shows_bars(output):
        yield from outcomes
        return
    with _new_bar(output) as bar:
        started = time.monotonic()
        task = bar.add_task("", total=total, visible=False, left=f"0 of {total}", right="")
        for count, outcome in enumerate(outcomes, start=1):
            elapsed = time.monotonic() - started
            left, right = f"{count} of {total}", f"{clock(elapsed / count * (total - count))} left"
            visible = elapsed > DELAY
            bar.update(task, completed=count, visible=visible, left=left, right=right)
            yield outcome


@contextmanager
def training_progress(output: Output, budget: float | None = None) -> Iterator["TrainingCallback"]:
    """The callback of a training. budget: seconds of the run."""
    if not _shows_bars(output):
        yield TrainingLog(output)
        return
    from rich.live import Live

    bar = _new_bar(output)
    display = TrainingBar(output, bar, budget)
    with Live(console=output.console, transient=True, get_renderable=display.render):
        yield display


def describe_step(now: "TrainingProgress") -> str:
    return f"{now.stage} step {now.step}" + (f" of {now.steps}" if now.steps is not None else "")


def describe_losses(now: "TrainingProgress") -> str:
    return " ".join(f"{name} {value:.4f}" for name, value in now.losses.items())


def describe_score(score: "Score | None") -> str:
    if score is None:
        return ""
    features = "" if score.features is None else f" features {score.features:.4f}"
    return f"PSNR {score.psnr:.3f} dB SSIM {score.ssim:.4f}{features}"


def joined(parts: Sequence[str]) -> str:
    return " | ".join(part for part in parts if part)


class TrainingBar:
    """The steps of a stage, their rate and the time left; below them losses and validation."""

    def __init__(self, output: Output, bar: "Bar", budget: float | None = None) -> None:
        self.output = output
        self.bar = bar
        self.budget = budget
        self.caption = ""
        self.stage = ""
        self.score = ""
        self.started = time.monotonic()
        self.task = bar.add_task("", total=None, left="", right="")

    def progress(self, now: "TrainingProgress") -> None:
        if now.stage != self.stage:
            self.stage, self.score = now.stage, ""
            self.bar.remove_task(self.task)  # one with a total cannot go back to none
            self.task = self.bar.add_task("", total=None, left="", right="")
        losses = describe_losses(now)
        if now.score is not None:
            self.score = describe_score(now.score)
            self.message(f"{now.stage} step {now.step}: {joined([losses, self.score])}")
        self.caption = joined([losses, self.score])
        left, right = describe_step(now), self.describe(now)
        self.bar.update(self.task, completed=now.step, total=now.steps, left=left, right=right)

    def render(self) -> "RenderableType":
        from rich.console import Group

        return Group(self.bar.make_tasks_table(self.bar.tasks), cell(self.caption))

    def describe(self, now: "TrainingProgress") -> str:
        """Steps per second and time left, as far as they are known."""
        speed = next(task.speed for task in self.bar.tasks if task.id == self.task)
        parts = [f"{speed:.2f} steps/s"] if speed else []
        if now.steps is not None and speed:
            parts.append(f"{clock((now.steps - now.step) / speed)} left")
        elif self.budget is not None:
            parts.append(f"{clock(max(0, self.budget - time.monotonic() + self.started))} left")
        return " ".join(parts)

    def message(self, line: str) -> None:
        self.output.info(line)


class TrainingLog:
    """A line for each validation, and one a minute."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.last = time.monotonic()

    def progress(self, now: "TrainingProgress") -> None:
        if now.score is None and time.monotonic() - self.last < LOG_INTERVAL:
            return
        self.last = time.monotonic()
        figures = joined([describe_losses(now), describe_score(now.score)])
        self.message(f"{describe_step(now)}: {figures}")

    def message(self, line: str) -> None:
        self.output.info(line)
