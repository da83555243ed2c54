"""What is to stand side by side, as the command line names it. Standard library only."""

from dataclasses import dataclass
from pathlib import Path

from srgan_cli.settings import Machine

REPRODUCIBLE = Machine(precision="fp32")
"""Figures come out the same on every machine."""


@dataclass(frozen=True)
class MethodOptions:
    """Models by name, weights files, and blends from 0 (faithful) to 1 (vivid).

    Two-ended models come at each blend, at their own if there is none; exactly two files with a
    blend are blended, else every file stands alone. Nothing at all means the default model at both
    ends and at its own blend. Bicubic is always there.
    """

    models: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    blends: tuple[float, ...] = ()
    machine: Machine = REPRODUCIBLE
