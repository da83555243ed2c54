"""The man page says what the help says."""

import shutil
import subprocess
from pathlib import Path

import pytest

from srgan_cli.cli import main
from srgan_cli.cli.command import Group
from srgan_cli.cli.man_page import man_page

PAGE = Path(__file__).parents[2] / "docs" / "srgan.1"


@pytest.fixture(autouse=True)
def no_defaults_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODEL", "DEVICE", "PRECISION"):
        monkeypatch.delenv(f"SRGAN_{name}", raising=False)


def text() -> str:
    assert isinstance(main, Group)
    return man_page(main)


def test_the_page_in_docs_is_that_of_the_present_help() -> None:
    again = "python -m srgan_cli.cli.man_page > docs/srgan.1"
    assert PAGE.read_text() == text(), f"the help has changed; run: {again}"


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_roff_shows_every_command_and_option_without_a_warning() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-rLL=78n", "-P-cbou"],
        input=text(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name, command in main.commands.items():
        assert f"srgan {name}" in done.stdout
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                hidden = getattr(parameter, "hidden", False)
                aliases = getattr(parameter, "aliases", ())
                assert hidden or option in aliases or option in done.stdout
