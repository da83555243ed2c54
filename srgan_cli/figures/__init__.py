"""Pictures for people: comparison sheets, interpolation strips, curves."""

from srgan_cli.figures.plots import Curve, Panel, curves
from srgan_cli.figures.sheets import Cell, Row, sheet, stack
from srgan_cli.figures.srgb import in_srgb

__all__ = ["Cell", "Curve", "Panel", "Row", "curves", "in_srgb", "sheet", "stack"]
