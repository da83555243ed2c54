"""Checks of training images: their sizes, their low-resolution images, and `srgan check`."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import DatasetError, ImageError
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.training.dataset import (
    ImageCheck,
    SkippedFile,
    check_pair,
    find_training_files,
    min_side_check,
    read_checked,
)
from srgan_cli.training.patches import MARGIN
from srgan_cli.training.recipes import RECIPES, Recipe
from srgan_cli.training.schedule import chosen_stages
from srgan_cli.training.train_options import TrainOptions

SSIM_WINDOW = 11
"""Side of SSIM's window, in pixels."""

SHOWN = 5
"""Files that an error names."""

MAX_LINES = 10
"""Skipped files that are listed before a run."""


def min_training_side(options: TrainOptions, recipe: Recipe) -> int:
    """Least shorter side of a training image, in pixels."""
    margin = 0 if options.low else 2 * MARGIN * options.scale
    patch = max(stage.patch for stage in chosen_stages(options, recipe))
    return max(patch + margin, min_validation_side(options))


def min_validation_side(options: TrainOptions) -> int:
    """Least shorter side of a validation image, in pixels."""
    return 3 * options.scale + SSIM_WINDOW


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
        check_pair(high_res, image, low_res_path, read_image(low_res_path), self.scale)


def all_checks(*checks: ImageCheck) -> ImageCheck:
    def check(path: Path, image: Image) -> None:
        for one in checks:
            one(path, image)

    return check


def raise_for_bad_pairs(skipped: Sequence[SkippedFile]) -> None:
    """Raises DatasetError, naming the first few, if any pair was skipped."""
    if not skipped:
        return
    named = "; ".join(file.line for file in skipped[:SHOWN])
    more = f"; and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
    raise DatasetError(f"{len(skipped)} pairs are unfit: {named}{more}")


def training_check(options: TrainOptions, recipe: Recipe) -> ImageCheck:
    """The check of every training image."""
    check = min_side_check(min_training_side(options, recipe))
    if options.low is None:
        return check
    return all_checks(check, LowResImages.from_folder(options.low, options.scale).check)


@dataclass(frozen=True)
class DatasetReport:
    """Result of checking a dataset."""

    sides: Sequence[int]
    """The shorter side of each image that can be used, in pixels."""
    pixels: int
    invalid: Sequence[SkippedFile]
    others: Sequence[SkippedFile]
    """Files that are not images by their suffix."""

    @property
    def valid(self) -> int:
        """How many images can be used."""
        return len(self.sides)

    @property
    def summary(self) -> str:
        return (
            f"{self.valid} images can be used ({self.pixels / 1e6:.1f} megapixels), "
            f"{len(self.invalid)} cannot; other files: {len(self.others)}"
        )


def check_dataset(options: TrainOptions, exclude: Collection[Path] = ()) -> DatasetReport:
    """Check all images of the folders but those below one of `exclude`.

    Raises DatasetError for a missing folder and for low-resolution images of one name.
    """
    paths, others = find_training_files(list(options.folders), exclude=exclude)
    check = training_check(options, RECIPES[options.recipe])
    sides, pixels = [], 0
    invalid: list[SkippedFile] = []
    for path in paths:
        image = read_checked(path, check)
        if isinstance(image, SkippedFile):
            invalid.append(image)
        else:
            sides.append(min(image.height, image.width))
            pixels += image.height * image.width
    return DatasetReport(sides, pixels, invalid, others)


def skipped_lines(skipped: Sequence[SkippedFile]) -> Iterator[str]:
    """Which files a run leaves out, as far as they are few."""
    for file in skipped[:MAX_LINES]:
        yield f"left out: {file.line}"
    if len(skipped) > MAX_LINES:
        yield f"left out: {len(skipped) - MAX_LINES} more files; srgan check lists all"
