"""`srgan upscale --denoise`: any point of a family, or a reason before any work."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from helpers import noise_file, srgan
from PIL import Image as Pillow

from srgan_cli.networks.fast import Fast
from srgan_cli.networks.int8 import int8_problem


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    noise_file(Path("in.png"))


def run(command: str, *words: object) -> Result:
    return srgan(*command.split(), *words)


def upscaled(*words: object) -> np.ndarray:
    result = run("upscale in.png -o out.png --precision fp32 --device cpu", *words)
    assert result.exit_code == 0, result.output
    with Pillow.open("out.png") as opened:
        return np.asarray(opened)


def test_the_mix_is_that_of_interp_with_the_same_shares(family: Path) -> None:
    files = [
        family / f"{name}.safetensors"
        for name in ("clean-x4-psnr", "clean-x4-gan", "photo-x4-psnr", "photo-x4-gan")
    ]
    run("interp -o mix.safetensors --shares .3,.1,.45,.15", *files)
    expected = upscaled("-w", "mix.safetensors")

    for words in ("--denoise .6", "-m clean -dn .6", "-m photo --denoise_strength .6"):
        np.testing.assert_array_equal(upscaled("--blend", 0.25, *words.split()), expected)


@pytest.mark.usefixtures("family")
def test_the_ends_are_the_models_themselves() -> None:
    for model, other, own in (("photo", "clean", 0), ("clean", "photo", 1)):
        made = upscaled("-m", model, "--denoise", own)
        np.testing.assert_array_equal(made, upscaled("-m", other))
        assert (made != upscaled("-m", model)).any()


@pytest.mark.usefixtures("family")
@pytest.mark.parametrize(
    ("words", "recorded"),
    [
        ("--denoise .3", ("photo", 1, 0.3)),
        ("-m clean --blend 0 --denoise 1", ("clean", 0, 1)),
        ("-m photo", ("photo", 1, 1)),
        ("-m clean", ("clean", 1, 0)),
        ("-m srcnn", ("srcnn", None, None)),
        ("-m bicubic", ("bicubic", None, None)),
    ],
)
def test_json_and_verbose_say_what_was_mixed(words: str, recorded: tuple[object, ...]) -> None:
    result = run("upscale in.png -o out.png --device cpu --json -v", *words.split())
    row = json.loads(result.stdout)
    assert (row["model"], row["blend"], row["denoise"]) == recorded
    assert (f"denoise {recorded[2]}" in result.stderr) == (recorded[2] is not None)


@pytest.mark.usefixtures("family")
@pytest.mark.skipif(int8_problem(Fast(features=4, blocks=1, thin=2)) is not None, reason="no int8")
def test_a_mix_is_one_network_for_int8() -> None:
    result = run("upscale in.png -o a.png --device cpu --precision int8 --denoise .5 -v")
    assert result.exit_code == 0, result.output
    assert "x4: cpu, int8, calibrated on a built-in image" in result.stderr


@pytest.mark.usefixtures("family")
def test_a_mix_is_one_network_for_tiles() -> None:
    noise_file(Path("in.png"), 40)
    whole, tiled = upscaled("--denoise", 0.5), upscaled("--denoise", 0.5, "--tile", 16)
    assert np.abs(whole.astype(int) - tiled).max() <= 1  # sums of floats in another order


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--denoise .5 -s 2", "at x2"),
        ("--denoise 0 -s 1.5", "at x2"),
        ("-m clean --denoise .5 -s 3", "at x3"),
        ("-m esrgan --denoise .5", "clean and photo"),
        ("-m esrgan --denoise 1", "clean and photo"),
        ("-m bicubic --denoise 1", "bicubic"),
        ("-w own.safetensors --denoise 1", "--weights"),
        ("--denoise 2", "0<=x<=1"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_what_cannot_be_mixed_is_a_usage_error_before_any_work(
    family: Path, words: str, reason: str, dry: list[str]
) -> None:
    Path("own.safetensors").write_bytes((family / "photo-x4-gan.safetensors").read_bytes())
    result = run("upscale in.png none.png -o out/", *words.split(), *dry)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert "none.png" not in result.stderr
    assert not Path("out").exists()


def test_files_of_no_family_are_a_usage_error_that_says_why(family: Path) -> None:
    (family / "clean-x4-gan.safetensors").write_bytes(Path("in.png").read_bytes())
    assert run("upscale in.png -o a.png --denoise .5").exit_code == 1  # damaged

    for end in ("psnr", "gan"):
        (family / f"clean-x4-{end}.safetensors").unlink()  # the shipped ones: other networks
    result = run("upscale in.png -o out.png --width 9 --denoise .5")
    assert result.exit_code == 2
    assert "no family" in result.stderr
    assert "differs from clean-x4-psnr" in result.stderr
    assert not Path("out.png").exists()
    assert upscaled("-m", "photo", "--denoise", 1).shape == (20, 24, 3)


@pytest.mark.usefixtures("family")
def test_sizes_in_pixels_take_the_x4_network() -> None:
    assert upscaled("--width", 9, "--denoise", 0.5).shape[1] == 9
    assert upscaled("-s", 16, "--denoise", 0.5).shape[1] == 16 * 6
