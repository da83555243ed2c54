"""Completion of command lines by Tab."""

import os
import pty
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers import srgan

from srgan_cli.cli.completion import SHELLS, VARIABLE
from srgan_cli.cli.flags import DEVICE_KINDS

ROOT = Path(__file__).parents[2]

PROGRAM = f"""#!/bin/sh
if [ -n "${VARIABLE}" ]; then exec {shlex.quote(sys.executable)} -m srgan_cli "$@"; fi
printf '<%s>\\n' "$@" end
"""
"""Completes as srgan does, and shows its arguments instead of running."""


COMMANDS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
SETUP = {
    "bash": "source ./srgan.bash",
    "zsh": "autoload -U compinit; compinit -u -D; source ./srgan.zsh",
}


class Shell:
    """bash or zsh, interactive on a pseudo-terminal."""

    def __init__(self, name: str, folder: Path) -> None:
        self.terminal, others = pty.openpty()
        path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
        self.process = subprocess.Popen(
            COMMANDS[name],
            stdin=others,
            stdout=others,
            stderr=others,
            cwd=folder,
            env={"PATH": path, "PYTHONPATH": str(ROOT), "TERM": "dumb", "INPUTRC": os.devnull},
        )
        os.close(others)

    def arguments(self, typed: str) -> list[str]:
        """Those that srgan gets when this is typed after `srgan `, and Return."""
        os.write(self.terminal, f"srgan {typed}\n".encode())
        seen = ""
        while "<end>" not in seen:
            seen += os.read(self.terminal, 1 << 16).decode()
        return [line[1:-1] for line in seen.split("\r\n") if line.startswith("<")][:-1]

    def type(self, line: str) -> None:
        os.write(self.terminal, f"{line}\n".encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With srgan on its bin/, scripts of all shells, and some files."""
    program = tmp_path / "bin" / "srgan"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    for name in SHELLS:
        script = srgan("completion", name).stdout
        (tmp_path / f"srgan.{name}").write_text(script)
    for name in ("my photo.jpg", "weights.pth"):
        (tmp_path / name).touch()
    (tmp_path / "photos").mkdir()
    return tmp_path


@contextmanager
def shell(name: str, folder: Path) -> Iterator[Shell]:
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}")
    opened = Shell(name, folder)
    opened.type(SETUP[name])
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.parametrize(("name", "slash"), [("bash", "/"), ("zsh", "")])
def test_commands_options_models_and_files_complete(name: str, slash: str, folder: Path) -> None:
    with shell(name, folder) as opened:
        for typed, expected in (
            ("ups\t", ["upscale"]),
            ("upscale --color\t", ["upscale", "--color-fix"]),
            ("upscale -m pho\t", ["upscale", "-m", "photo"]),
            ("upscale my\t", ["upscale", "my photo.jpg"]),
            ("upscale -w wei\t", ["upscale", "-w", "weights.pth"]),
            ("compare my\t-m clea\t", ["compare", "my photo.jpg", "-m", "clean"]),
            ("train pho\t", ["train", f"photos{slash}"]),
        ):
            assert opened.arguments(typed) == expected


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("ups", "upscale"),
        ("upscale --color", "--color-fix"),
        ("upscale -m pho", "photo"),
        ("upscale my", "my photo.jpg"),
        ("train pho", "photos/"),
    ],
)
def test_fish_completes_them_too(typed: str, expected: str, folder: Path) -> None:
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        ["fish", "-c", f"source srgan.fish; complete -C'srgan {typed}'"],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\t")[0].strip() == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_all_that_is_on_stdout(shell: str) -> None:
    result = srgan("completion", shell)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert f"{VARIABLE}={shell}_complete" in result.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_can_read_the_script() -> None:
    text = srgan("completion", "bash").stdout
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_another_shell_is_a_usage_error() -> None:
    result = srgan("completion", "cmd")
    assert result.exit_code == 2
    assert "zsh" in result.stderr


def completions(*words: str) -> list[list[str]]:
    """[type, value] of what can stand for the last word."""
    environment = {
        VARIABLE: "bash_complete",
        "COMP_WORDS": shlex.join(["srgan", *words]),
        "COMP_CWORD": str(len(words)),
    }
    result = srgan(env=environment, prog_name="srgan")
    return [line.split(",", 1) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    "words",
    [
        ("upscale", "x"),
        ("info", "x"),
        ("convert", "x"),
        ("eval", "x"),
        ("rate", "x"),
        ("train", "photos", "--vgg", "x"),
        ("interp", "a", "b", "-o", "x"),
    ],
)
def test_files_are_left_to_the_shell(words: tuple[str, ...]) -> None:
    assert completions(*words) == [["file", "x"]]


def test_values_of_options_are_completed() -> None:
    assert completions("upscale", "--device", "c") == [
        ["plain", kind] for kind in DEVICE_KINDS if kind.startswith("c")
    ]
    assert completions("upscale", "--format", "web") == [["plain", "webp"]]
    assert ["plain", "bf16"] in completions("upscale", "--precision", "b")
    assert completions("train", "--recipe", "srg") == [["plain", "srgan"]]
    assert completions("eval", "a.png", "-m", "bicu") == [["plain", "bicubic"]]


def test_aliases_are_not_offered() -> None:
    offered = [value for _, value in completions("upscale", "--")]
    assert "--scale" in offered
    assert not {"--outscale", "--ext", "--suffix"} & {*offered}
