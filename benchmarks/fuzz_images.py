"""For fuzz.py: images of all formats, upscaled by a tiny network or a bicubic."""

import random
import resource
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow
from PIL import ImageCms

from srgan_cli.batch.plan import Job
from srgan_cli.batch.run import JobOptions, Outcome, dry_run, run_jobs
from srgan_cli.images.formats import CAPABILITIES, FORMAT_BY_SUFFIX, Encoding
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.write import write_image
from srgan_cli.inference.engine import TiledEngine
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.networks.fast import Fast

MAX_PIXELS = 1_000_000
ROOM = 300 << 20
"""Bytes beside the image: buffers of the libraries, which grow once."""

XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="1" tiff:ImageWidth="48"/></x:xmpmeta>'


class ImageSubjects:
    """`made` holds the sound files, `work` one mutant after another."""

    def __init__(self, made: Path, work: Path) -> None:
        self._made, self._work = made, work
        torch.manual_seed(0)
        network = TiledEngine(Fast(scale=2, features=4, blocks=1, thin=2), tile=256)
        pipelines = (UpscalePipeline({2: network}), UpscalePipeline())
        self._ways = [JobOptions(each, Encoding(), MAX_PIXELS) for each in pipelines]
        self._count = 0
        self.base: int | None = None

    def seeds(self) -> list[Path]:
        """A sound file of each format, depth and channel count that it can hold, and more."""
        rng = np.random.default_rng(0)
        made = []
        for suffix, name in FORMAT_BY_SUFFIX.items():
            for channels in (1, 2, 3, 4):
                for dtype in (np.uint8, np.uint16):
                    able = CAPABILITIES[name]
                    if channels in (2, 4) and not able.alpha:
                        continue
                    if dtype is np.uint16 and able.depth < 16:
                        continue
                    samples = rng.integers(0, np.iinfo(dtype).max, (40, 48, channels), dtype=dtype)
                    path = self._made / f"{channels}-{np.dtype(dtype).name}{suffix}"
                    write_image(described(Image.from_samples(samples)), path)
                    made.append(path)
        return [*made, *self._sequences(rng), *self._of_pillow(rng)]

    def _sequences(self, rng: np.random.Generator) -> list[Path]:
        made = []
        for name in ("gif", "png", "webp", "tiff", "avif"):
            frames = rng.integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)
            durations = () if name == "tiff" else (50, 60, 70)
            loop = None if name == "tiff" else 0
            path = self._made / f"several.{name}"
            write_image(ImageSequence(tuple(map(Image, frames)), durations, loop), path)
            made.append(path)
        return made

    def _of_pillow(self, rng: np.random.Generator) -> list[Path]:
        """Kinds that srgan does not write: palettes, CMYK, packed and tiled TIFF."""
        rgb = Pillow.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8))
        kinds = {
            "palette.png": (rgb.convert("P"), {}),
            "palette.gif": (rgb.convert("P"), {"transparency": 3}),
            "palette.tif": (rgb.convert("P"), {"compression": "packbits"}),
            "bits.tif": (rgb.convert("1"), {"compression": "group4"}),
            "cmyk.jpg": (rgb.convert("CMYK"), {}),
            "cmyk.tif": (rgb.convert("CMYK"), {"compression": "tiff_lzw"}),
            "jpeg.tif": (rgb, {"compression": "jpeg"}),
            "deflate.tif": (rgb, {"compression": "tiff_adobe_deflate", "tiffinfo": {317: 2}}),
            "progressive.jpg": (rgb, {"progressive": True}),
            "lossless.webp": (rgb, {"lossless": True}),
            "packed.tga": (rgb, {"compression": "tga_rle"}),
            "several.ico": (rgb, {"sizes": [(16, 16), (32, 32)]}),
        }
        for name, (image, options) in kinds.items():
            image.save(self._made / name, **options)
        return [self._made / name for name in kinds]

    def label(self, origin: Path) -> str:
        return origin.suffix

    def finished(self, data: bytes, draw: random.Random) -> bytes:
        return data

    def attempt(self, origin: Path, data: bytes) -> str:
        """Raises AssertionError for a fault."""
        self._count += 1
        path = self._work / f"in{origin.suffix}"
        path.write_bytes(data)
        pages = origin.suffix in (".tif", ".tiff")
        target = self._work / ("out.tif" if pages else "out.png")
        work = self._ways[self._count % 2]
        planned = dry_run(Job(path, target), work)
        (outcome,) = run_jobs([Job(path, target)], work)
        self._check_memory(outcome)
        left = {each.name for each in self._work.iterdir()} - {path.name}
        assert left == (set() if outcome.error else {target.name}), f"left over: {left}"
        target.unlink(missing_ok=True)
        path.unlink()
        for each in (planned, outcome):
            assert each.trace is None, each.trace
            assert each.error is None or each.error.isprintable(), "not one line"
        return "image" if outcome.error is None else "error"

    def _check_memory(self, outcome: Outcome) -> None:
        if self.base is None:
            return
        used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - self.base
        least = 16 * MAX_PIXELS if outcome.error else honest(outcome)
        assert used < 4 * least + ROOM, f"{used >> 20} MiB"


def described(image: Image) -> Image:
    """With metadata of each kind."""
    space = "sRGB" if image.pixels.shape[2] == 3 else None
    profile = ImageCms.createProfile("sRGB") if space else None
    exif = Pillow.Exif()
    exif.update({270: "a picture", 274: 6, 34665: {36867: "2026:11:29", 40962: 48}})
    return Image(
        image.pixels,
        image.alpha,
        icc_profile=profile and ImageCms.ImageCmsProfile(profile).tobytes(),
        exif=exif.tobytes().removeprefix(b"Exif\0\0"),
        xmp=XMP,
        iptc=b"\x1c\x02\x78\0\x05hello",
        dpi=(300.0, 300.0),
        text={"Title": "a picture"},
    )


def honest(outcome: Outcome) -> int:
    """Bytes that the image and its result take as float32 in RGB and alpha."""
    sides = [one for one in (outcome.before, outcome.after) if one is not None]
    return sum(16 * one.height * one.width for one in sides)
