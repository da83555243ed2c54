"""What is said of the pictures of a batch, and the exit code in the end."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from srgan_cli.cli.console import Talk
from srgan_cli.files import printable
from srgan_cli.images.formats import Encoding, format_note, format_of

if TYPE_CHECKING:
    from srgan_cli.batch.run import Outcome
    from srgan_cli.settings import ImageSize
    from srgan_cli.weights.selection import SelectedModel

MOST_NAMES = 5
"""Failures that the last line names."""


@dataclass
class Tally:
    """Tells of each outcome as it comes, and counts."""

    talk: Talk
    chosen: "SelectedModel"
    encoding: Encoding
    done: int = 0
    skipped: int = 0
    locked: int = 0
    failed: list[Path] = field(default_factory=list)

    def add(self, outcome: "Outcome") -> None:
        if self.talk.json:
            click.echo(json.dumps(row(outcome, self.chosen)))
        if outcome.error is not None:
            self.failed.append(outcome.job.source)
            click.echo(f"Error: {outcome.error}", err=True)
            if outcome.trace is not None:
                self.talk.detail(outcome.trace)
        elif outcome.locked:
            self.locked += 1
            name = printable(outcome.job.target)
            self.talk.line(f"skipped {name}: another srgan is writing it")
        elif outcome.skipped:
            self.skipped += 1
            self.talk.detail(f"{printable(outcome.job.target)} is there already")
        else:
            self.done += 1
            self.talk.line(self._line(outcome))

    def _line(self, outcome: "Outcome") -> str:
        job = outcome.job
        facts = [_grown(outcome), f"{outcome.seconds:.1f} s", *self._remarks(outcome)]
        return f"{printable(job.source)} -> {printable(job.target)} ({', '.join(facts)})"

    def _remarks(self, outcome: "Outcome") -> list[str]:
        remarks = [format_note(format_of(outcome.job.target, self.encoding))]
        if self.chosen.weights and (self.talk.verbose or not outcome.passes):
            remarks.append(_how(outcome.passes))
        return [remark for remark in remarks if remark is not None]

    def finish(self) -> int:
        """The exit code; a last line that says how many, where there were several."""
        total = self.done + self.skipped + self.locked + len(self.failed)
        if self.failed and total > 1:
            names = ", ".join(map(printable, self.failed[:MOST_NAMES]))
            more = ", ..." if len(self.failed) > MOST_NAMES else ""
            click.echo(f"{len(self.failed)} of {total} pictures failed: {names}{more}", err=True)
        elif total > 1:
            skipped = f", {self.skipped} were there already" if self.skipped else ""
            locked = f", {self.locked} left to another run" if self.locked else ""
            self.talk.line(f"{self.done} pictures done{skipped}{locked}")
        return 1 if self.failed else 0


def _grown(outcome: "Outcome") -> str:
    assert outcome.before is not None
    assert outcome.after is not None
    before, after = outcome.before, outcome.after
    return f"{before.width}x{before.height} to {after.width}x{after.height}"


def _how(passes: tuple[int, ...]) -> str:
    if not passes:
        return "not larger than the input, so resized by bicubic without the network"
    return "passes of the network: " + ", ".join(f"x{scale}" for scale in passes)


def row(outcome: "Outcome", chosen: "SelectedModel") -> dict[str, Any]:
    """What a JSON line says."""

    def pair(sides: "ImageSize | None") -> list[int] | None:
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


def rehearse(outcome: "Outcome", chosen: "SelectedModel", talk: Talk) -> None:
    """Say on stdout what would be done."""
    if talk.json:
        click.echo(json.dumps(row(outcome, chosen)))
    elif outcome.error is None:
        there = " (is there already)" if outcome.skipped else ""
        click.echo(f"{printable(outcome.job.source)} -> {printable(outcome.job.target)}{there}")
    if outcome.error is not None:
        click.echo(f"Error: {outcome.error}", err=True)
