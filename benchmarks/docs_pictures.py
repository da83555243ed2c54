"""Draws the images of README and docs again: python benchmarks/docs_pictures.py

Run it after a change of the networks in weights/. The sample photograph is compressed as most
photographs on the web are, and compared with its enlargements.
"""

import tempfile
from pathlib import Path

import PIL.Image

from srgan_cli.cli import main

DATA = Path(__file__).parent.parent / "tests" / "data"
QUALITY = 75
CROP = "84,20,96,96"


def draw_before_after(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        compressed = Path(folder) / "photo.jpg"
        with PIL.Image.open(DATA / "photo.jpg") as photo:
            photo.save(compressed, quality=QUALITY)
        words = ["compare", str(compressed), "--crop", CROP, "-m", "photo", "-o", str(target)]
        main(words, standalone_mode=False)


if __name__ == "__main__":
    draw_before_after(DATA / "before-after.png")
