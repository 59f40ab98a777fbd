"""`bias`: only biases and what answers move."""

from __future__ import annotations

from dataclasses import dataclass

from citytune.training import Group
from citytune.tuning._gradient import GradientStrategy
from citytune.tuning._strategy import strategies
from citytune.tuning._trainable import Trainable


@dataclass(frozen=True, kw_only=True)
class Bias(GradientStrategy):
    """φ are the biases and the head (Ben Zaken et al. 2022, BitFit, arXiv:2106.10199)."""

    def phases(self, subject: Trainable, seed: int) -> list[list[Group]]:
        """All of them together."""
        biases = [
            weight
            for block in subject.body()
            for name, weight in block.named_parameters()
            if name.rpartition(".")[2] == "bias"
        ]
        return [[Group([*biases, *subject.head()])]]


strategies.add("bias", Bias)
