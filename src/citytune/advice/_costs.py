"""What a strategy moves, and how much work it is: facts that the rules and the budget use."""

from __future__ import annotations

from typing import Literal, NamedTuple

Reach = Literal["nothing", "last layer", "few", "some", "all"]


class Cost(NamedTuple):
    """Of one strategy, tried after `blend` on the same windows."""

    moves: Reach
    """How much of the network."""
    work: float
    """Windows times passes through the network, over those of `blend`; a pass back counts twice."""
    steps: bool = False
    """Whether it takes gradient steps, which a time limit cuts short."""


COSTS = {
    "zero-shot": Cost("nothing", 0.0),
    "blend": Cost("nothing", 1.0),
    "head": Cost("last layer", 0.5),
    "bias": Cost("few", 20.0, steps=True),
    "norms": Cost("few", 20.0, steps=True),
    "lora": Cost("few", 20.0, steps=True),
    "last-blocks": Cost("some", 15.0, steps=True),
    "gradual": Cost("some", 20.0, steps=True),
    "full": Cost("all", 20.0, steps=True),
}
"""By name: the same on every machine, as nothing is timed. Gradient steps are worked out from their
usual epochs, folds and windows, without early stopping: rather too high than too low. `head-sgd`
seeks by steps what `head` finds exactly; it is not tried."""
UNKNOWN = Cost("some", 20.0, steps=True)
"""Of a strategy that is not in the table."""
FREE = ("zero-shot",)
LAST_LAYER = ("head",)
NEVER = ("head-sgd",)
"""Never tried."""


def cost_of(name: str) -> Cost:
    """The facts of a strategy, or a guess."""
    return Cost("nothing", 0.0) if name in NEVER else COSTS.get(name, UNKNOWN)
