"""Corrections of a network stay within its own quantiles: beyond them it must be shown more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from citytune.backbones import LEVELS, Backbone, Probabilistic

if TYPE_CHECKING:
    from citytune.tuning.task._task import Task

SURE_DAYS = 60.0
"""Days of history from which a correction may go to the outermost quantiles."""
INNER, OUTER = LEVELS.index(0.1), 0


def inside_of(task: Task) -> int | None:
    """Place in `LEVELS` of the quantile that a correction does not pass; None without quantiles."""
    if not task.knows_spread:
        return None
    since = task.history.first if task.memory is None else task.memory.since
    days = (task.history.end - since) / task.history.steps_per_day
    return INNER if days < SURE_DAYS else OUTER


def check_inside(inside: int | None) -> None:
    """Raise for bounds that are none."""
    if inside not in (None, INNER, OUTER):
        raise ValueError(f"quantile {inside} is no bound of a correction")


def unfit_without_quantiles(backbone: Backbone) -> str:
    """Why corrections with bounds cannot be of this backbone; empty if they can."""
    able = isinstance(backbone, Probabilistic) and backbone.card.horizon is not None
    return "" if able else "the backbone has no quantiles for it to look at"


def within(found: Tensor, deviations: Tensor | None, inside: int | None) -> Tensor:
    """Corrections (example, horizon) that do not leave two of the network's own quantiles.

    Args:
        found: Corrections of its forecast.
        deviations: (example, horizon, level) its quantiles less its forecast; None if it has none.
        inside: Place of the lower one in `LEVELS`; None for no bounds.
    """
    if inside is None or deviations is None:
        return found
    low, high = deviations[..., inside], deviations[..., -1 - inside]
    return torch.minimum(torch.maximum(found, low), high)
