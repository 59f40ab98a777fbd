"""What a strategy moves, and about how long it takes: facts that the rules and the budget use."""

from __future__ import annotations

from typing import Literal, NamedTuple

Reach = Literal["nothing", "last layer", "few", "some", "all"]


class Cost(NamedTuple):
    """Of one strategy."""

    moves: Reach
    """How much of the network."""
    times: float
    """Seconds it takes, in those of `blend` on the same windows; less with a time limit."""
    limited: bool = False
    """Whether it keeps to a time limit."""


COSTS = {
    "zero-shot": Cost("nothing", 0.3),
    "blend": Cost("nothing", 1.0),
    "head": Cost("last layer", 1.4),
    "bias": Cost("few", 9.0, limited=True),
    "norms": Cost("few", 9.0, limited=True),
    "lora": Cost("few", 13.0, limited=True),
    "last-blocks": Cost("some", 6.0, limited=True),
    "gradual": Cost("some", 13.0, limited=True),
    "full": Cost("all", 10.0, limited=True),
}
"""By name: means over `ttm-r2` and `citytune-base` on four weeks of `etth1`, nothing cached
(benchmarks/strategies.py). `head-sgd` seeks by steps what `head` finds exactly; it is not tried."""
UNKNOWN = Cost("some", 10.0, limited=True)
"""Of a strategy that is not in the table."""
LEAST_SECONDS = 0.3
"""Share of its usual time that a strategy with a limit needs to show anything."""
FREE = ("zero-shot",)
LAST_LAYER = ("head",)
NEVER = ("head-sgd",)
"""Not worth a try beside the others."""


def cost_of(name: str) -> Cost:
    """The facts of a strategy, or a guess."""
    return Cost("nothing", 0.0) if name in NEVER else COSTS.get(name, UNKNOWN)
