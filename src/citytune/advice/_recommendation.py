"""The answer: backbones ranked, a strategy, and whether the data are enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from citytune._text import plain
from citytune.advice._decide import Decision
from citytune.advice._enough import Enough
from citytune.advice._halving import Tried
from citytune.advice._ranking import RULE
from citytune.advice._rules import StrategyPlan
from citytune.backbones import Card
from citytune.forecasting import TunedModel


@dataclass(frozen=True, eq=False)
class Choice:
    """One backbone, tuned and measured."""

    card: Card
    model: TunedModel
    """Tuned by the usual strategy."""
    score: float
    """What it is ranked by; less is better."""
    fold_error: float
    """Error out of fold over that of the best seasonal rule on the same windows."""
    head_error: float
    """The same of a new last layer alone."""
    logme: float
    """Log evidence of the futures given the features, per window; more is better."""
    skill: float
    """Share of the best seasonal rule's error that the untouched model saves; NaN without one."""
    near: float | None
    """Share of windows that look like those it was trained on; None where nothing is known."""
    per_second: float
    """Windows forecast in a second here."""
    megabytes: float
    """Its weights, and the most that was held while forecasting."""
    seconds: float
    """How long tuning took here."""
    spent: float
    """The same with every other measurement of this row."""
    reason: str
    """Why it stands where it stands, in a sentence."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        names = ("fold_error", "head_error", "logme", "skill", "near", "per_second", "megabytes")
        found = {"backbone": self.card.name, "parameters": self.card.parameters}
        return {
            **found,
            **{name: plain(getattr(self, name), digits=4) for name in names},
            "seconds": round(self.seconds, 3),
            "reason": self.reason,
        }


@dataclass(frozen=True, eq=False)
class Recommendation:
    """What to take, and why; `str` says it in words."""

    rows: tuple[Choice, ...]
    """Backbones, the best first."""
    model: TunedModel
    """Tuned by what is advised, as it was measured."""
    not_at_hand: Mapping[str, str]
    """Backbone → why it could not be tried, and how to get it."""
    plan: StrategyPlan | None = None
    """Which strategies were worth a try by the rules; None where one was asked for."""
    halving: tuple[Tried, ...] = ()
    """What trying them showed."""
    verdict: str = ""
    """Why the strategy was taken, in a sentence."""
    enough: Enough | None = None
    """Whether the data are enough; None where that was not looked at."""
    warnings: tuple[str, ...] = ()
    """What to look at before trusting any of it."""

    @property
    def best(self) -> str:
        """The name of the backbone to take."""
        return self.rows[0].card.name

    @property
    def strategy(self) -> str:
        """The name of the strategy to take."""
        return self.model.strategy

    def decided(self, decision: Decision) -> Recommendation:
        """The same with a strategy taken."""
        return replace(self, **decision._asdict())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "best": self.best,
            "strategy": self.strategy,
            "verdict": self.verdict,
            "ranked": [row.to_dict() for row in self.rows],
            "not_at_hand": dict(self.not_at_hand),
            "plan": None if self.plan is None else self.plan.to_dict(),
            "halving": [row.to_dict() for row in self.halving],
            "enough": None if self.enough is None else self.enough.to_dict(),
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        lines = [f"{i}. {row.card.name}: {row.reason}" for i, row in enumerate(self.rows, 1)]
        lines += [RULE] if len(self.rows) > 1 else []
        if self.not_at_hand:
            lines.append(f"Not tried, not at hand here: {', '.join(self.not_at_hand)}.")
        if self.verdict:
            lines += ["", f"Strategy: {self.verdict}"]
        lines += [] if self.plan is None else [f"  - {rule}" for rule in self.plan.words()]
        lines += [f"  {row}" for row in self.halving]
        lines += [] if self.enough is None else ["", f"Data: {self.enough}"]
        lines += ["", *(f"Look at this: {text}" for text in self.warnings)] if self.warnings else []
        return "\n".join(lines)
