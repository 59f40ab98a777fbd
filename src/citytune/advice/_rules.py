"""Which strategies are worth a try: few rules, each with the numbers that triggered it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from citytune.advice._amount import Amount, amount_of
from citytune.advice._costs import FREE, LAST_LAYER, cost_of
from citytune.advice._nature import Nature, nature_of
from citytune.tuning import Task, errors_by_day, strategies

FEW_WINDOWS = 20
"""Independent windows below which a new last layer has nothing to learn from …"""
SOME = 60
"""… and below which no weights inside the network should move …"""
MANY_WINDOWS = 300
"""… and below which not all of them should."""
NEARLY_EVERYTHING = 0.95
"""Share explained by the calendar above which little is left for a network to learn."""


class Rule(NamedTuple):
    """One rule that spoke."""

    says: str
    """What follows, with the numbers."""
    adds: tuple[str, ...]
    """Strategies that become worth a try."""


@dataclass(frozen=True)
class StrategyPlan:
    """Strategies worth a try, the most promising first, and why."""

    amount: Amount
    nature: Nature
    skill: float
    """Of the untouched model over the best seasonal rule; NaN if it cannot forecast."""
    rules: tuple[Rule, ...]

    @property
    def contenders(self) -> tuple[str, ...]:
        """Names, each once."""
        return tuple(dict.fromkeys(name for rule in self.rules for name in rule.adds))

    def words(self) -> list[str]:
        """What is known of the city, and each rule, in a sentence."""
        a, n = self.amount, self.nature
        skill = "" if math.isnan(self.skill) else f", untouched skill {_percent(self.skill)}"
        amount = (
            f"{a.windows:,} windows, as good as {a.independent:.0f} independent ones "
            f"({a.days:.0f} days × {a.sensors:.1f} sensors)"
        )
        nature = (
            f"forecastability {n.forecastable:.2f}, the calendar explains {_percent(n.calendar)}, "
            f"signal to noise {n.signal:.0f}{skill}"
        )
        return [f"{amount}; {nature}", *(rule.says for rule in self.rules)]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "windows": self.amount.windows,
            "independent_windows": round(self.amount.independent, 1),
            "independent_days": round(self.amount.days, 1),
            "independent_sensors": round(self.amount.sensors, 2),
            "forecastability": round(self.nature.forecastable, 3),
            "calendar_share": round(self.nature.calendar, 3),
            "signal_to_noise": round(self.nature.signal, 1),
            "skill": None if math.isnan(self.skill) else round(self.skill, 4),
            "rules": [rule.says for rule in self.rules],
            "contenders": list(self.contenders),
        }


def plan_of(task: Task) -> StrategyPlan:
    """Look at the amount of data, the task and the untouched model, then apply the rules."""
    skill = math.nan
    if task.backbone.card.horizon is not None and len(task.examples):
        skill = 1 - float(errors_by_day(task, task.forecast_of("plain")).nanmean())
    amount, nature = amount_of(task), nature_of(task)
    return StrategyPlan(
        amount, nature, skill, tuple(rules_for(amount, nature, skill, _movable(task)))
    )


def rules_for(amount: Amount, nature: Nature, skill: float, movable: bool) -> list[Rule]:
    """The rules that speak, in order."""
    n = amount.independent
    said = [Rule("blend and zero-shot are always compared: they cost next to nothing more", FREE)]
    if n < FEW_WINDOWS:
        return [
            *said,
            Rule(f"{n:.0f} independent windows are fewer than {FEW_WINDOWS}: stay there", ()),
        ]
    said += [
        Rule(f"{n:.0f} independent windows, at least {FEW_WINDOWS}: a new last layer", LAST_LAYER)
    ]
    if not movable:
        return said
    if n < SOME:
        return [*said, Rule(f"fewer than {SOME}: no weights inside the network should move", ())]
    if nature.calendar > NEARLY_EVERYTHING:
        why = (
            f"the calendar explains {_percent(nature.calendar)}, over {_percent(NEARLY_EVERYTHING)}"
        )
        return [*said, Rule(f"{why}: little is left for weights inside the network", ())]
    if skill > 0:
        few = f"at least {SOME}, and untouched it beats the rules by {_percent(skill)}: few weights"
        said += [Rule(few, _inside("few"))]
    else:
        far = f"at least {SOME}, and untouched it does not beat the rules: adapt its layers"
        said += [Rule(far, _inside("some"))]
    if n >= MANY_WINDOWS:
        said += [Rule(f"at least {MANY_WINDOWS}: more weights may move", _inside("some", "all"))]
    return said


def _inside(*reach: str) -> tuple[str, ...]:
    """Strategies that move so much of the network, those that cost least first."""
    names = [name for name in strategies if cost_of(name).moves in reach]
    return tuple(sorted(names, key=lambda name: cost_of(name).times))


def _movable(task: Task) -> bool:
    return any(p.numel() for block in task.backbone.blocks() for p in block.parameters())


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
