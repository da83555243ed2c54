"""What the tests of training need: small images, listeners, states to compare."""

import os
import signal
from pathlib import Path

import kill
import numpy as np

from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image
from srgan_cli.training.callbacks import NoCallback, Progress
from srgan_cli.training.train_options import TrainOptions


def random_image(seed: int, height: int = 72, width: int = 80) -> np.ndarray:
    """(height, width, 3) uint8 with edges, gradients and a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 12
    planes = [np.sin(x * rng.uniform(0.5, 2) + i) + np.sign(np.sin(y + i)) for i in range(3)]
    levels = 128 + 40 * np.stack(planes, axis=2) + rng.normal(0, 4, (height, width, 3))
    return np.rint(levels.clip(0, 255)).astype(np.uint8)


def save_image(path: Path, seed: int = 0, **sides: int) -> Path:
    write_image(Image(random_image(seed, **sides)), path)
    return path


class Listener:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.seen: list[Progress] = []
        self.lines: list[str] = []

    def progress(self, now: Progress) -> None:
        self.seen.append(now)

    def message(self, line: str) -> None:
        self.lines.append(line)


class StopAfter(NoCallback):
    """Sends this process a signal at a step."""

    def __init__(self, stage: str, step: int, number: int = signal.SIGINT) -> None:
        self.moment, self.number = (stage, step), number

    def progress(self, now: Progress) -> None:
        if (now.stage, now.step) == self.moment:
            os.kill(os.getpid(), self.number)


def last_state(options: TrainOptions) -> dict[str, object]:
    return kill.last_state(options.out)
