"""Tiny images, networks and runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from training_helpers import Listener, save_image

from srgan_cli.networks.vgg import LAYER_INDEX
from srgan_cli.training.feature_extractors import load_vggs
from srgan_cli.training.run_folder import begin
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.train_run import check, train


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        save_image(folder / f"{seed}.png", seed)
    return folder


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VGG19 of four channels down to conv3_1."""
    generator = torch.Generator().manual_seed(5)
    state, inputs = {}, 3
    for name in ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"):
        weight = torch.randn(4, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        state[f"features.{LAYER_INDEX[name]}.weight"] = weight
        state[f"features.{LAYER_INDEX[name]}.bias"] = torch.zeros(4)
        inputs = 4
    path = tmp_path_factory.mktemp("vgg") / "tiny.safetensors"
    save_file(state, path)
    return path


Make = Callable[..., TrainOptions]


@pytest.fixture
def make(photos: Path, tmp_path: Path, vgg_file: Path) -> Make:
    """Options of a tiny run; a GAN stage looks through a tiny VGG."""

    def options(**changes: Any) -> TrainOptions:
        tiny: dict[str, Any] = {
            "folders": (photos,),
            "out": tmp_path / "run",
            "recipe": "clean",
            "stages": "psnr",
            "scale": 2,
            "blocks": 1,
            "patch": 16,
            "batch_size": 2,
            "workers": 0,
            "steps": 6,
            "device": "cpu",
            "precision": "fp32",
            "vgg": (f"{vgg_file}:conv2_2=0.5,conv3_1",),
        }
        return TrainOptions(**tiny | changes)

    return options


Run = Callable[[TrainOptions], Listener]


@pytest.fixture
def run() -> Run:
    """Do what the options say, from the newest checkpoint on."""

    def trained(options: TrainOptions) -> Listener:
        if not (options.out / "options.json").exists():
            begin(options)
        listener = Listener()
        train(options, check(options), listener, "srgan train")
        return listener

    return trained


@pytest.fixture
def vggs(vgg_file: Path, make: Make) -> Any:
    return load_vggs(make().vgg_files())
