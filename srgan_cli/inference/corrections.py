"""What is put right after the networks, as the command line says it. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Corrections:
    """Both compare the result with the picture it was made from."""

    color_fix: bool = False
    """Give the result the low frequencies of the input."""

    consistent: bool = False
    """Change the result so that a bicubic shrinks it to the input again."""


NONE = Corrections()
