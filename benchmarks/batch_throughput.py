"""A folder of photographs, file to file, ours beside the usual way."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path

import torch
from baseline import BaselineUpscaler
from report import Check, Table
from timing import timed
from workload import Workload, photograph

from srgan_cli.batch.plan import Job
from srgan_cli.batch.run import JobOptions, run_jobs
from srgan_cli.device import keep_memory
from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image
from srgan_cli.inference.engine import ProgressCallback, TiledEngine, no_progress
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.inference.row_streams import RowSink, RowSource

QUALITY = 95
LEAST_GAIN = 2.0
MOST_OVERHEAD = 0.03
MOST_PIXELS = 1 << 30


@dataclass(frozen=True)
class Watched(TiledEngine):
    """An upscaler that notes how many seconds each image takes, from rows to rows."""

    spent: list[float] = field(default_factory=list)

    def run(
        self,
        source: RowSource,
        sink: RowSink,
        progress: ProgressCallback = no_progress,
        dtype: torch.dtype | None = None,
    ) -> None:
        work = partial(super().run, source, sink, progress, dtype)
        self.spent.append(timed(work, str(self.device)))


def batch_throughput(workload: Workload) -> Table:
    """In thirds, one way and then the other: so a drift of the machine meets both."""
    count, height, width = (6, 384, 512) if workload.quick else (30, 768, 1024)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = _photographs(folder, count, height, width)
        run = _both_ways(workload, [jobs[third::3] for third in range(3)])
    title = f"{count} photographs of {width} x {height}, JPEG to JPEG of quality {QUALITY}"
    return _table(run, count, title)


@dataclass(frozen=True)
class Run:
    """Seconds in all; `engine` of what `ours` took."""

    ours: float
    engine: float
    common: float


def _table(run: Run, count: int, title: str) -> Table:
    gain, overhead = run.common / run.ours, run.ours / run.engine - 1
    walls = {"ours": run.ours, "its engine alone": run.engine, "common way": run.common}
    rows = {
        name: {"s": wall, "s each": wall / count, "times the usual way": run.common / wall}
        for name, wall in walls.items()
    }
    promise = f"the wall at most {MOST_OVERHEAD:.0%} above the engine"
    checks = (
        Check(f"at least {LEAST_GAIN} times the usual way", gain, least=LEAST_GAIN),
        Check(promise, overhead, most=MOST_OVERHEAD),
    )
    return Table(title, rows, checks)


def _photographs(folder: Path, count: int, height: int, width: int) -> list[Job]:
    for number in range(count):
        picture = Image(photograph(height, width, seed=number))
        write_image(picture, folder / f"{number}.jpg", Encoding(quality=QUALITY))
    return [Job(folder / f"{n}.jpg", folder / f"{n}_large.jpg") for n in range(count)]


def _both_ways(workload: Workload, thirds: Sequence[Sequence[Job]]) -> Run:
    engine, common = _watched(workload.ours()), workload.common()
    work = JobOptions(
        UpscalePipeline({engine.scale: engine}), Encoding(quality=QUALITY), MOST_PIXELS
    )
    _do(thirds[0][:1], work)
    _do_commonly(thirds[0][:1], common)
    engine.spent.clear()
    walls = [
        (timed(partial(_do, jobs, work)), timed(partial(_do_commonly, jobs, common)))
        for jobs in thirds
    ]
    return Run(sum(wall[0] for wall in walls), sum(engine.spent), sum(wall[1] for wall in walls))


def _watched(engine: TiledEngine) -> Watched:
    return Watched(**{part.name: getattr(engine, part.name) for part in fields(engine)})


def _do(jobs: Sequence[Job], work: JobOptions) -> None:
    keep_memory()
    for outcome in run_jobs(jobs, work):
        if outcome.error is not None:
            raise SystemExit(outcome.error)


def _do_commonly(jobs: Sequence[Job], way: BaselineUpscaler) -> None:
    way.files(((job.source, job.target) for job in jobs), QUALITY)
