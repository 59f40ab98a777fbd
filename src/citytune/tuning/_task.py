"""What every strategy is given: a frozen backbone, a city's windows, and what was said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from citytune.backbones import Backbone
from citytune.tuning._experts import ask, experts_of, features, window_unit
from citytune.tuning._few import student
from citytune.tuning._head import Lesson
from citytune.tuning._seasonal import SEASONAL, Seasonal
from citytune.windows import Examples, History, Rare, WindowSpec, choose_examples, cut_future

Progress = Callable[[str, float], None]
WINDOW_DAYS = 120
"""Windows older than this are not learnt from."""
RECENT_DAYS = 49
"""Days from which a sensor's usual spread is taken."""
USUAL_RULE = "day-kind"
"""The seasonal rule to take where none has shown to be better."""
VALUES = 600_000
"""Most values of one expert, window times step, to learn from."""


@dataclass(frozen=True, eq=False)
class Task:
    """One fit: the windows to learn from, and what the frozen model and the rules say of them."""

    backbone: Backbone
    history: History
    spec: WindowSpec
    caution: float = 2.0
    seed: int = 0
    max_seconds: float | None = None
    """Time that gradient steps may take; the best so far is kept."""
    progress: Progress | None = None
    rare: Rare | None = None
    """Values that count more than others; None counts all alike."""

    @cached_property
    def seasonal(self) -> Seasonal:
        """The seasonal rules over the history."""
        return Seasonal(self.history)

    @cached_property
    def examples(self) -> Examples:
        """The windows to learn from."""
        most = min(self.backbone.card.max_examples, max(200, VALUES // self.spec.horizon))
        return choose_examples(self.history, self.spec, limit=most, days=WINDOW_DAYS)

    @cached_property
    def actual(self) -> Tensor:
        """(example, horizon) what was measured then; NaN is missing."""
        return cut_future(self.history.raw, self.examples, self.spec.horizon)

    @property
    def known(self) -> Tensor:
        """(example, horizon) bool."""
        return ~self.actual.isnan()

    @cached_property
    def rare_weights(self) -> Tensor:
        """(example, horizon) how much each target counts, with a mean of 1; all 1 without `rare`.

        For any loss that is a mean over targets.
        """
        if self.rare is None or not self.rare.moves_fit:
            return torch.ones_like(self.actual)
        examples = self.examples
        return self.rare.weights(self.history, examples.sensor, examples.origin, self.actual)

    @property
    def heed(self) -> Tensor | None:
        """`rare_weights`, or None where all targets count alike."""
        moved = self.rare is not None and self.rare.moves_fit
        return self.rare_weights if moved else None

    @cached_property
    def experts(self) -> tuple[str, ...]:
        """Names of the experts that need no fitting."""
        return experts_of(self.backbone.card, self.history.steps_per_day)

    @cached_property
    def says(self) -> Tensor:
        """(example, horizon, expert) what they say."""
        return self.ask(self.experts)

    def ask(self, names: tuple[str, ...]) -> Tensor:
        """(example, horizon, expert) what some experts say of the windows."""

        def tell(share: float) -> None:
            if self.progress is not None:
                self.progress("asking the pretrained model", 0.8 * share)

        return ask(
            self.backbone,
            self.seasonal,
            self.examples,
            self.spec.horizon,
            self.spec.context,
            names,
            tell,
        )

    def says_of(self, names: tuple[str, ...]) -> Tensor:
        """(example, horizon, expert) of some experts; only they are asked if nobody was yet."""
        if "says" not in self.__dict__:
            return self.ask(names)
        return self.says[..., [self.experts.index(name) for name in names]]

    def said_by(self, name: str) -> Tensor:
        """(example, horizon) of one expert."""
        return self.says_of((name,))[..., 0]

    def part(self, which: Tensor, *, max_seconds: float | None = None) -> Task:
        """Some of the windows, by index, with what was already said of them."""
        part = replace(self, max_seconds=max_seconds)
        kept: dict[str, object] = {"examples": self.examples.pick(which), "seasonal": self.seasonal}
        kept |= {name: self.__dict__[name][which] for name in ("says",) if name in self.__dict__}
        if "lesson" in self.__dict__:
            kept["lesson"] = self.lesson.pick(which)
        part.__dict__.update(kept)
        return part

    @cached_property
    def spread(self) -> Tensor:
        """(sensor,) usual spread of each sensor, in the unit of the data; never 0."""
        recent = self.history.raw[:, -RECENT_DAYS * self.history.steps_per_day :]
        mean = recent.nanmean(1, keepdim=True)
        square = (recent - mean).double().square().nanmean(1)  # it may be beyond floats
        found = square.sqrt().nan_to_num(0.0).float()
        usual = float(found[found > 0].median()) if (found > 0).any() else 1.0
        return found.where(found > 1e-6 * usual, torch.tensor(usual))

    @cached_property
    def scale(self) -> Tensor:
        """(example, 1) spread of each window's sensor."""
        return self.spread[self.examples.sensor][:, None]

    @cached_property
    def days(self) -> float:
        """How many days the windows' origins span."""
        if not len(self.examples):
            return 0.0
        first, last = self.examples.origin.aminmax()
        return float(last - first) / self.history.steps_per_day + 1

    @cached_property
    def day(self) -> Tensor:
        """(example,) long: local day of each origin."""
        return self.history.wall[self.examples.origin] // self.history.steps_per_day

    @cached_property
    def prior(self) -> str:
        """The expert that stands for "as pretrained"."""
        return "plain" if self.backbone.card.horizon is not None else self.best_rule

    @cached_property
    def best_rule(self) -> str:
        """The seasonal rule with the least error on the windows, if it repeats from day to day."""
        if not len(self.examples):
            return USUAL_RULE
        return self._rule_beating(self.said_by(USUAL_RULE)) or USUAL_RULE

    @cached_property
    def better_rule(self) -> str | None:
        """The seasonal rule that beats the prior by most, if that repeats from day to day."""
        return self._rule_beating(self.said_by(self.prior))

    def _rule_beating(self, rival: Tensor) -> str | None:
        """The rule whose gain over `rival` (example, horizon) is largest, less a standard error."""
        days, block = self.day.unique(return_inverse=True)
        known = self.known.float()
        count = torch.zeros(len(days)).index_add(0, block, known.sum(1)).clamp_min(1)

        def by_day(says: Tensor) -> Tensor:
            error = ((says - self.actual).abs() / self.scale).nan_to_num(0.0) * known
            return torch.zeros(len(days)).index_add(0, block, error.sum(1)) / count

        gains = by_day(rival)[:, None] - torch.stack(
            [by_day(says) for says in self.says_of(SEASONAL).unbind(-1)], 1
        )
        freedom = max(len(days) - 1, 1)
        error = student(freedom) * gains.std(0, correction=0) / freedom**0.5
        sure = gains.mean(0) - error
        best = int(sure.argmax())
        return SEASONAL[best] if float(sure[best]) > 0 else None

    @cached_property
    def lesson(self) -> Lesson:
        """What a new last layer learns from; the backbone sees every window once."""
        prior = self.said_by(self.prior)
        unit = window_unit(self.seasonal, self.examples, self.spec.context)
        seen = features(
            self.backbone, self.seasonal, self.examples, self.spec.horizon, self.spec.context
        )
        residual = (self.actual - prior) / unit
        return Lesson(seen, residual, unit / self.scale, self.examples.origin, self.heed)
