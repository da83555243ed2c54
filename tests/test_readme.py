"""What README shows works as written."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from srgan_cli.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    lines = [
        line.removeprefix("$ ")
        for block in blocks("console")
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    parts = [part for line in lines for part in line.split(" && ")]
    return [shlex.split(part, comments=True)[1:] for part in parts if part.startswith("srgan ")]


def test_the_python_example_runs(tmp_path, monkeypatch, photo_file):
    (example,) = blocks("python")
    shutil.copy(photo_file, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README", "exec"), {})
    assert (tmp_path / "large.png").stat().st_size > 0


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_commands_and_options_exist(command):
    """Each is parsed as it stands, up to its --help."""
    result = CliRunner().invoke(main, [command[0], "--help"])
    assert result.exit_code == 0, result.output
    for option in (word for word in command[1:] if re.fullmatch(r"--?[a-z][a-z-]*", word)):
        assert re.search(rf"(?<![\w-]){option}\b", result.output), option


def test_pictures_exist():
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / name).is_file(), name
