"""Sheets of validation samples and curves of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from srgan_cli.errors import TrainingError
from srgan_cli.figures import Cell, Curve, Panel, Row, plot_curves, sheet
from srgan_cli.folders import create_folder
from srgan_cli.images.image import crop_center
from srgan_cli.images.write import write_image
from srgan_cli.metrics import psnr
from srgan_cli.resample import resize_array
from srgan_cli.training.run_folder import read_log
from srgan_cli.training.validation import FEATURE_SIDE, Sample, to_uint8_array

SHOWN = 4
"""Samples on a sheet."""

NOT_LOSSES = {"lr", "stage", "step", "seconds", "psnr", "ssim", "features", "silent_channels"}


def draw_sheet(
    samples: Sequence[Sample], outputs: Sequence[np.ndarray], stage: str, step: int, folder: Path
) -> None:
    """Input, bicubic, ours and original of the first few samples, as a PNG in `folder`."""
    rows = [_row(*pair) for pair in list(zip(samples, outputs, strict=True))[:SHOWN]]
    create_folder(folder, TrainingError)
    write_image(sheet(rows, f"{stage}, step {step}"), folder / f"{stage}-{step:08d}.png")


def _row(sample: Sample, outputs: np.ndarray) -> Row:
    scale = sample.high_res.shape[0] // sample.low_res.shape[2]
    low_res = to_uint8_array(sample.low_res)
    large = low_res.repeat(scale, axis=0).repeat(scale, axis=1)
    bicubic = resize_array(low_res, *sample.high_res.shape[:2])
    return Row(
        (
            Cell(crop_center(large, FEATURE_SIDE), "input"),
            Cell(crop_center(bicubic, FEATURE_SIDE), "bicubic", _note(bicubic, sample, scale)),
            Cell(crop_center(outputs, FEATURE_SIDE), "ours", _note(outputs, sample, scale)),
            Cell(crop_center(sample.high_res, FEATURE_SIDE), "original"),
        )
    )


def _note(pixels: np.ndarray, sample: Sample, scale: int) -> str:
    return f"{psnr(pixels, sample.high_res, scale):.2f} dB"


def draw_curves(run: Path) -> None:
    """RUN/log.jsonl as RUN/curves.png. Raises OptionError without matplotlib."""
    rows = read_log(run)
    panels = [_panel(rows, "loss", loss_names(rows), log=True)]
    panels += [
        _panel(rows, name, (name,))
        for name in ("discriminator_accuracy", "psnr", "features")
        if any(name in row for row in rows)
    ]
    write_image(plot_curves(panels), run / "curves.png")


def _panel(
    rows: Sequence[dict[str, Any]], title: str, names: Sequence[str], log: bool = False
) -> Panel:
    """One curve for each name and stage in the log."""
    stages = list(dict.fromkeys(row["stage"] for row in rows if "stage" in row))
    found = [
        _curve(
            f"{stage}: {name}" if log else stage, [r for r in rows if r.get("stage") == stage], name
        )
        for stage in stages
        for name in names
    ]
    shown = tuple(curve for curve in found if len(curve.x))
    return Panel(title, "step of the stage", UNITS.get(title, title), shown, log=log)


UNITS = {
    "psnr": "dB on Y",
    "features": "distance of validation features",
    "discriminator_accuracy": "accuracy of the discriminator",
}


def loss_names(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Names of all losses in the log."""
    names = {
        name: None
        for row in rows
        for name, value in row.items()
        if isinstance(value, int | float) and name not in NOT_LOSSES and name not in UNITS
    }
    return [name for name in names if not name.startswith("share of ")]


def _curve(label: str, rows: Sequence[dict[str, Any]], name: str) -> Curve:
    points = [(row["step"], row[name]) for row in rows if isinstance(row.get(name), int | float)]
    x, y = [p[0] for p in points], [p[1] for p in points]
    return Curve(label, x, y, smooth=name not in NOT_LOSSES, marked=name in NOT_LOSSES)
