"""Draws the images of README and docs again.

python benchmarks/docs_pictures.py [--beside FILE...]

Run it after a change of the networks in weights/. The sample photograph is compressed as most
photographs on the web are, and compared with its enlargements. With weights files of other projects
docs/contact-sheet.jpg is drawn too: `photo` and they, on three qualities of JPEG.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import PIL.Image

from srgan_cli.cli import main

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
QUALITY = 75
QUALITIES = (30, 60, 90)
CROP = "84,20,96,96"


def draw_before_after(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _compare(_compressed(QUALITY, Path(folder)), target, ["-m", "photo"])


def draw_contact_sheet(target: Path, others: list[Path]) -> None:
    """Rows by quality; columns: the input, bicubic, `photo` and the networks of `others`."""
    with tempfile.TemporaryDirectory() as folder:
        rows = list(_rows(Path(folder), others))
        sheet = PIL.Image.new("RGB", (rows[0].width, sum(row.height for row in rows)))
        top = 0
        for row in rows:
            sheet.paste(row, (0, top))
            top += row.height
        sheet.reduce(2).save(target, quality=88, subsampling=0)


def _rows(folder: Path, others: list[Path]) -> Iterator[PIL.Image.Image]:
    networks = ["-m", "photo", *(word for path in others for word in ("-w", str(path)))]
    for quality in QUALITIES:
        row = folder / f"row-{quality}.png"
        _compare(_compressed(quality, folder), row, networks)
        with PIL.Image.open(row) as image:
            yield image.convert("RGB")


def _compressed(quality: int, folder: Path) -> Path:
    target = folder / f"JPEG {quality}.jpg"
    with PIL.Image.open(DATA / "photo.jpg") as photo:
        photo.save(target, quality=quality)
    return target


def _compare(source: Path, target: Path, networks: list[str]) -> None:
    words = ["compare", str(source), "--crop", CROP, *networks, "-o", str(target)]
    main(words, standalone_mode=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--beside", nargs="+", type=Path, metavar="FILE", help="of other projects")
    beside = parser.parse_args().beside
    draw_before_after(DATA / "before-after.png")
    if beside:
        draw_contact_sheet(ROOT / "docs" / "contact-sheet.jpg", beside)
