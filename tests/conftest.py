from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from srgan_cli.images.image import Image
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.rrdbnet import RRDBNet
from srgan_cli.weights import measured_field
from srgan_cli.weights.container import Weights, write_weights
from srgan_cli.weights.metadata import Metadata, ModelFamily

torch.set_num_threads(1)  # tiny networks gain nothing from more

DATA = Path(__file__).parent / "data"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Speeds that a test measures are not remembered for the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def photo_file() -> Path:
    """A real photograph, 256 x 256."""
    return DATA / "photo.jpg"


@pytest.fixture
def noise() -> Image:
    """A small image in which every pixel differs from its neighbors."""
    return Image(np.random.default_rng(seed=7).integers(0, 256, (37, 50, 3), dtype=np.uint8))


def tiny_weights(seed: int = 0, scale: int = 4, **metadata: object) -> Weights:
    """The smallest network there is, with random numbers."""
    torch.manual_seed(seed)
    sizes = {"scale": scale, "features": 4, "blocks": 1, "thin": 2}
    network = Fast(**sizes)
    with torch.no_grad():
        network.to_rgb.weight.normal_(0, 0.05)  # it starts at zero: bicubic alone
    told = {"objective": "psnr", "lineage": "family"} | metadata
    return Weights("fast", sizes, network.state_dict(), Metadata(scale=scale, **told))  # type: ignore[arg-type]


@pytest.fixture
def make_weights() -> Callable[..., Weights]:
    return tiny_weights


@pytest.fixture
def tiny() -> Weights:
    return tiny_weights()


@pytest.fixture
def tiny_file(tiny: Weights, tmp_path: Path) -> Path:
    write_weights(tiny, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def other_file(tmp_path: Path) -> Path:
    """The vivid end to `tiny_file`."""
    path = tmp_path / "other.safetensors"
    write_weights(tiny_weights(seed=1, objective="gan"), path)
    return path


@pytest.fixture
def family(no_personal_networks: Path) -> Path:
    """The user's folder with small networks as clean and photo at x4, which declare one family."""
    for seed, (model, denoise, end) in enumerate(
        [("clean", 0, "psnr"), ("clean", 0, "gan"), ("photo", 1, "psnr"), ("photo", 1, "gan")]
    ):
        weights = tiny_weights(seed, objective=end, family=ModelFamily("photo-clean", denoise))
        write_weights(weights, no_personal_networks / f"{model}-x4-{end}.safetensors")
    return no_personal_networks


@pytest.fixture(autouse=True)
def no_personal_networks(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    monkeypatch.setenv("SRGAN_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def in_tmp_path(tmp_path, monkeypatch) -> None:
    """Work in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> Weights:
    """A network that sees farther than is paid for without a measurement."""
    monkeypatch.setattr(measured_field, "MAX_ANALYTIC", 8)
    torch.manual_seed(1)
    sizes = {"scale": 1, "features": 2, "blocks": 1, "growth": 1}
    return Weights("rrdbnet", sizes, RRDBNet(**sizes).state_dict(), Metadata(scale=1))
