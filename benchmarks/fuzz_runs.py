"""For fuzz.py: run folders that are resumed, and answers to a study that are scored."""

import json
import random
import resource
import shutil
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from srgan_cli.cli import main
from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image
from srgan_cli.study.answers import FORMAT, Trial, checksum

STEPS = "2"
ROOM = 1 << 30
"""Bytes above what the sound run takes."""


class RunSubjects:
    """`made` holds a run and answers, `work` a copy of which one file is a mutant."""

    def __init__(self, made: Path, work: Path) -> None:
        self._made, self._work = made, work
        self._run = made / "run"
        self.base: int | None = None

    def seeds(self) -> list[Path]:
        rng = np.random.default_rng(0)
        (self._made / "photos").mkdir()
        for number in range(3):
            pixels = rng.integers(0, 256, (72, 80, 3), dtype=np.uint8)
            write_image(Image(pixels), self._made / "photos" / f"{number}.png")
        command = ["train", str(self._made / "photos"), "-o", str(self._run), "--steps", STEPS]
        command += ["--stages", "psnr", "--patch", "32", "--batch-size", "2", "--blocks", "1"]
        outcome = CliRunner().invoke(main, [*command, "--workers", "0", "--device", "cpu"])
        assert outcome.exit_code == 0, outcome.output
        self._write_answers()
        files = [path for path in sorted(self._run.rglob("*")) if path.is_file()]
        return [path for path in files if path.suffix != ".png"]

    def _write_answers(self) -> None:
        methods, pictures = ["a", "b"], ["ant", "bus"]
        ratings = {Trial(p, m): 1 + i for i, (p, m) in enumerate(zip(pictures, methods))}  # noqa: B905
        data = {"format": FORMAT, "study": "s", "rater": "r", "saved": "2026", "seed": 1}
        data |= {"methods": methods, "pictures": pictures}
        data["ratings"] = [
            {"picture": trial.image, "method": trial.method, "rating": value}
            for trial, value in ratings.items()
        ]
        data["checksum"] = checksum("s", "r", ratings)
        (self._run / "answers.json").write_text(json.dumps(data))

    def label(self, origin: Path) -> str:
        return origin.name.split("-")[0]

    def finished(self, data: bytes, draw: random.Random) -> bytes:
        return data

    def attempt(self, origin: Path, data: bytes) -> str:
        """Raises AssertionError, or what was raised, for a fault."""
        run = self._work / "run"
        shutil.copytree(self._run, run)
        changed = run / origin.relative_to(self._run)
        changed.write_bytes(data)
        if origin.name == "answers.json":
            command = ["rate", "--score", str(changed), "--json"]
        else:
            command = ["train", "--resume", "-o", str(run)]
            command += ["--dry-run"] if origin.name == "options.json" else ["--steps", "3"]
        try:
            return outcome_of(command)
        finally:
            shutil.rmtree(run)
            above = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - (self.base or 0)
            assert self.base is None or above < ROOM, f"{above >> 20} MiB"


def outcome_of(command: list[str]) -> str:
    outcome = CliRunner().invoke(main, command)
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    assert outcome.exit_code in (0, 1, 2), f"exit code {outcome.exit_code}"
    assert "Traceback" not in outcome.output, outcome.output[-2000:]
    visible = outcome.output.replace("\n", "")
    assert visible.isprintable(), f"control characters: {visible[:500]!r}"
    return "result" if outcome.exit_code == 0 else "error"
