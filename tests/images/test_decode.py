"""Files of every depth and mode, as other programs make them."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from srgan_cli.errors import ImageError
from srgan_cli.images.header import read_header
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_bytes, read_frames
from srgan_cli.images.tiff_tags import TagValue, build_ifd, tiff_header


def saved(picture: Pillow.Image, format: str = "PNG", **settings: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **settings)
    return file.getvalue()


def read(data: bytes, name: str = "x") -> Image:
    image = read_bytes(data, name)
    assert isinstance(image, Image)
    return image


def gradient(mode: str = "L") -> Pillow.Image:
    return Pillow.linear_gradient("L").resize((40, 30)).convert(mode)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM"])
def test_one_bit_becomes_gray(format):
    picture = gradient().point(lambda v: 255 * (v > 99)).convert("1", dither=Pillow.Dither.NONE)
    image = read(saved(picture, format))
    assert np.array_equal(image.pixels[..., 0], np.asarray(picture.convert("L")))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "TGA", "GIF"])
def test_a_palette_becomes_rgb(format):
    picture = Pillow.merge("RGB", [gradient(), gradient().rotate(180), gradient()]).quantize(16)
    image = read(saved(picture, format), "x.tga")
    assert np.array_equal(image.pixels, np.asarray(picture.convert("RGB")))


def test_a_palette_with_a_transparent_colour_becomes_rgb_with_alpha():
    picture = gradient("RGB").quantize(16)
    image = read(saved(picture, transparency=3))
    assert np.array_equal(image.alpha == 0, np.asarray(picture) == 3)


@pytest.mark.parametrize(("mode", "clear"), [("L", 77), ("RGB", (77, 77, 77))])
def test_a_transparent_colour_of_png_becomes_alpha(mode, clear):
    picture = gradient(mode)
    image = read(saved(picture, transparency=clear))
    assert np.array_equal(image.alpha == 0, np.asarray(gradient()) == 77)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_becomes_srgb(format):
    picture = Pillow.new("CMYK", (16, 16), (0, 0, 0, 128))
    image = read(saved(picture, format))
    assert image.pixels.shape == (16, 16, 3)
    assert np.ptp(image.pixels) <= 4
    assert "sRGB" in profile_name(image.icc_profile)


def profile_name(profile: bytes) -> str:
    return ImageCms.getProfileName(ImageCms.ImageCmsProfile(io.BytesIO(profile)))


def test_lab_becomes_srgb():
    image = read(saved(Pillow.new("LAB", (4, 4), (255, 128, 128)), "TIFF"))
    assert image.pixels.min() > 240


@pytest.mark.parametrize(("mode", "says"), [("I", "32-bit integer|signed"), ("F", "floating")])
def test_other_samples_are_refused_by_name(mode, says):
    with pytest.raises(ImageError, match=f"^x.tif: .*({says}).*convert"):
        read(saved(gradient(mode), "TIFF"), "x.tif")


def test_depth_is_the_dtype_however_dark_the_picture():
    dark = Pillow.fromarray(np.full((9, 9), 3, np.uint16))
    for format in ("PNG", "TIFF", "JPEG2000", "PPM"):
        image = read(saved(dark, format))
        assert image.depth == 16
        assert set(image.pixels.ravel()) == {3}


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize(("channels", "colour"), [(1, 0), (3, 2)])
def test_a_transparent_colour_of_16_bits_becomes_alpha(channels, colour):
    pixels = np.arange(6 * channels, dtype=np.uint16).reshape(2, 3, channels) * 999
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    size = struct.pack(">IIBBBBB", 3, 2, 16, colour, 0, 0, 0)
    clear = chunk(b"tRNS", pixels[1, 1].astype(">u2").tobytes())
    body = chunk(b"IHDR", size) + clear + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    image = read(b"\x89PNG\r\n\x1a\n" + body)
    assert np.array_equal(image.pixels, pixels)
    assert image.alpha.tolist() == [[65535] * 3, [65535, 0, 65535]]


def test_a_map_of_10_bits_is_stretched():
    data = b"P5 # a comment\n3 1\n1023\n" + np.array([0, 512, 1023], ">u2").tobytes()
    assert read(data).pixels.ravel().tolist() == [0, 32800, 65535]


def test_a_plain_map_of_16_bits_is_read():
    image = read(b"P3\n2 1\n65535\n0 1 2\n65535 65534 40000\n")
    assert image.pixels.tolist() == [[[0, 1, 2], [65535, 65534, 40000]]]


class Tiff:
    """A TIFF file by hand, in layouts that Pillow cannot write."""

    def __init__(self, samples: np.ndarray, order: str, big: bool, tile: int, planes: bool) -> None:
        self.order, self.big, self.tile = order, big, tile
        self.body, self.starts, self.lengths = b"", [], []
        self.parts = np.split(samples, samples.shape[2], axis=2) if planes else [samples]
        self.samples, self.planes = samples, planes

    def pieces(self, part: np.ndarray):
        if not self.tile:
            yield from (piece for piece in (part[:8], part[8:]) if len(piece))
            return
        side = self.tile
        padded = np.pad(part, [(0, -part.shape[0] % side), (0, -part.shape[1] % side), (0, 0)])
        for top in range(0, len(padded), side):
            for left in range(0, padded.shape[1], side):
                yield padded[top : top + side, left : left + side]

    def tags(self, extra: dict[int, list[int]]) -> dict[int, TagValue]:
        height, width, channels = self.samples.shape
        numbers = {
            256: [width],
            257: [height],
            258: [self.samples.itemsize * 8] * channels,
            259: [8],
            262: [2 if channels > 2 else 1],
            277: [channels],
            284: [2 if self.planes else 1],
            317: [2],
            **({338: [2]} if channels in (2, 4) else {}),
            **({322: [self.tile], 323: [self.tile]} if self.tile else {278: [8]}),
            (324 if self.tile else 273): self.starts,
            (325 if self.tile else 279): self.lengths,
            **extra,
        }
        code = f"{self.order}u4"
        return {tag: TagValue(4, np.array(v, code).tobytes()) for tag, v in numbers.items()}

    def file(self, **extra: list[int]) -> bytes:
        head = 16 if self.big else 8
        for part in self.parts:
            for piece in self.pieces(part):
                steps = piece.copy()
                steps[:, 1:] -= piece[:, :-1]
                ordered = steps.astype(steps.dtype.newbyteorder(self.order))
                data = zlib.compress(ordered.tobytes())
                self.starts.append(head + len(self.body))
                self.lengths.append(len(data))
                self.body += data + b"\0" * (len(data) % 2)
        at = head + len(self.body)
        tags = self.tags({int(tag[1:]): value for tag, value in extra.items()})
        return (
            tiff_header(self.order, at, self.big)
            + self.body
            + build_ifd(tags, self.order, at, self.big)
        )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True), (">", True)])
def test_every_layout_of_tiff_is_read(dtype, channels, planes, tile, order, big):
    top = np.iinfo(dtype).max
    samples = np.random.default_rng(2).integers(0, top, (15, 37, channels), dtype, endpoint=True)
    data = Tiff(samples, order, big, tile, planes).file()
    assert np.array_equal(read(data).array, samples)


def test_white_may_be_zero_in_tiff():
    samples = np.arange(12, dtype=np.uint16).reshape(3, 4, 1)
    image = read(Tiff(samples, "<", False, 0, False).file(_262=[0]))
    assert np.array_equal(image.pixels, 65535 - samples)


def test_premultiplied_alpha_is_divided_out():
    samples = np.array([[[100, 50, 0, 128], [0, 0, 0, 0]]], np.uint8)
    image = read(Tiff(samples, "<", False, 0, False).file(_338=[1]))
    assert image.pixels.tolist() == [[[199, 100, 0], [0, 0, 0]]]
    assert image.alpha.tolist() == [[128, 0]]


@pytest.mark.parametrize("format", ["tiff_lzw", "packbits", "jpeg", "tiff_adobe_deflate"])
def test_compressions_of_tiff_are_read(format):
    image = read(saved(gradient("RGB"), "TIFF", compression=format))
    assert np.abs(image.pixels.astype(int) - np.asarray(gradient("RGB"))).max() <= 4


def test_avif_of_10_bits_is_stretched_to_16():
    ramp = np.repeat(np.arange(0, 1024, 8, dtype=np.uint16)[None, :, None], 64, axis=0)
    exact = [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100]
    done, data = cv2.imencode(".avif", np.repeat(ramp, 3, axis=2), exact)
    assert done
    image = read(data.tobytes())
    assert image.depth == 16
    assert np.abs(image.pixels / 65535 - ramp / 1023).max() < 0.01
    assert len(np.unique(image.pixels)) > 110


def test_the_further_pictures_of_a_camera_file_are_no_animation(tmp_path):
    gradient("RGB").save(tmp_path / "a.mpo", save_all=True, append_images=[gradient("RGB")])
    (tmp_path / "a.mpo").rename(tmp_path / "a.jpg")
    assert isinstance(read_frames(tmp_path / "a.jpg"), Image)
    assert read_header(tmp_path / "a.jpg").format == "jpeg"
