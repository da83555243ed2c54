"""Ctrl-C and SIGTERM are answered at once, even where Python cannot run a handler."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BEGINNING = """
import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from srgan_cli.cli import signals
from srgan_cli.files import atomic_write

def block():  # as a codec does: without the lock of the interpreter, and deaf to signals
    library, mutex = ctypes.CDLL(None), (ctypes.c_char * 256)()
    library.pthread_mutex_lock(mutex)
    print("ready", flush=True)
    library.pthread_mutex_lock(mutex)

"""


@pytest.fixture
def start(tmp_path) -> Iterator:
    """Start a script, and wait for the line `ready`."""
    processes = []

    def started(body: str, number: int = signal.SIGINT) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", BEGINNING + body],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield started
    for process in processes:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_advice_is_the_last_line_and_the_code_the_usual_one(start, number, code):
    process = start(
        "with signals.handle_signals('go on'):\n"
        "    print('ready', flush=True)\n    signal.pause()\n"
    )
    process.send_signal(number)
    stderr = process.communicate()[1]
    assert process.returncode == code
    assert stderr.splitlines()[-1] == "Stopped: go on"
    assert stderr.startswith("Stopping")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_is_deaf_is_ended_after_the_grace_and_its_parts_go(start, tmp_path, number, code):
    process = start(
        "signals.CLEANUP_SECONDS = 0.1\n"
        "with signals.handle_signals('go on'), atomic_write(Path('a')) as file:\n"
        "    file.write(b'half')\n"
        "    block()\n"
    )
    assert [path.name[:3] for path in tmp_path.iterdir()] == [".a."]
    process.send_signal(number)
    stderr = process.communicate()[1]
    assert process.returncode == code
    assert [line.split(":")[0] for line in stderr.splitlines()] == ["Stopping", "Stopped"]
    assert not list(tmp_path.iterdir())


def test_the_same_signal_twice_at_once_is_one(start):
    process = start(
        "signals.CLEANUP_SECONDS = 1000\n"
        "signals.DUPLICATE_SECONDS = 1000\n"
        "with signals.handle_signals('go on', before_exit='saving'):\n"
        "    heard = threading.Event()\n"
        "    signal.signal(signal.SIGTERM, lambda *_: heard.set())\n"
        "    print('ready', flush=True)\n"
        "    heard.wait()\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('saved')\n"
    )
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (0, "saved\n")
    assert stderr.count("Stopping: saving") == 1


def test_signals_of_a_forked_process_are_its_own(start):
    process = start(
        "with signals.handle_signals('go on', before_exit='saving'):\n"
        "    signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "print('ready', flush=True)\n"
    )
    assert process.communicate()[1] == ""
    assert process.returncode == 0


def test_a_forked_process_that_lives_on_does_not_keep_the_command(start):
    process = start(
        "read, write = os.pipe()\n"
        "with signals.handle_signals('go on'):\n"
        "    if os.fork() == 0:\n"
        "        os.close(write)\n"
        "        os.read(read, 1)  # until the other process has ended\n"
        "        os._exit(0)\n"
        "print('ready', flush=True)\n"
    )
    assert process.communicate()[1] == ""
    assert process.returncode == 0


@pytest.mark.parametrize("how", ["", ", before_exit='saving'"])
def test_a_second_signal_ends_at_once(start, how):
    process = start(
        f"signals.CLEANUP_SECONDS = 1000\nwith signals.handle_signals('go on'{how}):\n    block()\n"
    )
    process.send_signal(signal.SIGINT)
    assert first_line(process).startswith("Stopping")
    process.send_signal(signal.SIGINT)
    stderr = process.communicate()[1]
    assert process.returncode == 130
    assert stderr == "Stopped: go on\n"


def test_who_finishes_something_first_has_all_the_time(start):
    process = start(
        "signals.CLEANUP_SECONDS = 0\n"
        "with signals.handle_signals('go on', before_exit='saving'):\n"
        "    heard = threading.Event()\n"
        "    signal.signal(signal.SIGTERM, lambda *_: heard.set())\n"
        "    print('ready', flush=True)\n"
        "    heard.wait()\n"
        "    print('saved')\n"
        "    sys.exit(7)\n"
    )
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (7, "saved\n")
    assert "saving" in stderr


def test_a_thread_that_waits_for_standard_input_does_not_delay_the_end(start):
    process = start(
        "with signals.handle_signals('go on'):\n"
        "    threading.Thread(target=block).start()\n"
        "    signal.pause()\n"
    )
    process.send_signal(signal.SIGTERM)
    stderr = process.communicate()[1]
    assert process.returncode == 143
    assert "Fatal" not in stderr


def test_an_ignored_ctrl_c_stays_ignored(start):
    process = start(
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "with signals.handle_signals('go on'):\n"
        "    print('ready', flush=True)\n    signal.pause()\n"
    )
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert process.communicate()[1].count("Stopping") == 1
    assert process.returncode == 143


def test_a_full_stderr_does_not_keep_it_from_ending(start, tmp_path):
    process = start(
        "os.close(2)\n"
        "with signals.handle_signals('go on'):\n"
        "    print('ready', flush=True)\n    signal.pause()\n"
    )
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_every_command_answers_signals(start, number, code):
    process = start(
        "from srgan_cli.cli.command import Command\n"
        "def body():\n    print('ready', flush=True)\n    signal.pause()\n"
        "Command('name', callback=body).main([])\n",
    )
    process.send_signal(number)
    stderr = process.communicate()[1]
    assert process.returncode == code
    assert stderr.splitlines()[-1].startswith("Stopped: ")
    assert "Traceback" not in stderr


DISPLAY = """
import os, signal, threading
from rich.live import Live
from srgan_cli.cli import signals
from srgan_cli.cli.console import Output

output = Output()
heard, acknowledged = threading.Event(), threading.Event()

def say(line):
    output.info(line)
    acknowledged.set()

with signals.handle_signals("go on", before_exit="saving", print_line=say):
    signal.signal(signal.SIGINT, lambda *_: heard.set())
    with Live("first line\\nsecond line", console=output.console, transient=True) as live:
        os.kill(os.getpid(), signal.SIGINT)
        heard.wait()
        acknowledged.wait()
"""
AGAIN = """
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait()
"""


def on_a_terminal(script: str) -> tuple[int, str]:
    """The exit code, and what a terminal received."""
    own, others = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stderr=others,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(others)
    seen = b""
    try:
        while chunk := os.read(own, 1 << 16):
            seen += chunk
    except OSError:  # the end, on Linux
        pass
    os.close(own)
    return process.wait(), seen.decode()


def test_the_acknowledgment_stands_above_a_display_of_two_lines():
    code, seen = on_a_terminal(DISPLAY)
    assert code == 0
    before, after = seen.split("Stopping: saving; a second signal ends at once")
    assert before.endswith("\x1b[1A\x1b[2K")  # both lines of the display are erased
    assert after.startswith("\r\nfirst line")


def test_an_end_at_once_gives_the_cursor_back():
    code, seen = on_a_terminal(DISPLAY + AGAIN)
    assert code == 130
    assert "\x1b[2KStopped: go on\r\n" in seen
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")


def test_a_signal_during_the_last_steps_changes_nothing(start):
    process = start(
        """
def discard_parts():
    os.kill(os.getpid(), signal.SIGINT)

signals.discard_parts = discard_parts
with signals.handle_signals("go on"):
    print("ready", flush=True)
    signal.pause()
"""
    )
    process.send_signal(signal.SIGINT)
    stderr = process.communicate()[1]
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
