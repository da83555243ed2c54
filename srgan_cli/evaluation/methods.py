"""Upscaling methods to compare: bicubic, networks, and blends of networks."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from srgan_cli.api import build_pipeline
from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.folders import distinct_names
from srgan_cli.images.image import Image
from srgan_cli.inference.engine import TiledEngine
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.settings import (
    BICUBIC,
    Machine,
    MethodOptions,
    ModelChoice,
    OutputSize,
    ResultSettings,
)
from srgan_cli.weights.blending import has_family
from srgan_cli.weights.selection import SelectedModel, select_model
from srgan_cli.weights.zoo import DEFAULT_BLEND, DENOISE_ENDS, ENDS, default_model, paths_by_scale

SCALE = 4  # where nothing tells it

GRID = (0.0, 0.5, 1.0)
"""Blends and strengths of --denoise at which a family is shown."""


@dataclass(frozen=True, eq=False)
class Method:
    """upscale: (image, scale) -> the image `scale` times larger.

    context: low-resolution pixels around a crop that make its result equal that in the whole image.
    scale: of one pass; None for any. row: methods with the same one share a row of a sheet; ""
    is that of the input.
    """

    name: str
    upscale: Callable[[Image, int], Image]
    context: int = 2
    scale: int | None = None
    settings: ResultSettings = field(default_factory=ResultSettings)
    row: str = ""


def build_methods(options: MethodOptions, scale: int | None = None) -> list[Method]:
    """Bicubic, then each network and blend of the options.

    scale: that of the comparison, if known. Raises OptionError, WeightsError, DeviceError.
    """
    selected = choices(options)
    names = _file_names(options)
    models = [_select(choice, names) for choice in selected]
    for model in models:
        model.check_scale(scale)
    networks = [network_method(model, options.machine) for model in models]
    has_rows = len({choice.denoise for choice in selected}) > 1
    named = [_with_denoise(*pair, has_rows) for pair in zip(networks, selected, strict=True)]
    return [bicubic(), *named]


def _file_names(options: MethodOptions) -> dict[Path, str]:
    """Names that tell the files from one another and from the models."""
    files = list(dict.fromkeys(options.files))
    stems = Counter(file.absolute().with_suffix("") for file in files)
    paths = [file.absolute() for file in files]
    shown = [path.with_suffix("") if stems[path.with_suffix("")] == 1 else path for path in paths]
    models = [Path(model) for model in dict.fromkeys((BICUBIC, *options.models))]
    return dict(zip(files, distinct_names([*shown, *models]), strict=False))


def _select(choice: ModelChoice, names: Mapping[Path, str]) -> SelectedModel:
    model = select_model(choice)
    return replace(model, name=" + ".join(names[file] for file in choice.files) or model.name)


def _with_denoise(method: Method, choice: ModelChoice, has_rows: bool) -> Method:
    if choice.denoise is None:
        return method
    row = f"denoise {choice.denoise:g}"
    return replace(method, name=f"{method.name} {row}", row=row if has_rows else "")


def scale_of(methods: Sequence[Method]) -> int:
    """The scale of the first method that has one."""
    return next((method.scale for method in methods if method.scale), SCALE)


def bicubic() -> Method:
    return Method(BICUBIC, _upscale_function(SelectedModel(BICUBIC, {}), UpscalePipeline()))


def network_method(model: SelectedModel, machine: Machine) -> Method:
    """Upscales in as many passes as the scale takes, then by bicubic, as `srgan upscale`."""
    pipeline = build_pipeline(model.weights, machine, OutputSize())
    if not pipeline.engines:
        raise WeightsError(f"{model.name} does not upscale: compare networks of a scale above 1")
    context = max(_context(engine) for engine in pipeline.engines.values())
    native = SCALE if SCALE in pipeline.engines else pipeline.native
    engine = pipeline.engines[native]
    devices = ",".join(map(str, engine.devices))
    return Method(
        model.name if model.blend is None else f"{model.name} blend {model.blend:g}",
        _upscale_function(model, pipeline),
        context,
        native,
        ResultSettings(model.name, model.blend, model.denoise, devices, engine.precision),
    )


def _context(engine: TiledEngine) -> int:
    """Of any number of passes: each adds its context in pixels that are `scale` times smaller."""
    return -(-engine.context * engine.scale // (engine.scale - 1))


def _upscale_function(
    model: SelectedModel, pipeline: UpscalePipeline
) -> Callable[[Image, int], Image]:
    def upscale(image: Image, scale: int) -> Image:
        model.check_scale(scale)
        bare = Image(image.pixels, icc_profile=image.icc_profile)
        return replace(pipeline, size=OutputSize(scale=Fraction(scale)))(bare)

    return upscale


def choices(options: MethodOptions) -> list[ModelChoice]:
    """A choice for each network or blend besides bicubic. Raises OptionError."""
    if options.models or options.files:
        models = [name for name in options.models if name != BICUBIC]
        selected = [choice for name in models for choice in _model_choices(name, options)]
        selected += _file_choices(options)
    else:
        selected = _default_choices(default_model(), options)
    if options.blends and all(choice.blend is None for choice in selected):
        raise OptionError("--blend needs two ends: a model that has both, or -w PSNR -w GAN")
    if options.strengths and all(choice.denoise is None for choice in selected):
        raise OptionError(f"--denoise needs one of the models {', '.join(DENOISE_ENDS)}")
    return selected


def _default_choices(model: str, options: MethodOptions) -> list[ModelChoice]:
    if model == BICUBIC:
        return []
    blends, strengths = options.blends, options.strengths
    if options.grid and not blends and not strengths and model in DENOISE_ENDS and has_family():
        return _all_choices(model, GRID, GRID)
    if not _has_both_ends(model):
        return _all_choices(model, blends, strengths)
    return _all_choices(model, blends or (0.0, DEFAULT_BLEND), strengths)


def _model_choices(model: str, options: MethodOptions) -> list[ModelChoice]:
    """Options that do not fit the model are not applied where others are compared with it."""
    single = len(options.models) + len(options.files) == 1
    blends = options.blends if single or _has_both_ends(model) else ()
    return _all_choices(model, blends, options.strengths if single or model in DENOISE_ENDS else ())


def _file_choices(options: MethodOptions) -> list[ModelChoice]:
    if options.blends and len(options.files) == len(ENDS):
        return [ModelChoice(files=options.files, blend=blend) for blend in options.blends]
    return [ModelChoice(files=(file,)) for file in options.files]


def _all_choices(
    model: str, blends: tuple[float, ...], strengths: tuple[float, ...]
) -> list[ModelChoice]:
    """All combinations: each strength at all blends."""
    return [
        ModelChoice(model, blend=blend, denoise=strength)
        for strength in strengths or (None,)
        for blend in blends or (None,)
    ]


def _has_both_ends(model: str) -> bool:
    return any(len(ends) == len(ENDS) for ends in paths_by_scale(model).values())
