"""The Python interface: `upscale`, `load` and `Upscaler`; commands build on the same functions."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
import PIL.Image
import torch
from torch import nn

from srgan_cli.device import keep_memory, pick_devices, pick_precision
from srgan_cli.errors import ImageError, OptionError
from srgan_cli.images.arrays import convert_back, open_image
from srgan_cli.images.image import Image
from srgan_cli.inference.engine import LogCallback, Replica, TiledEngine, once, warn
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.inference.variants import Ensemble, quantize, takes_int8
from srgan_cli.settings import NATIVE, NO_POSTPROCESS, Machine, ModelChoice, OutputSize, Postprocess
from srgan_cli.weights.activation_ranges import calibrate, recorded_calibration, recorded_psnr
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.measured_field import tile_padding
from srgan_cli.weights.selection import LazyMapping, SelectedModel, select_model
from srgan_cli.weights.zoo import default_model, model_names

FilePath = str | PathLike[str]
InMemory = TypeVar("InMemory", Image, PIL.Image.Image, np.ndarray)


@overload
def upscale(
    image: FilePath,
    scale: float | None = None,
    *,
    model: FilePath | None = None,
    blend: float | None = None,
    denoise: float | None = None,
    device: str = "auto",
) -> Image: ...
@overload
def upscale(
    image: InMemory,
    scale: float | None = None,
    *,
    model: FilePath | None = None,
    blend: float | None = None,
    denoise: float | None = None,
    device: str = "auto",
) -> InMemory: ...
def upscale(
    image: Any,
    scale: float | None = None,
    *,
    model: FilePath | None = None,
    blend: float | None = None,
    denoise: float | None = None,
    device: str = "auto",
) -> Any:
    """Upscale one image. It loads the model each time: for several images, `load` it once.

    image, scale, and the result: see `Upscaler.upscale`. The rest: see `load`.
    Raises SrganError, as both of them do.

    >>> import srgan_cli
    >>> large = srgan_cli.upscale("photo.jpg", scale=4)
    >>> large.array.shape, large.array.dtype
    ((192, 256, 3), dtype('uint8'))
    >>> large.save("out.png")
    """
    return load(model, blend=blend, denoise=denoise, device=device).upscale(image, scale)


def load(
    model: FilePath | None = None,
    *,
    blend: float | None = None,
    denoise: float | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    exact: bool = False,
    tta: bool = False,
) -> "Upscaler":
    """Load a model, to upscale any number of images with it.

    model: a name from `srgan models`, or a weights file, ours or another project's.
    blend: from 0, faithful (PSNR-trained), to 1, vivid (GAN-trained), the default.
    denoise: from 0, keep grain and artifacts, to 1, remove them: any mix of the models "clean",
    which is 0, and "photo", which is 1, at scale 4.
    device: "auto", "cpu", "cuda", "cuda:1", "mps", or several: "cuda:0,cuda:1".
    precision: "auto", "fp32", "bf16", "fp16" or "int8" (on CPUs); auto takes the fastest that the
    device has, int8 only for networks whose file records that it is faithful.
    tile: side of a tile in input pixels; None fits it to the free memory.
    exact: pad tiles by the full receptive field: exact, slower. tta: average over eight
    orientations: eight times the work.

    Raises WeightsError for an unknown model or an unusable file, OptionError for options that are
    out of range or do not fit the model, DeviceError for a missing device.

    >>> import srgan_cli
    >>> upscaler = srgan_cli.load("photo", blend=0.7, device="cpu")
    >>> upscaler
    <Upscaler photo, blend 0.7, x4>
    """
    machine = Machine(device, precision, tile, exact, tta)
    return Upscaler(select_model(_choice(model, blend, denoise)), machine)


def _choice(model: FilePath | None, blend: float | None, denoise: float | None) -> ModelChoice:
    if model is None:
        return ModelChoice(default_model(), blend=blend, denoise=denoise)
    if isinstance(model, str) and _is_name(model):
        return ModelChoice(model, blend=blend, denoise=denoise)
    return ModelChoice(files=(Path(model),), blend=blend, denoise=denoise)


def _is_name(model: str) -> bool:
    """A file comes before a model of its name."""
    return not Path(model).is_file() and (model in model_names() or not Path(model).suffix)


class Upscaler:
    """A loaded model. Made by `load`.

    What `upscale` accepts, and what it returns for it:
        a path: an `Image`, upright, with alpha, ICC profile and metadata;
        an `Image`: an `Image`;
        an array, (H, W) or (H, W, 1) gray, (H, W, 3) RGB or (H, W, 4) RGBA, uint8 or uint16:
            an array of the same type, (sH, sW) or (sH, sW, C);
        a PIL image of any mode but "F": a PIL image with the same ICC profile and EXIF, not
            rotated. Modes L, LA, RGB, RGBA, I and I;16 stay; 1 becomes L; others become RGB or
            RGBA, CMYK and LAB through their profile.

    Thread-safe: threads may share one Upscaler. Their tiles take turns on the device, so sharing
    saves memory, not time; results are those of calls one after another.
    """

    def __init__(self, model: SelectedModel, machine: Machine) -> None:
        self._model = model
        self._pipeline = build_pipeline(model.weights, machine, NATIVE)

    @property
    def scale(self) -> int:
        """How many times larger results are where no scale is given.

        >>> import srgan_cli
        >>> srgan_cli.load("photo").scale
        4
        """
        return self._pipeline.native

    def __repr__(self) -> str:
        blend = "" if self._model.blend is None else f", blend {self._model.blend:g}"
        denoise = f", denoise {self._model.denoise:g}" if self._model.is_mixed else ""
        return f"<Upscaler {self._model.name}{blend}{denoise}, x{self.scale}>"

    @overload
    def upscale(
        self,
        image: FilePath,
        scale: float | None = None,
        *,
        width: int | None = None,
        height: int | None = None,
        color_fix: bool = False,
        consistent: bool = False,
    ) -> Image: ...
    @overload
    def upscale(
        self,
        image: InMemory,
        scale: float | None = None,
        *,
        width: int | None = None,
        height: int | None = None,
        color_fix: bool = False,
        consistent: bool = False,
    ) -> InMemory: ...
    def upscale(
        self,
        image: Any,
        scale: float | None = None,
        *,
        width: int | None = None,
        height: int | None = None,
        color_fix: bool = False,
        consistent: bool = False,
    ) -> Any:
        """Upscale one image; depth and alpha are treated as on the command line.

        image: a path, an `Image`, an array or a PIL image; see the class for the result.
        scale: above 0, at most 1000; None is the model's own.
        width, height: of the result in pixels, instead of a scale; the aspect ratio is kept.
        color_fix: keep the input's overall colors.
        consistent: change the result so that a bicubic shrinks it to the input again.

        Raises ImageError for what cannot be read or is no such array (floats among them),
        OptionError for a size that makes no sense, DeviceError where memory does not suffice.

        >>> import numpy as np, srgan_cli
        >>> upscaler = srgan_cli.load("photo", device="cpu")
        >>> upscaler.upscale(np.zeros((10, 20, 3), np.uint8), scale=4).shape
        (40, 80, 3)
        >>> upscaler.upscale(np.zeros((10, 20), np.uint16), width=30).shape
        (15, 30)
        """
        size = OutputSize(_fraction(scale), width=width, height=height)
        self._model.check_scale(size.scale)
        postprocess = Postprocess(color_fix, consistent)
        pipeline = replace(self._pipeline, size=size, postprocess=postprocess)
        try:
            return convert_back(pipeline(open_image(image)), image)
        except MemoryError as error:
            raise ImageError("the result needs more memory than there is") from error


def _fraction(scale: float | None) -> Fraction | None:
    """A decimal as it is written: 2.3 is 23/10."""
    if scale is None:
        return None
    try:
        return Fraction(str(scale))
    except ValueError as error:
        raise OptionError(f"scale must be a number such as 4 or 2.5, not {scale!r}") from error


def build_engine(weights: Weights, machine: Machine, log: LogCallback = warn) -> TiledEngine:
    """Raises DeviceError for a device that is missing, WeightsError for unfit weights."""
    keep_memory()
    devices = pick_devices(machine.device)
    generator = load_generator(weights)
    analytic = int(generator.receptive_field)  # type: ignore[arg-type]
    margin = analytic if machine.exact else tile_padding(weights, analytic)
    running = Ensemble(generator) if machine.tta else generator
    int8 = takes_int8(machine.precision, generator, devices, recorded_psnr(weights, generator))
    replicas = [Replica(copy.deepcopy(running).to(device), device) for device in devices[1:]]
    engine = TiledEngine(
        generator=running.to(devices[0]),
        device=devices[0],
        dtype=pick_precision(machine.precision, *devices),
        tile=machine.tile,
        margin=margin,
        edge_padding=weights.metadata.reflect_padding,
        replicas=tuple(replicas),
        log=log,
    )
    return _in_int8(engine, generator, weights, machine.tta) if int8 else engine


def _in_int8(engine: TiledEngine, generator: nn.Module, weights: Weights, tta: bool) -> TiledEngine:
    recorded = recorded_calibration(weights, generator)
    quantized = quantize(generator, recorded or calibrate(generator))
    return replace(
        engine,
        dtype=torch.int8,
        quantized=Ensemble(quantized) if tta else quantized,
        built_in_calibration=recorded is None,
    )


def build_pipeline(
    weights: Mapping[int, Weights],
    machine: Machine,
    size: OutputSize,
    postprocess: Postprocess = NO_POSTPROCESS,
    log: LogCallback = warn,
) -> UpscalePipeline:
    """For networks by their scale; without any, bicubic. `log` gets each message once.

    Those that run at `size` whatever the image are loaded here, others when an image needs them.

    16-bit images run in float32 unless `machine` names a precision.
    """
    log_once = once(log)

    def load(scale: int) -> TiledEngine:
        return build_engine(weights[scale], machine, log_once)

    engines = LazyMapping([scale for scale in weights if scale > 1], load)
    restorer = load(1) if 1 in weights and not engines else None
    precise = machine.precision == "auto"
    pipeline = UpscalePipeline(engines, size, postprocess, restorer, precise)
    for scale in pipeline.fixed_scales:
        if scale in engines:
            engines[scale]  # raises for unusable files before any work begins
    return pipeline
