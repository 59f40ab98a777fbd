"""`gradual`: a head in closed form first, then block after block from the top down."""

from __future__ import annotations

from dataclasses import dataclass

from citytune._errors import InputError
from citytune.training import Group
from citytune.tuning._gradient import GradientStrategy
from citytune.tuning._strategy import strategies
from citytune.tuning._trainable import Trainable


@dataclass(frozen=True, kw_only=True)
class Gradual(GradientStrategy):
    """φ grows: first a linear head is solved exactly, then blocks are freed from the top down.

    Linear probing before fine-tuning keeps features whole (Kumar et al. 2022, LP-FT,
    arXiv:2202.10054); gradual unfreezing at falling rates is ULMFiT's (Howard and Ruder 2018,
    arXiv:1801.06146).
    """

    phases_down: int = 3
    """Phases; the head and the first block move in the first, more blocks in each one after."""
    falling: float = 2.6
    """How many times smaller the rate is one group further down."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.phases_down < 1 or not self.falling >= 1:
            raise InputError("options 'phases_down' and 'falling' must be at least 1")

    def closed_form(self) -> bool:
        """It does."""
        return True

    def phases(self, subject: Trainable, seed: int) -> list[list[Group]]:
        """Each phase frees more of the blocks, evenly, and keeps what was free."""
        body = list(reversed(subject.body()))
        count = min(self.phases_down, max(1, len(body)))
        ends = [round(len(body) * (i + 1) / count) for i in range(count)]
        return [
            [
                Group(weights, self.falling**-depth)
                for depth, weights in enumerate(
                    [subject.head(), *(list(block.parameters()) for block in body[:end])]
                )
                if weights
            ]
            for end in ends
        ]


strategies.add("gradual", Gradual)
