"""`srgan upscale` on one image: what goes in comes out, larger."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from helpers import srgan
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import read_frames, read_image
from srgan_cli.images.write import write_image
from srgan_cli.resample import resize_array
from srgan_cli.weights.container import write_weights

BICUBIC = ("-m", "bicubic")


def upscale(*words: object) -> Result:
    return srgan("upscale", *words)


def done(*words: object) -> Result:
    result = upscale(*words)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def saved(tmp_path) -> Callable[..., Path]:
    def save(image: Image | ImageSequence, name: str = "in.png", **how: object) -> Path:
        write_image(image, tmp_path / name, Encoding(**how))
        return tmp_path / name

    return save


def samples(height: int, width: int, channels: int, dtype: type, seed: int = 0) -> Image:
    drawn = np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max, (height, width, channels), dtype=dtype, endpoint=True
    )
    alpha = None if channels in (1, 3) else drawn[..., -1]
    return Image(drawn if alpha is None else drawn[..., :-1], alpha)


@pytest.mark.parametrize(
    ("option", "size"),
    [
        (("--scale", 4), (200, 148)),
        (("--scale", 2.5), (125, 93)),
        (("--scale", "1/3"), (17, 12)),
        (("--scale", 5), (250, 185)),
        (("--size", "120x300"), (120, 89)),
        (("--width", 77), (77, 57)),
        (("--height", 77), (104, 77)),
        (("--megapixels", 0.01), (116, 86)),
        ((), (200, 148)),
    ],
)
def test_sizes_are_exact(saved, noise, tiny_file, tmp_path, option, size):
    for network in (BICUBIC, ("-w", tiny_file)):
        done(saved(noise), "-o", tmp_path / "out.png", *network, *option)
        with Pillow.open(tmp_path / "out.png") as made:
            assert made.size == size


def test_bicubic_is_the_filter_of_the_benchmarks(saved, noise, tmp_path):
    done(saved(noise), "-o", tmp_path / "out.png", *BICUBIC, "-s", 3)
    wanted = resize_array(noise.pixels, 111, 150)
    np.testing.assert_array_equal(read_image(tmp_path / "out.png").pixels, wanted)


def test_a_scale_between_is_a_pass_too_many_shrunk(saved, noise, tiny_file, tmp_path):
    source = saved(noise)
    done(source, "-o", tmp_path / "4.png", "-w", tiny_file)
    done(source, "-o", tmp_path / "3.png", "-w", tiny_file, "-s", 3)
    wanted = resize_array(read_image(tmp_path / "4.png").pixels, 111, 150)
    np.testing.assert_array_equal(read_image(tmp_path / "3.png").pixels, wanted)


def test_sixteen_times_is_twice_four_times(saved, tiny_file, tmp_path):
    first, second, both = (tmp_path / name for name in ("a.png", "b.png", "c.png"))
    source = saved(samples(8, 9, 3, np.uint8))
    done(source, "-o", first, "-w", tiny_file)
    done(first, "-o", second, "-w", tiny_file)
    result = done(source, "-o", both, "-w", tiny_file, "-s", 16, "-v")
    assert "x4, x4" in result.stderr
    np.testing.assert_array_equal(read_image(second).pixels, read_image(both).pixels)


def test_a_target_not_larger_is_a_plain_resize_and_said_so(saved, noise, tiny_file, tmp_path):
    result = done(saved(noise), "-o", tmp_path / "out.png", "-w", tiny_file, "-s", 0.5)
    assert "not larger than the input" in result.stderr
    wanted = resize_array(noise.pixels, 19, 25)
    np.testing.assert_array_equal(read_image(tmp_path / "out.png").pixels, wanted)


def test_a_network_of_scale_one_is_used(saved, noise, tmp_path, make_weights):
    write_weights(make_weights(scale=1), tmp_path / "one.safetensors")
    result = done(saved(noise), "-o", tmp_path / "out.png", "-w", tmp_path / "one.safetensors")
    made = read_image(tmp_path / "out.png").pixels
    assert made.shape == noise.pixels.shape
    assert (made != noise.pixels).any()
    assert "not larger" not in result.stderr


FORMATS = {"png": 16, "tif": 16, "webp": 8, "jpg": 8, "jp2": 16, "ppm": 16}


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.integers(1, 4),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    suffix=st.sampled_from(sorted(FORMATS)),
    scale=st.sampled_from(["0.5", "1", "2", "2.5", "4"]),
)
@example(height=8, width=8, channels=2, dtype=np.uint16, suffix="jp2", scale="4")
@example(height=8, width=8, channels=2, dtype=np.uint8, suffix="jp2", scale="4")
@example(height=8, width=8, channels=1, dtype=np.uint8, suffix="webp", scale="4")
def test_size_mode_and_depth_are_kept(
    saved, tiny_file, tmp_path, height, width, channels, dtype, suffix, scale
):
    """And the mean color is bicubic's, within 2 levels."""
    image = samples(height, width, channels, dtype)
    source, target = saved(image), tmp_path / f"out.{suffix}"
    target.unlink(missing_ok=True)
    options = ("--lossless",) if suffix in ("webp", "jp2") else ()
    result = upscale(source, "-o", target, "-w", tiny_file, "-s", scale, *options)
    able = FORMATS[suffix] >= image.depth and (channels in (1, 3) or suffix not in ("jpg", "ppm"))
    small = suffix == "jp2" and image.depth == 16 and min(height, width) * float(scale) < 32
    if not able or small:
        assert result.exit_code == 1
        assert not target.exists()
        return
    assert result.exit_code == 0, result.output
    made = read_image(target)
    sides = [max(1, int(side * float(scale) + 0.5)) for side in (height, width)]
    assert [made.height, made.width] == sides
    assert made.depth == image.depth
    assert (made.alpha is None) == (image.alpha is None)
    in_color = suffix == "webp" or (suffix == "jp2" and channels == 2 and image.depth == 16)
    assert made.pixels.shape[2] == (3 if in_color else image.pixels.shape[2])
    if image.alpha is None:
        plain = resize_array(image.pixels, *sides).astype(float)
        shift = (made.pixels - plain).mean(axis=(0, 1)) / np.iinfo(dtype).max * 255
        assert np.abs(shift).max() < 2 + 4 * (suffix == "jpg")


def test_gray_stays_gray(saved, tiny_file, tmp_path):
    gray = samples(20, 20, 1, np.uint8)
    done(saved(gray), "-o", tmp_path / "1.png", "-w", tiny_file)
    assert read_image(tmp_path / "1.png").pixels.shape[2] == 1
    in_rgb = Image(np.repeat(gray.pixels, 3, axis=2))
    done(saved(in_rgb), "-o", tmp_path / "2.png", "-w", tiny_file)
    assert read_image(tmp_path / "2.png").gray


def test_a_ramp_of_16_bits_keeps_its_levels(saved, tiny_file, tmp_path):
    ramp = np.linspace(0, 65535, 6000).astype(np.uint16)
    image = Image(np.broadcast_to(ramp[None, :, None], (4, 6000, 1)).copy())
    done(saved(image, "in.tif"), "-o", tmp_path / "out.png", "-w", tiny_file, "-s", 2)
    made = read_image(tmp_path / "out.png").pixels
    assert len(np.unique(made)) > 4096


def test_16_bits_run_in_float32_unless_a_precision_is_named(saved, tiny_file, tmp_path):
    source = saved(samples(20, 20, 3, np.uint16))
    made = {}
    for precision in ("auto", "fp32", "bf16"):
        done(source, "-o", tmp_path / "o.png", "-w", tiny_file, "--precision", precision)
        made[precision] = read_image(tmp_path / "o.png").pixels
    np.testing.assert_array_equal(made["auto"], made["fp32"])
    assert (made["bf16"] != made["fp32"]).any()


@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_constant_images_stay_constant_by_bicubic(saved, tmp_path, level):
    image = Image(np.full((9, 13, 3), level, np.uint8))
    done(saved(image), "-o", tmp_path / "out.png", *BICUBIC, "-s", 3.7)
    assert (read_image(tmp_path / "out.png").pixels == level).all()


@pytest.mark.parametrize("scale", [1.5, 4, 6, 16])
def test_alpha_is_exact_where_it_is_even(saved, tiny_file, tmp_path, scale):
    alpha = np.zeros((24, 24), np.uint8)
    alpha[8:16, 8:16] = 255
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    done(saved(Image(pixels, alpha)), "-o", tmp_path / "out.png", "-w", tiny_file, "-s", scale)
    made = read_image(tmp_path / "out.png").alpha
    inner = slice(int(11 * scale), int(13 * scale))
    assert (made[inner, inner] == 255).all()
    edge = int(5 * scale)
    assert not made[:edge].any()
    assert not made[:, -edge:].any()
    assert [made[0, 0], made[0, -1], made[-1, 0], made[-1, -1]] == [0, 0, 0, 0]


def test_images_wholly_opaque_or_wholly_clear_stay_so(saved, tiny_file, tmp_path):
    for level in (0, 255):
        image = Image(np.full((9, 9, 3), 99, np.uint8), np.full((9, 9), level, np.uint8))
        done(saved(image), "-o", tmp_path / "out.png", "-w", tiny_file, "-s", 2.5)
        assert (read_image(tmp_path / "out.png").alpha == level).all()


def test_metadata_is_carried_over_and_strip_drops_it(saved, tmp_path):
    image = Image(np.zeros((9, 9, 3), np.uint8), dpi=(300, 300), text={"Title": "Night"})
    done(saved(image), "-o", tmp_path / "out.png", *BICUBIC)
    made = read_image(tmp_path / "out.png")
    assert made.text["Title"] == "Night"
    assert made.dpi == pytest.approx((300, 300), abs=0.1)
    done(saved(image), "-o", tmp_path / "out.png", *BICUBIC, "--strip")
    assert not read_image(tmp_path / "out.png").text


def test_a_turned_photograph_comes_out_upright(tmp_path):
    exif = Pillow.Exif()
    exif[274] = 6
    Pillow.new("RGB", (30, 20)).save(tmp_path / "in.jpg", exif=exif)
    done(tmp_path / "in.jpg", "-o", tmp_path / "out.jpg", *BICUBIC)
    with Pillow.open(tmp_path / "out.jpg") as made:
        assert made.size == (80, 120)
        assert made.getexif().get(274, 1) == 1


def test_animations_keep_their_frames_durations_and_loop(saved, tiny_file, tmp_path):
    frames = tuple(samples(12, 10, 3, np.uint8, seed) for seed in range(3))
    source = saved(ImageSequence(frames, (50, 60, 70), 2), "in.webp", lossless=True)
    done(source, "-o", tmp_path / "out.png", "-w", tiny_file)
    made = read_frames(tmp_path / "out.png")
    assert isinstance(made, ImageSequence)
    assert (made.durations, made.loop) == ((50, 60, 70), 2)
    for number, frame in enumerate(frames):
        done(saved(frame), "-o", tmp_path / "one.png", "-w", tiny_file)
        one = read_image(tmp_path / "one.png").pixels
        np.testing.assert_array_equal(made.images[number].pixels, one)


def test_gif_output_says_what_it_loses(saved, noise, tmp_path):
    result = done(saved(noise), "-o", tmp_path / "out.gif", *BICUBIC)
    assert "GIF holds 256 colors" in result.stderr


def test_what_the_format_cannot_hold_is_refused_before_the_work(saved, tiny_file, tmp_path):
    source = saved(samples(9, 9, 4, np.uint8))
    result = upscale(source, "-o", tmp_path / "out.jpg", "-w", tiny_file)
    assert result.exit_code == 1
    assert "JPEG has no alpha" in result.stderr
    assert not (tmp_path / "out.jpg").exists()


def test_larger_images_than_max_pixels_are_refused(saved, noise, tmp_path):
    result = upscale(saved(noise), "-o", tmp_path / "out.png", *BICUBIC, "--max-pixels", 1849)
    assert result.exit_code == 1
    assert "--max-pixels" in result.stderr
    done(saved(noise), "-o", tmp_path / "out.png", *BICUBIC, "--max-pixels", 1850)


def test_corrections_change_the_result_as_they_say(saved, tiny_file, photo_file, tmp_path):
    low = Image(read_image(photo_file).pixels[:40, :48])
    for option in ((), ("--color-fix",), ("--consistent",)):
        done(
            saved(low),
            "-o",
            tmp_path / f"out{len(option and option[0])}.png",
            "-w",
            tiny_file,
            *option,
        )
    plain, fixed, consistent = (
        resize_array(read_image(tmp_path / f"out{length}.png").pixels, 40, 48).astype(float)
        for length in (0, len("--color-fix"), len("--consistent"))
    )
    wanted = low.pixels.astype(float)
    assert abs((fixed - wanted).mean()) <= abs((plain - wanted).mean()) + 0.01
    kept = (wanted > 0) & (wanted < 255)
    assert (np.abs(consistent - wanted)[kept] <= 1).mean() >= 0.999
    assert (np.abs(plain - wanted)[kept] <= 1).mean() < 0.999


def test_quiet_says_nothing(saved, noise, tmp_path):
    assert done(saved(noise), "-o", tmp_path / "out.png", *BICUBIC, "-q").output == ""
