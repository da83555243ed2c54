"""Pictures for people: comparison sheets, interpolation strips, curves."""

from srgan_cli.figures.plots import Curve, Panel, curves
from srgan_cli.figures.sheets import Cell, Row, sheet, stack

__all__ = ["Cell", "Curve", "Panel", "Row", "curves", "sheet", "stack"]
