"""Damaged and hostile files of every kind: each gives a result or one error line.

    python benchmarks/fuzz.py --files 5000
    python benchmarks/fuzz.py images weights --files 5000 --seed 7 --keep faults/

Sound files are changed by their structure (mutants.py) and given to srgan: images of all formats,
weights files (srgan's own, torch's old and new, ncnn's), and run folders with answers to studies.
Counts what came of them. A fault is another exception than an error for people, a message of
several lines, a traceback, words of a library on stderr, 20 seconds of CPU time, more memory than
an image honestly needs (others: a gibibyte above the sound ones), or a file left over. Faults are
named, kept if wanted, and the exit code is 1.
"""

import argparse
import faulthandler
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fuzz_images import ImageSubjects
from fuzz_runs import RunSubjects
from fuzz_weights import WeightsSubjects
from mutants import mutate

from srgan_cli.cli.console import split_stderr

SUBJECTS = {"images": ImageSubjects, "weights": WeightsSubjects, "runs": RunSubjects}
PATIENCE = 20.0
"""Seconds of CPU time: the machine may have other work."""

STUCK = 60.0
"""Seconds of CPU time after which the process ends, with a traceback of where it is."""

ASLEEP = 3600.0
"""Seconds after which it ends likewise, whatever it waits for."""


def peak() -> int:
    """Bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@dataclass(frozen=True)
class Words:
    """What is written to file descriptor 2, by whatever library."""

    file: int

    @classmethod
    @contextmanager
    def caught(cls) -> Iterator["Words"]:
        before = os.dup(2)
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            try:
                yield cls(file.fileno())
            finally:
                os.dup2(before, 2)
                os.close(before)

    def taken(self) -> str:
        """Those since the last time."""
        size = os.fstat(self.file).st_size
        words = os.pread(self.file, size, 0)
        os.ftruncate(self.file, 0)
        os.lseek(self.file, 0, os.SEEK_SET)
        return words.decode(errors="replace")


def checked(attempt: Callable[[], str], words: Words) -> str:
    """What came of it. Raises AssertionError for a fault that the subject itself does not see."""
    words.taken()
    faulthandler.dump_traceback_later(ASLEEP, exit=True, file=sys.__stdout__)
    signal.setitimer(signal.ITIMER_PROF, STUCK)
    began = time.process_time()
    result = attempt()
    seconds = time.process_time() - began
    signal.setitimer(signal.ITIMER_PROF, 0)
    faulthandler.cancel_dump_traceback_later()
    assert seconds < PATIENCE, f"too slow: {seconds:.0f} s"
    said = words.taken()
    assert not said, f"on stderr: {said[:300]!r}"
    return result


def fuzz(kind: str, given: argparse.Namespace, words: Words) -> tuple[Counter[str], int]:
    """What came of the mutants, and the bytes of memory above what the sound ones took."""
    counts: Counter[str] = Counter()
    draw, end = random.Random(given.seed), time.monotonic() + given.seconds
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as name:
        subjects = SUBJECTS[kind](Path(made), Path(name))
        sound = subjects.seeds()
        for origin in sound:
            result = checked(lambda seed=origin: subjects.attempt(seed, seed.read_bytes()), words)
            assert result != "error", f"{origin.name} is sound"
        base = peak()
        subjects.base = base
        for number in range(given.files):
            if time.monotonic() > end:
                break
            origin = sound[number % len(sound)]
            data = subjects.finished(mutate(origin.read_bytes(), draw), draw)
            try:
                result = checked(lambda seed=origin, raw=data: subjects.attempt(seed, raw), words)
            except Exception:
                result = "FAULT"
                print(f"{kind} {number}, from {origin.name}, with --seed {given.seed}")
                print(traceback.format_exc(limit=-6), flush=True)
                if given.keep is not None:
                    (given.keep / f"{given.seed}-{number}-{origin.name}").write_bytes(data)
            counts[f"{subjects.label(origin)} {result}"] += 1
    return counts, peak() - base


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[*SUBJECTS, []], help="default: all")
    parser.add_argument("--files", type=int, default=5000, help="mutants of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--keep", type=Path, help="folder for files that show a fault")
    given = parser.parse_args()
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
    split_stderr()
    faulthandler.register(signal.SIGPROF, file=sys.__stdout__, chain=True)  # which ends the process
    faults = 0
    for kind in given.kinds or SUBJECTS:
        began = time.process_time()
        with Words.caught() as words:
            counts, above = fuzz(kind, given, words)
        for key in sorted(counts):
            print(f"{counts[key]:5} {key}")
        own = sum(count for key, count in counts.items() if key.endswith("FAULT"))
        seconds = time.process_time() - began
        print(
            f"{kind}: {counts.total()} files in {seconds:.0f} s of CPU time, {above >> 20} MiB "
            f"above the sound ones' peak, {own} faults",
            flush=True,
        )
        faults += own
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
