"""Images for people: comparison sheets, interpolation strips, curves."""

from srgan_cli.figures.plots import Curve, Panel, plot_curves
from srgan_cli.figures.sheets import Cell, Row, sheet, stack

__all__ = ["Cell", "Curve", "Panel", "Row", "plot_curves", "sheet", "stack"]
