"""Ctrl-C and SIGTERM: answered at once, whatever the program is busy with, and with its usual code.

Python runs signal handlers only between two steps of the main thread, which may be decoding,
computing or waiting for a lock. So a thread of its own hears of signals through the wakeup file
descriptor: it acknowledges the first one, and ends the process if that takes too long or if a
second one comes.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from srgan_cli.files import discard_parts

HANDLED = (signal.SIGINT, signal.SIGTERM)
GRACE = 3.5
"""Seconds that a command has to end after the first signal."""

SAYING = 0.5
"""Seconds that the acknowledgment may wait for the display's lock."""

SHOW_CURSOR = "\x1b[?25h"
ERASE_LINE = "\r\x1b[2K"

Say = Callable[[str], None]

ECHO = 0.02
"""Seconds after a signal within which another counts as the same."""


class Terminated(BaseException):
    """SIGTERM has come. No Exception, so that it stops what KeyboardInterrupt stops."""


@contextmanager
def stopping(
    advice: str, *, finishing: str | None = None, say: Say | None = None
) -> Iterator[None]:
    """End with 130 after Ctrl-C and 143 after SIGTERM, `advice` being the last line.

    The body hears of the first signal by KeyboardInterrupt or Terminated and has GRACE seconds to
    clean up; a second signal ends the process at once. finishing: what the body does first,
    however long it takes, while it has handlers of its own. say: prints a line beside a display of
    several lines. Outside of the main thread, where signals do not arrive, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    listener = _Listener(advice, finishing, say or _write_line)
    with _handlers():  # to the end: the usual ones would turn an exit code into a traceback
        try:
            with listener:
                yield
        except (KeyboardInterrupt, Terminated) as stop:
            _ignore_signals()
            code = 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)
            listener.say_stopped()
            discard_parts()  # a signal may come between the making of a file and the care for it
            if _has_busy_threads():  # such as one that waits for standard input
                _exit_now(code)
            sys.exit(code)


def _leave_wakeup_to_parent() -> None:
    """In a forked process: its signals are not those of the process that listens."""
    with suppress(ValueError):
        signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_wakeup_to_parent)


def _raise_once(number: int, frame: FrameType | None) -> None:
    _ignore_signals()
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def _ignore_signals() -> None:
    for number in HANDLED:
        if signal.getsignal(number) is _raise_once:
            signal.signal(number, _ignore)


def _ignore(number: int, frame: FrameType | None) -> None:
    """The listener hears of it all the same."""


@contextmanager
def _handlers() -> Iterator[None]:
    """Ctrl-C stays ignored in what a shell has put into the background."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _raise_once)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


class _Listener:
    """Hears of signals in a thread, from `with` to its end."""

    def __init__(self, advice: str, finishing: str | None, say: Say) -> None:
        self.advice = advice
        self.finishing = finishing
        self.say = say
        self._heard, self._wakeup = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._ending = threading.Lock()

    def __enter__(self) -> None:
        self._wakeup.setblocking(False)
        self._before = signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        signal.set_wakeup_fd(self._before)
        self._wakeup.shutdown(socket.SHUT_RDWR)  # a forked process may have it open
        self._wakeup.close()
        self._thread.join()
        self._heard.close()

    def say_stopped(self) -> None:
        if self._ending.acquire(blocking=False):
            _write_line(f"Stopped: {self.advice}")

    def _listen(self) -> None:
        first = self._next(None)
        if first is None:
            return
        finishing = self.finishing if self._body_handles(first) else None
        ended = self._is_closed_after_echoes()
        self._acknowledge(f"Stopping: {finishing or 'cleaning up'}; a second signal ends at once")
        with suppress(TimeoutError):
            if ended or self._next(None if finishing else GRACE) is None:
                return
        self.say_stopped()
        _exit_now(128 + first)

    def _acknowledge(self, line: str) -> None:
        """By `say`, or past it where it waits for a lock of what is stuck."""
        thread = threading.Thread(target=self.say, args=(line,), daemon=True)
        thread.start()
        thread.join(SAYING)
        if thread.is_alive():
            _write_line(line)

    @staticmethod
    def _body_handles(number: int) -> bool:
        return signal.getsignal(number) not in (_raise_once, _ignore)

    def _is_closed_after_echoes(self) -> bool:
        """Take the same signal sent again at once as one: `timeout` signals a command and then
        its group."""
        try:
            while self._next(ECHO) is not None:
                pass
        except TimeoutError:
            return False
        return True

    def _next(self, seconds: float | None) -> int | None:
        """The next signal of HANDLED; None at the end. Raises TimeoutError."""
        self._heard.settimeout(seconds)
        while data := self._heard.recv(1):
            if data[0] in HANDLED:
                return data[0]
        return None


def _has_busy_threads() -> bool:
    main = threading.main_thread()
    return any(not one.daemon and one is not main for one in threading.enumerate())


def _exit_now(code: int) -> None:
    """Without waiting for anybody; temporary files go."""
    import multiprocessing

    discard_parts()
    if _is_terminal():
        _write_to_stderr(SHOW_CURSOR)  # which progress bars hide
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(code)


def _write_line(text: str) -> None:
    """In place of a progress bar's line, if there is one."""
    _write_to_stderr(f"{ERASE_LINE if _is_terminal() else ''}{text}\n")


def _is_terminal() -> bool:
    """Whether stderr is a terminal that can redraw lines."""
    with suppress(ValueError, AttributeError):
        return os.environ.get("TERM") != "dumb" and sys.__stderr__.isatty()  # type: ignore[union-attr]
    return False


def _write_to_stderr(text: str) -> None:
    """Past all buffers and locks, which a busy thread may hold."""
    with suppress(OSError, ValueError, AttributeError):  # closed, or none from the beginning
        os.write(sys.__stderr__.fileno(), text.encode())  # type: ignore[union-attr]
