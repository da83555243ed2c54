"""From faithful to vivid: one photograph by the blends of two networks."""

from collections.abc import Sequence

from srgan_cli.evaluation.comparison import CropComparison, MethodResult, Subject, compare_crop
from srgan_cli.evaluation.crops import Crop, cut, detailed_crops
from srgan_cli.evaluation.methods import Method, bicubic, network_method
from srgan_cli.evaluation.scoring import FIDELITY, Metric
from srgan_cli.figures import Cell, Curve, Panel, Row, plot_curves, sheet, stack
from srgan_cli.images.icc import srgb_pixels
from srgan_cli.images.image import Image
from srgan_cli.settings import Machine
from srgan_cli.weights.blending import interpolate
from srgan_cli.weights.container import Weights
from srgan_cli.weights.selection import SelectedModel

ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MEASURED = 256  # low pixels a side that the figures are of, at most
SHOWN = 64  # low pixels a side in the strip, at most

DISTORTION = FIDELITY[0]
AUTO = Machine()


def sweep(
    ends: tuple[Weights, Weights],
    photo: Subject,
    alphas: Sequence[float] = ALPHAS,
    perception: Metric | None = None,
    machine: Machine = AUTO,
) -> Image:
    """A strip of the most detailed part, a cell for each blend of the faithful and the vivid end.

    With an original, PSNR is added, and with `perception` too the perception-distortion curve.
    Raises WeightsError for ends that cannot be blended.
    """
    blended = [(f"alpha {blend:g}", interpolate(*ends, blend)) for blend in alphas]
    chosen = [SelectedModel(name, {mix.metadata.scale: mix}) for name, mix in blended]
    return sweep_methods([network_method(one, machine) for one in chosen], photo, perception)


def sweep_methods(
    methods: Sequence[Method], photo: Subject, perception: Metric | None = None
) -> Image:
    """The same for methods at hand, in their order."""
    part = detailed_crops(photo.low, MEASURED, 1)[0]
    metrics = [DISTORTION] if perception is None else [DISTORTION, perception]
    compared = compare_crop(photo, part, [bicubic(), *methods], metrics)
    strip = _strip(compared, metrics)
    if photo.high is None or len(metrics) == 1:
        return strip
    return stack([strip, _curve(compared, metrics)])


def _strip(compared: CropComparison, metrics: Sequence[Metric]) -> Image:
    """The most detailed part of the part; figures are of the whole part."""
    scale = compared.scale
    inner = detailed_crops(compared.low, SHOWN, 1)[0]
    cells = [
        Cell(srgb_pixels(cut(one.image, inner.times(scale))), one.method, one.note(metrics))
        for one in compared.seen[1:]
    ]
    where = Crop(compared.crop.x + inner.x, compared.crop.y + inner.y, inner.width, inner.height)
    title = f"{compared.name}: {where}, enlarged {scale} times"
    if cells[0].note:
        title += f"; figures of {compared.crop}"
    return sheet([Row(tuple(cells), title)])


def _curve(compared: CropComparison, metrics: Sequence[Metric]) -> Image:
    """Bicubic as a lone point, the blends joined."""
    single, *blends, _ = compared.seen
    distortion, perception = metrics
    shown = _points("blends", blends, metrics), _points(single.method, [single], metrics)
    panel = Panel(
        f"Perception and distortion, {compared.title}",
        f"{distortion.label} in dB: more is more faithful",
        f"{perception.label}: less looks more natural",
        shown,
    )
    return plot_curves([panel])


def _points(name: str, seen: Sequence[MethodResult], metrics: Sequence[Metric]) -> Curve:
    across, up = ([one.figures[metric.key] for one in seen] for metric in metrics)
    notes = [one.method for one in seen]
    return Curve(name, across, up, marked=True, joined=len(seen) > 1, notes=notes)
