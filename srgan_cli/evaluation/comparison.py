"""Methods side by side on parts of photographs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from srgan_cli.errors import describe_error
from srgan_cli.evaluation.crops import Crop, cut, detailed_crops
from srgan_cli.evaluation.image_pairs import Failure, ImagePair, read_pair
from srgan_cli.evaluation.methods import Method
from srgan_cli.evaluation.scoring import Metric, figures
from srgan_cli.figures import Cell, Row
from srgan_cli.images.icc import srgb_pixels
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image

ORIGINAL = "original"


@dataclass(frozen=True, eq=False)
class Subject:
    """A photograph to be enlarged `scale` times, and its original, so many times as large."""

    name: str
    low: Image
    scale: int
    high: Image | None = None


@dataclass(frozen=True)
class ComparisonInput:
    """Files of a subject. is_high: `photo` is the original, to be downscaled first."""

    photo: Path
    high: Path | None = None
    is_high: bool = False


@dataclass(frozen=True)
class CropOptions:
    """Crops by hand, in pixels of the photograph, or else the most detailed: how many, how large.

    side: in pixels of the picture that is enlarged.
    """

    crops: tuple[Crop, ...] = ()
    count: int = 2
    side: int = 64


@dataclass(frozen=True, eq=False)
class MethodResult:
    """A part by one method, in full size. figures: by the keys of the metrics that were taken."""

    method: str
    image: Image
    figures: Mapping[str, float] = field(default_factory=dict)

    def note(self, metrics: Sequence[Metric]) -> str:
        """The figures for people, a line each."""
        known = (metric for metric in metrics if metric.key in self.figures)
        return "\n".join(f"{m.label} {self.figures[m.key]:.{m.digits}f}" for m in known)


@dataclass(frozen=True, eq=False)
class CropComparison:
    """One part of one photograph: what was enlarged, and what by whom came of it."""

    name: str
    crop: Crop
    scale: int
    low: Image
    seen: tuple[MethodResult, ...]

    @property
    def title(self) -> str:
        return f"{self.name}: {self.crop}, enlarged {self.scale} times"

    @property
    def has_original(self) -> bool:
        """It is the last of `seen`."""
        return self.seen[-1].method == ORIGINAL


def compare_all(
    sources: Iterable[ComparisonInput],
    methods: Sequence[Method],
    metrics: Sequence[Metric],
    parts: CropOptions,
    scale: int,
) -> Iterator[list[CropComparison] | Failure]:
    """Photograph by photograph, its parts in order; one that cannot be used is a failure."""
    for source in sources:
        try:
            subject = read_subject(source, scale)
            crops = _crops(subject, parts, scale if source.is_high else 1)
            yield [compare_crop(subject, crop, methods, metrics) for crop in crops]
        except Exception as error:
            yield Failure(source.photo.name, describe_error(source.photo.name, error))


def read_subject(source: ComparisonInput, scale: int) -> Subject:
    """With an original, the sizes tell the scale. Raises ImageError."""
    name = source.photo.name
    if source.high is None and not source.is_high:
        return Subject(name, read_image(source.photo), scale)
    pair = ImagePair(source.photo) if source.high is None else ImagePair(source.high, source.photo)
    example = read_pair(pair, scale)
    return Subject(name, example.low, example.scale, example.high)


def _crops(subject: Subject, parts: CropOptions, downscaled: int) -> list[Crop]:
    if parts.crops:
        return [crop.downscaled(downscaled) for crop in parts.crops]
    return detailed_crops(subject.low, parts.side, parts.count)


def compare_crop(
    subject: Subject, crop: Crop, methods: Sequence[Method], metrics: Sequence[Metric]
) -> CropComparison:
    """The `crop` of the low picture by every method; the original last, if there is one.

    Figures are of the crop alone, and need the original.
    """
    seen = [MethodResult(method.name, upscale_crop(subject, crop, method)) for method in methods]
    if subject.high is not None:
        truth = cut(subject.high, crop.times(subject.scale))
        seen = [replace(one, figures=figures(one.image, truth, metrics)) for one in seen]
        seen.append(MethodResult(ORIGINAL, truth))
    low = cut(subject.low, crop)
    return CropComparison(subject.name, crop, subject.scale, low, tuple(seen))


def upscale_crop(subject: Subject, crop: Crop, method: Method) -> Image:
    """As it looks in the whole enlarged picture, at the cost of the part alone."""
    cut(subject.low, crop)  # says so if it lies outside
    around = crop.with_margin(method.context, subject.low)
    made = method.upscale(cut(subject.low, around), subject.scale)
    return cut(made, crop.relative_to(around).times(subject.scale))


def rows_of(compared: CropComparison, metrics: Sequence[Metric]) -> list[Row]:
    """At 100 % with figures, and the middle of it at 200 %; the input first, pixel by pixel."""
    low = MethodResult("input, its pixels", _by_pixels(compared.low, compared.scale))
    results = (low, *compared.seen)
    whole = [Cell(srgb_pixels(one.image), one.method, one.note(metrics)) for one in results]
    middles = [Cell(srgb_pixels(_middle(one.image)), one.method) for one in results]
    return [
        Row(tuple(whole), f"{compared.title}, at 100 %"),
        Row(tuple(middles), "The middle of it at 200 %"),
    ]


def _middle(image: Image) -> Image:
    whole = Crop(0, 0, image.width, image.height)
    return _by_pixels(cut(image, whole.middle()), 2)


def _by_pixels(image: Image, scale: int) -> Image:
    pixels = image.pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    return replace(image, pixels=pixels)
