"""`srgan check`: every image of a folder read and checked as in training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import describe_error
from srgan_cli.images.read import read_image
from srgan_cli.training.data import training_check
from srgan_cli.training.dataset import ImageCheck, SkippedFile, find_training_files
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.train_options import TrainOptions


@dataclass(frozen=True)
class DatasetReport:
    """Result of checking a dataset."""

    valid: int
    pixels: int
    invalid: Sequence[SkippedFile]
    others: Sequence[SkippedFile]
    """Files that are not images by their suffix."""

    @property
    def summary(self) -> str:
        return (
            f"{self.valid} images can be used ({self.pixels / 1e6:.1f} megapixels), "
            f"{len(self.invalid)} cannot; other files: {len(self.others)}"
        )


def check_dataset(options: TrainOptions, exclude: Path | None = None) -> DatasetReport:
    """Without what lies below `exclude`.

    Raises DatasetError for a missing folder and for low-resolution images of one name.
    """
    paths, others = find_training_files(list(options.folders), exclude=exclude)
    check = training_check(options, RECIPES[options.recipe])
    found = [_check_image(path, check) for path in paths]
    invalid = [one for one in found if isinstance(one, SkippedFile)]
    areas = [one for one in found if isinstance(one, int)]
    return DatasetReport(len(areas), sum(areas), invalid, others)


def _check_image(path: Path, check: ImageCheck) -> int | SkippedFile:
    """The image's area in pixels, or why it cannot be used."""
    try:
        image = read_image(path)
        check(path, image)
    except Exception as error:
        return SkippedFile(path, describe_error(path, error))
    return image.height * image.width
