"""Upscaling methods to compare: bicubic, networks, and blends of networks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from srgan_cli.api import build_pipeline
from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.images.image import Image
from srgan_cli.inference.engine import TiledEngine
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.settings import BICUBIC, Machine, MethodOptions, ModelChoice, OutputSize
from srgan_cli.weights.selection import SelectedModel, select_model
from srgan_cli.weights.zoo import DEFAULT_BLEND, ENDS, default_model, paths_by_scale

SCALE = 4  # where nothing tells it


@dataclass(frozen=True, eq=False)
class Method:
    """upscale: a picture and a scale -> the picture so many times larger.

    context: pixels of the low picture that a part of it needs around itself to look as it does in
    the whole. scale: what it enlarges by in one pass; None for any.
    """

    name: str
    upscale: Callable[[Image, int], Image]
    context: int = 2
    scale: int | None = None


def build_methods(options: MethodOptions) -> list[Method]:
    """Bicubic, then each network and blend of the options.

    Raises OptionError, WeightsError, DeviceError.
    """
    chosen = [select_model(choice) for choice in choices(options)]
    return [bicubic(), *(network_method(one, options.machine) for one in chosen)]


def scale_of(methods: Sequence[Method]) -> int:
    """The first one's that has a scale of its own."""
    return next((method.scale for method in methods if method.scale), SCALE)


def bicubic() -> Method:
    return Method(BICUBIC, _by(UpscalePipeline()))


def network_method(chosen: SelectedModel, machine: Machine) -> Method:
    """As many passes as the scale takes, then a bicubic to fit, as `srgan upscale` does."""
    built = build_pipeline(chosen.weights, machine, OutputSize())
    if not built.engines:
        raise WeightsError(f"{chosen.name} does not upscale: compare networks of a scale above 1")
    context = max(_context(upscaler) for upscaler in built.engines.values())
    native = SCALE if SCALE in built.engines else built.native
    return Method(_label(chosen), _by(built), context, native)


def _label(chosen: SelectedModel) -> str:
    return chosen.name if chosen.blend is None else f"{chosen.name} blend {chosen.blend:g}"


def _context(upscaler: TiledEngine) -> int:
    """Each further pass sees as far again, in pixels that are `scale` times smaller."""
    return -(-upscaler.context * upscaler.scale // (upscaler.scale - 1))


def _by(built: UpscalePipeline) -> Callable[[Image, int], Image]:
    def upscale(picture: Image, scale: int) -> Image:
        bare = Image(picture.pixels, icc_profile=picture.icc_profile)
        return replace(built, size=OutputSize(scale=Fraction(scale)))(bare)

    return upscale


def choices(options: MethodOptions) -> list[ModelChoice]:
    """One for each network or blend that is to be shown besides bicubic. Raises OptionError."""
    if options.models or options.files:
        models = [name for name in options.models if name != BICUBIC]
        shown = [choice for name in models for choice in _of_model(name, options)]
        shown += _of_files(options)
    else:
        shown = _of_default(default_model(), options.blends)
    if options.blends and all(choice.blend is None for choice in shown):
        raise OptionError("--blend needs two ends: a model that has both, or -w PSNR -w GAN")
    return shown


def _of_default(model: str, blends: tuple[float, ...]) -> list[ModelChoice]:
    if model == BICUBIC:
        return []
    if not _has_both_blends(model):
        return _at(model, blends)
    return _at(model, blends or (0.0, DEFAULT_BLEND))


def _of_model(model: str, options: MethodOptions) -> list[ModelChoice]:
    """A blend that suits another model is not asked of one with a single end."""
    copied = not _has_both_blends(model) and len(options.models) + len(options.files) > 1
    return _at(model, () if copied else options.blends)


def _of_files(options: MethodOptions) -> list[ModelChoice]:
    if options.blends and len(options.files) == len(ENDS):
        return [ModelChoice(files=options.files, blend=blend) for blend in options.blends]
    return [ModelChoice(files=(file,)) for file in options.files]


def _at(model: str, blends: tuple[float, ...]) -> list[ModelChoice]:
    return [ModelChoice(model, blend=blend) for blend in blends or (None,)]


def _has_both_blends(model: str) -> bool:
    return any(len(ends) == len(ENDS) for ends in paths_by_scale(model).values())
