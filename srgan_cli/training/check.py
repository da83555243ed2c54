"""Every picture of a folder looked at as a training would, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import describe_error
from srgan_cli.images.read import read_image
from srgan_cli.training.data import needed_check
from srgan_cli.training.dataset import Check, Refusal, find_pictures
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.train_options import TrainOptions


@dataclass(frozen=True)
class Inspection:
    """What can be trained on and what cannot."""

    usable: int
    pixels: int
    unfit: Sequence[Refusal]
    others: Sequence[Refusal]
    """Files that are no pictures by their names."""

    @property
    def summary(self) -> str:
        return (
            f"{self.usable} pictures can be used ({self.pixels / 1e6:.1f} megapixels), "
            f"{len(self.unfit)} cannot, {len(self.others)} files are none"
        )


def inspect(options: TrainOptions) -> Inspection:
    """Raises DatasetError for a missing folder and for low pictures of one name."""
    paths, others = find_pictures(list(options.folders))
    check = needed_check(options, RECIPES[options.recipe])
    found = [_looked_at(path, check) for path in paths]
    unfit = [one for one in found if isinstance(one, Refusal)]
    areas = [one for one in found if isinstance(one, int)]
    return Inspection(len(areas), sum(areas), unfit, others)


def _looked_at(path: Path, check: Check) -> int | Refusal:
    """Its area, or what is wrong with it."""
    try:
        image = read_image(path)
        check(path, image)
    except Exception as error:
        return Refusal(path, describe_error(path, error))
    return image.height * image.width
