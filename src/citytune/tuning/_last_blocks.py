"""`last-blocks`: the last blocks and what answers move."""

from __future__ import annotations

from dataclasses import dataclass

from citytune._errors import InputError
from citytune.training import Group
from citytune.tuning._gradient import GradientStrategy
from citytune.tuning._strategy import strategies
from citytune.tuning._trainable import Trainable


@dataclass(frozen=True, kw_only=True)
class LastBlocks(GradientStrategy):
    """φ are the last `blocks` blocks and the head (Yosinski et al. 2014, arXiv:1411.1792)."""

    blocks: int = 1
    """How many blocks below the head."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.blocks < 1:
            raise InputError(f"option 'blocks' must be at least 1, got {self.blocks}")

    def phases(self, subject: Trainable, seed: int) -> list[list[Group]]:
        """All of them together."""
        body = [w for block in subject.body()[-self.blocks :] for w in block.parameters()]
        return [[Group([*body, *subject.head()])]]


strategies.add("last-blocks", LastBlocks)
