"""A photograph upscaled by the blends of two networks, from faithful to vivid."""

from collections.abc import Sequence

from srgan_cli.evaluation.comparison import CropComparison, MethodResult, Subject, compare_crop
from srgan_cli.evaluation.crops import Crop, cut, detailed_crops
from srgan_cli.evaluation.measure import FIDELITY, Metric
from srgan_cli.evaluation.methods import bicubic, network_method
from srgan_cli.figures import Cell, Curve, Panel, Row, plot_curves, sheet, stack
from srgan_cli.images.icc import srgb_pixels
from srgan_cli.images.image import Image
from srgan_cli.settings import Machine
from srgan_cli.weights.blending import interpolate
from srgan_cli.weights.container import Weights
from srgan_cli.weights.selection import SelectedModel

ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MEASURED = 256  # low-resolution pixels a side that the figures are of, at most
SHOWN = 64  # low-resolution pixels a side in the strip, at most

PSNR = FIDELITY[0]


def sweep(
    ends: tuple[Weights, Weights],
    photo: Subject,
    alphas: Sequence[float] = ALPHAS,
    perceptual: Metric | None = None,
) -> Image:
    """A strip of the most detailed part, a cell for each blend of the faithful and the vivid end.

    With an original, PSNR is added, and with `perceptual` too the perception-distortion curve.
    Raises WeightsError for ends that cannot be blended.
    """
    networks = [(f"alpha {blend:g}", interpolate(*ends, blend)) for blend in alphas]
    chosen = [SelectedModel(name, {mix.metadata.scale: mix}) for name, mix in networks]
    methods = [network_method(one, Machine()) for one in chosen]
    part = detailed_crops(photo.low_res, MEASURED, 1)[0]
    metrics = [PSNR] if perceptual is None else [PSNR, perceptual]
    comparison = compare_crop(photo, part, [bicubic(), *methods], metrics)
    strip = _strip(comparison, metrics)
    if photo.high_res is None or len(metrics) == 1:
        return strip
    return stack([strip, _curve(comparison, metrics)])


def _strip(comparison: CropComparison, metrics: Sequence[Metric]) -> Image:
    """The most detailed crop within the crop; figures are of the whole crop."""
    scale = comparison.scale
    inner = detailed_crops(comparison.low_res, SHOWN, 1)[0]
    cells = [
        Cell(srgb_pixels(cut(one.image, inner.times(scale))), one.method, one.note(metrics))
        for one in comparison.results[1:]
    ]
    where = Crop(
        comparison.crop.x + inner.x, comparison.crop.y + inner.y, inner.width, inner.height
    )
    title = f"{comparison.name}: {where}, upscaled {scale} times"
    if cells[0].note:
        title += f"; figures of {comparison.crop}"
    return sheet([Row(tuple(cells), title)])


def _curve(comparison: CropComparison, metrics: Sequence[Metric]) -> Image:
    """Bicubic as a single point, the blends joined by lines."""
    single, *blends, _ = comparison.results
    fidelity, perceptual = metrics
    shown = _points("blends", blends, metrics), _points(single.method, [single], metrics)
    panel = Panel(
        f"Perception and distortion, {comparison.title}",
        f"{fidelity.label} in dB: more is more faithful",
        f"{perceptual.label}: less looks more natural",
        shown,
    )
    return plot_curves([panel])


def _points(name: str, results: Sequence[MethodResult], metrics: Sequence[Metric]) -> Curve:
    across, up = ([one.figures[metric.key] for one in results] for metric in metrics)
    notes = [one.method for one in results]
    return Curve(name, across, up, marked=True, joined=len(results) > 1, notes=notes)
