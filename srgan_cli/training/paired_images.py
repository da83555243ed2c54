"""Low-resolution images given by the user: matched by name, checked before training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import DatasetError, ImageError
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.training.dataset import ImageCheck, SkippedFile, find_training_files

SHOWN = 5
"""Files that an error names."""


@dataclass(frozen=True)
class LowResImages:
    """Finds the low-resolution image of the same name, with any suffix, anywhere in `folder`.

    Raises DatasetError where two low-resolution images have one name.
    """

    folder: Path
    scale: int
    names: dict[str, Path]

    @classmethod
    def from_folder(cls, folder: Path, scale: int) -> "LowResImages":
        names: dict[str, Path] = {}
        for path in find_training_files([folder])[0]:
            if path.stem in names:
                raise DatasetError(
                    f"two low-resolution images share a name, {names[path.stem]} and {path}: "
                    "rename one"
                )
            names[path.stem] = path
        return cls(folder, scale, names)

    def find(self, high_res: Path) -> Path:
        """Raises ImageError if it has none."""
        if high_res.stem not in self.names:
            raise ImageError(f"{high_res}: no image named {high_res.stem} in {self.folder}")
        return self.names[high_res.stem]

    def check(self, high_res: Path, image: Image) -> None:
        """Raises ImageError for a missing, unreadable or unfit low-resolution image."""
        low_res_path = self.find(high_res)
        low_res = read_image(low_res_path)
        expected = (low_res.width * self.scale, low_res.height * self.scale)
        if (image.width, image.height) != expected:
            raise ImageError(
                f"{high_res}: {image.width} x {image.height} is not {self.scale} x {low_res_path}: "
                f"{low_res.width} x {low_res.height}"
            )


def all_checks(*checks: ImageCheck) -> ImageCheck:
    def check(path: Path, image: Image) -> None:
        for one in checks:
            one(path, image)

    return check


def raise_for_bad_pairs(skipped: Sequence[SkippedFile]) -> None:
    """Raises DatasetError, naming the first few, if any pair was skipped."""
    if not skipped:
        return
    named = "; ".join(file.reason for file in skipped[:SHOWN])
    more = f"; and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
    raise DatasetError(f"{len(skipped)} pairs are unfit: {named}{more}")
