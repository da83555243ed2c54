"""`srgan upscale` from standard input, and to standard output."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import enlarged, noise_file, upscale
from PIL import Image as Pillow

pytestmark = pytest.mark.usefixtures("in_tmp_path")


def test_an_empty_standard_input_says_what_may_have_happened():
    result = upscale("-", "-o", "out.png", input=b"")
    assert result.exit_code == 1
    assert re.search("standard input is empty.*pipe", result.stderr)


def test_an_image_from_stdin_to_stdout():
    source = noise_file(Path("a.png")).read_bytes()
    result = upscale("-", "-o", "-", "--format", "png", input=source)
    assert result.exit_code == 0
    made = np.asarray(Pillow.open(io.BytesIO(result.stdout_bytes)))
    np.testing.assert_array_equal(made, enlarged(Path("a.png")))


def test_standard_input_is_bounded_by_max_bytes():
    data = noise_file(Path("a.png"), 40).read_bytes()
    assert 1000 < len(data) < 10_000
    refused = upscale("-", "-o", "out.png", "--max-bytes", "0.001MB", input=data)
    assert (refused.exit_code, "more than 1,000 bytes" in refused.stderr) == (1, True)
    assert not Path("out.png").exists()
    assert upscale("-", "-o", "out.png", "--max-bytes", "0.01MB", input=data).exit_code == 0
    assert upscale("-", "-o", "out.png", "--max-bytes", "much", input=data).exit_code == 2


def test_stdin_that_is_no_image_is_an_error_line():
    result = upscale("-", "-o", "out.png", input=b"nothing")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: -: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_a_full_disk_on_stdout_is_an_error_line():
    noise_file(Path("a.png"))
    words = ["upscale", "a.png", "-o", "-", "--format", "png", "-m", "bicubic"]
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "srgan_cli", *words]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        environment.pop("PYTHONUNBUFFERED", None)  # what is buffered must not fail at exit
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: standard output cannot be written")
    assert "Traceback" not in ended.stderr
