"""Ctrl-C and SIGTERM: answered at once, with the usual exit codes.

Python runs signal handlers in the main thread only, which may be decoding, computing or waiting for
a lock. So a thread reads signals from the wakeup file descriptor: it prints a line for the first
one, and ends the process if that takes too long or at a second one.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from srgan_cli.cli.console import can_draw_bars
from srgan_cli.files import discard_parts

HANDLED = (signal.SIGINT, signal.SIGTERM)
CLEANUP_SECONDS = 3.5
"""Seconds that a command has to end after the first signal."""

PRINT_SECONDS = 0.5
"""Seconds that printing may wait for the display's lock."""

SHOW_CURSOR = "\x1b[?25h"
ERASE_LINE = "\r\x1b[2K"

PrintLine = Callable[[str], None]

DUPLICATE_SECONDS = 0.02
"""Seconds after a signal within which another one is ignored."""


class TerminateSignal(BaseException):
    """Raised for SIGTERM. A BaseException, as KeyboardInterrupt."""


@contextmanager
def handle_signals(
    hint: str, *, before_exit: str | None = None, print_line: PrintLine | None = None
) -> Iterator[None]:
    """End with 130 after Ctrl-C and 143 after SIGTERM, `hint` being the last line.

    The first signal raises KeyboardInterrupt or TerminateSignal in the body, which then has
    CLEANUP_SECONDS; a second one ends the process at once. before_exit: what the body does first,
    however long it takes, while it has handlers of its own. print_line: prints above a progress
    display. Outside of the main thread, where signals do not arrive, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    listener = _Listener(hint, before_exit, print_line or _write_line)
    with _handlers():  # to the end: the usual ones would turn an exit code into a traceback
        try:
            with listener:
                yield
        except (KeyboardInterrupt, TerminateSignal) as stop:
            _ignore_signals()
            code = 128 + (signal.SIGTERM if isinstance(stop, TerminateSignal) else signal.SIGINT)
            listener.print_exit()
            discard_parts()  # a signal may come between the making of a file and the care for it
            if _has_running_threads():  # such as one that waits for standard input
                _exit_now(code)
            sys.exit(code)


def _reset_signal_fd() -> None:
    """In a forked process: do not report its signals to the parent."""
    with suppress(ValueError):
        signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_signal_fd)


def _raise_once(number: int, frame: FrameType | None) -> None:
    _ignore_signals()
    raise TerminateSignal if number == signal.SIGTERM else KeyboardInterrupt


def _ignore_signals() -> None:
    for number in HANDLED:
        if signal.getsignal(number) is _raise_once:
            signal.signal(number, _ignore)


def _ignore(number: int, frame: FrameType | None) -> None:
    """The listener still receives it."""


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
    """A context manager whose thread receives signals."""

    def __init__(self, hint: str, before_exit: str | None, print_line: PrintLine) -> None:
        self.hint = hint
        self.before_exit = before_exit
        self.print_line = print_line
        self._read_socket, self._write_socket = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ending = threading.Lock()

    def __enter__(self) -> None:
        self._write_socket.setblocking(False)
        self._before = signal.set_wakeup_fd(self._write_socket.fileno(), warn_on_full_buffer=False)
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        signal.set_wakeup_fd(self._before)
        self._write_socket.shutdown(socket.SHUT_RDWR)  # a forked process may have it open
        self._write_socket.close()
        self._thread.join()
        self._read_socket.close()

    def print_exit(self) -> None:
        if self._ending.acquire(blocking=False):
            _write_line(f"Stopped: {self.hint}")

    def _run(self) -> None:
        first = self._next(None)
        if first is None:
            return
        before_exit = self.before_exit if self._body_handles(first) else None
        closed = self._skip_duplicates()
        self._print_received(
            f"Stopping: {before_exit or 'cleaning up'}; a second signal ends at once"
        )
        with suppress(TimeoutError):
            if closed or self._next(None if before_exit else CLEANUP_SECONDS) is None:
                return
        self.print_exit()
        _exit_now(128 + first)

    def _print_received(self, line: str) -> None:
        """Print by `print_line`, or directly if that waits for a lock."""
        thread = threading.Thread(target=self.print_line, args=(line,), daemon=True)
        thread.start()
        thread.join(PRINT_SECONDS)
        if thread.is_alive():
            _write_line(line)

    @staticmethod
    def _body_handles(number: int) -> bool:
        return signal.getsignal(number) not in (_raise_once, _ignore)

    def _skip_duplicates(self) -> bool:
        """Ignore a signal that is sent again at once: `timeout` signals a command and then its
        group.
        """
        try:
            while self._next(DUPLICATE_SECONDS) is not None:
                pass
        except TimeoutError:
            return False
        return True

    def _next(self, seconds: float | None) -> int | None:
        """The next signal of HANDLED; None at the end. Raises TimeoutError."""
        self._read_socket.settimeout(seconds)
        while data := self._read_socket.recv(1):
            if data[0] in HANDLED:
                return data[0]
        return None


def _has_running_threads() -> bool:
    main = threading.main_thread()
    return any(not one.daemon and one is not main for one in threading.enumerate())


def _exit_now(code: int) -> None:
    """Exit without waiting for threads; removes temporary files."""
    import multiprocessing

    discard_parts()
    if can_draw_bars(sys.__stderr__):
        _write_to_stderr(SHOW_CURSOR)  # which progress bars hide
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(code)


def _write_line(text: str) -> None:
    """Write a line to stderr, over a progress bar's line if there is one."""
    _write_to_stderr(f"{ERASE_LINE if can_draw_bars(sys.__stderr__) else ''}{text}\n")


def _write_to_stderr(text: str) -> None:
    """Write directly: another thread may hold stderr's lock."""
    with suppress(OSError, ValueError, AttributeError):  # closed, or none from the beginning
        os.write(sys.__stderr__.fileno(), text.encode())  # type: ignore[union-attr]
