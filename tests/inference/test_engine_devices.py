"""Several devices, here two of the CPU, share the tiles of one image."""

import threading
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from helpers import noise
from small_networks import Blur
from torch import nn

from srgan_cli.errors import WeightsError
from srgan_cli.inference.engine import CPU, Replica, TiledEngine
from srgan_cli.inference.row_streams import ImageSink, ImageSource


class Counted(Blur):
    """Remembers how many tiles it got, and from which threads."""

    def __init__(self) -> None:
        super().__init__()
        self.tiles = 0
        self.threads: set[threading.Thread] = set()

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        self.tiles += len(low)
        self.threads.add(threading.current_thread())
        return super().forward(low)


class Together(Counted):
    """Goes on only once its partner computes as well."""

    def __init__(self, meeting: threading.Barrier) -> None:
        super().__init__()
        self.meeting = meeting

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        self.meeting.wait(timeout=30)
        return super().forward(low)


def shared(first: nn.Module, second: nn.Module, **more: object) -> TiledEngine:
    return TiledEngine(first, replicas=(Replica(second, CPU),), **more)


def test_two_devices_give_what_one_gives():
    image = noise(300, 200)
    one = TiledEngine(Counted()).upscale(image)
    for tile in (None, 40, 64):
        two = shared(Counted(), Counted(), tile=tile).upscale(image)
        np.testing.assert_array_equal(two.pixels, one.pixels)


def test_both_compute_at_the_same_time_in_threads_of_their_own():
    meeting = threading.Barrier(2)
    first, second = Together(meeting), Together(meeting)
    shared(first, second, tile=64).upscale(noise(128, 128))
    assert (first.tiles, second.tiles) == (2, 2)
    assert threading.current_thread() not in first.threads | second.threads


def test_one_device_computes_where_ctrl_c_reaches_it():
    alone = Counted()
    TiledEngine(alone).upscale(noise(20, 20))
    assert alone.threads == {threading.current_thread()}


class Failing(Counted):
    def forward(self, low: torch.Tensor) -> torch.Tensor:
        raise ValueError("broken")


def test_an_error_on_either_device_surfaces_and_ends_the_threads():
    before = threading.active_count()
    for pair in ((Counted(), Failing()), (Failing(), Counted())):
        with pytest.raises(ValueError, match="broken"):
            shared(*pair, tile=32).upscale(noise(200, 200))
    assert threading.active_count() == before


def test_a_failing_sink_ends_the_threads():
    class Full:
        def write(self, rows: np.ndarray) -> None:
            raise OSError("full")

    before = threading.active_count()
    with pytest.raises(OSError, match="full"):
        shared(Counted(), Counted(), tile=32).run(ImageSource(noise(200, 200)), Full())
    assert threading.active_count() == before


def test_the_source_is_read_by_one_thread_in_order():
    class Watched(ImageSource):
        update: ClassVar[list[int]] = []

        def rows(self, top: int, bottom: int) -> np.ndarray:
            assert threading.current_thread() is threading.main_thread()
            self.update.append(top)
            return super().rows(top, bottom)

    source = Watched(noise(200, 150))
    shared(Counted(), Counted(), tile=32).run(source, ImageSink(400, 300, 3, np.dtype(np.uint8)))
    assert source.update == sorted(source.update)


def test_what_is_replaced_is_replaced_on_all_devices():
    class Half(Counted):
        def forward(self, low: torch.Tensor) -> torch.Tensor:
            if torch.is_autocast_enabled("cpu"):
                raise WeightsError("not in float32")
            return super().forward(low)

    both = shared(Half(), Half(), dtype=torch.bfloat16, tile=32)
    with pytest.raises(WeightsError):
        both.upscale(noise(64, 64))
    assert replace(both, dtype=torch.float32).upscale(noise(64, 64)).height == 128


def test_one_device_with_less_memory_gets_its_tiles_done_too():
    class Small(Counted):
        def forward(self, low: torch.Tensor) -> torch.Tensor:
            if low.shape[2] * low.shape[3] > 150 * 150:
                raise torch.OutOfMemoryError("more than there is")
            return super().forward(low)

    image = noise(600, 400)
    one = TiledEngine(Counted()).upscale(image)
    two = shared(Counted(), Small(), tile=200).upscale(image)
    np.testing.assert_array_equal(two.pixels, one.pixels)
