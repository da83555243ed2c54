"""What one device does with pieces of an image."""

import numpy as np
import pytest
import torch
from torch import nn

from srgan_cli.images.image import Image
from srgan_cli.inference import tiling
from srgan_cli.inference.engine import CPU, TiledEngine, read_context
from srgan_cli.inference.row_streams import ImageSource
from srgan_cli.inference.tiling import MAX_BATCH_PIXELS, batch_size_for, empty_cache, plan_tiles
from srgan_cli.inference.worker import (
    DeviceTransfer,
    TileInput,
    Worker,
    as_bytes,
    as_floats,
    as_integers,
)
from srgan_cli.networks.fast import Fast

CUDA = torch.device("cuda")


def generator() -> nn.Module:
    torch.manual_seed(3)
    network = Fast(scale=2, features=4, blocks=1, thin=2)
    nn.init.normal_(network.to_rgb.weight, 0, 0.2)
    return network.eval()


def make_image(side: int, depth: type = np.uint8, channels: int = 3) -> Image:
    top = np.iinfo(depth).max
    drawn = np.random.default_rng(0).integers(0, top, (side, side, channels), depth, endpoint=True)
    return Image(drawn[..., :3], drawn[..., 3] if channels == 4 else None)


def pieces(image: Image, margin: int) -> list[TileInput]:
    source = ImageSource(image)
    return [
        TileInput(tile.core, tile.context, read_context(source, tile.context, margin), source.gray)
        for tile in plan_tiles(source.height, source.width, image.height // 2, margin)
    ]


@pytest.mark.parametrize(("depth", "channels"), [(np.uint8, 4), (np.uint16, 3)])
def test_a_batch_gives_what_its_pieces_give_alone(depth, channels):
    network = generator()
    worker = Worker(network, CPU, network.receptive_field)
    four = pieces(make_image(256, depth, channels), network.receptive_field)
    together = worker.finish(worker.begin(four, torch.float32))
    alone = [worker.finish(worker.begin([piece], torch.float32))[0] for piece in four]
    assert [core.shape for core in together] == [(256, 256, channels)] * 4
    np.testing.assert_array_equal(together, alone)


def test_a_batch_that_memory_does_not_suffice_for_is_done_one_by_one():
    class Lean(Fast):
        def forward(self, low: torch.Tensor) -> torch.Tensor:
            if len(low) > 1:
                raise torch.OutOfMemoryError("more than there is")
            return super().forward(low)

    network = Lean(scale=2, features=4, blocks=1, thin=2)
    worker = Worker(network, CPU, network.receptive_field)
    four = pieces(make_image(256), network.receptive_field)
    alone = [worker.finish(worker.begin([piece], torch.float32))[0] for piece in four]
    np.testing.assert_array_equal(worker.finish(worker.begin(four, torch.float32)), alone)


def test_of_a_batch_only_what_overflows_is_done_again():
    class BrightIsBad(Fast):
        def forward(self, low: torch.Tensor) -> torch.Tensor:
            high = super().forward(low)
            bad = torch.is_autocast_enabled("cpu") and low.mean(dim=(1, 2, 3)) > 0.4
            return high.where(~torch.as_tensor(bad).view(-1, 1, 1, 1), torch.nan)

    image, messages = make_image(256), []
    image.pixels[128:] //= 4
    network = BrightIsBad(scale=2, features=4, blocks=1, thin=2)
    half = Worker(network, CPU, network.receptive_field, messages.append)
    full = Worker(network, CPU, network.receptive_field)
    four = pieces(image, network.receptive_field)
    made, right = (
        half.finish(half.begin(four, torch.bfloat16)),
        full.finish(full.begin(four, torch.float32)),
    )
    np.testing.assert_array_equal(made[:2], right[:2])
    assert len(messages) == 2


def test_only_gpus_get_small_tiles_together():
    assert batch_size_for(CPU, 128 * 128) == 1
    assert batch_size_for(CUDA, 128 * 128) == MAX_BATCH_PIXELS // 128**2 > 1
    assert batch_size_for(CUDA, 2 * MAX_BATCH_PIXELS) == 1


def test_only_cuda_keeps_memory_that_can_be_given_back(monkeypatch):
    given_back: list[str] = []
    monkeypatch.setattr(tiling.torch.cuda, "empty_cache", lambda: given_back.append("once"))
    empty_cache(CPU)
    assert given_back == []
    empty_cache(CUDA)
    assert given_back == ["once"]


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_all_levels_travel_there_and_back(depth):
    levels = np.arange(np.iinfo(depth).max + 1, dtype=depth)
    floats = as_floats(DeviceTransfer(CPU).up(as_bytes(levels)))
    assert (floats.min(), floats.max()) == (0, 1)
    back = DeviceTransfer(CPU).down(as_integers(floats, levels.dtype)).wait()
    np.testing.assert_array_equal(back.view(depth), levels)


def test_what_overshoots_becomes_black_or_white():
    levels = as_integers(torch.tensor([-0.5, 1.5]), np.dtype(np.uint16)).numpy().view(np.uint16)
    assert levels.tolist() == [0, 65535]


@pytest.mark.gpu
@pytest.mark.parametrize(("depth", "channels"), [(np.uint8, 3), (np.uint16, 4)])
def test_a_gpu_gives_what_the_cpu_gives_but_for_rounding(depth, channels):
    image = make_image(300, depth, channels)
    on_cpu = TiledEngine(generator()).upscale(image)
    on_gpu = TiledEngine(generator().to(CUDA), CUDA, tile=40).upscale(image)
    difference = on_gpu.pixels.astype(float) - on_cpu.pixels
    assert np.abs(difference).max() / np.iinfo(depth).max < 0.005
    if channels == 4:
        assert np.abs(on_gpu.alpha.astype(float) - on_cpu.alpha).max() <= 1


@pytest.mark.gpu
def test_a_gpu_never_holds_more_than_its_tiles():
    image = make_image(2000)
    upscaler = TiledEngine(generator().to(CUDA), CUDA, tile=100)
    torch.cuda.reset_peak_memory_stats()
    upscaler.upscale(image)
    assert torch.cuda.max_memory_allocated() < image.pixels.nbytes * 4 * 4
