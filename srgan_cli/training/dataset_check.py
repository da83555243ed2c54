"""`srgan check`: every image of a folder read and checked as in training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.training.data import training_check
from srgan_cli.training.dataset import SkippedFile, find_training_files, read_checked
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
    """Check all images of the folders but those below `exclude`.

    Raises DatasetError for a missing folder and for low-resolution images of one name.
    """
    paths, others = find_training_files(list(options.folders), exclude=exclude)
    check = training_check(options, RECIPES[options.recipe])
    areas: list[int] = []
    invalid: list[SkippedFile] = []
    for path in paths:
        image = read_checked(path, check)
        if isinstance(image, SkippedFile):
            invalid.append(image)
        else:
            areas.append(image.height * image.width)
    return DatasetReport(len(areas), sum(areas), invalid, others)
