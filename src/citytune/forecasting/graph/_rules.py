"""The seasonal rules as a graph has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from citytune.windows import Examples, History, Seasonal


@dataclass(frozen=True, eq=False)
class GivenHistory(History):
    """A history whose gaps were filled by whoever gives it."""

    given: Tensor | None = None

    @cached_property
    def filled(self) -> Tensor:
        """(sensor, time) as given."""
        assert self.given is not None, "it is made with them"
        return self.given


@dataclass(frozen=True, eq=False)
class GraphRules(Seasonal):
    """`Seasonal`, which makes what is asked of the same windows once."""

    asked: dict[tuple[int, int], tuple[Examples, Mapping[str, Tensor]]] = field(
        default_factory=dict
    )
    """What `ahead` gave before, by the windows and the horizon: a graph has it once."""

    def ahead(self, examples: Examples, horizon: int) -> Mapping[str, Tensor]:
        """As `Seasonal.ahead`."""
        key = id(examples), horizon
        if key not in self.asked:
            self.asked[key] = examples, super().ahead(examples, horizon)
        return self.asked[key][1]
