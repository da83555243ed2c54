"""Loss terms of the generator, as a recipe lists them. No torch until they are built.

A new loss is one class here, with a `build` method, and one line in a recipe: the train step, the
log, the plan and the curves read the same list.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from srgan_cli.training.feature_extractors import LoadedVgg

Target = Literal["original", "teacher", "start"]
"""Target of a loss: "start" is the output of the network that the stage starts from. Without a
teacher, "teacher" means the original."""

PixelDistance = Literal["l1", "mse"]


@dataclass(frozen=True)
class LossInputs:
    """Parts of a run that losses are built from."""

    extractors: Sequence[LoadedVgg]
    device: torch.device
    luma_only: bool
    """Whether the generator restores luma alone, as SRCNN and VDSR."""


@dataclass(frozen=True, kw_only=True)
class LossTerm(ABC):
    """One loss term. name: its key in the log and in the curves."""

    name: str
    weight: float = 1.0
    target: Target = "original"

    @abstractmethod
    def build(self, inputs: LossInputs) -> Callable[[Tensor, Tensor], Tensor]:
        """(generated, target) -> a scalar; both (B, 3, H, W) in [0, 1]."""

    @abstractmethod
    def describe(self, extractors: Sequence[LoadedVgg]) -> str:
        """A description for --dry-run."""


@dataclass(frozen=True, kw_only=True)
class PixelTerm(LossTerm):
    """L1 or mean squared error of pixels."""

    name: str = "pixel"
    distance: PixelDistance = "l1"

    def build(self, inputs: LossInputs) -> Callable[[Tensor, Tensor], Tensor]:
        from srgan_cli.training.losses import DISTANCES, of_luma

        distance = DISTANCES[self.distance]
        return of_luma(distance) if inputs.luma_only else distance

    def describe(self, extractors: Sequence[LoadedVgg]) -> str:
        return f"{self.distance} x {self.weight:g} to the {self.target}"


@dataclass(frozen=True, kw_only=True)
class PerceptualTerm(LossTerm):
    """A distance between features of VGG19."""

    name: str = "perceptual"
    layers: Mapping[str, float]
    """Weights of the layers, unless --vgg names others."""
    after_relu: bool
    """Whether features are taken after their ReLU."""
    distance: PixelDistance
    scale: float = 1.0
    """Features are multiplied by it."""

    def build(self, inputs: LossInputs) -> Callable[[Tensor, Tensor], Tensor]:
        from srgan_cli.training.feature_extractors import perceptual_loss

        return perceptual_loss(inputs.extractors, self).to(inputs.device)

    def describe(self, extractors: Sequence[LoadedVgg]) -> str:
        from srgan_cli.training.feature_extractors import layer_weights

        when = "after" if self.after_relu else "before"
        files = "; ".join(
            f"{vgg.name}: " + ", ".join(f"{n} x {w:g}" for n, w in layer_weights(vgg, self).items())
            for vgg in extractors
        )
        features = f"features {when} activation ({self.distance})"
        return f"{features} x {self.weight:g} to the {self.target}, of {files}"


@dataclass(frozen=True, kw_only=True)
class GanTerm:
    """A discriminator, and the loss that it and the generator are trained with."""

    loss: Literal["vanilla", "relativistic"]
    weight: float
    target: Target = "original"
    """Which images the discriminator is shown as real."""
    discriminator: str
    """One of networks.DISCRIMINATORS."""
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    lr: float | None = None
    """The discriminator's learning rate; None: the generator's."""
    warmup: int = 0
    """First steps, in which the discriminator alone is trained."""

    name = "gan"


def with_teacher(terms: Sequence[LossTerm], teacher_weight: float) -> tuple[LossTerm, ...]:
    """Split the pixel loss between the original and the teacher's image.

    With a weight of 0 there is no teacher: its targets are the original.
    """
    if not teacher_weight:
        return tuple(
            replace(term, target="original") if term.target == "teacher" else term for term in terms
        )
    return tuple(part for term in terms for part in _split(term, teacher_weight))


def _split(term: LossTerm, teacher_weight: float) -> tuple[LossTerm, ...]:
    if not isinstance(term, PixelTerm):
        return (term,)
    shares = (
        replace(term, weight=term.weight * (1 - teacher_weight)),
        replace(term, name="distillation", target="teacher", weight=term.weight * teacher_weight),
    )
    return tuple(share for share in shares if share.weight)
