"""What a generator's own picture of the same thing, moved aside, shows of a lattice."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from srgan_cli.resample import enlarge, resize
from srgan_cli.training.assembly import Job, build_lesson
from srgan_cli.training.data import Data, Source
from srgan_cli.training.distributed import World
from srgan_cli.training.lessons import AsideTerm, Term
from srgan_cli.training.losses import PhaseLoss, lattice_loss
from srgan_cli.training.need import cast_of, need_of
from srgan_cli.training.plan import plan
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.telling import Silent


class Bicubic(nn.Module):
    """Bicubic, with a pattern on every low pixel."""

    def __init__(self, scale: int, pattern: Tensor | None = None) -> None:
        super().__init__()
        self.scale = scale
        self.pattern = torch.zeros(scale, scale) if pattern is None else pattern

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        return enlarge(low, self.scale) + self.pattern.repeat(height, width)


def smooth(side: int = 128) -> Tensor:
    """A picture that bicubic enlarges almost without loss."""
    torch.manual_seed(0)
    coarse = torch.rand(1, 3, side // 16, side // 16)
    return 0.5 + 0.3 * (resize(coarse, side, side) - 0.5)


def told(scale: int, pattern: Tensor | None = None) -> float:
    network, high = Bicubic(scale, pattern), smooth()
    low = resize(high, high.shape[-2] // scale, high.shape[-1] // scale)
    torch.manual_seed(5)
    term = AsideTerm(1.0, lattice_loss(scale), network, scale)
    return sum(float(term(network(low), low, high)) for _ in range(16)) / 16


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_picture_without_a_lattice_is_the_same_wherever_the_low_pixels_lie(scale: int) -> None:
    assert told(scale) < 2e-4


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_lattice_goes_with_the_low_pixels(scale: int) -> None:
    lines = torch.tensor([0.02, -0.02]).repeat(scale // 2).expand(scale, scale)
    assert told(scale, lines) > 0.01
    assert told(scale, lines.T) > 0.01


def test_both_pictures_are_of_the_same_place() -> None:
    network, high = Bicubic(4), smooth()
    low = resize(high, 32, 32)
    made = network(low)
    apart = l1_loss(made[..., 1:], made[..., :-1])  # by one pixel
    assert AsideTerm(1.0, l1_loss, network, 4)(made, low, high) < 0.1 * apart


def test_the_picture_moved_aside_is_as_exact_beside_half_precision() -> None:
    seen = []

    def generator(low: Tensor) -> Tensor:
        seen.append(low)
        return enlarge(low, 2)

    high = smooth(32)
    term = AsideTerm(1.0, l1_loss, generator, 2)  # type: ignore[arg-type]
    for enabled in (False, True):
        torch.manual_seed(5)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            term(high, resize(high, 16, 16), high)
    assert torch.equal(seen[0], seen[1])


def test_both_pictures_are_moved_towards_each_other() -> None:
    """A target that stood still while it was chased would not be the gradient of anything."""
    network, high = Bicubic(2), smooth(32)
    pattern = network.pattern = nn.Parameter(torch.tensor([[0.1, -0.1], [0.1, -0.1]]))
    low = resize(high, 16, 16)
    AsideTerm(1.0, lattice_loss(2), network, 2)(network(low).detach(), low, high).backward()
    assert pattern.grad is not None
    assert torch.equal(pattern.grad.sign(), pattern.sign())


@pytest.mark.parametrize(("scale", "side"), [(1, 16), (2, 16), (3, 12), (4, 16), (4, 128)])
def test_every_scale_and_patch_has_an_aside(scale: int, side: int) -> None:
    network, high = Bicubic(scale), smooth(128)[..., :side, :side]
    low = resize(high, side // scale, side // scale)
    term = AsideTerm(1.0, lattice_loss(scale), network, scale)
    assert torch.isfinite(term(network(low), low, high))


def test_fine_lattices_are_seen_where_they_change_from_place_to_place() -> None:
    made = torch.tensor([0.02, -0.02]).repeat(64).expand(1, 3, 128, 128).clone()
    made[..., torch.arange(128) // 16 % 2 == 0, :] *= -1  # every 16 pixels another phase
    real = torch.zeros_like(made)
    assert lattice_loss(4)(made, real) > 3 * PhaseLoss(4)(made, real)


@pytest.mark.parametrize(
    ("recipe", "given", "kind"),
    [("steady", False, AsideTerm), ("steady", True, Term), ("clean", False, Term)],
)
def test_low_pictures_that_are_given_cannot_be_moved(make, eyes, photos, recipe, given, kind):
    nothing, cpu = Source(()), torch.device("cpu")
    options = make(low=photos if given else None)
    job = Job(
        options, RECIPES[recipe], Data(nothing, nothing, []), eyes, cpu, World(), Silent(), ""
    )
    lesson = build_lesson(job, job.recipe.stages[1], Bicubic(2, nn.Parameter(torch.zeros(2, 2))))
    assert type(lesson.terms["phase"]) is kind


def test_a_second_picture_takes_memory(make, eyes) -> None:
    options = make(recipe="steady")
    (stage,) = RECIPES["steady"].chosen("gan")
    aside, plain = (
        need_of(cast_of(options, each, eyes), 32, 2, torch.float32).sample
        for each in (stage, replace(stage, phase_by="start"))
    )
    assert aside > plain


def test_a_dry_run_tells_of_pictures_moved_aside(make, eyes) -> None:
    lines = "\n".join(plan(make(recipe="steady", stages="both"), eyes))
    assert "phases x 20 of pictures moved aside" in lines
    assert "moved aside" not in "\n".join(plan(make(stages="both"), eyes))
