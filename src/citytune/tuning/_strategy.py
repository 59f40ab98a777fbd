"""What a strategy is: a choice of which weights are φ, and how they are found."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor

from citytune._registry import Registry
from citytune.tuning._mixture import Mixture
from citytune.tuning._task import Task


class Learned(NamedTuple):
    """What a strategy found."""

    mixture: Mixture
    out_of_fold: Tensor  # (example, horizon), forecasts of the task's windows, as if unseen


class Strategy(Protocol):
    """A way to tune: a frozen dataclass whose fields are its options."""

    def fit(self, task: Task) -> Learned:
        """Find φ on the task's windows, of which there is at least one."""
        ...


strategies: Registry[Strategy] = Registry("strategy")
