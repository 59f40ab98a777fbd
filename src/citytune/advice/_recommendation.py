"""The answer: backbones ranked by what was measured on this city's own data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from citytune.backbones import Card
from citytune.forecasting import TunedModel

SAME = 0.01
"""Fold errors closer than this share are called the same."""


@dataclass(frozen=True, eq=False)
class Choice:
    """One backbone, tuned and measured."""

    card: Card
    fold_error: float
    """Error out of fold over that of the best seasonal rule on the same windows."""
    seconds: float
    """How long tuning took here."""
    reason: str
    """Why it stands where it stands, in a sentence."""


@dataclass(frozen=True, eq=False)
class Recommendation:
    """Backbones ranked, the best first; `str` gives a table in words."""

    rows: tuple[Choice, ...]
    model: TunedModel
    """Tuned from the best, as it was measured."""
    not_at_hand: Mapping[str, str]
    """Backbone → why it could not be tried, and how to get it."""

    @property
    def best(self) -> str:
        """The name of the backbone to take."""
        return self.rows[0].card.name

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "best": self.best,
            "strategy": self.model.strategy,
            "ranked": [
                {
                    "backbone": row.card.name,
                    "fold_error": row.fold_error if math.isfinite(row.fold_error) else None,
                    "seconds": round(row.seconds, 3),
                    "parameters": row.card.parameters,
                    "reason": row.reason,
                }
                for row in self.rows
            ],
            "not_at_hand": dict(self.not_at_hand),
        }

    def __str__(self) -> str:
        lines = [f"{i}. {row.card.name}: {row.reason}" for i, row in enumerate(self.rows, 1)]
        if self.not_at_hand:
            lines.append(f"Not tried, not at hand here: {', '.join(self.not_at_hand)}.")
        return "\n".join(lines)
