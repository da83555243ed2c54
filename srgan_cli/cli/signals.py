"""Ctrl-C and SIGTERM: an end with a line that says how to go on, and the usual exit code."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click


class Terminated(BaseException):
    """SIGTERM has come. No Exception, so that it stops what KeyboardInterrupt stops."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


@contextmanager
def stopping(advice: str) -> Iterator[None]:
    """Exit with 130 after Ctrl-C and 143 after SIGTERM, `advice` being the last line.

    Outside of the main thread, where signals do not arrive, SIGTERM stays what it was.
    """
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _terminate) if main else None
    try:
        yield
    except (KeyboardInterrupt, Terminated) as stop:
        click.echo(f"Stopped: {advice}", err=True)
        interrupted = isinstance(stop, KeyboardInterrupt)
        sys.exit(128 + (signal.SIGINT if interrupted else signal.SIGTERM))
    finally:
        if main:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
