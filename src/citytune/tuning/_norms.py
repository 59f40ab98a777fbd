"""`norms`: only normalisation layers and what answers move."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from citytune.training import Group
from citytune.tuning._gradient import GradientStrategy
from citytune.tuning._strategy import strategies
from citytune.tuning._trainable import Trainable

NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, _BatchNorm)


@dataclass(frozen=True, kw_only=True)
class Norms(GradientStrategy):
    """φ are scale and shift of the normalisation layers, and the head.

    As Lu et al. 2022 (Frozen pretrained transformers, arXiv:2103.05247) and Zhou et al. 2023 (One
    fits all, arXiv:2302.11939) tune them. What a batch norm has counted stays as it was.
    """

    def phases(self, subject: Trainable, seed: int) -> list[list[Group]]:
        """All of them together."""
        scales = [
            weight
            for block in subject.body()
            for module in block.modules()
            if isinstance(module, NORMS)
            for weight in module.parameters(recurse=False)
        ]
        return [[Group([*scales, *subject.head()])]]


strategies.add("norms", Norms)
