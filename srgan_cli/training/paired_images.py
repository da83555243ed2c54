"""Pictures that belong together: the low one of each high one, by name, checked before training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import DatasetError, ImageError
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.training.dataset import Check, Refusal, find_pictures

SHOWN = 5
"""Files that an error names."""


@dataclass(frozen=True)
class Partners:
    """Finds the low picture of a high one: the same name, whatever the suffix, anywhere in `low`.

    Raises DatasetError where two low pictures have one name.
    """

    low: Path
    scale: int
    names: dict[str, Path]

    @classmethod
    def of(cls, low: Path, scale: int) -> "Partners":
        names: dict[str, Path] = {}
        for path in find_pictures([low])[0]:
            if path.stem in names:
                raise DatasetError(
                    f"two low pictures share a name, {names[path.stem]} and {path}: rename one"
                )
            names[path.stem] = path
        return cls(low, scale, names)

    def of_picture(self, high: Path) -> Path:
        """Raises ImageError if it has none."""
        if high.stem not in self.names:
            raise ImageError(f"{high}: no picture named {high.stem} in {self.low}")
        return self.names[high.stem]

    def check(self, high: Path, image: Image) -> None:
        """Raises ImageError for a missing or broken partner and for one of another size."""
        partner = self.of_picture(high)
        low = read_image(partner)
        wanted = (low.width * self.scale, low.height * self.scale)
        if (image.width, image.height) != wanted:
            raise ImageError(
                f"{high}: {image.width} x {image.height} is not {self.scale} times {partner}: "
                f"{low.width} x {low.height}"
            )


def both(*checks: Check) -> Check:
    def check(path: Path, image: Image) -> None:
        for one in checks:
            one(path, image)

    return check


def refuse_broken(refusals: Sequence[Refusal]) -> None:
    """Pairs are all right or the folder is not: raises DatasetError naming the first few."""
    if not refusals:
        return
    named = "; ".join(refusal.reason for refusal in refusals[:SHOWN])
    more = f"; and {len(refusals) - SHOWN} more" if len(refusals) > SHOWN else ""
    raise DatasetError(f"{len(refusals)} pairs are unfit: {named}{more}")
