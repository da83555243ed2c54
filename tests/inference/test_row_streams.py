"""Results that are written as they are computed: the same files, and nothing half done."""

import resource
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, cycle, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from srgan_cli.batch.output_names import STREAM
from srgan_cli.batch.plan import Job
from srgan_cli.batch.run import JobOptions, Outcome, run_jobs
from srgan_cli.batch.upscale_job import ENCODER_COPIES, MAX_BUFFER, must_stream
from srgan_cli.errors import ImageError
from srgan_cli.images.formats import Encoding
from srgan_cli.images.icc import srgb_profile
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import read_image
from srgan_cli.images.write import encode, row_writer, write_image
from srgan_cli.inference.engine import TiledEngine
from srgan_cli.inference.pipeline import ResizeRows, UpscalePipeline
from srgan_cli.inference.row_streams import ImageSink, ImageSource, RowTransformSink, TemporaryImage
from srgan_cli.resample import resize_array
from srgan_cli.settings import ImageSize, OutputSize, Postprocess
from srgan_cli.weights.loading import load_generator

PLENTY, NOTHING = 1 << 40, 0  # bytes of memory
KINDS = [(1, "u1"), (3, "u1"), (2, "u2"), (4, "u2")]


def make_image(channels: int = 3, depth: str = "u1", height: int = 90, width: int = 20) -> Image:
    rng = np.random.default_rng(height)
    samples = rng.integers(0, np.iinfo(depth).max, (height, width, channels)).astype(depth)
    reported = {"icc_profile": srgb_profile(), "dpi": (72.0, 96.0), "xmp": b"<x/>"}
    if channels in (1, 3):
        return Image(samples, **reported)
    alpha = samples[..., -1] * (np.arange(height) % 7 > 2)[:, None].astype(depth)
    return Image(samples[..., :-1], alpha, **reported)


@pytest.fixture
def network(tiny) -> TiledEngine:
    return TiledEngine(load_generator(tiny), tile=40)


def done(image: Image | ImageSequence, target: Path, grow: UpscalePipeline, free: int) -> Outcome:
    source = target.with_name("source.tif")
    write_image(image, source)
    work = JobOptions(grow, Encoding(), 10**9, free=lambda: free)
    (outcome,) = run_jobs([Job(source, target)], work)
    return outcome


def both_ways(
    image: Image | ImageSequence, folder: Path, suffix: str, grow: UpscalePipeline
) -> list[bytes]:
    made = []
    for free in (PLENTY, NOTHING):
        target = folder / f"made{suffix}"
        outcome = done(image, target, grow, free)
        assert outcome.error is None
        assert outcome.after is not None
        made.append(target.read_bytes())
    assert sorted(p.name for p in folder.iterdir()) == [f"made{suffix}", "source.tif"]
    return made


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("channels", "depth"), KINDS)
def test_a_result_written_by_rows_is_the_file_of_a_gathered_one(
    network, tmp_path, channels, depth, suffix
):
    image = make_image(channels, depth)
    gathered, by_row = both_ways(image, tmp_path, suffix, UpscalePipeline({4: network}))
    assert gathered == by_row
    made = read_image(tmp_path / f"made{suffix}")
    assert (made.height, made.channels, made.depth) == (360, channels, image.depth)
    assert (made.icc_profile, made.xmp) == (srgb_profile(), b"<x/>")


@pytest.mark.parametrize(
    ("size", "corrections"),
    [
        (OutputSize(scale=Fraction(16)), Postprocess()),
        (OutputSize(scale=Fraction(7, 2)), Postprocess()),
        (OutputSize(scale=Fraction(1, 2)), Postprocess()),
        (OutputSize(scale=Fraction(6)), Postprocess(color_fix=True, consistent=True)),
    ],
    ids=["two passes", "a pass too many", "smaller", "corrected"],
)
def test_every_step_to_the_asked_size_works_by_rows(network, tmp_path, size, corrections):
    grow = UpscalePipeline({4: network}, size, corrections)
    gathered, by_row = both_ways(make_image(4), tmp_path, ".png", grow)
    assert gathered == by_row


def test_pages_are_written_one_after_another(network, tmp_path):
    pages = ImageSequence((make_image(), make_image(1, height=20), make_image(4, height=30)))
    gathered, by_row = both_ways(pages, tmp_path, ".tif", UpscalePipeline({4: network}))
    assert gathered == by_row


@pytest.mark.parametrize("format", ["png", "tiff"])
@settings(max_examples=3, deadline=None)
@given(row_chunks=st.lists(st.integers(1, 150), min_size=1))
def test_a_file_does_not_depend_on_the_portions_its_rows_come_in(
    tmp_path_factory, format, row_chunks
):
    image = make_image(4, "u2", height=200, width=900)
    path = tmp_path_factory.mktemp("rows") / "a"
    with row_writer(path, (image.with_size(200, 900),), Encoding(format)) as sink:
        for top, end in pairwise(accumulate(cycle(row_chunks), initial=0)):
            sink.write(image.array[top:end])
            if end >= 200:
                break
    assert path.read_bytes() == encode(image, Encoding(format))


class Breaking(nn.Module):
    """Stops at the third tile."""

    scale, receptive_field = 2, 1

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error, self.tiles = error, 0

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        self.tiles += low.shape[2] > 16  # not the image on which its need is measured
        if self.tiles > 2:
            raise self.error
        return nn.functional.interpolate(low, scale_factor=2)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_an_error_in_the_middle_leaves_the_old_file_and_no_part(tmp_path, suffix):
    target = tmp_path / f"made{suffix}"
    target.write_bytes(b"old")
    network = TiledEngine(Breaking(ImageError("too bad")), tile=16)
    outcome = done(make_image(), target, UpscalePipeline({2: network}), NOTHING)
    assert outcome.error == "too bad"
    assert outcome.after is None
    assert target.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2


def test_ctrl_c_in_the_middle_leaves_no_part(tmp_path):
    network = TiledEngine(Breaking(KeyboardInterrupt()), tile=16)
    with pytest.raises(KeyboardInterrupt):
        done(make_image(), tmp_path / "made.png", UpscalePipeline({2: network}), NOTHING)
    assert [p.name for p in tmp_path.iterdir()] == ["source.tif"]


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """Limits the size of files, in bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_full_disk_in_the_middle_is_an_error_and_leaves_no_part(small_disk, tmp_path, suffix):
    small_disk(20_000)
    outcome = done(make_image(), tmp_path / f"made{suffix}", UpscalePipeline(), NOTHING)
    assert outcome.error is not None
    assert "cannot be written (File too large)" in outcome.error
    assert [p.name for p in tmp_path.iterdir()] == ["source.tif"]


def test_a_disk_too_small_for_the_image_between_two_passes_is_an_error(small_disk, tmp_path):
    source = ImageSource(make_image(height=3000, width=3000, channels=1))
    with closing(TemporaryImage(source, 3, tmp_path)) as stored:
        small_disk(20_000)
        with pytest.raises(ImageError, match=r"between two passes .* make room"):
            stored.write(np.zeros((9000, 9000, 1), np.uint8))


@pytest.mark.parametrize("name", ["png", "tiff"])
def test_standard_output_gets_the_same_bytes(capsysbinary, tmp_path, name):
    write_image(make_image(), tmp_path / "a.png")
    for free in (PLENTY, NOTHING):
        work = JobOptions(UpscalePipeline(), Encoding(name), 10**9, free=lambda free=free: free)
        (outcome,) = run_jobs([Job(tmp_path / "a.png", STREAM)], work)
        assert outcome.error is None
    both = capsysbinary.readouterr().out
    assert both[: len(both) // 2] == both[len(both) // 2 :] != b""


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_a_format_that_must_be_whole_is_refused_before_the_work(tmp_path, name):
    network = TiledEngine(Breaking(AssertionError("worked")), tile=4)
    outcome = done(make_image(), tmp_path / name, UpscalePipeline({2: network}), 100)
    assert outcome.error is not None
    assert "save it as PNG or TIFF, which are written as they are computed" in outcome.error
    assert [p.name for p in tmp_path.iterdir()] == ["source.tif"]


def test_memory_and_format_decide_what_is_gathered():
    def decided(size: int, free: int, name: str = "png", animated: bool = False) -> bool:
        return must_stream(Path(f"a.{name}"), name, animated, size, free)

    assert not decided(100, 200)
    assert decided(101, 200)
    assert decided(MAX_BUFFER + 1, PLENTY)
    assert decided(101, 200, "tiff")
    assert not decided(100, 100 * ENCODER_COPIES, "jpeg")
    with pytest.raises(ImageError, match="memory"):
        decided(101, 100 * ENCODER_COPIES, "jpeg")
    for name in ("png", "gif"):
        assert not decided(100, 100 * ENCODER_COPIES, name, animated=True)
        assert decided(101, 100 * ENCODER_COPIES, name, animated=True)
        assert decided(MAX_BUFFER + 1, PLENTY, name, animated=True)


class Counting(ImageSink):
    """Notes how many rows each portion has."""

    row_chunks: list[int]

    def write(self, rows: np.ndarray) -> None:
        super().write(rows)
        self.row_chunks.append(len(rows))


@settings(max_examples=20, deadline=None)
@given(
    before=st.tuples(st.integers(1, 90), st.integers(1, 40)),
    after=st.tuples(st.integers(1, 200), st.integers(1, 60)),
    step=st.integers(1, 50),
)
def test_resizing_by_bands_gives_what_resizing_the_whole_gives(before, after, step):
    image = make_image(height=before[0], width=before[1])
    sink = Counting(*after, 3, image.pixels.dtype)
    sink.row_chunks = []
    fit = RowTransformSink(ResizeRows(ImageSize(*before), ImageSize(*after), 3, chunk=1), sink)
    for top in range(0, before[0], step):
        fit.write(image.pixels[top : top + step])
    np.testing.assert_array_equal(sink.layers, resize_array(image.pixels, *after))
    assert sum(sink.row_chunks) == after[0]
    assert max(sink.row_chunks) <= 32


def test_rows_leave_before_all_have_come():
    sink = Counting(400, 40, 3, np.dtype("u1"))
    sink.row_chunks = []
    fit = RowTransformSink(ResizeRows(ImageSize(100, 10), ImageSize(400, 40), 3, chunk=1), sink)
    fit.write(make_image(height=100, width=10).pixels[:50])
    assert sum(sink.row_chunks) >= 128


@pytest.mark.parametrize("free", [PLENTY, NOTHING])
def test_progress_goes_from_nothing_to_the_end(network, tmp_path, free):
    write_image(ImageSequence((make_image(), make_image())), tmp_path / "a.tif")
    seen: list[float] = []
    work = JobOptions(UpscalePipeline({4: network}), Encoding(), 10**9, free=lambda: free)
    work = replace(work, progress=lambda job: lambda tiles, of: seen.append(tiles / of))
    list(run_jobs([Job(tmp_path / "a.tif", tmp_path / "b.tif")], work))
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) == 6
