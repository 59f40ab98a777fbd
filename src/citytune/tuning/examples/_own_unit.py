"""Windows in the unit in which a network was pretrained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from citytune.backbones import Past, unit_of


@dataclass(frozen=True)
class OwnUnit:
    """Windows in their own unit, and what that is."""

    past: Past
    level: Tensor  # (example, 1) float64
    spread: Tensor  # (example, 1) float64; NaN where there is none, so that nothing counts


def in_own_unit(past: Past) -> OwnUnit:
    """Windows around the mean of what was measured, in units of its spread."""
    known, exact = past.measured.double(), past.values.double()
    level, spread = unit_of(exact, known)
    spread = spread.masked_fill(spread == 0, torch.nan)
    shown = ((exact - level) / spread).nan_to_num(0.0).float()
    return OwnUnit(past._replace(values=shown), level, spread)
