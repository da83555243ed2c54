"""Pictures that belong together: the low one of each high one, by name, checked before training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import DatasetError, ImageError
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.training.dataset import Check, SkippedFile, find_images

SHOWN = 5
"""Files that an error names."""


@dataclass(frozen=True)
class LowResImages:
    """Finds the low picture of a high one: the same name, whatever the suffix, anywhere in `low`.

    Raises DatasetError where two low pictures have one name.
    """

    low: Path
    scale: int
    names: dict[str, Path]

    @classmethod
    def of(cls, low: Path, scale: int) -> "LowResImages":
        names: dict[str, Path] = {}
        for path in find_images([low])[0]:
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
        low_res_path = self.of_picture(high)
        low = read_image(low_res_path)
        wanted = (low.width * self.scale, low.height * self.scale)
        if (image.width, image.height) != wanted:
            raise ImageError(
                f"{high}: {image.width} x {image.height} is not {self.scale} times {low_res_path}: "
                f"{low.width} x {low.height}"
            )


def all_checks(*checks: Check) -> Check:
    def check(path: Path, image: Image) -> None:
        for one in checks:
            one(path, image)

    return check


def raise_for_bad_pairs(skipped: Sequence[SkippedFile]) -> None:
    """Pairs are all right or the folder is not: raises DatasetError naming the first few."""
    if not skipped:
        return
    named = "; ".join(file.reason for file in skipped[:SHOWN])
    more = f"; and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
    raise DatasetError(f"{len(skipped)} pairs are unfit: {named}{more}")
