"""Commands in a pseudo-terminal."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
AT_ONCE = "from srgan_cli.cli import progress_bars; progress_bars.DELAY = -1.0; "
"""Bars appear without the usual delay."""


@dataclass(frozen=True)
class Seen:
    """raw: all that a terminal received. text: without escape sequences."""

    exit_code: int
    raw: str

    @property
    def text(self) -> str:
        return SEQUENCE.sub("", self.raw).replace("\r\n", "\n")


def srgan_in_terminal(
    *words: object, columns: int = 80, prelude: str = AT_ONCE, **environment: str
) -> Seen:
    """Run `srgan WORDS` with stdout and stderr on a terminal of so many columns."""
    code = f"{prelude}from srgan_cli.cli import main; main(prog_name='srgan')"
    own, others = pty.openpty()
    fcntl.ioctl(others, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {"TERM": "xterm", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdin=others,
        stdout=others,
        stderr=others,
        env={k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
        | env
        | environment,
    )
    os.close(others)
    raw = b""
    while chunk := _read(own):
        raw += chunk
    os.close(own)
    return Seen(process.wait(), raw.decode(errors="replace"))


def _read(descriptor: int) -> bytes:
    """Empty at the end, for which Linux raises an error."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""
