"""Methods side by side on crops of photographs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from srgan_cli.errors import describe_error
from srgan_cli.evaluation.crops import Crop, cut, detailed_crops
from srgan_cli.evaluation.measure import Failure, ImagePair, LoadedPair, figures, read_pair
from srgan_cli.evaluation.methods import Method, bicubic, network_method
from srgan_cli.figures import Cell, Curve, Panel, Row, plot_curves, sheet, stack
from srgan_cli.images.icc import srgb_pixels
from srgan_cli.images.image import Image
from srgan_cli.metrics import FIDELITY, Metric
from srgan_cli.settings import Machine
from srgan_cli.weights.blending import interpolate
from srgan_cli.weights.container import Weights
from srgan_cli.weights.selection import SelectedModel

ORIGINAL = "original"


@dataclass(frozen=True)
class CropOptions:
    """Crops by hand, in pixels of the photograph, or else the most detailed: how many, how large.

    side: in pixels of the image that is upscaled.
    """

    crops: tuple[Crop, ...] = ()
    count: int = 2
    side: int = 64


@dataclass(frozen=True, eq=False)
class MethodResult:
    """A crop by one method. figures: by the keys of the metrics. row: see `Method`."""

    method: str
    image: Image
    figures: Mapping[str, float] = field(default_factory=dict)
    row: str = ""

    def note(self, metrics: Sequence[Metric]) -> str:
        """The figures as text, a line each."""
        known = (metric for metric in metrics if metric.key in self.figures)
        return "\n".join(f"{m.label} {self.figures[m.key]:.{m.digits}f}" for m in known)


@dataclass(frozen=True, eq=False)
class CropComparison:
    """One crop of one photograph: the input, and the result of each method."""

    name: str
    crop: Crop
    scale: int
    low_res: Image
    results: tuple[MethodResult, ...]

    @property
    def title(self) -> str:
        return f"{self.name}: {self.crop}, upscaled {self.scale} times"

    @property
    def has_original(self) -> bool:
        """Whether the last of `results` is the original."""
        return self.results[-1].method == ORIGINAL


def compare_all(
    pairs: Iterable[ImagePair],
    methods: Sequence[Method],
    metrics: Sequence[Metric],
    options: CropOptions,
    scale: int,
) -> Iterator[list[CropComparison] | Failure]:
    """The crops of each photograph in order; a photograph that cannot be used is a Failure."""
    for pair in pairs:
        name = pair.photo.name
        try:
            subject = read_pair(pair, scale)
            crops = _crops(subject, options, scale if pair.low_res is None else 1)
            yield [compare_crop(subject, crop, methods, metrics) for crop in crops]
        except Exception as error:
            yield Failure(name, describe_error(name, error))


def _crops(subject: LoadedPair, options: CropOptions, downscale: int) -> list[Crop]:
    if options.crops:
        return [crop.downscaled(downscale) for crop in options.crops]
    return detailed_crops(subject.low_res, options.side, options.count)


def compare_crop(
    subject: LoadedPair, crop: Crop, methods: Sequence[Method], metrics: Sequence[Metric]
) -> CropComparison:
    """The crop by every method; the original last, if there is one.

    Figures are of the crop alone, and need the original. crop: in low-resolution pixels.
    """
    results = [
        MethodResult(method.name, upscale_crop(subject, crop, method), row=method.row)
        for method in methods
    ]
    if subject.high_res is not None:
        original = cut(subject.high_res, crop.times(subject.scale))
        results = [replace(one, figures=figures(one.image, original, metrics)) for one in results]
        results.append(MethodResult(ORIGINAL, original))
    low_res = cut(subject.low_res, crop)
    return CropComparison(subject.name, crop, subject.scale, low_res, tuple(results))


def upscale_crop(subject: LoadedPair, crop: Crop, method: Method) -> Image:
    """The crop as in the whole upscaled image; only the crop and its context are computed."""
    cut(subject.low_res, crop)  # raises if it lies outside
    around = crop.with_margin(method.context, subject.low_res)
    output = method.upscale(cut(subject.low_res, around), subject.scale)
    return cut(output, crop.relative_to(around).times(subject.scale))


def rows_of(comparison: CropComparison, metrics: Sequence[Metric]) -> list[Row]:
    """The crop at 100 % with figures, and its center at 200 %; the enlarged input first.

    Each of the two is one row, and one more for each row that methods name.
    """
    low_res = MethodResult("input, its pixels", _by_pixels(comparison.low_res, comparison.scale))
    groups: dict[str, list[MethodResult]] = {"": [low_res]}
    for result in comparison.results:
        groups.setdefault(result.row, []).append(result)
    rows = []
    for name, group in groups.items():
        cells = [Cell(srgb_pixels(one.image), one.method, one.note(metrics)) for one in group]
        rows.append(Row(tuple(cells), name or f"{comparison.title}, at 100 %"))
    for name, group in groups.items():
        cells = [Cell(srgb_pixels(_center(one.image)), one.method) for one in group]
        rows.append(Row(tuple(cells), name or "Its center at 200 %"))
    return rows


def _center(image: Image) -> Image:
    whole = Crop(0, 0, image.width, image.height)
    return _by_pixels(cut(image, whole.middle()), 2)


def _by_pixels(image: Image, scale: int) -> Image:
    pixels = image.pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    return replace(image, pixels=pixels)


ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MEASURED = 256  # low-resolution pixels a side that the figures are of, at most
SHOWN = 64  # low-resolution pixels a side in the strip, at most

PSNR = FIDELITY[0]


def sweep(
    ends: tuple[Weights, Weights],
    photo: LoadedPair,
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
