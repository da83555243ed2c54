"""`srgan interp`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srgan_cli.cli.command import Command, option, option_group
from srgan_cli.cli.comparison_options import (
    LPIPS_NOTE,
    ExtraMetrics,
    Originals,
    extra_metrics_options,
    input_files,
    metrics_of,
    originals_options,
)
from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import (
    ParsedType,
    any_path,
    check_outputs,
    lock_outputs,
    new_file,
    weights_file,
)
from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.images.formats import FORMAT_BY_SUFFIX
from srgan_cli.weights.zoo import SUFFIX

if TYPE_CHECKING:
    from srgan_cli.evaluation.measure import ImagePair
    from srgan_cli.weights.container import Weights

RECOMMENDED = 0.8
"""ESRGAN, section 4.4: vivid with hardly an artifact."""

PLACEHOLDER = "{alpha}"


def _parse_numbers(low: float, high: float, text: str) -> tuple[float, ...]:
    """Comma-separated numbers between `low` and `high`."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"{text!r} is no number or list such as 0,.5,1") from error
    if not all(low <= number <= high for number in numbers):
        raise ValueError(f"{text!r} is not all between {low:g} and {high:g}")
    return numbers


@dataclass(frozen=True)
class BlendOptions:
    """Weights of the networks: `alphas`, one blend of two networks each, or `shares` of several."""

    alphas: tuple[float, ...] | None = None
    shares: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.alphas is not None and self.shares is not None:
            raise OptionError("--alpha and --shares exclude each other")
        if self.shares is not None and abs(sum(self.shares) - 1) > 1e-6:
            raise OptionError(f"--shares add up to {sum(self.shares):g}: they must add up to 1")

    def check(self, networks: int) -> None:
        """Raises OptionError if it does not fit the number of networks."""
        if networks < 2:
            raise OptionError("a blend needs two networks at least: interp PSNR GAN -o OUT")
        if self.shares is not None and len(self.shares) != networks:
            raise OptionError(f"--shares has {len(self.shares)} numbers for {networks} networks")
        if self.shares is None and networks > 2:
            raise OptionError(f"{networks} networks need --shares, such as .5,.3,.2")

    def outputs(self, output: Path) -> dict[Path, tuple[float, ...]]:
        """Output file -> shares of the networks."""
        if self.shares is not None:
            return {_check_output(output, PLACEHOLDER not in str(output), "--shares"): self.shares}
        alphas = self.alphas or (RECOMMENDED,)
        _check_output(
            output, len(alphas) == 1 or PLACEHOLDER in str(output), f"{len(alphas)} alphas"
        )
        names = [Path(str(output).replace(PLACEHOLDER, f"{alpha:g}")) for alpha in alphas]
        check_outputs(names, [])
        return {name: (1 - alpha, alpha) for name, alpha in zip(names, alphas, strict=True)}


def _check_output(output: Path, fits: bool, what: str) -> Path:
    if not fits:
        known = "needs" if PLACEHOLDER not in str(output) else "cannot have"
        raise OptionError(f"-o {output} {known} {PLACEHOLDER} in it with {what}")
    if output.suffix != SUFFIX:
        raise OptionError(f"{output}: blends are {SUFFIX} files; srgan convert makes others")
    return output


@dataclass(frozen=True)
class SweepOptions:
    """The photograph of a sweep, and the file to write it to."""

    photo: Path | None = None
    sheet: Path | None = None

    def __post_init__(self) -> None:
        if (self.photo is None) != (self.sheet is None):
            raise OptionError("--sweep PHOTO and --sheet IMAGE go together")
        if self.sheet is not None and self.sheet.suffix.lower() not in FORMAT_BY_SUFFIX:
            raise OptionError(f"{self.sheet}: a sheet is an image, such as .png")


@click.command(
    "interp",
    cls=Command,
    short_help="Blend weights files into one",
    examples=(
        "srgan interp run/psnr.safetensors run/gan.safetensors -o mine.safetensors",
        "srgan interp a.pth b.pth -o 'blend-{alpha}.safetensors' --alpha 0,.25,.5",
        "srgan interp a.pth b.pth c.pth -o abc.safetensors --shares .5,.3,.2",
        "srgan interp new.pth gan.pth psnr.pth -o start.safetensors --shares 1,1,-1",
        "srgan interp a.pth b.pth --sweep photo.jpg --sheet sweep.png",
    ),
    notes=(
        "--sweep shows a crop of PHOTO from faithful to vivid; with an original (--high, "
        "--shrink) its PSNR too; with --vgg or --lpips, perception against distortion as a curve.",
        "--shares 1,1,-1 adds to the first file what the second was trained for beyond the third: "
        "a start for the GAN stage of a new faithful network.",
        LPIPS_NOTE,
    ),
)
@click.argument("networks", metavar="PSNR GAN...", nargs=-1, required=True, type=weights_file)
@option(
    "-o, --output OUT", f"File to write, may hold {PLACEHOLDER}", type=any_path, heading="Blend"
)
@option_group(
    "blend_options",
    BlendOptions,
    option(
        "--alpha A[,A...]",
        "From 0, all PSNR, to 1, all GAN",
        name="alphas",
        aliases=["--blend"],
        type=ParsedType("numbers", partial(_parse_numbers, 0, 1)),
        show_default=f"{RECOMMENDED}",
    ),
    option(
        "--shares S,S...",
        "Share of each file, negative or not; the sum is 1",
        type=ParsedType("numbers", partial(_parse_numbers, -2, 2)),
    ),
    heading="Blend",
)
@option_group(
    "sweep_options",
    SweepOptions,
    option(
        "--sweep PHOTO", "Show a crop of PHOTO from faithful to vivid", name="photo", type=any_path
    ),
    option("--sheet FILE", "Image that --sweep writes", type=new_file),
    heading="Sweep",
)
@originals_options
@extra_metrics_options
@option(
    "--force", "Blend files that were not trained from one another", is_flag=True, heading="Blend"
)
def interp_command(
    networks: tuple[Path, ...],
    output: Path | None,
    blend_options: BlendOptions,
    sweep_options: SweepOptions,
    originals: Originals,
    extra_metrics: ExtraMetrics,
    force: bool,
) -> None:
    """Blend a faithful and a vivid network, weight by weight; or several by shares."""
    photo, sheet = sweep_options.photo, sweep_options.sheet
    if output is None and sheet is None:
        raise OptionError("name the blend with -o OUT, or view it with --sweep and --sheet")
    if output is None and blend_options.shares is not None:
        raise OptionError("--shares needs -o OUT: a sweep is by --alpha")
    blend_options.check(len(networks))
    if photo is not None and len(networks) != 2:
        raise OptionError("--sweep goes from one network to another: give two")
    _check_metrics(photo, originals, extra_metrics)
    outputs = {} if output is None else blend_options.outputs(output)
    sources = [] if photo is None else list(originals.sources([photo]))
    inputs = [*networks, *input_files(sources), *extra_metrics.files]
    check_outputs([*outputs, *filter(None, [sheet])], inputs)

    lock_outputs(outputs, WeightsError)
    lock_outputs(filter(None, [sheet]))
    loaded = _load_networks(networks)
    _check_lineage(loaded, next(iter(outputs.values()), (0.5, 0.5)), force)
    _write(loaded, outputs, networks)
    if sheet is not None:
        _write_sweep(loaded, sources[0], sheet, blend_options.alphas, extra_metrics)


def _check_metrics(photo: Path | None, originals: Originals, extra_metrics: ExtraMetrics) -> None:
    if photo is None and originals != Originals():
        raise OptionError("--high and --shrink go with --sweep")
    if originals == Originals() and extra_metrics != ExtraMetrics():
        raise OptionError("--vgg and --lpips need the original: --high PATH, or --shrink")
    if extra_metrics.vgg is not None and extra_metrics.lpips:
        raise OptionError("--vgg and --lpips exclude each other: the curve has one axis for them")


def _load_networks(networks: Sequence[Path]) -> "list[Weights]":
    """Raises WeightsError, naming the files, if their shapes differ."""
    from srgan_cli.weights.blending import blend_problems
    from srgan_cli.weights.generators import join_problems
    from srgan_cli.weights.loading import load_weights

    loaded = [load_weights(path) for path in networks]
    for path, other in zip(networks[1:], loaded[1:], strict=True):
        if problems := blend_problems(loaded[0], other):
            raise WeightsError(f"cannot blend {networks[0]} with {path}: {join_problems(problems)}")
    return loaded


def _check_lineage(loaded: "Sequence[Weights]", shares: Sequence[float], force: bool) -> None:
    from srgan_cli.weights.blending import lineage_warning

    found = lineage_warning(loaded, shares)
    if found is None:
        return
    if not force:
        raise WeightsError(f"{found}; --force blends them anyway")
    Output().warning(found)


def _write(
    loaded: "Sequence[Weights]", outputs: dict[Path, tuple[float, ...]], networks: Sequence[Path]
) -> None:
    from srgan_cli.weights.blending import blend_all
    from srgan_cli.weights.container import write_weights

    for output, shares in outputs.items():
        write_weights(blend_all(loaded, shares), output)
        parts = zip(shares, networks, strict=True)
        summary = " + ".join(f"{share:g} {path}" for share, path in parts)
        Output().info(f"{summary} -> {output}")


def _write_sweep(
    ends: "Sequence[Weights]",
    source: "ImagePair",
    sheet: Path,
    alphas: tuple[float, ...] | None,
    extra_metrics: ExtraMetrics,
) -> None:
    from srgan_cli.evaluation.comparison import ALPHAS, sweep
    from srgan_cli.evaluation.measure import read_pair
    from srgan_cli.images.write import write_image

    subject = read_pair(source, ends[0].metadata.scale)
    perceptual = next(iter(metrics_of(extra_metrics, "auto", ())), None)
    write_image(sweep((ends[0], ends[1]), subject, alphas or ALPHAS, perceptual), sheet)
    Output().info(f"{source.photo} -> {sheet}")
