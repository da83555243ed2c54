"""GIF animations that are written frame by frame."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image as Pillow

from srgan_cli.images.codecs.gif import MAX_DURATION, write_gif
from srgan_cli.images.image import Image, ImageSequence


def plain(*colors: tuple[int, int, int]) -> list[Image]:
    return [Image(np.full((20, 30, 3), color, np.uint8)) for color in colors]


def durations_of(data: bytes) -> list[int]:
    found = []
    with Pillow.open(io.BytesIO(data)) as opened:
        for number in range(opened.n_frames):
            opened.seek(number)
            found.append(opened.info["duration"])
    return found


def written(frames: list[Image], durations: list[int], loop: int = 0) -> bytes:
    file = io.BytesIO()
    first = replace(frames[0], text={"Comment": "by hand"})
    write_gif(file, ImageSequence((first, *frames[1:]), tuple(durations), loop), frames)
    return file.getvalue()


def test_equal_frames_are_one_that_is_shown_longer() -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    data = written(plain(red, red, blue, blue, blue), [10, 20, 30, 40, 50], loop=3)
    assert durations_of(data) == [30, 120]
    with Pillow.open(io.BytesIO(data)) as opened:
        assert (opened.info["loop"], opened.info["comment"]) == (2, b"by hand")


def test_a_duration_that_a_frame_cannot_hold_is_shared() -> None:
    frames = plain(*[(9, 9, 9)] * 3)
    assert durations_of(written(frames, [MAX_DURATION, 20, 10])) == [MAX_DURATION, 30]


def test_only_what_changes_is_stored() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (120, 160), dtype=np.uint8)
    changed = base.copy()
    changed[50:54, 60:64] ^= 255
    one, two = (Image(each[..., None]) for each in (base, changed))
    with_change = len(written([one, two, one], [10, 10, 10]))
    assert with_change < 1.2 * len(written([one], [10])) + 2000
