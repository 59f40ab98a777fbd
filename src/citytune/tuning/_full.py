"""`full`: everything moves, the lower the slower."""

from __future__ import annotations

from dataclasses import dataclass

from citytune._errors import InputError
from citytune.training import Group
from citytune.tuning._gradient import GradientStrategy
from citytune.tuning._strategy import strategies
from citytune.tuning._trainable import Trainable


@dataclass(frozen=True, kw_only=True)
class Full(GradientStrategy):
    """φ are all weights; learning rates decay with depth (Howard and Ruder 2018, ULMFiT)."""

    layer_decay: float = 0.8
    """Share of its rate that each block passes on to the one below it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.layer_decay <= 1:
            raise InputError(f"option 'layer_decay' lies in 0…1, got {self.layer_decay}")

    def phases(self, subject: Trainable, seed: int) -> list[list[Group]]:
        """Head, then block after block downward, then what no block owns."""
        groups = [subject.head()]
        groups += [list(block.parameters()) for block in reversed(subject.body())]
        owned = {id(weight) for group in groups for weight in group}
        groups.append([w for w in subject.root.parameters() if id(w) not in owned])
        shares = [self.layer_decay**depth for depth in range(len(groups))]
        return [[Group(g, share) for g, share in zip(groups, shares, strict=True) if g]]


strategies.add("full", Full)
