"""Losses, optimizer and learning rate of a stage; EMA and frozen BatchNorms."""

import math
from dataclasses import replace
from typing import cast

import torch
from torch import nn

from srgan_cli.training.distillation import effective_teacher_weight
from srgan_cli.training.loss_terms import GanTerm, LossTerm, PixelDistance, PixelTerm, with_teacher
from srgan_cli.training.recipes import Stage
from srgan_cli.training.train_options import TrainOptions

RATES = {"adam": 1.0, "muon": 2.0}
"""Factor of a recipe's learning rate, which is Adam's, for each optimizer."""


def choose_optimizer(options: TrainOptions, stage: Stage) -> str:
    """--optimizer applies to the PSNR stage only: GAN stages need balanced networks."""
    named = options.optimizer if stage.end == "psnr" else None
    return named or stage.optimizer


def stage_losses(options: TrainOptions, stage: Stage) -> tuple[LossTerm, ...]:
    """Loss terms of the stage, with --loss in the PSNR stage and a teacher's images as targets."""
    terms = stage.losses
    if options.loss is not None and stage.end == "psnr":
        distance = cast(PixelDistance, options.loss)
        terms = tuple(
            replace(term, distance=distance) if isinstance(term, PixelTerm) else term
            for term in terms
        )
    weight = effective_teacher_weight(options, stage)
    if weight:
        return with_teacher(terms, weight)
    return tuple(replace(term, target="original") for term in terms)


def stage_gan(options: TrainOptions, stage: Stage) -> GanTerm | None:
    """The stage's GAN loss. Without a teacher, real images are the originals."""
    if stage.gan is None or effective_teacher_weight(options, stage):
        return stage.gan
    return replace(stage.gan, target="original")


def peak_lr(options: TrainOptions, stage: Stage) -> float:
    """The learning rate after warmup, before it falls."""
    return options.lr or stage.lr * RATES[choose_optimizer(options, stage)]


def learning_rate(stage: Stage, lr: float, step: int, steps: int) -> float:
    """The rate of step number `step` (from 0) of `steps`."""
    warmup = min(1.0, (step + 1) / stage.warmup) if stage.warmup else 1.0
    progress = step / steps
    if stage.milestones is None:
        return lr * warmup * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return lr * warmup * stage.drop ** sum(progress >= share for share in stage.milestones)


@torch.no_grad()
def average_(average: nn.Module, network: nn.Module, keep: float, step: int) -> None:
    """Update the exponential moving average of parameters and buffers.

    keep: decay; smaller in the first steps, so that the random start is forgotten.
    """
    keep = min(keep, (1 + step) / (10 + step))
    current = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name].to(value), 1 - keep)
        else:
            value.copy_(current[name])


@torch.no_grad()
def freeze_norms_(network: nn.Module, average: nn.Module) -> None:
    """Set the BatchNorms of `network` to eval mode with the statistics of `average`.

    From then on the network is trained as it is used, not with the statistics of a few patches.
    """
    for ours, average_norm in zip(norms(network), norms(average), strict=True):
        for buffer, value in zip(ours.buffers(), average_norm.buffers(), strict=True):
            buffer.copy_(value)
        ours.eval()


def norms(network: nn.Module) -> list[nn.Module]:
    kinds = (nn.BatchNorm2d, nn.SyncBatchNorm)
    return [module for module in network.modules() if isinstance(module, kinds)]
