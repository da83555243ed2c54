"""What `srgan upscale` prints about the images of a batch, and its exit code."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srgan_cli.cli.console import Output
from srgan_cli.cli.models import LEAST_SECONDS, Speed, save_speed
from srgan_cli.images.formats import (
    PACKAGES,
    Encoding,
    format_note,
    format_of,
    is_readable,
    kind_of_suffix,
)
from srgan_cli.settings import ImageSize, ResultSettings

if TYPE_CHECKING:
    from srgan_cli.batch.plan import Job
    from srgan_cli.batch.run import Outcome
    from srgan_cli.inference.engine import TiledEngine
    from srgan_cli.inference.pipeline import UpscalePipeline
    from srgan_cli.weights.selection import SelectedModel

UNSUPPORTED = {"PSD", "XCF", "KRA", "EPS", "SVG"}
"""Suffixes of images that are not read."""

MOST_NAMES = 5
"""Failed images that the last line lists."""


def settings_of(model: "SelectedModel", pipeline: "UpscalePipeline") -> ResultSettings:
    """The settings of the first network that runs."""
    known = (model.name, model.blend, model.denoise)
    for engine in _used_engines(pipeline).values():
        return ResultSettings(*known, ",".join(map(str, engine.devices)), engine.precision)
    resize_only = "float32" if pipeline.engines else None  # a model that is not needed
    return ResultSettings(*known, "cpu", resize_only)


def _used_engines(pipeline: "UpscalePipeline") -> "dict[int, TiledEngine]":
    """Scale -> network that runs, in order."""
    found = {s: pipeline.engines.get(s, pipeline.restorer) for s in pipeline.fixed_scales}
    return {scale: engine for scale, engine in found.items() if engine is not None}


@dataclass
class BatchReport:
    """Prints each outcome as it comes, and counts."""

    output: Output
    settings: ResultSettings
    encoding: Encoding
    records_speed: bool = False
    """Whether `srgan models` may show how fast this was."""
    done: int = 0
    skipped: int = 0
    locked: int = 0
    failed: list[Path] = field(default_factory=list)
    unsupported_metadata: Counter[str] = field(default_factory=Counter)
    computed: dict[int, list[float]] = field(default_factory=dict)
    """Scale of the one network that ran -> output megapixels and seconds, of all images."""
    problem_inputs: set[Path] = field(default_factory=set)
    """Inputs whose problem was printed before the first job."""

    def print_problems(self, jobs: "Sequence[Job]") -> None:
        """The jobs that have a problem, in lines of their own."""
        problems = {job.source: job.problem for job in jobs if job.problem is not None}
        self.problem_inputs.update(problems)
        if problems and len(problems) < len(jobs):
            self.output.info(f"{len(problems)} of {len(jobs)} images cannot be upscaled:")
        for problem in problems.values():
            self.output.error(problem)

    def print_settings(self, pipeline: "UpscalePipeline") -> None:
        blend = "" if self.settings.blend is None else f", blend {self.settings.blend:g}"
        denoise = "" if self.settings.denoise is None else f", denoise {self.settings.denoise:g}"
        self.output.detail(f"model {self.settings.model}{blend}{denoise}")
        for scale, engine in _used_engines(pipeline).items():
            devices = " and ".join(map(str, engine.devices))
            tiles = f"tiles of {engine.core} + {engine.context} pixels"
            ranges = ", calibrated on a built-in image" if engine.built_in_calibration else ""
            self.output.detail(f"x{scale}: {devices}, {engine.precision}{ranges}, {tiles}")

    def add(self, outcome: "Outcome") -> None:
        if self.output.json:
            self.output.record(self._record(outcome))
        if outcome.error is not None:
            self.failed.append(outcome.job.source)
            if outcome.job.source not in self.problem_inputs:
                self.output.error(outcome.error)
            for line in (outcome.trace or "").splitlines():
                self.output.detail(line)
        elif outcome.locked:
            self.locked += 1
            self.output.info(f"skipped {outcome.job.target}: another srgan is writing it")
        elif outcome.skipped:
            self.skipped += 1
            self.output.detail(f"skipped {outcome.job.source}: {outcome.job.target} exists")
        else:
            self.done += 1
            self.unsupported_metadata.update(outcome.unsupported_metadata)
            self._count_speed(outcome)
            self.output.info(self._line(outcome))

    def print_other_files(self, kinds: Mapping[str, int]) -> None:
        """Print a line for other files in the input folders."""
        if not kinds:
            return
        total = sum(kinds.values())
        names = ", ".join(f"{count} {kind}{_install_hint(kind)}" for kind, count in kinds.items())
        hint = "; convert photos to PNG or TIFF first" if kinds.keys() & UNSUPPORTED else ""
        files = "file" if total == 1 else "files"
        self.output.info(f"skipped {total} other {files}: {names}{hint}")

    def print_plan(self, outcome: "Outcome") -> None:
        """A line on stdout for what would be done."""
        job = outcome.job
        if self.output.json:
            self.output.record(self._record(outcome, success="planned"))
        elif outcome.error is None:
            self.output.result(
                f"{job.source} -> {job.target}{' (exists: skipped)' if outcome.skipped else ''}"
            )
        if outcome.error is not None:
            self.output.error(outcome.error)

    def finish(self) -> int:
        """The exit code; a last line with the counts where there were several images."""
        if self.records_speed:
            for speed in self.speeds():
                save_speed(speed)
        total = self.done + self.skipped + self.locked + len(self.failed)
        if self.unsupported_metadata:
            self.output.info(f"Note: {'; '.join(self._counted(total))}")
        if self.failed and total > 1:
            names = ", ".join(map(str, self.failed[:MOST_NAMES]))
            more = ", ..." if len(self.failed) > MOST_NAMES else ""
            self.output.failure(f"{len(self.failed)} of {total} images failed: {names}{more}")
        elif total > 1:
            skipped = f", {self.skipped} skipped (output exists)" if self.skipped else ""
            locked = f", {self.locked} left to another run" if self.locked else ""
            images = "image" if self.done == 1 else "images"
            self.output.info(f"{self.done} {images} done{skipped}{locked}")
        return 1 if self.failed or self.output.write_errors else 0

    def _count_speed(self, outcome: "Outcome") -> None:
        if len(outcome.passes) == 1 and outcome.before is not None:
            scale = outcome.passes[0]
            area = outcome.before.height * outcome.before.width * scale**2
            totals = self.computed.setdefault(scale, [0.0, 0.0])
            totals[0] += area / 1e6
            totals[1] += outcome.compute_seconds

    def speeds(self) -> Iterator[Speed]:
        """The speeds of the networks that ran long enough to measure them."""
        known = self.settings
        for scale, (megapixels, seconds) in self.computed.items():
            if seconds >= LEAST_SECONDS and known.precision is not None:
                rate = float(f"{megapixels / seconds:.3g}")
                yield Speed(known.model, scale, known.device, known.precision, rate)

    def _counted(self, total: int) -> list[str]:
        """What was lost, each with the number of images concerned."""
        if total == 1:
            return list(self.unsupported_metadata)
        return [f"{text} ({count} of {total})" for text, count in self.unsupported_metadata.items()]

    def _record(self, outcome: "Outcome", success: str = "done") -> dict[str, Any]:
        """The JSON line of an image: see docs/json.md."""
        job = outcome.job
        notes = [*self._notes(outcome), *outcome.unsupported_metadata]
        return {
            "status": _status(outcome, success),
            "input": str(job.source),
            "output": None if outcome.error else str(job.target),
            "input_size": _size(outcome.before),
            "output_size": _size(outcome.after),
            "seconds": round(outcome.seconds, 3),
            "compute_seconds": round(outcome.compute_seconds, 3),
            **asdict(self.settings),
            "notes": [] if outcome.error or outcome.skipped else notes,
            "error": outcome.error,
        }

    def _line(self, outcome: "Outcome") -> str:
        job = outcome.job
        facts = [_sizes(outcome), f"{outcome.seconds:.1f} s", *self._notes(outcome)]
        if self.output.verbose and outcome.passes:
            facts.append("network: " + ", ".join(f"x{scale}" for scale in outcome.passes))
        return f"{job.source} -> {job.target} ({', '.join(facts)})"

    def _notes(self, outcome: "Outcome") -> list[str]:
        notes = [*outcome.notes, format_note(format_of(outcome.job.target, self.encoding))]
        if self.settings.precision is not None and not outcome.passes and outcome.after:
            notes.append("not larger than the input: resized by bicubic, without the network")
        return [note for note in notes if note is not None]


def _install_hint(kind: str) -> str:
    """The package that reads files of a suffix (upper case, no dot), in parentheses."""
    name = kind_of_suffix(f".{kind}")
    return "" if name is None or is_readable(name) else f" (pip install {PACKAGES[name][2]})"


def _status(outcome: "Outcome", success: str) -> str:
    if outcome.error is not None:
        return "failed"
    return "skipped" if outcome.skipped else success


def _size(sides: ImageSize | None) -> list[int] | None:
    return None if sides is None else [sides.width, sides.height]


def _sizes(outcome: "Outcome") -> str:
    assert outcome.before is not None
    assert outcome.after is not None
    before, after = outcome.before, outcome.after
    return f"{before.width}x{before.height} to {after.width}x{after.height}"
