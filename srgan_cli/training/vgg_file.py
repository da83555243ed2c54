"""A value of --vgg: a file, and the layers of it that are compared. No torch."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from srgan_cli.errors import OptionError

DOWNLOAD = "download"
"""Stands for torchvision's VGG19, which is downloaded once."""

LAYER = r"conv\d_\d(?:=[^,=]*)?"
PATTERN = re.compile(rf"(?P<file>.+?)(?::(?P<layers>{LAYER}(?:,{LAYER})*))?", re.DOTALL)


@dataclass(frozen=True)
class VggFile:
    """A file and the weight of each of its layers; without layers, the recipe's."""

    file: str
    layers: dict[str, float] = field(default_factory=dict)

    @property
    def path(self) -> Path | None:
        """The file; None if it is to be downloaded."""
        return None if self.file == DOWNLOAD else Path(self.file)

    @classmethod
    def parse(cls, text: str) -> "VggFile":
        """FILE or FILE:conv2_2=0.5,conv3_1; a layer without a number weighs 1."""
        match = PATTERN.fullmatch(text)
        if match is None:
            raise OptionError("--vgg takes FILE, FILE:conv2_2=0.5,conv3_1=1 or download")
        parts = match["layers"].split(",") if match["layers"] else []
        return cls(match["file"], dict(_parse_layer(part) for part in parts))


def absolute_vgg(text: str) -> str:
    """A value of --vgg with its file's absolute path."""
    file = VggFile.parse(text)
    layers = text.removeprefix(file.file)
    return text if file.path is None else f"{file.path.absolute()}{layers}"


def _parse_layer(part: str) -> tuple[str, float]:
    name, _, number = part.partition("=")
    try:
        weight = float(number or 1)
    except ValueError as error:
        raise OptionError(f"--vgg: the weight of {name} is a number, not {number!r}") from error
    if not 0 < weight < float("inf"):
        raise OptionError(f"--vgg: the weight of {name} must be more than 0, not {number}")
    return name, weight
