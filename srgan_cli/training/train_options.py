"""Options of a training run, with all defaults. No torch."""

import math
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srgan_cli.errors import OptionError
from srgan_cli.settings import FLOAT_PRECISION_NAMES
from srgan_cli.training.vgg_file import VggFile

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}

STAGES = ("psnr", "gan", "both", "int8")

TEACHER_WEIGHT = 0.7

POSITIVE = (
    "scale",
    "steps",
    "budget",
    "batch_size",
    "patch",
    "lr",
    "blocks",
    "accumulate",
    "pool_size",
)
LARGEST = {
    "scale": 64,
    "steps": 10**9,
    "blocks": 10**4,
    "batch_size": 10**6,
    "patch": 2**16,
    "accumulate": 10**6,
    "pool_size": 10**9,
    "workers": 4096,
    "seed": 2**63 - 1,
}
"""Larger values are mistakes."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of a run; None is the recipe's value. Raises OptionError for invalid values."""

    folders: tuple[Path, ...]
    out: Path
    recipe: str = "clean"
    scale: int = 4
    stages: str | None = None
    """"psnr", "gan", "both" or "int8"; None for both, or the one that the recipe has."""
    steps: int | None = None
    """Steps of all stages, divided among them in proportion to the recipe's steps."""
    budget: float | None = None
    """Seconds of wall time, instead of steps."""
    planned: dict[str, int] = field(default_factory=dict)
    """Stage -> steps that fit the budget; recorded in the run folder, not an option."""
    start: Path | None = None
    """Initial weights, instead of random ones."""
    teachers: tuple[Path, ...] = ()
    """Weights files of networks to distill; of several, the mean output."""
    teacher_weight: float | None = None
    """The share of the pixel loss with the teachers' images as its target, from 0 to 1; the
    originals' is the rest."""
    pool: Path | None = None
    """A folder with low/, teacher/ and high/, crops of the same names, made by the teachers once,
    or by another program; both stages are trained on it."""
    pool_size: int = 2000
    """Crops that the teachers make where the pool has fewer."""
    val: Path | None = None
    """Images to validate on; without them, one in twenty of `folders` is held out."""
    low: Path | None = None
    """Low-resolution images of those in `folders`; without it they are made by downsampling."""
    vgg: tuple[str, ...] = ()
    """FILE, FILE:layer=weight,... or download: VGG files of the perceptual loss."""
    batch_size: int | None = None
    """Batch size of all processes together."""
    patch: int | None = None
    """Side of the high-resolution crop, in pixels."""
    optimizer: str | None = None
    """Optimizer of the PSNR stage: an OptimizerName."""
    loss: str | None = None
    """Pixel loss of the PSNR stage: a PixelDistance."""
    lr: float | None = None
    blocks: int | None = None
    accumulate: int = 1
    """Micro-batches per step."""
    seed: int = 0
    workers: int = 1
    """Processes that cut patches; 0 cuts them in the training process."""
    cache: float = 8e9
    """Bytes of decoded images kept in RUN/cache; those beyond are decoded when drawn."""
    device: str = "auto"
    precision: str = "auto"
    lineage: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Lineage id of this run's networks, unless they start from other weights."""

    def __post_init__(self) -> None:
        if not self.folders:
            raise OptionError("name at least one folder of images to train on")
        for name in POSITIVE:
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise OptionError(f"{flag(name)} must be more than 0, and finite, not {value}")
        for name, most in LARGEST.items():
            value = getattr(self, name)
            if value is not None and not 0 <= value <= most:
                raise OptionError(f"{flag(name)} must be from 0 to {most}, not {value}")
        if self.patch is not None and self.patch % self.scale:
            raise OptionError(
                f"--patch must be a multiple of the scale {self.scale}, not {self.patch}"
            )
        if self.steps is not None and self.budget is not None:
            raise OptionError("--steps and --budget exclude each other")
        if self.precision not in FLOAT_PRECISION_NAMES:
            raise OptionError(f"--precision is one of {', '.join(FLOAT_PRECISION_NAMES)}")
        if self.stages == "gan":
            self._check_gan_stage()
        if self.stages == "int8":
            self._check_int8_stage()
        self._check_distillation()
        self.vgg_files()

    def _check_gan_stage(self) -> None:
        """Check the options of a run without a PSNR stage."""
        if self.loss is not None:
            raise OptionError("--loss goes with the PSNR stage, and --stages gan has none")
        if self.teachers and self.pool is None:
            raise OptionError(
                "--teacher goes with the PSNR stage, and --stages gan has none; a GAN stage takes "
                "a teacher's images from a --pool"
            )
        if self.start is None:
            raise OptionError(
                "--stages gan begins with a trained network: name it with --from, or take "
                "--stages both"
            )

    def _check_int8_stage(self) -> None:
        """Check the options of a run that trains a finished network for int8."""
        if self.start is None:
            raise OptionError("--stages int8 begins with a trained network: name it with --from")
        for name in ("teachers", "pool", "low", "loss", "optimizer", "blocks", "vgg"):
            if getattr(self, name):
                given = "--teacher" if name == "teachers" else flag(name)
                raise OptionError(
                    f"{given} does not go with --stages int8: the network "
                    "keeps its form and learns from its own output"
                )

    def _check_distillation(self) -> None:
        if self.pool is not None and self.low is not None:
            raise OptionError("--pool and --low exclude each other: a pool has its own pairs")
        if self.teacher_weight is None:
            return
        if not self.has_teacher:
            raise OptionError(
                "--teacher-weight says how much a --teacher or a --pool counts: name one"
            )
        if not 0 < self.teacher_weight <= 1:
            raise OptionError(
                f"--teacher-weight must be more than 0 and at most 1, not {self.teacher_weight}"
            )

    @property
    def other_folders(self) -> tuple[Path, ...]:
        """Folders that are not trained on where they lie inside one of `folders`."""
        given = (self.out, self.val, self.low, self.pool)
        return tuple(folder for folder in given if folder is not None)

    def check_new(self) -> None:
        """Raises OptionError for options without effect and patches too small to train on, which
        run folders of older versions may record.
        """
        if self.patch is not None and self.patch < smallest_patch(self.scale):
            least = smallest_patch(self.scale)
            raise OptionError(f"--patch must be at least {least} at scale {self.scale}")
        if self.optimizer is not None and self.stages == "gan":
            raise OptionError("--optimizer goes with the PSNR stage, and --stages gan has none")
        if self.precision not in ("auto", "fp32") and self.stages == "int8":
            raise OptionError(
                f"--precision {self.precision} does not go with --stages int8, which computes in "
                "float32"
            )
        makes_pool = self.pool is not None and self.teachers
        if self.pool_size != TrainOptions.pool_size and not makes_pool:
            raise OptionError(
                "--pool-size says how many crops a --teacher makes for a --pool: name both"
            )

    @property
    def has_teacher(self) -> bool:
        """Whether there are images of a teacher, which may have filled the pool elsewhere."""
        return bool(self.teachers) or self.pool is not None

    def vgg_files(self) -> list[VggFile]:
        return [VggFile.parse(text) for text in self.vgg]


GAN_OPTIONS = (
    "steps",
    "budget",
    "seed",
    "low",
    "val",
    "pool",
    "teacher_weight",
    "patch",
    "lr",
    "batch_size",
    "accumulate",
    "device",
    "precision",
)
"""Options that change a GAN stage, besides those that it always names."""


def gan_stage_command(options: TrainOptions) -> list[str]:
    """The words that train the GAN stage of a run that had none, with all that changes it."""
    words = ["srgan", "train", *map(str, options.folders), "-o", f"{options.out}-gan"]
    words += ["--recipe", options.recipe, "--scale", str(options.scale), "--stages", "gan"]
    words += ["--from", str(options.out / "psnr.safetensors"), "--vgg", "download"]
    for name in GAN_OPTIONS:
        value = getattr(options, name)
        if value != getattr(TrainOptions, name) and (name != "teacher_weight" or options.pool):
            words += [flag(name), f"{value:.15g}s" if name == "budget" else str(value)]
    return words


def smallest_patch(scale: int) -> int:
    """Side of the smallest high-resolution crop, in pixels: VGG and discriminators halve it four
    times, and 8 pixels are left of it at low resolution.
    """
    return max(16, 8 * scale)


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def seconds(text: str) -> float:
    """A span of time such as "90s", "20m", "2h" or "1d" in seconds; a bare number is minutes."""
    return _measured(text, SECONDS, "m", "--budget takes a span such as 90s, 20m or 2h")


def size(text: str, option: str = "--cache") -> float:
    """A size such as "500MB" or "8GB" in bytes; a bare number is GB."""
    return _measured(text, BYTES, "GB", f"{option} takes a size such as 500MB or 8GB")


def _measured(text: str, units: dict[str, Any], default_unit: str, wanted: str) -> float:
    match = re.fullmatch(rf"(\d+(?:\.\d+)?)\s*({'|'.join(units)})?", text.strip(), re.IGNORECASE)
    if match is None or float(match[1]) <= 0:
        raise OptionError(f"{wanted}, not {text!r}")
    names = {unit.lower(): value for unit, value in units.items()}
    return float(match[1]) * names[(match[2] or default_unit).lower()]
