"""Words on images, in the one font that comes with Pillow."""

import unicodedata
from functools import lru_cache

from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

TEXT_COLOR = (32, 32, 32)
LIGHT_GRAY = (104, 104, 104)
BACKGROUND = (255, 255, 255)
SPACING = 1.35  # from one line of text to the next, in font sizes

_REPLACED = str.maketrans({"×": "x", "–": "-", "—": "-", "→": "->", "−": "-", "\u00a0": " "})


@lru_cache(maxsize=16)
def font(size: int) -> Font:
    return ImageFont.load_default(size)


def to_ascii(text: str) -> str:
    """ASCII, as the font has little more: accents are removed, the rest becomes "?"."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_REPLACED))
    ascii_text = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return ascii_text.encode("ascii", "replace").decode("ascii")


def text_width(text: str, size: int) -> int:
    """Width of a line in pixels, rounded up."""
    return int(font(size).getlength(to_ascii(text))) + 1 if text else 0


def text_height(lines: int, size: int) -> int:
    """Height of so many lines in pixels."""
    return round(lines * size * SPACING)


def wrap(text: str, width: int, size: int) -> list[str]:
    """Lines that fit `width`, broken between words; a longer word keeps a line to itself."""
    lines: list[str] = []
    for line in text.splitlines():
        lines.append("")
        for word in line.split():
            combined = f"{lines[-1]} {word}".strip()
            if lines[-1] and text_width(combined, size) > width:
                lines.append(word)
            else:
                lines[-1] = combined
    return lines


def write_lines(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    lines: list[str],
    size: int,
    color: tuple[int, int, int] = TEXT_COLOR,
) -> None:
    """Text from its top left corner downwards."""
    left, top = corner
    for i, line in enumerate(lines):
        draw.text((left, top + text_height(i, size)), to_ascii(line), fill=color, font=font(size))
