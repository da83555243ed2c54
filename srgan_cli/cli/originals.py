"""Where the originals of photographs are, for commands that show figures beside pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srgan_cli.cli.command import option
from srgan_cli.cli.flags import gathered
from srgan_cli.errors import OptionError

if TYPE_CHECKING:
    from srgan_cli.evaluation.comparison import ComparisonInput


@dataclass(frozen=True)
class Originals:
    """A file or folder, or the photographs themselves; at most one of the two."""

    high: Path | None = None
    shrink: bool = False

    def __post_init__(self) -> None:
        if self.high is not None and self.shrink:
            raise OptionError(
                "--high and --shrink exclude each other: the original is one or other"
            )

    def sources(self, photos: Sequence[Path]) -> "Iterator[ComparisonInput]":
        """Raises SrganError for an original that is not there."""
        from srgan_cli.evaluation.comparison import ComparisonInput
        from srgan_cli.evaluation.image_pairs import original_of

        for photo in photos:
            high = None if self.high is None else original_of(photo, self.high)
            yield ComparisonInput(photo, high, self.shrink)


originals_options = gathered(
    "originals",
    Originals,
    option(
        "--high",
        metavar="PATH",
        type=click.Path(path_type=Path),
        help="The original, or a folder of originals: adds figures",
    ),
    option("--shrink", is_flag=True, help="PHOTO is the original: shrink it by bicubic first"),
    heading="Originals",
)
