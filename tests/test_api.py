"""What Python users call: any kind of image in, the same kind out."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from doctest import DocTestFinder, DocTestRunner
from threading import Barrier

import numpy as np
import PIL.Image
import pytest
import torch
from helpers import srgan

import srgan_cli
from srgan_cli.api import Upscaler
from srgan_cli.errors import ImageError, OptionError, WeightsError
from srgan_cli.images.icc import srgb_profile
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.settings import Machine
from srgan_cli.weights.blending import mix_family
from srgan_cli.weights.container import write_weights

ON_CPU = Machine("cpu", "fp32")
ORIENTATION, ARTIST, WIDTH = 274, 315, 256


@pytest.fixture
def upscaler(tiny_file) -> Upscaler:
    return srgan_cli.load(tiny_file, device="cpu", precision="fp32")


def gradient(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    values = np.linspace(0, np.iinfo(dtype).max, int(np.prod(shape)))
    return values.astype(dtype).reshape(shape)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2"])
@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 3), (9, 7, 4)])
def test_an_array_becomes_an_array_of_its_type_and_dimensions(upscaler, shape, dtype):
    large = upscaler.upscale(gradient(shape, dtype), scale=2)
    assert large.shape == (18, 14, *shape[2:])
    assert large.dtype == np.dtype(dtype).newbyteorder("=")


def test_an_array_is_upscaled_as_a_file_with_the_same_pixels_is(upscaler, noise, tmp_path):
    noise.save(tmp_path / "noise.png")
    from_file = upscaler.upscale(str(tmp_path / "noise.png"))
    assert isinstance(from_file, srgan_cli.Image)
    np.testing.assert_array_equal(upscaler.upscale(noise.array), from_file.array)
    np.testing.assert_array_equal(upscaler.upscale(noise.array[:, ::-1][:, ::-1]), from_file.array)
    np.testing.assert_array_equal(upscaler.upscale(noise).array, from_file.array)
    np.testing.assert_array_equal(upscaler.upscale(noise.to_pil()), from_file.array)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_commands_results_are_those_of_the_interface(
    upscaler, tiny_file, photo_file, tmp_path, suffix
):
    small = srgan_cli.upscale(photo_file, 0.2, model="bicubic")
    small.save(tmp_path / f"small{suffix}")
    options = ["-w", str(tiny_file), "-s", "2.5", "--device", "cpu", "--precision", "fp32"]
    inputs = [str(tmp_path / f"small{suffix}"), "-o", str(tmp_path / "large.png")]
    assert srgan("upscale", *inputs, *options).exit_code == 0
    large = upscaler.upscale(small, 2.5)
    np.testing.assert_array_equal(read_image(tmp_path / "large.png").array, large.array)


@pytest.mark.parametrize(
    ("mode", "becomes"),
    [
        *[(mode, mode) for mode in ("L", "LA", "RGB", "RGBA", "I", "I;16")],
        *[("1", "L"), ("P", "RGB"), ("PA", "RGBA"), ("RGBX", "RGB"), ("YCbCr", "RGB")],
        *[("CMYK", "RGB"), ("LAB", "RGB"), ("HSV", "RGB"), ("La", "LA"), ("RGBa", "RGBA")],
    ],
)
def test_a_pil_image_of_any_mode_becomes_a_pil_image(upscaler, mode, becomes):
    large = upscaler.upscale(PIL.Image.new(mode, (8, 6)), scale=3)
    assert (large.mode, large.size) == (becomes, (24, 18))


def test_a_pil_image_keeps_its_profile_and_exif_and_is_not_rotated(upscaler):
    exif = PIL.Image.Exif()
    exif[ORIENTATION], exif[ARTIST], exif[WIDTH] = 6, "Ada", 8
    image = PIL.Image.new("RGB", (8, 6), "red")
    image.info |= {"icc_profile": srgb_profile(), "exif": exif.tobytes(), "dpi": (300, 300)}
    large = upscaler.upscale(image, scale=2)
    assert large.size == (16, 12)
    assert large.info["icc_profile"] == srgb_profile()
    assert large.info["dpi"] == (300, 300)
    kept = large.getexif()
    assert (kept[ORIENTATION], kept[ARTIST], kept[WIDTH]) == (6, "Ada", 16)


def test_exif_that_was_set_through_getexif_is_kept(upscaler):
    image = PIL.Image.new("L", (8, 6))
    image.getexif()[ARTIST] = "Ada"
    assert upscaler.upscale(image).getexif()[ARTIST] == "Ada"


def test_a_file_comes_upright_with_its_metadata_and_is_saved_with_them(upscaler, tmp_path):
    exif = PIL.Image.Exif()
    exif[ORIENTATION], exif[ARTIST] = 6, "Ada"
    image = PIL.Image.new("RGB", (8, 6), "red")
    image.save(tmp_path / "in.jpg", exif=exif, icc_profile=srgb_profile())
    large = upscaler.upscale(tmp_path / "in.jpg", scale=2)
    assert large.array.shape == (16, 12, 3)
    large.save(tmp_path / "out.png")
    with PIL.Image.open(tmp_path / "out.png") as saved:
        assert saved.getexif()[ARTIST] == large.to_pil().getexif()[ARTIST] == "Ada"
        assert saved.info["icc_profile"] == large.to_pil().info["icc_profile"] == srgb_profile()


def test_16_bits_survive_as_an_array_and_in_a_file_and_are_rounded_for_pil(upscaler, tmp_path):
    large = upscaler.upscale(Image(gradient((5, 6, 3), "uint16")), scale=2)
    large.save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png").array, large.array)
    assert np.abs(np.asarray(large.to_pil()) - large.array / 257).max() <= 0.5


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((4, 4, 3), np.float32), "uint8"),
        (np.zeros((4, 4, 3), bool), "uint8"),
        (np.zeros((4, 4, 3), np.int64), "uint8"),
        (np.zeros((4, 4, 2), np.uint8), "(H, W, 1, 3 or 4)"),
        (np.zeros((1, 3, 4, 4), np.uint8), "(H, W, 1, 3 or 4)"),
        (np.zeros((0, 4), np.uint8), "(H, W, 1, 3 or 4)"),
        (PIL.Image.new("F", (4, 4)), "convert"),
        (PIL.Image.new("I", (4, 4), 70000), "0..65535"),
        (torch.zeros(3, 4, 4), "tensor"),
        ("nowhere.png", "nowhere.png"),
    ],
)
def test_what_is_no_image_is_refused_with_the_remedy(upscaler, image, says):
    with pytest.raises(ImageError, match=re.escape(says)):
        upscaler.upscale(image)


def test_an_animation_is_refused_rather_than_cut_to_its_first_frame(upscaler, tmp_path):
    frames = [PIL.Image.new("L", (4, 4), level) for level in (0, 255)]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match=r"2 frames.*PIL"):
        upscaler.upscale(tmp_path / "two.gif")


def test_sizes_are_asked_for_as_on_the_command_line(upscaler):
    image = np.zeros((10, 20), np.uint8)
    assert upscaler.upscale(image).shape == (40, 80)
    assert upscaler.upscale(image, 0.25).shape == (3, 5)
    assert upscaler.upscale(image, width=30).shape == (15, 30)
    assert upscaler.upscale(image, height=15).shape == (15, 30)
    for wrong in ({"scale": 0}, {"scale": 1001}, {"scale": float("nan")}, {"scale": "large"}):
        with pytest.raises(OptionError, match="scale"):
            upscaler.upscale(image, **wrong)
    assert upscaler.upscale(image, width=np.int64(30)).shape == (15, 30)
    for wrong in ({"width": 30.5}, {"height": 15.0}, {"width": "30"}):
        with pytest.raises(OptionError, match="whole number"):
            upscaler.upscale(image, **wrong)
    with pytest.raises(OptionError, match="exclude"):
        upscaler.upscale(image, 2, width=30)


def test_postprocessing_is_asked_for_as_on_the_command_line(upscaler, noise):
    plain = upscaler.upscale(noise).array
    assert (upscaler.upscale(noise, color_fix=True).array != plain).any()
    assert (upscaler.upscale(noise, consistent=True).array != plain).any()


def test_models_are_named_or_files(tiny_file, other_file, monkeypatch):
    assert repr(srgan_cli.load("photo", blend=0.7)) == "<Upscaler photo, blend 0.7, x4>"
    assert srgan_cli.load("bicubic").scale == 4
    assert "tiny" in repr(srgan_cli.load(str(tiny_file)))
    monkeypatch.chdir(tiny_file.parent)
    assert "tiny" in repr(srgan_cli.load("tiny.safetensors"))
    for wrong in ("nomodel", "no/such.safetensors", "no.safetensors"):
        with pytest.raises(WeightsError):
            srgan_cli.load(wrong)


def test_denoise_mixes_a_family(family, noise):
    upscaler = srgan_cli.load("photo", blend=0.25, denoise=0.5, device="cpu", precision="fp32")
    assert repr(upscaler) == "<Upscaler photo, blend 0.25, denoise 0.5, x4>"
    write_weights(mix_family(0.25, 0.5), family / "mix.safetensors")
    mix = srgan_cli.load("mix", device="cpu", precision="fp32")
    large = upscaler.upscale(noise)
    np.testing.assert_array_equal(large.pixels, mix.upscale(noise).pixels)
    assert (large.pixels != srgan_cli.upscale(noise, blend=0.25, device="cpu").pixels).any()
    once_for_all = srgan_cli.upscale(noise, blend=0.25, denoise=0.5, device="cpu")
    assert np.abs(once_for_all.pixels.astype(int) - large.pixels).max() <= 3  # bfloat16


@pytest.mark.usefixtures("family")
def test_denoise_is_refused_where_there_is_no_family(noise, tiny_file):
    upscaler = srgan_cli.load("photo", denoise=0.5, device="cpu")
    with pytest.raises(OptionError, match="at x2"):
        upscaler.upscale(noise, 2)
    assert upscaler.upscale(noise, width=2 * noise.width).width == 2 * noise.width
    for model in ("srcnn", "bicubic", tiny_file):
        with pytest.raises(OptionError, match="denoise"):
            srgan_cli.load(model, denoise=0.5)


@pytest.mark.parametrize(
    "options",
    [
        {"blend": 1.5},
        {"blend": -0.1},
        {"denoise": 1.5},
        {"denoise": -1},
        {"precision": "fp8"},
        {"tile": 2},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        srgan_cli.load("photo", **options)


def test_threads_may_share_an_upscaler(tiny_file):
    """Each has an image of its own: kinds, depths, scales and postprocessing differ."""
    upscaler = srgan_cli.load(tiny_file, device="cpu", precision="fp32", tile=16)
    works = [
        (gradient((40, 30, 3), "uint8"), {"scale": 4}),
        (gradient((30, 40, 4), "uint8"), {"scale": 3}),
        (gradient((40, 30), "uint16"), {"scale": 2}),
        (gradient((33, 21, 3), "uint8"), {"width": 90, "color_fix": True}),
    ]
    expected = [upscaler.upscale(image, **options) for image, options in works]
    start = Barrier(8)

    def work(number: int) -> list[np.ndarray]:
        start.wait()
        mine = works[number % 4 :] + works[: number % 4]
        return [upscaler.upscale(image, **options) for image, options in mine]

    with ThreadPoolExecutor(8) as threads:
        for number, found in enumerate(threads.map(work, range(8))):
            right = expected[number % 4 :] + expected[: number % 4]
            for large, one in zip(found, right, strict=True):
                np.testing.assert_array_equal(large, one)


def test_the_package_imports_nothing_heavy_until_a_name_is_used():
    code = (
        "import sys, srgan_cli; assert 'upscale' in dir(srgan_cli); "
        "heavy = {'torch', 'numpy', 'PIL', 'cv2', 'click'} & sys.modules.keys(); "
        "assert not heavy, heavy; srgan_cli.upscale; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no_such_name"):
        srgan_cli.no_such_name  # noqa: B018


def test_everything_public_has_a_docstring_and_its_examples_run(photo_file, tmp_path, monkeypatch):
    small = srgan_cli.upscale(photo_file, 0.25, model="bicubic")
    Image(small.pixels[:48]).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    public = [getattr(srgan_cli, name) for name in srgan_cli.__all__ if name != "__version__"]
    members = [
        member
        for owner in (srgan_cli.Upscaler, srgan_cli.Image)
        for name, member in vars(owner).items()
        if not name.startswith("_") and (callable(member) or isinstance(member, property))
    ]
    assert all(one.__doc__ for one in (*public, *members))
    functions = {srgan_cli.upscale, srgan_cli.load, srgan_cli.Upscaler, srgan_cli.Image}
    ran = 0
    for one in functions:
        for test in DocTestFinder().find(one, globs={"Image": Image}):
            result = DocTestRunner().run(test)
            assert result.failed == 0
            ran += result.attempted
    assert ran >= 10
