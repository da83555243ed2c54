"""`srgan upscale` on every kind of image: what the command line makes of real files."""

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps

from srgan_cli.cli import main
from srgan_cli.images.exif import ORIENTATION
from srgan_cli.images.formats import CAPABILITIES, FORMAT_BY_SUFFIX, Encoding
from srgan_cli.images.icc import srgb_profile
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import read_frames, read_header, read_image
from srgan_cli.images.write import write_image
from srgan_cli.resample import resize_array

LOSSY = ("jpeg", "webp", "avif", "gif", "heif", "jxl")
TIMES = (40, 120, 1000)


def srgan(*words: object) -> Result:
    result = CliRunner().invoke(main, ["upscale", *map(str, words), "-m", "bicubic"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def made(source: str, target: str, *words: object) -> Image | ImageSequence:
    result = srgan(source, "-o", target, *words)
    assert result.exit_code == 0, result.output
    return read_frames(Path(target))


def larger(pixels: np.ndarray, scale: int = 4) -> np.ndarray:
    return resize_array(pixels, scale * pixels.shape[0], scale * pixels.shape[1])


def refusal(source: str) -> str:
    """The only line that is said of it."""
    result = srgan(source, "-o", "out/")
    assert result.exit_code == 1
    assert not list(Path().glob("out/*"))
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {source}: ")
    return line


def smooth(height: int, width: int, channels: int, dtype: type = np.uint8) -> np.ndarray:
    down, across = np.linspace(0.2, 0.8, height)[:, None], np.linspace(0.1, 0.9, width)
    planes = [(down + across * i) / (1 + i) for i in range(channels)]
    return np.rint(np.stack(planes, axis=2) * np.iinfo(dtype).max).astype(dtype)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("suffix", FORMAT_BY_SUFFIX)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_comes_out_as_it_went_in_but_larger(suffix, channels):
    write_image(Image(smooth(20, 30, channels)), Path(f"in{suffix}"))
    before = read_image(Path(f"in{suffix}"))
    after = made(f"in{suffix}", f"out{suffix}", "-s", 2)
    header = read_header(Path(f"out{suffix}"))
    assert (header.format, header.width, header.height) == (FORMAT_BY_SUFFIX[suffix], 60, 40)
    assert after.channels == before.channels
    difference = after.pixels.astype(int) - larger(before.pixels, 2)
    assert np.abs(difference).mean() <= (8 if FORMAT_BY_SUFFIX[suffix] in LOSSY else 0)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jp2", ".ppm", ".pgm"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_stay_16_bits_where_the_format_can(suffix, channels):
    able = CAPABILITIES[FORMAT_BY_SUFFIX[suffix]]
    samples = smooth(32, 40, channels, np.uint16)
    image = Image(samples) if channels in (1, 3) else Image(samples[..., :-1], samples[..., -1])
    if not able.alpha and image.alpha is not None:
        pytest.skip("the format holds no alpha")
    write_image(image, Path(f"in{suffix}"))
    after = made(f"in{suffix}", f"out{suffix}")
    assert after.depth == 16
    assert (after.alpha is None) == (image.alpha is None)
    if image.alpha is None:
        np.testing.assert_array_equal(after.pixels, larger(image.pixels))


def test_a_palette_with_transparency_becomes_rgb_with_alpha():
    image = Pillow.fromarray(smooth(9, 16, 3)).quantize(16)
    image.save("in.png", transparency=int(np.asarray(image)[4, 8]))
    after = made("in.png", "out.png")
    assert after.channels == 4
    assert set(np.unique(after.alpha)) >= {0, 255}


@pytest.mark.parametrize("compression", [None, "group4"])
def test_one_bit_becomes_gray(compression):
    bits = np.random.default_rng(0).integers(0, 2, (9, 12), dtype=np.uint8) * 255
    Pillow.fromarray(bits).convert("1").save("in.tif", compression=compression)
    after = made("in.tif", "out.tif")
    np.testing.assert_array_equal(after.pixels, larger(bits[..., None]))


def cmyk_profile() -> bytes:
    """Of a printer whose inks are all gray: one gives L* = 50, two or black give 0."""
    inks = [bin(node).count("1") + 2 * (node & 1) for node in range(16)]
    grid = bytes(value for ink in inks for value in (max(0, 255 - 128 * ink), 128, 128))
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + ramp * 4 + grid + ramp * 3
    head = bytes(12) + b"prtrCMYKLab " + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp"
    white = struct.pack(">3i", 63190, 65536, 54061)
    size = 128 + 4 + 12 + len(table)
    body = struct.pack(">II", size, 0) + b"\x02\x10\0\0" + head[12:]
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(table))
    return (body.ljust(68, b"\0") + white).ljust(128, b"\0") + tags + table


def test_cmyk_becomes_rgb_through_its_profile():
    cyan = Pillow.new("CMYK", (8, 8), (255, 0, 0, 0))
    cyan.save("in.jpg", icc_profile=cmyk_profile(), quality=100)
    after = made("in.jpg", "out.png")
    np.testing.assert_allclose(after.pixels, 119, atol=2)  # what L* = 50 is in sRGB
    name = ImageCms.getProfileName(ImageCms.ImageCmsProfile(io.BytesIO(after.icc_profile)))
    assert "sRGB" in name


def wide_profile() -> bytes:
    """Not sRGB: its curves are linear."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    changed = bytearray(profile)
    for number in range(struct.unpack_from(">I", profile, 128)[0]):
        name, at, _ = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            changed[at : at + 12] = b"curv" + bytes(8)
    return bytes(changed)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_gray_with_a_profile_of_another_color_space_is_written_without_it(suffix):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    write_image(Image(smooth(10, 12, 1, np.uint8), icc_profile=profile), Path(f"in{suffix}"))
    assert made(f"in{suffix}", f"out{suffix}").icc_profile is None


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_with_alpha_keeps_profile_exif_resolution_and_texts(suffix, dtype):
    tags = Pillow.Exif()
    tags[271], tags[256], tags.get_ifd(34665)[0xA002] = "Maker", 12, 12
    samples = smooth(10, 12, 2, dtype)
    image = Image(samples[..., :1], samples[..., 1], wide_profile(), dpi=(300, 150))
    full = replace(image, exif=tags.tobytes().removeprefix(b"Exif\0\0"), text={"Title": "Nächte"})
    write_image(full, Path(f"in{suffix}"))
    after = made(f"in{suffix}", f"out{suffix}")
    assert (after.channels, after.depth) == (2, full.depth)
    assert after.icc_profile == full.icc_profile
    assert after.dpi == pytest.approx((300, 150), abs=0.03)
    assert suffix != ".png" or after.text == full.text
    stated = Pillow.Exif()
    stated.load(after.exif)
    assert stated[271] == "Maker"
    assert stated.get_ifd(34665)[0xA002] == 48
    stripped = made(f"in{suffix}", f"stripped{suffix}", "--strip")
    assert (stripped.exif, stripped.dpi, stripped.text) == (None, None, {})
    assert stripped.icc_profile == full.icc_profile


def test_16_bits_go_where_no_profile_fits_only_if_they_are_srgb():
    samples, srgb = smooth(6, 9, 3, np.uint16), srgb_profile()
    red_is_green = (
        srgb.replace(b"rXYZ", b"....").replace(b"gXYZ", b"rXYZ").replace(b"....", b"gXYZ")
    )
    write_image(Image(samples, icc_profile=red_is_green), Path("other.png"))
    result = srgan("other.png", "-o", "out.ppm")
    assert result.exit_code == 1
    assert "PNM holds no color profile of 16-bit samples" in result.stderr
    assert "png, tiff" in result.stderr
    assert not Path("out.ppm").exists()
    write_image(Image(samples, icc_profile=srgb), Path("in.png"))
    np.testing.assert_array_equal(made("in.png", "out.ppm").pixels, larger(samples))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_every_orientation_comes_out_upright(suffix, turn):
    exif = Pillow.Exif()
    exif[ORIENTATION] = turn
    stored = Pillow.fromarray(smooth(6, 9, 3))
    stored.save(f"in{suffix}", exif=exif, quality=100)
    with Pillow.open(f"in{suffix}") as opened:
        shown = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    after = made(f"in{suffix}", "out.png")
    np.testing.assert_array_equal(after.pixels, larger(shown))
    with Pillow.open("out.png") as opened:
        assert opened.getexif().get(ORIENTATION, 1) == 1


@pytest.mark.parametrize("mode", ["F", "I"])
def test_other_samples_are_refused_by_name(mode):
    Pillow.fromarray(smooth(9, 9, 1)[..., 0]).convert(mode).save("in.tif")
    assert refusal("in.tif").endswith("convert to 8 or 16 bits")


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        (".eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        (".pdf", b"%PDF-1.7\n"),
        (".wmf", b"\xd7\xcd\xc6\x9a"),
        (".png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    ],
)
def test_what_runs_an_interpreter_is_refused_under_any_name(suffix, start):
    Path(f"in{suffix}").write_bytes(start + bytes(500))
    assert refusal(f"in{suffix}").endswith("convert it to PNG or TIFF")


@pytest.mark.parametrize("dtypes", [(np.uint16,) * 3, (np.uint16, np.uint8, np.uint16)])
def test_pages_keep_size_color_and_depth(dtypes):
    sizes = ((9, 8, 3), (12, 15, 1), (5, 6, 3))
    pages = tuple(Image(smooth(*size, dtype)) for size, dtype in zip(sizes, dtypes, strict=True))
    write_image(ImageSequence(pages), Path("in.tif"))
    after = made("in.tif", "out.tif", "-s", 2)
    assert not after.animated
    for before, page in zip(pages, after.images, strict=True):
        np.testing.assert_array_equal(page.pixels, larger(before.pixels, 2))
        assert page.depth == before.depth


def moving() -> tuple[Image, ...]:
    frames = np.full((3, 12, 16, 3), 200, np.uint8)
    for number in range(3):
        frames[number, 3:8, 4 * number + 1 : 4 * number + 4] = (250, 10, 60)
    return tuple(map(Image, frames))


@pytest.mark.parametrize("source", ["gif", "png", "webp"])
@pytest.mark.parametrize("target", ["gif", "png", "webp"])
def test_animations_change_their_format_and_nothing_else(source, target):
    exact = Encoding(lossless=source == "webp")
    write_image(ImageSequence(moving(), TIMES, 3), Path(f"in.{source}"), exact)
    after = made(f"in.{source}", f"out.{target}", *(["--lossless"] if target == "webp" else []))
    assert (after.durations, after.loop) == (TIMES, 3)
    for before, frame in zip(moving(), after.images, strict=True):
        difference = np.abs(frame.pixels.astype(int) - larger(before.pixels))
        assert difference.mean() <= (2 if target == "gif" else 0)


@pytest.mark.parametrize("name", ["out.jpg", "out.tif"])
def test_an_animation_does_not_become_a_still_image(name):
    write_image(ImageSequence(moving(), TIMES, 0), Path("in.gif"))
    result = srgan("in.gif", "-o", name)
    assert result.exit_code == 1
    assert "holds no animation; give --format or a name for one of: png, webp, gif" in result.stderr
    assert not Path(name).exists()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def deep_apng(channels: int) -> bytes:
    """Two frames of 16 bits."""
    row = b"\0" + np.arange(4 * channels, dtype=">u2").tobytes()
    rows, size = zlib.compress(row * 3), struct.pack(">IIIIHHBB", 4, 3, 0, 0, 50, 1000, 0, 0)
    color = {1: 0, 3: 2}[channels]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(name, data)
        for name, data in (
            (b"IHDR", struct.pack(">IIBBBBB", 4, 3, 16, color, 0, 0, 0)),
            (b"acTL", struct.pack(">II", 2, 0)),
            (b"fcTL", struct.pack(">I", 0) + size),
            (b"IDAT", rows),
            (b"fcTL", struct.pack(">I", 1) + size),
            (b"fdAT", struct.pack(">I", 2) + rows),
            (b"IEND", b""),
        )
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_an_animation_of_16_bits_is_refused_with_what_to_do(channels):
    Path("in.png").write_bytes(deep_apng(channels))
    assert read_header(Path("in.png")).depth == 16
    line = refusal("in.png")
    assert "animations of 16 bits are not supported; convert it to 8 bits" in line
    assert read_image(Path("in.png")).pixels.shape == (3, 4, channels)


@pytest.mark.parametrize(
    ("name", "option"),
    [("clear.png", "--background"), ("deep.png", "--depth"), ("moving.gif", "--frame")],
)
def test_a_refusal_names_the_option_that_helps(name, option, tmp_path):
    Pillow.new("RGBA", (6, 5), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    Pillow.new("I;16", (6, 5), 40_000).save(tmp_path / "deep.png")
    frames = [Pillow.new("L", (6, 5), level) for level in (0, 128, 255)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    value = {"--background": "#0000ff", "--depth": "8", "--frame": "2"}[option]
    out = tmp_path / "out.jpg"
    words = ["upscale", str(tmp_path / name), "-o", str(out), "-m", "bicubic"]
    for more in ([], ["--dry-run"]):
        refused = CliRunner().invoke(main, [*words, *more])
        assert refused.exit_code == 1
        assert option in refused.stderr
    planned = CliRunner().invoke(main, [*words, option, value, "--dry-run"])
    assert planned.exit_code == 0, planned.output
    assert not out.exists()
    made = CliRunner().invoke(main, [*words, option, value])
    assert made.exit_code == 0, made.output
    with Pillow.open(out) as image:
        assert image.size == (24, 20)
        level = image.convert("RGB").getpixel((12, 10))
    expected = {"--background": (0, 0, 255), "--depth": (156,) * 3, "--frame": (128,) * 3}[option]
    assert max(abs(a - b) for a, b in zip(level, expected, strict=True)) <= 3


def test_a_color_that_is_none_is_a_usage_error(tmp_path):
    result = CliRunner().invoke(main, ["upscale", "a.png", "--background", "bluish"])
    assert result.exit_code == 2
    assert "#8080ff" in result.stderr
