"""Words on pictures, in the one font that comes with Pillow."""

import unicodedata
from functools import lru_cache

from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

INK = (32, 32, 32)
LIGHT_GRAY = (104, 104, 104)
PAPER = (255, 255, 255)
SPACING = 1.35  # from one line of text to the next, in font sizes

_REPLACED = str.maketrans({"×": "x", "–": "-", "—": "-", "→": "->", "−": "-", "\u00a0": " "})


@lru_cache(maxsize=16)
def font(size: int) -> Font:
    return ImageFont.load_default(size)


def plain(text: str) -> str:
    """What the font can draw, which is little more than ASCII: accents go, the rest becomes "?"."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_REPLACED))
    bare = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return bare.encode("ascii", "replace").decode("ascii")


def width_of(text: str, size: int) -> int:
    """In pixels, rounded up."""
    return int(font(size).getlength(plain(text))) + 1 if text else 0


def height_of(lines: int, size: int) -> int:
    """Of so many lines of text, in pixels."""
    return round(lines * size * SPACING)


def wrapped(text: str, width: int, size: int) -> list[str]:
    """Lines that fit `width`, broken between words; a longer word keeps a line to itself."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        lines.append("")
        for word in paragraph.split():
            combined = f"{lines[-1]} {word}".strip()
            if lines[-1] and width_of(combined, size) > width:
                lines.append(word)
            else:
                lines[-1] = combined
    return lines


def write_lines(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    lines: list[str],
    size: int,
    ink: tuple[int, int, int] = INK,
) -> None:
    """Text from its top left corner downwards."""
    left, top = corner
    for i, line in enumerate(lines):
        draw.text((left, top + height_of(i, size)), plain(line), fill=ink, font=font(size))
