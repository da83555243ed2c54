"""`srgan upscale`: formats and their settings, names, streams and limits of the results."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from helpers import noise_file, srgan
from PIL import Image as Pillow

from srgan_cli.batch.plan import Job
from srgan_cli.batch.run import JobOptions, run_jobs
from srgan_cli.images.formats import FORMAT_NAMES, Encoding
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_header, read_image
from srgan_cli.images.write import write_image
from srgan_cli.inference.engine import ProgressCallback, no_progress
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.resample import resize_array
from srgan_cli.weights.container import read_weights
from srgan_cli.weights.zoo import bundled_folder

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(bundled_folder().glob("*.safetensors"))

PLAIN = {"srcnn": (4, 1), "srresnet": (1, 2)}
"""Levels by which a network may miss full black and other plain colors, where the rest may miss 1:
these paint the whole image, not what a bicubic one lacks, and plain colors are rare."""

IN_CORNERS, STRONG_IN_CORNERS = 4, 12
"""Levels by which plain colors, and the strongest ones, may miss in corners of images that are not
reflected at their edges."""


def upscale(*words: object, model: tuple[object, ...] = ("-m", "bicubic"), **how: object) -> Result:
    return srgan("upscale", *words, *model, **how)


def done(*words: object, **how: object) -> Result:
    result = upscale(*words, **how)
    assert result.exit_code == 0, result.output
    return result


def larger(path: str) -> np.ndarray:
    low = read_image(Path(path)).pixels
    return resize_array(low, 4 * low.shape[0], 4 * low.shape[1])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def size(*words: object) -> int:
    """Bytes of the result."""
    done("in.png", "-o", "out", *words)
    return Path("out").stat().st_size


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jpeg2000"])
def test_quality_decides_the_size(name):
    noise_file(Path("in.png"), 12)
    low, middle, high = (size("--format", name, "--quality", number) for number in (20, 60, 95))
    assert low < middle < high


@pytest.mark.parametrize("name", ["webp", "png", "tiff", "jpeg2000"])
def test_lossless_is_exact_and_smaller_than_nothing_done(name):
    noise_file(Path("in.png"), 12)
    size("--format", name, "--lossless")
    np.testing.assert_array_equal(read_image(Path("out")).pixels, larger("in.png"))


@pytest.mark.parametrize("name", ["png", "tiff"])
def test_compression_changes_the_size_alone(name):
    write_image(Image(np.zeros((40, 50, 3), np.uint8)), Path("in.png"))
    stored, small = (size("--format", name, "--compression", number) for number in (0, 9))
    assert small < stored / 10
    np.testing.assert_array_equal(read_image(Path("out")).pixels, larger("in.png"))


def test_jpeg_keeps_the_color_of_every_pixel():
    noise_file(Path("in.png"))
    done("in.png", "-o", "out.jpg")
    with Pillow.open("out.jpg") as opened:
        assert {component[1:3] for component in opened.layer} == {(1, 1)}


def test_a_large_noisy_jpeg_does_not_fail():
    noise_file(Path("in.png"), 300)
    done("in.png", "-o", "out.jpg", "-s", 3, "--quality", 100)
    assert read_header(Path("out.jpg")).width == 903


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_format_decides_whatever_the_name_says_and_names_follow_it(name):
    noise_file(Path("in.png"))
    done("in.png", "-o", "out.png", "--format", name)
    done("in.png", "-o", "out/", "--format", name)
    (made,) = Path("out").iterdir()
    assert read_header(made).format == name
    assert Path("out.png").read_bytes() == made.read_bytes()


def test_an_unknown_suffix_is_a_usage_error_that_lists_the_known_ones():
    noise_file(Path("in.png"))
    result = upscale("in.png", "-o", "out.xyz")
    assert result.exit_code == 2
    assert ".jpg .jpeg" in result.stderr
    assert "give --format" in result.stderr


@pytest.mark.parametrize(
    ("width", "target", "most"),
    [(16_376, "out.jpg", "65,500"), (4096, "out.webp", "16,383"), (65, "out.ico", "256")],
)
def test_sides_that_are_too_long_for_a_format_are_refused(width, target, most):
    write_image(Image(np.zeros((2, width, 1), np.uint8)), Path("in.png"))
    result = upscale("in.png", "-o", target)
    assert result.exit_code == 1
    assert f"is limited to {most} pixels per side; use another suffix" in result.stderr
    assert "--format: " in result.stderr
    assert not Path(target).exists()


class Idle(UpscalePipeline):
    def __call__(self, image: Image, tell: ProgressCallback = no_progress) -> Image:
        raise AssertionError("the work began")


@pytest.mark.parametrize("name", ["out.jpg", "out.bmp", "out.ico"])
def test_what_a_format_cannot_hold_is_refused_before_the_work(name):
    write_image(Image(np.zeros((9, 300, 3), np.uint16)), Path("in.tif"))
    (outcome,) = run_jobs([Job(Path("in.tif"), Path(name))], JobOptions(Idle(), Encoding(), 10**6))
    assert "is limited to 8 bits per sample" in str(outcome.error)


def test_deep_images_do_not_become_jpeg():
    write_image(Image(np.zeros((9, 9, 3), np.uint16)), Path("in.tif"))
    result = upscale("in.tif", "-o", "out.jpg")
    assert result.exit_code == 1
    assert "JPEG is limited to 8 bits per sample; use another suffix or --format" in result.stderr
    assert not Path("out.jpg").exists()


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """srgan is this Python's."""
    own = f"{shlex.quote(sys.executable)} -m srgan_cli"
    path = os.environ | {"PYTHONPATH": str(ROOT)}
    words = ["sh", "-c", f'srgan() {{ {own} "$@"; }}; {command}']
    return subprocess.run(words, capture_output=True, text=True, env=path, check=False)


def test_a_shell_pipes_images_through_and_leaves_quoted_globs_alone():
    noise_file(Path("a.png"))
    ended = shell("cat a.png | srgan upscale - -o - --format png -m bicubic | cat > b.png")
    assert (ended.returncode, ended.stdout) == (0, "")
    np.testing.assert_array_equal(read_image(Path("b.png")).pixels, larger("a.png"))
    done("[ab].p?g", "-o", "out")
    assert sorted(path.name for path in Path("out").iterdir()) == ["a_x4.png", "b_x4.png"]


def test_a_closed_output_is_an_error_that_says_so():
    noise_file(Path("a.png"))
    ended = shell("srgan upscale a.png -o - --format png -m bicubic >&-")
    assert ended.returncode == 1
    assert "standard output is closed" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_pipe_with_a_name_is_an_error_that_knows_what_to_do():
    os.mkfifo("pipe.png")
    for words in (("-o", "b.png"), ("-o", "out/", "--width", 9)):
        result = upscale("pipe.png", *words)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: pipe.png: is a pipe; give - for the input")


def test_name_is_a_template():
    noise_file(Path("in/a b.png"))
    done("in", "-o", "out", "--name", "{model} {stem}, {width}x{height} by {scale}{suffix}")
    assert [path.name for path in Path("out").iterdir()] == ["bicubic a b, 24x20 by 4.png"]
    assert upscale("in", "-o", "out", "--name", "{stm}.png").exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("in.png", "--scale", 2, "--width", 9),
        ("in.png", "-o", "-", "--format", "png", "--json"),
        ("in.png", "-o", "-"),
        ("in.png", "--quality", 101),
        ("in.png", "--format", "eps"),
        ("in.png", "--nonsense"),
        ("in.png", "--megapixels", "inf"),
        ("in.png", "--megapixels", "nan"),
        ("in.png", "--scale", "1e999999999"),
        ("in.png", "--scale", "1e-999999999"),
        ("in.png", "--width", 10**23),
        ("in.png", "--size", f"{10**23}x5"),
        (),
    ],
)
def test_a_wrong_command_line_is_2_and_touches_nothing(words):
    noise_file(Path("in.png"))
    assert upscale(*words).exit_code == 2
    assert os.listdir() == ["in.png"]  # noqa: PTH208


@pytest.fixture
def by_shipped() -> Callable[[Path, Image], Image]:
    def enlarged(weights: Path, low: Image) -> Image:
        write_image(low, Path("low.png"))
        done("low.png", "-o", "high.png", model=("-w", weights))
        return read_image(Path("high.png"))

    return enlarged


@pytest.mark.parametrize("weights", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_networks_keep_plain_colors_gray_and_alpha(weights, by_shipped):
    network = read_weights(weights)
    black, other = PLAIN.get(network.architecture, (1, 1))
    corners = 0 if network.metadata.reflect_padding != 0 else IN_CORNERS
    for color in ((0, 0, 0), (127, 127, 127), (255, 255, 255), (200, 20, 90)):
        made = by_shipped(weights, Image(np.full((33, 36, 3), color, np.uint8))).pixels
        errors = np.abs(made.astype(int) - color)
        bound = other if any(color) else black
        border = 10 * network.metadata.scale
        assert errors[border:-border, border:-border].max() <= bound
        assert errors.max() <= max(bound, corners)
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 1), dtype=np.uint8)
    alpha = np.kron([[0, 255], [255, 0]], np.ones((6, 6))).astype(np.uint8)
    made = by_shipped(weights, Image(np.repeat(noise, 3, axis=2), alpha))
    assert made.gray
    assert [made.alpha[0, 0], made.alpha[0, -1], made.alpha[-1, 0]] == [0, 255, 255]


@pytest.mark.parametrize("weights", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_networks_keep_the_strongest_colors(weights, by_shipped):
    """Photographs hardly have them: a network that never saw such a blue may paint it black."""
    unreflected = read_weights(weights).metadata.reflect_padding == 0
    for color in set(product((0, 255), repeat=3)) - {(0, 0, 0), (255, 255, 255)}:
        made = by_shipped(weights, Image(np.full((12, 12, 3), color, np.uint8))).pixels
        errors = np.abs(made.astype(int) - color)
        assert errors.max() <= (STRONG_IN_CORNERS if unreflected else 8)


@pytest.mark.parametrize("weights", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_networks_keep_the_levels_of_16_bits(weights, by_shipped):
    ramp = np.linspace(0, 65535, 48)
    plane = (0.6 * ramp[:, None] + 0.4 * ramp).astype(np.uint16)
    made = by_shipped(weights, Image(plane[..., None]))
    assert len(np.unique(made.pixels)) > 4096
