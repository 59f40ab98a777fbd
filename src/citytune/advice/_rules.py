"""Which strategies to try: few rules, each with the numbers that triggered it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from citytune._text import more_or_less, percent
from citytune.advice._amount import Amount, amount_of
from citytune.advice._costs import FREE, LAST_LAYER, cost_of
from citytune.advice._nature import Nature, nature_of
from citytune.advice._relevance import skill_of
from citytune.tuning import Task, strategies

FEW_WINDOWS = 20
"""Independent windows below which a new last layer has nothing to learn from …"""
SOME = 60
"""… and below which no weights inside the network should move …"""
MANY_WINDOWS = 300
"""… and below which not all of them should."""
NEARLY_EVERYTHING = 0.95
"""Share explained by the calendar above which little is left for a network to learn."""


class Rule(NamedTuple):
    """One rule that applied."""

    text: str
    """What follows, with the numbers."""
    adds: tuple[str, ...]
    """Strategies to try because of it."""


@dataclass(frozen=True)
class StrategyPlan:
    """Strategies to try, the most promising first, and why."""

    amount: Amount
    nature: Nature
    skill: float
    """Of the pretrained model over the best seasonal rule; NaN if it cannot forecast."""
    rules: tuple[Rule, ...]

    @property
    def contenders(self) -> tuple[str, ...]:
        """Names, each once."""
        return tuple(dict.fromkeys(name for rule in self.rules for name in rule.adds))

    def words(self) -> list[str]:
        """What is known of the city, and each rule, in a sentence."""
        a, n = self.amount, self.nature
        skill = (
            ""
            if math.isnan(self.skill)
            else f"; without fine-tuning the model has {more_or_less(self.skill)} than the best "
            "seasonal rule"
        )
        amount = f"{a.windows:,} windows to learn from"
        if round(a.independent) < a.windows:
            amount += f", with as much information as {a.independent:,.0f} independent ones"
        nature = (
            f"forecastability {n.forecastable:.2f}; the calendar explains {percent(n.calendar)} of "
            f"the variance; signal-to-noise ratio {n.signal:,.0f}"
        )
        return [f"{amount}; {nature}{skill}", *(rule.text for rule in self.rules)]

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
            "rules": [rule.text for rule in self.rules],
            "contenders": list(self.contenders),
        }


def plan_of(task: Task) -> StrategyPlan:
    """Look at the amount of data, the task and the pretrained model, then apply the rules."""
    skill, amount, nature = skill_of(task), amount_of(task), nature_of(task)
    rules = rules_for(amount, nature, skill, _movable(task))
    return StrategyPlan(amount, nature, skill, tuple(rules))


def rules_for(amount: Amount, nature: Nature, skill: float, movable: bool) -> list[Rule]:
    """The rules that apply, in order."""
    n = amount.independent
    found = [Rule("blend and zero-shot are always compared, as that costs almost nothing", FREE)]
    if n < FEW_WINDOWS:
        why = f"with only {n:.0f} independent windows ({FEW_WINDOWS} needed), nothing else is tried"
        return [*found, Rule(why, ())]
    enough = f"with at least {FEW_WINDOWS} independent windows, a new last layer is tried"
    found += [Rule(enough, LAST_LAYER)]
    return [*found, *_inner_rules(n, nature, skill)] if movable else found


def _inner_rules(n: float, nature: Nature, skill: float) -> list[Rule]:
    """Rules for weights inside the network, given the number of independent windows."""
    if n < SOME:
        return [Rule(f"with fewer than {SOME}, no weights inside the network are moved", ())]
    if nature.calendar > NEARLY_EVERYTHING:
        why = (
            f"the calendar explains {percent(nature.calendar)} of the variance, which leaves "
            "little to learn for weights inside the network"
        )
        return [Rule(why, ())]
    found = (
        Rule(
            f"with at least {SOME}, few weights: the model already beats the rules", _inside("few")
        )
        if skill > 0
        else Rule(f"with at least {SOME}, some layers: the rules beat the model", _inside("some"))
    )
    many = Rule(f"with at least {MANY_WINDOWS}, more weights", _inside("some", "all"))
    return [found, many] if n >= MANY_WINDOWS else [found]


def _inside(*reach: str) -> tuple[str, ...]:
    """Strategies that move so much of the network, those with the least work first."""
    names = [name for name in strategies if cost_of(name).moves in reach]
    return tuple(sorted(names, key=lambda name: cost_of(name).work))


def _movable(task: Task) -> bool:
    return any(p.numel() for block in task.backbone.blocks() for p in block.parameters())
