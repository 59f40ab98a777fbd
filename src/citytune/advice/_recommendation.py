"""The answer: backbones ranked, a strategy, and whether the data are enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from citytune._tables import html_block, html_lines, html_table
from citytune._text import number
from citytune.advice._candidate import Choice
from citytune.advice._decide import Decision
from citytune.advice._enough import Enough
from citytune.advice._halving import Tried
from citytune.advice._ranking import RULE
from citytune.advice._rules import StrategyPlan
from citytune.forecasting import TunedModel


@dataclass(frozen=True, eq=False, repr=False)
class Recommendation:
    """What to take, and why; `print` shows all of it in words."""

    rows: tuple[Choice, ...]
    """Backbones, the best first."""
    model: TunedModel
    """Tuned by what is advised, as it was measured."""
    not_at_hand: Mapping[str, str]
    """Backbone → why it could not be tried, and how to get it."""
    plan: StrategyPlan | None = None
    """Which strategies the rules name; None where one was asked for."""
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

    def __repr__(self) -> str:
        among = f", best of {len(self.rows)} backbones" if len(self.rows) > 1 else ""
        return (
            f"<Recommendation: {self.best} with {self.strategy}{among}; print it for the reasons>"
        )

    def _repr_html_(self) -> str:
        head = ("backbone", "error / best seasonal rule", "why")
        rows = [(row.card.name, number(row.fold_error), row.reason) for row in self.rows]
        said = [f"Strategy: {self.verdict}"] if self.verdict else []
        said += [] if self.enough is None else [f"Data: {self.enough}"]
        said += [f"Warning: {text}." for text in self.warnings]
        title = f"Recommendation: {self.best} with {self.strategy}"
        return html_block(title, html_table(head, rows), html_lines(said))

    def __str__(self) -> str:
        lines = [f"{i}. {row.card.name}: {row.reason}" for i, row in enumerate(self.rows, 1)]
        lines += [RULE] if len(self.rows) > 1 else []
        if self.not_at_hand:
            lines.append(f"Not tried, as not installed here: {', '.join(self.not_at_hand)}.")
        if self.verdict:
            lines += ["", f"Strategy: {self.verdict}"]
        lines += [] if self.plan is None else [f"  - {rule}" for rule in self.plan.words()]
        lines += [f"  {row}" for row in self.halving]
        lines += [] if self.enough is None else ["", f"Data: {self.enough}"]
        lines += ["", *(f"Warning: {text}." for text in self.warnings)] if self.warnings else []
        return "\n".join(lines)
