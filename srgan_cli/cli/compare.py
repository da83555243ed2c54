"""`srgan compare`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srgan_cli.cli.command import Command, option
from srgan_cli.cli.comparison_options import (
    LPIPS_NOTE,
    ExtraMetrics,
    Originals,
    extra_metrics_options,
    input_files,
    method_options,
    metrics_of,
    originals_options,
    report_failures,
)
from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import POSITIVE, any_path, check_outputs, lock_outputs, new_file
from srgan_cli.cli.progress_bars import tracked
from srgan_cli.errors import OptionError
from srgan_cli.images.formats import FORMAT_BY_SUFFIX
from srgan_cli.settings import Machine, MethodOptions
from srgan_cli.weights.zoo import FAMILY_SCALE

if TYPE_CHECKING:
    from srgan_cli.evaluation.comparison import CropComparison, CropOptions
    from srgan_cli.metrics import Metric

PAGES = (".html", ".htm")
PAGE_SIDE = 256  # low-resolution pixels a side of the part that a page shows


@click.command(
    "compare",
    cls=Command,
    short_help="Show models side by side on a photo",
    examples=(
        "srgan compare photo.jpg",
        "srgan compare photo.jpg --crop 120,80,64,64 -m clean -m srcnn -o sheet.png",
        "srgan compare original.png --shrink --blend 0 --blend 1 -o page.html",
    ),
    notes=(
        "Without -m and -w, the default model is shown from faithful to vivid; at x4 and without "
        "--high also for --denoise 0, 0.5 and 1, a row each, where it can be mixed. Bicubic is "
        "always shown.",
        "--crop is in pixels of PHOTO. With --high or --shrink, each crop is measured.",
        LPIPS_NOTE,
    ),
)
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True, type=any_path)
@option(
    "-o, --output FILE",
    "Image, or .html page",
    type=new_file,
    show_default="PHOTO_compared.png",
    heading="Output",
)
@option(
    "--crop X,Y,W,H",
    "Part of PHOTO; repeatable",
    name="crops",
    multiple=True,
    show_default="most detailed",
    heading="Output",
)
@option(
    "-s, --scale N",
    "Scale without --high",
    type=POSITIVE,
    show_default="the first model's",
    heading="Output",
)
@originals_options
@method_options(Machine.precision)
@extra_metrics_options
def compare_command(
    photos: tuple[Path, ...],
    output: Path | None,
    crops: tuple[str, ...],
    originals: Originals,
    scale: int | None,
    options: MethodOptions,
    extra_metrics: ExtraMetrics,
) -> None:
    """Show models side by side on crops of photos, at 100 % and at 200 %."""
    _check_photos(photos)
    _check_scale(scale, originals)
    target = _resolve_target(output, photos)
    sources = list(originals.sources(photos))
    check_outputs([target], [*input_files(sources), *extra_metrics.files, *options.files])
    lock_outputs([target])

    from srgan_cli.evaluation.comparison import compare_all
    from srgan_cli.evaluation.measure import Failure
    from srgan_cli.evaluation.methods import build_methods, scale_of
    from srgan_cli.metrics import FIDELITY

    crop_options = _crop_options(crops, target, len(photos))
    grid = originals.high is None and scale in (None, FAMILY_SCALE)
    methods = build_methods(replace(options, grid=grid), scale)
    metrics = metrics_of(extra_metrics, options.machine.device, FIDELITY[:2])
    outcomes = compare_all(sources, methods, metrics, crop_options, scale or scale_of(methods))
    console = Output()
    results = list(tracked(outcomes, len(sources), console))
    comparisons = [one for many in results if not isinstance(many, Failure) for one in many]
    if comparisons:
        write = _write_page if target.suffix.lower() in PAGES else _write_sheet
        write(comparisons, metrics, target)
        console.info(str(target))
    report_failures(console, (result for result in results if isinstance(result, Failure)))


def _check_photos(photos: Sequence[Path]) -> None:
    for photo in photos:
        if photo.is_dir():
            raise OptionError(f"{photo} is a folder: name its images, such as {photo / '*.jpg'}")


def _check_scale(scale: int | None, originals: Originals) -> None:
    if scale is not None and originals.high is not None:
        raise OptionError("--scale does not go with --high: the sizes of both images tell it")


def _resolve_target(output: Path | None, photos: Sequence[Path]) -> Path:
    """Path of the sheet or page. Raises OptionError for another suffix."""
    target = output or photos[0].with_name(f"{photos[0].stem}_compared.png")
    if target.suffix.lower() not in (*FORMAT_BY_SUFFIX, *PAGES):
        raise OptionError(f"{target}: a comparison is an image, such as .png, or a page, .html")
    return target


def _crop_options(crops: Sequence[str], target: Path, photos: int) -> "CropOptions":
    """A page shows one large crop of each photo; a sheet two small ones, or one of each photo."""
    from srgan_cli.evaluation.comparison import CropOptions
    from srgan_cli.evaluation.crops import parse_crop

    named = tuple(parse_crop(crop) for crop in crops)
    if target.suffix.lower() in PAGES:
        return CropOptions(named, count=1, side=PAGE_SIDE)
    return CropOptions(named, count=2 if photos == 1 else 1)


def _write_sheet(
    comparisons: "Sequence[CropComparison]", metrics: "Sequence[Metric]", target: Path
) -> None:
    from srgan_cli.evaluation.comparison import rows_of
    from srgan_cli.figures import sheet
    from srgan_cli.images.write import write_image

    write_image(sheet([row for one in comparisons for row in rows_of(one, metrics)]), target)


def _write_page(
    comparisons: "Sequence[CropComparison]", metrics: "Sequence[Metric]", target: Path
) -> None:
    """The input on the left at first, the last of the methods on the right."""
    from srgan_cli.figures.html_page import Comparison, Layer, comparison_page
    from srgan_cli.files import atomic_write

    pages = []
    for one in comparisons:
        layers = [
            Layer(result.method, result.image, result.note(metrics)) for result in one.results
        ]
        if one.has_original:
            layers.insert(0, layers.pop())  # the original
        pages.append(Comparison(one.title, (Layer("input", one.low_res), *layers)))
    page = comparison_page(pages)
    with atomic_write(target) as file:
        file.write(page.encode())
